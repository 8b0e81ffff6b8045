"""Canaries in the servers of a session: written, found and removed with the vendors' own clients.

A canary is a small piece of data that carries a token, 40 lower-case hex characters. Where it is
found says which server holds it, and so whether two sessions share anything.

Every call opens clients of its own and closes them, so threads may share one `RealCanaries`. A call
follows no proxy, tries once, and waits at most 5 s for an answer.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, LiteralString, Protocol

from simbuilder.runtimes.probes import accepts, bolt_product, reason
from simbuilder.scaffolding.exceptions import CanaryError
from simbuilder.sessions import catalog
from simbuilder.sessions.envfile import storage_connection_string
from simbuilder.sessions.model import Session

if TYPE_CHECKING:
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient
    from nats.aio.client import Client
    from neo4j import EagerResult

KINDS: Mapping[str, tuple[str, ...]] = {
    "neo4j": ("node",),
    "nats": ("stream message",),
    "azurite": ("blob", "queue message", "table row"),
}
"""Service -> what its canaries are."""

_NAME = "simbuilder-canary-"
_TABLE = "simbuildercanary"
_TIMEOUT_S = 5
_STUMBLES = (ValueError, AttributeError, TypeError, LookupError)
"""How the clients of NATS and Azurite fail where something answers that is neither."""


class RealCanaries:
    """The canaries of real servers.

    Every method raises `CanaryError` if the server does not answer or answers something else, and
    `KeyError` for a service nobody can ask.
    """

    def __init__(self) -> None:
        # without a handler Python prints what the SDK says of odd answers; `CanaryError` says it
        logging.getLogger("azure").addHandler(logging.NullHandler())

    def write(self, session: Session, service: str, token: str) -> None:
        """Write one canary of each of the service's `KINDS`."""
        with _asking(session, service) as server:
            server.write(session, token)

    def found(self, session: Session, service: str) -> Mapping[str, frozenset[str]]:
        """Return kind -> the tokens of all canaries that are there now, whoever wrote them.

        A token counts only if it was read from the content; a name alone proves nothing.
        """
        with _asking(session, service) as server:
            return dict(zip(KINDS[service], server.found(session), strict=True))

    def remove(self, session: Session, service: str, tokens: Iterable[str]) -> None:
        """Remove the canaries with these tokens and what held them; absent is fine.

        ArcadeDB keeps the empty vertex type `SimBuilderCanary` and Neo4j the property key `token`:
        no statement of Cypher drops them.
        """
        with _asking(session, service) as server:
            server.remove(session, list(tokens))

    def refuses(self, session: Session, service: str, secret: str) -> bool:
        """True if the service refuses to be used with `secret` instead of the session's own.

        For Azurite, whose secret is in base64, blobs, queues and tables must all refuse.

        Then signs in with the right one, which resets the count of wrong ones on graph servers:
        after three in a row Neo4j 5 lets nobody in for 5 s, after five ArcadeDB 26.10 for 30 s
        (measured). So a server that refuses the right secret as well raises `CanaryError`.
        """
        stranger = replace(session, secrets={**session.secrets, service: secret})
        with _asking(session, service) as server:
            refused = server.refuses(stranger)
            if refused:
                server.found(session)
            return refused

    def advertised(self, session: Session, service: str) -> tuple[str, ...]:
        """Return each `host:port` the server sends clients to, wherever they connected.

        Empty if it sends them nowhere: NATS alone, and Azurite, which is not even asked. Neo4j is
        asked for its routing table. ArcadeDB has none to show, so its route is followed, and this
        is where it ended: it names `localhost`, a client arrives at 127.0.0.1.
        """
        with _asking(session, service) as server:
            return server.advertised(session)


class _Server(Protocol):
    """One service; a method like that of `RealCanaries`, raising `errors()`."""

    def errors(self) -> tuple[type[Exception], ...]: ...
    def write(self, session: Session, token: str) -> None: ...
    def found(self, session: Session) -> tuple[frozenset[str], ...]: ...
    def remove(self, session: Session, tokens: list[str]) -> None: ...
    def refuses(self, session: Session) -> bool: ...
    def advertised(self, session: Session) -> tuple[str, ...]: ...


@contextmanager
def _asking(session: Session, service: str) -> Iterator[_Server]:
    server = _SERVERS[service]
    try:
        yield server
    except server.errors() as error:
        raise CanaryError(
            f"{service} of session {session.label} gave no usable answer: {reason(error)}",
            "`simbuilder session status` shows what runs; then run the same command again",
        ) from error


