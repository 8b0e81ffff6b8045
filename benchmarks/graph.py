"""The graph service against the driver alone: loading, one node at a time, and paths."""

import asyncio
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import COMMAND, PYTHON, Home, report
from simbuilder.graph import cypher
from simbuilder.graph.database import Address
from simbuilder.graph.formats import bundle
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.paths import MAX_LENGTH
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.service import GraphService, open_graph
from simbuilder.graph.synthetic import tenant
from simbuilder.scaffolding.dotenv import parse

if TYPE_CHECKING:
    from neo4j import AsyncDriver

NODES, TIES = 100_000, 300_000
USERS = 44_000
ROUNDS = 400
MEMORY_MIB = 200


def bench_graph(home: Home, what: str) -> list[bool]:
    """Compare on sessions of this home; `what` names its database. Return which bars are kept."""
    file = home.folder / "large.jsonl"
    with file.open("wb") as out:
        bundle.write(_large(), out)
    empty = _measured(home, PYTHON, "-c", "pass")[1]
    bare = _loaded(home, PYTHON, "-m", "benchmarks.bare_load", str(file))[0]
    home.run("session", "cleanup")
    ours, peak = _loaded(home, COMMAND, "graph", "load", str(file), "--json")
    rate = report(f"{what}: graph load of 100,000 and 300,000 / driver alone", [ours], [bare], 1.25)
    flat = peak - empty <= MEMORY_MIB
    above = f"{what}: memory of that, above the interpreter's {empty:.0f} MiB"
    verdict = "ok" if flat else "MISSED"
    print(f"{above:<60} {peak - empty:6.1f} MiB (at most {MEMORY_MIB})  {verdict}")
    good = asyncio.run(_one_by_one(_address(home), what))
    home.run("session", "cleanup")
    return [rate, flat, *good]


def _loaded(home: Home, *argv: str) -> tuple[float, float]:
    """Return the seconds and the MiB that a command takes which fills a new session's graph."""
    home.run("session", "create", "--start-containers", "--services", "neo4j")
    address = _address(home)
    return _measured(home, *argv, NEO4J_URI=address.uri, NEO4J_PASSWORD=address.password)


def _large() -> Iterator[Node | Relationship]:
    """Yield the first nodes of a synthetic tenant, and as many of the ties between them."""
    known: set[str] = set()
    left = TIES
    for record in tenant(USERS, 1):
        if isinstance(record, Node) and len(known) < NODES:
            known.add(record.uid)
            yield record
        elif isinstance(record, Relationship) and {record.start, record.end} <= known and left:
            left -= 1
            yield record


def _address(home: Home) -> Address:
    said, _ = parse((home.folder / ".env.session").read_text())
    return Address(said["NEO4J_URI"], said["NEO4J_USER"], said["NEO4J_PASSWORD"])


_LAUNCHER = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def _measured(home: Home, *argv: str, **more: str) -> tuple[float, float]:
    """Return the seconds that a command takes, and the MiB that it was resident with at most.

    A process of its own starts it: a child counts the memory of its parent as its own.
    """
    done = subprocess.run(
        [PYTHON, "-c", _LAUNCHER, *argv],
        env={**home.env, "PYTHONPATH": str(Path.cwd()), **more},
        cwd=home.folder,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    seconds, mebibytes = done.stdout.split()
    return float(seconds), float(mebibytes)


async def _one_by_one(address: Address, what: str) -> list[bool]:
    from neo4j import AsyncGraphDatabase

    auth = (address.user, address.password)
    async with (
        AsyncGraphDatabase.driver(address.uri, auth=auth, notifications_min_severity="OFF") as bare,
        open_graph(address) as graph,
    ):
        return [*await _crud(graph, bare, what), await _paths(graph, bare, what)]


async def _crud(graph: GraphService, bare: "AsyncDriver", what: str) -> list[bool]:
    """Compare the 95th percentile of create, get, update and delete, taken in turn."""
    at, kind = "2026-01-01", SCHEMA.node_kinds["EntraUser"]
    own: dict[str, Any] = {"name": "N", "kind": kind.name, "plane": "observed", "tenant_id": "t"}

    async def ask(statement: str, **values: Any) -> None:
        await bare.execute_query(statement, values, database_="neo4j")

    def mine(i: int) -> dict[str, Callable[[], Awaitable[object]]]:
        node = Node(kind.name, f"ours-{i}", "t", {"name": "N"})
        return {
            "create": lambda: graph.create(node),
            "get": lambda: graph.get(node.uid),
            "update": lambda: graph.update(node.uid, {"name": "M"}, 1),
            "delete": lambda: graph.delete(node.uid, 2),
        }

    def theirs(i: int) -> dict[str, Callable[[], Awaitable[object]]]:
        uid = f"bare-{i}"
        change: dict[str, Any] = {"name": "M", "hash": None}
        return {
            "create": lambda: ask(cypher.create_node(kind), p=own | {"uid": uid}, at=at),
            "get": lambda: ask(cypher.GET_NODE, uid=uid),
            "update": lambda: ask(cypher.UPDATE_NODE, uid=uid, p=change, revision=1, at=at),
            "delete": lambda: ask(cypher.DELETE_NODES, uids=[uid]),
        }

    good = []
    for verb in ("create", "get", "update"):
        pairs = [(mine(i)[verb], theirs(i)[verb]) for i in range(ROUNDS)]
        ours, others = await _in_turn(pairs)
        line = f"{what}: {verb}, 95th percentile / driver alone"
        good.append(report(line, [_p95(ours)], [_p95(others)], 1.3))
    pairs = [(mine(i)["delete"], theirs(i)["delete"]) for i in range(ROUNDS)]
    ours, others = await _in_turn(pairs)
    report(f"{what}: delete, which keeps history / one that does not", ours, others, None)
    return good


async def _paths(graph: GraphService, bare: "AsyncDriver", what: str) -> bool:
    """Compare the shortest attack path from users to the most powerful role."""
    rows = (await graph.query("MATCH (r:EntraRoleDefinition) RETURN r.uid LIMIT 1"))[1]
    users = (await graph.query("MATCH (u:EntraUser) RETURN u.uid LIMIT 40"))[1]
    goal = rows[0][0]
    types = "|".join(SCHEMA.families["attack"])
    statement = (
        "MATCH (a:Entity {uid: $start}) MATCH (b:Entity {uid: $end}) "
        f"MATCH p = shortestPath((a)-[:{types}*..{MAX_LENGTH}]->(b)) RETURN p"
    )

    def alone(uid: str) -> Callable[[], Awaitable[object]]:
        values = {"start": uid, "end": goal}
        return lambda: bare.execute_query(statement, values, database_="neo4j")

    def ours(uid: str) -> Callable[[], Awaitable[object]]:
        return lambda: graph.paths(uid, goal)

    mine, others = await _in_turn(5 * [(ours(uid), alone(uid)) for (uid,) in users])
    line = f"{what}: shortest attack path / the same Cypher alone"
    return report(line, mine, others, 1.2)


async def _in_turn(
    pairs: list[tuple[Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]],
) -> tuple[list[float], list[float]]:
    """Return the seconds of the first and of the second of each pair, the first tenth left out."""
    times: tuple[list[float], list[float]] = ([], [])
    for number, pair in enumerate(pairs):
        for side in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            await pair[side]()
            times[side].append(time.perf_counter() - began)
    warm = len(pairs) // 10
    return times[0][warm:], times[1][warm:]


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]
