"""A statement that may only read cannot write, and whatever is a value stays one."""

import asyncio
from typing import Any

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import GraphError, GraphQueryError, GraphTimeoutError
from simbuilder.graph.queries import Filter, Question
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.service import GraphService
from tests.graphs import TENANT, Load, dump, group, load, numbers, on_empty, opened, tie, user

WRITES = (
    "CREATE (:Extra)",
    "create (:Extra)",
    "CrEaTe (:Extra) RETURN 1",
    "MATCH (n) CREATE (:Extra)",
    "MERGE (:Extra)",
    "MATCH (n)SET n.name = 'x'",
    "MATCH (n)\nSET\tn.name = 'x' RETURN n",
    "MATCH (n) SET n:Extra",
    "MATCH (n) REMOVE n.name",
    "MATCH (n) DETACH DELETE n",
    "MATCH ()-[r]->() DELETE r",
    "MATCH (n) /* only reads */ SET n.name = 'x'",
    "MATCH (n) // RETURN n\nSET n.name = 'x'",
    "MATCH (n) WITH n, '//' AS s SET n.name = 'x'",
    "MATCH (n) WITH n, '/*' AS s SET n.name = 'x' WITH s RETURN '*/'",
    "MATCH (n) WITH n, \"it's\" AS s SET n.name = 'x' RETURN 'it'",
    "MATCH (n) WITH n, 'a\\'b' AS s SET n.name = 'x'",
    "MATCH (n) WITH n, 'a\\\\' AS s SET n.name = 'x' RETURN 'b'",
    "MATCH (n) WITH n, 1 AS `it's` SET n.name = 'x' RETURN 1 AS `b's`",
    "MATCH (n) WITH n LIMIT 1.SET n.name = 'x'",
    "MATCH (n) \\u0053ET n.name = 'x'",
    "foreach (i IN [1] | create (:Extra))",
    "MATCH (n) CALL { WITH n SET n.name = 'x' } RETURN n",
    "CALL { CREATE (:Extra) } IN TRANSACTIONS",
    "UNWIND [1] AS i CREATE (:Extra {i: i})",
    "RETURN 1 UNION CREATE (x:Extra) RETURN 1",
    "CREATE INDEX extra FOR (n:Extra) ON (n.name)",
    "create index extra if not exists for (n:Extra) on (n.name)",
    "CREATE CONSTRAINT extra FOR (n:Extra) REQUIRE n.name IS UNIQUE",
    "DROP CONSTRAINT entity_uid",
    "DROP INDEX version_of",
    "CREATE USER intruder SET PASSWORD 'long enough'",
    "ALTER USER neo4j SET PASSWORD 'long enough'",
    "PROFILE CREATE (:Extra)",
)

READS = (
    ("RETURN 'SET' AS x", "SET"),
    ("RETURN 'it\\'s: CREATE (n) DELETE n' AS x", "it's: CREATE (n) DELETE n"),
    ('RETURN "MERGE" AS x', "MERGE"),
    ("MATCH (n:EntraUser) WHERE n.name CONTAINS 'DELETE' RETURN count(n) AS x", 0),
    ("RETURN 1 AS x // CREATE (n)", 1),
    ("RETURN /* DETACH DELETE */ 2 AS x", 2),
    ("WITH 3 AS `set` RETURN `set` AS x", 3),
    ("MATCH (n:EntraUser) RETURN count(n.created) AS x", 0),
    ("RETURN $set AS x", "SET"),
)


async def some(graph: GraphService) -> None:
    nodes = [user("u1", name="Ann"), user("u2"), group("g1")]
    await load(graph, Load(nodes, [tie("MEMBER_OF", "u1", "g1")]))


def test_what_would_write_is_refused_and_nothing_is_changed(address: Address) -> None:
    async def refused(graph: GraphService) -> None:
        await some(graph)
        before, there = await numbers(graph), await dump(graph)
        rules = "SHOW CONSTRAINTS YIELD name RETURN name"
        declared = sorted((await graph.query(rules))[1])
        for statement in WRITES:
            with pytest.raises(GraphQueryError):
                await graph.query(statement)
            assert await numbers(graph) == before, statement
        assert await dump(graph) == there
        assert sorted((await graph.query(rules))[1]) == declared

    on_empty(address, refused)
    asyncio.run(still_open(address))


async def still_open(address: Address) -> None:
    """The password is what it was."""
    async with opened(address) as graph:
        assert await graph.query("RETURN 1")


def test_words_that_write_are_harmless_where_they_are_text(address: Address) -> None:
    async def read(graph: GraphService) -> None:
        await some(graph)
        for statement, value in READS:
            columns, rows, changed = await graph.query(statement, {"set": "SET"})
            assert (columns, rows, changed) == (("x",), [(value,)], {}), statement

    on_empty(address, read)


