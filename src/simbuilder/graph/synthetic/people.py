"""Users, the tree of their managers, their devices and the units they are administered in."""

from collections.abc import Iterator
from typing import Any

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic.chance import days_ago, long_tail, permille, sliced
from simbuilder.graph.synthetic.names import MACHINES, OFFICES, PARTNERS, RANKS, person
from simbuilder.graph.synthetic.sizes import Department
from simbuilder.graph.synthetic.world import World

_TITLES = ("Head of", "Director,", "Manager,")
_EMERGENCY = 2


def users(world: World) -> Iterator[Node]:
    """Yield ordinary members, then accounts for administration, then guests."""
    sizes, chance = world.sizes, world.stream("person")
    offset = chance.below(1 << 40, 4_000)
    for department in sizes.departments:
        for number in range(department.start, department.start + department.size):
            bits = chance.bits(number)
            own = _employee(world, department, number, bits, offset)
            yield world.node("EntraUser", world.users.guid(number), own)
    for number in range(sizes.ordinary, sizes.members):
        own = _administrator(world, number, chance.bits(number), offset)
        yield world.node("EntraUser", world.users.guid(number), own)
    for number in range(sizes.members, sizes.users):
        own = _guest(world, number, chance.bits(number), offset)
        yield world.node("EntraUser", world.users.guid(number), own)


def _employee(
    world: World, department: Department, number: int, bits: int, offset: int
) -> dict[str, Any]:
    given, family, initial, alias = person(number, offset)
    city, country = OFFICES.pick(bits)
    hired = 20 + long_tail(bits >> 3, 40, 3000)
    middle = f" {initial}." if initial else ""
    upn = f"{alias}@{world.domain}"
    own = {
        "name": f"{given}{middle} {family}",
        "upn": upn,
        "mail": upn,
        "mail_nickname": alias,
        "user_type": "Member",
        "account_enabled": world.enabled(number),
        "given_name": given,
        "surname": family,
        "employee_id": f"{100_000 + number}",
        "employee_type": "Contractor" if permille(bits >> 40, 90) else "Employee",
        "department": department.name,
        "job_title": _title(department, number, bits >> 20),
        "office_location": city,
        "country": country,
        "usage_location": country,
        "mfa_registered": world.second_factor(number),
        "created": days_ago(hired, bits >> 8),
        "password_last_changed": days_ago(sliced(bits >> 24, min(hired, 400)), bits >> 16),
        "last_sign_in": days_ago(long_tail(bits >> 28, 1, min(hired, 300)) - 1, bits >> 36),
        "on_prem_sync_enabled": world.synced(number),
    }
    if own["on_prem_sync_enabled"]:
        own["on_prem_sid"] = f"{world.on_prem_domain}-{number + 1_100}"
        own["on_prem_sam_account_name"] = f"u{100_000 + number}"
    return own


def _title(department: Department, number: int, bits: int) -> str:
    rank = department.rank(number)
    if number == 0:
        return "Chief Executive Officer"
    place = number - department.start
    if place < max(1, department.teams):
        return f"{_TITLES[min(rank, 2)]} {department.name}"
    return f"{RANKS.pick(bits)}{department.title}"


def _administrator(world: World, number: int, bits: int, offset: int) -> dict[str, Any]:
    place = number - world.sizes.ordinary
    given, family, initial, alias = person(number, offset)
    emergency = place < _EMERGENCY
    name = f"Emergency Access {place + 1}" if emergency else f"{given} {family} (Admin)"
    if initial and not emergency:
        name = f"{given} {initial}. {family} (Admin)"
    alias = f"emergency{place + 1}" if emergency else f"adm.{alias}"
    own = {
        "name": name,
        "upn": f"{alias}@{world.initial_domain if emergency else world.domain}",
        "mail_nickname": alias,
        "user_type": "Member",
        "account_enabled": True,
        "department": "Information Technology",
        "job_title": "Emergency Access" if emergency else "Administrator",
        "mfa_registered": True,
        "created": days_ago(60 + sliced(bits, 2000), bits >> 8),
        "password_last_changed": days_ago(sliced(bits >> 16, 60), bits >> 24),
        "on_prem_sync_enabled": False,
    }
    if not emergency:
        own["last_sign_in"] = days_ago(sliced(bits >> 28, 14), bits >> 36)
    return own


