"""Nodes of Azure, and what ties resources to each other and to their identities."""

from collections.abc import Iterator
from typing import Any

from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.synthetic.chance import days_ago, days_ahead, long_tail, permille, sliced
from simbuilder.graph.synthetic.layout import PROVIDERS, Group, Item, Layout, other_type
from simbuilder.graph.synthetic.world import World

_LANDING = ("Platform", "Landing Zones", "Sandboxes")
_MANY_SUBSCRIPTIONS = 3
_SHARED = {"FunctionApp", "ManagedCluster"}
_LOGGING = {"KeyVault", "SqlServer", "WebApp", "ManagedCluster", "AutomationAccount"}
_IN_SUBNET = {"NetworkInterface", "ManagedCluster", "VirtualMachineScaleSet"}
_ATTACHED = {"NetworkInterface", "Disk", "NetworkSecurityGroup"}

_SIZES = ("Standard_D2s_v5", "Standard_D4s_v5", "Standard_B2ms", "Standard_E4s_v5")


def management_groups(world: World) -> list[tuple[str, str, str]]:
    """Return uid, name and parent's uid of each management group, the root first."""
    place = "/providers/microsoft.management/managementgroups"
    root = f"{place}/{world.tenant}"
    found = [(root, "Tenant Root Group", "")]
    if world.sizes.subscriptions >= _MANY_SUBSCRIPTIONS:
        for name in _LANDING:
            short = f"mg-{name.lower().replace(' ', '-')}-{world.tenant[:8]}"
            found.append((f"{place}/{short}", name, root))
    return found


def home_of(world: World, subscription: int) -> str:
    """Return the uid of the management group that a subscription is in."""
    groups = management_groups(world)
    if len(groups) == 1:
        return groups[0][0]
    return groups[1 if not subscription else 3 if subscription % 5 == 4 else 2][0]


def scopes(layout: Layout) -> Iterator[Node]:
    """Yield management groups, subscriptions and resource groups."""
    world = layout.world
    for uid, name, parent in management_groups(world):
        own: dict[str, Any] = {"name": name, "group_id": uid.rpartition("/")[2]}
        own["is_root"] = not parent
        if parent:
            own["parent_id"] = parent
        yield world.node("ManagementGroup", uid, own)
    for subscription in layout.subscriptions():
        own = {
            "name": subscription.name,
            "subscription_id": subscription.guid,
            "state": "Enabled",
            "quota_id": "EnterpriseAgreement_2014-09-01",
            "authorization_source": "RoleBased",
        }
        yield world.node("Subscription", subscription.uid, own)
    for group in layout.all_groups():
        own = {
            "name": group.name,
            "location": group.subscription.region,
            "subscription_id": group.subscription.guid,
            "provisioning_state": "Succeeded",
            "tags": {"stage": group.subscription.stage, "workload": group.flavour},
        }
        yield world.node("ResourceGroup", group.uid, own)


def resources(layout: Layout) -> Iterator[Node]:
    """Yield every resource."""
    chance = layout.world.stream("resource")
    for group, items in layout.stocked():
        shared = [item.uid for item in items if item.kind == "UserAssignedIdentity"]
        for item in items:
            bits = chance.bits(item.ordinal)
            own = _common(group, item, bits)
            if layout.identity(group, item):
                own["identity_type"] = "SystemAssigned"
                own["identity_principal_id"] = layout.principal(item)
            if shared and item.kind in _SHARED:
                both = "identity_type" in own
                own["identity_type"] = "SystemAssigned, UserAssigned" if both else "UserAssigned"
                own["identity_ids"] = [shared[item.ordinal % len(shared)]]
            if item.kind == "UserAssignedIdentity":
                own["principal_id"] = layout.principal(item)
                own["client_id"] = layout.world.stream("client").guid(item.ordinal)
            yield layout.world.node(item.kind, item.uid, own)


def _common(group: Group, item: Item, bits: int) -> dict[str, Any]:
    known = PROVIDERS.get(item.kind)
    kind = known[0] if known else other_type(item.ordinal)
    own = {
        "name": item.name,
        "resource_type": _NESTED.get(item.kind, kind),
        "location": group.subscription.region,
        "subscription_id": group.subscription.guid,
        "resource_group": group.name,
        "provisioning_state": "Succeeded" if not permille(bits, 12) else "Failed",
        "created": days_ago(sliced(bits >> 8, 1800), bits >> 16),
    }
    return own | _particular(item, bits >> 20)


