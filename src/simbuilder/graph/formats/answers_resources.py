"""Tables of what each type of Azure resource says of itself, and where its answers hold it."""

from collections.abc import Callable, Mapping
from typing import Any

from simbuilder.graph.formats.answers_values import (
    Item,
    Reading,
    find,
    folded,
    items,
    word,
    words,
)
from simbuilder.graph.records import fold

SITE = "microsoft.web/sites"

KINDS: Mapping[str, str] = {
    "microsoft.compute/virtualmachines": "VirtualMachine",
    "microsoft.compute/virtualmachinescalesets": "VirtualMachineScaleSet",
    "microsoft.compute/disks": "Disk",
    "microsoft.logic/workflows": "LogicApp",
    "microsoft.automation/automationaccounts": "AutomationAccount",
    "microsoft.containerservice/managedclusters": "ManagedCluster",
    "microsoft.containerregistry/registries": "ContainerRegistry",
    "microsoft.managedidentity/userassignedidentities": "UserAssignedIdentity",
    "microsoft.keyvault/vaults": "KeyVault",
    "microsoft.storage/storageaccounts": "StorageAccount",
    "microsoft.storage/storageaccounts/blobservices/containers": "StorageContainer",
    "microsoft.documentdb/databaseaccounts": "CosmosAccount",
    "microsoft.sql/servers": "SqlServer",
    "microsoft.sql/servers/databases": "SqlDatabase",
    "microsoft.operationalinsights/workspaces": "LogAnalyticsWorkspace",
    "microsoft.network/virtualnetworks": "VirtualNetwork",
    "microsoft.network/virtualnetworks/subnets": "Subnet",
    "microsoft.network/networksecuritygroups": "NetworkSecurityGroup",
    "microsoft.network/networkinterfaces": "NetworkInterface",
    "microsoft.network/publicipaddresses": "PublicIpAddress",
}
"""Kinds of node by ARM type; sites are two kinds, any other type is `AzureResource`."""


def kind_of_site(item: Item) -> str:
    """Return the kind of a site: `kind` lists `functionapp` among other words."""
    kinds = word(item.get("kind")).lower().split(",")
    if "workflowapp" in kinds:
        return "LogicApp"
    return "FunctionApp" if "functionapp" in kinds else "WebApp"


# --- what is made of a value ----------------------------------------------------------------


def named(name: str) -> Callable[[Any], Any]:
    """Return a maker of the list of what each item holds under a name."""

    def make(value: Any) -> Any:
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            return value
        return [word(find(each, name)) for each in value]

    return make


def names_of(value: Any) -> Any:
    """Return the names of what an object holds, folded where they are ARM ids."""
    if not isinstance(value, dict):
        return value
    return sorted(fold(name) if name.startswith("/") else name for name in value)


