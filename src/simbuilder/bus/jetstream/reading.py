"""Reading a stream in order and without gaps: an ephemeral consumer, made anew when it is lost."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from nats.aio.msg import Msg

from simbuilder.bus.errors import BusConnectionError, BusError
from simbuilder.bus.jetstream.connection import Connection, MissingError
from simbuilder.bus.jetstream.pulling import Consumer, Puller
from simbuilder.bus.jetstream.stored import delivered
from simbuilder.bus.making import new_id
from simbuilder.bus.protocol import DEADLINE_S, Start, Stored

_BATCH = 256
_INACTIVE_S = 60.0
"""A reader that is gone without a word is forgotten by the server after so long."""

_LATEST = "last-per-subject"
_LOOK_S = 1.0


class Reader:
    """Reads one stream; `read` is its only use."""

    def __init__(self, connection: Connection, stream: str, pattern: str) -> None:
        self._connection, self._stream, self._pattern = connection, stream, pattern
        self._ready: deque[tuple[Stored, int]] = deque()
        self._came = asyncio.Event()
        self._puller = Puller(connection, self._wanted, self._take, self._lost)
        self._consumer: Consumer | None = None
        self._expected = 1
        self._last = 0
        self._broken = False
        self._error: BusError | None = None
        self._follow = True
        self._start = Start()
        self._end = 0

    async def read(self, start: Start, follow: bool) -> AsyncGenerator[Stored, None]:
        """Go through the messages; see `protocol.Bus.read`."""
        self._follow, self._start = follow, start
        if not follow or start.where == _LATEST:
            info = await self._connection.api(f"STREAM.INFO.{self._stream}")
            self._end = info["state"]["last_seq"]
        if start.where == "sequence":
            self._last = start.sequence - 1
        await self._puller.start()
        self._connection.mended.append(self._mended)
        try:
            left = await self._begin(start)
            while follow or left > 0 or self._ready or not await self._is_over():
                found = await self._next()
                if found is None:
                    return
                stored, left = found
                if not follow and stored.sequence > self._end:
                    return
                yield stored
        finally:
            self._connection.mended.remove(self._mended)
            await self._puller.stop()
            await self._delete()

    async def _mended(self) -> None:
        """Begin anew: what was on its way counts as delivered, and never comes."""
        self._broken = True
        self._came.set()

    async def _begin(self, start: Start) -> int:
        """Make a consumer; return how many messages it has to deliver."""
        config: dict[str, Any] = {
            "ack_policy": "none",
            "filter_subject": self._pattern,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(_INACTIVE_S * 1e9),
            **_where(start),
        }
        config["name"] = name = f"reader-{new_id()}"
        body = {"stream_name": self._stream, "config": config, "action": "create"}
        made = await self._connection.api(f"CONSUMER.CREATE.{self._stream}.{name}", body)
        self._ready.clear()
        self._expected, self._broken = 1, False
        self._last = max(self._last, made["delivered"]["stream_seq"])
        self._consumer = self._puller.add(self._stream, made["name"], _BATCH)
        await self._puller.refill()
        return int(made["num_pending"])

    async def _next(self) -> tuple[Stored, int] | None:
        """Return the next message and how many are left, or `None` if none will come."""
        while not self._ready:
            if self._error is not None:
                raise self._error
            if self._broken:
                if await self._again() == 0 and not self._follow and await self._is_over():
                    return None
                continue
            self._came.clear()
            await self._puller.refill()
            if not self._ready and not self._broken and await self._nothing_comes():
                return None
        if 2 * len(self._ready) <= _BATCH:
            await self._puller.refill()
        return self._ready.popleft()

    async def _nothing_comes(self) -> bool:
        """Wait for something; say whether all that was left to read has been deleted meanwhile.

        Raises `BusConnectionError` for a server that stays away.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE_S
        while not self._came.is_set():
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._came.wait()
            except TimeoutError:
                if self._connection.client.is_connected:
                    until = loop.time() + DEADLINE_S
                    if not self._follow and await self._left() == 0 and await self._is_over():
                        return not self._came.is_set()
                elif loop.time() >= until or self._connection.client.is_closed:
                    raise BusConnectionError(
                        f"the bus at {self._connection.where} stays away", "read on when it is back"
                    ) from None
        return False

    async def _is_over(self) -> bool:
        """Say whether nothing is left to read, as the stream's leader has it.

        Our consumer may be at another server of a cluster, whose copy of the stream is behind: what
        it says is left is less than there is. It delivers the rest as it gets it.
        """
        if self._last >= self._end:
            return True
        body = {"seq": self._last + 1, "next_by_subj": self._pattern}
        try:
            found = await self._connection.api(f"STREAM.MSG.GET.{self._stream}", body)
        except MissingError:
            return True
        return int(found["message"]["seq"]) > self._end

    async def _left(self) -> int:
        if self._consumer is None:
            return 0
        try:
            info = await self._connection.api(f"CONSUMER.INFO.{self._stream}.{self._consumer.name}")
        except MissingError as error:
            self._lost(error)
            return 1
        if info["delivered"]["consumer_seq"] >= self._expected and not self._ready:
            self._broken = True  # something was lost on the way; it is still in the stream
            return 1
        return int(info["num_pending"])

    async def _again(self) -> int:
        """Go on behind the last message with a new consumer."""
        if self._consumer is not None:
            self._puller.forget(self._consumer)
        if self._start.where == _LATEST and self._last < self._end:
            return await self._begin(self._start)  # what came already is left out
        return await self._begin(Start("sequence", sequence=self._last + 1))

    def _wanted(self) -> int:
        return _BATCH - len(self._ready)

    def _take(self, message: Msg, place: list[str]) -> None:
        if self._broken:
            return
        if int(place[4]) != self._expected:
            self._broken = True  # one was lost on the way; it is still in the stream
        else:
            self._expected += 1
            stored, _ = delivered(message, place)
            if stored.sequence > self._last:  # a copy that is behind begins with what we had
                self._last = stored.sequence
                self._ready.append((stored, int(place[6])))
        self._came.set()

    def _lost(self, error: BusError) -> None:
        if not isinstance(error, MissingError):
            self._error = error
        self._broken = True
        self._came.set()

    async def _delete(self) -> None:
        """Spare the server the wait for us; where that fails, it forgets us by itself."""
        if self._consumer is not None:
            verb = f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._consumer.name}"
            await self._connection.send(verb)


def _where(start: Start) -> dict[str, Any]:
    match start.where:
        case "sequence":
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": max(1, start.sequence)}
        case "time":
            if start.time is None:
                raise ValueError("Start('time') needs a time")
            at = start.time.isoformat()
            return {"deliver_policy": "by_start_time", "opt_start_time": at}
        case "last-per-subject":
            return {"deliver_policy": "last_per_subject"}
        case "first":
            return {"deliver_policy": "all"}
        case other:
            return {"deliver_policy": other}
