"""Kinds of node of Azure: scopes, and the resources that matter most for security."""

from simbuilder.graph.model.words import (
    ARM,
    ARM_ID,
    CLOUD,
    CREATED,
    NAME,
    PLATFORM,
    RESOURCE,
    TAGS,
    UPDATED,
    count,
    flag,
    text,
    texts,
)
from simbuilder.graph.schema import NodeKind, Property

LOCATION = text("location", "Region")
SUBSCRIPTION_ID = text("subscription_id", "GUID of its subscription")
STATE = text("provisioning_state", "Succeeded, Failed, Updating, ...")
COMMON = (
    NAME,
    text("resource_type", "Type, lower-case, such as microsoft.keyvault/vaults", ARM),
    LOCATION,
    SUBSCRIPTION_ID,
    text("resource_group", "Name of its resource group, lower-case"),
    text("sku", "Size or tier"),
    text("resource_kind", "What variant of its type it is"),
    text("managed_by", "ARM id of the resource that manages it"),
    text("identity_type", "None, SystemAssigned, UserAssigned or both"),
    text("identity_principal_id", "Object id of its system-assigned identity"),
    texts("identity_ids", "ARM ids of its user-assigned identities"),
    STATE,
    TAGS,
    CREATED,
    UPDATED,
)
PUBLIC = text("public_network_access", "Enabled, Disabled or SecuredByPerimeter")
TLS = text("min_tls_version", "Oldest TLS that it takes")
FIREWALL = text("firewall_default", "Allow or Deny: what becomes of other networks")
RANGES = texts("ip_ranges", "Address ranges, CIDR")
LOCAL_AUTH = flag("local_auth_disabled", "Whether keys and passwords of its own are refused")
SITE = (
    PUBLIC,
    TLS,
    texts("host_names", "Host names"),
    text("state", "Running or Stopped"),
    text("runtime", "Language and version"),
    flag("https_only", "Whether plain HTTP is refused"),
    flag("ftp_enabled", "Whether files can be put there by FTP"),
    flag("basic_auth_enabled", "Whether deployment takes a password"),
    flag("platform_auth_enabled", "Whether the platform signs users in"),
    flag("remote_debugging_enabled", "Whether it can be debugged from afar"),
    flag("client_cert_enabled", "Whether clients need a certificate"),
)
MACHINE = (
    text("operating_system", "Linux or Windows", f"{ARM} Microsoft.Compute"),
    text("image", "Publisher, offer, SKU and version of its image"),
    text("computer_name", "Host name"),
    text("admin_user_name", "Name of the first administrator"),
    flag("password_auth_disabled", "Whether SSH takes keys only"),
    flag("encryption_at_host", "Whether its host encrypts its disks"),
    flag("secure_boot", "Whether secure boot is on"),
    texts("extensions", "Extensions installed, such as AADSSHLoginForLinux"),
)


def resource(
    name: str, provider: str, about: str, *more: Property, bloodhound: str = "", label: str = ""
) -> NodeKind:
    """Declare a kind of resource: what all have, and `more`; `label` is Cartography's."""
    return NodeKind(
        name,
        PLATFORM,
        "resources",
        f"{about.rstrip('.')}: `{provider}`." if provider else about,
        ARM_ID,
        also=(RESOURCE, CLOUD) if bloodhound else (RESOURCE,),
        bloodhound=(bloodhound,) if bloodhound else (),
        cartography=(label,) if label else (),
        properties=(*COMMON, *more),
    )


SCOPES = (
    NodeKind(
        "ManagementGroup",
        PLATFORM,
        "managementGroups",
        "A group of subscriptions and of other management groups.",
        ARM_ID,
        also=(CLOUD,),
        bloodhound=("AZManagementGroup",),
        cartography=("AzureManagementGroup",),
        properties=(
            NAME,
            text("group_id", "Its short name", f"{ARM} Microsoft.Management"),
            text("parent_id", "ARM id of the group above it; absent for the root"),
            flag("is_root", "Whether it is the root of the tenant"),
            UPDATED,
        ),
    ),
    NodeKind(
        "Subscription",
        PLATFORM,
        "subscriptions",
        "A subscription: what is billed together, and a scope of roles.",
        ARM_ID,
        also=(CLOUD,),
        bloodhound=("AZSubscription",),
        cartography=("AzureSubscription",),
        properties=(
            NAME,
            SUBSCRIPTION_ID,
            text("state", "Enabled, Warned, PastDue, Disabled or Deleted", ARM),
            text("quota_id", "Offer that it was made under"),
            text("spending_limit", "On, Off or CurrentPeriodOff"),
            text("authorization_source", "RoleBased, Legacy, ..."),
            texts("managed_by_tenants", "Tenants that manage it too"),
            TAGS,
        ),
    ),
    NodeKind(
        "ResourceGroup",
        PLATFORM,
        "resourceGroups",
        "A group of resources that live and die together.",
        ARM_ID,
        also=(CLOUD,),
        bloodhound=("AZResourceGroup",),
        cartography=("AzureResourceGroup",),
        properties=(
            NAME,
            LOCATION,
            SUBSCRIPTION_ID,
            text("managed_by", "ARM id of the resource that manages it"),
            STATE,
            TAGS,
        ),
    ),
)