_NESTED = {
    "Subnet": "microsoft.network/virtualnetworks/subnets",
    "SqlDatabase": "microsoft.sql/servers/databases",
    "StorageContainer": "microsoft.storage/storageaccounts/blobservices/containers",
}


def _particular(item: Item, bits: int) -> dict[str, Any]:
    """Return what only some kinds have, and misconfigurations about as common as they are."""
    public = "Enabled" if permille(bits, 620) else "Disabled"
    match item.kind:
        case "VirtualMachine":
            system = "Windows" if permille(bits, 450) else "Linux"
            state = "running" if permille(bits >> 4, 800) else "deallocated"
            return {"operating_system": system, "sku": _SIZES[bits & 3], "power_state": state}
        case "KeyVault":
            return {
                "rbac_authorization": roles_decide(item),
                "public_network_access": public,
                "soft_delete": True,
                "purge_protection": permille(bits >> 6, 450),
                "vault_uri": f"https://{item.name}.vault.example/",
            }
        case "StorageAccount":
            return {
                "public_network_access": public,
                "blob_public_access": permille(bits >> 6, 80),
                "shared_key_access": not permille(bits >> 8, 300),
                "https_only": not permille(bits >> 10, 15),
                "min_tls_version": "TLS1_2" if not permille(bits >> 4, 60) else "TLS1_0",
            }
        case "WebApp" | "FunctionApp":
            return {
                "public_network_access": public,
                "https_only": not permille(bits >> 6, 90),
                "basic_auth_enabled": permille(bits >> 8, 240),
                "state": "Running" if not permille(bits >> 4, 70) else "Stopped",
            }
        case "SqlServer" | "CosmosAccount":
            return {
                "public_network_access": public,
                "local_auth_disabled": permille(bits >> 6, 260),
                "min_tls_version": "1.2",
            }
        case "ManagedCluster":
            return {
                "kubernetes_version": f"1.{29 + (bits & 3)}.4",
                "is_private": permille(bits >> 6, 350),
                "azure_rbac_enabled": permille(bits >> 8, 520),
            }
        case "NetworkSecurityGroup":
            return {"inbound_from_internet": ["tcp/3389"] if permille(bits, 50) else []}
        case "Subnet":
            return {"address_prefixes": [f"10.{bits & 127}.{item.ordinal & 255}.0/24"]}
        case "Disk":
            return {"disk_size": 32 << (bits & 3), "disk_state": "Attached"}
        case _:
            return {}


def roles_decide(item: Item) -> bool:
    """Return whether Azure roles, not access policies, say who may read a vault."""
    return item.ordinal * 7919 % 10 < 7


def secrets_of(layout: Layout, vault: Item, group: Group) -> Iterator[tuple[str, str, str]]:
    """Yield uid, name and credential, or nothing, of each secret of a vault."""
    world = layout.world
    bits = world.stream("secret").bits(vault.ordinal)
    if group.plot >= 0:
        app = world.plot_app(world.sizes.plots[group.plot])
        yield f"{vault.uid}/secrets/deploy-client-secret", "deploy", world.credential(app, 0)
        return
    count = long_tail(bits, 1, 48)
    for number in range(count):
        uses = number == 0 and permille(bits >> 40, 700) and world.sizes.apps > 0
        app = (bits >> 8) % world.sizes.apps if uses else 0
        name = f"{'client-secret' if uses else 'connection'}-{number + 1:02}"
        yield f"{vault.uid}/secrets/{name}", name, world.credential(app, 0) if uses else ""


def vaults(layout: Layout) -> Iterator[tuple[Group, Item, list[Item]]]:
    """Yield every vault with its resource group and the neighbours in that."""
    for group, items in layout.stocked():
        for item in items:
            if item.kind == "KeyVault":
                yield group, item, items


def secrets(layout: Layout) -> Iterator[Node]:
    """Yield that secrets are kept; there are no values."""
    chance = layout.world.stream("secret-made")
    for group, vault, _ in vaults(layout):
        for number, (uid, name, credential) in enumerate(secrets_of(layout, vault, group)):
            bits = chance.bits(vault.ordinal * 64 + number)
            own: dict[str, Any] = {
                "name": name,
                "secret_type": "secret",
                "is_enabled": not permille(bits, 40),
                "created": days_ago(sliced(bits >> 8, 1200), bits >> 16),
            }
            if credential:
                own["for_credential"] = credential
            if permille(bits >> 32, 350):
                own["expires"] = days_ahead(sliced(bits >> 24, 900) - 120)
            yield layout.world.node("SecretRef", uid, own)


