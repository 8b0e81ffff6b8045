"""What roles and permissions let their holders do: hubs of capabilities, and direct control.

A power that many have over many is one node, tied once to each side. Which role has which power is
from the Microsoft Entra built-in roles reference and the Microsoft Graph permissions reference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic import applications, groups, people, roles
from simbuilder.graph.synthetic.facts import (
    APP_ROLE_ASSIGNMENT,
    APPLICATION_ADMINISTRATOR,
    APPLICATION_WRITE,
    AUTHENTICATION_ADMINISTRATOR,
    CLOUD_APPLICATION_ADMINISTRATOR,
    DIRECTORY_ROLES,
    DIRECTORY_WRITE,
    GLOBAL_ADMINISTRATOR,
    GROUP_WRITE,
    GROUPS_ADMINISTRATOR,
    HELPDESK_ADMINISTRATOR,
    INTUNE_ADMINISTRATOR,
    PASSWORD_ADMINISTRATOR,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    PRIVILEGED_ROLE_ADMINISTRATOR,
    ROLE_MANAGEMENT,
    USER_ADMINISTRATOR,
)
from simbuilder.graph.synthetic.layout import Layout
from simbuilder.graph.synthetic.world import World


@dataclass(frozen=True, slots=True)
class Power:
    """A capability, and the roles and the permissions of Microsoft Graph that give it."""

    name: str
    action: str
    targets: str
    roles: tuple[str, ...]
    permissions: tuple[str, ...] = ()


POWERS = (
    Power(
        "GrantRole:AllRoles",
        "CAN_GRANT_ROLE",
        "all directory roles",
        (GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR),
        (ROLE_MANAGEMENT,),
    ),
    Power(
        "GrantAppRole:Tenant",
        "CAN_GRANT_APP_ROLE",
        "the tenant, through any permission of any application",
        (GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR),
        (APP_ROLE_ASSIGNMENT,),
    ),
    Power(
        "AddSecret:AllApps",
        "CAN_ADD_SECRET",
        "all applications",
        (GLOBAL_ADMINISTRATOR, APPLICATION_ADMINISTRATOR, CLOUD_APPLICATION_ADMINISTRATOR),
        (APPLICATION_WRITE,),
    ),
    Power(
        "AddMember:OrdinaryGroups",
        "CAN_ADD_MEMBER",
        "groups that no role can be assigned to",
        (GLOBAL_ADMINISTRATOR, GROUPS_ADMINISTRATOR, USER_ADMINISTRATOR, INTUNE_ADMINISTRATOR),
        (DIRECTORY_WRITE, GROUP_WRITE),
    ),
    Power(
        "AddMember:RoleGroups",
        "CAN_ADD_MEMBER",
        "groups that roles can be assigned to",
        (GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR),
        (ROLE_MANAGEMENT,),
    ),
    Power(
        "ResetPassword:OrdinaryUsers",
        "CAN_RESET_PASSWORD",
        "users without a role",
        (
            GLOBAL_ADMINISTRATOR,
            PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
            AUTHENTICATION_ADMINISTRATOR,
            USER_ADMINISTRATOR,
            HELPDESK_ADMINISTRATOR,
            PASSWORD_ADMINISTRATOR,
        ),
    ),
    Power(
        "ResetPassword:Administrators",
        "CAN_RESET_PASSWORD",
        "users with a role",
        (GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR),
    ),
)


def _in_unit(number: int) -> str:
    return f"ResetPassword:Region{number + 1}"


def hubs(world: World) -> Iterator[Node]:
    """Yield the hubs of capabilities."""
    for power in POWERS:
        own = {
            "name": power.name,
            "action": power.action,
            "targets": power.targets,
            "derived": True,
            "rule": "role-powers",
        }
        yield world.node("Capability", world.capability(power.name), own)
    for number in range(world.sizes.units):
        own = {
            "name": _in_unit(number),
            "action": "CAN_RESET_PASSWORD",
            "targets": f"users in the unit Region {number + 1}",
            "derived": True,
            "rule": "unit-role-powers",
            "via": [people.unit(world, number)],
        }
        yield world.node("Capability", world.capability(_in_unit(number)), own)


def capable(layout: Layout) -> Iterator[Relationship]:
    """Yield who has which capability, by a role or by a permission."""
    world = layout.world
    held = [each for each in roles.holdings(world) if not each.eligible]
    strong = list(applications.strong_holders(layout))
    for power in POWERS:
        hub = world.capability(power.name)
        seen: set[str] = set()
        for each in held:
            fits = each.template in power.roles and each.scope == "/"
            if fits and each.principal not in seen:
                seen.add(each.principal)
                own = _derived("role-powers", each.uid, world.role(each.template))
                yield world.tie("CAN", each.principal, hub, own)
        for _, principal, permission in strong:
            if permission in power.permissions:
                own = _derived("permission-powers", world.graph_role(permission))
                yield world.tie("CAN", principal, hub, own)
    numbers = {people.unit(world, number): number for number in range(world.sizes.units)}
    for each in held:
        if each.scope != "/":
            hub = world.capability(_in_unit(numbers[each.scope.rpartition("/")[2]]))
            own = _derived("unit-role-powers", each.uid)
            yield world.tie("CAN", each.principal, hub, own)


def over(world: World) -> Iterator[Relationship]:
    """Yield what each capability is over."""
    sizes, tie, at = world.sizes, world.tie, groups.numbers(world)
    own = {"derived": True, "rule": "role-powers"}
    hub = world.capability(POWERS[0].name)
    for template, _, _ in DIRECTORY_ROLES:
        yield tie("OVER", hub, world.role(template), own)
    yield tie("OVER", world.capability(POWERS[1].name), world.tenant, own)
    hub = world.capability(POWERS[2].name)
    for app in range(world.all_apps):
        yield tie("OVER", hub, world.apps.guid(app), own)
    restricted = range(at.roles, at.divisions)
    dynamic = range(at.licences)
    for number in range(at.total):
        if number not in dynamic:
            power = POWERS[4 if number in restricted else 3]
            yield tie("OVER", world.capability(power.name), world.groups.guid(number), own)
    hub = world.capability(POWERS[5].name)
    for user in range(sizes.ordinary):
        if world.enabled(user):
            yield tie("OVER", hub, world.users.guid(user), own)
    hub = world.capability(POWERS[6].name)
    for user in range(sizes.ordinary, sizes.members):
        yield tie("OVER", hub, world.users.guid(user), own)
    for number in range(sizes.units):
        hub = world.capability(_in_unit(number))
        for user in people.unit_members(world, number):
            yield tie("OVER", hub, world.users.guid(user), own)


def administered(world: World) -> Iterator[Relationship]:
    """Yield who has the whole tenant by a role."""
    exported = {
        GLOBAL_ADMINISTRATOR: "AZGlobalAdmin",
        PRIVILEGED_ROLE_ADMINISTRATOR: "AZPrivilegedRoleAdmin",
        PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: "AZPrivilegedAuthAdmin",
    }
    for each in roles.holdings(world):
        if each.template in exported and not each.eligible:
            own = _derived("role-over-tenant", each.uid)
            own["bloodhound_kind"] = exported[each.template]
            yield world.tie("ADMINISTERS", each.principal, world.tenant, own)


def secret_adders(world: World) -> Iterator[Relationship]:
    """Yield who may add credentials to an application because it is theirs."""
    for owner, app in applications.owned(world):
        own = _derived("owner-adds-secret", owner, app) | {"bloodhound_kind": "AZAddSecret"}
        yield world.tie("CAN_ADD_SECRET", owner, app, own)


def member_adders(world: World) -> Iterator[Relationship]:
    """Yield who may add members to a group because it is theirs."""
    for each in groups.owners(world):
        own = _derived("owner-adds-member", each.start, each.end)
        own["bloodhound_kind"] = "AZAddMembers"
        yield world.tie("CAN_ADD_MEMBER", each.start, each.end, own)


def _derived(rule: str, *via: str) -> dict[str, Any]:
    return {"derived": True, "rule": rule, "via": list(via)}
