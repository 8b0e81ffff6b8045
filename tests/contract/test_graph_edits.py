"""One by one: created, read, changed and deleted by whoever knows the revision; all is history."""

from typing import Any

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import (
    GraphConflictError,
    GraphConstraintError,
    GraphQueryError,
    NoSuchNodeError,
)
from simbuilder.graph.preparing import said
from simbuilder.graph.records import Node
from simbuilder.graph.service import GraphService
from tests.graphs import TENANT, Load, dump, group, listing, load, on_empty, tie, user


def test_a_node_is_created_read_changed_and_deleted(address: Address) -> None:
    async def life(graph: GraphService) -> None:
        made = await graph.create(user("U1", name="Ann", account_enabled=True, pets=["cat"]))
        assert (made["uid"], made["revision"], made["objectid"]) == ("u1", 1, "U1")
        assert await graph.get(" U1 ") == made
        changed = await graph.update("u1", {"name": "Anna", "account_enabled": None}, 1)
        assert said(changed) == {"name": "Anna", "pets": ["cat"]}
        assert changed["revision"] == 2
        assert changed["since"] > made["since"] or changed["since"] == made["since"]
        assert await graph.get("u1") == changed
        await graph.delete("u1", 2)
        with pytest.raises(NoSuchNodeError):
            await graph.get("u1")
        states = await graph.history("U1")
        assert [(s.revision, s.properties["name"]) for s in states] == [(1, "Ann"), (2, "Anna")]
        assert None not in [state.until for state in states]
        again = await graph.create(user("u1", name="Other"))
        assert again["revision"] == 1
        assert [s.until is None for s in await graph.history("u1")] == [False, False, True]

    on_empty(address, life)


def test_what_an_edit_must_not_do_is_refused_and_changes_nothing(address: Address) -> None:
    async def refused(graph: GraphService) -> None:
        await graph.create(user("u1", name="Ann"))
        kept = await graph.get("u1")
        with pytest.raises(GraphConstraintError):
            await graph.create(group("U1"))
        with pytest.raises(GraphQueryError):
            await graph.create(Node("Unicorn", "u2", TENANT))
        with pytest.raises(GraphQueryError):
            await graph.create(user(""))
        wrong: list[dict[str, Any]] = [
            {"wings": 2},
            {"uid": "u2"},
            {"revision": 7},
            {"name": 7},
            {"name": "fine", "account_enabled": "yes"},
            {"name` = 1 //": "x"},
            {"proxy_addresses": ["a", 1]},
            {"name": "\ud800"},
        ]
        for changes in wrong:
            with pytest.raises(GraphQueryError):
                await graph.update("u1", changes, 1)
        for revision in (0, 2, -1):
            with pytest.raises(GraphConflictError, match="revision 1"):
                await graph.update("u1", {"name": "Bob"}, revision)
            with pytest.raises(GraphConflictError, match="revision 1"):
                await graph.delete("u1", revision)
        for missing in ("u2", "", "') DETACH DELETE n //"):
            with pytest.raises(NoSuchNodeError):
                await graph.update(missing, {"name": "Bob"}, 1)
            with pytest.raises(NoSuchNodeError):
                await graph.delete(missing, 1)
            with pytest.raises(NoSuchNodeError):
                await graph.get(missing)
            with pytest.raises(NoSuchNodeError):
                await graph.history(missing)
        assert await graph.get("u1") == kept
        assert len(await graph.history("u1")) == 1
        assert (await graph.query("MATCH (v:Version) RETURN count(v)"))[1] == [(0,)]

    on_empty(address, refused)


