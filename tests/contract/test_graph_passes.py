"""A pass accounts for every record, and deletes only what a complete listing no longer has."""

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.service import GraphService
from tests.graphs import (
    OTHER,
    TENANT,
    Load,
    dump,
    everything,
    group,
    listing,
    load,
    on_empty,
    tie,
    user,
)

MEMBER = "MEMBER_OF"


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_record_is_accounted_for_whatever_is_wrong_with_it(
    address: Address, size: int
) -> None:
    nodes = [
        *(user(f"u{i}", name=f"User {i}") for i in range(10)),
        *(user(f"U{i} ", name=f"User {i}") for i in range(5)),  # again, in another case
        *(user(f"u{i}", name="otherwise") for i in range(3)),  # again, and different
        *(group(f"g{i}") for i in range(4)),
        group("u9"),  # a user already
        user(""),
        user("x" * 2001),
        user("u77", tenant_id=" "),
        user("\ud800"),
        user("u78", name="\udfff"),
        user("planned:u79"),
        user("u79", plane="planned"),
        Node("Unicorn", "u80", TENANT),
        user("u81", account_enabled="perhaps", password="secret", hired=None),
    ]
    ties = [
        *(tie(MEMBER, f"u{i}", f"g{i % 4}") for i in range(9)),
        *(tie(MEMBER, f"U{i}", f"G{i % 4}") for i in range(3)),
        tie(MEMBER, "u1", "nowhere"),
        tie(MEMBER, "nobody", "g1"),
        Relationship(MEMBER, "nobody", "g2", TENANT, implied=True),
        tie("RIDES", "u1", "u2"),
        tie(MEMBER, "", "g1"),
    ]

    async def accounted(graph: GraphService) -> None:
        report = (await load(graph, Load(iter(nodes), iter(ties), size=size))).report
        assert everything(report) == len(nodes) + len(ties)
        assert report.total("refused") == 8 + 2
        assert report.total("dangling") == report.remarks["dangling"] == 2
        assert report.total("elsewhere") == 1
        assert report.total("other-kind") == report.remarks["other-kind"] == 1
        assert report.total("repeated") == report.remarks["duplicate"] == 8 + 3
        assert report.total("created") == 10 + 4 + 1 + 9
        assert (report.remarks["withheld"], report.remarks["misfit"]) == (1, 1)
        found = await dump(graph)
        assert len(found[0]) == 15
        assert len(found[1]) == 9
        assert {found[0][f"u{i}"][4]["name"] for i in range(3)} == {"otherwise"}
        assert found[0]["u9"][0] == "EntraUser"
        assert found[0]["u81"][4] == {"account_enabled": "perhaps"}
        again = (await load(graph, Load(nodes, ties, size=size))).report
        assert everything(again) == len(nodes) + len(ties)
        assert await dump(graph) == found

    on_empty(address, accounted)


async def three_tenants_worth(graph: GraphService) -> None:
    """Users and groups of two tenants and two planes, tied to each other."""
    for tenant_id in (TENANT, OTHER):
        for plane in ("observed", "planned"):
            mark = f"{'' if plane == 'observed' else 'planned:'}{tenant_id}"
            nodes = [user(f"{mark}-u{i}", tenant_id, plane) for i in range(4)]
            nodes += [group(f"{mark}-g{i}", tenant_id, plane) for i in range(2)]
            ties = [
                Relationship(MEMBER, f"{mark}-u{i}", f"{mark}-g{i % 2}", tenant_id, plane=plane)
                for i in range(4)
            ]
            await load(graph, Load(nodes, ties))


SURVIVORS = [user(f"{TENANT}-u{i}") for i in range(3)]


@pytest.mark.parametrize("expected", [None, 4, 2, 0])
def test_a_listing_that_is_not_complete_by_its_own_word_deletes_nothing(
    address: Address, expected: int | None
) -> None:
    async def kept(graph: GraphService) -> None:
        await three_tenants_worth(graph)
        before = await dump(graph)
        ended = await load(graph, Load(SURVIVORS, listings=(listing("users", 3, expected),)))
        assert (ended.complete, len(ended.lacking)) == ((), 1)
        assert not ended.report.deleted
        assert await dump(graph) == before

    on_empty(address, kept)


