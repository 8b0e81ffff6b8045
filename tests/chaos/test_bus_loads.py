"""Much at once: a long backlog, and garbage as large as the server lets it be."""

import asyncio
import random
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from simbuilder.bus.address import Address
from simbuilder.bus.deadletters import letters
from simbuilder.bus.declarations import DECLARED, WORKFLOW
from simbuilder.bus.protocol import Bus
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from tests.bus_servers import Crew, crew, one
from tests.chaos.bus import QUEUE, asked, compare, load, published, ready, settled, until
from tests.chaos.conftest import Judge

KIND = "nats"
MIB = 1 << 20
MANY = 100_000
MAX_PAYLOAD = 16 * MIB


def test_a_long_backlog_is_drained_and_memory_stays_flat(tmp_path: Path) -> None:
    judge = Judge(KIND, "a long backlog")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                acknowledged = await published(bus, *(load(f"{n:06}") for n in range(MANY)))
                judge.fault()
                with crew(server.address, tmp_path, 2, **asked(concurrency=32)) as workers:
                    await reached(workers, MANY // 5)
                    early = [memory(child.pid) for child in workers.running]
                    await reached(workers, MANY)
                    late = [memory(child.pid) for child in workers.running]
                    await settled(bus)
                    compare(judge, workers, acknowledged)
                    grown = [after - before for before, after in zip(early, late, strict=True)]
                    judge.expect("leaks", max(grown) < 30 * MIB, grown)
                    workers.stop()

    asyncio.run(test())


async def reached(workers: Crew, number: int) -> None:
    """Wait for so many effects, as long as there are more of them all the time."""
    while (done := workers.effects.count()) < number:
        await until(partial(more_than, workers, done), workers.said)


def more_than(workers: Crew, done: int) -> bool:
    return workers.effects.count() > done


def memory(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)


def test_garbage_of_any_size_becomes_dead_letters_and_what_is_good_is_done(
    tmp_path: Path, rng: random.Random
) -> None:
    judge = Judge(KIND, "garbage")
    roomy = replace(WORKFLOW, max_message_bytes=MAX_PAYLOAD)
    streams = tuple(roomy if each is WORKFLOW else each for each in DECLARED.streams)
    declaration = replace(DECLARED, streams=streams).with_queues([QUEUE])
    garbage = [
        b"",
        b"{",
        rng.randbytes(100),
        rng.randbytes(10 * MIB),
        b"x" * (10 * MIB),
        b"\x01" * (12 * MIB),  # as JSON text it would be six times as large
        b"[" * MIB,
    ]

    async def test() -> None:
        with one(tmp_path, max_payload=MAX_PAYLOAD) as server:
            async with open_bus(server.address, connect_s=20.0) as bus:
                await bus.ensure(declaration)
                done = await work(bus, server.address, garbage)
                judge.fault(len(garbage))
                judge.expect("lost writes", sorted(done) == sorted(GOOD), done)
                found = [each.message async for each in letters(bus)]
                causes = [message.cause for message in found]
                judge.expect("lies", causes == ["malformed"] * len(garbage), causes)

    async def work(bus: Bus, address: Address, garbage: list[bytes]) -> list[str]:
        done: list[str] = []

        async def note(job: Any) -> None:
            done.append(job.event.id)

        worker = Worker(bus, QUEUE, note)
        running = asyncio.ensure_future(worker.run())
        try:
            for id_, raw in zip(GOOD, [*garbage, None], strict=True):
                await bus.publish(load(id_))
                if raw is not None:
                    await publish_raw(address, raw)
            await settled(bus)
            worker.stop()
            await running
        finally:
            running.cancel()
            await asyncio.wait({running})
        return done

    asyncio.run(test())


GOOD = [f"good-{number}" for number in range(8)]


async def publish_raw(address: Address, raw: bytes) -> None:
    import nats

    client = await nats.connect(address.urls[0], user=address.user, password=address.password)
    try:
        await client.jetstream().publish(QUEUE.subjects[0], raw, timeout=20)
    finally:
        await client.close()
