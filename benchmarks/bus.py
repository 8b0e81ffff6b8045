"""The bus against nats-py alone: publishing, pulling, waiting for one, and a million events."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks import bus_million
from benchmarks.measure import Home, report
from simbuilder.bus import formats
from simbuilder.bus.address import Address
from simbuilder.bus.catalogue.workflow import StepFinished, StepRequested
from simbuilder.bus.declarations import DECLARED, WORKFLOW, Queue
from simbuilder.bus.events import Event
from simbuilder.bus.making import new_event, new_id
from simbuilder.bus.protocol import Bus
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from simbuilder.scaffolding.dotenv import parse

if TYPE_CHECKING:
    from nats.js import JetStreamContext

EVENTS, ROUNDS = 20_000, 5
WINDOW, BATCH = 256, 100
IDLE_EVENTS, IDLE_S = 1_000, 0.002
INPUTS = {"text": "x" * 100}


def bench_bus(home: Home) -> list[bool]:
    """Compare on a session of this home; return which bars are kept."""
    home.run("session", "create", "--start-containers", "--services", "nats")
    said, _ = parse((home.folder / ".env.session").read_text())
    address = Address((said["NATS_URL"],), said["NATS_USER"], said["NATS_PASSWORD"])
    try:
        good = asyncio.run(_compare(address))
        return [*good, *bus_million.bench(address)]
    finally:
        home.run("session", "cleanup")


@asynccontextmanager
async def _both(address: Address) -> AsyncIterator[tuple[Bus, "JetStreamContext"]]:
    from nats.aio.client import Client

    alone = Client()
    await alone.connect(list(address.urls), user=address.user, password=address.password)
    try:
        async with open_bus(address, window=WINDOW) as bus:
            await bus.ensure(DECLARED)
            yield bus, alone.jetstream(publish_async_max_pending=WINDOW)
    finally:
        await alone.close()


async def _compare(address: Address) -> list[bool]:
    async with _both(address) as (bus, alone):
        good = [await _publishing(bus, alone), await _pulling(bus, alone)]
        return [*good, await _waiting(bus, alone)]


async def _publishing(bus: Bus, alone: "JetStreamContext") -> bool:
    """Ours makes each event of its typed data; alone sends the bytes of one, with an id."""
    raw = formats.write(_event())
    ours, theirs = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        futures = [await bus.submit(_event()) for _ in range(EVENTS)]
        for future in futures:
            await future
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for each in range(EVENTS):
            headers = {"Nats-Msg-Id": f"{number}-{each}-{new_id()}"}
            await alone.publish_async(StepRequested.TYPE, raw, headers=headers)
        await alone.publish_async_completed()
        theirs.append(time.perf_counter() - began)
    return report(f"bus: publish {EVENTS:,}, acknowledged / nats-py alone", ours, theirs, 1.25)


def _event() -> Event:
    return new_event(StepRequested(run="run-1", step="step-1", inputs=INPUTS), "/benchmark")


async def _pulling(bus: Bus, alone: "JetStreamContext") -> bool:
    """Ours has the typed data of each event, alone has its bytes."""
    pulled, worked, once, theirs = [], [], [], []
    for number in range(ROUNDS):
        pulled.append(await _pull(bus, await _queue(bus, f"pull-{number}")))
        theirs.append(await _fetch(alone, f"alone-{number}"))
        worked.append(await _work(bus, await _queue(bus, f"work-{number}"), once=False))
        once.append(await _work(bus, await _queue(bus, f"once-{number}"), once=True))
    report(f"bus: a worker's {EVENTS:,} events / nats-py's fetch and ack", worked, theirs, None)
    report("bus: the same, each once whatever happens / nats-py's", once, theirs, None)
    return report(f"bus: pull {EVENTS:,} and acknowledge / nats-py alone", pulled, theirs, 1.25)


async def _queue(bus: Bus, name: str) -> Queue:
    queue = Queue(name, "a benchmark", WORKFLOW.name, (StepRequested.TYPE,))
    await bus.ensure(DECLARED.with_queues([queue]))
    return queue


async def _pull(bus: Bus, queue: Queue) -> float:
    began, done = time.perf_counter(), 0
    async with bus.pull(queue, batch=BATCH) as deliveries:
        async for delivery in deliveries:
            if delivery.message.event is not None:
                delivery.message.event.payload()
            await delivery.ack()
            done += 1
            if done == EVENTS:
                return time.perf_counter() - began
    raise AssertionError("a queue has no end")


async def _work(bus: Bus, queue: Queue, *, once: bool) -> float:
    done = 0

    async def handle(_: object) -> None:
        nonlocal done
        done += 1
        if done == EVENTS:
            worker.stop()

    worker = Worker(bus, queue, handle, concurrency=BATCH, once=once)
    began = time.perf_counter()
    await worker.run()
    return time.perf_counter() - began


async def _fetch(alone: "JetStreamContext", name: str) -> float:
    subscription = await alone.pull_subscribe(StepRequested.TYPE, durable=name)
    began, done = time.perf_counter(), 0
    while done < EVENTS:
        for message in await subscription.fetch(BATCH):
            await message.ack()
            done += 1
    return time.perf_counter() - began


async def _waiting(bus: Bus, alone: "JetStreamContext") -> bool:
    """Compare the 99th percentile from publishing an event to having it, nothing else going on."""
    queue = Queue("idle", "a benchmark", WORKFLOW.name, (StepFinished.TYPE,))
    await bus.ensure(DECLARED.with_queues([queue]))
    subscription = await alone.pull_subscribe(StepFinished.TYPE, durable="idle-alone")
    event = new_event(StepFinished(run="run-1", step="step-1"), "/benchmark")
    raw = formats.write(event)
    ours, theirs = [], []
    async with bus.pull(queue, batch=BATCH) as deliveries:
        waiting = aiter(deliveries)
        for number in range(IDLE_EVENTS):
            for mine in (True, False) if number % 2 else (False, True):
                await asyncio.sleep(IDLE_S)
                began = time.perf_counter()
                if mine:
                    coming = asyncio.ensure_future(anext(waiting))
                    await bus.publish(event.with_(event.data, id=new_id()))
                    await (await coming).ack()
                    ours.append(time.perf_counter() - began)
                    await (await subscription.fetch(1))[0].ack()
                else:
                    fetching = asyncio.ensure_future(subscription.fetch(1))
                    await asyncio.sleep(IDLE_S)  # its request has arrived
                    began = time.perf_counter()
                    await alone.publish(StepFinished.TYPE, raw)
                    await (await fetching)[0].ack()
                    theirs.append(time.perf_counter() - began)
                    await (await anext(waiting)).ack()
    line = "bus: from publishing to having it, idle, 99th percentile / alone"
    return report(line, [_p99(ours)], [_p99(theirs)], 1.5)


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times[len(times) // 10 :], n=100)[-1]
