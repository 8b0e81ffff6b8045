"""Where everything of Azure is: subscriptions, their resource groups and what stands in each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simbuilder.graph.synthetic.chance import Weighted, long_tail, permille
from simbuilder.graph.synthetic.names import REGIONS, STAGES, WORKLOADS
from simbuilder.graph.synthetic.world import World

MOST_IN_GROUP = 4096
"""Resources that a resource group of ours has at most."""

_PLOT_GROUP = 200


class Item(NamedTuple):
    """A resource. `ordinal` numbers it in the tenant, `parent` is the uid it belongs to."""

    kind: str
    uid: str
    name: str
    ordinal: int
    parent: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription and what it is for."""

    number: int
    guid: str
    name: str
    stage: str
    region: str

    @property
    def uid(self) -> str:
        """Its ARM id."""
        return f"/subscriptions/{self.guid}"


@dataclass(frozen=True, slots=True)
class Group:
    """A resource group. `plot` is the number of the plot that it was made for, or -1."""

    subscription: Subscription
    number: int
    name: str
    flavour: str
    plot: int = -1

    @property
    def uid(self) -> str:
        """Its ARM id, lower-case as graphs have it."""
        return f"{self.subscription.uid}/resourcegroups/{self.name}"


PROVIDERS = {
    "VirtualMachine": ("microsoft.compute/virtualmachines", "vm"),
    "VirtualMachineScaleSet": ("microsoft.compute/virtualmachinescalesets", "vmss"),
    "Disk": ("microsoft.compute/disks", "disk"),
    "FunctionApp": ("microsoft.web/sites", "func"),
    "WebApp": ("microsoft.web/sites", "app"),
    "LogicApp": ("microsoft.logic/workflows", "logic"),
    "AutomationAccount": ("microsoft.automation/automationaccounts", "aa"),
    "ManagedCluster": ("microsoft.containerservice/managedclusters", "aks"),
    "ContainerRegistry": ("microsoft.containerregistry/registries", "cr"),
    "UserAssignedIdentity": ("microsoft.managedidentity/userassignedidentities", "id"),
    "KeyVault": ("microsoft.keyvault/vaults", "kv"),
    "StorageAccount": ("microsoft.storage/storageaccounts", "st"),
    "StorageContainer": ("/blobservices/default/containers", "data"),
    "CosmosAccount": ("microsoft.documentdb/databaseaccounts", "cosmos"),
    "SqlServer": ("microsoft.sql/servers", "sql"),
    "SqlDatabase": ("/databases", "db"),
    "LogAnalyticsWorkspace": ("microsoft.operationalinsights/workspaces", "log"),
    "VirtualNetwork": ("microsoft.network/virtualnetworks", "vnet"),
    "Subnet": ("/subnets", "snet"),
    "NetworkSecurityGroup": ("microsoft.network/networksecuritygroups", "nsg"),
    "NetworkInterface": ("microsoft.network/networkinterfaces", "nic"),
    "PublicIpAddress": ("microsoft.network/publicipaddresses", "pip"),
}
"""Resource type and usual name prefix of each kind; one that begins with `/` is below another."""

OTHER_TYPES = (
    *("microsoft.insights/components", "microsoft.web/serverfarms"),
    *("microsoft.network/privateendpoints", "microsoft.eventhub/namespaces"),
    *("microsoft.datafactory/factories", "microsoft.recoveryservices/vaults"),
)


def other_type(ordinal: int) -> str:
    """Return the resource type of one that has no kind of its own."""
    return OTHER_TYPES[ordinal % MOST_IN_GROUP % len(OTHER_TYPES)]


