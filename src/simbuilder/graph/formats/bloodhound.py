"""BloodHound's own graphs: OpenGraph as it is uploaded, and what its interface exports.

    {"graph":{"nodes":[{"id","kinds","properties"}],"edges":[{"kind","start","end",...}]}}
    {"nodes":[...],"edges":[...]}, also below "data", and with nodes in an object by their ids

What `write` makes, BloodHound takes: ids in upper case, its kinds first, flat properties under its
names. Each node and edge also has a property `simbuilder`, the whole record as JSON; `read`
believes that alone where it is there, so that what was written is read again, exactly.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats.bloodhound_names import (
    EDGE_KINDS,
    NODE_KINDS,
    PROPERTIES,
    ROLES,
    edge_kind,
    labels,
    node_properties,
)
from simbuilder.graph.formats.files import Counts, write_lines
from simbuilder.graph.formats.jsonstream import EMPTY, Item, Source, sources, walk
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.records import PLANES, Node, Plane, Record, Relationship, Remark, fold

OWN = "simbuilder"
"""The property that holds the whole record."""

_INTO = ("graph", "data")
_NODES, _EDGES, _METADATA = "nodes", "edges", "metadata"


# --- writing --------------------------------------------------------------------------------


def write(nodes: Iterable[Node], relationships: Iterable[Relationship], out: BinaryIO) -> Counts:
    """Write an OpenGraph file as the records come; return how many there were.

    Where a record was read (`at`) is not written. Raises `GraphInputError` for a record that JSON
    cannot hold; `out` is then no whole file.
    """
    counted = {Node: 0, Relationship: 0}

    def lines() -> Iterator[bytes]:
        yield b'{"graph":{"nodes":[\n'
        for node in nodes:
            yield _comma(counted[Node]) + _line(_node_document(node), node)
            counted[Node] += 1
        yield b'],"edges":[\n'
        for tie in relationships:
            yield _comma(counted[Relationship]) + _line(_edge_document(tie), tie)
            counted[Relationship] += 1
        yield b"]}}\n"

    write_lines(lines(), out)
    return Counts(counted[Node], counted[Relationship])


def _comma(before: int) -> bytes:
    return b"," if before else b""


def _line(document: dict[str, Any], record: Node | Relationship) -> bytes:
    try:
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        raise GraphInputError(f"{record!r:.200}: no JSON can hold it: {error}") from error


def _node_document(node: Node) -> dict[str, Any]:
    own = {"kind": node.kind, "uid": node.uid, **_place(node)}
    properties = _flat(node.properties)
    name = node.properties.get("upn") or node.properties.get("name")
    if isinstance(name, str):
        properties["name"] = name.upper()
    properties |= {"tenantid": node.tenant_id.upper(), "plane": node.plane, OWN: _packed(own, node)}
    return {"id": node.uid.upper(), "kinds": labels(node.kind), "properties": properties}


def _edge_document(tie: Relationship) -> dict[str, Any]:
    own = {"kind": tie.kind, "start": tie.start, "end": tie.end, **_place(tie)}
    if tie.implied:
        own["implied"] = True
    properties = _flat(tie.properties) | {OWN: _packed(own, tie)}
    return {
        "kind": edge_kind(tie.kind, tie.properties),
        "start": {"match_by": "id", "value": tie.start.upper()},
        "end": {"match_by": "id", "value": tie.end.upper()},
        "properties": properties,
    }


def _place(record: Node | Relationship) -> dict[str, Any]:
    return {
        "tenant": record.tenant_id,
        "plane": record.plane,
        "collection": record.collection,
        "properties": record.properties,
    }


def _packed(own: dict[str, Any], record: Node | Relationship) -> str:
    """Return a record as JSON; by the library that also writes integers beyond 64 bits."""
    try:
        return json.dumps(own, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise GraphInputError(f"{record!r:.200}: no JSON can hold it: {error}") from error


def _flat(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that BloodHound takes: flat, not empty, and lower-case by name."""
    flat = {}
    for name, value in properties.items():
        if name.islower() and _is_flat(value):
            flat[PROPERTIES.get(name, name)] = value
    return flat


