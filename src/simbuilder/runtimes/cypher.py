"""Statements in a session's graph database, one by one, as people type them."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from simbuilder.runtimes.probes import reason
from simbuilder.scaffolding.exceptions import NotReadyError, StatementError
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session

if TYPE_CHECKING:
    from neo4j import Driver

_CONNECT_S = 10.0


@dataclass(frozen=True)
class Answer:
    """What a statement returned: values as the driver has them, and what it changed, if at all.

    `counters` are such as `nodes_created`, none of them 0.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    counters: Mapping[str, int]
    elapsed_ms: float

    def texts(self) -> list[tuple[str, ...]]:
        """Return the rows as people read them, each value on one line."""
        return [tuple(as_text(value) for value in row) for row in self.rows]

    def data(self) -> list[list[Any]]:
        """Return the rows as JSON has them."""
        return [[as_data(value) for value in row] for row in self.rows]


class Graph:
    """The graph database of a session, for as long as the block lasts."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._driver: Driver | None = None

    def __enter__(self) -> Self:
        """Connect later, when there is a statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        self._hang_up()

    def run(self, statement: str) -> Answer:
        """Run one statement in a transaction of its own, and fetch all that it returns.

        Raises `StatementError` with the server's sentence, and `NotReadyError` if there is none.
        Ctrl-C ends the wait, and the connection. Neo4j then gives the statement up; ArcadeDB, as of
        26.10, works on it to its end.
        """
        from neo4j import Query
        from neo4j.exceptions import DriverError, Neo4jError

        text = statement.rstrip().removesuffix(";")
        query = Query(text)
        began = time.monotonic()
        session = self._connected().session(database=catalog.NEO4J_DATABASE)
        try:
            result = session.run(query)
            rows = tuple(tuple(record.values()) for record in result)
            counters = result.consume().counters
            columns = tuple(result.keys())
        except Neo4jError as error:
            raise self._refused(error) from None
        except (DriverError, OSError) as error:
            self._hang_up()
            raise NotReadyError(
                f"neo4j of session {self._session.label} does not answer: {reason(error)}",
                f"'simbuilder session start {self._session.short}' starts what is missing",
            ) from None
        except KeyboardInterrupt:
            self._hang_up()  # first: closing the session would wait for the answer
            raise
        finally:
            session.close()
        changed = {k: n for k, n in vars(counters).items() if type(n) is int and n}
        return Answer(columns, rows, changed, (time.monotonic() - began) * 1000)

    def _refused(self, error: Any) -> StatementError:
        said = " ".join((error.message or reason(error)).split())
        log = f"'simbuilder session logs {self._session.short} neo4j --tail 5' shows it"
        return StatementError(said, log if "server log" in said else "")

    def _connected(self) -> "Driver":
        from neo4j import GraphDatabase

        if self._driver is None:
            self._driver = GraphDatabase.driver(
                self._session.urls("neo4j")["bolt"],
                auth=(catalog.NEO4J_USER, self._session.secrets["neo4j"]),
                connection_timeout=_CONNECT_S,
                connection_acquisition_timeout=_CONNECT_S,
                telemetry_disabled=True,
                notifications_min_severity="OFF",  # the driver would write them to stderr
            )
        return self._driver

    def _hang_up(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None


def as_text(value: Any) -> str:
    """Return a value as Cypher writes it, or as near as can be, on one line."""
    from neo4j.graph import Node, Path, Relationship

    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, Node):
        labels = "".join(f":{label}" for label in sorted(value.labels))
        text = f"({labels}{_properties(value, labels)})"
    elif isinstance(value, Relationship):
        text = f"[:{value.type}{_properties(value, value.type)}]"
    elif isinstance(value, Path):
        text = _path(value)
    elif isinstance(value, Mapping):
        text = f"{{{', '.join(f'{k}: {as_text(v)}' for k, v in value.items())}}}"
    elif isinstance(value, list):
        text = f"[{', '.join(map(as_text, value))}]"
    elif isinstance(value, bytes | bytearray):
        text = f"0x{value.hex()}"
    else:
        text = str(value)
    return text


def _properties(entity: Any, before: str) -> str:
    known = dict(sorted(entity.items()))
    return f"{' ' if before else ''}{as_text(known)}" if known else ""


def _path(path: Any) -> str:
    steps = [as_text(path.nodes[0])]
    for node, relationship, other in zip(
        path.nodes, path.relationships, path.nodes[1:], strict=False
    ):
        forward = relationship.start_node == node
        left, right = ("-", "->") if forward else ("<-", "-")
        steps += [f"{left}{as_text(relationship)}{right}", as_text(other)]
    return "".join(steps)


def as_data(value: Any) -> Any:
    """Return a value as JSON has it; what JSON does not know as text."""
    from neo4j.graph import Node, Path, Relationship

    data: Any
    if value is None or isinstance(value, bool | int | str):
        data = value
    elif isinstance(value, float):
        data = value if math.isfinite(value) else str(value)
    elif isinstance(value, Node):
        data = {"labels": sorted(value.labels), "properties": _data(value)}
    elif isinstance(value, Relationship):
        data = {"type": value.type, "properties": _data(value)}
    elif isinstance(value, Path):
        data = {"nodes": _each(value.nodes), "relationships": _each(value.relationships)}
    elif isinstance(value, Mapping):
        data = _data(value)
    elif isinstance(value, list):
        data = _each(value)
    else:
        data = as_text(value)
    return data


def _data(entity: Any) -> dict[str, Any]:
    return {key: as_data(value) for key, value in entity.items()}


def _each(values: Sequence[Any]) -> list[Any]:
    return [as_data(value) for value in values]
