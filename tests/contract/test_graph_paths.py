"""Ways through the graph are the same on both databases, and only ever simple ones."""

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import GraphQueryError, NoSuchNodeError
from simbuilder.graph.paths import Path
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.service import GraphService
from tests.graphs import TENANT, Load, group, load, on_empty, tie, user

MEMBER, OWNS = "MEMBER_OF", "OWNS"


def uids(path: Path) -> str:
    return "".join(str(node["uid"]) for node in path.nodes)


async def diamond(graph: GraphService) -> None:
    """From a to z in 2 (once), 3 (twice) and 4 steps, with circles and a way back on the way."""
    nodes = [user("a"), user("o"), *(group(uid) for uid in "bcdefz")]
    ties = [tie(MEMBER, *ends) for ends in ("ab", "bz", "ac", "cd", "dz", "be", "ed", "eb", "db")]
    ties += [tie(MEMBER, "z", "b"), tie(OWNS, "a", "f"), tie(OWNS, "f", "z"), tie("OWNS", "b", "b")]
    await load(graph, Load(nodes, ties))


WAYS = ["abz", "acdz", "abedz", "acdbz"]
"""All simple ones along memberships."""


def test_the_shortest_ways_in_order_and_none_twice_through_a_node(address: Address) -> None:
    async def found(graph: GraphService) -> None:
        await diamond(graph)
        one = await graph.paths("A", "z", families=[MEMBER])
        assert [uids(path) for path in one] == ["abz"]
        assert [(s.kind, s.start, s.end, s.through) for s in one[0].steps] == [
            (MEMBER, "a", "b", ""),
            (MEMBER, "b", "z", ""),
        ]
        for k in (2, 3, 4, 9):
            paths = await graph.paths("a", "z", families=[MEMBER], k=k)
            assert [path.length for path in paths] == [2, 3, 4, 4][:k], k
            assert {uids(path) for path in paths} <= set(WAYS)
            assert len({uids(path) for path in paths}) == len(paths)
        assert [
            p.length for p in await graph.paths("a", "z", families=["member_of"], length=2)
        ] == [2]
        assert await graph.paths("a", "z", families=[MEMBER], k=3, length=1) == []

    on_empty(address, found)


def test_every_way_is_found_once_however_few_are_asked_for(address: Address) -> None:
    async def found(graph: GraphService) -> None:
        await diamond(graph)
        every = [p async for p in graph.all_paths("a", "z", families=[MEMBER])]
        assert [path.length for path in every] == [2, 3, 4, 4]
        assert sorted(uids(path) for path in every) == sorted(WAYS)
        for limit in (1, 2, 3, 4):
            some = [p async for p in graph.all_paths("a", "z", families=[MEMBER], limit=limit)]
            assert [path.length for path in some] == [2, 3, 4, 4][:limit], limit
        short = [p async for p in graph.all_paths("a", "z", families=[MEMBER], length=3)]
        assert [uids(path) for path in short] == ["abz", "acdz"]
        with pytest.raises(GraphQueryError):
            [p async for p in graph.all_paths("a", "a")]

    on_empty(address, found)


def test_ways_follow_the_families_that_are_named(address: Address) -> None:
    async def found(graph: GraphService) -> None:
        await diamond(graph)
        (owned,) = await graph.paths("a", "z", families=[OWNS])
        assert uids(owned) == "afz"
        family = graph.schema.relationship_kinds[MEMBER].family
        assert graph.schema.relationship_kinds[MEMBER].attack
        for families in ([family], ["attack"], [OWNS, MEMBER, family]):
            (path,) = await graph.paths("a", "z", families=families)
            assert path.length == 2
        for families in ([], ["nothing"], ["MEMBER_OF]->() DETACH DELETE n //"], ["MEMBER_OF`"]):
            with pytest.raises(GraphQueryError):
                await graph.paths("a", "z", families=families)

    on_empty(address, found)


def test_a_way_through_a_capability_is_one_step(address: Address) -> None:
    async def found(graph: GraphService) -> None:
        nodes = [user("a"), user("v"), group("g"), Node("Capability", "capability:reset", TENANT)]
        ties = [
            tie(MEMBER, "a", "g"),
            Relationship("CAN", "g", "capability:reset", TENANT),
            Relationship("OVER", "capability:reset", "v", TENANT),
        ]
        await load(graph, Load(nodes, ties))
        for k in (1, 2):
            (path,) = await graph.paths("a", "v", k=k)
            assert path.length == 3
            assert [(s.kind, s.start, s.end, s.through) for s in path.steps] == [
                (MEMBER, "a", "g", ""),
                ("CAN", "g", "v", "capability:reset"),
            ]
        (half,) = await graph.paths("a", "capability:reset")
        assert [(s.kind, s.through) for s in half.steps] == [(MEMBER, ""), ("CAN", "")]

    on_empty(address, found)


def test_where_there_is_no_way_there_is_none_and_ends_must_exist_and_differ(
    address: Address,
) -> None:
    async def found(graph: GraphService) -> None:
        await diamond(graph)
        for k in (1, 3):
            assert await graph.paths("z", "a", k=k) == []
            assert await graph.paths("a", "o", k=k) == []
            with pytest.raises(GraphQueryError, match="one node to another"):
                await graph.paths("a", "A", k=k)
            with pytest.raises(NoSuchNodeError):
                await graph.paths("a", "nobody", k=k)
            with pytest.raises(NoSuchNodeError):
                await graph.paths("nobody'}) //", "a", k=k)
        for length in (0, -1, 16):
            with pytest.raises(GraphQueryError):
                await graph.paths("a", "z", length=length)
        for k in (0, -1):
            with pytest.raises(GraphQueryError):
                await graph.paths("a", "z", k=k)
        assert [p async for p in graph.all_paths("z", "a")] == []

    on_empty(address, found)