def _guest(world: World, number: int, bits: int, offset: int) -> dict[str, Any]:
    given, family, initial, alias = person(number, offset)
    partner = f"{PARTNERS.pick(bits)}.example"
    pending = permille(bits >> 32, 80)
    middle = f" {initial}." if initial else ""
    invited = sliced(bits >> 8, 1500)
    own = {
        "name": f"{given}{middle} {family}",
        "upn": f"{alias}_{partner}#ext#@{world.initial_domain}",
        "mail": f"{alias}@{partner}",
        "user_type": "Guest",
        "creation_type": "Invitation",
        "external_user_state": "PendingAcceptance" if pending else "Accepted",
        "account_enabled": world.enabled(number),
        "given_name": given,
        "surname": family,
        "mfa_registered": not pending and world.second_factor(number),
        "created": days_ago(invited + 1, bits >> 8),
    }
    if not pending:
        own["last_sign_in"] = days_ago(min(invited, long_tail(bits >> 28, 1, 600) - 1), bits >> 36)
    return own


def managers(world: World) -> Iterator[Relationship]:
    """Yield who reports to whom; the first user reports to nobody."""
    tie, user = world.tie, world.users.guid
    for department in world.sizes.departments:
        for number in range(max(1, department.start), department.start + department.size):
            yield tie("REPORTS_TO", user(number), user(department.manager(number)))


def devices(world: World) -> Iterator[Node]:
    """Yield devices, each with one of a few common models."""
    chance, ids = world.stream("machine"), world.stream("device-id")
    for number in range(world.sizes.devices):
        bits = chance.bits(number)
        system, version, manufacturer, model = MACHINES.pick(bits)
        mobile = system in {"iOS", "Android"}
        registered = days_ago(5 + sliced(bits >> 8, 1400), bits >> 16)
        own = {
            "name": f"{'MOB' if mobile else 'WS'}-{number:06}",
            "device_id": ids.guid(number),
            "operating_system": system,
            "operating_system_version": version,
            "trust_type": "Workplace" if mobile else "ServerAd" if bits >> 40 & 1 else "AzureAd",
            "device_ownership": "personal" if mobile else "company",
            "manufacturer": manufacturer,
            "model": model,
            "account_enabled": not permille(bits >> 32, 20),
            "is_compliant": permille(bits >> 44, 640),
            "is_managed": not permille(bits >> 24, 110),
            "registered": registered,
            "created": registered,
        }
        yield world.node("EntraDevice", world.devices.guid(number), own)


def device_owners(world: World) -> Iterator[Relationship]:
    """Yield whose each device is: some people have several, others none."""
    chance, ordinary = world.stream("device-owner"), world.sizes.ordinary
    for number in range(world.sizes.devices):
        owner = world.users.guid(chance.below(number, ordinary))
        yield world.tie("OWNS", owner, world.devices.guid(number))


def units(world: World) -> Iterator[Node]:
    """Yield administrative units."""
    for number in range(world.sizes.units):
        own = {
            "name": f"Region {number + 1}",
            "visibility": "Public",
            "membership_type": "Assigned",
            "is_member_management_restricted": False,
        }
        yield world.node("AdministrativeUnit", unit(world, number), own)


def unit(world: World, number: int) -> str:
    """Return the uid of an administrative unit."""
    return world.stream("unit").guid(number)


def unit_members(world: World, number: int) -> range:
    """Return the members of a unit, a run of neighbours, fewer the later the unit is."""
    share = world.sizes.ordinary // (24 + 2 * number * number)
    start = world.stream("unit").below(number, world.sizes.ordinary - share)
    return range(start, start + share)


def in_units(world: World) -> Iterator[Relationship]:
    """Yield who is in which administrative unit."""
    for number in range(world.sizes.units):
        uid = unit(world, number)
        for member in unit_members(world, number):
            yield world.tie("IN_UNIT", world.users.guid(member), uid, {"membership": "direct"})
