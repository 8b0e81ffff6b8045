"""Buses for tests: one in memory and a server of our own, what to put there, and how to wait."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

from simbuilder.bus.address import Address
from simbuilder.bus.declarations import PAYLOADS, Bucket, Declaration, Queue, Stream
from simbuilder.bus.events import Event, Json
from simbuilder.bus.making import new_named
from simbuilder.bus.memory.bus import MemoryBus, MemoryServer
from simbuilder.bus.protocol import WINDOW, Bus, Delivery, QueueState, Stored, StreamState
from simbuilder.sessions import catalog
from tests.contract.test_runtime import local_case, start

if TYPE_CHECKING:
    from nats.aio.client import Client

T = TypeVar("T")

BUSES = ("memory", "jetstream")
NATS = ("nats",)
SOON_S = 15.0
"""What does not come within it is not coming."""

HOUR_S = 3600.0
MADE = "sim.plans.v1.plan.made"
ASKED = "sim.plans.v1.plan.asked"

PLANS = Stream("PLANS", "plans", ("sim.plans.>",), HOUR_S, 100_000, "new")
NEWS = Stream("NEWS", "news", ("sim.news.>",), HOUR_S, 5, "old")
PLANNER = Queue("planner", "makes plans", "PLANS", (MADE,), ack_wait_s=1.0)
IN_ORDER = Queue("in-order", "in order", "PLANS", (MADE,), ordered=True, ack_wait_s=1.0)
NOTES = Bucket("notes", "notes")
HERE = Declaration((PLANS, NEWS), (PLANNER, IN_ORDER), (NOTES,))


class BusServer(Protocol):
    """What clients connect to, and what only a test does to it."""

    kind: str

    def open(self, *, window: int = WINDOW) -> AbstractAsyncContextManager[Bus]:
        """Connect; several may be connected at once."""

    async def empty(self) -> None:
        """Forget everything."""

    async def raw(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Publish whatever bytes."""

    async def take_and_vanish(self, queue: Queue) -> None:
        """Take one event of a queue that has some, and be gone without a word."""

    async def spoil(self, name: str, data: bytes | None) -> None:
        """Have other data where an event's is stored, or none."""


