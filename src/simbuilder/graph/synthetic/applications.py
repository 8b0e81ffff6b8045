"""Applications, service principals, their credentials and the permissions that they hold."""

from collections.abc import Iterator
from typing import Any

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic import groups
from simbuilder.graph.synthetic.chance import days_ago, days_ahead, permille, sliced
from simbuilder.graph.synthetic.facts import (
    APP_ROLE_ASSIGNMENT,
    DIRECTORY_WRITE,
    FIRST_PARTY,
    GRAPH_ROLES,
    MICROSOFT,
    ROLE_MANAGEMENT,
    STRONG_GRAPH_ROLES,
)
from simbuilder.graph.synthetic.layout import Layout
from simbuilder.graph.synthetic.names import STAGES, WORKLOADS
from simbuilder.graph.synthetic.world import World

_SCOPES = ("User.Read", "openid", "profile", "email", "offline_access", "Mail.Read", "Files.Read")
_ISSUER = "https://token.actions.githubusercontent.com"
_FEDERATED_EVERY, _ROLE_EVERY = 9, 3
_TOOLED = 50

Grant = tuple[str, str, str, str, str, str]
"""Assignment's uid, holder's uid and type, uid of the permission, of its resource, its value."""


def name_of(world: World, app: int) -> str:
    """Return the display name of an application of the tenant's own."""
    bits = world.apps.bits(app)
    return f"{WORKLOADS[bits % len(WORKLOADS)]}-{STAGES.pick(bits >> 16)}-{app + 1:04}"


def applications(world: World) -> Iterator[Node]:
    """Yield the applications registered in the tenant."""
    objects = world.stream("application-object")
    for app in range(world.all_apps):
        bits = world.traits.bits(2_000_000 + app)
        uid = world.apps.guid(app)
        own = {
            "name": name_of(world, app),
            "app_id": uid,
            "object_id": objects.guid(app),
            "sign_in_audience": "AzureADMyOrg" if not permille(bits, 60) else "AzureADMultipleOrgs",
            "publisher_domain": world.domain,
            "identifier_uris": [f"api://{uid}"] if bits >> 20 & 1 else [],
            "redirect_uris": [f"https://{name_of(world, app)}.{world.domain}/signin"],
            "created": days_ago(20 + sliced(bits >> 16, 1900), bits >> 24),
        }
        yield world.node("EntraApplication", uid, own)


def principals(layout: Layout) -> Iterator[Node]:
    """Yield service principals: Microsoft's, those of own applications, managed identities."""
    world = layout.world
    for number, (app, name) in enumerate(FIRST_PARTY):
        own = _principal(name, app, "Application", MICROSOFT)
        yield world.node("EntraServicePrincipal", world.first_party.guid(number), own)
    for number in range(world.all_apps):
        name, app = name_of(world, number), world.apps.guid(number)
        own = _principal(name, app, "Application", world.tenant)
        own["app_role_assignment_required"] = number % _ROLE_EVERY == 0
        yield world.node("EntraServicePrincipal", world.principals.guid(number), own)
    clients = world.stream("client")
    for group, items in layout.stocked():
        for item in items:
            if layout.identity(group, item) or item.kind == "UserAssignedIdentity":
                client = clients.guid(item.ordinal)
                own = _principal(item.name, client, "ManagedIdentity", world.tenant)
                own["alternative_names"] = [item.uid]
                yield world.node("EntraServicePrincipal", layout.principal(item), own)


def _principal(name: str, app: str, kind: str, owner: str) -> dict[str, Any]:
    return {
        "name": name,
        "app_id": app,
        "sp_type": kind,
        "app_owner_org_id": owner,
        "account_enabled": True,
    }


