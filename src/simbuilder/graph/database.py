"""The one door to the graph database: connections, transactions, and its errors in our words."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from simbuilder.graph.errors import (
    GraphConflictError,
    GraphConnectionError,
    GraphConstraintError,
    GraphCredentialsError,
    GraphError,
    GraphQueryError,
    GraphTimeoutError,
)
from simbuilder.scaffolding.text import bolt_product

if TYPE_CHECKING:
    from neo4j import (
        AsyncDriver,
        AsyncManagedTransaction,
        AsyncResult,
        AsyncSession,
        AsyncTransaction,
        RoutingControl,
    )

T = TypeVar("T")

Rows = list[dict[str, Any]]
Answer = tuple[tuple[str, ...], list[tuple[Any, ...]], dict[str, int]]
"""Columns, rows as the driver has them, and what was changed."""

Work = Callable[["Transaction"], Awaitable[T]]

_URI = re.compile(r"(?:bolt|neo4j)(?:\+s|\+ssc)?://[^@\s]+")
RETRY_S = 30.0
"""What fails and could succeed is tried again for so long at most, whatever time there is."""

_CONNECT_S = 5.0
_TRIES = 12
_DECLARED = re.compile(r"(?:CONSTRAINT|INDEX) (\w+)")
_DECLARED_TWICE = re.compile(r"Neo\.(TransientError|ClientError\.Schema)\.")


@dataclass(frozen=True)
class Address:
    """Where a graph is, and as whom to go there. The password appears in no text of it."""

    uri: str
    user: str
    password: str = field(repr=False)
    database: str = "neo4j"


@dataclass(frozen=True)
class Capabilities:
    """What the database behind the address is, and what it can do that not all can."""

    product: str
    version: str
    embedded: bool
    """Whether this is the embedded ArcadeDB, which says that it is Neo4j 5.26.0."""

    @property
    def k_shortest(self) -> bool:
        """Whether it finds the k shortest paths itself (`SHORTEST k`).

        Else they are looked for length by length, which takes longer.
        """
        return not self.embedded

    @property
    def refuses_to_write(self) -> bool:
        """Whether it refuses to write where only reading was asked for.

        Else the words of a statement are looked at, and what it did is undone.
        """
        return not self.embedded

    @property
    def stops_when_asked(self) -> bool:
        """Whether a statement ends when its client leaves or its time is up; else it runs on."""
        return not self.embedded


class Transaction:
    """One transaction; what it runs is undone unless all of it succeeds."""

    def __init__(self, inner: "AsyncManagedTransaction", capabilities: Capabilities) -> None:
        self._inner, self.capabilities = inner, capabilities

    async def run(self, statement: str, /, **parameters: Any) -> Rows:
        """Run a statement and fetch all that it returns, each row by its columns' names."""
        result = await self._inner.run(statement, parameters)
        return await _rows(result)

    async def change(self, statement: str, /, **parameters: Any) -> Mapping[str, int]:
        """Run a statement for its effect; return what it changed, such as `nodes_created`."""
        result = await self._inner.run(statement, parameters)
        counters = (await result.consume()).counters
        return {name: n for name, n in vars(counters).items() if type(n) is int and n}