def _is_flat(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(each, str) for each in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**63
    return isinstance(value, str | bool | float)


# --- reading --------------------------------------------------------------------------------


def read(
    source: Source | Path, tenant: str | None = None, *, plane: Plane = "observed"
) -> Iterator[Record]:
    """Yield what a graph of BloodHound says; of a zip, what each of its files says.

    `tenant` is whose everything is that names none: edges, and nodes without `tenantid`. Without
    it the first node that names one says so. Such a file proves no listing.

    Raises:
        GraphInputError: It cannot be read, is no JSON, is cut short, or says no tenant.
    """
    for each in sources(source) if isinstance(source, Path) else (source,):
        yield from _Reading(each, tenant or "", plane).records()


def _tenant_of(source: Source) -> str:
    for item in walk(source, _INTO):
        for _, node in _nodes_of(item):
            named = _properties(node).get("tenantid")
            if isinstance(named, str) and named:
                return named
    raise GraphInputError(
        f"{source.name}: does not say which tenant it is about", "Name it with --tenant."
    )


def _nodes_of(item: Item) -> Iterator[tuple[str, Any]]:
    """Yield the nodes of an item, each with the id that edges know it by if that is another."""
    if item.path[-1:] != (_NODES,) or item.value is EMPTY:
        return
    if isinstance(item.value, dict) and "id" not in item.value and "kinds" not in item.value:
        yield from item.value.items()
    else:
        yield "", item.value


def _properties(value: Any) -> dict[str, Any]:
    properties = value.get("properties") if isinstance(value, dict) else None
    return properties if isinstance(properties, dict) else {}


@dataclass(slots=True)
class _Reading:
    source: Source
    tenant: str
    plane: Plane
    ids: dict[str, str] = field(default_factory=dict)
    """Of an export of the interface: what the ids in its edges stand for."""

    def records(self) -> Iterator[Record]:
        for item in walk(self.source, _INTO):
            at = self.source.at(item.line)
            what = item.path[-1:]
            if what == (_NODES,):
                for inner_id, node in _nodes_of(item):
                    yield self._node(node, inner_id, at)
            elif what == (_EDGES,):
                if item.value is not EMPTY:
                    yield self._edge(item.value, at)
            elif item.path[:1] != (_METADATA,):
                said = f"{'.'.join(item.path)} is no part of a graph of BloodHound"
                yield Remark("bad-record", at, said)

    def _whose(self) -> str:
        self.tenant = self.tenant or _tenant_of(self.source)
        return self.tenant

    def _node(self, node: Any, inner_id: str, at: str) -> Record:
        properties = _properties(node)
        if OWN in properties:
            return _own_node(properties[OWN], at)
        uid = _text(node, "id") or _text(node, "objectId") or _text(node, "objectid")
        uid = uid or _text(properties, "objectid")
        if not uid:
            return Remark("bad-record", at, "a node without an id")
        if inner_id:
            self.ids[inner_id] = uid
        said = node.get("kinds")
        kinds = [*(said if isinstance(said, list) else ()), _text(node, "kind")]
        kinds = [each for each in kinds if each and isinstance(each, str)]
        kind = next((NODE_KINDS[each] for each in kinds if each in NODE_KINDS), "")
        if not kind:
            return Remark("unknown-kind", at, f"no node is a {'/'.join(kinds)!r:.80}")
        names = node_properties(kind)
        shown = {"displayname", "name"} & properties.keys()
        own = {
            names.get(key, key): value
            for key, value in properties.items()
            if key not in ("objectid", "tenantid", "lastseen", "lastcollected")
            and not (key == "name" and "displayname" in shown)
        }
        tenant = _text(properties, "tenantid") or self._whose()
        return Node(kind, self._uid(uid), tenant, own, self.plane, "", at)

    def _edge(self, edge: Any, at: str) -> Record:
        properties = _properties(edge)
        if OWN in properties:
            return _own_tie(properties[OWN], at)
        theirs = _text(edge, "kind") or _text(edge, "label")
        start, end = self._end(edge, "start", "source"), self._end(edge, "end", "target")
        if not start or not end:
            return Remark("bad-record", at, f"{theirs:.80}: an end is not named by its id")
        kind = EDGE_KINDS.get(theirs)
        if kind is None:
            return Remark("unknown-kind", at, f"no relationship is a {theirs!r:.80}")
        own = {key: each for key, each in properties.items() if key not in ("lastseen", "isacl")}
        known = SCHEMA.relationship_kinds[kind]
        if theirs != kind and len(known.bloodhound) > 1:
            own["bloodhound_kind"] = theirs
        if theirs in ROLES:
            own.setdefault("role", ROLES[theirs])
        if kind == "HAS_ROLE" and _text(own, "scope"):
            own["scope"] = _scope(own["scope"], self._whose())
        uids = self._uid(start), self._uid(end)
        return Relationship(kind, *uids, self._whose(), own, self.plane, "", at)

    def _end(self, edge: Any, theirs: str, exported: str) -> str:
        """Return the id of an end; nothing if it is named some other way, or not at all."""
        named = edge.get(theirs) if isinstance(edge, dict) else None
        if isinstance(named, dict):
            return _text(named, "value") if named.get("match_by", "id") == "id" else ""
        return self.ids.get(_text(edge, exported), "")

    def _uid(self, uid: str) -> str:
        return uid if self.plane == "observed" else f"{self.plane}:{uid}"


def _scope(scope: str, tenant: str) -> str:
    """Return a scope as the directory writes it: BloodHound names it by the id of the place."""
    return "/" if fold(scope) in ("/", fold(tenant)) else f"/{fold(scope).lstrip('/')}"


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


# --- reading what was written here ----------------------------------------------------------


def _own_node(packed: Any, at: str) -> Record:
    own = _unpacked(packed, ("kind", "uid", "tenant", "collection"))
    if own is None:
        return Remark("bad-record", at, f"a node whose {OWN} is not what was written")
    place = own["properties"], own["plane"], own["collection"], at
    return Node(own["kind"], own["uid"], own["tenant"], *place)


def _own_tie(packed: Any, at: str) -> Record:
    own = _unpacked(packed, ("kind", "start", "end", "tenant", "collection"))
    if own is None:
        return Remark("bad-record", at, f"an edge whose {OWN} is not what was written")
    place = own["properties"], own["plane"], own["collection"], at, own.get("implied") is True
    return Relationship(own["kind"], own["start"], own["end"], own["tenant"], *place)


def _unpacked(packed: Any, texts: tuple[str, ...]) -> dict[str, Any] | None:
    try:
        own = json.loads(packed)
    except (TypeError, ValueError, RecursionError):
        return None
    fits = (
        isinstance(own, dict)
        and all(isinstance(own.get(name), str) for name in texts)
        and isinstance(own.get("properties"), dict)
        and own.get("plane") in PLANES
    )
    return own if fits else None