def contained(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield what contains what, from the root management group to secrets."""
    world = layout.world
    for uid, _, parent in management_groups(world):
        yield parent or world.tenant, uid
    for subscription in layout.subscriptions():
        yield home_of(world, subscription.number), subscription.uid
    for group, items in layout.stocked():
        yield group.subscription.uid, group.uid
        for item in items:
            yield (item.parent if item.kind in _NESTED else group.uid), item.uid
    for group, vault, _ in vaults(layout):
        for uid, _, _ in secrets_of(layout, vault, group):
            yield vault.uid, uid


def stored(layout: Layout) -> Iterator[Relationship]:
    """Yield which vault keeps which secret."""
    for group, vault, _ in vaults(layout):
        for uid, _, _ in secrets_of(layout, vault, group):
            yield layout.world.tie("STORES", vault.uid, uid)


def unlocked(layout: Layout) -> Iterator[Relationship]:
    """Yield which secret is which credential of an application."""
    own = {"derived": True, "rule": "secret-is-credential"}
    for group, vault, _ in vaults(layout):
        for uid, _, credential in secrets_of(layout, vault, group):
            if credential:
                via = {**own, "via": [uid, credential]}
                yield layout.world.tie("UNLOCKS", uid, credential, via)


def identities(layout: Layout) -> Iterator[Relationship]:
    """Yield what each resource signs in as: its own identity, and one shared in its group."""
    tie = layout.world.tie
    own, shared = {"identity_type": "SystemAssigned"}, {"identity_type": "UserAssigned"}
    for group, items in layout.stocked():
        common = [item for item in items if item.kind == "UserAssignedIdentity"]
        for item in items:
            if layout.identity(group, item):
                yield tie("RUNS_AS", item.uid, layout.principal(item), own)
            if common and item.kind in _SHARED:
                chosen = layout.principal(common[item.ordinal % len(common)])
                yield tie("RUNS_AS", item.uid, chosen, shared)


def shared_identities(layout: Layout) -> Iterator[Relationship]:
    """Yield which service principal a user-assigned identity is."""
    for _, items in layout.stocked():
        for item in items:
            if item.kind == "UserAssignedIdentity":
                yield layout.world.tie("IS_IDENTITY", item.uid, layout.principal(item))


def networked(layout: Layout) -> Iterator[Relationship]:
    """Yield what has an address in which subnet of its subscription's network."""
    for group, items in layout.stocked():
        subnets = [item.uid for item in layout.network(group) if item.kind == "Subnet"]
        for item in items:
            if item.kind in _IN_SUBNET:
                subnet = subnets[item.ordinal % len(subnets)]
                yield layout.world.tie("IN_SUBNET", item.uid, subnet)


def attached(layout: Layout) -> Iterator[Relationship]:
    """Yield disks and network cards of machines, and security groups of subnets."""
    for _, items in layout.stocked():
        for item in items:
            if item.kind in _ATTACHED:
                yield layout.world.tie("ATTACHED_TO", item.uid, item.parent)


def exposed(layout: Layout) -> Iterator[Relationship]:
    """Yield machines that have a public address."""
    for _, items in layout.stocked():
        for item in items:
            if item.kind == "PublicIpAddress" and item.parent:
                ports = ["tcp/3389"] if item.ordinal % 5 == 0 else ["tcp/443"]
                yield layout.world.tie("EXPOSES", item.uid, item.parent, {"ports": ports})


def logged(layout: Layout) -> Iterator[Relationship]:
    """Yield what sends its logs to the workspace of its subscription."""
    own = {"setting": "to-workspace", "categories": ["audit"], "sends_metrics": False}
    chance = layout.world.stream("logged")
    for group, items in layout.stocked():
        workspace = layout.network(group)[0].uid
        for item in items:
            if item.kind in _LOGGING and permille(chance.bits(item.ordinal), 600):
                yield layout.world.tie("SENDS_LOGS_TO", item.uid, workspace, own)
