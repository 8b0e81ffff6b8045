"""Canaries in Neo4j, or in ArcadeDB, which speaks its protocol: nodes."""

from typing import TYPE_CHECKING, LiteralString

from simbuilder.runtimes.canaries.names import TIMEOUT_S
from simbuilder.scaffolding.text import bolt_product
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session

if TYPE_CHECKING:
    from neo4j import EagerResult


class Graph:
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

    def remove(self, session: Session, owner: str) -> None:
        statement = "MATCH (n:SimBuilderCanary) WHERE n.token STARTS WITH $owner DETACH DELETE n"
        self._run(session, statement, owner=owner)

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
            connection_timeout=TIMEOUT_S,
            connection_acquisition_timeout=TIMEOUT_S,
            max_transaction_retry_time=0,
            telemetry_disabled=True,
            # a label nobody has used yet is worth a warning to the driver, not to us
            notifications_min_severity="OFF",
        ) as driver:
            query = Query(statement, timeout=TIMEOUT_S)
            return driver.execute_query(query, values, database_=catalog.NEO4J_DATABASE)
