"""How much of everything a tenant of so many users has, and who of them is what.

Users are numbered: ordinary members first, department by department, then accounts kept for
administration, then guests. Where somebody is in that order says who they report to, so nothing
about a user needs to be remembered.
"""

from dataclasses import dataclass
from itertools import pairwise

from simbuilder.graph.synthetic.chance import Stream
from simbuilder.graph.synthetic.names import DEPARTMENTS

MOST_USERS = 100_000
ADMIN_SHARE = 700
"""One account for administration for so many users, beside the two for emergencies."""

PLOTS = ("machine", "permission", "vault", "subscription")
"""Ways from an ordinary user to the whole tenant that are laid out on purpose."""

_PLOTS_FROM = (1, 3, 5, 10)
_PLOTS_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class Department:
    """Members `start` to `start + size` - 1, the first its head, each manager with `span`."""

    number: int
    name: str
    title: str
    start: int
    size: int
    span: int
    first_team: int

    @property
    def teams(self) -> int:
        """How many of its members have somebody reporting to them, who are its first ones."""
        return (self.size - 2) // self.span + 1 if self.size > 1 else 0

    def manager(self, member: int) -> int:
        """Return who `member` reports to; the head of a department reports to the first head."""
        place = member - self.start
        return self.start + (place - 1) // self.span if place else 0

    def team(self, number: int) -> range:
        """Return the members who report to the manager of team `number`."""
        first = self.start + number * self.span + 1
        return range(first, min(first + self.span, self.start + self.size))

    def rank(self, member: int) -> int:
        """Return how many managers are between `member` and the head of the department."""
        place, rank = member - self.start, 0
        while place:
            place, rank = (place - 1) // self.span, rank + 1
        return rank


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of everything. A `..._at` is the number of the first group of that sort."""

    users: int
    ordinary: int
    admins: int
    guests: int
    departments: tuple[Department, ...]
    divisions: int
    teams: int
    projects: int
    apps: int
    subscriptions: int
    units: int
    devices: int
    plots: tuple[tuple[str, int], ...]

    @property
    def members(self) -> int:
        """Ordinary members and accounts for administration."""
        return self.ordinary + self.admins

    @property
    def technical(self) -> Department:
        """The department whose people look after applications and the cloud."""
        return self.departments[min(3, len(self.departments) - 1)]

    def department_of(self, member: int) -> Department:
        """Return the department of an ordinary member."""
        low, high = 0, len(self.departments)
        while high - low > 1:
            middle = (low + high) // 2
            if self.departments[middle].start <= member:
                low = middle
            else:
                high = middle
        return self.departments[low]


def sizes_of(users: int, seed: int) -> Sizes:
    """Return the sizes of a tenant; raises `ValueError` for a number of users it cannot have."""
    if not 1 <= users <= MOST_USERS:
        raise ValueError(f"a synthetic tenant has 1 to {MOST_USERS:,} users, not {users:,}")
    guests = users * 9 // 100
    admins = 0 if users == 1 else 1 if users < 10 else 2 + users // ADMIN_SHARE
    ordinary = users - guests - admins
    departments = _departments(ordinary, seed)
    rounds = 1 + users // _PLOTS_EVERY
    return Sizes(
        users=users,
        ordinary=ordinary,
        admins=admins,
        guests=guests,
        departments=departments,
        divisions=(len(departments) + 5) // 6,
        teams=sum(each.teams for each in departments),
        projects=ordinary // 50,
        apps=2 + users // 60,
        subscriptions=(users + 399) // 400,
        units=0 if users < 20 else min(40, 2 + users // 1500),
        devices=(ordinary * 30 + 99) // 100,
        plots=tuple(
            (plot, number)
            for number in range(rounds)
            for plot, least in zip(PLOTS, _PLOTS_FROM, strict=True)
            if users >= least
        ),
    )


def _departments(ordinary: int, seed: int) -> tuple[Department, ...]:
    """Return departments whose sizes fall like 1/rank (Zipf), the small one at the top first."""
    count = 1
    while count < len(DEPARTMENTS) and count * count * 4 < ordinary:
        count += 1
    spans = Stream(seed, "span")
    top = min(ordinary, 1 + ordinary // 100) if count > 1 else ordinary
    shares = [1_000_000 // rank for rank in range(1, count)]
    bounds, running = [0, top], 0
    for share in shares:
        running += share
        bounds.append(top + (ordinary - top) * running // sum(shares))
    found: list[Department] = []
    teams = 0
    for number, (start, end) in enumerate(pairwise(bounds)):
        name, title = DEPARTMENTS[number]
        span = 6 + spans.below(number, 5)
        found.append(Department(number, name, title, start, end - start, span, teams))
        teams += found[-1].teams
    return tuple(found)
