"""What a graph may hold: every kind of node and relationship, declared once as frozen data.

Constraints, statements, row types and the documentation page are made from it. Only names that
passed `Schema` ever become part of a statement; whatever is a value travels as a parameter.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

ENTITY = "Entity"
"""The label of every node of a tenant; its `uid` is unique."""

BOOKKEEPING = (
    *("uid", "kind", "tenant_id", "plane", "collection", "objectid", "extra", "hash"),
    *("first_seen", "last_seen", "snapshot_id", "since", "until", "revision", "of"),
    *("start", "end", "key", "touched"),
)
"""Properties that the service itself writes; no kind may declare them."""

RESERVED_LABELS = (ENTITY, "Version", "Pass", "SimBuilderGraph")

_LABEL = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{0,63}")


class SchemaError(ValueError):
    """A schema contradicts itself; the message names the kind and what is wrong with it."""


class Type(StrEnum):
    """The type of a property; a missing value is an absent property, never a null."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    """ISO 8601 text, as the source wrote it."""
    TEXTS = "texts"
    """A list of texts."""
    DOCUMENT = "document"
    """JSON text of something nested."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a kind: `unit` for quantities, `source` where the fact comes from."""

    name: str
    type: Type = Type.TEXT
    about: str = ""
    unit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class NodeKind:
    """A kind of node: `name` is its concrete label, `family` the label of its broad family.

    `also` are further labels of ours (`Principal`), `bloodhound` the kinds that BloodHound knows it
    by, added as labels. `uid_from` says what the uid is made of. `collection` is what one listing
    of the source covers: objects vanish only where their whole collection was read.
    """

    name: str
    family: str
    collection: str
    about: str
    uid_from: str
    properties: tuple[Property, ...] = ()
    also: tuple[str, ...] = ()
    bloodhound: tuple[str, ...] = ()
    cartography: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label a node of this kind carries, without repetition."""
        return tuple(dict.fromkeys((ENTITY, self.family, *self.also, self.name, *self.bloodhound)))


@dataclass(frozen=True, slots=True)
class RelationshipKind:
    """A kind of relationship between kinds or labels, read `(from)-[name]->(to)`.

    Two relationships of a kind between the same nodes are one, unless a property named in `key`
    tells them apart. `attack` is true where it gives whoever holds `from` some power over `to`:
    those are what attack paths follow. `bloodhound` are the edge kinds it is imported from.
    """

    name: str
    family: str
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    about: str
    properties: tuple[Property, ...] = ()
    key: tuple[str, ...] = ()
    attack: bool = False
    bloodhound: tuple[str, ...] = ()


Kind = NodeKind | RelationshipKind


@dataclass(frozen=True)
class Schema:
    """Kinds that do not contradict each other; raises `SchemaError` when made of any that do.

    `version` is stored in each database and grows with every change that needs a migration.
    """

    version: int
    nodes: tuple[NodeKind, ...]
    relationships: tuple[RelationshipKind, ...]

    def __post_init__(self) -> None:
        problem = next(_contradictions(self), None)
        if problem:
            raise SchemaError(problem)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds, nodes first."""
        return self.nodes + self.relationships

    @cached_property
    def node_kinds(self) -> Mapping[str, NodeKind]:
        """Node kinds by name."""
        return {kind.name: kind for kind in self.nodes}

    @cached_property
    def relationship_kinds(self) -> Mapping[str, RelationshipKind]:
        """Relationship kinds by name."""
        return {kind.name: kind for kind in self.relationships}

    @cached_property
    def labels(self) -> Mapping[str, frozenset[str]]:
        """For each label, the names of the node kinds that carry it."""
        found: dict[str, set[str]] = {}
        for kind in self.nodes:
            for label in kind.labels:
                found.setdefault(label, set()).add(kind.name)
        return {label: frozenset(names) for label, names in found.items()}

    @cached_property
    def families(self) -> Mapping[str, tuple[str, ...]]:
        """For each family of relationships, their types; `attack` is one that cuts across."""
        found: dict[str, list[str]] = {}
        for kind in self.relationships:
            found.setdefault(kind.family, []).append(kind.name)
        found["attack"] = [kind.name for kind in self.relationships if kind.attack]
        return {family: tuple(types) for family, types in found.items()}

    def property_type(self, name: str) -> Type | None:
        """Return the type that `name` has in whichever kinds declare it."""
        return self._types.get(name)

    @cached_property
    def _types(self) -> Mapping[str, Type]:
        return {each.name: each.type for kind in self.kinds for each in kind.properties}


def _contradictions(schema: Schema) -> Iterator[str]:
    yield from _repeated("node kind", (kind.name for kind in schema.nodes))
    yield from _repeated("relationship kind", (kind.name for kind in schema.relationships))
    types: dict[str, tuple[Type, str]] = {}
    for kind in schema.kinds:
        yield from _bad_properties(kind, types)
    concrete = {kind.name for kind in schema.nodes}
    for node in schema.nodes:
        yield from _bad_labels(node, concrete)
    for relationship in schema.relationships:
        yield from _bad_relationship(relationship, schema)


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{what} {name} is declared twice"
        seen.add(name)


def _bad_properties(kind: Kind, types: dict[str, tuple[Type, str]]) -> Iterator[str]:
    yield from _repeated(f"{kind.name}: property", (each.name for each in kind.properties))
    for each in kind.properties:
        if not _PROPERTY.fullmatch(each.name):
            yield f"{kind.name}: {each.name!r} is no name for a property"
        if each.name in BOOKKEEPING:
            yield f"{kind.name}: property {each.name} belongs to the service"
        first, owner = types.setdefault(each.name, (each.type, kind.name))
        if first is not each.type:
            yield f"{kind.name}: {each.name} is {each.type}, but {first} in {owner}"


def _bad_labels(kind: NodeKind, concrete: set[str]) -> Iterator[str]:
    for label in kind.labels:
        if not _LABEL.fullmatch(label):
            yield f"{kind.name}: {label!r} is no name for a label"
    for label in (kind.family, *kind.also, *kind.bloodhound, kind.name):
        if label in RESERVED_LABELS:
            yield f"{kind.name}: label {label} belongs to the service"
    for label in (kind.family, *kind.also, *kind.bloodhound):
        if label in concrete and label != kind.name:
            yield f"{kind.name}: label {label} is a kind of its own"
    if not kind.collection:
        yield f"{kind.name}: names no collection"


def _bad_relationship(kind: RelationshipKind, schema: Schema) -> Iterator[str]:
    if not _TYPE.fullmatch(kind.name):
        yield f"{kind.name!r} is no name for a relationship"
    for label in (*kind.starts, *kind.ends):
        if label not in schema.labels:
            yield f"{kind.name}: no node is a {label}"
    if not kind.starts or not kind.ends:
        yield f"{kind.name}: starts or ends nowhere"
    declared = {each.name for each in kind.properties}
    for name in kind.key:
        if name not in declared:
            yield f"{kind.name}: key {name} is not among its properties"
    if kind.family == "attack":
        yield f"{kind.name}: attack is no family, but what `attack` says"