def test_a_listing_of_which_a_page_was_lost_deletes_nothing_of_its_own_and_others_theirs(
    address: Address,
) -> None:
    async def kept(graph: GraphService) -> None:
        await three_tenants_worth(graph)
        lost = (listing("users", 3, 4), listing("groups", 1))
        ended = await load(graph, Load([*SURVIVORS, group(f"{TENANT}-g0")], listings=lost))
        assert dict(ended.report.deleted) == {"EntraGroup": 1, MEMBER: 2}
        nodes, _ties = await dump(graph)
        assert {uid for uid in nodes if uid.startswith(TENANT)} == {
            *(f"{TENANT}-u{i}" for i in range(4)),
            f"{TENANT}-g0",
        }

    on_empty(address, kept)


def test_a_refused_record_keeps_everything(address: Address) -> None:
    async def kept(graph: GraphService) -> None:
        await three_tenants_worth(graph)
        before = await dump(graph)
        for wrong in (user(""), Node("Unicorn", "u", TENANT), group(f"{TENANT}-u3")):
            load_ = Load([*SURVIVORS, wrong], listings=(listing("users", 4),))
            ended = await load(graph, load_)
            assert ended.complete == ()
            assert await dump(graph) == before

    on_empty(address, kept)


@pytest.mark.parametrize("tenant_id", [TENANT, TENANT.upper()])
def test_a_complete_listing_deletes_its_own_of_its_tenant_and_plane_and_keeps_it_as_history(
    address: Address, tenant_id: str
) -> None:
    async def deleted(graph: GraphService) -> None:
        await three_tenants_worth(graph)
        nodes, ties = await dump(graph)
        complete = (listing("users", 3, tenant_id=tenant_id),)
        ended = await load(graph, Load(SURVIVORS, listings=complete, vanished=False))
        assert (ended.complete, ended.lacking) == (complete, ())
        assert await dump(graph) == (nodes, ties)
        ended = await load(graph, Load(SURVIVORS, listings=complete))
        assert dict(ended.report.deleted) == {"EntraUser": 1, MEMBER: 1}
        gone = f"{TENANT}-u3"
        left = await dump(graph)
        assert left[0] == {uid: told for uid, told in nodes.items() if uid != gone}
        assert left[1] == {key: told for key, told in ties.items() if key[1] != gone}
        states = await graph.history(gone)
        assert [(state.since, state.until) for state in states] == [(states[0].since, ended.number)]
        changes = [change async for change in graph.diff(ended.number - 2)]
        assert {(c.what, c.element, c.kind) for c in changes} == {
            ("removed", "node", "EntraUser"),
            ("removed", "relationship", MEMBER),
        }
        # and it may come back
        await load(graph, Load([user(gone)]))
        assert [state.until for state in await graph.history(gone)] == [ended.number, None]

    on_empty(address, deleted)


def test_a_complete_listing_of_ties_deletes_ties_alone(address: Address) -> None:
    async def deleted(graph: GraphService) -> None:
        await three_tenants_worth(graph)
        nodes, ties = await dump(graph)
        kept = [tie(MEMBER, f"{TENANT}-u0", f"{TENANT}-g0")]
        ended = await load(graph, Load((), kept, (listing(MEMBER, 1),)))
        assert dict(ended.report.deleted) == {MEMBER: 3}
        left = await dump(graph)
        assert left[0] == nodes
        assert len(left[1]) == len(ties) - 3
        changes = [change async for change in graph.diff(ended.number - 2)]
        assert [(c.what, c.element) for c in changes] == [("removed", "relationship")] * 3

    on_empty(address, deleted)


def test_a_pass_that_began_earlier_never_overwrites_what_a_later_one_has_written(
    address: Address,
) -> None:
    async def later_counts(graph: GraphService) -> None:
        await load(graph, Load([user("a", name="0"), user("c", name="0"), group("g")]))
        early, late = await graph.begin("early"), await graph.begin("late")
        assert early.number < late.number
        await late.upsert([user("a", name="late"), user("b", name="late"), user("c", name="0")])
        await late.link([tie(MEMBER, "a", "g", role="late")])
        await early.upsert([user(uid, name="early") for uid in ("a", "b", "c")])
        await early.link([tie(MEMBER, "a", "g", role="early")])
        before = await dump(graph)
        await early.finish([listing("users", 3), listing("groups", 0)], vanished=True)
        assert {of[4].get("name") for of in before[0].values()} == {"late", "0", None}
        assert early.report.total("outdated") == early.report.remarks["outdated"] == 4
        nodes, ties = await dump(graph)
        assert {uid: of[4]["name"] for uid, of in nodes.items()} == {
            "a": "late",
            "b": "late",
            "c": "0",
        }
        assert ties == {}, "the group was not among what the earlier pass saw, its tie went with it"
        await late.finish()

    on_empty(address, later_counts)
