"""Directory roles, who has them or may activate them, and the policies about that."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic import groups, people
from simbuilder.graph.synthetic.chance import Weighted, days_ahead
from simbuilder.graph.synthetic.facts import (
    APPLICATION_ADMINISTRATOR,
    AUTHENTICATION_ADMINISTRATOR,
    CLOUD_APPLICATION_ADMINISTRATOR,
    DIRECTORY_ROLES,
    GLOBAL_ADMINISTRATOR,
    GLOBAL_READER,
    GROUPS_ADMINISTRATOR,
    HELPDESK_ADMINISTRATOR,
    INTUNE_ADMINISTRATOR,
    PASSWORD_ADMINISTRATOR,
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR,
    PRIVILEGED_ROLE_ADMINISTRATOR,
    USER_ADMINISTRATOR,
)
from simbuilder.graph.synthetic.world import World

_NAMES = {template: name for template, name, _ in DIRECTORY_ROLES}
_OF_GROUPS = (
    GLOBAL_ADMINISTRATOR,
    HELPDESK_ADMINISTRATOR,
    CLOUD_APPLICATION_ADMINISTRATOR,
    GLOBAL_READER,
)
_OF_ADMINS = Weighted(
    (
        (18, HELPDESK_ADMINISTRATOR),
        (14, USER_ADMINISTRATOR),
        (10, GROUPS_ADMINISTRATOR),
        (10, AUTHENTICATION_ADMINISTRATOR),
        (9, INTUNE_ADMINISTRATOR),
        (8, "29232cdf-9323-42fd-ade2-1d097af3e4de"),
        (7, CLOUD_APPLICATION_ADMINISTRATOR),
        (6, PASSWORD_ADMINISTRATOR),
        (6, "5d6b6bb7-de71-4623-b4af-96380a352509"),
        (5, APPLICATION_ADMINISTRATOR),
        (3, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR),
        (2, PRIVILEGED_ROLE_ADMINISTRATOR),
        (2, GLOBAL_ADMINISTRATOR),
    )
)


class Holding(NamedTuple):
    """That `principal` has the role `template`, or may activate it, in `scope`."""

    uid: str
    principal: str
    principal_type: str
    template: str
    scope: str
    eligible: bool


def holdings(world: World) -> Iterator[Holding]:
    """Yield who has which directory role: no ordinary user has any."""
    ids, chance = world.stream("role-assignment"), world.stream("role")
    first = groups.numbers(world).roles
    for number, template in enumerate(_OF_GROUPS):
        holder = world.groups.guid(first + number)
        yield Holding(ids.guid(number), holder, "Group", template, "/", False)
    for number in range(min(2, world.sizes.admins)):
        holder = world.users.guid(world.sizes.ordinary + number)
        yield Holding(ids.guid(16 + number), holder, "User", GLOBAL_ADMINISTRATOR, "/", False)
    for number in range(2, world.sizes.admins):
        bits = chance.bits(number)
        holder = world.users.guid(world.sizes.ordinary + number)
        template = _OF_ADMINS.pick(bits)
        standing = template == GLOBAL_ADMINISTRATOR or bits >> 40 & 1 == 1
        yield Holding(ids.guid(16 + number), holder, "User", template, "/", standing)
    if world.sizes.admins > 2:
        yield from _of_units(world)


def _of_units(world: World) -> Iterator[Holding]:
    """Each unit has an administrator for passwords of its own."""
    ids = world.stream("unit-assignment")
    for number in range(world.sizes.units):
        place = 2 + number % (world.sizes.admins - 2)
        holder = world.users.guid(world.sizes.ordinary + place)
        scope = f"/administrativeUnits/{people.unit(world, number)}"
        template = PASSWORD_ADMINISTRATOR
        yield Holding(ids.guid(number), holder, "User", template, scope, False)


def definitions(world: World) -> Iterator[Node]:
    """Yield the directory roles that every tenant has."""
    for template, name, privileged in DIRECTORY_ROLES:
        own = {
            "name": name,
            "template_id": template,
            "is_builtin": True,
            "is_enabled": True,
            "is_privileged": privileged,
            "activation_requires_mfa": privileged,
            "activation_requires_justification": True,
            "activation_requires_approval": template == GLOBAL_ADMINISTRATOR,
        }
        yield world.node("EntraRoleDefinition", world.role(template), own)


def assignments(world: World, *, eligible: bool) -> Iterator[Node]:
    """Yield assignments of directory roles, or eligibilities."""
    kind = "EntraRoleEligibility" if eligible else "EntraRoleAssignment"
    for each in holdings(world):
        if each.eligible is eligible:
            own = {
                "name": each.uid.rpartition("/")[2],
                "principal_id": each.principal,
                "principal_type": each.principal_type,
                "role_definition_id": each.template,
                "role": _NAMES[each.template],
                "directory_scope": each.scope,
                "assignment_type": "Eligible" if eligible else "Assigned",
                "member_type": "Direct",
            }
            yield world.node(kind, each.uid, own)


def collapsed(world: World, *, eligible: bool) -> Iterator[Relationship]:
    """Yield who has a role now, or may activate one, without the assignment between."""
    for each in holdings(world):
        if each.eligible is eligible:
            own: dict[str, Any] = {"scope": each.scope, "assignment_id": each.uid}
            if eligible:
                own["end_at"] = days_ahead(180)
            else:
                own["assignment_type"] = "Assigned"
            kind = "ELIGIBLE_FOR" if eligible else "HAS_ROLE"
            yield world.tie(kind, each.principal, world.role(each.template), own)


def scoped(world: World) -> Iterator[tuple[str, str]]:
    """Yield the assignment and where it counts: the tenant or a unit."""
    for each in holdings(world):
        yield each.uid, world.tenant if each.scope == "/" else each.scope.rpartition("/")[2]


def policies(world: World) -> Iterator[Node]:
    """Yield what activating each role takes."""
    for template, name, privileged in DIRECTORY_ROLES:
        own = {
            "name": f"{name} activation",
            "scope": "/",
            "scope_type": "Directory",
            "role_definition_id": template,
            "requires_mfa": privileged,
            "requires_approval": template == GLOBAL_ADMINISTRATOR,
            "requires_justification": True,
            "requires_ticket": False,
            "max_duration": "PT4H" if privileged else "PT8H",
            "permanent_active_allowed": not privileged,
        }
        yield world.node("RoleManagementPolicy", _policy(world, template), own)


def _policy(world: World, template: str) -> str:
    return f"directory_{world.tenant}_{template}"


def governed(world: World) -> Iterator[Relationship]:
    """Yield which policy is about which role."""
    for template, _, _ in DIRECTORY_ROLES:
        policy, role = _policy(world, template), world.role(template)
        yield world.tie("GOVERNS", policy, role, {"scope": "/"})
