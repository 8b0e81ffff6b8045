"""AzureHound's elements about Azure: management groups, subscriptions, groups, resources."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from simbuilder.graph.formats.azurehound_elements import (
    DROPPED,
    WITHHELD,
    Element,
    Made,
    Rule,
    Table,
    inner,
    text,
    translated,
)
from simbuilder.graph.records import fold

MANAGEMENT_GROUP: Table = {
    "id": DROPPED,
    "tenantId": DROPPED,
    "tenantName": DROPPED,
    "type": DROPPED,
    "name": "group_id",
    "properties": {
        "displayName": "name",
        "tenantId": DROPPED,
        "details": {"parent": {"id": "parent_id"}, "updatedTime": "updated"},
    },
}
SUBSCRIPTION: Table = {
    "id": DROPPED,
    "tenantId": DROPPED,
    "displayName": "name",
    "subscriptionId": "subscription_id",
    "authorizationSource": "authorization_source",
    "subscriptionPolicies": {"quotaId": "quota_id", "spendingLimit": "spending_limit"},
}
COMMON: Table = {
    "id": DROPPED,
    "tenantId": DROPPED,
    "subscriptionId": DROPPED,
    "resourceGroup": DROPPED,
    "resourceGroupId": DROPPED,
    "resourceGroupName": DROPPED,
    "storageAccountId": DROPPED,
    "identity": DROPPED,
    "type": "resource_type",
    "kind": "resource_kind",
    "managedBy": "managed_by",
    "sku": {"name": "sku"},
}
STATE: Table = {"provisioningState": "provisioning_state"}
MACHINE: Table = STATE | {
    "vmId": "vm_id",
    "timeCreated": "created",
    "securityProfile": {
        "encryptionAtHost": "encryption_at_host",
        "uefiSettings": {"secureBootEnabled": "secure_boot"},
    },
    "storageProfile": {"osDisk": {"osType": "operating_system"}},
    "osProfile": {
        "computerName": "computer_name",
        "adminUsername": "admin_user_name",
        "adminPassword": WITHHELD,
        "customData": WITHHELD,
        "secrets": WITHHELD,
        "linuxConfiguration": {"disablePasswordAuthentication": "password_auth_disabled"},
    },
    "userData": WITHHELD,
}
SITE: Table = {
    "state": "state",
    "hostNames": "host_names",
    "httpsOnly": "https_only",
    "clientCertEnabled": "client_cert_enabled",
    "publicNetworkAccess": "public_network_access",
    "kind": DROPPED,
    "name": DROPPED,
    "siteConfig": {
        "appSettings": WITHHELD,
        "connectionStrings": WITHHELD,
        "machineKey": WITHHELD,
        "azureStorageAccounts": WITHHELD,
        "publishingPassword": WITHHELD,
        "minTlsVersion": "min_tls_version",
        "remoteDebuggingEnabled": "remote_debugging_enabled",
    },
}
VAULT: Table = STATE | {
    "tenantId": DROPPED,
    "vaultUri": "vault_uri",
    "enableRbacAuthorization": "rbac_authorization",
    "enableSoftDelete": "soft_delete",
    "softDeleteRetentionInDays": "soft_delete_retention",
    "enablePurgeProtection": "purge_protection",
    "accessPolicies": "access_policies",
    "publicNetworkAccess": "public_network_access",
    "networkAcls": {"defaultAction": "firewall_default"},
    "sku": {"name": "sku"},
}
STORAGE: Table = STATE | {
    "accessTier": "access_tier",
    "creationTime": "created",
    "supportsHttpsTrafficOnly": "https_only",
    "minimumTlsVersion": "min_tls_version",
    "allowBlobPublicAccess": "blob_public_access",
    "allowSharedKeyAccess": "shared_key_access",
    "allowCrossTenantReplication": "cross_tenant_replication",
    "isHnsEnabled": "hierarchical_namespace",
    "publicNetworkAccess": "public_network_access",
    "networkAcls": {"defaultAction": "firewall_default"},
    "primaryEndpoints": {"blob": "blob_endpoint"},
}
CONTAINER: Table = {
    "publicAccess": "public_access",
    "hasImmutabilityPolicy": "has_immutability_policy",
    "hasLegalHold": "has_legal_hold",
    "lastModifiedTime": "updated",
    "metadata": WITHHELD,
}
WORKFLOW: Table = STATE | {
    "state": "state",
    "accessEndpoint": "access_endpoint",
    "createdTime": "created",
    "changedTime": "updated",
    "definition": WITHHELD,
    "parameters": WITHHELD,
}
AUTOMATION: Table = {
    "state": "state",
    "creationTime": "created",
    "lastModifiedTime": "updated",
    "disableLocalAuth": "local_auth_disabled",
    "publicNetworkAccess": "public_network_access",
    "sku": {"name": "sku"},
}
CLUSTER: Table = STATE | {
    "nodeResourceGroup": DROPPED,
    "kubernetesVersion": "kubernetes_version",
    "fqdn": "fqdn",
    "disableLocalAccounts": "local_auth_disabled",
}
REGISTRY: Table = STATE | {
    "loginServer": "login_server",
    "adminUserEnabled": "admin_user_enabled",
    "anonymousPullEnabled": "anonymous_pull_enabled",
    "publicNetworkAccess": "public_network_access",
}
FALSE: Mapping[str, tuple[str, ...]] = {
    "AZKeyVault": ("rbac_authorization", "purge_protection"),
    "AZStorageContainer": ("has_immutability_policy", "has_legal_hold"),
}
"""What AzureHound reads of every such resource, and leaves out where it is false."""


# --- scopes ---------------------------------------------------------------------------------


def management_group(element: Element) -> Iterator[Made]:
    """Yield a management group; what contains it, `AZManagementGroupDescendant` says."""
    data = element.data
    uid = text(data, "id")
    if not uid:
        yield element.bad("has no id")
        return
    properties = translated(data, MANAGEMENT_GROUP)[0]
    properties.setdefault("name", text(data, "name") or None)
    root = fold(text(data, "name")) == fold(element.tenant)
    yield element.node("ManagementGroup", uid, {**properties, "is_root": root})
    parent = text(properties, "parent_id")
    if parent:
        element.shared.children.add(element.uid(uid))
        yield element.tie("CONTAINS", parent, uid, implied=True)
    else:
        element.shared.tops.append(element.contained(uid))


def descendant(element: Element) -> Iterator[Made]:
    """Yield what a management group contains."""
    uid = text(element.data, "id")
    parent = text(inner(inner(element.data, "properties"), "parent"), "id")
    if not uid or not parent:
        yield element.bad("has no id, or no parent")
        return
    element.shared.children.add(element.uid(uid))
    yield element.tie("CONTAINS", parent, uid, implied=True)


def subscription(element: Element) -> Iterator[Made]:
    """Yield a subscription."""
    data = element.data
    guid = text(data, "subscriptionId") or text(data, "id").rpartition("/")[2]
    if not guid:
        yield element.bad("has no subscriptionId")
        return
    uid = f"/subscriptions/{guid.rpartition('/')[2]}"
    yield element.node("Subscription", uid, translated(data, SUBSCRIPTION)[0])
    element.shared.tops.append(element.contained(uid))


def resource_group(element: Element) -> Iterator[Made]:
    """Yield a resource group, and that its subscription contains it."""
    uid = text(element.data, "id")
    place = _place(uid)
    if not place:
        yield element.bad("its id is none of a resource group")
        return
    table = COMMON | {"type": DROPPED, "properties": STATE}
    own = translated(element.data, table)[0] | {"subscription_id": place[0]}
    yield element.node("ResourceGroup", uid, own)
    yield element.tie("CONTAINS", f"/subscriptions/{place[0]}", uid, implied=True)


# --- resources ------------------------------------------------------------------------------


def resource(kind: str, table: Table, element: Element) -> Iterator[Made]:
    """Yield a resource, what contains it, and the identities that it runs as."""
    data = element.data
    uid = text(data, "id")
    place = _place(uid)
    if not place:
        yield element.bad("its id is none of a resource")
        return
    properties, withheld = translated(data, COMMON | {"properties": table, "resources": WITHHELD})
    properties["subscription_id"], properties["resource_group"] = place
    properties.setdefault("resource_type", _type(uid))
    for name in FALSE.get(element.kind, ()):
        properties.setdefault(name, False)
    identity = inner(data, "identity")
    properties |= _identity(identity)
    if kind == "ManagedCluster":
        properties |= _nodes(data, place)
    yield element.node(kind, uid, properties)
    yield from element.withheld(uid, withheld)
    group = f"/subscriptions/{place[0]}/resourcegroups/{place[1]}"
    above = text(data, "storageAccountId") if kind == "StorageContainer" else group
    yield element.tie("CONTAINS", above or group, uid, implied=True)
    yield from _runs_as(element, uid, identity)
    nodes = properties.get("node_resource_group")
    if nodes:
        yield element.tie("RUNS_NODES_IN", uid, nodes)


def _place(uid: str) -> tuple[str, str] | None:
    """Return the subscription and the resource group that an ARM id is in."""
    parts = fold(uid).split("/")
    if len(parts) < 5 or parts[1] != "subscriptions" or parts[3] != "resourcegroups":
        return None
    return parts[2], parts[4]


def _type(uid: str) -> str | None:
    """Return the type of a resource as its ARM id says it."""
    provider, *rest = fold(uid).rpartition("/providers/")[2].split("/")
    return "/".join((provider, *rest[::2])) if rest else None


def _identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    principal = fold(text(identity, "principalId"))
    said = {
        "identity_type": text(identity, "type"),
        "identity_principal_id": principal,
        "identity_ids": sorted(fold(each) for each in inner(identity, "userAssignedIdentities")),
    }
    return {name: value for name, value in said.items() if value}


def _runs_as(element: Element, uid: str, identity: Mapping[str, Any]) -> Iterator[Made]:
    own = text(identity, "principalId")
    if own:
        yield element.tie("RUNS_AS", uid, own, {"identity_type": "SystemAssigned"})
    for arm_id, each in inner(identity, "userAssignedIdentities").items():
        principal = text(each, "principalId") if isinstance(each, dict) else ""
        if principal:
            yield element.tie("RUNS_AS", uid, principal, {"identity_type": "UserAssigned"})
        else:
            yield element.bad(f"identity {arm_id:.200} has no principalId")


def _nodes(data: Mapping[str, Any], place: tuple[str, str]) -> dict[str, Any]:
    name = fold(text(inner(data, "properties"), "nodeResourceGroup"))
    if not name:
        return {}
    group = f"/subscriptions/{place[0]}/resourcegroups/{name.rpartition('/')[2]}"
    return {"node_resource_group": group}


_RESOURCES: Mapping[str, tuple[str, Table]] = {
    "AZVM": ("VirtualMachine", MACHINE),
    "AZVMScaleSet": ("VirtualMachineScaleSet", STATE),
    "AZKeyVault": ("KeyVault", VAULT),
    "AZStorageAccount": ("StorageAccount", STORAGE),
    "AZStorageContainer": ("StorageContainer", CONTAINER),
    "AZFunctionApp": ("FunctionApp", SITE),
    "AZWebApp": ("WebApp", SITE),
    "AZLogicApp": ("LogicApp", WORKFLOW),
    "AZAutomationAccount": ("AutomationAccount", AUTOMATION),
    "AZContainerRegistry": ("ContainerRegistry", REGISTRY),
    "AZManagedCluster": ("ManagedCluster", CLUSTER),
}

RULES: Mapping[str, Rule] = {
    "AZManagementGroup": Rule("managementGroups", management_group),
    "AZManagementGroupDescendant": Rule("managementGroupDescendants", descendant),
    "AZSubscription": Rule("subscriptions", subscription),
    "AZResourceGroup": Rule("resourceGroups", resource_group),
    **{
        name: Rule("resources", partial(resource, kind, table))
        for name, (kind, table) in _RESOURCES.items()
    },
}
