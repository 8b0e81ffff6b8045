"""Answers of Azure Resource Manager: scopes, and resources of whatever type by their ARM id.

What an item is follows from its id. Shapes are those of the REST reference (learn.microsoft.com/
rest/api/azure), as it gives them or flattened by `az`.
"""

from collections.abc import Callable, Iterator

from simbuilder.graph.formats.answers_ids import (
    GROUP,
    MANAGEMENT,
    SUBSCRIPTION,
    arm_id,
    group_of,
    is_descendant,
    parent_of,
    subscription_of,
    type_of,
)
from simbuilder.graph.formats.answers_rbac import RBAC
from simbuilder.graph.formats.answers_resources import (
    KINDS,
    SITE,
    TABLES,
    computed,
    kind_of_site,
    named,
    names_of,
)
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_ties import PARTS, TIES, Found
from simbuilder.graph.formats.answers_values import (
    Item,
    Reading,
    find,
    inner,
    items,
    read,
    rest,
    word,
)
from simbuilder.graph.records import Record, fold

_COMMON: dict[str, Reading] = {
    "name": "name",
    "location": "location",
    "resource_kind": "kind",
    "managed_by": "managedBy",
    "identity_type": "identity/type",
    "identity_principal_id": "identity/principalId",
    "identity_ids": ("identity/userAssignedIdentities", names_of),
    "provisioning_state": "properties/provisioningState",
    "tags": "tags",
}
_SUBSCRIPTION: dict[str, Reading] = {
    "name": "displayName",
    "state": "state",
    "quota_id": "subscriptionPolicies/quotaId",
    "spending_limit": "subscriptionPolicies/spendingLimit",
    "authorization_source": "authorizationSource",
    "managed_by_tenants": ("managedByTenants", named("tenantId")),
    "tags": "tags",
}
_GROUP: dict[str, Reading] = {
    "name": "name",
    "location": "location",
    "managed_by": "managedBy",
    "provisioning_state": "properties/provisioningState",
    "tags": "tags",
}
_USED = frozenset(
    (
        *("id", "name", "type", "location", "kind", "managedBy", "identity", "properties", "tags"),
        *("sku", "systemData", "createdTime", "changedTime", "resourceGroup", "provisioningState"),
        *("subscriptionId", "tenantId"),
    )
)


_GROUPED = ("id", "name", "type", "displayName", "details", "children", "tenantId")

# --- items ----------------------------------------------------------------------------------


def arm(item: Item, run: Run) -> Iterator[Record]:
    """Read whatever an item of Azure Resource Manager is."""
    uid = arm_id(item)
    kind = type_of(uid)
    if not kind:
        yield run.remark("bad-record", f"{uid or '?':.200}: not the ARM id of anything")
    elif kind in RBAC:
        yield from RBAC[kind](item, uid, run)
    elif kind in PARTS:
        yield from PARTS[kind](item, uid, run)
    elif is_descendant(item, kind):
        yield from descendant(item, uid, kind, run)
    elif kind == MANAGEMENT:
        yield from management_group(item, uid, run)
    elif kind == SUBSCRIPTION:
        yield from subscription(item, uid, run)
    elif kind == GROUP:
        yield from resource_group(item, uid, run)
    else:
        yield from resource(item, uid, kind, run)