class _Graph:
    """Nodes in Neo4j, or in ArcadeDB, which speaks its protocol."""

    def errors(self) -> tuple[type[Exception], ...]:
        from neo4j.exceptions import DriverError, Neo4jError

        return (DriverError, Neo4jError, OSError)

    def write(self, session: Session, token: str) -> None:
        self._run(session, "CREATE (:SimBuilderCanary {token: $token})", token=token)

    def found(self, session: Session) -> tuple[frozenset[str]]:
        answer = self._run(session, "MATCH (n:SimBuilderCanary) RETURN n.token AS token")
        tokens = (record["token"] for record in answer.records)
        return (frozenset(token for token in tokens if isinstance(token, str)),)

    def remove(self, session: Session, tokens: list[str]) -> None:
        statement = "MATCH (n:SimBuilderCanary) WHERE n.token IN $tokens DETACH DELETE n"
        self._run(session, statement, tokens=tokens)

    def refuses(self, session: Session) -> bool:
        from neo4j.exceptions import AuthError

        try:
            self._run(session, "RETURN 1")
        except AuthError:
            return True
        return False

    def advertised(self, session: Session) -> tuple[str, ...]:
        server = self._run(session, "RETURN 1").summary.server
        if bolt_product(server.agent)[0] == "ArcadeDB":
            host, port = self._run(session, "RETURN 1", scheme="neo4j").summary.server.address[:2]
            return (f"{host}:{port}",)
        # asked without an address of ours, which the table would only repeat
        answer = self._run(session, "CALL dbms.routing.getRoutingTable({})")
        servers = (server for record in answer.records for server in record["servers"])
        return tuple(sorted({address for server in servers for address in server["addresses"]}))

    def _run(
        self, session: Session, statement: LiteralString, scheme: str = "bolt", **values: object
    ) -> "EagerResult":
        from neo4j import GraphDatabase, Query

        with GraphDatabase.driver(
            f"{scheme}://{session.host}:{session.port('neo4j.bolt')}",
            auth=(catalog.NEO4J_USER, session.secrets["neo4j"]),
            connection_timeout=_TIMEOUT_S,
            connection_acquisition_timeout=_TIMEOUT_S,
            max_transaction_retry_time=0,
            telemetry_disabled=True,
            # a label nobody has used yet is worth a warning to the driver, not to us
            notifications_min_severity="OFF",
        ) as driver:
            query = Query(statement, timeout=_TIMEOUT_S)
            return driver.execute_query(query, values, database_=catalog.NEO4J_DATABASE)


class _Bus:
    """Messages in JetStream, each in a stream of its own."""

    def errors(self) -> tuple[type[Exception], ...]:
        from nats.errors import Error

        return (Error, OSError, *_STUMBLES)

    def write(self, session: Session, token: str) -> None:
        async def write() -> None:
            async with _connected(session) as client:
                stream = client.jetstream(timeout=_TIMEOUT_S)
                await stream.add_stream(name=_NAME + token, subjects=[_NAME + token])
                await stream.publish(_NAME + token, token.encode())

        asyncio.run(write())

    def found(self, session: Session) -> tuple[frozenset[str]]:
        return (frozenset(asyncio.run(self._found(session))),)

    async def _found(self, session: Session) -> set[str]:
        from nats.js.errors import NotFoundError

        tokens = set()
        async with _connected(session) as client:
            stream = client.jetstream(timeout=_TIMEOUT_S)
            names: list[str] = []
            while page := await stream.streams_info(offset=len(names)):
                names += [info.config.name or "" for info in page]
            for name in (name for name in names if name.startswith(_NAME)):
                token = name.removeprefix(_NAME).encode()
                # what another command removed since the listing is not there
                with suppress(NotFoundError):
                    if (await stream.get_last_msg(name, name)).data == token:
                        tokens.add(token.decode())
        return tokens

    def remove(self, session: Session, tokens: list[str]) -> None:
        async def remove() -> None:
            from nats.js.errors import NotFoundError

            async with _connected(session) as client:
                for token in tokens:
                    with suppress(NotFoundError):
                        await client.jetstream(timeout=_TIMEOUT_S).delete_stream(_NAME + token)

        asyncio.run(remove())

    def refuses(self, session: Session) -> bool:
        from nats.errors import Error

        try:
            self.advertised(session)
        except Error as error:
            if "authorization violation" not in str(error).lower():
                raise
            return True
        return False

    def advertised(self, session: Session) -> tuple[str, ...]:
        async def advertised() -> list[str]:
            async with _connected(session) as client:
                return [uri.netloc for uri in client.discovered_servers]

        return tuple(sorted(asyncio.run(advertised())))