def test_a_deleted_node_takes_its_ties_along_and_both_stay_in_the_history(address: Address) -> None:
    async def deleted(graph: GraphService) -> None:
        nodes = [user("a"), user("b"), group("g", name="G"), group("h")]
        ties = [tie("MEMBER_OF", "a", "g"), tie("MEMBER_OF", "b", "g"), tie("OWNS", "a", "h")]
        ties += [tie("MEMBER_OF", "g", "h")]
        first = await load(graph, Load(nodes, ties))
        await graph.delete("g", 1)
        left = await dump(graph)
        assert set(left[0]) == {"a", "b", "h"}
        assert [key[:3] for key in left[1]] == [("OWNS", "a", "h")]
        changes = {(c.what, c.element, c.key) async for c in graph.diff(first.number)}
        assert changes == {
            ("removed", "node", "g"),
            ("removed", "relationship", "a|MEMBER_OF|g"),
            ("removed", "relationship", "b|MEMBER_OF|g"),
            ("removed", "relationship", "g|MEMBER_OF|h"),
        }
        back = await load(graph, Load(nodes, ties))
        assert back.report.total("created") == 4
        assert [c async for c in graph.diff(first.number)] == []

    on_empty(address, deleted)


def test_an_edit_is_part_of_the_history_until_the_source_says_otherwise(address: Address) -> None:
    async def edited(graph: GraphService) -> None:
        first = await load(graph, Load([user("a", name="0", mail="m")]))
        await graph.update("a", {"name": "1"}, 1)
        await graph.update("a", {"name": "2"}, 2)
        agreed = await load(graph, Load([user("a", name="2", mail="m")]))
        assert agreed.report.total("unchanged") == 1
        assert (await graph.get("a"))["revision"] == 3
        same = await load(graph, Load([user("a", name="2", mail="m")]))
        assert same.report.total("unchanged") == 1
        last = await load(graph, Load([user("a", name="3", mail="m")]))
        assert last.report.total("updated") == 1
        names = [state.properties["name"] for state in await graph.history("a")]
        assert names == ["0", "1", "2", "3"]
        assert [state.revision for state in await graph.history("a")] == [1, 2, 3, 4]
        for snapshot, name in ((first, "0"), (agreed, "2"), (same, "2"), (last, None)):
            changes = [c async for c in graph.diff(snapshot.number)]
            assert [c.before for c in changes] == ([] if name is None else [{"name": name}])

    on_empty(address, edited)


def test_a_later_record_of_the_same_pass_counts_and_what_was_before_the_pass_is_history(
    address: Address,
) -> None:
    async def kept(graph: GraphService) -> None:
        ties = [tie("MEMBER_OF", "a", "g", derived=True)]
        first = await load(graph, Load([user("a", name="0"), group("g")], ties))
        current = await graph.begin("twice")
        for name in ("0", "1", "2"):
            await current.upsert([user("a", name=name)])
            await current.link([tie("MEMBER_OF", "a", "g", derived=name == "0")])
        await current.finish()
        states = await graph.history("a")
        assert [(s.properties["name"], s.until) for s in states] == [
            ("0", current.number),
            ("2", None),
        ]
        changes = [c async for c in graph.diff(first.number)]
        assert [(c.what, c.before) for c in changes] == [
            ("changed", {"name": "0"}),
            ("changed", {"derived": True}),
        ]

    on_empty(address, kept)


def test_an_edit_made_while_a_pass_runs_is_later_than_what_the_pass_has_read(
    address: Address,
) -> None:
    async def edited(graph: GraphService) -> None:
        first = await load(graph, Load([user("a", name="0"), user("b", name="0")]))
        current = await graph.begin("slow")
        await graph.update("a", {"name": "edited"}, 1)
        await graph.delete("b", 1)
        await graph.create(user("c", name="edited"))
        await current.upsert([user("a", name="1"), user("c", name="1")])
        await current.finish([listing("users", 2)], vanished=True)
        assert current.report.total("outdated") == 2
        assert {uid: of[4]["name"] for uid, of in (await dump(graph))[0].items()} == {
            "a": "edited",
            "c": "edited",
        }
        changes = sorted([(c.what, c.key) async for c in graph.diff(first.number)])
        assert changes == [("added", "c"), ("changed", "a"), ("removed", "b")]
        assert [s.properties["name"] for s in await graph.history("a")] == ["0", "edited"]
        after = await load(graph, Load([user("a", name="1"), user("c", name="1")]))
        assert after.report.total("updated") == 2

    on_empty(address, edited)
