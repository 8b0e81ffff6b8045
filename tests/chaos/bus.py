"""What the faults of the bus share: a queue, its events, and how what was done is compared."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from itertools import takewhile
from typing import Any

import pytest

from simbuilder.bus.address import Address
from simbuilder.bus.declarations import DECLARED, WORKFLOW, Declaration, Queue
from simbuilder.bus.events import Event, Json
from simbuilder.bus.making import new_named
from simbuilder.bus.protocol import Bus, Start
from simbuilder.bus.service import open_bus
from tests.bus_servers import Crew, Server
from tests.chaos.conftest import Judge

LOAD = "sim.workflow.v1.load.made"
QUEUE = Queue("load", "takes the load", WORKFLOW.name, (LOAD,), ack_wait_s=2.0, backoff_s=(0.05,))
PATIENCE_S = 45.0


def declared(queue: Queue, replicas: int = 1) -> Declaration:
    return DECLARED.with_queues([queue]).replicated(replicas)


def asked(queue: Queue = QUEUE, **worker: Any) -> dict[str, Any]:
    """Return what worker processes have to be told."""
    return {"queue": asdict(queue), "worker": worker}


def load(id_: str, *, key: str | None = None, **told: Json) -> Event:
    return new_named(LOAD, told, "tests", id=id_, key=key)


@asynccontextmanager
async def ready(address: Address, queue: Queue = QUEUE, replicas: int = 1) -> AsyncIterator[Bus]:
    """Connect to a bus that has what is declared."""
    async with open_bus(address, connect_s=20.0) as bus:
        await bus.ensure(declared(queue, replicas))
        yield bus


async def until(
    condition: Callable[[], Awaitable[bool] | bool], why: Callable[[], object] = lambda: ""
) -> None:
    """Wait until a condition holds, looking less and less often."""
    loop, pause = asyncio.get_running_loop(), 0.05
    end = loop.time() + PATIENCE_S
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        if loop.time() > end:
            pytest.fail(f"{condition} never came about: {why()}")
        await asyncio.sleep(pause)
        pause = min(0.3, pause * 1.1)


async def settled(bus: Bus, queue: Queue = QUEUE) -> None:
    """Wait until a queue has nothing left to do."""

    async def nothing_is_left() -> bool:
        [state] = await bus.queues(queue.stream)
        return state.lag == state.pending == 0

    await until(nothing_is_left)


class Publishing:
    """Publishes events until told to stop, and knows which were acknowledged."""

    def __init__(self, bus: Bus, events: Iterable[Event], pause_s: float = 0.0) -> None:
        self._bus, self._events, self._pause_s = bus, events, pause_s
        self._enough = asyncio.Event()
        self._sent: dict[str, asyncio.Future[Any]] = {}
        self._task = asyncio.ensure_future(self._publish())

    async def _publish(self) -> None:
        for event in self._events:
            if self._enough.is_set():
                return
            self._sent[event.id] = await self._bus.submit(event)
            await asyncio.sleep(self._pause_s)

    def acknowledged(self) -> list[str]:
        """Return the ids of what is acknowledged by now, as far as nothing before it is missing."""
        return [id_ for id_, _ in takewhile(lambda sent: sent[1].done(), self._sent.items())]

    async def stop(self) -> list[str]:
        """Return the ids of what was acknowledged, which must be all that was sent."""
        self._enough.set()
        await self._task
        await asyncio.gather(*self._sent.values())
        return list(self._sent)


async def published(bus: Bus, *events: Event) -> list[str]:
    """Publish events; return their ids."""
    await asyncio.gather(*[await bus.submit(event) for event in events])
    return [event.id for event in events]


async def killed_and_back(
    server: Server, rng: random.Random, times: int, judge: Judge, away_s: float = 0.2
) -> None:
    """Kill a server every second or so, and start it again."""
    for _ in range(times):
        await asyncio.sleep(rng.uniform(0.4, 1.2))
        server.kill()
        judge.fault()
        await asyncio.sleep(rng.uniform(0.0, away_s))
        await server.back()


async def stored_ids(bus: Bus, start: int = 1) -> Counter[str]:
    """Return how often each event is in the stream, from a place in it on."""
    read = bus.read(WORKFLOW.name, start=Start("sequence", sequence=start))
    return Counter([each.event.id async for each in read if each.event is not None])


def only(queue: Queue = QUEUE, **changes: Any) -> Queue:
    return replace(queue, **changes)


def compare(judge: Judge, crew: Crew, acknowledged: list[str], concurrency: int = 0) -> None:
    """Hold the effects against what was acknowledged.

    Only what a worker had in hand when it was killed may have been done twice: `concurrency` of
    each that was.
    """
    lines = crew.effects.lines()
    done = Counter(id_ for id_, _, _ in lines)
    lost = set(acknowledged) - set(done)
    judge.expect("lost writes", not lost, (len(lost), sorted(lost)[:5], crew.said()))
    judge.expect("foreign", set(done) == set(acknowledged), set(done) - set(acknowledged))
    repeated = {id_ for id_, times in done.items() if times > 1}
    excused: Counter[int] = Counter()
    last: dict[str, int] = {}
    for id_, _, pid in lines:
        if id_ in last:
            judge.expect("collisions", last[id_] in crew.killed, (id_, lines, crew.said()))
            excused[last[id_]] += 1
        last[id_] = pid
    most = max(excused.values(), default=0)
    judge.expect("collisions", most <= concurrency, (most, sorted(repeated)))
