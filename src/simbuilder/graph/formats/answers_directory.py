"""Answers about the directory: the tenant, its domains, users, groups, devices and units.

Shapes are those of Microsoft Graph v1.0 (learn.microsoft.com/graph/api/resources).
"""

from collections.abc import Callable, Iterator

from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import (
    Item,
    find,
    inner,
    items,
    object_id,
    odata_type,
    own,
    split,
    word,
    words,
)
from simbuilder.graph.records import Record, fold

EXPANDED = 20
"""Objects that `$expand` gives at most: as many may be all, or may not."""

KINDS = {
    "user": "EntraUser",
    "group": "EntraGroup",
    "serviceprincipal": "EntraServicePrincipal",
    "application": "EntraApplication",
    "device": "EntraDevice",
    "administrativeunit": "AdministrativeUnit",
}
"""Kinds of node by `@odata.type`."""

ASSIGNED = ("roleAssignments", "roleAssignmentScheduleInstances")
"""Topics that say who has a directory role, at whatever scope."""

_NAMES = {
    "EntraUser": {
        "userPrincipalName": "upn",
        "employeeHireDate": "employee_hired",
        "lastPasswordChangeDateTime": "password_last_changed",
    },
    "EntraGroup": {"expirationDateTime": "expires"},
    "EntraDevice": {
        "registrationDateTime": "registered",
        "approximateLastSignInDateTime": "last_sign_in",
    },
    "Domain": {"passwordValidityPeriodInDays": "password_validity"},
}
_PARTS = frozenset(("members", "owners", "manager", "transitiveMembers", "memberOf"))


# --- the tenant and its domains -------------------------------------------------------------


def organization(item: Item, run: Run) -> Iterator[Record]:
    """Read the tenant itself, and the domains that it says it has."""
    uid = object_id(item) or run.tenant
    domains = items(find(item, "verifiedDomains"))
    used = ("verifiedDomains", "countryLetterCode", "directorySizeQuota")
    properties = own(item, "Tenant", {}, used)
    properties["verified_domains"] = [word(each.get("name")) for each in domains]
    default = [word(each.get("name")) for each in domains if find(each, "isDefault")]
    if default:
        properties["default_domain"] = default[0]
    for ours, path in {
        "country": "countryLetterCode",
        "directory_quota_used": "directorySizeQuota/used",
        "directory_quota_total": "directorySizeQuota/total",
    }.items():
        properties[ours] = find(item, path)
    yield run.node("Tenant", uid, properties)


def domain(item: Item, run: Run) -> Iterator[Record]:
    """Read a domain, and that the tenant claims it."""
    name = word(item.get("id")) or word(item.get("name"))
    if not name:
        yield run.remark("bad-record", "a domain without a name")
        return
    uid = f"domain:{fold(name)}"
    properties = own(item, "Domain", _NAMES["Domain"], ("name",))
    yield run.node("Domain", uid, {"name": name, **properties})
    yield run.contained(uid)
    yield run.tie("VERIFIES", run.tenant, uid, "domains")


# --- users, groups, devices, units ----------------------------------------------------------


def user(item: Item, run: Run) -> Iterator[Record]:
    """Read a user, and the manager if expanded."""
    properties = own(item, "EntraUser", _NAMES["EntraUser"], (*_PARTS, "signInActivity"))
    activity = inner(find(item, "signInActivity"))
    properties["last_sign_in"] = find(activity, "lastSignInDateTime")
    properties["last_non_interactive_sign_in"] = find(activity, "lastNonInteractiveSignInDateTime")
    if "password_policies" in properties:
        given = properties["password_policies"]
        properties["password_policies"] = split(given) if isinstance(given, str) else given
    yield from _object("EntraUser", "users", item, properties, run)
    boss = item.get("manager")
    if isinstance(boss, dict) and object_id(boss):
        yield run.tie("REPORTS_TO", object_id(item), object_id(boss))
    if "manager" in item or "manager" in run.asked:  # where there is none, nothing is said
        run.covers("REPORTS_TO", object_id(item))


def group(item: Item, run: Run) -> Iterator[Record]:
    """Read a group, and its members and owners if expanded."""
    properties = own(item, "EntraGroup", _NAMES["EntraGroup"], _PARTS)
    uid = object_id(item)
    if "DynamicMembership" in words(properties.get("group_types")):
        run.dynamic.add(uid)
    yield from _object("EntraGroup", "groups", item, properties, run)
    yield from expanded(item, "members", member, run)
    yield from expanded(item, "owners", group_owner, run)


def device(item: Item, run: Run) -> Iterator[Record]:
    """Read a device, and its owners and users if expanded."""
    used = ("registeredOwners", "registeredUsers")
    properties = own(item, "EntraDevice", _NAMES["EntraDevice"], used)
    yield from _object("EntraDevice", "devices", item, properties, run)
    yield from expanded(item, "registeredOwners", device_owner, run)
    yield from expanded(item, "registeredUsers", device_user, run)


