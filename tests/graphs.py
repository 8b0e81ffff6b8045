"""Graphs for tests: a server of our own, the graph in it, and what to put there and compare."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.passes import Finished
from simbuilder.graph.records import Listing, Node, Plane, Relationship
from simbuilder.graph.schema import Schema
from simbuilder.graph.service import GraphService, open_graph
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session
from tests.contract.test_runtime import Case, compose_case, local_case, start

T = TypeVar("T")

DATABASES = ("neo4j", "embedded")
TENANT, OTHER = "tenant-a", "tenant-b"
NEO4J = ("neo4j",)
KEYS = {kind.name: kind.key for kind in SCHEMA.relationships}


@dataclass(frozen=True)
class GraphServer:
    """A session with nothing but a graph database."""

    database: str
    case: Case
    session: Session

    @property
    def address(self) -> Address:
        return Address(
            f"bolt://{catalog.HOST}:{self.session.port('neo4j.bolt')}",
            catalog.NEO4J_USER,
            self.session.secrets["neo4j"],
            catalog.NEO4J_DATABASE,
        )

    def start(self) -> None:
        start(self.case, self.session, NEO4J)

    def stop(self) -> None:
        self.case.runtime.stop(self.session.id, NEO4J)


@contextmanager
def serving(database: str, request: pytest.FixtureRequest, root: Path) -> Iterator[GraphServer]:
    """Start a server for the block; nothing of it is left afterwards."""
    if database == "neo4j":
        case = compose_case(root, request.getfixturevalue("docker_images"))
    else:
        case = local_case(root, request.getfixturevalue("local_servers"))
    server = GraphServer(database, case, case.session())
    try:
        server.start()
        yield server
    finally:
        case.runtime.remove(server.session.id)
    assert case.runtime.traces() == set()


@asynccontextmanager
async def opened(
    address: Address, *, deadline_s: float = 30.0, schema: Schema | None = None
) -> AsyncIterator[GraphService]:
    """Connect to the graph as it is."""
    async with open_graph(address, schema, deadline_s=deadline_s) as graph:
        yield graph


def on_empty(address: Address, test: Callable[[GraphService], Awaitable[T]]) -> T:
    """Run a test's coroutine on a graph that holds nothing."""

    async def run() -> T:
        async with opened(address) as graph:
            await graph.initialize_schema()
            await graph.wipe()
            return await test(graph)

    return asyncio.run(run())


# --- records -------------------------------------------------------------------------------


def user(uid: str, tenant_id: str = TENANT, plane: Plane = "observed", **said: Any) -> Node:
    return Node("EntraUser", uid, tenant_id, said, plane, at=f"users.json:{uid}")


def group(uid: str, tenant_id: str = TENANT, plane: Plane = "observed", **said: Any) -> Node:
    return Node("EntraGroup", uid, tenant_id, said, plane, at=f"groups.json:{uid}")


def tie(kind: str, start: str, end: str, tenant_id: str = TENANT, **said: Any) -> Relationship:
    return Relationship(kind, start, end, tenant_id, said, at=f"ties.json:{start}:{end}")


def listing(
    collection: str,
    received: int,
    expected: int | None = -1,
    tenant_id: str = TENANT,
    plane: Plane = "observed",
) -> Listing:
    """A listing that is complete unless told how much was `expected`."""
    return Listing(tenant_id, plane, collection, received, received if expected == -1 else expected)


@dataclass(frozen=True)
class Load:
    """What one pass has to read."""

    nodes: Iterable[Node] = ()
    ties: Iterable[Relationship] = ()
    listings: tuple[Listing, ...] = ()
    size: int = 10_000
    source: str = ""
    vanished: bool = field(default=True)


async def load(graph: GraphService, what: Load) -> Finished:
    """Load in one pass."""
    current = await graph.begin("test", what.source)
    await current.upsert(what.nodes, what.size)
    await current.link(what.ties, what.size)
    return await current.finish(what.listings, vanished=what.vanished)


# --- comparing -----------------------------------------------------------------------------

Dump = tuple[dict[str, Any], dict[Any, Any]]


async def dump(graph: GraphService) -> Dump:
    """All that a graph says, without when it was seen; fails if anything is there twice."""
    nodes: dict[str, Any] = {}
    async for n in graph.nodes():
        assert n.uid not in nodes, f"two nodes {n.uid}"
        nodes[n.uid] = (n.kind, n.tenant_id, n.plane, n.collection, dict(n.properties))
    ties: dict[Any, Any] = {}
    async for r in graph.relationships():
        told = tuple(str(r.properties.get(name, "")) for name in KEYS[r.kind])
        key = (r.kind, r.start, r.end, told)
        assert key not in ties, f"two ties {key}"
        ties[key] = (r.tenant_id, r.plane, r.collection, dict(r.properties))
    return nodes, ties


async def numbers(graph: GraphService) -> tuple[int, int]:
    """How many nodes and relationships there are of whatever kind, ours or not."""
    nodes = await graph.query("MATCH (n) RETURN count(n)")
    ties = await graph.query("MATCH ()-[r]->() RETURN count(r)")
    return int(nodes[1][0][0]), int(ties[1][0][0])


def everything(report: Any) -> int:
    """How many records a report accounts for."""
    return sum(sum(of.values()) for of in report.counts.values()) + int(report.skipped)
