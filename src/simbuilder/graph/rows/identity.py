# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of nodes of the family identity."""

from simbuilder.graph.rows.base import NodeRow


class EntraUserRow(NodeRow, total=False):
    """An account of a person, a guest or a service that signs in as a user."""

    upn: str
    mail: str
    mail_nickname: str
    proxy_addresses: list[str]
    user_type: str
    creation_type: str
    external_user_state: str
    account_enabled: bool
    on_prem_sync_enabled: bool
    on_prem_sid: str
    on_prem_last_sync: str
    on_prem_sam_account_name: str
    on_prem_distinguished_name: str
    on_prem_immutable_id: str
    given_name: str
    surname: str
    employee_id: str
    employee_type: str
    employee_hired: str
    company_name: str
    department: str
    job_title: str
    office_location: str
    city: str
    country: str
    usage_location: str
    licences: list[str]
    mfa_registered: bool
    mfa_capable: bool
    passwordless_capable: bool
    auth_methods: list[str]
    password_policies: list[str]
    security_identifier: str
    risk_level: str
    created: str
    password_last_changed: str
    last_sign_in: str
    last_non_interactive_sign_in: str


class EntraServicePrincipalRow(NodeRow, total=False):
    """What an application, or a managed identity, is and may do in this tenant."""

    description: str
    app_id: str
    app_display_name: str
    sp_type: str
    app_owner_org_id: str
    account_enabled: bool
    app_role_assignment_required: bool
    sp_names: list[str]
    alternative_names: list[str]
    homepage: str
    login_url: str
    reply_urls: list[str]
    sp_tags: list[str]
    preferred_sso_mode: str
    sign_in_audience: str
    publisher_name: str
    disabled_by_microsoft: str
    security_identifier: str
    created: str
    last_sign_in: str


class OnPremUserRow(NodeRow, total=False):
    """An account in Active Directory that one here is synchronised with."""

    on_prem_sid: str
    on_prem_sam_account_name: str
    on_prem_distinguished_name: str
    domain: str
    account_enabled: bool