def credentials(world: World) -> Iterator[Node]:
    """Yield secrets and certificates of applications, some of them long expired."""
    for app in range(world.all_apps):
        for number in range(world.credentials_of(app)):
            bits = world.keys.bits(app * 8 + number)
            uid = world.credential(app, number)
            certificate = permille(bits, 260) and number > 0
            own: dict[str, Any] = {
                "name": "certificate" if certificate else "client secret",
                "credential_type": "certificate" if certificate else "secret",
                "key_id": uid.partition("/")[2],
                "start_at": days_ahead(-200 - sliced(bits >> 8, 500)),
                "end_at": days_ahead(sliced(bits >> 24, 900) - 180),
            }
            yield world.node("Credential", uid, own)


def federated(world: World) -> Iterator[Node]:
    """Yield trust in the tokens of a build service."""
    for app in range(0, world.all_apps, _FEDERATED_EVERY):
        own = {
            "name": f"{name_of(world, app)}-build",
            "issuer": _ISSUER,
            "subject": f"repo:example/{name_of(world, app)}:ref:refs/heads/main",
            "audiences": ["api://AzureADTokenExchange"],
        }
        yield world.node("FederatedCredential", world.stream("federated").guid(app), own)


def issuers(world: World) -> Iterator[Node]:
    """Yield the build service whose tokens are trusted."""
    own = {"name": "GitHub Actions", "issuer": _ISSUER, "issuer_type": "github"}
    yield world.node("ExternalIssuer", _ISSUER, own)


def app_roles(world: World) -> Iterator[Node]:
    """Yield permissions of Microsoft Graph, and one for users of some own applications."""
    for role, value in GRAPH_ROLES:
        own = {
            "name": value,
            "value": value,
            "role_id": role,
            "allowed_member_types": ["Application"],
            "is_enabled": True,
        }
        yield world.node("AppRole", world.graph_role(role), own)
    for app in range(0, world.sizes.apps, _ROLE_EVERY):
        uid = own_role(world, app)
        own = {
            "name": f"{name_of(world, app)} users",
            "value": "User",
            "role_id": uid.partition("/")[2],
            "allowed_member_types": ["User"],
            "is_enabled": True,
        }
        yield world.node("AppRole", uid, own)


def own_role(world: World, app: int) -> str:
    """Return the uid of the permission that an own application declares for its users."""
    return f"{world.principals.guid(app)}/{world.stream('own-role').guid(app)}"


def own_roles(world: World) -> Iterator[str]:
    """Yield the uid of every permission that an own application declares."""
    for app in range(0, world.sizes.apps, _ROLE_EVERY):
        yield own_role(world, app)


def grants(layout: Layout) -> Iterator[Grant]:
    """Yield who holds which permission of which application."""
    world, ids, chance = layout.world, layout.world.stream("grant"), layout.world.stream("granted")
    weak = GRAPH_ROLES[STRONG_GRAPH_ROLES:]
    for app in range(world.sizes.apps):
        bits = chance.bits(app)
        for number in range(bits % 4):
            role, value = weak[(bits >> 8) % len(weak) - number]
            holder = (world.principals.guid(app), "ServicePrincipal")
            permission = (world.graph_role(role), world.graph, value)
            yield ids.guid(app * 8 + number), *holder, *permission
    numbers = groups.numbers(world)
    for app in range(0, world.sizes.apps, _ROLE_EVERY):
        bits = chance.bits(app) >> 16
        permission = (own_role(world, app), world.principals.guid(app), "User")
        count = min(1 + bits % 4, world.sizes.teams)
        for number in range(count):
            team = numbers.teams + (bits >> 8) % world.sizes.teams - number
            team += world.sizes.teams if team < numbers.teams else 0
            yield ids.guid(app * 8 + 4 + number), world.groups.guid(team), "Group", *permission
    for plot, holder_uid, role in strong_holders(layout):
        value = dict(GRAPH_ROLES)[role]
        holder = (holder_uid, "ServicePrincipal")
        yield ids.guid((1 << 32) + plot), *holder, world.graph_role(role), world.graph, value


