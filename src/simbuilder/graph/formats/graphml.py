"""GraphML 1.0, which Gephi, yEd and networkx read: a graph as a drawing program wants it.

The form is that of graphml.graphdrawing.org. Keys are declared for every property of the model,
with its type; lists and documents are JSON text. What XML 1.0 cannot hold, such as most control
characters, is in `extra`, the JSON text of what has no key; an id with any is `json:"..."`.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

from simbuilder.graph.formats.files import Counts, write_lines
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.schema import Type

_TYPES = {
    Type.TEXT: "string",
    Type.TIME: "string",
    Type.TEXTS: "string",
    Type.DOCUMENT: "string",
    Type.INTEGER: "long",
    Type.NUMBER: "double",
    Type.BOOLEAN: "boolean",
}
_ABOUT = ("label", "kind", "labels", "tenant_id", "plane", "collection", "extra")
"""What is said of each record besides its properties; drawing programs show `label`."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Whatever is not a Char of XML 1.0 (w3.org/TR/xml, 2.2)."""

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_SPACES = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
"""Space that a parser would turn into blanks within an attribute."""

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns'
    ' http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">\n'
)


def write(nodes: Iterable[Node], relationships: Iterable[Relationship], out: BinaryIO) -> Counts:
    """Write a graph as its records come, all nodes first; return how many there were.

    Ends of relationships that are among no nodes are written as they are: most readers add them.
    """
    counted = {Node: 0, Relationship: 0}
    node_keys, tie_keys = _keys("node"), _keys("edge")

    def lines() -> Iterator[bytes]:
        yield _HEAD.encode()
        yield from _declarations("node", node_keys)
        yield from _declarations("edge", tie_keys)
        yield b'<graph id="simbuilder" edgedefault="directed">\n'
        for node in nodes:
            counted[Node] += 1
            yield _node(node, node_keys).encode()
        for tie in relationships:
            yield _edge(tie, counted[Relationship], tie_keys).encode()
            counted[Relationship] += 1
        yield b"</graph>\n</graphml>\n"

    write_lines(lines(), out)
    return Counts(counted[Node], counted[Relationship])


def _keys(domain: str) -> Mapping[str, str]:
    """Return the GraphML type of every property that nodes or edges can have."""
    kinds = SCHEMA.nodes if domain == "node" else SCHEMA.relationships
    return {each.name: _TYPES[each.type] for kind in kinds for each in kind.properties}


def _declarations(domain: str, keys: Mapping[str, str]) -> Iterator[bytes]:
    for prefix, names in (("a", dict.fromkeys(_ABOUT, "string")), ("p", keys)):
        for name, held in names.items():
            key = f"{domain[0]}{prefix}_{name}"
            said = f'<key id="{key}" for="{domain}" attr.name="{name}" attr.type="{held}"/>\n'
            yield said.encode()


def _node(node: Node, keys: Mapping[str, str]) -> str:
    kind = SCHEMA.node_kinds.get(node.kind)
    labels = "".join(f":{each}" for each in (kind.labels if kind else (node.kind,)))
    name = node.properties.get("name")
    about = {"label": name if isinstance(name, str) else node.uid, "labels": labels}
    return f"<node id={_id(node.uid)}>{_data(node, about, keys, 'n')}</node>\n"


def _edge(tie: Relationship, number: int, keys: Mapping[str, str]) -> str:
    ends = f"source={_id(tie.start)} target={_id(tie.end)}"
    return f'<edge id="e{number}" {ends}>{_data(tie, {"label": tie.kind}, keys, "e")}</edge>\n'


def _id(uid: str) -> str:
    safe = f"json:{json.dumps(uid)}" if _FORBIDDEN.search(uid) else uid
    return quoteattr(safe, _SPACES)


def _data(
    record: Node | Relationship, about: dict[str, str], keys: Mapping[str, str], domain: str
) -> str:
    about |= {"kind": record.kind, "tenant_id": record.tenant_id, "plane": record.plane}
    if record.collection:
        about["collection"] = record.collection
    extra: dict[str, Any] = {}
    found = [_element(f"{domain}a_{name}", _clean(value)) for name, value in about.items()]
    for name, value in record.properties.items():
        if value is None:
            continue
        text = _text(value, keys.get(name))
        if text is None or _FORBIDDEN.search(text):
            extra[name] = value
        else:
            found.append(_element(f"{domain}p_{name}", text))
    if extra:
        found.append(_element(f"{domain}a_extra", _json(extra)))
    return "".join(found)


def _element(key: str, text: str) -> str:
    return f'<data key="{key}">{text.translate(_ESCAPED)}</data>'


def _clean(text: str) -> str:
    return json.dumps(text) if _FORBIDDEN.search(text) else text


def _text(value: Any, held: str | None) -> str | None:
    """Return how a value is written under a key of that type, `None` if it does not fit it."""
    if held == "string":
        return value if isinstance(value, str) else _json(value)
    if held == "boolean":
        return str(value).lower() if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if held == "long":
        return str(value) if isinstance(value, int) and -(2**63) <= value < 2**63 else None
    if held == "double":
        return repr(float(value)) if math.isfinite(value) else None
    return None


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return json.dumps(value, sort_keys=True, default=str) if _FORBIDDEN.search(text) else text
