"""One made-up tenant: its sizes, and the ids of what is in it, made again whenever they are asked.

Nothing here remembers more than a few hundred names: an id is a function of seed, sort and number.
"""

from collections.abc import Mapping
from typing import Any

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic.chance import Stream, permille
from simbuilder.graph.synthetic.names import plain
from simbuilder.graph.synthetic.sizes import Sizes, sizes_of

_DISABLED, _SYNCED, _NO_MFA = 45, 780, 120
"""Members that are disabled, synchronised, without a second factor: of a thousand."""


class World:
    """What every module needs to know about the tenant that is being made."""

    def __init__(self, users: int, seed: int, name: str) -> None:
        self.sizes: Sizes = sizes_of(users, seed)
        self._seed = seed
        self.name = name
        self.tenant = Stream(seed, f"tenant/{users}/{name}").guid(0)
        slug = f"{plain(name) or 'tenant'}-{self.tenant[:4]}"
        self.domain = f"{slug}.example"
        self.initial_domain = f"{slug}.onmicrosoft.example"
        self.users = self.stream("user")
        self.groups = self.stream("group")
        self.devices = self.stream("device")
        self.apps = self.stream("application")
        self.principals = self.stream("principal")
        self.first_party = self.stream("first-party")
        self.identities = self.stream("identity")
        self.keys = self.stream("key")
        self.traits = self.stream("trait")
        self.graph = self.first_party.guid(0)
        parts = (self.stream("sid").bits(number) >> 32 for number in range(3))
        self.on_prem_domain = "S-1-5-21-" + "-".join(str(part) for part in parts)

    def stream(self, name: str) -> Stream:
        """Return the numbers about `name` in this tenant, which no other tenant has."""
        return Stream(self._seed, f"{self.tenant}/{name}")

    def node(self, kind: str, uid: str, properties: Mapping[str, Any]) -> Node:
        """Return a node of this tenant."""
        return Node(kind, uid, self.tenant, properties)

    def tie(
        self, kind: str, start: str, end: str, properties: Mapping[str, Any] | None = None
    ) -> Relationship:
        """Return a relationship of this tenant."""
        if properties is None:
            return Relationship(kind, start, end, self.tenant)
        return Relationship(kind, start, end, self.tenant, properties)

    # --- users ---------------------------------------------------------------------------------

    def enabled(self, user: int) -> bool:
        """Return whether a user can sign in; the first can, and so can administrators."""
        if not user or self.sizes.ordinary <= user < self.sizes.members:
            return True
        return not permille(self.traits.bits(user), _DISABLED)

    def synced(self, user: int) -> bool:
        """Return whether a user comes from Active Directory."""
        return user < self.sizes.ordinary and permille(self.traits.bits(user) >> 16, _SYNCED)

    def second_factor(self, user: int) -> bool:
        """Return whether a user registered a second factor."""
        return not permille(self.traits.bits(user) >> 32, _NO_MFA)

    def ordinary(self, wanted: int) -> int:
        """Return an ordinary user who can sign in, as near as there is from `wanted` on."""
        user = wanted % self.sizes.ordinary
        while not self.enabled(user):
            user = (user + 1) % self.sizes.ordinary
        return user

    def technician(self, wanted: int) -> int:
        """Return an ordinary user of the department that looks after technical things."""
        department = self.sizes.technical
        return department.start + wanted % department.size

    # --- roles and permissions -----------------------------------------------------------------

    def role(self, template: str) -> str:
        """Return the uid of a directory role."""
        return f"{template}@{self.tenant}"

    def azure_role(self, role: str) -> str:
        """Return the uid of a built-in role of Azure."""
        return f"/providers/microsoft.authorization/roledefinitions/{role}@{self.tenant}"

    def graph_role(self, role: str) -> str:
        """Return the uid of an application permission of Microsoft Graph."""
        return f"{self.graph}/{role}"

    def capability(self, name: str) -> str:
        """Return the uid of the hub of a capability."""
        return f"capability:{name.lower()}@{self.tenant}"

    # --- applications --------------------------------------------------------------------------

    @property
    def all_apps(self) -> int:
        """Applications of its own: the common ones, then one for each plot that has one."""
        return self.sizes.apps + len(self.app_plots)

    @property
    def app_plots(self) -> tuple[tuple[str, int], ...]:
        """Plots that go through an application."""
        return tuple(each for each in self.sizes.plots if each[0] in {"permission", "vault"})

    def plot_app(self, plot: tuple[str, int]) -> int:
        """Return the number of the application of a plot."""
        return self.sizes.apps + self.app_plots.index(plot)

    def credentials_of(self, app: int) -> int:
        """Return how many credentials an application has."""
        return 1 + (self.traits.bits(1_000_000 + app) >> 8) % 3 // 2

    def credential(self, app: int, number: int) -> str:
        """Return the uid of a credential of an application."""
        return f"{self.apps.guid(app)}/{self.keys.guid(app * 8 + number)}"
