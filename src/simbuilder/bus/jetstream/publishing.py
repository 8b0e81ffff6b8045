"""Sending with acknowledgement: a window of events on their way, each sent until it is stored.

What JetStream has not acknowledged is sent again under the same id (`Nats-Msg-Id`), by which the
server recognises it: after a lost connection, after a silence, and when a cluster had no leader.

Events of one key are sent one after the other: otherwise one that has to be sent again could come
after those that follow it.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson
from nats.aio.msg import Msg
from nats.errors import BadHeaderError, BadSubjectError, MaxPayloadError

from simbuilder.bus.errors import BadNameError, BusError, BusTimeoutError, EventError, NoStreamError
from simbuilder.bus.jetstream.connection import (
    STATUS,
    UNSENT,
    Connection,
    PassingError,
    closed_error,
    explained,
    permission_error,
)
from simbuilder.bus.protocol import MESSAGE_ID, Ack

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics

_SILENCE_S = 2.0
"""After so long without an answer it is sent again."""

_LOOK_S = 0.25
_MOST_UNSENT = 2 * 1024 * 1024
"""So many bytes at most wait to be written; what more there is waits with us, within the window."""

_ROOM_S = 0.005
_LAST_WORDS_S = 1.0
_AFTER_REFUSAL_S = 0.2


class _OnItsWay:
    """A message that is not acknowledged yet."""

    __slots__ = ("began", "due", "future", "headers", "key", "last", "raw", "subject", "until")

    def __init__(
        self,
        subject: str,
        raw: bytes,
        headers: dict[str, str],
        future: "asyncio.Future[Ack]",
        now: float,
        until: float,
        key: str | None,
    ) -> None:
        self.subject, self.raw, self.headers, self.future = subject, raw, headers, future
        self.began, self.until, self.key = now, until, key
        self.due = now + _SILENCE_S
        self.last = "no answer"


class Publisher:
    """Sends on one connection, at most `window` messages at once without an answer."""

    def __init__(
        self, connection: Connection, window: int, metrics: "Metrics | None" = None
    ) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(window)
        self._metrics = metrics
        self._box = connection.inbox() + "."
        self._skip = len(self._box)
        self._number = 0
        self._sent_again = False
        self._waiting: dict[str, _OnItsWay] = {}
        self._keys: dict[str, deque[_OnItsWay]] = {}
        self._look: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen for answers."""
        await self._connection.subscribe(self._box + "*", self._answered)
        self._connection.mended.append(self._send_all_again)
        self._connection.denied.append(self._denied)
        self._connection.closed.append(self._closed)

    async def finish(self) -> None:
        """Wait for all that is on its way; each has its own deadline.

        A copy that was sent again may arrive after its event was acknowledged: it is not left
        behind on a connection of which the server reads the rest when it likes.
        """
        while pending := [each.future for each in self._waiting.values()]:
            await asyncio.wait(pending)
        if self._sent_again and self._connection.client.is_connected:
            with suppress(BusTimeoutError, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self._connection.arrived()

    async def send(
        self,
        subject: str,
        raw: bytes,
        headers: Mapping[str, str],
        id_: str,
        deadline_s: float,
        key: str | None = None,
    ) -> "asyncio.Future[Ack]":
        """Send a message; wait only while the window is full."""
        now = self._loop.time()
        if self._slots.locked():
            await self._wait_for_a_slot(subject, now + deadline_s, deadline_s)
        else:
            await self._slots.acquire()
        if self._connection.client.pending_data_size > _MOST_UNSENT:
            await self._wait_for_room(now + deadline_s)
        future: asyncio.Future[Ack] = self._loop.create_future()
        named = {MESSAGE_ID: id_, **headers}
        one = _OnItsWay(subject, raw, named, future, now, now + deadline_s, key)
        if key is not None and not self._is_next(key, one):
            return future
        await self._begin(one)
        return future

    async def _wait_for_a_slot(self, subject: str, until: float, deadline_s: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            raise _timeout(subject, deadline_s, "too many are on their way") from None

    async def _wait_for_room(self, until: float) -> None:
        """Wait, not for ever, until the driver has written what it has; nothing tells when."""
        try:
            for _ in range(int(_SILENCE_S / _ROOM_S)):
                unsent = self._connection.client.pending_data_size
                if unsent <= _MOST_UNSENT or self._loop.time() >= until:
                    return
                await asyncio.sleep(_ROOM_S)
        except asyncio.CancelledError:
            self._slots.release()
            raise

    def _is_next(self, key: str, one: _OnItsWay) -> bool:
        """Say whether nothing of its key is on its way; else it has its turn after that."""
        line = self._keys.get(key)
        if line is None:
            self._keys[key] = deque()
            return True
        line.append(one)
        return False

    async def _begin(self, one: _OnItsWay) -> None:
        self._number += 1
        token = str(self._number)
        self._waiting[token] = one
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_S, self._look_around)
        await self._put(token, one)

    async def _put(self, token: str, one: _OnItsWay) -> None:
        """Hand a message to the driver, unless it would only keep it for later."""
        client = self._connection.client
        one.due = self._loop.time() + _SILENCE_S
        if one.due > one.until + _SILENCE_S:
            # we stood still: the server may have forgotten the id, and would store it twice
            self._end(token, error=_timeout(one.subject, one.until - one.began, one.last))
            return
        if not client.is_connected:
            if client.is_closed:
                self._end(token, error=closed_error(self._connection.where))
            return
        if client.pending_data_size > _MOST_UNSENT:
            one.due = self._loop.time() + _LOOK_S  # the server reads nothing, or not so fast
            return
        try:
            await client.publish(one.subject, one.raw, self._box + token, one.headers)
        except UNSENT:
            return
        except MaxPayloadError:
            self._end(token, error=EventError("larger than the server takes"))
        except (BadSubjectError, BadHeaderError):
            self._end(token, error=BadNameError(f"{one.subject!r} cannot be sent"))

    async def _answered(self, message: Msg) -> None:
        token = message.subject[self._skip :]
        one = self._waiting.get(token)
        if one is None:
            return  # it was sent twice and answered before
        if message.headers and STATUS in message.headers:
            self._spawn(self._nobody(token, one))
            return
        found = orjson.loads(message.data)
        error = found.get("error")
        if error is None:
            ack = Ack(found["stream"], found["seq"], found.get("duplicate", False))
            self._end(token, ack=ack)
            return
        said = explained(error, one.subject)
        if isinstance(said, PassingError):
            one.last, one.due = said.message, self._loop.time() + _AFTER_REFUSAL_S
        else:
            self._end(token, error=said)

    async def _nobody(self, token: str, one: _OnItsWay) -> None:
        """See why nobody keeps a subject: there is no such stream, or it has no leader just now."""
        one.last, one.due = "nobody keeps it just now", self._loop.time() + _SILENCE_S
        try:
            body = {"subject": one.subject}
            left = max(0.1, one.until - self._loop.time())
            found = await self._connection.api("STREAM.NAMES", body, deadline_s=min(left, 2.0))
        except BusError:
            return  # it is asked again by sending it again
        if not found.get("streams"):
            hint = "'simbuilder bus ensure' makes what is declared"
            self._end(token, error=NoStreamError(f"no stream keeps {one.subject}", hint))
        else:
            one.due = self._loop.time() + _AFTER_REFUSAL_S

    def _end(self, token: str, *, ack: Ack | None = None, error: BusError | None = None) -> None:
        one = self._waiting.pop(token, None)
        if one is None:
            return
        self._slots.release()
        if one.key is not None:
            self._next_of(one.key)
        if one.future.done():
            return  # whoever waited for it has gone
        if ack is not None:
            one.future.set_result(ack)
            if self._metrics is not None:
                self._metrics.published(ack.stream, self._loop.time() - one.began)
        elif error is not None:
            one.future.set_exception(error)
            if self._metrics is not None:
                self._metrics.refused(error.code)

    def _next_of(self, key: str) -> None:
        line = self._keys[key]
        if line:
            self._spawn(self._begin(line.popleft()))
        else:
            del self._keys[key]

    # --- what does not come back by itself -------------------------------------------------

    def _look_around(self) -> None:
        """Give up what is over its deadline; send again what was not answered."""
        now = self._loop.time()
        for token, one in list(self._waiting.items()):
            if one.future.cancelled():
                self._end(token)
            elif now >= one.until:
                self._end(token, error=_timeout(one.subject, one.until - one.began, one.last))
            elif now >= one.due:
                self._sent_again = True
                self._spawn(self._put(token, one))
                one.due = now + _SILENCE_S
        self._give_up_waiting(now)
        again = bool(self._waiting)
        self._look = self._loop.call_later(_LOOK_S, self._look_around) if again else None

    def _give_up_waiting(self, now: float) -> None:
        """Give up, too, what waits for another of its key and is over its deadline."""
        for line in self._keys.values():
            for one in [each for each in line if now >= each.until or each.future.cancelled()]:
                line.remove(one)
                self._slots.release()
                if not one.future.done():
                    error = _timeout(one.subject, one.until - one.began, "another of its key waits")
                    one.future.set_exception(error)

    async def _send_all_again(self) -> None:
        for token, one in list(self._waiting.items()):
            await self._put(token, one)

    def _denied(self, said: str) -> None:
        for token, one in list(self._waiting.items()):
            if f'"{one.subject.lower()}"' in said:
                self._end(token, error=permission_error(said))

    def _closed(self) -> None:
        for token in list(self._waiting):
            self._end(token, error=closed_error(self._connection.where))

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._tasks.discard)


def _timeout(subject: str, seconds: float, last: str) -> BusTimeoutError:
    return BusTimeoutError(
        f"{subject} was not acknowledged within {seconds:g} s: {last}",
        "it may be stored all the same; publish it again with the same id",
    )
