"""Who has which role in Azure, and what follows from it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from simbuilder.graph.model.powers import rbac_kind
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic import groups
from simbuilder.graph.synthetic.chance import Stream, Weighted, days_ago, sliced
from simbuilder.graph.synthetic.cloud import management_groups, roles_decide, vaults
from simbuilder.graph.synthetic.facts import (
    AZURE_ROLES,
    CONTRIBUTOR,
    MACHINE_CONTRIBUTOR,
    OWNER,
    READER,
    USER_ACCESS_ADMINISTRATOR,
    VAULT_SECRETS_USER,
)
from simbuilder.graph.synthetic.layout import Group, Item, Layout
from simbuilder.graph.synthetic.world import World

_BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_WEBSITE_CONTRIBUTOR = "de139f84-1756-47ae-9be6-808fbbe84772"
_MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"

_ON_GROUPS = Weighted(
    (
        (34, READER),
        (30, CONTRIBUTOR),
        (12, _MONITORING_READER),
        (10, MACHINE_CONTRIBUTOR),
        (8, _WEBSITE_CONTRIBUTOR),
        (6, OWNER),
    )
)
_OF_IDENTITIES = {
    "KeyVault": VAULT_SECRETS_USER,
    "StorageAccount": _BLOB_CONTRIBUTOR,
    "ContainerRegistry": _PULL,
}
_READS_SECRETS = {VAULT_SECRETS_USER}
_GIVES_ROLES = {OWNER: "AZOwner", USER_ACCESS_ADMINISTRATOR: "AZUserAccessAdministrator"}
_EXPORTED = {
    **_GIVES_ROLES,
    CONTRIBUTOR: "AZContributor",
    MACHINE_CONTRIBUTOR: "AZVMContributor",
    _WEBSITE_CONTRIBUTOR: "AZWebsiteContributor",
}
_PLOT_ROLES = {"machine": MACHINE_CONTRIBUTOR, "subscription": USER_ACCESS_ADMINISTRATOR}


class Assignment(NamedTuple):
    """That `principal` has the role with id `role` in `scope`; `target` is the scope's kind."""

    uid: str
    principal: str
    principal_type: str
    role: str
    scope: str
    target: str


def assignments(layout: Layout) -> Iterator[Assignment]:
    """Yield every assignment of an Azure role, no two of them alike."""
    world = layout.world
    ids = world.stream("rbac-assignment")
    at = groups.numbers(world)
    root = management_groups(world)[0][0]
    tier, audit = world.groups.guid(at.roles), world.groups.guid(at.roles + 3)
    yield _made(ids, 0, tier, "Group", USER_ACCESS_ADMINISTRATOR, root, "ManagementGroup")
    yield _made(ids, 1, audit, "Group", READER, root, "ManagementGroup")
    for subscription in layout.subscriptions():
        number, kind = subscription.number, "Subscription"
        for place, role in enumerate((CONTRIBUTOR, READER)):
            holder = world.groups.guid(at.clouds + 2 * number + place)
            key = (1 << 34) + 2 * number + place
            yield _made(ids, key, holder, "Group", role, subscription.uid, kind)
    for group, items in layout.stocked():
        if group.plot < 0:
            yield from _on_group(world, group, ids)
            yield from _of_identities(layout, group, items, ids)
    yield from _of_plots(layout, ids)


def _made(
    ids: Stream, key: int, holder: str, holder_type: str, role: str, scope: str, target: str
) -> Assignment:
    place = f"{scope}/providers/microsoft.authorization/roleassignments/{ids.guid(key)}"
    return Assignment(place, holder, holder_type, role, scope, target)


def _on_group(world: World, group: Group, ids: Stream) -> Iterator[Assignment]:
    base = (group.subscription.number * 256 + group.number) << 6
    chance, at = world.stream("rbac"), groups.numbers(world)
    seen: list[tuple[str, str]] = []
    for number in range(1 + chance.bits(base) % 4):
        bits = chance.bits(base + 1 + number)
        role = _ON_GROUPS.pick(bits)
        if bits >> 40 & 3 and world.sizes.projects:
            project = at.projects + (bits >> 8) % world.sizes.projects
            holder, kind = world.groups.guid(project), "Group"
            role = READER if role == OWNER else role
        else:
            holder, kind = world.users.guid(world.technician(bits >> 8)), "User"
        if (holder, role) not in seen:
            seen.append((holder, role))
            yield _made(ids, base + number, holder, kind, role, group.uid, "ResourceGroup")


def _of_identities(
    layout: Layout, group: Group, items: list[Item], ids: Stream
) -> Iterator[Assignment]:
    """Managed identities may use a vault, a store or a registry beside them, most of them."""
    targets = [
        item
        for item in items
        if item.kind in _OF_IDENTITIES and (item.kind != "KeyVault" or roles_decide(item))
    ]
    for item in items:
        if targets and (item.kind == "UserAssignedIdentity" or layout.identity(group, item)):
            target = targets[item.ordinal % len(targets)]
            role, holder = _OF_IDENTITIES[target.kind], layout.principal(item)
            key = (1 << 36) + item.ordinal
            yield _made(ids, key, holder, "ServicePrincipal", role, target.uid, target.kind)