def test_who_may_write_writes(address: Address) -> None:
    async def written(graph: GraphService) -> None:
        before = await numbers(graph)
        made = "UNWIND $names AS name CREATE (n:Extra {name: name}) RETURN n.name AS name"
        columns, rows, changed = await graph.query(made, {"names": ["a", "b"]}, write=True)
        assert (columns, rows, changed["nodes_created"]) == (("name",), [("a",), ("b",)], 2)
        assert await graph.wipe() == 0
        assert await numbers(graph) == (before[0] + 2, before[1]), "what is not ours stays"
        await graph.query("MATCH (n:Extra) DELETE n", write=True)
        with pytest.raises(GraphQueryError):
            await graph.query("CREATE (", write=True)
        with pytest.raises(GraphQueryError):
            await graph.query("RETURN $missing")

    on_empty(address, written)


HOSTILE = (
    *("`", "'", '"', "\\", "`) DETACH DELETE n //", "'}) DETACH DELETE n //"),
    *('"}) DETACH DELETE n //', "}) DETACH DELETE n //", "$p", "{{name}}", "\\u0060", "\\u0027"),
    *(
        "x` {uid: 1}) MATCH (m) DETACH DELETE m //",
        "EntraUser`:`Extra",
        "%s",
        "\u0060\u0060",
        "a|b",
    ),
)


def test_names_that_are_statements_stay_data_or_are_refused(address: Address) -> None:
    async def harmless(graph: GraphService) -> None:
        await some(graph)
        before = await numbers(graph)
        start = await graph.begin("'}) DETACH DELETE n //", "`'\"$source")
        passes = (await numbers(graph))[0] - before[0]
        for text in HOSTILE:
            attempts: list[Any] = [
                graph.find(Question(text)),
                graph.find(Question("EntraUser", [Filter(text, "=", 1)])),
                graph.find(Question("EntraUser", [Filter("name", text, 1)])),  # type: ignore[arg-type]
                graph.find(Question("EntraUser", cursor=text)),
                graph.create(Node(text, "u3", TENANT)),
                graph.update("u1", {text: "x"}, 1),
                graph.paths("u1", "g1", families=[text]),
                graph.paths(text, "g1"),
                graph.get(text),
                graph.delete(text, 1),
                graph.resolve(text),
                graph.neighbourhood(text),
                graph.history(text),
            ]
            for attempt in attempts:
                with pytest.raises(GraphError):
                    await attempt
            for question in (
                Question("EntraUser", [Filter("name", "contains", text)]),
                Question("EntraUser", plane=text),
                Question("EntraUser", tenant_id=text),
            ):
                assert (await graph.find(question)).nodes == ()
            await start.upsert([Node(text, "u3", TENANT), user("u4", plane=text)])  # type: ignore[arg-type]
            await start.link([Relationship(text, "u1", "g1", TENANT), tie("OWNS", text, "g1")])
        assert (await numbers(graph)) == (before[0] + passes, before[1])
        assert start.report.total("refused") == 3 * len(HOSTILE)
        assert start.report.total("dangling") == len(HOSTILE)

    on_empty(address, harmless)


def test_values_that_are_statements_come_back_as_they_were(address: Address) -> None:
    async def data(graph: GraphService) -> None:
        nodes = [
            Node("EntraUser", f"{text}-{i}", f"t{text}", {"name": text, text: text}, at=text)
            for i, text in enumerate(HOSTILE)
        ]
        ties = [
            Relationship("MEMBER_OF", nodes[i - 1].uid, node.uid, TENANT, {text: text})
            for i, (node, text) in enumerate(zip(nodes, HOSTILE, strict=True))
        ]
        await load(graph, Load(nodes, ties))
        there, tied = await dump(graph)
        assert len(there) == len(tied) == len(HOSTILE)
        for i, text in enumerate(HOSTILE):
            uid = f"{text}-{i}".lower()
            assert there[uid][1] == f"t{text}".lower()
            assert there[uid][4] == {"name": text, text: text}
            (found,) = (await graph.find(Question(filters=[Filter("name", "=", text)]))).nodes
            assert found["uid"] == uid
            assert (await graph.get(f"{text}-{i}"))["uid"] == await graph.resolve(uid) == uid
            assert len((await graph.neighbourhood(uid)).ties) == 2
            assert len(await graph.history(uid)) == 1
        for i, text in enumerate(HOSTILE):
            await graph.update(f"{text}-{i}", {"surname": text}, 1)
            await graph.delete(f"{text}-{i}", 2)
        assert await dump(graph) == ({}, {})

    on_empty(address, data)


SLOW = "UNWIND range(1, 5000) AS a UNWIND range(1, 6000) AS b WITH a + b AS c RETURN max(c) AS x"


def test_what_takes_too_long_ends_at_the_deadline_and_the_next_question_is_answered(
    address: Address,
) -> None:
    async def late() -> None:
        async with opened(address, deadline_s=0.5) as graph:
            began = asyncio.get_running_loop().time()
            with pytest.raises(GraphTimeoutError):
                await graph.query(SLOW)
            assert asyncio.get_running_loop().time() - began < 3
        async with opened(address) as graph:
            assert (await graph.query("RETURN 1 AS x"))[1] == [(1,)]

    asyncio.run(late())
