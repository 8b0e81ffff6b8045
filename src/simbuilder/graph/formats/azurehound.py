"""What AzureHound collects of a tenant: `{"data":[{"kind","data"},...],"meta":{...}}`, streamed.

Read from what AzureHound 2 writes (its `enums/kind.go` and `models`), and mapped to the same
objects that BloodHound makes of it. The same without a frame, one element a line, is what it
prints to a terminal: that is read too, and proves nothing about being whole.

Every element becomes records or a remark. What several elements repeat, such as a role that is
inherited by each resource, is yielded once. Passwords and certificates become `Credential` nodes
without any secret; settings that may hold secrets are left out with a remark.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats import azurehound_azure, azurehound_entra, azurehound_roles
from simbuilder.graph.formats.azurehound_elements import Element, Rule, Shared, text
from simbuilder.graph.formats.jsonstream import EMPTY, Item, Source, sources, walk
from simbuilder.graph.records import Listing, Node, Plane, Record, Relationship, Remark, fold

RULES: Mapping[str, Rule] = {
    **azurehound_entra.RULES,
    **azurehound_roles.RULES,
    **azurehound_azure.RULES,
}
"""How each kind of element is read."""

PARTIAL = frozenset(
    (
        "groups",  # only those with securityEnabled are asked for
        "groupMembers",
        "groupOwners",
        "resources",  # only of eleven types
        "azureRoleAssignments",  # only at scopes, and on resources of those types
        "appRoleAssignments",  # only of Microsoft Graph
        "federatedCredentials",  # only of applications
        "roleManagementPolicies",  # only of the directory
    )
)
"""Listings that AzureHound never reads completely, so that no file of it proves them."""

NEEDS: Mapping[str, tuple[str, ...]] = {"credentials": ("AZApp", "AZServicePrincipal")}
"""Listings that several kinds of element make up: all of them must be there."""

IMPLIED = ("managementGroupDescendants",)
"""Listings of nothing but what is implied."""

_BORROWED = ("AZTenant", "AZKeyVaultAccessPolicy")
"""Kinds whose tenantId need not be that of the tenant that was collected."""


def read(
    source: Source | Path, tenant: str | None = None, *, plane: Plane = "observed"
) -> Iterator[Record]:
    """Yield what a file of AzureHound says; of a zip, what each of its files says.

    `tenant` is whose the objects are that name no tenant; without it the file itself must say so.

    Raises:
        GraphInputError: It cannot be read, is no JSON, is cut short, or says no tenant. Records
            that were yielded before are then a part of the truth.
    """
    for each in sources(source) if isinstance(source, Path) else (source,):
        yield from _Reading(each, tenant or _tenant_of(each), plane).records()


def _tenant_of(source: Source) -> str:
    tenant = named_tenant(source)
    if not tenant:
        raise GraphInputError(
            f"{source.name}: does not say which tenant it was collected from",
            "Name it with --tenant.",
        )
    return tenant


def named_tenant(source: Source) -> str:
    """Return the tenant that a file was collected from, read on until an element names it.

    It is empty if none does: lists of members, for example, may not.
    """
    lone = ""
    for item in _elements(source):
        kind, data = _parts(item.value)
        named = text(data, "tenantId")
        if kind == "AZTenant" and not named:
            named = text(data, "id").removeprefix("/tenants/")
        if named and (kind not in _BORROWED or data.get("collected") is True):
            return named
        if named and kind == "AZTenant":
            lone = lone or named
    return lone


def _elements(source: Source) -> Iterator[Item]:
    return (item for item in walk(source) if item.path in ((), ("data",)))


def _parts(value: Any) -> tuple[str, dict[str, Any]]:
    """Return the kind and the data of an element; nothing of what it lacks."""
    if not isinstance(value, dict):
        return "", {}
    data = value.get("data")
    return text(value, "kind"), data if isinstance(data, dict) else {}


@dataclass(slots=True)
class _Reading:
    """The reading of one file: what it said so far, and whether that was all."""

    source: Source
    tenant: str
    plane: Plane
    shared: Shared = field(default_factory=Shared)
    kinds: set[str] = field(default_factory=set)
    received: dict[tuple[str, str], int] = field(default_factory=dict)
    failed: dict[tuple[str, str], int] = field(default_factory=dict)
    count: int = 0
    promised: Any = None

    def records(self) -> Iterator[Record]:
        for path, value, line in walk(self.source):
            if value is EMPTY and path == ("data",):
                continue
            if path in ((), ("data",)):
                self.count += 1
                yield from self._element(value, self.source.at(line))
            elif path == ("meta",):
                yield from self._meta(value, self.source.at(line))
            else:
                said = f"{'.'.join(path)} is no part of what AzureHound writes"
                yield Remark("bad-record", self.source.at(line), said)
        for top in self.shared.tops:
            if top.end not in self.shared.children:
                yield top
        yield from self._listings()

    def _element(self, value: Any, at: str) -> Iterator[Record]:
        kind, data = _parts(value)
        rule = RULES.get(kind)
        if not kind or (rule and not data):
            yield Remark("bad-record", at, f"an element without {'data' if kind else 'a kind'}")
            if rule:
                self._add(self.failed, self.tenant, rule.collection)
            return
        if rule is None:
            yield Remark("unknown-kind", at, f"no element of AzureHound is a {kind!r:.80}")
            return
        self.kinds.add(kind)
        tenant = text(data, "tenantId") if kind != "AZKeyVaultAccessPolicy" else ""
        owner = fold(tenant or self.tenant)
        self.received.setdefault((owner, rule.collection), 0)
        element = Element(kind, data, owner, at, self.plane, rule.collection, self.shared)
        for record in rule.handle(element):
            self._count(record, element)
            yield record

    def _count(self, record: Record, element: Element) -> None:
        if isinstance(record, Node) or (
            isinstance(record, Relationship)
            and (not record.implied or record.collection in IMPLIED)
        ):
            self._add(self.received, record.tenant_id, record.collection)
        elif isinstance(record, Remark) and record.code == "bad-record":
            self._add(self.failed, element.tenant, element.collection)

    @staticmethod
    def _add(counts: dict[tuple[str, str], int], tenant: str, collection: str) -> None:
        key = (fold(tenant), collection)
        counts[key] = counts.get(key, 0) + 1

    def _meta(self, meta: Any, at: str) -> Iterator[Record]:
        said = meta if isinstance(meta, dict) else {}
        self.promised = said.get("count")
        if said.get("type") not in (None, "azure"):
            yield Remark("unknown-format", at, f"meta.type is {said['type']!r:.40}, not azure")

    def _listings(self) -> Iterator[Record]:
        whole = self.promised == self.count
        if isinstance(self.promised, int) and not whole:
            said = f"meta.count is {self.promised:,}, but {self.count:,} elements were read"
            yield Remark("incomplete", self.source.name, said)
        for tenant, collection in sorted(self.received.keys() | self.failed.keys()):
            received = self.received.get((tenant, collection), 0)
            failed = self.failed.get((tenant, collection), 0)
            proved = whole and collection not in PARTIAL
            if not self.kinds.issuperset(NEEDS.get(collection, ())):
                proved = False
            expected = received + failed if proved else None
            yield Listing(tenant, self.plane, collection, received, expected)
