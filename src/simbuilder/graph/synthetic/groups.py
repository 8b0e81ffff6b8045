"""Groups and who is in them: few large ones, many small ones, nested at most three deep."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import gcd

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic.chance import days_ago, long_tail, sliced
from simbuilder.graph.synthetic.names import MACHINES, PROJECTS, WORKLOADS
from simbuilder.graph.synthetic.sizes import Department
from simbuilder.graph.synthetic.world import World

_DIRECT = {"membership": "direct"}
_DYNAMIC = {"membership": "dynamic"}

ROLE_GROUPS = ("Tier 0 Administrators", "Service Desk", "Application Operators", "Audit")
"""Groups that directory roles can be assigned to."""

LICENCES = (
    ("M365 E5", "SPE_E5", 180),
    ("Visio", "VISIOCLIENT", 60),
    ("Project", "PROJECTPREMIUM", 40),
)
"""Name, part number and share of a thousand members: nobody is in two, most in none."""

_DYNAMIC_GROUPS = (
    ("All Staff", 'user.userType -eq "Member"'),
    ("All Guests", 'user.userType -eq "Guest"'),
    ("Mac Devices", 'device.deviceOSType -eq "MacMDM"'),
)


@dataclass(frozen=True, slots=True)
class Groups:
    """Where each sort of group begins in the numbers of groups."""

    licences: int
    roles: int
    divisions: int
    departments: int
    clouds: int
    teams: int
    projects: int
    plots: int
    total: int


def numbers(world: World) -> Groups:
    """Return how the groups of a tenant are numbered."""
    sizes = world.sizes
    roles = len(_DYNAMIC_GROUPS) + len(LICENCES)
    divisions = roles + len(ROLE_GROUPS)
    departments = divisions + sizes.divisions
    clouds = departments + len(sizes.departments)
    teams = clouds + 2 * sizes.subscriptions
    projects = teams + sizes.teams
    plots = projects + sizes.projects
    return Groups(
        licences=len(_DYNAMIC_GROUPS),
        roles=roles,
        divisions=divisions,
        departments=departments,
        clouds=clouds,
        teams=teams,
        projects=projects,
        plots=plots,
        total=plots + 2 * len(sizes.plots),
    )


def nodes(world: World) -> Iterator[Node]:
    """Yield every group."""
    made = world.stream("group-made")
    for number, (name, more) in enumerate(_described(world)):
        bits = made.bits(number)
        unified = bool(more.pop("unified", False))
        kinds = [
            *(["Unified"] if unified else []),
            *(["DynamicMembership"] if "rule" in more else []),
        ]
        nickname = f"g{number}"
        properties: dict[str, object] = {
            "name": name,
            "mail_nickname": nickname,
            "mail_enabled": unified,
            "security_enabled": True,
            "group_types": kinds,
            "is_assignable_to_role": bool(more.get("roles")),
            "visibility": "Private" if bits & 3 else "Public",
            "created": days_ago(30 + sliced(bits >> 8, 2400), bits >> 24),
        }
        if unified:
            properties["mail"] = f"{nickname}@{world.domain}"
        if "rule" in more:
            properties |= {"membership_rule": more["rule"], "membership_rule_state": "On"}
        if "licence" in more:
            properties["licences"] = [more["licence"]]
        yield world.node("EntraGroup", world.groups.guid(number), properties)


def _described(world: World) -> Iterator[tuple[str, dict[str, object]]]:
    sizes = world.sizes
    for name, rule in _DYNAMIC_GROUPS:
        yield name, {"rule": rule}
    for name, part, _ in LICENCES:
        yield f"License {name}", {"licence": part}
    for name in ROLE_GROUPS:
        yield name, {"roles": True}
    for number in range(sizes.divisions):
        yield f"Division {number + 1}", {}
    for department in sizes.departments:
        yield f"Department {department.name}", {}
    yield from _described_many(world)


def _described_many(world: World) -> Iterator[tuple[str, dict[str, object]]]:
    sizes = world.sizes
    for number in range(sizes.subscriptions):
        workload = WORKLOADS[number % len(WORKLOADS)]
        yield f"Azure {workload} {number + 1} Contributors", {}
        yield f"Azure {workload} {number + 1} Readers", {}
    for department in sizes.departments:
        for number in range(department.teams):
            yield f"{department.name} Team {number + 1}", {"unified": True}
    for number in range(sizes.projects):
        name = f"Project {PROJECTS[number % len(PROJECTS)]} {number + 1}"
        yield name, {"unified": number % 3 == 0}
    for plot, number in sizes.plots:
        yield f"{plot.title()} Support {number + 1}", {}
        yield f"{plot.title()} Operators {number + 1}", {}


def members(world: World) -> Iterator[Relationship]:
    """Yield every membership, of people, devices and groups."""
    yield from _common(world)
    yield from _of_administrators(world)
    yield from _nested(world)
    yield from _of_teams(world)
    yield from _of_projects(world)
    yield from _of_clouds(world)
    yield from _of_plots(world)


def _common(world: World) -> Iterator[Relationship]:
    sizes, tie, user = world.sizes, world.tie, world.users.guid
    staff, outside, macs = (world.groups.guid(number) for number in range(3))
    at = numbers(world).licences
    licences = [world.groups.guid(at + number) for number in range(len(LICENCES))]
    bounds = list(accumulate(share for _, _, share in LICENCES))
    choice = world.stream("licence")
    for number in range(sizes.ordinary):
        uid = user(number)
        yield tie("MEMBER_OF", uid, staff, _DYNAMIC)
        if world.enabled(number):
            place = choice.below(number, 1000)
            if place < bounds[2]:
                licence = licences[(place >= bounds[0]) + (place >= bounds[1])]
                yield tie("MEMBER_OF", uid, licence, _DIRECT)
    for number in range(sizes.ordinary, sizes.members):
        yield tie("MEMBER_OF", user(number), staff, _DYNAMIC)
    for number in range(sizes.members, sizes.users):
        yield tie("MEMBER_OF", user(number), outside, _DYNAMIC)
    machines = world.stream("machine")
    for number in range(sizes.devices):
        if MACHINES.pick(machines.bits(number))[0] == "MacMDM":
            yield tie("MEMBER_OF", world.devices.guid(number), macs, _DYNAMIC)


def _of_administrators(world: World) -> Iterator[Relationship]:
    """Emergency accounts are in the first role group, each other one in one of the rest."""
    sizes, first = world.sizes, numbers(world).roles
    for number in range(sizes.admins):
        group = 0 if number < 2 else 1 + number % (len(ROLE_GROUPS) - 1)
        uid = world.users.guid(sizes.ordinary + number)
        yield world.tie("MEMBER_OF", uid, world.groups.guid(first + group), _DIRECT)


def _nested(world: World) -> Iterator[Relationship]:
    """Teams are in their department's group, departments in a division's."""
    at, group = numbers(world), world.groups.guid
    for department in world.sizes.departments:
        uid = group(at.departments + department.number)
        division = group(at.divisions + department.number % world.sizes.divisions)
        yield world.tie("MEMBER_OF", uid, division, _DIRECT)
        yield world.tie("MEMBER_OF", world.users.guid(department.start), uid, _DIRECT)
        for number in range(department.first_team, department.first_team + department.teams):
            yield world.tie("MEMBER_OF", group(at.teams + number), uid, _DIRECT)


def _of_teams(world: World) -> Iterator[Relationship]:
    at, tie, user = numbers(world).teams, world.tie, world.users.guid
    for department in world.sizes.departments:
        for number in range(department.teams):
            team = world.groups.guid(at + department.first_team + number)
            for member in department.team(number):
                yield tie("MEMBER_OF", user(member), team, _DIRECT)


def _of_projects(world: World) -> Iterator[Relationship]:
    """Projects draw on one department, and on its longer-serving people more than on others."""
    at, tie, user = numbers(world).projects, world.tie, world.users.guid
    for number in range(world.sizes.projects):
        project = world.groups.guid(at + number)
        for member in project_members(world, number):
            yield tie("MEMBER_OF", user(member), project, _DIRECT)


def project_members(world: World, number: int) -> Iterator[int]:
    """Yield the ordinary members of a project, each once."""
    bits = world.stream("project").bits(number)
    home = world.sizes.department_of(bits % world.sizes.ordinary)
    size = long_tail(bits >> 8, 3, max(3, world.sizes.ordinary // 4))
    pool = max(1, home.size * (1 + (bits >> 40 & 7)) // 8)
    start, total = home.start, pool
    if size > pool:
        start, total = 0, world.sizes.ordinary
    yield from strided(start, total, min(size, total), bits >> 32)


def strided(start: int, total: int, count: int, bits: int) -> Iterator[int]:
    """Yield `count` different numbers from `start` on, of `total`, spread out as `bits` say."""
    step = 1 + (bits & 0xFFFF) % total
    while gcd(step, total) != 1:
        step += 1
    place = (bits >> 16) % total
    for _ in range(count):
        yield start + place
        place = (place + step) % total


def _of_clouds(world: World) -> Iterator[Relationship]:
    """Contributors to a subscription are technicians, its readers whole teams of theirs."""
    at, home = numbers(world), world.sizes.technical
    choice = world.stream("cloud-group")
    for number in range(world.sizes.subscriptions):
        bits = choice.bits(number)
        contributors = world.groups.guid(at.clouds + 2 * number)
        size = min(home.size, long_tail(bits >> 8, 3, 40))
        for member in strided(home.start, home.size, size, bits >> 24):
            yield world.tie("MEMBER_OF", world.users.guid(member), contributors, _DIRECT)
        if home.teams:
            team = at.teams + home.first_team + bits % home.teams
            readers = world.groups.guid(at.clouds + 2 * number + 1)
            yield world.tie("MEMBER_OF", world.groups.guid(team), readers, _DIRECT)


def _of_plots(world: World) -> Iterator[Relationship]:
    at = numbers(world).plots
    for number, plot in enumerate(world.sizes.plots):
        support, operators = (world.groups.guid(at + 2 * number + each) for each in (0, 1))
        foothold = world.users.guid(foothold_of(world, number))
        if plot[0] == "machine":
            yield world.tie("MEMBER_OF", foothold, support, _DIRECT)
            yield world.tie("MEMBER_OF", support, operators, _DIRECT)
        helper = world.ordinary(foothold_of(world, number) + 1 + number)
        if world.users.guid(helper) != foothold:
            yield world.tie("MEMBER_OF", world.users.guid(helper), operators, _DIRECT)


def foothold_of(world: World, plot: int) -> int:
    """Return the ordinary user that a plot begins with."""
    return world.ordinary(world.stream("foothold").below(plot, world.sizes.ordinary))


def owners(world: World) -> Iterator[Relationship]:
    """Yield who owns groups: managers their teams, somebody of it a project."""
    at, user, group = numbers(world), world.users.guid, world.groups.guid
    for department in world.sizes.departments:
        for number in range(department.teams):
            team = group(at.teams + department.first_team + number)
            yield world.tie("OWNS", user(_manager(department, number)), team)
    for number in range(world.sizes.projects):
        for member in project_members(world, number):
            yield world.tie("OWNS", user(member), group(at.projects + number))
            break
    for number, plot in enumerate(world.sizes.plots):
        if plot[0] == "subscription":
            yield world.tie(
                "OWNS", user(foothold_of(world, number)), group(at.plots + 2 * number + 1)
            )


def _manager(department: Department, team: int) -> int:
    return department.start + team
