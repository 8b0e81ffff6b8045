"""One element of an AzureHound file, and what its fields become: shared by the tables of all areas.

A table is a tree by the names that the source uses: a text is the name that the value gets here, a
table goes on inside, `DROPPED` is said elsewhere in the record, `WITHHELD` may hold secrets. What
no table names keeps its name and its shape.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simbuilder.graph.records import Node, Plane, Relationship, Remark, fold

DROPPED, WITHHELD = "", "!"

Table = dict[str, Any]
Made = Node | Relationship | Remark
Handler = Callable[["Element"], Iterator[Made]]

_NOTHING: tuple[Any, ...] = (None, "", [], {})
"""What the source writes for fields that nobody set."""


@dataclass(slots=True)
class Shared:
    """What is known of a whole file while it is read; small however long the file is."""

    met: set[str] = field(default_factory=set)
    """Uids of what several elements repeat, such as role assignments that are inherited."""

    templates: dict[str, str] = field(default_factory=dict)
    """Templates of directory roles that have another id."""

    children: set[str] = field(default_factory=set)
    """Scopes that some management group contains."""

    tops: list[Relationship] = field(default_factory=list)
    """Scopes that the tenant contains, unless a management group turns out to."""


@dataclass(slots=True)
class Element:
    """One element: what kind it says it is, what it says, and where it stands."""

    kind: str
    data: dict[str, Any]
    tenant: str
    at: str
    plane: Plane
    collection: str
    shared: Shared

    def node(
        self, kind: str, uid: str, properties: Mapping[str, Any], collection: str = ""
    ) -> Node:
        """Return a node that was read here."""
        owner = collection or self.collection
        return Node(kind, self.uid(uid), self.tenant, properties, self.plane, owner, self.at)

    def tie(
        self,
        kind: str,
        start: str,
        end: str,
        properties: Mapping[str, Any] | None = None,
        *,
        implied: bool = False,
    ) -> Relationship:
        """Return a relationship that was read here."""
        return Relationship(
            kind,
            self.uid(start),
            self.uid(end),
            self.tenant,
            properties or {},
            self.plane,
            self.collection,
            self.at,
            implied,
        )

    def uid(self, uid: str) -> str:
        """Return the uid that an id of the source has on the plane that is read."""
        folded = fold(uid)
        return folded if self.plane == "observed" else f"{self.plane}:{folded}"

    def contained(self, uid: str) -> Relationship:
        """Return that the tenant contains something."""
        return self.tie("CONTAINS", self.tenant, uid, implied=True)

    def bad(self, why: str) -> Remark:
        """Return that the element, or a part of it, says too little to become a record."""
        return Remark("bad-record", self.at, f"{self.kind}: {why}")

    def withheld(self, uid: str, names: Iterable[str]) -> Iterator[Remark]:
        """Yield what was left out because it may hold secrets."""
        for name in names:
            yield Remark("withheld", self.at, f"{fold(uid)[-120:]}: {name} may hold secrets")

    def parts(self, name: str, lone: str | None = None) -> Iterator[dict[str, Any] | Remark]:
        """Yield the objects of a list that the element has, and a remark for whatever is none.

        With `lone` the element is to have the list, or to be itself the one object: it then has a
        field of that name.
        """
        held = self.data.get(name)
        if lone in self.data and not held:
            yield self.data
        elif isinstance(held, list):
            for each in held:
                yield (
                    each if isinstance(each, dict) else self.bad(f"one of its {name} is no object")
                )
        elif held is not None:
            yield self.bad(f"its {name} is no list")
        elif lone is not None and name not in self.data:
            yield self.bad(f"has no {name}")

    def is_new(self, uid: str) -> bool:
        """Tell whether a uid is met for the first time in this file, and remember it."""
        folded = fold(uid)
        if folded in self.shared.met:
            return False
        self.shared.met.add(folded)
        return True


@dataclass(frozen=True, slots=True)
class Rule:
    """How the elements of a kind are read, and the listing that they come from."""

    collection: str
    handle: Handler


def text(data: Mapping[str, Any], *names: str) -> str:
    """Return the first of these fields that is a text with something in it, else nothing."""
    for name in names:
        value = data.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def inner(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a field that is an object; an empty one if it is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def listed(data: Mapping[str, Any], name: str) -> list[Any]:
    """Return a field that is a list; an empty one if it is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def translated(data: Mapping[str, Any], table: Table) -> tuple[dict[str, Any], list[str]]:
    """Return the properties that fields become, and the names of those withheld."""
    named: dict[str, Any] = {}
    withheld: list[str] = []
    rest = _sorted_out(data, table, named, withheld)
    for name, convert in CONVERSIONS.items():
        if name in named:
            named[name] = convert(named[name])
    return rest | named, withheld


def _sorted_out(
    data: Mapping[str, Any], table: Table, named: dict[str, Any], withheld: list[str]
) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for key, value in data.items():
        if value in _NOTHING:
            continue
        target = table.get(key)
        if target is None:
            rest[key] = value
        elif target == WITHHELD:
            withheld.append(key)
        elif isinstance(target, str):
            if target:
                named.setdefault(target, value)
        elif isinstance(value, dict):
            inside = _sorted_out(value, target, named, withheld)
            if inside:
                rest[key] = inside
        else:
            rest[key] = value
    return rest


def _split(value: Any) -> Any:
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else value


def _switch(value: Any) -> Any:
    return ("Disabled", "Enabled")[value] if isinstance(value, bool) else value


def _folded(value: Any) -> Any:
    return fold(value) if isinstance(value, str) else value


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "password_policies": _split,
    "group_claims": _split,
    "public_network_access": _switch,
    **dict.fromkeys(
        (
            *("app_id", "object_id", "app_owner_org_id", "device_id", "template_id", "role_id"),
            *(
                "principal_id",
                "resource_id",
                "role_definition_id",
                "resource_type",
                "subscription_id",
            ),
        ),
        _folded,
    ),
}
"""Properties that the source writes in another type or case than the model has."""
