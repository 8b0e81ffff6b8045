"""`MemoryBus`: one client of a `MemoryServer`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Self

from simbuilder.bus import formats, tracing
from simbuilder.bus.declarations import DECLARED, Declaration, Queue
from simbuilder.bus.errors import (
    BusConnectionError,
    BusError,
    BusTimeoutError,
)
from simbuilder.bus.events import Event
from simbuilder.bus.memory.buckets import MemoryKeyValue, Values
from simbuilder.bus.memory.deliveries import MemoryDeliveries
from simbuilder.bus.memory.reading import reading
from simbuilder.bus.memory.requests import Desk
from simbuilder.bus.memory.server import MemoryServer
from simbuilder.bus.memory.streams import stored
from simbuilder.bus.payloads import joined, name_of, what_to_send
from simbuilder.bus.protocol import (
    DEADLINE_S,
    MESSAGE_ID,
    WINDOW,
    Ack,
    Change,
    Headers,
    QueueState,
    Responder,
    Start,
    Stored,
    StreamState,
)
from simbuilder.bus.subjects import checked_pattern, checked_request, checked_subject

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics

__all__ = ["MemoryBus", "MemoryServer"]

_HEADERS = {"content-type": formats.CONTENT_TYPE}
_FROM_START = Start()


class MemoryBus:
    """A connection to a bus that is in memory; see `protocol.Bus` for what it does."""

    def __init__(
        self, server: MemoryServer, *, window: int = WINDOW, metrics: "Metrics | None" = None
    ) -> None:
        self._server, self._metrics = server, metrics
        self._slots = asyncio.Semaphore(window)
        self._taken: set[MemoryDeliveries] = set()
        self._desks: set[Desk] = set()
        self._open = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.vanish()

    def vanish(self) -> None:
        """Be gone as if the process had been killed: nothing is returned, and nobody is told."""
        self._open = False
        for deliveries in self._taken:
            deliveries.vanish()
        for desk in self._desks:
            self._server.desks.shut(desk)
            desk.vanish()
        self._server.wake()

    @property
    def connected(self) -> bool:
        """Whether it has been closed."""
        return self._open

    async def ensure(
        self,
        declaration: Declaration = DECLARED,
        *,
        allow_loss: bool = False,
        dry_run: bool = False,
    ) -> tuple[Change, ...]:
        """Bring the server to the declaration."""
        return self._there().ensure(declaration, allow_loss=allow_loss, dry_run=dry_run)

    # --- publishing ------------------------------------------------------------------------

    async def submit(
        self,
        event: Event,
        *,
        subject: str | None = None,
        headers: Headers | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> "asyncio.Future[Ack]":
        """Send an event; wait only while a whole window is on its way."""
        place = checked_subject(event.subject_for if subject is None else subject)
        sent, raw, payload = what_to_send(tracing.outgoing(event))
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(deadline_s):
                await self._slots.acquire()
        except TimeoutError:
            raise BusTimeoutError(f"{place}: too many events are on their way") from None
        found: asyncio.Future[Ack] = loop.create_future()
        found.add_done_callback(lambda _: self._slots.release())
        outcome = self._stored(place, sent, raw, payload, headers or {})
        loop.call_soon(self._tell, found, outcome, began)  # as an answer comes: later
        return found

    async def publish(
        self,
        event: Event,
        *,
        subject: str | None = None,
        headers: Headers | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Ack:
        """Send an event and wait for its acknowledgement."""
        sent = await self.submit(event, subject=subject, headers=headers, deadline_s=deadline_s)
        return await sent

    def _stored(
        self, subject: str, event: Event, raw: bytes, payload: bytes | None, headers: Headers
    ) -> Ack | BusError:
        try:
            self._keep(event, payload)
            return self._there().store(
                subject, raw, {MESSAGE_ID: event.identity, **_HEADERS, **headers}
            )
        except BusError as error:
            return error

    def _tell(self, found: "asyncio.Future[Ack]", outcome: Ack | BusError, began: float) -> None:
        if found.done():
            return  # whoever waited for it has gone
        if isinstance(outcome, BusError):
            found.set_exception(outcome)
            if self._metrics is not None:
                self._metrics.refused(outcome.code)
            return
        found.set_result(outcome)
        if self._metrics is not None:
            seconds = asyncio.get_running_loop().time() - began
            self._metrics.published(outcome.stream, seconds)

    # --- reading ---------------------------------------------------------------------------

    async def read(
        self,
        stream: str,
        pattern: str = ">",
        start: Start = _FROM_START,
        *,
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        """Go through what a stream has."""
        log = self._there().log(stream)
        found = reading(log, checked_pattern(pattern), start, follow=follow, check=self._there)
        async with aclosing(found):
            async for each in found:
                yield each

    async def get(self, stream: str, sequence: int) -> Stored | None:
        """Return one message of a stream."""
        found = self._there().log(stream).get(sequence)
        return None if found is None else stored(stream, found)

    async def drop(self, stream: str, sequence: int) -> bool:
        """Delete one message of a stream."""
        return self._there().log(stream).drop(sequence)

    # --- working ---------------------------------------------------------------------------

    @asynccontextmanager
    async def pull(self, queue: Queue, *, batch: int = 100) -> AsyncIterator[MemoryDeliveries]:
        """Take events of a queue; none ahead of the reader."""
        work = self._there().work(queue.stream, queue.name)
        deliveries = MemoryDeliveries(work, self._metrics)
        self._taken.add(deliveries)
        try:
            yield deliveries
        finally:
            self._taken.discard(deliveries)
            deliveries.close()

    # --- asking ----------------------------------------------------------------------------

    async def request(self, subject: str, event: Event, *, deadline_s: float = DEADLINE_S) -> Event:
        """Ask whoever answers that subject."""
        place, raw = checked_request(subject), self._written(tracing.outgoing(event))
        reply = self._there().desks.ask(place, raw)
        try:
            async with asyncio.timeout(deadline_s):
                return formats.read(await reply)
        except TimeoutError:
            raise BusTimeoutError(
                f"no answer to {subject} within {deadline_s:g} s", "it may have been done"
            ) from None

    @asynccontextmanager
    async def respond(self, subject: str, responder: Responder) -> AsyncIterator[None]:
        """Answer requests."""
        server, desk = self._there(), Desk(subject, responder, self._written)
        server.desks.open(desk)
        self._desks.add(desk)
        try:
            yield
        finally:
            server.desks.shut(desk)
            await desk.finish()
            self._desks.discard(desk)

    def _written(self, event: Event) -> bytes:
        """Return an event's bytes; what is too large for them is stored."""
        sent, raw, payload = what_to_send(event)
        self._keep(sent, payload)
        return raw

    def _keep(self, event: Event, payload: bytes | None) -> None:
        if payload is not None and (name := name_of(event)) is not None:
            self._there().objects().put(name, payload)

    # --- values, data, states --------------------------------------------------------------

    def bucket(self, name: str) -> MemoryKeyValue:
        """Return a bucket."""

        def find() -> Values:
            return self._there().values(name)

        return MemoryKeyValue(find)

    async def whole(self, event: Event) -> Event:
        """Return an event with its data."""
        name = name_of(event)
        return event if name is None else joined(event, self._there().objects().get(name))

    async def streams(self) -> list[StreamState]:
        """Return how the streams are."""
        server = self._there()
        consumers = {
            name: sum(len(work.consumers) for at, work in server.works.items() if at[0] == name)
            for name in server.logs
        }
        return [server.logs[name].state(consumers[name]) for name in sorted(server.logs)]

    async def queues(self, stream: str | None = None) -> list[QueueState]:
        """Return how the queues are."""
        works = sorted(self._there().works.items())
        return [work.state() for place, work in works if stream in (None, place[0])]

    def _there(self) -> MemoryServer:
        if not self._open:
            raise BusConnectionError("the connection to the bus is closed")
        return self._server
