"""What a client has taken of a queue, until it is settled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from simbuilder.bus.errors import BusConnectionError
from simbuilder.bus.memory.queues import Consumer, Work
from simbuilder.bus.memory.streams import stored
from simbuilder.bus.protocol import Stored

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics


class MemoryDelivery:
    """A message that was handed out; see `protocol.Delivery`."""

    __slots__ = ("_all", "attempt", "consumer", "message")

    def __init__(
        self, message: Stored, attempt: int, consumer: Consumer, handed_out: "MemoryDeliveries"
    ) -> None:
        self.message, self.attempt, self.consumer = message, attempt, consumer
        self._all = handed_out

    async def ack(self) -> None:
        """Settle it as done."""
        self._all.settle(self, done=True)

    async def nak(self, delay_s: float = 0.0) -> None:
        """Return it, to be delivered again after a while."""
        self._all.give_back(self, delay_s)

    async def term(self, reason: str = "") -> None:
        """Settle it as what nothing can be done with."""
        self._all.settle(self, done=False)


class MemoryDeliveries:
    """Messages of one queue; see `protocol.Deliveries`."""

    def __init__(self, work: Work, metrics: "Metrics | None") -> None:
        self._work, self._metrics = work, metrics
        self._held: set[MemoryDelivery] = set()
        self._over = False
        self._vanished = False
        self._time: Callable[[], float] = asyncio.get_running_loop().time

    def __aiter__(self) -> AsyncIterator[MemoryDelivery]:
        return self

    async def __anext__(self) -> MemoryDelivery:
        while True:
            await asyncio.sleep(0)  # others have their turn, as they have where there is a server
            if self._vanished:
                raise BusConnectionError("the connection to the bus is closed")
            if self._over:
                raise StopAsyncIteration
            if (found := self._take()) is not None:
                return found
            await self._wait()

    def settle(self, delivery: MemoryDelivery, *, done: bool) -> None:
        """Have a message never delivered again."""
        if delivery in self._held:
            self._held.remove(delivery)
            delivery.consumer.settle(delivery.message.sequence)
            self._work.log.bell.ring()
            if done and self._metrics is not None:
                self._metrics.acked(self._work.declared.name)

    def give_back(self, delivery: MemoryDelivery, delay_s: float) -> None:
        """Have a message delivered again after a while."""
        if delivery in self._held:
            self._held.remove(delivery)
            delivery.consumer.give_back(delivery.message.sequence, self._time() + delay_s)
            self._work.log.bell.ring()

    async def finish(self) -> None:
        """Hand out nothing more; what nobody was handed was never taken."""
        self._over = True
        self._work.log.bell.ring()

    def close(self) -> None:
        """Return what is not settled, at once."""
        self._over = True
        self._give_all_back(0.0)

    def vanish(self) -> None:
        """Be gone without a word: what is not settled is missed after the queue's `ack_wait_s`."""
        self._vanished = True
        self._give_all_back(self._work.declared.ack_wait_s)

    def _give_all_back(self, delay_s: float) -> None:
        for delivery in list(self._held):
            self.give_back(delivery, delay_s)
        self._work.log.bell.ring()

    def _take(self) -> MemoryDelivery | None:
        found = self._work.hand_out(self._time())
        if found is None:
            return None
        consumer, message, attempt = found
        made = MemoryDelivery(stored(self._work.declared.stream, message), attempt, consumer, self)
        self._held.add(made)
        if attempt > 1 and self._metrics is not None:
            self._metrics.redelivered(self._work.declared.name)
        return made

    async def _wait(self) -> None:
        """Wait until there may be something to take."""
        due = self._work.next_due()
        consumers = self._work.consumers
        for consumer in consumers:
            consumer.waiting += 1
        try:
            pause = None if due is None else max(0.0, due - self._time())
            await self._work.log.bell.wait(pause)
        finally:
            for consumer in consumers:
                consumer.waiting -= 1
