"""What each type of Azure resource is tied to: networks, disks, secrets, logs, and its parts.

A function here yields records, and items for resources that are described within another one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from simbuilder.graph.formats.answers_apps import trust
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import Item, find, inner, items, word, words
from simbuilder.graph.records import Record, fold

Found = Iterator[Record | Item]

_P = "properties"


def _id(item: Any, path: str = "id") -> str:
    return fold(word(find(inner(item), path)))


def _attached(part: Any, uid: str, run: Run, kind: str = "ATTACHED_TO") -> Iterator[Record]:
    """Yield that the resource whose reference is `part`, if any, is attached to `uid`.

    The other end says the same where it is listed.
    """
    if _id(part):
        yield run.tie(kind, _id(part), uid, run.place, True)


# --- compute --------------------------------------------------------------------------------


def _machine(item: Item, uid: str, run: Run) -> Found:
    for each in items(find(item, f"{_P}/networkProfile/networkInterfaces")):
        yield from _attached(each, uid, run)
    disks = [find(item, f"{_P}/storageProfile/osDisk")]
    for each in (*disks, *items(find(item, f"{_P}/storageProfile/dataDisks"))):
        yield from _attached(find(inner(each), "managedDisk"), uid, run)
    if any(find(each, f"{_P}/settings") for each in items(find(item, "resources"))):
        said = f"{uid[-120:]}: settings of its extensions may hold secrets"
        yield run.remark("withheld", said)


def _scale_set(item: Item, uid: str, run: Run) -> Found:
    path = f"{_P}/virtualMachineProfile/networkProfile/networkInterfaceConfigurations"
    for card in items(find(item, path)):
        for each in items(find(card, f"{_P}/ipConfigurations")):
            subnet = _id(each, f"{_P}/subnet/id")
            if subnet:
                yield run.tie("IN_SUBNET", uid, subnet)


def _disk(item: Item, uid: str, run: Run) -> Found:
    machine = fold(word(find(item, "managedBy")))
    if machine:
        yield run.tie("ATTACHED_TO", uid, machine, run.place, True)


def _site(item: Item, uid: str, run: Run) -> Found:
    subnet = fold(word(find(item, f"{_P}/virtualNetworkSubnetId")))
    if subnet:
        yield run.tie("IN_SUBNET", uid, subnet)


def _cluster(item: Item, uid: str, run: Run) -> Found:
    group = word(find(item, f"{_P}/nodeResourceGroup"))
    if group:
        subscription = "/".join(uid.split("/")[:3])
        yield run.tie("RUNS_NODES_IN", uid, f"{subscription}/resourcegroups/{fold(group)}")
    for each in items(find(item, f"{_P}/agentPoolProfiles")):
        subnet = _id(each, "vnetSubnetID")
        if subnet:
            yield run.tie("IN_SUBNET", uid, subnet, run.place, True)
    for each in inner(find(item, f"{_P}/identityProfile")).values():
        principal = _id(each, "objectId")
        if principal:
            yield run.tie("RUNS_AS", uid, principal, identity_type="UserAssigned")


def _identity(item: Item, uid: str, run: Run) -> Found:
    principal = fold(word(find(item, f"{_P}/principalId")))
    if principal:
        yield run.tie("IS_IDENTITY", uid, principal)


def federated(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read the trust of a user-assigned identity in somebody outside."""
    owner, part = uid.rsplit("/", 2)[0], "identityCredentials"
    properties = {
        "name": find(item, "name"),
        "issuer": find(item, f"{_P}/issuer"),
        "subject": find(item, f"{_P}/subject"),
        "audiences": words(find(item, f"{_P}/audiences")),
    }
    yield run.node("FederatedCredential", uid, properties, part)
    yield run.tie("CONTAINS", owner, uid, implied=True)
    yield run.tie("HAS_CREDENTIAL", owner, uid, part)
    yield run.tie("AUTHENTICATES_TO", uid, owner, part)
    yield from trust(uid, word(properties["issuer"]).strip(), part, run)


# --- secrets, data, logs --------------------------------------------------------------------


def _vault(item: Item, uid: str, run: Run) -> Found:
    if find(item, f"{_P}/enableRbacAuthorization") is True:
        return  # then the policies do not count, whatever they say
    for policy in items(find(item, f"{_P}/accessPolicies")):
        holder = _id(policy, "objectId")
        for what in ("secrets", "keys", "certificates"):
            allowed = {each.lower() for each in words(find(policy, f"permissions/{what}"))}
            if holder and allowed & {"get", "all"}:
                yield run.tie(f"CAN_GET_{what.upper()}", holder, uid, granted_by="policy")