def strong_holders(layout: Layout) -> Iterator[tuple[int, str, str]]:
    """Yield, for each plot, its number, the service principal at its end and what it holds."""
    world = layout.world
    for number, plot in enumerate(world.sizes.plots):
        if plot in world.app_plots:
            role = APP_ROLE_ASSIGNMENT if plot[0] == "permission" else ROLE_MANAGEMENT
            yield number, world.principals.guid(world.plot_app(plot)), role
        else:
            item = layout.resources(layout.plot_group(number))[0]
            yield number, layout.principal(item), ROLE_MANAGEMENT
    if world.sizes.users >= _TOOLED:
        # a provisioning tool is strong on purpose: what leads to it are secrets left in vaults
        yield len(world.sizes.plots), world.principals.guid(0), DIRECTORY_WRITE


def grant_nodes(layout: Layout) -> Iterator[Node]:
    """Yield assignments of permissions."""
    for uid, holder, kind, permission, resource, value in grants(layout):
        own = {
            "name": value,
            "principal_id": holder,
            "principal_type": kind,
            "resource_id": resource,
            "role_id": permission.partition("/")[2],
        }
        yield layout.world.node("AppRoleAssignment", uid, own)


def consents(world: World) -> Iterator[tuple[str, str, list[str]]]:
    """Yield uid, client's uid and scopes of each permission to act for users."""
    ids = world.stream("consent")
    for app in range(world.sizes.apps):
        bits = ids.bits(app)
        yield ids.guid(app), world.principals.guid(app), list(_SCOPES[: 1 + bits % len(_SCOPES)])


def consent_nodes(world: World) -> Iterator[Node]:
    """Yield permissions to act for users."""
    for uid, client, scopes in consents(world):
        own = {
            "name": " ".join(scopes),
            "client_id": client,
            "resource_id": world.graph,
            "consent_type": "AllPrincipals",
            "scopes": scopes,
        }
        yield world.node("OAuth2PermissionGrant", uid, own)


def delegated(world: World) -> Iterator[Relationship]:
    """Yield which application may use Microsoft Graph for its users."""
    for _, client, scopes in consents(world):
        own = {"scopes": scopes, "consent_type": "AllPrincipals"}
        yield world.tie("DELEGATED", client, world.graph, own)


def owned(world: World) -> Iterator[tuple[str, str]]:
    """Yield which user owns which application: technicians, and some footholds."""
    chance = world.stream("app-owner")
    for app in range(1, world.sizes.apps):
        bits = chance.bits(app)
        first = world.technician(bits)
        yield world.users.guid(first), world.apps.guid(app)
        second = world.technician((bits >> 16) + 1)
        if bits >> 40 & 1 and second != first:
            yield world.users.guid(second), world.apps.guid(app)
    for number, plot in enumerate(world.sizes.plots):
        if plot[0] == "permission":
            owner = world.users.guid(groups.foothold_of(world, number))
            yield owner, world.apps.guid(world.plot_app(plot))


def own_ties(world: World) -> dict[str, Iterator[Relationship]]:
    """Return the ties among applications, their principals and credentials, by kind."""
    return {
        "RUNS": (
            world.tie("RUNS", world.apps.guid(app), world.principals.guid(app))
            for app in range(world.all_apps)
        ),
        "INSTANCE_OF": (
            world.tie("INSTANCE_OF", world.principals.guid(app), world.apps.guid(app))
            for app in range(world.all_apps)
        ),
        "HAS_CREDENTIAL": (
            world.tie("HAS_CREDENTIAL", app, credential) for app, credential in _keys(world)
        ),
        "AUTHENTICATES_TO": (
            world.tie("AUTHENTICATES_TO", credential, app) for app, credential in _keys(world)
        ),
        "TRUSTS_ISSUER": (
            world.tie("TRUSTS_ISSUER", world.stream("federated").guid(app), _ISSUER)
            for app in range(0, world.all_apps, _FEDERATED_EVERY)
        ),
    }


def _keys(world: World) -> Iterator[tuple[str, str]]:
    for app in range(world.all_apps):
        for number in range(world.credentials_of(app)):
            yield world.apps.guid(app), world.credential(app, number)
        if app % _FEDERATED_EVERY == 0:
            yield world.apps.guid(app), world.stream("federated").guid(app)
