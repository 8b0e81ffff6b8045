"""What differs between two planes or two snapshots, and what one object was before."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simbuilder.graph.batches import version_key
from simbuilder.graph.database import Database
from simbuilder.graph.preparing import said, state_of
from simbuilder.graph.records import bare_uid
from simbuilder.graph.schema import ENTITY, Schema

NOW = 2**62
"""The number of a snapshot that no pass has reached: the graph as it is."""


Element = Literal["node", "relationship"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `key` is the uid of a node, or start, type and end of a relationship.

    Of what was `changed`, `before` and `after` hold the properties that differ, else all of them.
    """

    what: Literal["added", "removed", "changed"]
    element: Element
    kind: str
    key: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What a node was from pass `since` on, until pass `until`; the present state has none.

    Edits between two passes share a number: their `revision` tells them apart.
    """

    revision: int
    since: int
    until: int | None
    properties: Mapping[str, Any]


_VERSIONS_OF = "MATCH (v:Version {of: $of}) RETURN properties(v) AS v ORDER BY v.until, v.revision"
_VERSIONS_SINCE = "MATCH (v:Version) WHERE v.until > $a RETURN properties(v) AS v"
_NODES_SINCE = f"MATCH (n:{ENTITY}) WHERE n.since > $a RETURN properties(n) AS v"
_NODES_ON = f"MATCH (n:{ENTITY}) WHERE n.plane = $plane RETURN properties(n) AS v"


def _ties_where(kind: str, condition: str) -> str:
    return f"""\
MATCH (a:{ENTITY})-[r:{kind}]->(b:{ENTITY}) WHERE {condition} \
RETURN a.uid AS start, b.uid AS end, properties(r) AS v"""


async def history(database: Database, uid: str, present: Mapping[str, Any] | None) -> list[State]:
    """Return the states of a node, the oldest first, the `present` one last if it exists."""
    rows = await database.read(_VERSIONS_OF, of=uid)
    states = [_state(row["v"]) for row in rows]
    if present is not None:
        states.append(State(int(present["revision"]), int(present["since"]), None, said(present)))
    return states


def _state(former: Mapping[str, Any]) -> State:
    revision, since, until = (int(former[name]) for name in ("revision", "since", "until"))
    return State(revision, since, until, said(former))


async def between_snapshots(
    database: Database, schema: Schema, a: int, b: int
) -> AsyncIterator[Change]:
    """Yield what differs between the graph after pass `a` and after pass `b`.

    Held in memory is the history since the older one, not the graph.
    """
    older = min(a, b)
    former: dict[str, list[Mapping[str, Any]]] = {}
    async for row in database.stream(_VERSIONS_SINCE, a=older):
        former.setdefault(row["v"]["of"], []).append(row["v"])
    async for key, kind, present in _present_since(database, schema, older):
        states = [*former.pop(key, ()), present]
        change = _between(key, kind, states, a, b)
        if change:
            yield change
    for key, states in former.items():
        change = _between(key, states[0]["kind"], states, a, b)
        if change:
            yield change


async def _present_since(
    database: Database, schema: Schema, a: int
) -> AsyncIterator[tuple[str, str, Mapping[str, Any]]]:
    async for row in database.stream(_NODES_SINCE, a=a):
        yield row["v"]["uid"], row["v"]["kind"], row["v"]
    for kind in schema.relationships:
        async for row in database.stream(_ties_where(kind.name, "r.since > $a"), a=a):
            ends = {"start": row["start"], "end": row["end"], "key": row["v"].get("key", "")}
            yield version_key(kind.name, ends), kind.name, {**row["v"], **ends}


def _between(key: str, kind: str, states: list[Mapping[str, Any]], a: int, b: int) -> Change | None:
    before, after = _at(states, a), _at(states, b)
    return _change(_element("start" in states[0]), key, kind, before, after)


def _at(states: list[Mapping[str, Any]], number: int) -> Mapping[str, Any] | None:
    for state in states:
        if int(state["since"]) <= number < int(state.get("until") or NOW + 1):
            return state
    return None


def _change(
    element: Element,
    key: str,
    kind: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> Change | None:
    if before is None or after is None:
        if before is None and after is None:
            return None
        what: Literal["added", "removed"] = "added" if before is None else "removed"
        return Change(what, element, kind, key, said(before or {}), said(after or {}))
    old, new = said(before), said(after)
    if old == new:
        return None
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return Change(
        "changed",
        element,
        kind,
        key,
        {name: old[name] for name in names if name in old},
        {name: new[name] for name in names if name in new},
    )


async def between_planes(
    database: Database, schema: Schema, a: str, b: str
) -> AsyncIterator[Change]:
    """Yield what differs between two planes: what is planned, say, and what is observed.

    Held in memory is a hash for each object of plane `a`, some 200 bytes.
    """
    async for change in _compare(database, _NODES_ON, a, b, None):
        yield change
    for kind in schema.relationships:
        statement = _ties_where(kind.name, "a.plane = $plane AND b.plane = $plane")
        async for change in _compare(database, statement, a, b, kind.name):
            yield change


async def _compare(
    database: Database, statement: str, a: str, b: str, tie: str | None
) -> AsyncIterator[Change]:
    known: dict[str, str] = {}
    async for row in database.stream(statement, plane=a):
        known[_plane_key(row, tie)] = state_of({"kind": tie, **row["v"]})
    differing: dict[str, Mapping[str, Any] | None] = {}
    async for row in database.stream(statement, plane=b):
        key = _plane_key(row, tie)
        former = known.pop(key, None)
        if former is None:
            yield Change("added", _element(tie), tie or row["v"]["kind"], key, {}, said(row["v"]))
        elif former != state_of({"kind": tie, **row["v"]}):
            differing[key] = row["v"]
    differing |= dict.fromkeys(known)
    if not differing:
        return
    async for row in database.stream(statement, plane=a):
        key = _plane_key(row, tie)
        if key in differing:
            kind = tie or row["v"]["kind"]
            change = _change(_element(tie), key, kind, row["v"], differing[key])
            if change:
                yield change


def _element(tie: str | bool | None) -> Element:
    return "relationship" if tie else "node"


def _plane_key(row: Mapping[str, Any], tie: str | None) -> str:
    if tie is None:
        return bare_uid(row["v"]["uid"])
    ends = {"start": bare_uid(row["start"]), "end": bare_uid(row["end"])}
    return version_key(tie, {**ends, "key": row["v"].get("key", "")})