@asynccontextmanager
async def _connected(session: Session) -> AsyncIterator["Client"]:
    from nats.aio.client import Client

    port = session.port("nats.client")
    if not accepts(port, session.host):  # which nats tries again and again, even if told not to
        raise ConnectionRefusedError(f"nothing answers on {session.host}:{port}")

    # by default nats prints every error
    async def ignore(_: Exception) -> None:
        return None

    # not `nats.connect`: where it is refused, nobody is left to close its socket
    client = Client()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await client.connect(
                session.urls("nats")["client"],
                user=catalog.NATS_USER,
                password=session.secrets["nats"],
                allow_reconnect=False,
                connect_timeout=_TIMEOUT_S,
                error_cb=ignore,
            )
            yield client
    finally:
        await client.close()


class _Storage:
    """Blobs, queue messages and table rows in Azurite, each in a place of its own."""

    def errors(self) -> tuple[type[Exception], ...]:
        from azure.core.exceptions import AzureError

        return (AzureError, *_STUMBLES)

    def write(self, session: Session, token: str) -> None:
        with _blobs(session) as blobs:
            blobs.create_container(_NAME + token).upload_blob("canary", token)
        with _queues(session) as queues:
            queues.create_queue(_NAME + token).send_message(token)
        with _tables(session) as tables:
            row = {"PartitionKey": "canary", "RowKey": "canary", "token": token}
            tables.create_table(_TABLE + token).create_entity(row)

    def found(self, session: Session) -> tuple[frozenset[str], ...]:
        return tuple(look(session) for look in _LOOKS)

    def remove(self, session: Session, tokens: list[str]) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        with _blobs(session) as blobs, _queues(session) as queues, _tables(session) as tables:
            for token in tokens:
                with suppress(ResourceNotFoundError):
                    blobs.delete_container(_NAME + token)
                with suppress(ResourceNotFoundError):
                    queues.delete_queue(_NAME + token)
                tables.delete_table(_TABLE + token)  # absent is fine for this one

    def refuses(self, session: Session) -> bool:
        return all(_forbidden(look, session) for look in _LOOKS)

    def advertised(self, session: Session) -> tuple[str, ...]:
        return ()  # clients of the storage protocols stay where they are


def _forbidden(look: Callable[[Session], object], session: Session) -> bool:
    from azure.core.exceptions import HttpResponseError

    try:
        look(session)
    except HttpResponseError as error:
        if error.status_code != 403:
            raise
        return True
    return False


def _blobs(session: Session) -> "BlobServiceClient":
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(storage_connection_string(session), **_ONE_TRY)


def _queues(session: Session) -> "QueueServiceClient":
    from azure.storage.queue import QueueServiceClient

    return QueueServiceClient.from_connection_string(storage_connection_string(session), **_ONE_TRY)


def _tables(session: Session) -> "TableServiceClient":
    from azure.data.tables import TableServiceClient

    return TableServiceClient.from_connection_string(storage_connection_string(session), **_ONE_TRY)


def _look_at_blobs(session: Session) -> frozenset[str]:
    with _blobs(session) as blobs:

        def read(name: str) -> list[object]:
            return [blobs.get_blob_client(name, "canary").download_blob().readall().decode()]

        return _confirmed((c.name for c in blobs.list_containers(_NAME)), _NAME, read)


def _look_at_queues(session: Session) -> frozenset[str]:
    with _queues(session) as queues:

        def read(name: str) -> list[object]:
            # peeked, not received, so that it stays for others to read
            return [message.content for message in queues.get_queue_client(name).peek_messages()]

        return _confirmed((q.name for q in queues.list_queues(_NAME)), _NAME, read)


def _look_at_tables(session: Session) -> frozenset[str]:
    with _tables(session) as tables:

        def read(name: str) -> list[object]:
            return [tables.get_table_client(name).get_entity("canary", "canary")["token"]]

        names = (t.name for t in tables.list_tables() if t.name.startswith(_TABLE))
        return _confirmed(names, _TABLE, read)


def _confirmed(names: Iterable[str], prefix: str, read: Callable[[str], Any]) -> frozenset[str]:
    """Return the tokens in these names that the content confirms."""
    from azure.core.exceptions import ResourceNotFoundError

    tokens = set()
    for name in names:
        token = name.removeprefix(prefix)
        # what another command removed since the listing is not there
        with suppress(ResourceNotFoundError):
            if read(name) == [token]:
                tokens.add(token)
    return frozenset(tokens)


_ONE_TRY: Mapping[str, Any] = {
    "connection_timeout": _TIMEOUT_S,
    "read_timeout": _TIMEOUT_S,
    "retry_total": 0,
    "use_env_settings": False,  # no proxy of the user's
}
_LOOKS = (_look_at_blobs, _look_at_queues, _look_at_tables)  # in the order of KINDS
_SERVERS: Mapping[str, _Server] = {"neo4j": _Graph(), "nats": _Bus(), "azurite": _Storage()}