def unit(item: Item, run: Run) -> Iterator[Record]:
    """Read an administrative unit, and its members if expanded."""
    properties = own(item, "AdministrativeUnit", {}, (*_PARTS, "scopedRoleMembers"))
    if properties.get("membership_type") == "Dynamic":
        run.dynamic.add(object_id(item))
    yield from _object("AdministrativeUnit", "administrativeUnits", item, properties, run)
    yield from expanded(item, "members", unit_member, run)


def _object(kind: str, topic: str, item: Item, properties: Item, run: Run) -> Iterator[Record]:
    uid = object_id(item)
    run.known(topic, uid)
    said = any(value is not None for value in properties.values())
    if said or _PARTS.isdisjoint(item):  # or it was asked for its members or its manager alone
        yield run.node(kind, uid, properties)
    yield run.contained(uid)


def expanded(
    item: Item, name: str, mapper: Callable[[Item, Run], Iterator[Record]], run: Run
) -> Iterator[Record]:
    """Read what was expanded within an item as if it were an answer of its own."""
    found = find(item, name)
    if not isinstance(found, list | dict):
        return
    owner, run.owner = run.owner, object_id(item)
    listed = items(found)
    for each in listed:
        if object_id(each):
            yield from mapper(each, run)
        else:
            yield run.remark("bad-record", f"{run.owner}: without an id among {name}")
    if len(listed) < EXPANDED and f"{name}@odata.nextLink" not in item:
        run.covers(_COVERED[mapper], run.owner)
    run.owner = owner


# --- what ties them together: each item is one end, `run.owner` the other ------------------


def member(item: Item, run: Run) -> Iterator[Record]:
    """Read a member of a group."""
    dynamic = "dynamic" if run.owner in run.dynamic else "direct"
    yield from stranger(item, run)
    yield run.tie("MEMBER_OF", end_id(item), run.owner, "groupMembers", membership=dynamic)


def unit_member(item: Item, run: Run) -> Iterator[Record]:
    """Read a member of an administrative unit."""
    dynamic = "dynamic" if run.owner in run.dynamic else "direct"
    yield from stranger(item, run)
    yield run.tie("IN_UNIT", end_id(item), run.owner, membership=dynamic)


def manager(item: Item, run: Run) -> Iterator[Record]:
    """Read the manager of a user."""
    yield from stranger(item, run)
    yield run.tie("REPORTS_TO", run.owner, end_id(item))


def membership(item: Item, run: Run) -> Iterator[Record]:
    """Read what the owner of an answer is a member of, from `memberOf`."""
    yield from stranger(item, run)
    kind = odata_type(item)
    if kind == "administrativeunit":
        yield run.tie("IN_UNIT", run.owner, end_id(item))
    elif kind == "directoryrole":
        template = word(item.get("roleTemplateId")) or run.templates.get(end_id(item), "")
        if not template:
            yield run.remark("bad-record", f"{end_id(item)}: a directory role of no known template")
            return
        role = f"{fold(template)}@{run.tenant}"
        implied = run.told("directoryRoles/members", "directoryRoles", *ASSIGNED)
        yield run.tie("HAS_ROLE", run.owner, role, "memberOf", implied, scope="/")
    else:
        implied = run.told("groupMembers", "groups/members")
        said = {"membership": "direct"}
        yield run.tie("MEMBER_OF", run.owner, end_id(item), "memberOf", implied, **said)


def owning(collection: str) -> Callable[[Item, Run], Iterator[Record]]:
    """Return the mapper for the owners that a collection is of."""

    def owned(item: Item, run: Run) -> Iterator[Record]:
        yield from stranger(item, run)
        # applications go by their client id
        yield run.tie("OWNS", end_id(item), run.apps.get(run.owner, run.owner), collection)

    return owned


group_owner = owning("groupOwners")
device_owner = owning("deviceOwners")
application_owner = owning("applicationOwners")
principal_owner = owning("servicePrincipalOwners")


def device_user(item: Item, run: Run) -> Iterator[Record]:
    """Read a user of a device."""
    yield from stranger(item, run)
    yield run.tie("USES_DEVICE", end_id(item), run.owner, "deviceUsers")


_COVERED = {
    member: "groupMembers",
    unit_member: "IN_UNIT",
    group_owner: "groupOwners",
    device_owner: "deviceOwners",
    device_user: "deviceUsers",
    application_owner: "applicationOwners",
    principal_owner: "servicePrincipalOwners",
}


def end_id(item: Item) -> str:
    """Return the uid of the object at the other end; applications go by their client id."""
    if odata_type(item) == "application" and item.get("appId"):
        return fold(word(item["appId"]))
    held = object_id(item)
    return held or fold(word(find(item, "memberId")) or word(find(item, "principalId")))


def stranger(item: Item, run: Run) -> Iterator[Record]:
    """Yield a node for an object that is only known from here: its kind has no answers."""
    name = odata_type(item)
    kind = KINDS.get(name)
    if not kind or _TOPICS[name] in run.present or not run.first(end_id(item)):
        return
    yield run.node(kind, end_id(item), own(item, kind, _NAMES.get(kind, {}), _PARTS))
    yield run.contained(end_id(item))


_TOPICS = {
    "user": "users",
    "group": "groups",
    "serviceprincipal": "servicePrincipals",
    "application": "applications",
    "device": "devices",
    "administrativeunit": "administrativeUnits",
}
