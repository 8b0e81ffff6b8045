# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of nodes of the family platform."""

from simbuilder.graph.rows.base import NodeRow, ResourceRow


class ManagementGroupRow(NodeRow, total=False):
    """A group of subscriptions and of other management groups."""

    group_id: str
    parent_id: str
    is_root: bool
    updated: str


class SubscriptionRow(NodeRow, total=False):
    """A subscription: what is billed together, and a scope of roles."""

    subscription_id: str
    state: str
    quota_id: str
    spending_limit: str
    authorization_source: str
    managed_by_tenants: list[str]
    tags: str


class ResourceGroupRow(NodeRow, total=False):
    """A group of resources that live and die together."""

    location: str
    subscription_id: str
    managed_by: str
    provisioning_state: str
    tags: str


class VirtualMachineRow(ResourceRow, total=False):
    """A virtual machine: `Microsoft.Compute/virtualMachines`."""

    operating_system: str
    image: str
    computer_name: str
    admin_user_name: str
    password_auth_disabled: bool
    encryption_at_host: bool
    secure_boot: bool
    extensions: list[str]
    vm_id: str
    power_state: str


class VirtualMachineScaleSetRow(ResourceRow, total=False):
    """Machines made alike: `Microsoft.Compute/virtualMachineScaleSets`."""

    operating_system: str
    image: str
    computer_name: str
    admin_user_name: str
    password_auth_disabled: bool
    encryption_at_host: bool
    secure_boot: bool
    extensions: list[str]
    capacity: int
    orchestration_mode: str


class DiskRow(ResourceRow, total=False):
    """A disk: `Microsoft.Compute/disks`."""

    public_network_access: str
    disk_size: int
    disk_state: str
    encryption_type: str
    network_access_policy: str


class FunctionAppRow(ResourceRow, total=False):
    """A function app: `Microsoft.Web/sites`."""

    public_network_access: str
    min_tls_version: str
    host_names: list[str]
    state: str
    runtime: str
    https_only: bool
    ftp_enabled: bool
    basic_auth_enabled: bool
    platform_auth_enabled: bool
    remote_debugging_enabled: bool
    client_cert_enabled: bool


class WebAppRow(ResourceRow, total=False):
    """A web app: `Microsoft.Web/sites`."""

    public_network_access: str
    min_tls_version: str
    host_names: list[str]
    state: str
    runtime: str
    https_only: bool
    ftp_enabled: bool
    basic_auth_enabled: bool
    platform_auth_enabled: bool
    remote_debugging_enabled: bool
    client_cert_enabled: bool


class LogicAppRow(ResourceRow, total=False):
    """A workflow: `Microsoft.Logic/workflows`."""

    state: str
    access_endpoint: str
    triggers: list[str]
    connections: list[str]
    ip_ranges: list[str]


class AutomationAccountRow(ResourceRow, total=False):
    """Runbooks, and what they run with: `Microsoft.Automation/automationAccounts`."""

    public_network_access: str
    local_auth_disabled: bool
    state: str
    runbook_count: int
    hybrid_worker_count: int


class ManagedClusterRow(ResourceRow, total=False):
    """A Kubernetes cluster: `Microsoft.ContainerService/managedClusters`."""

    local_auth_disabled: bool
    ip_ranges: list[str]
    kubernetes_version: str
    node_resource_group: str
    fqdn: str
    oidc_issuer: str
    is_private: bool
    azure_rbac_enabled: bool
    workload_identity_enabled: bool
    network_policy: str


class ContainerRegistryRow(ResourceRow, total=False):
    """A registry of container images: `Microsoft.ContainerRegistry/registries`."""

    public_network_access: str
    firewall_default: str
    login_server: str
    admin_user_enabled: bool
    anonymous_pull_enabled: bool


class UserAssignedIdentityRow(ResourceRow, total=False):
    """An identity that resources share: `Microsoft.ManagedIdentity/userAssignedIdentities`."""

    client_id: str
    principal_id: str


