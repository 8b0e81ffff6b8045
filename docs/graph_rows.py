"""The types of rows that queries return, made from the model: one per kind."""

from collections.abc import Iterable

from docs.graph_model import SHARED, shared
from simbuilder.graph.schema import Kind, NodeKind, Property, RelationshipKind, Schema, Type

HEADER = "# Generated from simbuilder.graph.model by `python3 tasks.py format`.\n"
PYTHON = {
    Type.TEXT: "str",
    Type.INTEGER: "int",
    Type.NUMBER: "float",
    Type.BOOLEAN: "bool",
    Type.TIME: "str",
    Type.TEXTS: "list[str]",
    Type.DOCUMENT: "str",
}
BASE = '''\
"""What every row has, whatever it is about."""

from typing import Literal, TypedDict


class NodeRow(TypedDict, total=False):
    """What the service itself says about any node."""

    uid: str
    kind: str
    tenant_id: str
    plane: Literal["planned", "deployed", "observed"]
    collection: str
    objectid: str
    name: str
    extra: str
    hash: str
    first_seen: str
    """ISO 8601, of the pass or edit that created it; `last_seen` of the last one that saw it."""
    last_seen: str
    snapshot_id: int
    """The number of the last pass that saw it."""
    since: int
    """The number of the pass or edit that its present state began with."""
    revision: int


class TieRow(TypedDict, total=False):
    """What the service itself says about any relationship; the times are those of the passes."""

    collection: str
    """Its own kind, if it is missing."""
    key: str
    extra: str
    hash: str
    snapshot_id: int
    since: int
'''


def modules(schema: Schema) -> dict[str, str]:
    """Return the text of each module by its name: `platform.py`, `platform_ties.py` and others."""
    alike = {label: shared(schema, label) for label in SHARED}
    nodes: dict[str, list[NodeKind]] = {}
    for kind in schema.nodes:
        nodes.setdefault(kind.family.lower(), []).append(kind)
    ties: dict[str, list[RelationshipKind]] = {}
    for tie in schema.relationships:
        if tie.properties:
            ties.setdefault(tie.family, []).append(tie)
    return {
        "__init__.py": f'{HEADER}"""Types of rows, a module for each family of kinds."""\n',
        "base.py": HEADER + BASE + "".join(map(_shared_row, alike.items())),
        **{f"{family}.py": _nodes(family, kinds, alike) for family, kinds in nodes.items()},
        **{f"{family}_ties.py": _ties(family, kinds) for family, kinds in ties.items()},
    }


def row_name(kind: Kind) -> str:
    """Return the name of the type of a kind's rows: `EntraUserRow`, `MemberOfTie`."""
    if isinstance(kind, NodeKind):
        return f"{kind.name}Row"
    return "".join(word.capitalize() for word in kind.name.split("_")) + "Tie"


def _shared_row(item: tuple[str, tuple[Property, ...]]) -> str:
    label, properties = item
    about = f"What all kinds labelled {label} have."
    return "\n\n" + _class(f"{label}Row", "NodeRow", about, properties)


def _nodes(family: str, kinds: list[NodeKind], alike: dict[str, tuple[Property, ...]]) -> str:
    bases = set()
    classes = []
    for kind in kinds:
        label = next((label for label in alike if label in kind.labels), "")
        base = f"{label or 'Node'}Row"
        own = [each for each in kind.properties if each not in alike.get(label, ())]
        bases.add(base)
        classes.append(_class(row_name(kind), base, kind.about, own))
    return _module(f"Rows of nodes of the family {family}.", bases, classes)


def _ties(family: str, ties: list[RelationshipKind]) -> str:
    classes = [_class(row_name(tie), "TieRow", tie.about, tie.properties) for tie in ties]
    return _module(f"Rows of relationships of the family {family}.", {"TieRow"}, classes)


def _module(about: str, bases: set[str], classes: list[str]) -> str:
    imports = f"from simbuilder.graph.rows.base import {', '.join(sorted(bases))}\n"
    return f'{HEADER}"""{about}"""\n\n{imports}' + "".join(f"\n\n{text}" for text in classes)


def _class(name: str, base: str, about: str, properties: Iterable[Property]) -> str:
    fields = [f"    {each.name}: {PYTHON[each.type]}" for each in properties if each.name != "name"]
    head = [f"class {name}({base}, total=False):", f'    """{about}"""']
    return "\n".join([*head, *(["", *fields] if fields else [])]) + "\n"
