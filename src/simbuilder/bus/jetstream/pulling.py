"""Keeping a consumer's requests for messages open, whatever happens to server and connection.

A request asks for some messages. The server ends it when they have come, or says that it is over
and how many have not. What it does not say is noticed: each request asks for signs of life.

The messages themselves come under their own subjects, so which of two requests one answers cannot
be told; how many are still to come, of both together, can.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
from nats.aio.msg import Msg

from simbuilder.bus.errors import BusError
from simbuilder.bus.jetstream.connection import (
    DESCRIPTION,
    STATUS,
    Connection,
    MissingError,
    permission_error,
)
from simbuilder.bus.jetstream.stored import place_of

if TYPE_CHECKING:
    from nats.aio.subscription import Subscription

_EXPIRES_S = 30.0
_SIGN_OF_LIFE_S = 5.0
_SILENCE_S = 12.0
_LOOK_S = 1.0
_PAUSE_S = 0.2
_NOT_COME = "Nats-Pending-Messages"
"""The header that says how many messages of a request have not come when it is over."""

_ACKNOWLEDGED = "$JS.ACK."


class Consumer:
    """A consumer on the server, and what was asked of it."""

    __slots__ = ("ask_after", "coming", "heard", "most", "name", "stream", "subject")

    def __init__(self, stream: str, name: str, most: int) -> None:
        self.stream, self.name, self.most = stream, name, most
        self.subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"
        self.coming = 0
        self.heard = self.ask_after = 0.0

    def over(self) -> None:
        """Take nothing of what was asked for to be still coming."""
        self.coming, self.ask_after = 0, 0.0


class Puller:
    """Asks consumers for messages, as many as `wanted` says, and hands each to `take`.

    `lost` is called once, if a consumer is no longer there.
    """

    def __init__(
        self,
        connection: Connection,
        wanted: Callable[[], int],
        take: Callable[[Msg, list[str]], None],
        lost: Callable[[BusError], None],
    ) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._wanted, self._take, self._lost = wanted, take, lost
        self._box = connection.inbox() + "."
        self._skip = len(self._box)
        self._consumers: dict[str, Consumer] = {}
        self._subscription: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopped = False
        self._checking: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Begin to listen."""
        self._subscription = await self._connection.subscribe(self._box + "*", self._came)
        self._connection.mended.append(self._mended)
        self._connection.denied.append(self._denied)
        self._watch = self._loop.create_task(self._watching())

    def add(self, stream: str, name: str, most: int) -> Consumer:
        """Take a consumer's messages too, at most `most` of them asked for at once."""
        consumer = self._consumers[name] = Consumer(stream, name, most)
        return consumer

    def forget(self, consumer: Consumer) -> None:
        """Ask a consumer for nothing more, and take nothing that still comes of it."""
        self._consumers.pop(consumer.name, None)

    async def stop(self) -> None:
        """Ask for nothing more, having taken all that the server had sent until then."""
        if self._stopped:
            return
        self._stopped = True
        self._connection.mended.remove(self._mended)
        self._connection.denied.remove(self._denied)
        if self._watch is not None:
            self._watch.cancel()
        if self._subscription is not None:
            await self._connection.leave(self._subscription)

    async def refill(self) -> None:
        """Ask for as many messages as are wanted, but not for every one of them alone."""
        if self._stopped:
            return
        now, wanted = self._loop.time(), self._wanted()
        for consumer in self._consumers.values():
            most = min(wanted, consumer.most)
            if 2 * consumer.coming <= most and most > consumer.coming and now >= consumer.ask_after:
                await self._ask(consumer, most - consumer.coming, now)

    async def _ask(self, consumer: Consumer, number: int, now: float) -> None:
        body = {
            "batch": number,
            "expires": int(_EXPIRES_S * 1e9),
            "idle_heartbeat": int(_SIGN_OF_LIFE_S * 1e9),
        }
        consumer.coming += number
        consumer.heard = now
        reply = self._box + consumer.name
        if not await self._connection.send(consumer.subject, orjson.dumps(body), reply):
            consumer.coming, consumer.ask_after = 0, now + _PAUSE_S

    async def _came(self, message: Msg) -> None:
        headers = message.headers
        if headers and STATUS in headers and not message.reply.startswith(_ACKNOWLEDGED):
            consumer = self._consumers.get(message.subject[self._skip :])
            if consumer is not None:
                await self._told(consumer, headers)
            return
        place = place_of(message.reply)
        consumer = self._consumers.get(place[1])
        if consumer is None:
            return  # it was forgotten
        consumer.heard = self._loop.time()
        consumer.coming = max(0, consumer.coming - 1)
        self._take(message, place)

    async def _told(self, consumer: Consumer, headers: dict[str, str]) -> None:
        """Hear the server's own word: a sign of life, or that a request is over."""
        status, said = headers[STATUS], headers.get(DESCRIPTION, "")
        consumer.heard = self._loop.time()
        if status == "100":
            return
        consumer.coming = max(0, consumer.coming - int(headers.get(_NOT_COME, consumer.coming)))
        if status not in ("404", "408") and "Leadership" not in said:
            # nobody answers for it, it was deleted, or too many ask: not to be asked at once again
            consumer.ask_after = self._loop.time() + _PAUSE_S
            self._check(consumer)
        await self.refill()

    def _check(self, consumer: Consumer) -> None:
        if consumer.name not in self._checking:
            task = self._loop.create_task(self._still_there(consumer))
            self._checking[consumer.name] = task
            task.add_done_callback(lambda _: self._checking.pop(consumer.name, None))

    async def _still_there(self, consumer: Consumer) -> None:
        try:
            await self._connection.api(
                f"CONSUMER.INFO.{consumer.stream}.{consumer.name}", deadline_s=2.0
            )
        except MissingError as error:
            if consumer.name in self._consumers and not self._stopped:
                self._lost(error)
        except BusError:
            return  # the server is away: the watch asks again

    def _denied(self, said: str) -> None:
        for consumer in self._consumers.values():
            if f'"{consumer.subject.lower()}"' in said:
                self._lost(permission_error(said))

    async def _mended(self) -> None:
        """Ask anew: a server forgets the requests of a connection that it lost."""
        for consumer in self._consumers.values():
            consumer.over()
            self._check(consumer)
        await self.refill()

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            now = self._loop.time()
            for consumer in self._consumers.values():
                if consumer.coming and now - consumer.heard > _SILENCE_S:
                    consumer.over()
            await self.refill()
