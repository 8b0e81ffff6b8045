"""Ways from one node to another: as statements, and as steps that can be read aloud. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simbuilder.graph.errors import GraphQueryError
from simbuilder.graph.schema import ENTITY, Schema

MAX_LENGTH = 15
"""Relationships of a path at most: longer ones are no use to anybody, and the search explodes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One relationship of a path. `through` is the hub it leads through, if it is one of two.

    A hub stands for many relationships at once: who CAN something, OVER which objects.
    """

    kind: str
    start: str
    end: str
    properties: Mapping[str, Any]
    through: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A way through the graph: its nodes' properties, in order, and the steps between them."""

    nodes: tuple[Mapping[str, Any], ...]
    steps: tuple[Step, ...]

    @property
    def length(self) -> int:
        """How many relationships it has, a hub counting as two."""
        return len(self.nodes) - 1


_SHOWN = """\
RETURN [n IN nodes(p) | properties(n)] AS nodes, [r IN relationships(p) | \
{kind: type(r), start: startNode(r).uid, end: endNode(r).uid, p: properties(r)}] AS ties"""


def types(schema: Schema, families: Iterable[str]) -> tuple[str, ...]:
    """Return the types of relationships of some families; raises `GraphQueryError` for others.

    A single type counts as a family of its own, and `attack` is what attack paths are made of.
    """
    found: dict[str, None] = {}
    for family in families:
        if family in schema.families:
            found |= dict.fromkeys(schema.families[family])
        elif family.upper() in schema.relationship_kinds:
            found[family.upper()] = None
        else:
            known = ", ".join(schema.families)
            raise GraphQueryError(
                f"no family of relationships is called {family!r:.80}", f"there are {known}"
            )
    return tuple(found)


def shortest(allowed: Iterable[str], length: int) -> str:
    """Return the statement that finds one shortest path.

    It answers with a row of nulls if there is none, and with no row if one of the ends is missing.
    """
    pattern = f"(a)-[{_any(allowed)}*..{_bound(length)}]->(b)"
    return f"{_ENDS} OPTIONAL MATCH p = shortestPath({pattern}) {_SHOWN}"


def k_shortest(allowed: Iterable[str], length: int, k: int) -> str:
    """Return the statement that finds the `k` shortest, for databases which can.

    Those it would find by itself may go in circles, as long as they use no relationship twice.
    """
    pattern = f"(a) ((n)-[{_any(allowed)}]->()){{1,{_bound(length)}}} (b)"
    simple = "all(i IN range(0, size(n) - 1) WHERE NOT n[i] IN n[i + 1..]) AND NOT b IN n"
    match = f"MATCH p = SHORTEST {int(k)} ({pattern} WHERE {simple})"
    return f"{_ENDS} {match} {_SHOWN} ORDER BY length(p)"


def of_length(allowed: Iterable[str], length: int) -> str:
    """Return the statement that finds the paths of just this length, `$limit` at most.

    None of them visits a node twice.
    """
    pattern = f"(a)-[{_any(allowed)}*{_bound(length)}..{_bound(length)}]->(b)"
    simple = "all(n IN nodes(p) WHERE single(m IN nodes(p) WHERE m.uid = n.uid))"
    return f"{_ENDS} MATCH p = {pattern} WHERE {simple} {_SHOWN} LIMIT $limit"


def read(row: Mapping[str, Any]) -> Path:
    """Return the path of a row of these statements."""
    ties = [Step(t["kind"], t["start"], t["end"], t["p"]) for t in row["ties"]]
    return Path(tuple(row["nodes"]), tuple(_through_hubs(ties)))


def _through_hubs(ties: list[Step]) -> Iterable[Step]:
    waiting: Step | None = None
    for tie in ties:
        if tie.kind == "CAN":
            waiting = tie
        elif waiting is not None and tie.kind == "OVER":
            yield Step("CAN", waiting.start, tie.end, waiting.properties, through=waiting.end)
            waiting = None
        else:
            if waiting is not None:
                yield waiting
                waiting = None
            yield tie
    if waiting is not None:
        yield waiting


_ENDS = f"MATCH (a:{ENTITY} {{uid: $start}}) MATCH (b:{ENTITY} {{uid: $end}})"


def _any(allowed: Iterable[str]) -> str:
    return f":{'|'.join(allowed)}"


def _bound(length: int) -> int:
    if not 1 <= length <= MAX_LENGTH:
        raise GraphQueryError(f"paths have 1 to {MAX_LENGTH} steps", "give a smaller bound")
    return int(length)
