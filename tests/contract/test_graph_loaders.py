"""Loaders that are killed, that meet each other, and that load more than memory should hold."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import GraphConflictError
from simbuilder.graph.passes import ABANDONED_S
from simbuilder.graph.records import Relationship
from simbuilder.graph.service import GraphService
from tests import graph_loader
from tests.graphs import (
    TENANT,
    Dump,
    Load,
    dump,
    everything,
    group,
    listing,
    load,
    on_empty,
    opened,
    tie,
    user,
)

ROOT = Path(__file__).parents[2]
NUMBER, SIZE, KILLS = 3_400, 200, 6
RECORDS = NUMBER + NUMBER // 10 + NUMBER + (NUMBER + 2) // 3
MEMBER = "MEMBER_OF"


def loader(address: Address, **told: Any) -> "subprocess.Popen[bytes]":
    place = {"uri": address.uri, "user": address.user, "password": address.password}
    env = {**os.environ, "GRAPH_LOADER": json.dumps(place | told)}
    argv = [sys.executable, "-m", "tests.graph_loader"]
    return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE)


def ended(process: "subprocess.Popen[bytes]") -> Any:
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return json.loads(said)


async def abandon(graph: GraphService) -> None:
    """Let the owners of all passes have been silent for too long."""
    long_ago = time.time() - ABANDONED_S - 1
    text = "MATCH (p:Pass {state: 'open'}) SET p.renewed = $then"
    await graph.query(text, {"then": long_ago}, write=True)


async def position(graph: GraphService) -> int:
    rows = await graph.query("MATCH (p:Pass {state: 'open'}) RETURN sum(p.position) AS n")
    return int(rows[1][0][0])


@pytest.fixture(scope="module")
def undisturbed(address: Address) -> Dump:
    async def whole(graph: GraphService) -> Dump:
        nodes, ties = graph_loader.nodes(NUMBER), graph_loader.ties(NUMBER)
        ended = await load(graph, Load(nodes, ties, size=SIZE))
        assert everything(ended.report) == ended.report.total("created") == RECORDS
        return await dump(graph)

    return on_empty(address, whole)


@pytest.mark.parametrize("taken_up", [False, True], ids=["begun anew", "taken up"])
def test_a_loader_that_is_killed_again_and_again_ends_with_the_same_graph(
    address: Address, undisturbed: Dump, taken_up: bool
) -> None:
    chance = random.Random(7)

    async def killed(graph: GraphService) -> None:
        deaths = []
        for _ in range(KILLS // 2):
            process = loader(address, number=NUMBER, size=SIZE)
            began = await position(graph)
            further = began + 1 + chance.randrange(8)
            for _ in range(1000):
                if process.poll() is not None or await position(graph) >= further:
                    break
                await asyncio.sleep(0.02)
            await asyncio.sleep(chance.random() * 0.05)
            process.kill()
            process.communicate()
            deaths.append(process.returncode)
            if taken_up:
                await abandon(graph)
        assert deaths == [-9] * len(deaths)
        done = ended(loader(address, number=NUMBER, size=SIZE))
        counted = sum(sum(of.values()) for of in done["counted"].values()) + done["skipped"]
        assert counted == RECORDS
        assert (done["skipped"] > 0) == taken_up
        assert (len(await graph.snapshots()) == 1) == taken_up
        assert await dump(graph) == undisturbed
        # what was interrupted is no reason to take the same source for read the next time
        await abandon(graph)
        await load(graph, Load([user("u0", name="changed meanwhile")]))
        again = ended(loader(address, number=NUMBER, size=SIZE))
        assert again["skipped"] == 0
        assert again["counted"]["EntraUser"] == {"updated": 1, "unchanged": NUMBER - 1}
        assert await dump(graph) == undisturbed

    on_empty(address, killed)


def test_a_pass_that_was_taken_up_is_lost_to_its_former_owner(address: Address) -> None:
    async def taken(graph: GraphService) -> None:
        people = [user(f"u{i}", name=f"{i}") for i in range(10)]
        first = await graph.begin("first", "source")
        await first.upsert(people[:4], 2)
        other = await graph.begin("other", "source")
        assert (other.number > first.number, other.resumed) == (True, False)
        await other.finish()
        await graph.wipe()

        first = await graph.begin("first", "source")
        await first.upsert(people[:4], 2)
        await abandon(graph)
        second = await graph.begin("second", "source")
        assert (second.number, second.resumed) == (first.number, True)
        with pytest.raises(GraphConflictError):
            await first.upsert(people[4:], 2)
        with pytest.raises(GraphConflictError):
            await first.finish([listing("users", 4)], vanished=True)
        await second.upsert(people, 2)
        done = await second.finish([listing("users", 10)], vanished=True)
        assert (done.report.skipped, done.report.total("created")) == (4, 6)
        assert len((await dump(graph))[0]) == 10
        third = await graph.begin("third", "source")
        assert (third.number > second.number, third.resumed) == (True, False)

    on_empty(address, taken)


def test_a_pass_that_is_taken_up_remembers_that_it_met_another_kind(address: Address) -> None:
    async def taken(graph: GraphService) -> None:
        await load(graph, Load([user("u1"), user("u2"), group("g")]))
        first = await graph.begin("first", "source")
        await first.upsert([user("g"), user("u1")], 1)
        await abandon(graph)
        second = await graph.begin("second", "source")
        await second.upsert([user("g"), user("u1")], 1)
        done = await second.finish([listing("users", 2)], vanished=True)
        assert (done.report.skipped, done.complete) == (2, ())
        assert set((await dump(graph))[0]) == {"u1", "u2", "g"}

    on_empty(address, taken)


def test_a_pass_is_not_taken_up_once_others_have_begun(address: Address) -> None:
    async def anew(graph: GraphService) -> None:
        first = await graph.begin("first", "source")
        await first.upsert([user("a", name="mine")], 1)
        await load(graph, Load([user("a", name="other"), user("b", name="other")]))
        await abandon(graph)
        second = await graph.begin("second", "source")
        assert not second.resumed
        await second.upsert([user("a", name="mine"), user("b", name="mine")], 1)
        await second.finish()
        assert {of[4]["name"] for of in (await dump(graph))[0].values()} == {"mine"}

    on_empty(address, anew)


def test_eight_loaders_of_the_same_objects_leave_each_of_them_once(address: Address) -> None:
    async def together(graph: GraphService) -> None:
        async def one(number: int) -> Any:
            people = [user(f"u{i}", name=f"{i}") for i in range(60 * number, 60 * number + 240)]
            people += [group(f"g{i}") for i in range(5)]
            random.Random(number).shuffle(people)
            ties = [
                tie(MEMBER, each.uid, f"g{int(each.uid[1:]) % 5}")
                for each in people
                if each.kind == "EntraUser"
            ]
            async with opened(address, deadline_s=60) as mine:
                done = await load(mine, Load(people, ties, size=40, source=f"{number}"))
            assert everything(done.report) == len(people) + len(ties)
            assert not done.report.total("refused", "dangling", "other-kind")
            return done.report

        reports = await asyncio.gather(*(one(number) for number in range(8)))
        nodes, ties = await dump(graph)
        assert (len(nodes), len(ties)) == (660 + 5, 660)
        assert sum(report.total("created") for report in reports) == 660 + 5 + 660
        assert {state["state"] for state in await graph.snapshots()} == {"unproven"}
        assert len({state["number"] for state in await graph.snapshots()}) == 8
        assert await graph.query("MATCH (v:Version) RETURN count(v) AS n") == (("n",), [(0,)], {})

    on_empty(address, together)


def test_no_edit_is_lost_where_eight_count_the_same_thing(address: Address) -> None:
    async def counted(graph: GraphService) -> None:
        await graph.create(user("u", surname="0"))

        async def one() -> tuple[int, int]:
            done = lost = 0
            async with opened(address) as mine:
                while done < 5:
                    now = await mine.get("u")
                    more = {"surname": str(int(now["surname"]) + 1)}
                    try:
                        await mine.update("u", more, now["revision"])
                        done += 1
                    except GraphConflictError:
                        lost += 1
                        assert lost < 500
                        await asyncio.sleep(random.uniform(0, 0.01))
            return done, lost

        outcomes = await asyncio.gather(*(one() for _ in range(8)))
        now = await graph.get("u")
        assert sum(done for done, _lost in outcomes) == 40
        assert (now["surname"], now["revision"]) == ("40", 41)
        states = await graph.history("u")
        assert [state.revision for state in states] == list(range(1, 42))
        assert [state.properties["surname"] for state in states] == [str(i) for i in range(41)]

    on_empty(address, counted)


def test_a_node_is_created_and_deleted_by_one_of_eight(address: Address) -> None:
    async def once(graph: GraphService) -> None:
        await graph.create(group("g"))
        made = await asyncio.gather(
            *(graph.create(user("u", name=f"{i}")) for i in range(8)), return_exceptions=True
        )
        assert sum(isinstance(each, dict) for each in made) == 1, made
        link = Relationship(MEMBER, "u", "g", TENANT)
        await asyncio.gather(*(load(graph, Load((), [link])) for _ in range(8)))
        assert len((await dump(graph))[1]) == 1
        gone = await asyncio.gather(
            *(graph.delete("u", 1) for _ in range(8)), return_exceptions=True
        )
        assert sum(each is None for each in gone) == 1, gone
        assert len(await graph.history("u")) == 1
        versions = "MATCH (v:Version) RETURN count(v) AS n"
        assert (await graph.query(versions))[1] == [(2,)], "the node and its tie, once each"

    on_empty(address, once)


def test_a_stream_of_records_takes_little_memory(address: Address) -> None:
    async def measured(graph: GraphService) -> None:
        process = loader(address, number=55_000, size=5_000, ties=False, source="")
        done = await asyncio.to_thread(ended, process)
        assert done["counted"]["EntraUser"] == {"created": 55_000}
        assert done["grown"] < 120 << 20

    on_empty(address, measured)
