"""The tenant itself, its domains and settings, and its conditional access."""

from collections.abc import Iterator
from typing import Any

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic import groups
from simbuilder.graph.synthetic.chance import days_ago
from simbuilder.graph.synthetic.facts import DIRECTORY_ROLES
from simbuilder.graph.synthetic.world import World

_LOCATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Offices", {"location_type": "ip", "is_trusted": True, "ip_ranges": ["192.0.2.0/24"]}),
    ("VPN", {"location_type": "ip", "is_trusted": True, "ip_ranges": ["198.51.100.0/25"]}),
    ("Factories", {"location_type": "ip", "is_trusted": False, "ip_ranges": ["203.0.113.0/26"]}),
    ("Where we work", {"location_type": "country", "countries": ["DE", "GB", "FR", "US", "PL"]}),
    ("Blocked countries", {"location_type": "country", "countries": ["KP", "SY"]}),
)
"""Named locations; the addresses are those kept for documentation (RFC 5737)."""

_REPORT = "enabledForReportingButNotEnforced"
_POLICIES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("CA001 Second factor for administrators", "enabled", ("mfa",), "roles"),
    ("CA002 Second factor for everybody", "enabled", ("mfa",), "tenant"),
    ("CA003 Block legacy authentication", "enabled", ("block",), "tenant"),
    ("CA004 Compliant device for staff", _REPORT, ("compliantDevice",), "staff"),
    ("CA005 Second factor for guests", "enabled", ("mfa",), "guests"),
    ("CA006 Block countries", "enabled", ("block",), "locations"),
    ("CA007 Password change at high user risk", _REPORT, ("passwordChange", "mfa"), "tenant"),
    ("CA008 Terms of use", "disabled", ("termsOfUse",), "staff"),
)


def tenant(world: World) -> Iterator[Node]:
    """Yield the tenant."""
    own = {
        "name": world.name,
        "default_domain": world.domain,
        "verified_domains": [world.domain, world.initial_domain],
        "tenant_type": "AAD",
        "country": "DE",
        "on_prem_sync_enabled": True,
        "on_prem_last_sync": days_ago(0, 0x5000),
        "directory_quota_used": world.sizes.users + world.sizes.devices + world.sizes.teams,
        "directory_quota_total": 300_000,
        "security_defaults_enabled": False,
        "licences": [part for _, part, _ in groups.LICENCES],
        "created": days_ago(3_650, 0x4000),
    }
    yield world.node("Tenant", world.tenant, own)


def domains(world: World) -> Iterator[Node]:
    """Yield its two domains."""
    for name in (world.domain, world.initial_domain):
        own = {
            "name": name,
            "authentication_type": "Managed",
            "is_default": name == world.domain,
            "is_initial": name == world.initial_domain,
            "is_root": True,
            "is_verified": True,
        }
        yield world.node("Domain", f"domain:{name}", own)


def verified(world: World) -> Iterator[Relationship]:
    """Yield which domains the tenant has."""
    for name in (world.domain, world.initial_domain):
        yield world.tie("VERIFIES", world.tenant, f"domain:{name}")


def settings(world: World) -> Iterator[Node]:
    """Yield the policy about what members and guests may do."""
    own = {
        "name": "Authorization policy",
        "policy_type": "authorization",
        "allow_invites_from": "everyone",
        "users_can_register_apps": True,
        "users_can_create_groups": False,
        "users_can_create_tenants": False,
        "users_can_read_others": True,
        "users_can_consent": True,
    }
    yield world.node("DirectoryPolicy", f"directorypolicy:authorization@{world.tenant}", own)


def locations(world: World) -> Iterator[Node]:
    """Yield named locations."""
    ids = world.stream("location")
    for number, (name, own) in enumerate(_LOCATIONS):
        yield world.node("NamedLocation", ids.guid(number), {"name": name, **own})


def conditional_access(world: World) -> Iterator[Node]:
    """Yield conditional access policies."""
    ids = world.stream("conditional-access")
    for number, (name, state, controls, _) in enumerate(_POLICIES):
        legacy = "legacy" in name
        own = {
            "name": name,
            "state": state,
            "grant_controls": list(controls),
            "grant_operator": "OR",
            "client_app_types": ["exchangeActiveSync", "other"] if legacy else ["all"],
            "created": days_ago(700 - 40 * number, 0x6000),
        }
        yield world.node("ConditionalAccessPolicy", ids.guid(number), own)


def applied(world: World) -> Iterator[Relationship]:
    """Yield what each policy is about."""
    ids, places = world.stream("conditional-access"), world.stream("location")
    staff, guests = world.groups.guid(0), world.groups.guid(1)
    users = {"aspect": "users"}
    for number, (_, _, _, target) in enumerate(_POLICIES):
        policy = ids.guid(number)
        if target == "roles":
            for template, _, privileged in DIRECTORY_ROLES:
                if privileged:
                    role = world.role(template)
                    yield world.tie("APPLIES_TO", policy, role, {"aspect": "roles"})
        elif target == "locations":
            yield world.tie("APPLIES_TO", policy, world.tenant, users)
            yield world.tie("APPLIES_TO", policy, places.guid(4), {"aspect": "locations"})
        else:
            end = {"staff": staff, "guests": guests}.get(target, world.tenant)
            yield world.tie("APPLIES_TO", policy, end, users)
    authorization = f"directorypolicy:authorization@{world.tenant}"
    yield world.tie("APPLIES_TO", authorization, world.tenant, users)


def excluded(world: World) -> Iterator[Relationship]:
    """Yield whom policies spare: emergency accounts, and trusted places from device rules."""
    ids, places = world.stream("conditional-access"), world.stream("location")
    tier = world.groups.guid(groups.numbers(world).roles)
    for number in range(len(_POLICIES)):
        yield world.tie("EXCLUDES", ids.guid(number), tier, {"aspect": "users"})
    yield world.tie("EXCLUDES", ids.guid(3), places.guid(0), {"aspect": "locations"})
