"""The graph of tenants in one database: write it in passes or one by one, ask, compare, delete."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from simbuilder.graph import comparing, cypher, paths, queries, routes
from simbuilder.graph.batches import version
from simbuilder.graph.comparing import NOW, Change, State
from simbuilder.graph.database import (
    Address,
    Answer,
    Capabilities,
    Database,
    Transaction,
    connected,
    writes,
)
from simbuilder.graph.errors import (
    GraphConflictError,
    GraphConstraintError,
    GraphQueryError,
    GraphSchemaError,
    NoSuchNodeError,
    no_such_node,
)
from simbuilder.graph.passes import Listeners, Pass, Progress, begin, moment
from simbuilder.graph.paths import MAX_LENGTH, Path
from simbuilder.graph.preparing import Preparer, Row, said
from simbuilder.graph.pruning import tie_version
from simbuilder.graph.queries import Page, Question
from simbuilder.graph.records import PLANES, Node, Relationship, Remark, bare_uid, fold
from simbuilder.graph.schema import Schema

MIGRATIONS: Mapping[int, Sequence[str]] = {}
"""Schema version -> the statements that bring a graph of the version before it there."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a graph holds: by kind, plane and tenant."""

    nodes: Mapping[tuple[str, str, str], int]
    relationships: Mapping[tuple[str, str, str], int]

    def by_kind(self, counted: Mapping[tuple[str, str, str], int]) -> dict[str, int]:
        """Return the counts of `nodes` or `relationships` by kind alone, in order."""
        total: Counter[str] = Counter()
        for (kind, _plane, _tenant), number in counted.items():
            total[kind] += number
        return dict(sorted(total.items()))


@dataclass(frozen=True, slots=True)
class Around:
    """What lies around a node; not `complete` if there is more than was asked for."""

    nodes: tuple[Mapping[str, Any], ...]
    ties: tuple[Mapping[str, Any], ...]
    complete: bool


