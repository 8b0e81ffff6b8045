"""Workers that are killed, or stand still, and a server that dies under them: each event once."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from simbuilder.bus.deadletters import DeadLetter, letters
from simbuilder.bus.events import Event
from simbuilder.bus.jobs import Job
from simbuilder.bus.protocol import Bus
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from tests.bus_servers import Crew, crew, one
from tests.chaos.bus import (
    QUEUE,
    Publishing,
    asked,
    compare,
    killed_and_back,
    load,
    only,
    published,
    ready,
    settled,
    until,
)
from tests.chaos.conftest import Amount, Judge

KIND = "nats"


async def dead(bus: Bus) -> list[DeadLetter]:
    return [one async for one in letters(bus)]


async def all_done(crew: Crew, bus: Bus, acknowledged: list[str]) -> None:
    """Wait until every event has had its effect, and nothing is left to do."""
    await until(lambda: len(set(crew.effects.ids())) >= len(acknowledged), crew.said)
    await settled(bus, QUEUE)


def test_each_event_has_one_effect_though_the_server_is_killed(
    tmp_path: Path, rng: random.Random, amount: Amount
) -> None:
    """A delivery that was lost comes again after `ack_wait_s`, which is also the lease of workers:
    no shorter than what it takes them to connect again, or they would take each other for dead."""
    judge = Judge(KIND, "server killed under workers")
    queue = only(ack_wait_s=6.0)

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address, queue) as bus:
                with crew(server.address, tmp_path, 2, **asked(queue)) as workers:
                    publishing = Publishing(bus, events(rng), 0.002)
                    await until(lambda: workers.effects.count() > 100, workers.said)
                    for _ in amount.turns(range(1000), 1):
                        await killed_and_back(server, rng, 4, judge)
                    acknowledged = await publishing.stop()
                    await all_done(workers, bus, acknowledged)
                    compare(judge, workers, acknowledged)
                    judge.expect("lies", await dead(bus) == [], "dead letters")
                    workers.stop()

    asyncio.run(test())


def events(rng: random.Random) -> Iterator[Event]:
    return (load(f"{n:06}", before_s=rng.uniform(0, 0.01)) for n in count())


def test_only_what_a_killed_worker_had_in_hand_is_done_twice(
    tmp_path: Path, rng: random.Random, amount: Amount
) -> None:
    judge = Judge(KIND, "workers killed")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                with crew(server.address, tmp_path, 3, **asked(concurrency=8)) as workers:
                    publishing = Publishing(bus, events(rng), 0.005)
                    await until(lambda: workers.effects.count() > 50, workers.said)
                    for _ in amount.turns(range(1000), 6):
                        await asyncio.sleep(rng.uniform(0.1, 0.6))
                        workers.kill(rng.choice(workers.running))
                        judge.fault()
                        workers.start()
                    acknowledged = await publishing.stop()
                    await all_done(workers, bus, acknowledged)
                    compare(judge, workers, acknowledged, concurrency=8)
                    judge.expect("lies", await dead(bus) == [], "dead letters")
                    workers.stop()

    asyncio.run(test())


def test_a_worker_that_stands_still_for_less_than_its_lease_keeps_what_it_has(
    tmp_path: Path, rng: random.Random
) -> None:
    judge = Judge(KIND, "worker stood still")
    queue = only(ack_wait_s=4.0)

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address, queue) as bus:
                with crew(server.address, tmp_path, 2, **asked(queue)) as workers:
                    publishing = Publishing(bus, events(rng), 0.005)
                    await until(lambda: len({p for _, _, p in workers.effects.lines()}) == 2)
                    workers.pause(workers.running[0])
                    judge.fault()
                    await asyncio.sleep(1.5)
                    workers.resume(workers.running[0])
                    acknowledged = await publishing.stop()
                    await all_done(workers, bus, acknowledged)
                    compare(judge, workers, acknowledged)
                    workers.stop()

    asyncio.run(test())


def test_a_worker_that_comes_back_after_its_lease_has_no_say(tmp_path: Path) -> None:
    """Another did meanwhile what it held; that its own attempt fails now is nobody's business."""
    judge = Judge(KIND, "worker stood still for longer than its lease")
    queue = only(ack_wait_s=1.0)

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address, queue) as bus:
                with crew(server.address, tmp_path, **asked(queue)) as workers:
                    held = [load(f"held-{n}", stands_s=5.0, rejects=True) for n in range(2)]
                    acknowledged = await published(bus, *held)
                    await until(lambda: workers.mentions("stands still"), workers.said)
                    judge.fault()
                    workers.start()
                    await all_done(workers, bus, acknowledged)
                    await until(lambda: workers.mentions("rejects"), workers.said)
                    after = await published(bus, load("after"))
                    await all_done(workers, bus, acknowledged + after)
                    compare(judge, workers, acknowledged + after)
                    judge.expect("lies", await dead(bus) == [], await dead(bus))
                    workers.stop()

    asyncio.run(test())


