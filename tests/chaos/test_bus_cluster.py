"""A cluster of three that loses its leader, and later another."""

import asyncio
import random
from collections.abc import Callable
from itertools import count
from pathlib import Path

from simbuilder.bus.declarations import PAYLOADS, WORK, WORKFLOW
from simbuilder.bus.errors import BusError
from simbuilder.bus.protocol import Bus
from tests.bus_servers import Cluster, Server, crew, three
from tests.chaos.bus import (
    Publishing,
    asked,
    compare,
    load,
    only,
    ready,
    settled,
    stored_ids,
    until,
)
from tests.chaos.conftest import Judge


async def leader(bus: Bus) -> str | None:
    """Return who leads the stream, if anybody does just now."""
    try:
        return next(one.leader for one in await bus.streams() if one.name == WORKFLOW.name)
    except (BusError, StopIteration):
        return None


async def copies(cluster: Cluster) -> dict[str, int]:
    """Return how many copies there are of what workers depend on."""
    import nats

    client = await nats.connect(
        list(cluster.address.urls), user=cluster.address.user, password=cluster.address.password
    )
    try:
        names = (WORKFLOW.name, f"KV_{WORK.name}", f"OBJ_{PAYLOADS}")
        found = [await client.jetstream().stream_info(name) for name in names]
        return {str(one.config.name): one.config.num_replicas or 0 for one in found}
    finally:
        await client.close()


def test_a_cluster_that_loses_a_leader_loses_and_repeats_nothing(
    tmp_path: Path, rng: random.Random
) -> None:
    judge = Judge("nats", "leader of a cluster killed")
    queue = only(ack_wait_s=6.0)

    async def test() -> None:
        with three(tmp_path) as cluster:
            async with ready(cluster.address, queue, replicas=3) as bus:
                with crew(cluster.address, tmp_path, 2, **asked(queue)) as workers:
                    publishing = Publishing(bus, map(load, (f"{n:06}" for n in count())), 0.005)
                    await until(lambda: workers.effects.count() > 100, workers.said)
                    lags = [state.lag for state in await bus.queues(WORKFLOW.name)]
                    assert len(lags) == 1
                    for the_leader in (True, False):
                        lost = await one_of(cluster, bus, rng, the_leader=the_leader)
                        lost.kill()
                        judge.fault()
                        before = workers.effects.count()
                        await until(goes_on(workers.effects.count, before + 200), workers.said)
                        lost.launch()
                        await read_again_and_again(bus, publishing, judge)
                        await until(lambda: whole(bus, cluster))
                    acknowledged = await publishing.stop()
                    found = await stored_ids(bus)
                    wrong = [id_ for id_ in acknowledged if found[id_] != 1]
                    judge.expect("lost writes", not wrong, wrong[:10])
                    await until(lambda: len(set(workers.effects.ids())) >= len(acknowledged))
                    await settled(bus, queue)
                    compare(judge, workers, acknowledged)
                    assert set((await copies(cluster)).values()) == {3}
                    workers.stop()

    asyncio.run(test())


async def read_again_and_again(bus: Bus, publishing: Publishing, judge: Judge) -> None:
    """A server that is back has a copy that is behind; whoever reads is not to notice."""
    for _ in range(60):
        acknowledged = publishing.acknowledged()
        found = await stored_ids(bus, max(1, len(acknowledged) - 400))
        wrong = [id_ for id_ in acknowledged[-50:] if found[id_] != 1]
        judge.expect("lost writes", not wrong, wrong)


async def one_of(cluster: Cluster, bus: Bus, rng: random.Random, *, the_leader: bool) -> Server:
    """Return the server that leads the stream, or one that does not."""
    found: list[str] = []

    async def somebody_leads() -> bool:
        name = await leader(bus)
        found[:] = [name] if name else []
        return bool(found)

    await until(somebody_leads)
    leading = cluster.named(found[0])
    others = [server for server in cluster.servers if server is not leading]
    return leading if the_leader else rng.choice(others)


def goes_on(counted: Callable[[], int], beyond: int) -> Callable[[], bool]:
    return lambda: counted() > beyond


async def whole(bus: Bus, cluster: Cluster) -> bool:
    """Say whether every server answers, and somebody leads."""
    return cluster.answers() and await leader(bus) is not None