@dataclass
class MemoryBuses:
    """The bus in memory."""

    kind: str = "memory"
    server: MemoryServer = field(default_factory=MemoryServer)

    def open(self, *, window: int = WINDOW) -> AbstractAsyncContextManager[Bus]:
        return MemoryBus(self.server, window=window)

    async def empty(self) -> None:
        self.server = MemoryServer()

    async def raw(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        self.server.store(subject, data, headers)

    async def take_and_vanish(self, queue: Queue) -> None:
        bus = MemoryBus(self.server)
        async with bus.pull(queue) as deliveries:
            await soon(anext(aiter(deliveries)))
            bus.vanish()

    async def spoil(self, name: str, data: bytes | None) -> None:
        if data is None:
            self.server.objects().delete(name)
        else:
            self.server.objects().put(name, data)


@dataclass
class JetStreamBuses:
    """A server with JetStream."""

    address: Address
    kind: str = "jetstream"

    def open(self, *, window: int = WINDOW) -> AbstractAsyncContextManager[Bus]:
        from simbuilder.bus.service import open_bus

        return open_bus(self.address, window=window)

    async def empty(self) -> None:
        async with self._client() as client:
            context = client.jetstream()
            while found := await context.streams_info():
                for info in found:
                    assert info.config.name is not None
                    await context.delete_stream(info.config.name)

    async def raw(self, subject: str, data: bytes, headers: Mapping[str, str]) -> None:
        async with self._client() as client:
            await client.jetstream().publish(subject, data, headers=dict(headers))

    async def take_and_vanish(self, queue: Queue) -> None:
        asking = json.dumps({"batch": 1, "no_wait": True}).encode()
        async with self._client() as client:
            for name in queue.consumers():
                subject = f"$JS.API.CONSUMER.MSG.NEXT.{queue.stream}.{name}"
                inbox = client.new_inbox()
                answers = await client.subscribe(inbox, max_msgs=1)
                await client.publish(subject, asking, reply=inbox)
                answer = await answers.next_msg(SOON_S)
                if "Status" not in (answer.headers or {}):
                    return
        pytest.fail(f"there is nothing in {queue.name}")

    async def spoil(self, name: str, data: bytes | None) -> None:
        async with self._client() as client:
            store = await client.jetstream().object_store(PAYLOADS)
            if data is None:
                await store.delete(name)
            else:
                await store.put(name, data)

    @asynccontextmanager
    async def _client(self) -> "AsyncIterator[Client]":
        import nats

        client = await nats.connect(
            self.address.urls[0], user=self.address.user, password=self.address.password
        )
        try:
            yield client
        finally:
            await client.close()


@contextmanager
def serving_nats(request: pytest.FixtureRequest, root: Path) -> Iterator[Address]:
    """Start a NATS server for the block; nothing of it is left afterwards."""
    case = local_case(root, request.getfixturevalue("local_servers"))
    session = replace(case.session(), secrets={"nats": token_hex()})  # nobody else's tests get in
    try:
        start(case, session, NATS)
        yield Address(
            (f"nats://{catalog.HOST}:{session.port('nats.client')}",),
            catalog.NATS_USER,
            session.secrets["nats"],
        )
    finally:
        case.runtime.remove(session.id)
    assert case.runtime.traces() == set()


def on_empty(
    server: BusServer,
    test: Callable[[Bus], Awaitable[T]],
    declaration: Declaration | None = HERE,
    *,
    window: int = WINDOW,
) -> T:
    """Run a test's coroutine on a bus that has what is declared, and nothing in it."""

    async def run() -> T:
        await server.empty()
        async with server.open(window=window) as bus:
            if declaration is not None:
                await bus.ensure(declaration)
            return await test(bus)

    return asyncio.run(run())


# --- events --------------------------------------------------------------------------------


def plan(number: int = 1, *, key: str | None = None, type_: str = MADE, data: Json = None) -> Event:
    return new_named(type_, {"number": number} if data is None else data, "tests", key=key)


def number_of(stored: Stored) -> int:
    assert stored.event is not None
    return int(stored.event.data["number"])


async def publish(bus: Bus, numbers: range, *, key: str | None = None, type_: str = MADE) -> None:
    """Publish a plan for each number, many at once."""
    sent = [await bus.submit(plan(n, key=key, type_=type_)) for n in numbers]
    await asyncio.gather(*sent)


def same(one: Event | None, other: Event) -> bool:
    """Say whether two events have the same attributes and data."""
    return one is not None and all(
        mine == theirs
        for mine, theirs in (
            (one.get_attributes(), other.get_attributes()),
            (one.data, other.data),
        )
    )


# --- waiting -------------------------------------------------------------------------------


async def soon(awaited: Awaitable[T]) -> T:
    """Wait, but not for ever."""
    async with asyncio.timeout(SOON_S):
        return await awaited


async def some(found: AsyncIterator[T], number: int) -> list[T]:
    """Return so many of what comes."""
    return [await soon(anext(found)) for _ in range(number)]


async def everything(bus: Bus, stream: str, **how: Any) -> list[Stored]:
    """Return all that a stream has."""
    return [each async for each in bus.read(stream, **how)]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    for _ in range(int(SOON_S / 0.02)):
        if await condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{condition.__name__} never came about")


async def state_of(bus: Bus, queue: Queue) -> QueueState:
    return next(one for one in await bus.queues(queue.stream) if one.name == queue.name)


async def stream_state(bus: Bus, stream: Stream) -> StreamState:
    return next(one for one in await bus.streams() if one.name == stream.name)


class Inbox:
    """What a queue hands out, taken as it comes."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[Delivery] = asyncio.Queue()

    async def next(self) -> Delivery:
        return await soon(self.came.get())

    async def take(self, number: int) -> list[Delivery]:
        return [await self.next() for _ in range(number)]

    async def stays_empty(self, seconds: float = 0.3) -> bool:
        """Say whether nothing comes for a while."""
        try:
            async with asyncio.timeout(seconds):
                self.came.put_nowait(await self.came.get())
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def taking(bus: Bus, queue: Queue, *, batch: int = 100) -> AsyncIterator[Inbox]:
    """Take events of a queue for the block, all that are handed out."""
    inbox = Inbox()
    async with bus.pull(queue, batch=batch) as deliveries:

        async def pump() -> None:
            async for delivery in deliveries:
                inbox.came.put_nowait(delivery)

        pumping = asyncio.create_task(pump())
        try:
            yield inbox
        finally:
            pumping.cancel()
            await asyncio.wait({pumping})
    if not pumping.cancelled():
        pumping.result()