class Database:
    """Transactions on one database, each retried while that can help, until `deadline_s`.

    Retried are lost connections and what the server itself calls transient, by the driver, with
    growing and random pauses. All else is raised at once as one of `graph.errors`.
    """

    def __init__(
        self,
        address: Address,
        driver: "AsyncDriver",
        capabilities: Capabilities,
        deadline_s: float,
    ) -> None:
        self.address, self.capabilities = address, capabilities
        self._driver = driver
        self._deadline_s = deadline_s

    async def read(self, statement: str, /, **parameters: Any) -> Rows:
        """Run one statement in a transaction of its own that cannot write."""
        from neo4j import RoutingControl

        return await self._alone(statement, parameters, RoutingControl.READ)

    async def write(self, statement: str, /, **parameters: Any) -> Rows:
        """Run one statement in a transaction of its own."""
        from neo4j import RoutingControl

        return await self._alone(statement, parameters, RoutingControl.WRITE)

    async def _alone(
        self, statement: str, parameters: Mapping[str, Any], routing: "RoutingControl"
    ) -> Rows:
        """Begin, run and commit in one round trip less than a transaction of several takes."""
        with explained(self.address, self._deadline_s):
            async with asyncio.timeout(self._deadline_s):
                return await self._driver.execute_query(
                    statement,
                    dict(parameters),
                    routing_=routing,
                    database_=self.address.database,
                    result_transformer_=_rows,
                )

    async def reading(self, work: "Work[T]", deadline_s: float | None = None) -> T:
        """Do `work` in one transaction that cannot write; it may be done more than once."""
        return await self._bounded("read", work, deadline_s)

    async def writing(self, work: "Work[T]", deadline_s: float | None = None) -> T:
        """Do `work` in one transaction; it may be tried more than once, but has effect once."""
        return await self._bounded("write", work, deadline_s)

    async def stream(self, statement: str, /, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield what a statement returns as it comes, in one transaction that cannot write.

        The deadline holds for each wait, not for the whole: a reader may take its time.
        """
        with explained(self.address, self._deadline_s):
            async with self._session(write=False) as session:
                transaction = await session.begin_transaction()
                async with transaction:
                    async with asyncio.timeout(self._deadline_s):
                        result = await transaction.run(statement, parameters)
                    while True:
                        async with asyncio.timeout(self._deadline_s):
                            record = await anext(result, None)
                        if record is None:
                            return
                        yield dict(record)

    async def declare(self, statement: str) -> None:
        """Run a statement that declares a constraint or an index, which takes no transaction.

        Neo4j refuses two who declare the same in one moment, so it is tried again. A client that
        left in that moment can have left an index without its constraint: that is dropped.
        """
        from neo4j.exceptions import Neo4jError

        name = _DECLARED.findall(statement)[0]
        with explained(self.address, self._deadline_s):
            async with asyncio.timeout(self._deadline_s), self._session() as session:
                for attempt in range(1, _TRIES + 1):
                    try:
                        await (await session.run(statement)).consume()
                        return
                    except Neo4jError as error:
                        code = str(error.code)
                        if attempt == _TRIES or not _DECLARED_TWICE.match(code):
                            raise
                    await asyncio.sleep(random.uniform(0.5, 1.5) * 0.05 * attempt)  # noqa: S311
                    if attempt > _TRIES // 2 and code.endswith("IndexWithNameAlreadyExists"):
                        with suppress(Neo4jError):  # it has its constraint by now
                            await (await session.run(f"DROP INDEX {name} IF EXISTS")).consume()

    async def statement(
        self, statement: str, parameters: Mapping[str, Any], *, write: bool
    ) -> Answer:
        """Run what a person typed, in a transaction of its own; undone unless it may write."""

        async def work(transaction: "AsyncManagedTransaction | AsyncTransaction") -> Answer:
            result = await transaction.run(statement, dict(parameters))
            rows = [tuple(record.values()) async for record in result]
            counters = (await result.consume()).counters
            changed = {k: n for k, n in vars(counters).items() if type(n) is int and n}
            return tuple(result.keys()), rows, changed

        with explained(self.address, self._deadline_s):
            async with asyncio.timeout(self._deadline_s), self._session(write) as session:
                if write:
                    return await session.execute_write(work)
                async with await session.begin_transaction() as transaction:
                    answer = await work(transaction)
                    await transaction.rollback()
        if answer[2]:
            raise writes()
        return answer

    async def _bounded(self, mode: str, work: "Work[T]", deadline_s: float | None) -> T:
        within = deadline_s or self._deadline_s

        async def once(transaction: "AsyncManagedTransaction") -> T:
            return await work(Transaction(transaction, self.capabilities))

        with explained(self.address, within):
            async with asyncio.timeout(within), self._session(mode == "write") as session:
                does = session.execute_write if mode == "write" else session.execute_read
                return await does(once)

    def _session(self, write: bool = True) -> "AsyncSession":
        from neo4j import READ_ACCESS, WRITE_ACCESS

        return self._driver.session(
            database=self.address.database,
            default_access_mode=WRITE_ACCESS if write else READ_ACCESS,
        )


@asynccontextmanager
async def connected(address: Address, deadline_s: float) -> AsyncIterator[Database]:
    """Connect, prove that the server answers these credentials, and hang up at the end.

    Raises `GraphConnectionError` within seconds if nobody is there: only what has once answered is
    waited for until the deadline.
    """
    from logging import NullHandler, getLogger

    from neo4j import AsyncGraphDatabase

    if not _URI.fullmatch(address.uri):
        shown = re.sub(r"//.*@", "//...@", address.uri)  # a password may stand there
        raise GraphConnectionError(f"no address of a graph: {shown!r:.200}", "bolt://HOST:PORT")
    getLogger("neo4j").addHandler(NullHandler())  # else each retry is a line on stderr
    with explained(address, _CONNECT_S, proved=False):
        driver = AsyncGraphDatabase.driver(
            address.uri,
            auth=(address.user, address.password),
            connection_timeout=_CONNECT_S,
            connection_acquisition_timeout=min(deadline_s, RETRY_S),
            max_transaction_retry_time=min(deadline_s, RETRY_S),
            telemetry_disabled=True,
            notifications_min_severity="OFF",  # the driver would write them to stderr
        )
    async with driver:
        with explained(address, 2 * _CONNECT_S, proved=False):
            async with asyncio.timeout(2 * _CONNECT_S):
                agent = (await driver.get_server_info()).agent
        yield Database(address, driver, _capabilities(agent), deadline_s)


async def _rows(result: "AsyncResult") -> Rows:
    return [dict(record) async for record in result]


def writes() -> GraphQueryError:
    """Return the error for a statement that would write where only reading was asked for."""
    return GraphQueryError("the statement writes, so it was not run", "allow it with --write")


def _capabilities(agent: str) -> Capabilities:
    product, version = bolt_product(agent)
    return Capabilities(product, version, embedded=product == "ArcadeDB")


class explained:  # noqa: N801 - used as a function, `with explained(address, 30):`
    """Raise the driver's errors within as ours; those of others pass.

    Where the credentials were good once, `proved`, a server that refuses them is about to go:
    ArcadeDB 26.10 does so while it stops.
    """

    def __init__(self, address: Address, deadline_s: float, *, proved: bool = True) -> None:
        self._address, self._deadline_s, self._proved = address, deadline_s, proved

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, Exception) and not isinstance(error, GraphError):
            ours = _ours(error, self._address.uri, self._deadline_s)
            if self._proved and isinstance(ours, GraphCredentialsError):
                ours = _gone(self._address.uri)
            if ours is not None:
                raise ours from None


def _ours(error: Exception, uri: str, deadline_s: float) -> GraphError | None:
    from neo4j import exceptions as theirs

    if isinstance(error, TimeoutError):
        return GraphTimeoutError(
            f"the graph database at {uri} did not finish within {deadline_s:g} s",
            "ask for less at once, or give it longer",
        )
    if isinstance(error, theirs.AuthError):
        return GraphCredentialsError(
            f"the graph database at {uri} refuses the user or the password",
            "the session's `.env.session` has both",
        )
    if isinstance(error, theirs.ConstraintError):
        return GraphConstraintError(_sentence(error), "look at it with 'simbuilder graph show UID'")
    if isinstance(error, theirs.TransientError):
        return _transient(error, deadline_s)
    if isinstance(error, theirs.Neo4jError) and "read access mode" in str(error.message):
        return writes()
    if isinstance(error, theirs.Neo4jError):
        return GraphQueryError(_sentence(error), "docs/graph.md has statements that work")
    if isinstance(error, UnicodeEncodeError | OverflowError):
        return GraphQueryError(f"a value that no graph can hold: {str(error)[:200]}")
    if isinstance(error, theirs.ConfigurationError | ValueError) and "URI" in str(error):
        return GraphConnectionError(f"no address of a graph database: {uri}", "bolt://HOST:PORT")
    unknown = isinstance(error, ValueError) and "resolve" in str(error)  # the name of the host
    if unknown or isinstance(error, theirs.DriverError | OSError):
        return _gone(uri)
    return None


def _gone(uri: str) -> GraphConnectionError:
    return GraphConnectionError(
        f"the graph database at {uri} does not answer",
        "'simbuilder check' shows what runs, 'simbuilder session start' starts the rest",
    )


def _transient(error: Exception, deadline_s: float) -> GraphError:
    code = str(getattr(error, "code", ""))
    if "Timed" in code or "Timeout" in code:
        return GraphTimeoutError(_sentence(error), "ask for less at once, or give it longer")
    return GraphConflictError(
        f"others kept changing the same part of the graph for {deadline_s:g} s",
        "run it again: what was written is not written twice",
    )


def _sentence(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error)
    return " ".join(text.split())[:1000]
