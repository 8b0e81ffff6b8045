"""Our own file of a graph: JSON Lines with a header, records, and an end that proves it is whole.

    {"format":"simbuilder-graph","version":1}
    {"node":{"kind":"EntraUser","uid":"...","tenant":"...","properties":{...}}}
    {"relationship":{"kind":"MEMBER_OF","from":"...","to":"...","tenant":"...","properties":{}}}
    {"listing":{"tenant":"...","collection":"users","received":2,"expected":2}}
    {"remark":{"code":"...","at":"...","message":"..."}}
    {"end":{"nodes":1,"relationships":1}}

`plane` (observed), `collection` (none), `implied` (false) and `expected` (unknown) are left out
where they say nothing. The same records make the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats.files import Counts, opened, truncated, write_lines
from simbuilder.graph.formats.opening import Source
from simbuilder.graph.records import PLANES, Listing, Node, Record, Relationship, Remark

FORMAT = "simbuilder-graph"
VERSION = 1

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


# --- writing --------------------------------------------------------------------------------


def write(records: Iterable[Record], out: BinaryIO) -> Counts:
    """Write records in the order given, and the end line; return what was counted.

    Raises:
        GraphInputError: A record holds something that JSON cannot; `out` then has no end line.
    """
    nodes = ties = 0

    def lines() -> Iterator[bytes]:
        nonlocal nodes, ties
        dumps, options = orjson.dumps, _OPTIONS  # this loop must be fast
        yield dumps({"format": FORMAT, "version": VERSION}, option=options)
        for record in records:
            kind = type(record)
            nodes += kind is Node
            ties += kind is Relationship
            try:
                yield dumps(_DOCUMENTS[kind](record), option=options)
            except TypeError as error:
                said = f"{record!r:.200}: no bundle can hold it: {error}"
                raise GraphInputError(said) from error
        yield dumps({"end": {"nodes": nodes, "relationships": ties}}, option=options)

    write_lines(lines(), out)
    return Counts(nodes, ties)


def _node_document(node: Node) -> dict[str, Any]:
    body = {
        "kind": node.kind,
        "uid": node.uid,
        "tenant": node.tenant_id,
        "properties": node.properties,
    }
    if node.plane != "observed":
        body["plane"] = node.plane
    if node.collection:
        body["collection"] = node.collection
    return {"node": body}


def _tie_document(tie: Relationship) -> dict[str, Any]:
    body: dict[str, Any] = {
        "kind": tie.kind,
        "from": tie.start,
        "to": tie.end,
        "tenant": tie.tenant_id,
        "properties": tie.properties,
    }
    if tie.plane != "observed":
        body["plane"] = tie.plane
    if tie.collection:
        body["collection"] = tie.collection
    if tie.implied:
        body["implied"] = True
    return {"relationship": body}


def _listing_document(listing: Listing) -> dict[str, Any]:
    body: dict[str, Any] = {
        "tenant": listing.tenant_id,
        "collection": listing.collection,
        "received": listing.received,
    }
    if listing.plane != "observed":
        body["plane"] = listing.plane
    if listing.expected is not None:
        body["expected"] = listing.expected
    return {"listing": body}


def _remark_document(remark: Remark) -> dict[str, Any]:
    return {"remark": {"code": remark.code, "at": remark.at, "message": remark.message}}


_DOCUMENTS: dict[type, Callable[[Any], dict[str, Any]]] = {
    Node: _node_document,
    Relationship: _tie_document,
    Listing: _listing_document,
    Remark: _remark_document,
}


# --- reading --------------------------------------------------------------------------------


class _ShapeError(ValueError):
    """A line is JSON, but none that a bundle has; says what is wrong with it."""


def is_header(line: bytes) -> bool:
    """Whether a first line is the header of a bundle, of whatever version."""
    try:
        header = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(header, dict) and header.get("format") == FORMAT


def read(source: Path | Source | BinaryIO, name: str = "") -> Iterator[Record]:
    """Read a bundle, packed by gzip or not, record by record; `at` is `file:LINE`.

    Whoever keeps any of it must read to the end: a bundle is whole only if no error was raised.

    Raises:
        GraphInputError: Not a bundle, one of a newer version, damaged, or cut off anywhere.
    """
    if not name:
        name = source.name if isinstance(source, Path | Source) else "standard input"
    with opened(source, name) as stream:
        _check_header(stream.readline(), name)
        yield from _records(stream, name)


def _check_header(line: bytes, name: str) -> None:
    if not line:
        raise truncated(name, "it is empty")
    if not is_header(line):
        raise GraphInputError(f"{name}:1: not the header of a bundle: {line[:80]!r}")
    version = orjson.loads(line).get("version")
    if type(version) is not int or version < 1:
        raise GraphInputError(f"{name}:1: no version of a bundle: {version!r:.40}")
    if version > VERSION:
        hint = "update SimBuilder, or export the bundle with the version that reads it"
        said = f"{name}: a bundle of version {version}; this one reads up to {VERSION}"
        raise GraphInputError(said, hint)


def _records(stream: Iterable[bytes], name: str) -> Iterator[Record]:
    """Yield the records of all lines after the header; the loop that must be fast."""
    nodes = ties = 0
    number = 1
    line = b""
    lines = iter(stream)
    loads, read_node, read_tie = orjson.loads, _node, _tie
    try:
        for line in lines:
            number += 1
            document = loads(line)
            ((what, body),) = document.items()
            if what == "node":
                nodes += 1
                yield read_node(body, f"{name}:{number}")
            elif what == "relationship":
                ties += 1
                yield read_tie(body, f"{name}:{number}")
            elif what == "end":
                return _check_end(body, Counts(nodes, ties), next(lines, b""), f"{name}:{number}")
            else:
                yield _other(what, body)
    except EOFError as error:
        raise truncated(name, "its compressed data ends early") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise _bad_line(line, error, f"{name}:{number}") from error
    raise truncated(name, f"it ends with line {number:,}, which is not its end line")


def _bad_line(line: bytes, error: Exception, at: str) -> GraphInputError:
    if isinstance(error, orjson.JSONDecodeError) and not line.endswith(b"\n"):
        return truncated(at, "the last line is cut off")
    if isinstance(error, orjson.JSONDecodeError):
        return GraphInputError(f"{at}: not JSON in UTF-8: {error}", _HINT)
    if isinstance(error, KeyError):
        return GraphInputError(f"{at}: {error} is missing", _HINT)
    said = str(error) if isinstance(error, _ShapeError) else "not a line of a bundle"
    return GraphInputError(f"{at}: {said}: {line[:80]!r}", _HINT)


_HINT = "nothing was loaded; export the bundle again"


def _node(body: dict[str, Any], at: str) -> Node:
    kind, uid, tenant, properties = body["kind"], body["uid"], body["tenant"], body["properties"]
    if type(kind) is not str or type(uid) is not str or type(tenant) is not str:
        raise _ShapeError("kind, uid and tenant must be text")
    if type(properties) is not dict:
        raise _ShapeError("properties must be an object")
    if len(body) == 4:
        return Node(kind, uid, tenant, properties, "observed", "", at)
    plane, collection = body.get("plane", "observed"), body.get("collection", "")
    _check_place(body, plane, collection, 4)
    return Node(kind, uid, tenant, properties, plane, collection, at)


def _tie(body: dict[str, Any], at: str) -> Relationship:
    kind, start, end, tenant = body["kind"], body["from"], body["to"], body["tenant"]
    properties = body["properties"]
    if type(kind) is not str or type(tenant) is not str:
        raise _ShapeError("kind and tenant must be text")
    if type(start) is not str or type(end) is not str:
        raise _ShapeError("from and to must be text")
    if type(properties) is not dict:
        raise _ShapeError("properties must be an object")
    if len(body) == 5:
        return Relationship(kind, start, end, tenant, properties, "observed", "", at)
    plane, collection = body.get("plane", "observed"), body.get("collection", "")
    implied = body.get("implied", False)
    if type(implied) is not bool:
        raise _ShapeError("implied must be true or false")
    _check_place(body, plane, collection, 5 + ("implied" in body))
    return Relationship(kind, start, end, tenant, properties, plane, collection, at, implied)


def _check_place(body: dict[str, Any], plane: Any, collection: Any, others: int) -> None:
    if plane not in PLANES:
        raise _ShapeError(f"no plane is called {plane!r:.40}")
    if type(collection) is not str:
        raise _ShapeError("collection must be text")
    if len(body) != others + ("plane" in body) + ("collection" in body):
        raise _ShapeError(f"more than a bundle of version {VERSION} says of a record")


def _other(what: str, body: Any) -> Listing | Remark:
    if what == "listing":
        return _listing(body)
    if what == "remark":
        code, at, message = body["code"], body["at"], body["message"]
        if not all(isinstance(each, str) for each in (code, at, message)) or len(body) != 3:
            raise _ShapeError("a remark has code, at and message")
        return Remark(code, at, message)
    raise _ShapeError(f"no line of a bundle of version {VERSION} is a {what!r:.40}")


def _listing(body: dict[str, Any]) -> Listing:
    tenant, collection, received = body["tenant"], body["collection"], body["received"]
    plane, expected = body.get("plane", "observed"), body.get("expected")
    if type(tenant) is not str or type(received) is not int:
        raise _ShapeError("tenant must be text, received a number")
    if expected is not None and type(expected) is not int:
        raise _ShapeError("expected must be a number")
    others = 3 + ("expected" in body) - ("collection" in body)
    _check_place(body, plane, collection, others)
    return Listing(tenant, plane, collection, received, expected)


def _check_end(body: dict[str, Any], read_now: Counts, rest: bytes, at: str) -> None:
    promised = body["nodes"], body["relationships"]
    if promised != (read_now.nodes, read_now.relationships):
        said = f"{promised[0]} nodes and {promised[1]} relationships were written"
        found = f"{read_now.nodes} and {read_now.relationships} are there"
        raise truncated(at, f"{said}, {found}")
    if rest:
        raise GraphInputError(f"{at}: more follows its end line: {rest[:80]!r}", _HINT)
