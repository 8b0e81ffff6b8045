"""Workers for tests: a queue, events for it, handlers that note what they get, and how to wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import orjson

from simbuilder.bus.catalogue.workflow import StepRequested
from simbuilder.bus.deadletters import DeadLetter, letters
from simbuilder.bus.declarations import (
    DEADLETTERS,
    HEALTH,
    WORK,
    WORKERS,
    WORKFLOW,
    Declaration,
    Queue,
)
from simbuilder.bus.errors import BusError
from simbuilder.bus.events import Event
from simbuilder.bus.jobs import Job
from simbuilder.bus.making import new_event
from simbuilder.bus.protocol import Bus
from simbuilder.bus.worker import Worker
from tests.buses import soon, state_of, until

STEPS = Queue(
    "steps",
    "does steps",
    "SIM_WORKFLOW",
    (StepRequested.TYPE,),
    ack_wait_s=1.0,
    max_deliver=3,
    backoff_s=(0.05,),
)
IN_TURN = replace(STEPS, name="in-turn", ordered=True)


def declared(*queues: Queue) -> Declaration:
    return Declaration((WORKFLOW, HEALTH, DEADLETTERS), queues, (WORK, WORKERS))


OURS = declared(STEPS)


def step(number: int = 1, *, key: str | None = None) -> Event:
    data = StepRequested(run=key or "run-1", step=f"step-{number}", inputs={"number": number})
    return new_event(data, "tests", key=key)


def number_in(job: Job) -> int:
    return int(job.event.data["inputs"]["number"])


async def send(bus: Bus, *events: Event) -> None:
    await asyncio.gather(*[await bus.submit(event) for event in events])


@asynccontextmanager
async def working(
    bus: Bus, handler: Callable[[Job], Awaitable[None]], queue: Queue = STEPS, **how: Any
) -> AsyncIterator[Worker]:
    """Work for the block; at its end the worker stops by itself."""
    worker = Worker(bus, queue, handler, **how)
    running = asyncio.ensure_future(worker.run())
    try:
        yield worker
        worker.stop()
        await soon(running)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError, BusError):
            await running


async def settled(bus: Bus, queue: Queue = STEPS) -> None:
    """Wait until nothing of a queue is left to do."""

    async def nothing_is_left() -> bool:
        state = await state_of(bus, queue)
        return state.lag == state.pending == 0

    await until(nothing_is_left)


async def dead(bus: Bus, number: int = 1) -> list[DeadLetter]:
    """Return the dead letters, once there are so many."""

    async def there_are() -> bool:
        return len([one async for one in letters(bus)]) >= number

    await until(there_are)
    return [one async for one in letters(bus)]


async def ledger(bus: Bus) -> list[str]:
    """Return what the ledger has of each event."""
    bucket = bus.bucket(WORK.name)
    entries = [await bucket.get(key) for key in await bucket.keys()]
    return [orjson.loads(entry.value)["state"] for entry in entries if entry is not None]


class Seen:
    """A handler that notes each attempt, and may do more."""

    def __init__(self, then: Callable[[Job], Awaitable[None]] | None = None) -> None:
        self.jobs: list[Job] = []
        self.times: list[float] = []
        self._then = then

    async def __call__(self, job: Job) -> None:
        self.jobs.append(job)
        self.times.append(time.monotonic())
        if self._then is not None:
            await self._then(job)

    @property
    def attempts(self) -> list[int]:
        return [job.attempt for job in self.jobs]

    @property
    def numbers(self) -> list[int]:
        return [number_in(job) for job in self.jobs]

    async def wait(self, number: int) -> None:
        async def so_many() -> bool:
            return len(self.jobs) >= number

        await until(so_many)


async def fail(_: Job) -> None:
    raise ZeroDivisionError("no luck")