def _of_plots(layout: Layout, ids: Stream) -> Iterator[Assignment]:
    world, at = layout.world, groups.numbers(layout.world).plots
    for number, (plot, _) in enumerate(world.sizes.plots):
        if plot in _PLOT_ROLES:
            group = layout.plot_group(number)
            target = group.subscription.uid, "Subscription"
            if plot == "machine":
                target = layout.resources(group)[0].uid, "VirtualMachine"
            holder = world.groups.guid(at + 2 * number + 1)
            yield _made(ids, (1 << 33) + number, holder, "Group", _PLOT_ROLES[plot], *target)


def definitions(world: World) -> Iterator[Node]:
    """Yield the built-in roles that are used."""
    for role, (name, actions, data_actions) in AZURE_ROLES.items():
        own = {
            "name": name,
            "role_id": role,
            "role_type": "BuiltInRole",
            "is_builtin": True,
            "is_privileged": role in _GIVES_ROLES or role == CONTRIBUTOR,
            "actions": list(actions),
            "data_actions": list(data_actions),
            "assignable_scopes": ["/"],
        }
        yield world.node("AzureRoleDefinition", world.azure_role(role), own)


def assignment_nodes(layout: Layout) -> Iterator[Node]:
    """Yield assignments of Azure roles."""
    made = layout.world.stream("rbac-made")
    for number, each in enumerate(assignments(layout)):
        bits = made.bits(number)
        own = {
            "name": each.uid.rpartition("/")[2],
            "principal_id": each.principal,
            "principal_type": each.principal_type,
            "role_definition_id": f"/providers/microsoft.authorization/roledefinitions/{each.role}",
            "role": AZURE_ROLES[each.role][0],
            "scope": each.scope,
            "created": days_ago(3 + sliced(bits, 1500), bits >> 16),
        }
        yield layout.world.node("AzureRoleAssignment", each.uid, own)


def collapsed(layout: Layout, kind: str) -> Iterator[Relationship]:
    """Yield who has which Azure role where, without the assignment between, as one `kind`."""
    for each in assignments(layout):
        if rbac_kind(each.role) != kind:
            continue
        own = {
            "role": AZURE_ROLES[each.role][0],
            "role_definition_id": f"/providers/microsoft.authorization/roledefinitions/{each.role}",
            "assignment_id": each.uid,
        }
        if each.role in _EXPORTED:
            own["bloodhound_kind"] = _EXPORTED[each.role]
        yield layout.world.tie(kind, each.principal, each.scope, own)


def may_read_secrets(layout: Layout) -> Iterator[Relationship]:
    """Yield who may read the secrets of a vault, by a role or by the vault's own policies."""
    tie = layout.world.tie
    for each in assignments(layout):
        if each.role in _READS_SECRETS and each.target == "KeyVault":
            own = _derived("vault-reader-role", each.uid) | {"granted_by": "role"}
            yield tie("CAN_GET_SECRETS", each.principal, each.scope, own)
    chance, world = layout.world.stream("vault-policy"), layout.world
    for group, vault, items in vaults(layout):
        holders: list[str] = []
        if group.plot >= 0:
            holders.append(world.users.guid(groups.foothold_of(world, group.plot)))
        elif not roles_decide(vault):
            bits = chance.bits(vault.ordinal)
            holders.append(world.users.guid(world.technician(bits)))
            able = [item for item in items if layout.identity(group, item)]
            holders += [layout.principal(item) for item in able[: 1 + (bits >> 40) % 6]]
        for holder in holders:
            yield tie("CAN_GET_SECRETS", holder, vault.uid, {"granted_by": "policy"})


def may_grant(layout: Layout) -> Iterator[Relationship]:
    """Yield who may give roles at which scope."""
    for each in assignments(layout):
        if each.role in _GIVES_ROLES:
            own = _derived("azure-role-grants-roles", each.uid)
            own["bloodhound_kind"] = "AZGrant"
            yield layout.world.tie("CAN_GRANT_ROLE", each.principal, each.scope, own)


def may_execute(layout: Layout) -> Iterator[Relationship]:
    """Yield who may run commands on which machine because of a role on just that machine."""
    for each in assignments(layout):
        if each.target == "VirtualMachine":
            own = _derived("machine-contributor-runs-commands", each.uid)
            yield layout.world.tie("CAN_EXECUTE_ON", each.principal, each.scope, own)


def _derived(rule: str, *via: str) -> dict[str, Any]:
    return {"derived": True, "rule": rule, "via": list(via)}