class KeyVaultRow(ResourceRow, total=False):
    """Keeps secrets, keys and certificates: `Microsoft.KeyVault/vaults`."""

    public_network_access: str
    firewall_default: str
    ip_ranges: list[str]
    vault_uri: str
    rbac_authorization: bool
    soft_delete: bool
    soft_delete_retention: int
    purge_protection: bool
    access_policies: str


class StorageAccountRow(ResourceRow, total=False):
    """Blobs, files, queues and tables: `Microsoft.Storage/storageAccounts`."""

    public_network_access: str
    firewall_default: str
    ip_ranges: list[str]
    min_tls_version: str
    access_tier: str
    https_only: bool
    blob_public_access: bool
    shared_key_access: bool
    hierarchical_namespace: bool
    cross_tenant_replication: bool
    soft_delete: bool
    blob_endpoint: str
    keys_rotated: str


class StorageContainerRow(ResourceRow, total=False):
    """A container of blobs: `Microsoft.Storage/storageAccounts/blobServices/containers`."""

    public_access: str
    has_immutability_policy: bool
    has_legal_hold: bool


class CosmosAccountRow(ResourceRow, total=False):
    """Databases of Cosmos DB: `Microsoft.DocumentDB/databaseAccounts`."""

    public_network_access: str
    local_auth_disabled: bool
    ip_ranges: list[str]
    min_tls_version: str
    endpoint: str
    capabilities: list[str]
    key_metadata_writes_disabled: bool


class SqlServerRow(ResourceRow, total=False):
    """A logical server of databases: `Microsoft.Sql/servers`."""

    public_network_access: str
    min_tls_version: str
    ip_ranges: list[str]
    local_auth_disabled: bool
    fqdn: str
    admin_user_name: str
    entra_admin_id: str


class SqlDatabaseRow(ResourceRow, total=False):
    """A database: `Microsoft.Sql/servers/databases`."""

    max_size: int
    collation: str
    transparent_encryption: bool
    status: str


class LogAnalyticsWorkspaceRow(ResourceRow, total=False):
    """Where logs are kept and asked: `Microsoft.OperationalInsights/workspaces`."""

    local_auth_disabled: bool
    workspace_id: str
    retention: int
    daily_quota: float
    has_sentinel: bool
    resource_permissions: bool


class SecretRefRow(NodeRow, total=False):
    """That a secret, key or certificate is kept somewhere; never its value."""

    secret_type: str
    content_type: str
    for_credential: str
    version_id: str
    is_enabled: bool
    is_managed: bool
    tags: str
    created: str
    updated: str
    expires: str


class VirtualNetworkRow(ResourceRow, total=False):
    """A network: `Microsoft.Network/virtualNetworks`."""

    address_prefixes: list[str]
    dns_servers: list[str]
    ddos_protection: bool


class SubnetRow(ResourceRow, total=False):
    """A part of a network: `Microsoft.Network/virtualNetworks/subnets`."""

    address_prefixes: list[str]
    service_endpoints: list[str]
    delegations: list[str]
    default_outbound: bool


class NetworkSecurityGroupRow(ResourceRow, total=False):
    """Rules about traffic: `Microsoft.Network/networkSecurityGroups`."""

    rules: str
    inbound_from_internet: list[str]


class NetworkInterfaceRow(ResourceRow, total=False):
    """A network card: `Microsoft.Network/networkInterfaces`."""

    private_ips: list[str]
    mac_address: str
    ip_forwarding: bool
    accelerated_networking: bool


class PublicIpAddressRow(ResourceRow, total=False):
    """A public address: `Microsoft.Network/publicIPAddresses`."""

    ip_address: str
    allocation: str
    fqdn: str


class AzureResourceRow(ResourceRow, total=False):
    """A resource of any type that has no kind of its own here."""

    detail: str
