"""Questions with filters find what they say, page by page, and refuse what does not exist."""

from typing import Any

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import GraphQueryError, NoSuchNodeError
from simbuilder.graph.queries import OPERATORS, Filter, Question
from simbuilder.graph.service import GraphService
from tests.graphs import OTHER, Load, group, load, on_empty, tie, user

PEOPLE = [
    user("a", name="Ann", proxy_addresses=["SMTP:a@x", "smtp:b@x"], account_enabled=True),
    user("b", name="ann b", proxy_addresses=[], account_enabled=False),
    user("c", name="Bob", tenant_id=OTHER),
    user("d", proxy_addresses=["smtp:b@x"]),
    user("planned:e", plane="planned", name="Zoë"),
    group("g", name="Ann"),
]

FINDS: list[tuple[str, str, Any, str]] = [
    ("name", "=", "Ann", "ag"),
    ("name", "!=", "Ann", "bcde"),
    ("name", "<", "B", "ag"),
    ("name", "<=", "Bob", "acg"),
    ("name", ">", "Bob", "be"),
    ("name", ">=", "Bob", "bce"),
    ("name", "contains", "NN", "abg"),
    ("name", "starts", "ann", "abg"),
    ("name", "ends", "N", "ag"),
    ("name", "ends", "OË", "e"),
    ("name", "=", "' OR true OR '", ""),
    ("proxy_addresses", "in", "smtp:b@x", "ad"),
    ("proxy_addresses", "in", "smtp", ""),
    ("account_enabled", "has", True, "ab"),
    ("account_enabled", "has", False, "cdeg"),
    ("account_enabled", "=", False, "b"),
    ("uid", ">=", "d", "deg"),
    ("kind", "=", "EntraGroup", "g"),
]


def test_every_operator_finds_what_it_says(address: Address) -> None:
    async def found(graph: GraphService) -> None:
        await load(graph, Load(PEOPLE))
        assert {operator for _name, operator, _value, _uids in FINDS} == set(OPERATORS)
        for name, operator, value, uids in FINDS:
            page = await graph.find(Question(filters=[Filter(name, operator, value)]))  # type: ignore[arg-type]
            there = "".join(node["uid"][-1] for node in page.nodes)
            assert (there, page.cursor) == (uids.replace("e", "") + "e" * ("e" in uids), None) or (
                sorted(there) == sorted(uids)
            ), (name, operator, value)
        for question, uids in (
            (Question("EntraUser"), "abcde"),
            (Question("Principal"), "abcdeg"),
            (Question("AZUser", plane="planned"), "e"),
            (Question(tenant_id=OTHER), "c"),
            (Question("EntraUser", [Filter("name", "starts", "a"), Filter("uid", "!=", "a")]), "b"),
        ):
            nodes = (await graph.find(question)).nodes
            assert sorted(node["uid"][-1] for node in nodes) == list(uids), question

    on_empty(address, found)