def test_what_kills_every_worker_is_given_up_and_nothing_beside_it(tmp_path: Path) -> None:
    judge = Judge(KIND, "an event that kills its worker")
    queue = only(ack_wait_s=1.0, max_deliver=2)

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address, queue) as bus:
                poison = load("poison", kill=True)
                innocent = [load(f"innocent-{n}", before_s=0.05) for n in range(20)]
                acknowledged = await published(bus, poison, *innocent)
                with crew(server.address, tmp_path, **asked(queue)) as workers:

                    async def given_up() -> bool:
                        for child in workers.dead():
                            workers.buried(child)
                            judge.fault()
                            workers.start()
                        return len(await dead(bus)) > 0

                    await until(given_up, workers.said)
                    await all_done(workers, bus, acknowledged[1:])
                    found = [(one.message.event, one.message.cause) for one in await dead(bus)]
                    judge.expect("lies", found == [("poison", "crashed")], found)
                    compare(judge, workers, acknowledged[1:])
                    deaths = len(workers.killed)
                    judge.expect("lies", deaths <= 2 + queue.max_deliver, deaths)
                    workers.stop()

    asyncio.run(test())


def test_a_worker_can_be_ended_while_the_server_is_away(tmp_path: Path) -> None:
    judge = Judge(KIND, "worker cancelled while the server is away")

    async def test() -> None:
        begun = asyncio.Event()

        async def hang(_: Job) -> None:
            begun.set()
            await asyncio.sleep(3600)

        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                async with open_bus(server.address) as other:
                    running = asyncio.ensure_future(Worker(other, QUEUE, hang).run())
                    acknowledged = await published(bus, load("held"))
                    await begun.wait()
                    server.kill()
                    judge.fault()
                    running.cancel()
                    _, late = await asyncio.wait({running}, timeout=15)
                    judge.expect("lies", not late, "it is still there")
                await server.back()
                with crew(server.address, tmp_path, **asked()) as workers:
                    await all_done(workers, bus, acknowledged)
                    compare(judge, workers, acknowledged)
                    workers.stop()

    asyncio.run(test())


def test_each_key_keeps_its_order_though_workers_are_killed(
    tmp_path: Path, rng: random.Random, amount: Amount
) -> None:
    judge = Judge(KIND, "workers of an ordered queue killed")
    queue = only(name="in-order", ordered=True, ack_wait_s=1.5)

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address, queue) as bus:
                keys = [f"key{n}" for n in range(12)]
                ordered = (
                    load(f"{key}:{n}", key=key, before_s=rng.uniform(0, 0.02), failures=n % 7 == 3)
                    for n in count()
                    for key in keys
                )
                with crew(server.address, tmp_path, 3, **asked(queue)) as workers:
                    publishing = Publishing(bus, ordered, 0.01)
                    await until(lambda: workers.effects.count() > 50, workers.said)
                    for _ in amount.turns(range(1000), 3):
                        await asyncio.sleep(rng.uniform(0.2, 0.8))
                        workers.kill(rng.choice(workers.running))
                        judge.fault()
                        workers.start()
                    acknowledged = await publishing.stop()
                    await all_done(workers, bus, acknowledged)
                    compare(judge, workers, acknowledged, concurrency=8)
                    wrong = out_of_order(workers.effects.ids())
                    judge.expect("lies", not wrong, wrong)
                    workers.stop()

    asyncio.run(test())


def out_of_order(ids: list[str]) -> dict[str, list[int]]:
    """Return the keys whose events were not done in their order; one twice running is no matter."""
    done: dict[str, list[int]] = defaultdict(list)
    for id_ in ids:
        key, _, number = id_.partition(":")
        if done[key][-1:] != [int(number)]:
            done[key].append(int(number))
    return {key: seen for key, seen in done.items() if seen != list(range(len(seen)))}
