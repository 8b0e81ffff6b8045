"""Publishing while the server is killed, stands still, or has no room: once, or a clear refusal."""

import asyncio
import os
import random
from itertools import count
from pathlib import Path

import pytest

from simbuilder.bus.errors import BusError, BusFullError, BusTimeoutError
from simbuilder.bus.protocol import Bus
from tests.bus_servers import Crew, Server, crew, one
from tests.chaos.bus import (
    Publishing,
    asked,
    compare,
    killed_and_back,
    load,
    ready,
    settled,
    stored_ids,
    until,
)
from tests.chaos.conftest import Amount, Judge
from tests.chaos.test_machine import small_disk

KIND = "nats"


def test_what_was_acknowledged_is_stored_once_though_the_server_is_killed(
    tmp_path: Path, rng: random.Random, amount: Amount
) -> None:
    judge = Judge(KIND, "server killed while events are published")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                for turn in amount.turns(range(1000), 1):
                    events = (load(f"{turn}-{number:06}") for number in count())
                    publishing = Publishing(bus, events)
                    await killed_and_back(server, rng, 5, judge)
                    acknowledged = await publishing.stop()
                    found = await stored_ids(bus)
                    lost = [id_ for id_ in acknowledged if not found[id_]]
                    judge.expect("lost writes", not lost, lost[:10])
                    twice = [id_ for id_, times in found.items() if times > 1]
                    judge.expect("collisions", not twice, twice[:10])
                    assert len(acknowledged) > 1000

    asyncio.run(test())


def test_nothing_is_lost_or_repeated_while_the_server_stands_still(
    tmp_path: Path, amount: Amount
) -> None:
    judge = Judge(KIND, "server stood still")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                with crew(server.address, tmp_path, 2, **asked()) as workers:
                    publishing = Publishing(bus, map(load, map(str, count())), 0.002)
                    await until(lambda: workers.effects.count() > 100)
                    for _ in amount.turns(range(1000), 1):
                        server.pause()
                        judge.fault()
                        await asyncio.sleep(3.0 if amount.until is None else 10.0)
                        server.resume()
                        await goes_on_from(workers, workers.effects.count())
                    acknowledged = await publishing.stop()
                    await until(lambda: len(set(workers.effects.ids())) >= len(acknowledged))
                    await settled(bus)
                    compare(judge, workers, acknowledged)

    asyncio.run(test())


def test_a_full_disk_loses_nothing_and_whoever_publishes_hears_of_it(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """nats-server 2.15.1 does not answer then, and not before it was started again either."""
    judge = Judge(KIND, "disk full")

    async def test(disk: Path) -> None:
        with one(disk) as server:
            async with ready(server.address) as bus:
                ballast = disk / "ballast"
                ballast.write_bytes(bytes(free(disk) - (8 << 20)))
                judge.fault()
                acknowledged, refusal = await fill(bus)
                judge.expect("lies", isinstance(refusal, BusTimeoutError), refusal)
                ballast.unlink()
                server.kill()
                await server.back()
                await goes_on(bus, server, tmp_path, judge, acknowledged)

    with small_disk(tmp_path / "disk", request, "size=64m") as disk:
        asyncio.run(test(disk))


def test_a_full_store_is_a_refusal_and_workers_outlive_it(tmp_path: Path) -> None:
    judge = Judge(KIND, "store full")
    small = {"store_dir": str(tmp_path / "n1" / "store"), "max_file_store": 4 << 20}

    async def test() -> None:
        with one(tmp_path, jetstream=small) as server:
            async with ready(server.address) as bus:
                judge.fault()
                acknowledged, refusal = await fill(bus)
                judge.expect("lies", isinstance(refusal, BusFullError), refusal)
                with crew(server.address, tmp_path, **asked()) as workers:
                    tried = asyncio.get_running_loop().time()
                    await until(lambda: asyncio.get_running_loop().time() - tried > 3.0)
                    judge.expect("lies", not workers.dead(), workers.said())
                    small["max_file_store"] = 64 << 20
                    server.kill()
                    await server.back()
                    await until(lambda: workers.effects.count() >= len(acknowledged))
                    workers.stop()
                await goes_on(bus, server, tmp_path, judge, acknowledged)

    asyncio.run(test())


async def goes_on_from(workers: Crew, done: int) -> None:
    await until(lambda: workers.effects.count() > done + 100)


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def fill(bus: Bus) -> tuple[list[str], BusError]:
    """Publish until that is refused; return what was acknowledged, and the refusal."""
    acknowledged: list[str] = []
    for number in range(200):
        event = load(f"{number:06}", text="x" * 200_000)
        try:
            await bus.publish(event, deadline_s=2.0)
        except BusError as error:
            return acknowledged, error
        acknowledged.append(event.id)
    pytest.fail("nothing was ever refused")


async def goes_on(
    bus: Bus, server: Server, folder: Path, judge: Judge, acknowledged: list[str]
) -> None:
    """See that what was acknowledged is there, and that all of it and more is handled once."""
    found = await stored_ids(bus)
    judge.expect("lost writes", acknowledged != [], "nothing was acknowledged")
    lost = [id_ for id_ in acknowledged if found[id_] != 1]
    judge.expect("lost writes", not lost, lost)
    event = load("after")
    await bus.publish(event)
    with crew(server.address, folder, **asked()) as workers:
        everything = sorted({*found, event.id})
        await until(lambda: len(workers.effects.lines()) >= len(everything))
        await settled(bus)
        compare(judge, workers, everything)
        workers.stop()
