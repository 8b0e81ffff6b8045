# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of nodes of the family directory."""

from simbuilder.graph.rows.base import NodeRow


class TenantRow(NodeRow, total=False):
    """An Entra tenant, the root of everything in it."""

    default_domain: str
    verified_domains: list[str]
    tenant_type: str
    country: str
    on_prem_sync_enabled: bool
    on_prem_last_sync: str
    directory_quota_used: int
    directory_quota_total: int
    security_defaults_enabled: bool
    default_user_permissions: list[str]
    licences: list[str]
    created: str


class EntraGroupRow(NodeRow, total=False):
    """A security group, a Microsoft 365 group or both."""

    description: str
    mail: str
    mail_nickname: str
    mail_enabled: bool
    security_enabled: bool
    group_types: list[str]
    membership_rule: str
    membership_rule_state: str
    is_assignable_to_role: bool
    is_member_management_restricted: bool
    visibility: str
    on_prem_sync_enabled: bool
    on_prem_sid: str
    on_prem_last_sync: str
    on_prem_sam_account_name: str
    security_identifier: str
    licences: list[str]
    created: str
    expires: str
    member_count: int


class EntraApplicationRow(NodeRow, total=False):
    """An application registered in this tenant."""

    description: str
    app_id: str
    object_id: str
    sign_in_audience: str
    publisher_domain: str
    publisher_name: str
    identifier_uris: list[str]
    redirect_uris: list[str]
    homepage: str
    is_fallback_public_client: bool
    implicit_id_tokens: bool
    implicit_access_tokens: bool
    is_property_lock_enabled: bool
    group_claims: list[str]
    required_resource_access: str
    disabled_by_microsoft: str
    notes: str
    created: str


class CredentialRow(NodeRow, total=False):
    """A secret or a certificate of an application or service principal; never the secret itself."""

    credential_type: str
    key_id: str
    hint: str
    usage: str
    thumbprint: str
    issuer: str
    subject: str
    start_at: str
    end_at: str


class FederatedCredentialRow(NodeRow, total=False):
    """Trust in tokens that an issuer outside gives to one subject."""

    description: str
    issuer: str
    subject: str
    audiences: list[str]
    claims_expression: str


class EntraDeviceRow(NodeRow, total=False):
    """A device registered in or joined to the tenant."""

    device_id: str
    operating_system: str
    operating_system_version: str
    trust_type: str
    profile_type: str
    management_type: str
    device_ownership: str
    enrollment_type: str
    manufacturer: str
    model: str
    account_enabled: bool
    is_compliant: bool
    is_managed: bool
    is_rooted: bool
    on_prem_sync_enabled: bool
    on_prem_sid: str
    on_prem_last_sync: str
    registered: str
    last_sign_in: str
    created: str


class AdministrativeUnitRow(NodeRow, total=False):
    """A part of the directory that roles can be limited to."""

    description: str
    visibility: str
    membership_type: str
    membership_rule: str
    membership_rule_state: str
    is_member_management_restricted: bool


class NamedLocationRow(NodeRow, total=False):
    """Networks or countries that conditional access knows by a name."""

    location_type: str
    ip_ranges: list[str]
    is_trusted: bool
    countries: list[str]
    includes_unknown: bool
    created: str
    updated: str


class DirectoryPolicyRow(NodeRow, total=False):
    """A setting of the whole tenant, such as its authorization policy."""

    description: str
    policy_type: str
    allow_invites_from: str
    guest_role_id: str
    users_can_register_apps: bool
    users_can_create_groups: bool
    users_can_create_tenants: bool
    users_can_read_others: bool
    users_can_consent: bool
    block_msol_powershell: bool
    trusts_partner_mfa: bool
    partner_tenant_id: str
    raw: str


class ExternalIssuerRow(NodeRow, total=False):
    """Somebody outside whose tokens are trusted, such as a CI service."""

    issuer: str
    issuer_type: str


class DomainRow(NodeRow, total=False):
    """A DNS domain of the tenant."""

    authentication_type: str
    is_default: bool
    is_initial: bool
    is_root: bool
    is_verified: bool
    is_admin_managed: bool
    supported_services: list[str]
    federation_issuer: str
    password_validity: int