def management_group(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read a management group, the one above it, and those below if expanded."""
    run.known("managementGroups", uid)
    above = fold(word(find(item, "properties/details/parent/id")))
    name = word(find(item, "name")) or uid.rpartition("/")[2]
    properties = {
        "name": word(find(item, "properties/displayName")) or name,
        "group_id": name,
        "parent_id": above or None,
        "is_root": fold(name) == run.tenant,
        "updated": find(item, "properties/details/updatedTime"),
        "updated_by": find(item, "properties/details/updatedBy"),
    }
    tie = run.tie("CONTAINS", run.tenant, uid, implied=True)
    again = run.again(uid, tie)
    if not again:
        yield run.node("ManagementGroup", uid, properties | rest(item, _GROUPED, {}, ""))
    yield again or tie
    if above:
        yield run.tie("CONTAINS", above, uid, "managementGroupDescendants", True)
    for child in items(find(item, "properties/children")):
        yield from _child(child, uid, run)


def _child(child: Item, above: str, run: Run) -> Iterator[Record]:
    uid = arm_id(child)
    if not uid:
        yield run.remark("bad-record", f"{above}: a child without an ARM id")
        return
    yield run.tie("CONTAINS", above, uid, "managementGroupDescendants", True)
    for each in items(find(child, "children")):
        yield from _child(each, uid, run)


def descendant(item: Item, uid: str, kind: str, run: Run) -> Iterator[Record]:
    """Read that a subscription or management group is below another one."""
    above = fold(word(find(item, "properties/parent/id")))
    name = word(find(item, "properties/displayName")) or word(find(item, "name"))
    if _topic(kind) not in run.present and run.first(uid):
        if kind == MANAGEMENT:
            properties: Item = {"name": name, "group_id": find(item, "name"), "parent_id": above}
            yield run.node("ManagementGroup", uid, properties)
        else:
            properties = {"name": name, "subscription_id": subscription_of(uid)}
            yield run.node("Subscription", uid, properties)
        yield run.tie("CONTAINS", run.tenant, uid, implied=True)
    yield run.tie("CONTAINS", above, uid, "managementGroupDescendants")


def _topic(kind: str) -> str:
    return "managementGroups" if kind == MANAGEMENT else "subscriptions"


def subscription(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read a subscription; `az` lists those of other tenants too."""
    home = fold(word(find(item, "tenantId")))
    if home and home != run.tenant:
        yield run.remark("bad-record", f"{uid}: belongs to tenant {home}")
        return
    properties = read(item, _SUBSCRIPTION) | {"subscription_id": subscription_of(uid)}
    properties.setdefault("name", find(item, "name") or find(item, "subscriptionName"))
    used = ("displayName", "state", "authorizationSource", "managedByTenants", *_USED)
    properties |= rest(item, (*used, "subscriptionPolicies"), {}, "")
    yield run.node("Subscription", uid, properties)
    yield run.tie("CONTAINS", run.tenant, uid, implied=True)


def resource_group(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read a resource group."""
    place = f"subscriptions/{subscription_of(uid)}/resourceGroups"
    properties = read(item, _GROUP) | {"subscription_id": subscription_of(uid)}
    yield from _above(parent_of(uid), run)
    yield run.node("ResourceGroup", uid, properties | rest(item, _USED, _GROUP, ""), place)
    yield run.tie("CONTAINS", parent_of(uid), uid, implied=True)


def resource(item: Item, uid: str, kind: str, run: Run) -> Iterator[Record]:
    """Read a resource of any type, and what it is tied to."""
    name = kind_of_site(item) if kind == SITE else KINDS.get(kind, "AzureResource")
    above = run.tie("CONTAINS", parent_of(uid) or run.tenant, uid, implied=True)
    again = run.again(uid, above, alike=bool(run.place))
    if again:
        yield again  # a list of its own type said more of it
        return
    table = TABLES.get(name, {})
    properties = read(item, _COMMON) | _size(item) | _times(item) | read(item, table)
    properties["resource_type"] = kind
    properties["subscription_id"] = subscription_of(uid) or None
    properties["resource_group"] = group_of(uid) or None
    properties |= rest(item, _USED, table, "detail" if name == "AzureResource" else "properties")
    properties |= _kept(item) | computed(name, item)
    properties.setdefault("name", uid.rpartition("/")[2])
    yield from _above(parent_of(uid), run)
    within = run.place  # what is described within another resource is listed with it
    place = within or place_of(uid, kind, run)
    yield run.node(name, uid, properties, place)
    yield above
    yield from _identities(item, uid, place, run)
    run.place = within or f"subscriptions/{subscription_of(uid)}/{kind}"
    yield from _tied(TIES.get(name) or TIES.get(kind), item, uid, run)
    run.place = within


def _tied(
    tie: Callable[[Item, str, Run], Found] | None, item: Item, uid: str, run: Run
) -> Iterator[Record]:
    for each in tie(item, uid, run) if tie else ():
        if isinstance(each, dict):
            yield from _part(each, run)
        else:
            yield each


def _part(item: Item, run: Run) -> Iterator[Record]:
    """Read a resource that is described within the one above it, such as a subnet."""
    uid = arm_id(item)
    kind = type_of(uid)
    if kind.count("/"):
        yield from resource(item, uid, kind, run)
    else:
        yield run.remark("bad-record", "a part of a resource without an ARM id of its own")


def place_of(uid: str, kind: str, run: Run) -> str:
    """Return the collection of a resource: all of its subscription's if a list had all types."""
    owner = f"subscriptions/{subscription_of(uid)}"
    nested = kind.count("/") > 1
    if nested or subscription_of(uid) not in run.general:
        return f"{owner}/{kind}"
    return f"{owner}/resources"


def _above(uid: str, run: Run) -> Iterator[Record]:
    """Yield the scopes that an ARM id names, if nothing else here is about them."""
    kind = type_of(uid)
    if kind == GROUP and "resourceGroups" not in run.present and run.first(uid):
        yield from _above(parent_of(uid), run)
        said = {"name": group_of(uid), "subscription_id": subscription_of(uid)}
        yield run.node("ResourceGroup", uid, said, f"subscriptions/{subscription_of(uid)}/named")
        yield run.tie("CONTAINS", parent_of(uid), uid, implied=True)
    elif kind == SUBSCRIPTION and "subscriptions" not in run.present and run.first(uid):
        said = {"subscription_id": subscription_of(uid)}
        yield run.node("Subscription", uid, said, "subscriptions/named")
        yield run.tie("CONTAINS", run.tenant, uid, implied=True)


def _identities(item: Item, uid: str, place: str, run: Run) -> Iterator[Record]:
    """Yield the managed identities that a resource runs as."""
    own = fold(word(find(item, "identity/principalId")))
    if own:
        yield run.tie("RUNS_AS", uid, own, place, identity_type="SystemAssigned")
    for name, each in inner(find(item, "identity/userAssignedIdentities")).items():
        principal = fold(word(find(inner(each), "principalId")))
        if principal:
            yield run.tie("RUNS_AS", uid, principal, place, identity_type="UserAssigned")
        else:
            yield run.remark(
                "incomplete", f"{uid}: runs as {fold(name)}, whose principal is unsaid"
            )


def _size(item: Item) -> Item:
    held = item.get("sku")
    size = word(held) or word(find(inner(held), "name")) or word(find(item, "properties/sku/name"))
    return {"sku": size} if size else {}


def _kept(item: Item) -> Item:
    """Return what is known in part only, so that the rest of it is not lost."""
    sku = {f"sku.{name}": value for name, value in inner(item.get("sku")).items() if name != "name"}
    by = inner(find(item, "systemData"))
    return sku | {f"systemData.{name}": by[name] for name in by if name.endswith(("By", "_by"))}


def _times(item: Item) -> Item:
    created = find(item, "systemData/createdAt") or find(item, "createdTime")
    updated = find(item, "systemData/lastModifiedAt") or find(item, "changedTime")
    return {name: at for name, at in (("created", created), ("updated", updated)) if at}