COMPUTE = (
    resource(
        "VirtualMachine",
        "Microsoft.Compute/virtualMachines",
        "A virtual machine.",
        *MACHINE,
        text("vm_id", "Id that the machine itself knows"),
        text("power_state", "running, deallocated, ..."),
        bloodhound="AZVM",
        label="AzureVirtualMachine",
    ),
    resource(
        "VirtualMachineScaleSet",
        "Microsoft.Compute/virtualMachineScaleSets",
        "Machines made alike.",
        *MACHINE,
        count("capacity", "How many machines it should have", "machines"),
        text("orchestration_mode", "Uniform or Flexible"),
        bloodhound="AZVMScaleSet",
    ),
    resource(
        "Disk",
        "Microsoft.Compute/disks",
        "A disk.",
        PUBLIC,
        count("disk_size", "Size", "GiB"),
        text("disk_state", "Attached, Unattached, Reserved, ..."),
        text("encryption_type", "With whose key it is encrypted"),
        text("network_access_policy", "AllowAll, AllowPrivate or DenyAll: who may export it"),
        label="AzureDisk",
    ),
    resource(
        "FunctionApp",
        "Microsoft.Web/sites",
        "A function app.",
        *SITE,
        bloodhound="AZFunctionApp",
        label="AzureFunctionApp",
    ),
    resource(
        "WebApp",
        "Microsoft.Web/sites",
        "A web app.",
        *SITE,
        bloodhound="AZWebApp",
        label="AzureAppService",
    ),
    resource(
        "LogicApp",
        "Microsoft.Logic/workflows",
        "A workflow.",
        text("state", "Enabled, Disabled, Suspended, ..."),
        text("access_endpoint", "Where it is called"),
        texts("triggers", "Kinds of what starts it"),
        texts("connections", "Connections to other services that it uses"),
        RANGES,
        bloodhound="AZLogicApp",
        label="AzureLogicApp",
    ),
    resource(
        "AutomationAccount",
        "Microsoft.Automation/automationAccounts",
        "Runbooks, and what they run with.",
        PUBLIC,
        LOCAL_AUTH,
        text("state", "Ok, Unavailable or Suspended"),
        count("runbook_count", "Runbooks", "runbooks"),
        count("hybrid_worker_count", "Machines outside that run them", "machines"),
        bloodhound="AZAutomationAccount",
    ),
    resource(
        "ManagedCluster",
        "Microsoft.ContainerService/managedClusters",
        "A Kubernetes cluster.",
        LOCAL_AUTH,
        RANGES,
        text("kubernetes_version", "Version of Kubernetes"),
        text("node_resource_group", "ARM id of the resource group of its nodes"),
        text("fqdn", "Host name of its API server"),
        text("oidc_issuer", "Issuer of its workloads' tokens"),
        flag("is_private", "Whether its API server has no public address"),
        flag("azure_rbac_enabled", "Whether Azure roles count inside"),
        flag("workload_identity_enabled", "Whether pods can sign in as identities"),
        text("network_policy", "What limits traffic between pods"),
        bloodhound="AZManagedCluster",
        label="AzureKubernetesCluster",
    ),
    resource(
        "ContainerRegistry",
        "Microsoft.ContainerRegistry/registries",
        "A registry of container images.",
        PUBLIC,
        FIREWALL,
        text("login_server", "Host name"),
        flag("admin_user_enabled", "Whether it has a password for everything"),
        flag("anonymous_pull_enabled", "Whether anybody may pull"),
        bloodhound="AZContainerRegistry",
    ),
    resource(
        "UserAssignedIdentity",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "An identity that resources share.",
        text("client_id", "Client id of that service principal"),
        text("principal_id", "Object id of the service principal that it is"),
    ),
)

NODES = (*SCOPES, *COMPUTE)
