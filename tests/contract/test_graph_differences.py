"""What differs between two planes or snapshots is told, and nothing else."""

from typing import Any

import pytest

from simbuilder.graph.comparing import NOW, Change
from simbuilder.graph.database import Address
from simbuilder.graph.errors import GraphQueryError
from simbuilder.graph.records import Plane, Relationship, located
from simbuilder.graph.service import GraphService
from tests.graphs import TENANT, Load, group, listing, load, on_empty, user

MEMBER = "MEMBER_OF"
People = dict[str, dict[str, Any]]
OLD: People = {"a": {"name": "A"}, "b": {"name": "B"}, "c|x": {"name": "C"}, "gone|x": {}}
NEW: People = {"a": {"name": "A"}, "b": {"name": "B2"}, "c|x": {}, "new|x": {"name": "N"}}
OLD_TIES: People = {"a": {"derived": True}, "b": {"rule": "r", "derived": True}, "gone|x": {}}
NEW_TIES: People = {"a": {"derived": True}, "b": {"rule": "s"}, "new|x": {}}

WANTED = {
    ("added", "node", "EntraUser", "new|x", (), ("name",)),
    ("removed", "node", "EntraUser", "gone|x", (), ()),
    ("changed", "node", "EntraUser", "b", ("name",), ("name",)),
    ("changed", "node", "EntraUser", "c|x", ("name",), ()),
    ("added", "relationship", MEMBER, "new%7Cx|MEMBER_OF|g", (), ()),
    ("removed", "relationship", MEMBER, "gone%7Cx|MEMBER_OF|g", (), ()),
    ("changed", "relationship", MEMBER, "b|MEMBER_OF|g", ("derived", "rule"), ("rule",)),
}


def content(people: People, ties: People, plane: Plane) -> Load:
    def at(uid: str) -> str:
        return located(uid, plane)

    nodes = [user(at(uid), plane=plane, **said) for uid, said in people.items()]
    nodes.append(group(at("g"), plane=plane))
    made = [Relationship(MEMBER, at(u), at("g"), TENANT, said, plane) for u, said in ties.items()]
    whole = (
        listing("users", len(people), plane=plane),
        listing("groups", 1, plane=plane),
        listing(MEMBER, len(ties), plane=plane),
    )
    return Load(nodes, made, whole)


def told(changes: list[Change]) -> set[Any]:
    return {
        (c.what, c.element, c.kind, c.key, tuple(sorted(c.before)), tuple(sorted(c.after)))
        for c in changes
    }


TURNED = {
    (
        {"added": "removed", "removed": "added"}.get(what, what),
        *(element, kind, key, after, before),
    )
    for what, element, kind, key, before, after in WANTED
}


async def differences(graph: GraphService, a: str | int, b: str | int = NOW) -> list[Change]:
    changes = [change async for change in graph.diff(a, b)]
    assert len(told(changes)) == len(changes)
    return changes


def test_two_planes_differ_in_what_was_added_removed_and_changed(address: Address) -> None:
    async def compared(graph: GraphService) -> None:
        await load(graph, content(OLD, OLD_TIES, "planned"))
        await load(graph, content(NEW, NEW_TIES, "observed"))
        assert told(await differences(graph, "planned", "observed")) == WANTED
        assert told(await differences(graph, "observed", "planned")) == TURNED
        assert await differences(graph, "planned", "planned") == []
        only = await differences(graph, "deployed", "planned")
        assert {(c.what, c.key) for c in only} >= {("added", "gone|x"), ("added", "g")}
        assert len(only) == len(OLD) + 1 + len(OLD_TIES)
        await load(graph, content(NEW, NEW_TIES, "planned"))
        assert await differences(graph, "planned", "observed") == []
        await graph.update("b", {"name": "by hand", "surname": "x"}, 1)
        (edit,) = await differences(graph, "planned", "observed")
        assert edit.before == {"name": "B2"}
        assert edit.after == {"name": "by hand", "surname": "x"}

    on_empty(address, compared)


def test_two_snapshots_differ_in_what_happened_between_them(address: Address) -> None:
    async def compared(graph: GraphService) -> None:
        old = (await load(graph, content(OLD, OLD_TIES, "observed"))).number
        same = (await load(graph, content(OLD, OLD_TIES, "observed"))).number
        new = (await load(graph, content(NEW, NEW_TIES, "observed"))).number
        for a, b in ((old, new), (same, new), (old, NOW)):
            assert told(await differences(graph, a, b)) == WANTED, (a, b)
            assert told(await differences(graph, b, a)) == TURNED, (b, a)
        assert await differences(graph, old, same) == []
        assert await differences(graph, new, NOW) == []
        back = (await load(graph, content(OLD, OLD_TIES, "observed"))).number
        assert await differences(graph, old, back) == []
        assert told(await differences(graph, new, back)) == TURNED
        assert told(await differences(graph, old, new)) == WANTED, "the past stays as it was"
        revision = (await graph.get("b"))["revision"]
        await graph.update("b", {"name": "by hand"}, revision)
        await graph.update("b", {"name": "again"}, revision + 1)
        await graph.delete("a", 1)
        edits = await differences(graph, back)
        assert {(c.what, c.key) for c in edits} == {
            ("changed", "b"),
            ("removed", "a"),
            ("removed", "a|MEMBER_OF|g"),
        }
        assert [c.after for c in edits if c.key == "b"] == [{"name": "again"}]
        assert told(await differences(graph, old, new)) == WANTED

    on_empty(address, compared)


def test_what_are_not_two_of_a_kind_are_not_compared(address: Address) -> None:
    async def refused(graph: GraphService) -> None:
        pairs: list[tuple[Any, Any]] = [
            ("planned", 2),
            (2, "planned"),
            ("a'", "b"),
            ("", "planned"),
        ]
        for a, b in pairs:
            with pytest.raises(GraphQueryError):
                await differences(graph, a, b)

    on_empty(address, refused)