_Part = tuple[str, int, int, str]
_STACKS: dict[str, tuple[_Part, ...]] = {
    "hub": (
        ("LogAnalyticsWorkspace", 1, 1, ""),
        ("VirtualNetwork", 1, 1, ""),
        ("Subnet", 3, 6, "VirtualNetwork"),
        ("NetworkSecurityGroup", 1, 1, "Subnet"),
        ("StorageAccount", 1, 2, ""),
        ("AzureResource", 1, 6, ""),
    ),
    "machines": (
        ("VirtualMachine", 3, 40, ""),
        ("NetworkInterface", 1, 1, "VirtualMachine"),
        ("Disk", 1, 2, "VirtualMachine"),
        ("PublicIpAddress", 0, 1, "VirtualMachine"),
        ("KeyVault", 1, 2, ""),
        ("AzureResource", 1, 8, ""),
    ),
    "web": (
        ("WebApp", 2, 30, ""),
        ("FunctionApp", 1, 12, ""),
        ("UserAssignedIdentity", 1, 2, ""),
        ("KeyVault", 1, 3, ""),
        ("SqlServer", 1, 2, ""),
        ("SqlDatabase", 1, 3, "SqlServer"),
        ("StorageAccount", 1, 4, ""),
        ("AzureResource", 4, 40, ""),
    ),
    "data": (
        ("StorageAccount", 2, 20, ""),
        ("StorageContainer", 1, 6, "StorageAccount"),
        ("CosmosAccount", 1, 2, ""),
        ("SqlServer", 1, 2, ""),
        ("SqlDatabase", 1, 4, "SqlServer"),
        ("KeyVault", 1, 1, ""),
        ("AzureResource", 3, 30, ""),
    ),
    "containers": (
        ("ManagedCluster", 1, 2, ""),
        ("VirtualMachineScaleSet", 1, 3, "ManagedCluster"),
        ("ContainerRegistry", 1, 1, ""),
        ("UserAssignedIdentity", 2, 8, ""),
        ("KeyVault", 1, 2, ""),
        ("PublicIpAddress", 1, 2, ""),
        ("AzureResource", 2, 12, ""),
    ),
    "automation": (
        ("AutomationAccount", 1, 2, ""),
        ("LogicApp", 2, 24, ""),
        ("KeyVault", 1, 1, ""),
        ("StorageAccount", 1, 2, ""),
        ("AzureResource", 1, 6, ""),
    ),
    "machine": (
        ("VirtualMachine", 1, 1, ""),
        ("NetworkInterface", 1, 1, "VirtualMachine"),
        ("Disk", 1, 1, "VirtualMachine"),
    ),
    "vault": (("KeyVault", 1, 1, ""),),
    "subscription": (("AutomationAccount", 1, 1, ""),),
}
"""What each sort of resource group holds: kind, least and most, and of which other kind each."""

_FLAVOURS = Weighted(
    ((26, "machines"), (30, "web"), (20, "data"), (10, "containers"), (14, "automation"))
)
_PLOT_NAMES = {"machine": "jumphost", "vault": "deployment", "subscription": "runbooks"}

_PLAIN = {"StorageAccount", "ContainerRegistry"}
"""Kinds whose names have letters and digits only."""

_IDENTITY = {
    "VirtualMachine": 550,
    "VirtualMachineScaleSet": 800,
    "FunctionApp": 750,
    "WebApp": 550,
    "LogicApp": 500,
    "AutomationAccount": 900,
    "ManagedCluster": 1000,
}
"""How many of a thousand of a kind have a system-assigned identity."""