def diagnostic(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read where a resource sends its logs."""
    source = uid.rpartition("/providers/microsoft.insights/")[0] or run.tenant
    workspace = fold(word(find(item, f"{_P}/workspaceId")))
    if not workspace:
        yield run.remark("unknown-kind", f"{uid}: sends no logs to a workspace")
        return
    logs = [each for each in items(find(item, f"{_P}/logs")) if find(each, "enabled")]
    names = [word(find(e, "category")) or word(find(e, "categoryGroup")) for e in logs]
    metrics = any(find(each, "enabled") for each in items(find(item, f"{_P}/metrics")))
    said = {"setting": find(item, "name"), "categories": names, "sends_metrics": metrics}
    yield run.tie("SENDS_LOGS_TO", source, workspace, **said)


# --- networks -------------------------------------------------------------------------------


def _network(item: Item, uid: str, run: Run) -> Found:
    yield from items(find(item, f"{_P}/subnets"))
    for each in items(find(item, f"{_P}/virtualNetworkPeerings")):
        other = _id(each, f"{_P}/remoteVirtualNetwork/id")
        state = word(find(each, f"{_P}/peeringState"))
        if other and state in ("", "Connected"):
            yield run.tie("ROUTES_TO", uid, other, route_type="peering")


def _subnet(item: Item, uid: str, run: Run) -> Found:
    yield from _attached(find(item, f"{_P}/networkSecurityGroup"), uid, run)
    yield from _attached(find(item, f"{_P}/routeTable"), uid, run)
    yield from _attached(find(item, f"{_P}/natGateway"), uid, run)


def _security_group(item: Item, uid: str, run: Run) -> Found:
    for name in ("subnets", "networkInterfaces"):
        for each in items(find(item, f"{_P}/{name}")):
            if _id(each):
                yield run.tie("ATTACHED_TO", uid, _id(each), run.place, True)


def _card(item: Item, uid: str, run: Run) -> Found:
    subnets: dict[str, list[str]] = {}
    for each in items(find(item, f"{_P}/ipConfigurations")):
        subnet, address = _id(each, f"{_P}/subnet/id"), word(find(each, f"{_P}/privateIPAddress"))
        if subnet:
            subnets.setdefault(subnet, []).extend([address] if address else [])
        public = find(each, f"{_P}/publicIPAddress")
        yield from _attached(public, uid, run)
        if _id(public):
            yield run.tie("EXPOSES", _id(public), uid)
    for subnet, addresses in subnets.items():
        yield run.tie("IN_SUBNET", uid, subnet, private_ips=addresses)
    yield from _attached(find(item, f"{_P}/networkSecurityGroup"), uid, run)
    machine = _id(find(item, f"{_P}/virtualMachine"))
    if machine:
        yield run.tie("ATTACHED_TO", uid, machine, run.place, True)


def endpoint(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read what a private endpoint leads to."""
    subnet = _id(find(item, f"{_P}/subnet"))
    if subnet:
        yield run.tie("IN_SUBNET", uid, subnet)
    for name in ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections"):
        for each in items(find(item, f"{_P}/{name}")):
            target = _id(each, f"{_P}/privateLinkServiceId")
            if target:
                yield run.tie("ROUTES_TO", uid, target, route_type="private endpoint")


TIES: Mapping[str, Callable[[Item, str, Run], Found]] = {
    "VirtualMachine": _machine,
    "VirtualMachineScaleSet": _scale_set,
    "Disk": _disk,
    "FunctionApp": _site,
    "WebApp": _site,
    "LogicApp": _site,
    "ManagedCluster": _cluster,
    "UserAssignedIdentity": _identity,
    "KeyVault": _vault,
    "VirtualNetwork": _network,
    "Subnet": _subnet,
    "NetworkSecurityGroup": _security_group,
    "NetworkInterface": _card,
    "microsoft.network/privateendpoints": endpoint,
}
"""What ties resources, by their kind, or by type where many types share a kind."""

PARTS: Mapping[str, Callable[[Item, str, Run], Iterator[Record]]] = {
    "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials": federated,
    "microsoft.insights/diagnosticsettings": diagnostic,
}
"""What has an ARM id and is no resource, by type."""