def _image(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    parts = [word(find(value, name)) for name in ("publisher", "offer", "sku", "version")]
    return ":".join(parts) if all(parts) else find(value, "id")


def _power(value: Any) -> Any:
    codes = [word(find(each, "code")) for each in items(value)]
    found = [code.partition("/")[2] for code in codes if code.startswith("PowerState/")]
    return found[0] if found else None


def _opened(value: Any) -> Any:
    """Return what others call Enabled or Disabled, where it is true or false."""
    return ("Enabled" if value else "Disabled") if isinstance(value, bool) else value


def _ftp(value: Any) -> Any:
    return value == "AllAllowed" if isinstance(value, str) else value


# --- tables ---------------------------------------------------------------------------------

_P = "properties"
_ACLS = f"{_P}/networkAcls"

_MACHINE: Mapping[str, Reading] = {
    "operating_system": f"{_P}/storageProfile/osDisk/osType",
    "image": (f"{_P}/storageProfile/imageReference", _image),
    "computer_name": f"{_P}/osProfile/computerName",
    "admin_user_name": f"{_P}/osProfile/adminUsername",
    "password_auth_disabled": f"{_P}/osProfile/linuxConfiguration/disablePasswordAuthentication",
    "encryption_at_host": f"{_P}/securityProfile/encryptionAtHost",
    "secure_boot": f"{_P}/securityProfile/uefiSettings/secureBootEnabled",
}
_IN_SET = f"{_P}/virtualMachineProfile"
_SITE: Mapping[str, Reading] = {
    "public_network_access": f"{_P}/publicNetworkAccess",
    "min_tls_version": f"{_P}/siteConfig/minTlsVersion",
    "host_names": f"{_P}/hostNames",
    "state": f"{_P}/state",
    "runtime": f"{_P}/siteConfig/linuxFxVersion",
    "https_only": f"{_P}/httpsOnly",
    "ftp_enabled": (f"{_P}/siteConfig/ftpsState", _ftp),
    "remote_debugging_enabled": f"{_P}/siteConfig/remoteDebuggingEnabled",
    "client_cert_enabled": f"{_P}/clientCertEnabled",
}
_FIREWALL: Mapping[str, Reading] = {
    "public_network_access": f"{_P}/publicNetworkAccess",
    "firewall_default": f"{_ACLS}/defaultAction",
    "ip_ranges": (f"{_ACLS}/ipRules", named("value")),
}

TABLES: Mapping[str, Mapping[str, Reading]] = {
    "VirtualMachine": {
        **_MACHINE,
        "sku": f"{_P}/hardwareProfile/vmSize",
        "vm_id": f"{_P}/vmId",
        "power_state": (f"{_P}/instanceView/statuses", _power),
        "extensions": ("resources", named("name")),
    },
    "VirtualMachineScaleSet": {
        "capacity": "sku/capacity",
        "orchestration_mode": f"{_P}/orchestrationMode",
        "operating_system": f"{_IN_SET}/storageProfile/osDisk/osType",
        "image": (f"{_IN_SET}/storageProfile/imageReference", _image),
        "computer_name": f"{_IN_SET}/osProfile/computerNamePrefix",
        "admin_user_name": f"{_IN_SET}/osProfile/adminUsername",
        "extensions": (f"{_IN_SET}/extensionProfile/extensions", named("name")),
    },
    "Disk": {
        "public_network_access": f"{_P}/publicNetworkAccess",
        "disk_size": f"{_P}/diskSizeGB",
        "disk_state": f"{_P}/diskState",
        "encryption_type": f"{_P}/encryption/type",
        "network_access_policy": f"{_P}/networkAccessPolicy",
    },
    "FunctionApp": _SITE,
    "WebApp": _SITE,
    "LogicApp": {
        "state": f"{_P}/state",
        "access_endpoint": f"{_P}/accessEndpoint",
        "triggers": (f"{_P}/definition/triggers", names_of),
        "connections": (f"{_P}/parameters/$connections/value", names_of),
    },
    "AutomationAccount": {
        "public_network_access": (f"{_P}/publicNetworkAccess", _opened),
        "local_auth_disabled": f"{_P}/disableLocalAuth",
        "state": f"{_P}/state",
    },
    "ManagedCluster": {
        "local_auth_disabled": f"{_P}/disableLocalAccounts",
        "ip_ranges": f"{_P}/apiServerAccessProfile/authorizedIPRanges",
        "kubernetes_version": f"{_P}/kubernetesVersion",
        "fqdn": f"{_P}/fqdn",
        "oidc_issuer": f"{_P}/oidcIssuerProfile/issuerURL",
        "is_private": f"{_P}/apiServerAccessProfile/enablePrivateCluster",
        "azure_rbac_enabled": f"{_P}/aadProfile/enableAzureRBAC",
        "workload_identity_enabled": f"{_P}/securityProfile/workloadIdentity/enabled",
        "network_policy": f"{_P}/networkProfile/networkPolicy",
    },
    "ContainerRegistry": {
        "public_network_access": f"{_P}/publicNetworkAccess",
        "firewall_default": f"{_P}/networkRuleSet/defaultAction",
        "login_server": f"{_P}/loginServer",
        "admin_user_enabled": f"{_P}/adminUserEnabled",
        "anonymous_pull_enabled": f"{_P}/anonymousPullEnabled",
    },
    "UserAssignedIdentity": {
        "client_id": (f"{_P}/clientId", folded),
        "principal_id": (f"{_P}/principalId", folded),
    },
    "KeyVault": {
        **_FIREWALL,
        "sku": f"{_P}/sku/name",
        "vault_uri": f"{_P}/vaultUri",
        "rbac_authorization": f"{_P}/enableRbacAuthorization",
        "soft_delete": f"{_P}/enableSoftDelete",
        "soft_delete_retention": f"{_P}/softDeleteRetentionInDays",
        "purge_protection": f"{_P}/enablePurgeProtection",
        "access_policies": f"{_P}/accessPolicies",
    },
    "StorageAccount": {
        **_FIREWALL,
        "min_tls_version": f"{_P}/minimumTlsVersion",
        "access_tier": f"{_P}/accessTier",
        "https_only": f"{_P}/supportsHttpsTrafficOnly",
        "blob_public_access": f"{_P}/allowBlobPublicAccess",
        "shared_key_access": f"{_P}/allowSharedKeyAccess",
        "hierarchical_namespace": f"{_P}/isHnsEnabled",
        "cross_tenant_replication": f"{_P}/allowCrossTenantReplication",
        "blob_endpoint": f"{_P}/primaryEndpoints/blob",
        "keys_rotated": f"{_P}/keyCreationTime/key1",
    },
    "StorageContainer": {
        "public_access": f"{_P}/publicAccess",
        "has_immutability_policy": f"{_P}/hasImmutabilityPolicy",
        "has_legal_hold": f"{_P}/hasLegalHold",
    },
    "CosmosAccount": {
        "public_network_access": f"{_P}/publicNetworkAccess",
        "local_auth_disabled": f"{_P}/disableLocalAuth",
        "ip_ranges": (f"{_P}/ipRules", named("ipAddressOrRange")),
        "min_tls_version": f"{_P}/minimalTlsVersion",
        "endpoint": f"{_P}/documentEndpoint",
        "capabilities": (f"{_P}/capabilities", named("name")),
        "key_metadata_writes_disabled": f"{_P}/disableKeyBasedMetadataWriteAccess",
    },
    "SqlServer": {
        "public_network_access": f"{_P}/publicNetworkAccess",
        "min_tls_version": f"{_P}/minimalTlsVersion",
        "local_auth_disabled": f"{_P}/administrators/azureADOnlyAuthentication",
        "fqdn": f"{_P}/fullyQualifiedDomainName",
        "admin_user_name": f"{_P}/administratorLogin",
        "entra_admin_id": (f"{_P}/administrators/sid", folded),
    },
    "SqlDatabase": {
        "max_size": f"{_P}/maxSizeBytes",
        "collation": f"{_P}/collation",
        "status": f"{_P}/status",
    },
    "LogAnalyticsWorkspace": {
        "local_auth_disabled": f"{_P}/features/disableLocalAuth",
        "workspace_id": f"{_P}/customerId",
        "retention": f"{_P}/retentionInDays",
        "daily_quota": f"{_P}/workspaceCapping/dailyQuotaGb",
        "resource_permissions": f"{_P}/features/enableLogAccessUsingOnlyResourcePermissions",
    },
    "VirtualNetwork": {
        "address_prefixes": f"{_P}/addressSpace/addressPrefixes",
        "dns_servers": f"{_P}/dhcpOptions/dnsServers",
        "ddos_protection": f"{_P}/enableDdosProtection",
    },
    "Subnet": {
        "service_endpoints": (f"{_P}/serviceEndpoints", named("service")),
        "delegations": (f"{_P}/delegations", named("properties/serviceName")),
        "default_outbound": f"{_P}/defaultOutboundAccess",
    },
    "NetworkSecurityGroup": {
        "rules": f"{_P}/securityRules",
    },
    "NetworkInterface": {
        "mac_address": f"{_P}/macAddress",
        "ip_forwarding": f"{_P}/enableIPForwarding",
        "accelerated_networking": f"{_P}/enableAcceleratedNetworking",
    },
    "PublicIpAddress": {
        "ip_address": f"{_P}/ipAddress",
        "allocation": f"{_P}/publicIPAllocationMethod",
        "fqdn": f"{_P}/dnsSettings/fqdn",
    },
}


# --- what takes more than a place -----------------------------------------------------------

_INTERNET = ("*", "0.0.0.0/0", "internet", "any")


def computed(kind: str, item: Item) -> Item:
    """Return the properties of a kind that several fields make together."""
    make = _COMPUTED.get(kind)
    return {name: value for name, value in make(item).items() if value} if make else {}


def _subnet(item: Item) -> Item:
    one = word(find(item, f"{_P}/addressPrefix"))
    return {"address_prefixes": words(find(item, f"{_P}/addressPrefixes")) or words(one or None)}


def _security_group(item: Item) -> Item:
    """Return what its own rules let in; a later rule cannot close what an earlier one opened."""
    opened = [
        f"{word(find(rule, f'{_P}/protocol')).lower()}/{port}"
        for rule in items(find(item, f"{_P}/securityRules"))
        if _lets_in(rule)
        for port in _both(rule, "destinationPortRange")
    ]
    return {"inbound_from_internet": sorted(set(opened))}


def _lets_in(rule: Item) -> bool:
    inbound = word(find(rule, f"{_P}/direction")).lower() == "inbound"
    allowed = word(find(rule, f"{_P}/access")).lower() == "allow"
    froms = [each.lower() for each in _both(rule, "sourceAddressPrefix")]
    return inbound and allowed and any(each in _INTERNET for each in froms)


def _both(rule: Item, name: str) -> list[str]:
    """Return what a rule says once, and what it lists: it has a field for each."""
    return (
        words(find(rule, f"{_P}/{name}"))
        + words(find(rule, f"{_P}/{name}s"))
        + words(find(rule, f"{_P}/{name}es"))
    )


def _card(item: Item) -> Item:
    addresses = [
        word(find(each, f"{_P}/privateIPAddress"))
        for each in items(find(item, f"{_P}/ipConfigurations"))
    ]
    return {"private_ips": [each for each in addresses if each]}


def _cluster(item: Item) -> Item:
    group, uid = word(find(item, f"{_P}/nodeResourceGroup")), fold(word(item.get("id")))
    above = "/".join(uid.split("/")[:3])
    return {"node_resource_group": f"{above}/resourcegroups/{fold(group)}" if group else ""}


_COMPUTED: Mapping[str, Callable[[Item], Item]] = {
    "Subnet": _subnet,
    "NetworkSecurityGroup": _security_group,
    "NetworkInterface": _card,
    "ManagedCluster": _cluster,
}