class GraphService:
    """One graph. Everything raises the errors of `graph.errors`, and nothing else of a database.

    Made by `open_graph`.
    """

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database, self.schema = database, schema
        self._preparer = Preparer(schema)

    # --- what is there ---------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        """What the database is, and what it can do that not all can."""
        return self._database.capabilities

    async def initialize_schema(self) -> int:
        """Declare constraints and indexes, bring an older graph up to date, return its version.

        Does nothing where all is there. Raises `GraphSchemaError` for a graph of a newer version.
        """
        for declaration in cypher.DECLARATIONS:
            await self._database.declare(declaration)
        try:
            await self._database.write(cypher.FOUND, version=self.schema.version)
        except GraphConstraintError:  # another founded it in the same moment
            await self._database.write(cypher.FOUND, version=self.schema.version)
        found = await self.version()
        for step in range(found + 1, self.schema.version + 1):
            for statement in MIGRATIONS[step]:
                await self._database.write(statement)
            await self._database.write(cypher.MIGRATED, version=step)
        return self.schema.version

    async def version(self) -> int:
        """Return the version of the graph, 0 if there is none. Raises `GraphSchemaError`."""
        rows = await self._database.read(cypher.GRAPH)
        found = int(rows[0]["version"]) if rows else 0
        if found > self.schema.version:
            raise GraphSchemaError(
                f"the graph is of version {found}, this program knows {self.schema.version}",
                "use the newer SimBuilder that wrote it",
            )
        return found

    async def counts(self) -> Counts:
        """Return how much there is of each kind, on each plane, of each tenant."""
        nodes = await self._database.read(queries.NODE_COUNTS)
        ties = await self._database.read(queries.TIE_COUNTS)
        return Counts(_counted(nodes), _counted(ties))

    async def snapshots(self) -> list[Mapping[str, Any]]:
        """Return what is known of each pass, the oldest first."""
        return [row["p"] for row in await self._database.read(cypher.PASSES)]

    # --- in bulk ---------------------------------------------------------------------------

    async def begin(
        self,
        name: str = "",
        source: str = "",
        tell: Callable[[Progress], None] = lambda _progress: None,
        hear: Callable[[Remark], None] = lambda _remark: None,
    ) -> Pass:
        """Begin a pass, or take up the interrupted one over the same `source`, see `passes`."""
        return await begin(self._database, self.schema, source, name, Listeners(tell, hear))

    # --- one by one ------------------------------------------------------------------------

    async def create(self, node: Node) -> Row:
        """Create a node; return its row. Raises `GraphConstraintError` if its uid is taken."""
        prepared = self._prepared(node)
        statement = cypher.create_node(self.schema.node_kinds[node.kind])
        try:
            rows = await self._database.write(statement, p=prepared, at=moment())
        except GraphConstraintError:
            raise GraphConstraintError(
                f"the graph has a node {prepared['uid']:.120} already",
                "read it and update it, or give another uid",
            ) from None
        if not rows:
            raise _uninitialized()
        return dict(rows[0]["node"])

    async def get(self, uid: str) -> Row:
        """Return a node's row. Raises `NoSuchNodeError`."""
        rows = await self._database.read(cypher.GET_NODE, uid=fold(uid))
        if not rows:
            raise no_such_node(uid)
        return dict(rows[0]["node"])

    async def update(self, uid: str, changes: Mapping[str, Any], revision: int) -> Row:
        """Set some properties of a node (`None` removes one) and return its new row.

        Raises `GraphConflictError` if the node is no longer of that `revision`.
        """
        changed = self._checked(changes) | {"hash": None}
        rows = await self._database.write(
            cypher.UPDATE_NODE, uid=fold(uid), p=changed, revision=revision, at=moment()
        )
        if not rows:
            raise no_such_node(uid)
        if not rows[0]["current"]:
            raise _conflict(uid, revision, rows[0]["node"]["revision"])
        return dict(rows[0]["node"])

    async def delete(self, uid: str, revision: int) -> None:
        """Delete a node with its relationships; all are kept as history. Raises like `update`."""
        key = fold(uid)

        async def work(transaction: Transaction) -> bool:
            found = await transaction.run(cypher.DELETE_NODE, uid=key, revision=revision)
            if not found:
                return False
            last = int((await transaction.run(cypher.GRAPH))[0]["last"])
            ties = await transaction.run(cypher.TIES_OF, uids=[key])
            kept = [version(key, found[0]["was"], last + 1)]
            kept += [tie_version(tie["kind"], tie, last + 1) for tie in ties]
            await transaction.change(cypher.KEEP_VERSIONS, rows=kept)
            await transaction.change(cypher.DELETE_NODES, uids=[key])
            return True

        if not await self._database.writing(work):
            raise _conflict(uid, revision, (await self.get(uid))["revision"])

    def _prepared(self, node: Node) -> Row:
        remarks: list[Remark] = []
        prepared = self._preparer.node(node, remarks)
        if prepared is None:
            raise GraphQueryError(remarks[0].message, "docs/graph-model.md lists kinds")
        return dict(prepared.row["p"])

    def _checked(self, changes: Mapping[str, Any]) -> Row:
        for name, value in changes.items():
            if self.schema.property_type(name) is None:
                raise GraphQueryError(
                    f"no kind has a property {name!r:.80}", "docs/graph-model.md lists them"
                )
            if value is not None and not self._preparer.fits(name, value):
                kind = self.schema.property_type(name)
                raise GraphQueryError(f"{name} is {kind}, not {type(value).__name__}")
        return dict(changes)

    # --- questions -------------------------------------------------------------------------

    async def find(self, question: Question) -> Page:
        """Return the nodes that answer a question, by uid, a page at a time."""
        statement, values = queries.statement(self.schema, question)
        return queries.page(await self._database.read(statement, **values), question.limit)

    async def resolve(self, reference: str) -> str:
        """Return the uid meant: a uid, or the name or upn of one node alone, or one observed alone.

        Raises `NoSuchNodeError`, also if several have it.
        """
        key = fold(reference)
        if await self._database.read(cypher.GET_NODE, uid=key):
            return key
        rows = await self._database.read(queries.BY_NAME, name=reference.strip().lower())
        observed = [row for row in rows if bare_uid(row["uid"]) == row["uid"]]
        if len(rows) == 1 or len(observed) == 1:
            return str((observed or rows)[0]["uid"])
        if not rows:
            raise no_such_node(reference)
        some = ", ".join(f"{row['uid']} ({row['kind']})" for row in rows[:5])
        raise NoSuchNodeError(f"several nodes are called {reference!r:.80}", f"give a uid: {some}")

    async def neighbourhood(self, uid: str, depth: int = 1, limit: int = 500) -> Around:
        """Return what is within `depth` steps of a node, in any direction, `limit` ties at most."""
        root = await self.get(uid)
        nodes: dict[str, Mapping[str, Any]] = {root["uid"]: root}
        ties: dict[tuple[str, ...], Mapping[str, Any]] = {}
        edge, complete = [root["uid"]], True
        for _ in range(depth):
            if not edge or not complete:
                break
            # a tie within the edge is found from both of its ends
            rows = await self._database.read(queries.AROUND, uids=edge, limit=2 * limit + 1)
            before = set(nodes)
            for row in rows:
                tie = row["tie"]
                key = (tie["kind"], tie["start"], tie["end"], tie["p"].get("key", ""))
                if key in ties or len(ties) < limit:
                    ties[key] = tie
                    nodes[row["node"]["uid"]] = row["node"]
                else:
                    complete = False
            edge = [key for key in nodes if key not in before]
        return Around(tuple(nodes.values()), tuple(ties.values()), complete)

    async def paths(
        self,
        start: str,
        end: str,
        *,
        families: Sequence[str] = ("attack",),
        k: int = 1,
        length: int = MAX_LENGTH,
    ) -> list[Path]:
        """Return the `k` shortest ways from one node to another, none longer than `length`.

        They follow relationships of some families, in their direction, through hubs as well.
        """
        ends = _ends(start, end)
        if k < 1:
            raise GraphQueryError(f"there are no {k} paths", "ask for one or more")
        allowed = paths.types(self.schema, families)
        return await routes.shortest(self._database, allowed, ends, k, length)

    async def all_paths(
        self,
        start: str,
        end: str,
        *,
        families: Sequence[str] = ("attack",),
        length: int = 6,
        limit: int = 1000,
    ) -> AsyncIterator[Path]:
        """Yield the ways that visit no node twice and are no longer than `length`, short first."""
        ends = _ends(start, end)
        allowed = paths.types(self.schema, families)
        async for path in routes.every(self._database, allowed, ends, length, limit):
            yield path

    async def query(
        self, statement: str, parameters: Mapping[str, Any] | None = None, *, write: bool = False
    ) -> Answer:
        """Run a statement of the caller's own.

        Unless told to `write` it cannot, on both databases.
        """
        able = self.capabilities.refuses_to_write
        if not write and not able and queries.would_write(statement):
            raise writes()
        return await self._database.statement(statement, parameters or {}, write=write)

    # --- comparing -------------------------------------------------------------------------

    async def diff(self, a: str | int, b: str | int = NOW) -> AsyncIterator[Change]:
        """Yield what differs between two planes, or between the graph after two passes.

        Raises `GraphQueryError` for what is neither, or one of each.
        """
        if isinstance(a, int) and isinstance(b, int):
            changes = comparing.between_snapshots(self._database, self.schema, a, b)
        elif a in PLANES and b in PLANES:
            changes = comparing.between_planes(self._database, self.schema, str(a), str(b))
        else:
            raise GraphQueryError(
                f"{a!r:.80} and {b!r:.80} are not two planes or two snapshots",
                f"planes are {', '.join(PLANES)}; 'simbuilder graph stats' lists snapshots",
            )
        async for change in changes:
            yield change

    async def history(self, uid: str) -> list[State]:
        """Return the states of a node, the oldest first. Raises `NoSuchNodeError`."""
        rows = await self._database.read(cypher.GET_NODE, uid=fold(uid))
        present = rows[0]["node"] if rows else None
        states = await comparing.history(self._database, fold(uid), present)
        if not states:
            raise no_such_node(uid)
        return states

    # --- all of it -------------------------------------------------------------------------

    async def nodes(self) -> AsyncIterator[Node]:
        """Yield every node as it could be loaded again."""
        async for row in self._database.stream(queries.ALL_NODES):
            n = row["node"]
            yield Node(n["kind"], n["uid"], n["tenant_id"], said(n), n["plane"], n["collection"])

    async def relationships(self) -> AsyncIterator[Relationship]:
        """Yield every relationship as it could be loaded again."""
        for kind in self.schema.relationships:
            async for row in self._database.stream(queries.all_ties(kind.name)):
                tie = row["tie"]
                place = (row["tenant"], said(tie), row["plane"], tie.get("collection", ""))
                yield Relationship(kind.name, row["start"], row["end"], *place)

    async def wipe(self, tell: Callable[[int], None] = lambda _deleted: None) -> int:
        """Delete every node of ours, with its history and passes; return how many nodes that were.

        What others keep in the same database stays. `tell` hears the number so far.
        """
        deleted = 0
        for statement in cypher.WIPE:
            while rows := await self._database.write(statement, limit=5000):
                if not rows[0]["n"]:
                    break
                deleted += int(rows[0]["n"]) if statement is cypher.WIPE_NODES else 0
                tell(deleted)
        return deleted


@asynccontextmanager
async def open_graph(
    address: Address, schema: Schema | None = None, *, deadline_s: float = 30.0
) -> AsyncIterator[GraphService]:
    """Connect to the graph at an address; each call takes `deadline_s` at most, retries included.

    Raises `GraphConnectionError` within seconds if nobody answers there, `GraphCredentialsError`.
    """
    from simbuilder.graph.model import SCHEMA

    async with connected(address, deadline_s) as database:
        yield GraphService(database, schema or SCHEMA)


def _ends(start: str, end: str) -> dict[str, str]:
    if fold(start) == fold(end):
        raise GraphQueryError("a path leads from one node to another", "give two nodes")
    return {"start": fold(start), "end": fold(end)}


def _counted(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], int]:
    return {(row["kind"], row["plane"], row["tenant"]): int(row["n"]) for row in rows}


def _conflict(uid: str, revision: int, found: Any) -> GraphConflictError:
    return GraphConflictError(
        f"{uid:.120} has been changed: it is of revision {found}, not {revision}",
        "read it again, and decide anew",
    )


def _uninitialized() -> GraphSchemaError:
    return GraphSchemaError("the database holds no graph yet", "'simbuilder graph init' makes one")