class Layout:
    """Makes subscriptions, resource groups and resources again in the same order."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ids = world.stream("subscription")
        self._shape = world.stream("shape")
        self._counts = world.stream("count")
        self._network: tuple[int, list[Item]] = (-1, [])

    def subscriptions(self) -> Iterator[Subscription]:
        """Yield every subscription."""
        for number in range(self.world.sizes.subscriptions):
            yield self.subscription(number)

    def subscription(self, number: int) -> Subscription:
        """Return a subscription by its number."""
        bits = self._ids.bits(number)
        workload, stage = WORKLOADS[number % len(WORKLOADS)], STAGES.pick(bits)
        name = f"sub-{workload}-{stage}-{number + 1:03}"
        return Subscription(number, self._ids.guid(number), name, stage, REGIONS.pick(bits >> 32))

    def groups(self, subscription: Subscription) -> Iterator[Group]:
        """Yield the resource groups of a subscription, its network first, plots last."""
        yield Group(subscription, 0, f"rg-network-{subscription.stage}", "hub")
        first = subscription.number * 256
        few = 2 + self.world.sizes.users // 40
        for number in range(1, min(few, 3 + self._shape.below(first, 8))):
            bits = self._shape.bits(first + number)
            flavour = _FLAVOURS.pick(bits)
            workload = WORKLOADS[(bits >> 32) % len(WORKLOADS)]
            yield Group(subscription, number, f"rg-{workload}-{flavour}-{number:02}", flavour)
        for plot, (kind, _) in enumerate(self.world.sizes.plots):
            if kind in _PLOT_NAMES and plot % self.world.sizes.subscriptions == subscription.number:
                yield self.plot_group(plot)

    def plot_group(self, plot: int) -> Group:
        """Return the resource group that a plot goes through."""
        kind, _ = self.world.sizes.plots[plot]
        subscription = self.subscription(plot % self.world.sizes.subscriptions)
        number = _PLOT_GROUP + plot // self.world.sizes.subscriptions
        return Group(subscription, number, f"rg-{_PLOT_NAMES[kind]}-{plot + 1:02}", kind, plot)

    def all_groups(self) -> Iterator[Group]:
        """Yield the resource groups of every subscription."""
        for subscription in self.subscriptions():
            yield from self.groups(subscription)

    def resources(self, group: Group) -> list[Item]:
        """Return what stands in a resource group."""
        found: list[Item] = []
        above = f"{group.uid}/providers/"
        base = (group.subscription.number * 256 + group.number) * MOST_IN_GROUP
        bits = self._counts.bits(base)
        for kind, least, most, each_of in _STACKS[group.flavour]:
            parents = [item.uid for item in found if item.kind == each_of] if each_of else [""]
            for parent in parents:
                bits = self._counts.bits(bits & 0xFFFFFFFFFF)
                wide = most > 4 * least > 0
                count = long_tail(bits, least, most) if wide else least + bits % (most - least + 1)
                for place in range(len(found), len(found) + count):
                    provider, prefix = PROVIDERS.get(kind) or (other_type(place), "res")
                    if provider[0] == "/":
                        name = f"{prefix}-{place:03}"
                        uid = f"{parent}{provider}/{name}"
                    else:
                        name = _name(group, kind, prefix, place)
                        uid = f"{above}{provider}/{name}"
                    found.append(Item(kind, uid, name, base + place, parent))
        return found

    def stocked(self) -> Iterator[tuple[Group, list[Item]]]:
        """Yield every resource group with its resources."""
        for group in self.all_groups():
            yield group, self.resources(group)

    def identity(self, group: Group, item: Item) -> bool:
        """Return whether a resource has a system-assigned identity."""
        share = _IDENTITY.get(item.kind, 0)
        if group.plot >= 0:
            return share > 0
        return share > 0 and permille(self._counts.bits(item.ordinal) >> 40, share)

    def principal(self, item: Item) -> str:
        """Return the uid of the service principal of a resource's own identity."""
        return self.world.identities.guid(item.ordinal)

    def network(self, group: Group) -> list[Item]:
        """Return the resources of the network that a resource group is connected to."""
        number = group.subscription.number
        if self._network[0] != number:
            self._network = number, self.resources(next(iter(self.groups(group.subscription))))
        return self._network[1]


def _name(group: Group, kind: str, prefix: str, place: int) -> str:
    name = f"{prefix}-{group.subscription.number:03}-{group.number:03}-{place:03}"
    return name.replace("-", "") if kind in _PLAIN else name
