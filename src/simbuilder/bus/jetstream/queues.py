"""Taking events of a queue: what was handed out, kept alive until it is settled."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import orjson
from nats.aio.msg import Msg

from simbuilder.bus.declarations import Queue
from simbuilder.bus.errors import BusError
from simbuilder.bus.jetstream.connection import Connection
from simbuilder.bus.jetstream.pulling import Puller
from simbuilder.bus.jetstream.stored import delivered
from simbuilder.bus.protocol import Stored

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics

_ACK, _NAK, _TERM, _WORKING = b"+ACK", b"-NAK", b"+TERM", b"+WPI"
_REQUESTED = 8
_SIGNS = 3
"""Signs of life within the time that the server waits for one: one may be late, one be lost."""


class JetStreamDelivery:
    """A message that was handed out; see `protocol.Delivery`."""

    __slots__ = ("_all", "_reply", "attempt", "message", "settled")

    def __init__(
        self, message: Stored, attempt: int, reply: str, handed_out: "JetStreamDeliveries"
    ) -> None:
        self.message, self.attempt = message, attempt
        self._reply, self._all = reply, handed_out
        self.settled = False

    async def ack(self) -> None:
        """Settle it as done."""
        await self._all.settle(self, self._reply, b"")

    async def nak(self, delay_s: float = 0.0) -> None:
        """Return it, to be delivered again after a while."""
        delay = orjson.dumps({"delay": int(delay_s * 1e9)})
        await self._all.settle(self, self._reply, _NAK + b" " + delay if delay_s > 0 else _NAK)

    async def term(self, reason: str = "") -> None:
        """Settle it as what nothing can be done with."""
        await self._all.settle(self, self._reply, f"+TERM {reason}".strip().encode()[:256])

    @property
    def reply(self) -> str:
        """Where the server hears of it."""
        return self._reply


class JetStreamDeliveries:
    """Messages of one queue; see `protocol.Deliveries`."""

    def __init__(
        self, connection: Connection, queue: Queue, batch: int, metrics: "Metrics | None"
    ) -> None:
        self._connection, self._queue, self._batch = connection, queue, batch
        self._metrics = metrics
        self._ready: deque[JetStreamDelivery] = deque()
        self._held: dict[int, JetStreamDelivery] = {}
        self._came = asyncio.Event()
        self._error: BusError | None = None
        self._over = False
        self._puller = Puller(connection, self._wanted, self._take, self._lost)
        self._alive: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to take events."""
        await self._puller.start()
        for name, part in self._queue.consumers().items():
            # where one comes at a time, not each needs a request of its own
            most = min(self._batch, max(part.most, _REQUESTED))
            self._puller.add(self._queue.stream, name, most)
        await self._puller.refill()
        self._alive = asyncio.get_running_loop().create_task(self._keeping_alive())

    async def finish(self) -> None:
        """Take nothing more, and return what no reader was handed."""
        await self._puller.stop()
        while self._ready:
            await self._ready.popleft().nak()
        self._over = True
        self._came.set()

    async def stop(self) -> None:
        """Return what is not settled, at once."""
        if self._alive is not None:
            self._alive.cancel()
        try:
            await self.finish()
        finally:
            for delivery in list(self._held.values()):
                await delivery.nak()

    def __aiter__(self) -> AsyncIterator[JetStreamDelivery]:
        return self

    async def __anext__(self) -> JetStreamDelivery:
        while not self._ready:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._came.clear()
            await self._puller.refill()
            if not self._ready:
                await self._came.wait()
        delivery = self._ready.popleft()
        if 2 * len(self._ready) <= self._batch:
            await self._puller.refill()
        return delivery

    def _wanted(self) -> int:
        return self._batch - len(self._ready)

    def _take(self, message: Msg, place: list[str]) -> None:
        stored, attempt = delivered(message, place)
        delivery = JetStreamDelivery(stored, attempt, message.reply, self)
        self._held[id(delivery)] = delivery
        self._ready.append(delivery)
        self._came.set()
        if self._metrics is not None and attempt > 1:
            self._metrics.redelivered(self._queue.name)

    def _lost(self, error: BusError) -> None:
        self._error = error
        self._came.set()

    async def settle(self, delivery: JetStreamDelivery, reply: str, verb: bytes) -> None:
        """Tell the server what became of a delivery, once."""
        if delivery.settled:
            return
        delivery.settled = True
        del self._held[id(delivery)]
        # where it does not arrive, the server delivers it again, as it would after any lost word
        await self._connection.send(reply, verb)
        if self._metrics is not None and not verb:
            self._metrics.acked(self._queue.name)

    async def _keeping_alive(self) -> None:
        while True:
            await asyncio.sleep(self._queue.ack_wait_s / _SIGNS)
            for delivery in list(self._held.values()):
                await self._connection.send(delivery.reply, _WORKING)


@asynccontextmanager
async def taking(
    connection: Connection, queue: Queue, batch: int, metrics: "Metrics | None"
) -> AsyncIterator[JetStreamDeliveries]:
    """Take events of a queue for the block."""
    deliveries = JetStreamDeliveries(connection, queue, batch, metrics)
    await deliveries.start()
    try:
        yield deliveries
    finally:
        await deliveries.stop()
