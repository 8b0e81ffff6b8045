"""`JetStreamBus`: the bus on one connection to NATS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING

from simbuilder.bus import payloads, tracing
from simbuilder.bus.declarations import DECLARED, Declaration, Queue
from simbuilder.bus.errors import BusError
from simbuilder.bus.events import Event
from simbuilder.bus.formats import CONTENT_TYPE
from simbuilder.bus.jetstream import ensuring, queues, states
from simbuilder.bus.jetstream.buckets import JetStreamBucket
from simbuilder.bus.jetstream.connection import Connection, MissingError
from simbuilder.bus.jetstream.payloads import PayloadStore
from simbuilder.bus.jetstream.publishing import Publisher
from simbuilder.bus.jetstream.reading import Reader
from simbuilder.bus.jetstream.requests import Requests
from simbuilder.bus.jetstream.stored import fetched
from simbuilder.bus.protocol import (
    DEADLINE_S,
    Ack,
    Change,
    Deliveries,
    Headers,
    QueueState,
    Responder,
    Start,
    Stored,
    StreamState,
)
from simbuilder.bus.subjects import checked_pattern, checked_subject

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics

_HEADERS = {"content-type": CONTENT_TYPE}
_FROM_START = Start()


class JetStreamBus:
    """See `protocol.Bus`. `service.open_bus` makes one."""

    def __init__(
        self, connection: Connection, window: int, metrics: "Metrics | None" = None
    ) -> None:
        self._connection, self._metrics = connection, metrics
        self._publisher = Publisher(connection, window, metrics)
        self._payloads = PayloadStore(connection)
        self._requests = Requests(connection, self._payloads)

    async def start(self) -> None:
        """Begin to listen for acknowledgements."""
        await self._publisher.start()

    async def finish(self) -> None:
        """Wait for the acknowledgement of all that is on its way."""
        await self._publisher.finish()

    @property
    def connected(self) -> bool:
        """Whether the server is there right now."""
        return bool(self._connection.client.is_connected)

    async def ensure(
        self,
        declaration: Declaration = DECLARED,
        *,
        allow_loss: bool = False,
        dry_run: bool = False,
    ) -> tuple[Change, ...]:
        """Bring the server to the declaration."""
        return await ensuring.ensure(
            self._connection, declaration, allow_loss=allow_loss, dry_run=dry_run
        )

    async def submit(
        self,
        event: Event,
        *,
        subject: str | None = None,
        headers: Headers | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> "asyncio.Future[Ack]":
        """Send an event; wait only while the window is full."""
        to = checked_subject(event.subject_for if subject is None else subject)
        sent, raw, payload = payloads.what_to_send(tracing.outgoing(event))
        if payload is not None and (name := payloads.name_of(sent)) is not None:
            await self._payloads.put(name, payload, deadline_s)
        more = _HEADERS if headers is None else {**_HEADERS, **headers}
        return await self._publisher.send(to, raw, more, event.identity, deadline_s, event.key)

    async def publish(
        self,
        event: Event,
        *,
        subject: str | None = None,
        headers: Headers | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Ack:
        """Send an event and wait for its acknowledgement."""
        return await (
            await self.submit(event, subject=subject, headers=headers, deadline_s=deadline_s)
        )

    async def read(
        self,
        stream: str,
        pattern: str = ">",
        start: Start = _FROM_START,
        *,
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        """Go through what a stream has."""
        reader = Reader(self._connection, stream, checked_pattern(pattern))
        async with aclosing(reader.read(start, follow)) as found:
            async for stored in found:
                yield stored

    async def get(self, stream: str, sequence: int) -> Stored | None:
        """Return one message of a stream."""
        try:
            found = await self._connection.api(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
        except MissingError:
            await self._connection.api(f"STREAM.INFO.{stream}")  # or is there no such stream?
            return None
        return fetched(stream, found["message"])

    async def drop(self, stream: str, sequence: int) -> bool:
        """Delete one message of a stream."""
        if await self.get(stream, sequence) is None:
            return False
        body = {"seq": sequence, "no_erase": True}
        try:
            await self._connection.api(f"STREAM.MSG.DELETE.{stream}", body)
        except BusError:
            if await self.get(stream, sequence) is None:
                return False  # somebody else was quicker
            raise
        return True

    def pull(self, queue: Queue, *, batch: int = 100) -> AbstractAsyncContextManager[Deliveries]:
        """Take events of a queue."""
        return queues.taking(self._connection, queue, batch, self._metrics)

    async def request(self, subject: str, event: Event, *, deadline_s: float = DEADLINE_S) -> Event:
        """Ask whoever answers that subject."""
        return await self._requests.ask(subject, tracing.outgoing(event), deadline_s)

    def respond(self, subject: str, responder: Responder) -> AbstractAsyncContextManager[None]:
        """Answer requests."""
        return self._requests.answering(subject, responder)

    def bucket(self, name: str) -> JetStreamBucket:
        """Return a bucket."""
        return JetStreamBucket(self._connection, self._publisher, name)

    async def whole(self, event: Event) -> Event:
        """Return an event with its data."""
        name = payloads.name_of(event)
        if name is None:
            return event
        return payloads.joined(event, await self._payloads.get(name, DEADLINE_S))

    async def streams(self) -> list[StreamState]:
        """Return how the streams are."""
        return await states.streams(self._connection)

    async def queues(self, stream: str | None = None) -> list[QueueState]:
        """Return how the durable queues are."""
        names = [stream] if stream else [each.name for each in await self.streams()]
        return await states.queues(self._connection, names)