def test_pages_have_everything_once_and_in_order(address: Address) -> None:
    async def paged(graph: GraphService) -> None:
        uids = [f"u{i:03}" for i in range(100)] + ["z😀", "z'", "z\u2028z", "zé", "z\nz"]
        await load(graph, Load([user(uid) for uid in uids]))
        for limit in (1, 7, 52, 105, 106):
            seen: list[str] = []
            cursor, pages = None, 0
            while pages == 0 or cursor:
                page = await graph.find(Question("EntraUser", limit=limit, cursor=cursor))
                assert len(page.nodes) <= limit
                seen += [node["uid"] for node in page.nodes]
                cursor, pages = page.cursor, pages + 1
            assert sorted(seen) == sorted(uids), limit
            assert pages == -(-105 // limit)

    on_empty(address, paged)


def test_what_does_not_exist_is_refused_before_the_database_hears_of_it(address: Address) -> None:
    async def refused(graph: GraphService) -> None:
        await load(graph, Load(PEOPLE))
        wrong = [
            Question("Unicorn"),
            Question("EntraUser) DETACH DELETE n //"),
            Question("Version"),
            Question(filters=[Filter("wings", "=", 1)]),
            Question(filters=[Filter("name` IS NULL //", "=", 1)]),
            Question(filters=[Filter("name", "~", 1)]),  # type: ignore[arg-type]
            Question(filters=[Filter("name", "= 1 OR 1 =", 1)]),  # type: ignore[arg-type]
            Question(limit=0),
            Question(limit=10_001),
            Question(cursor="no cursor"),
            Question(cursor="é"),
            Question(cursor="gICA"),
            Question(filters=[Filter("name", "=", 2**70)]),
            Question(filters=[Filter("name", "=", "\ud800")]),
            Question(tenant_id="\ud800"),
        ]
        for question in wrong:
            with pytest.raises(GraphQueryError):
                await graph.find(question)

    on_empty(address, refused)


def test_a_value_of_another_type_finds_nothing_or_is_refused(address: Address) -> None:
    async def odd(graph: GraphService) -> None:
        await load(graph, Load(PEOPLE))
        for name in ("name", "proxy_addresses", "account_enabled"):
            for operator in OPERATORS:
                for value in ("x", 1, 1.5, True, None, [], ["x"], {"a": 1}):
                    if operator in ("!=", "has"):
                        continue
                    try:
                        page = await graph.find(Question(filters=[Filter(name, operator, value)]))  # type: ignore[arg-type]
                    except GraphQueryError:
                        continue
                    assert len(page.nodes) < 6, (name, operator, value)
        assert len((await graph.find(Question())).nodes) == 6

    on_empty(address, odd)


def test_a_name_that_one_node_has_stands_for_its_uid(address: Address) -> None:
    async def resolved(graph: GraphService) -> None:
        await load(graph, Load(PEOPLE))
        assert await graph.resolve(" A ") == "a"
        assert await graph.resolve("BOB") == "c"
        for reference in ("ann", "nobody", "", "') OR 1=1 //"):
            with pytest.raises(NoSuchNodeError):
                await graph.resolve(reference)

    on_empty(address, resolved)


def test_what_lies_around_a_node_is_bounded_and_says_whether_it_is_all(address: Address) -> None:
    async def around(graph: GraphService) -> None:
        users = [user(f"u{i}") for i in range(10)]
        groups = [group(f"g{i}") for i in range(3)]
        ties = [tie("MEMBER_OF", f"u{i}", "g0") for i in range(10)]
        ties += [tie("MEMBER_OF", "g0", "g1"), tie("MEMBER_OF", "g1", "g2")]
        ties += [tie("OWNS", "u0", "g2"), tie("OWNS", "u1", "g1")]
        await load(graph, Load([*users, *groups, user("alone")], ties))
        for uid, depth, limit, nodes, edges, complete in (
            ("alone", 3, 5, 1, 0, True),
            ("g0", 0, 5, 1, 0, True),
            ("g0", 1, 100, 12, 11, True),
            ("g0", 1, 11, 12, 11, True),
            ("g0", 1, 10, 11, 10, False),
            ("g2", 1, 100, 3, 2, True),
            ("g2", 2, 100, 5, 5, True),
            ("g2", 2, 5, 5, 5, True),
            ("g2", 2, 4, None, 4, False),
            ("g2", 2, 2, 3, 2, False),
            ("g2", 9, 14, 13, 14, True),
            ("g2", 9, 100, 13, 14, True),
            ("g2", 9, 13, None, 13, False),
        ):
            found = await graph.neighbourhood(uid, depth, limit)
            case = (uid, depth, limit)
            assert len(found.ties) == edges, case
            assert nodes in (None, len(found.nodes)), case
            assert found.complete == complete, case
            there = {node["uid"] for node in found.nodes}
            assert {t[side] for t in found.ties for side in ("start", "end")} <= there
            assert found.nodes[0]["uid"] == uid
        with pytest.raises(NoSuchNodeError):
            await graph.neighbourhood("nobody")

    on_empty(address, around)
