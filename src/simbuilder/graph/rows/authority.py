# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of nodes of the family authority."""

from simbuilder.graph.rows.base import NodeRow


class EntraRoleDefinitionRow(NodeRow, total=False):
    """A role of the directory."""

    description: str
    template_id: str
    is_builtin: bool
    is_enabled: bool
    is_privileged: bool
    allowed_actions: list[str]
    condition: str
    activation_requires_approval: bool
    activation_requires_mfa: bool
    activation_requires_justification: bool
    activation_requires_ticket: bool
    activation_requires_auth_context: bool
    user_approvers: list[str]
    group_approvers: list[str]


class EntraRoleAssignmentRow(NodeRow, total=False):
    """That somebody has a directory role, at some scope."""

    principal_id: str
    principal_type: str
    role_definition_id: str
    role: str
    directory_scope: str
    app_scope: str
    assignment_type: str
    member_type: str
    start_at: str
    end_at: str
    created: str


class EntraRoleEligibilityRow(NodeRow, total=False):
    """That somebody may activate a directory role, at some scope."""

    principal_id: str
    principal_type: str
    role_definition_id: str
    role: str
    directory_scope: str
    app_scope: str
    assignment_type: str
    member_type: str
    start_at: str
    end_at: str
    created: str


class RoleManagementPolicyRow(NodeRow, total=False):
    """What assigning and activating a role takes."""

    description: str
    scope: str
    scope_type: str
    role_definition_id: str
    requires_mfa: bool
    requires_approval: bool
    requires_justification: bool
    requires_ticket: bool
    auth_context: str
    max_duration: str
    eligible_max_duration: str
    permanent_active_allowed: bool
    permanent_eligible_allowed: bool
    user_approvers: list[str]
    group_approvers: list[str]
    updated: str


class AppRoleRow(NodeRow, total=False):
    """A permission that an application declares, to be held without a user."""

    description: str
    value: str
    role_id: str
    allowed_member_types: list[str]
    is_enabled: bool


class OAuth2ScopeRow(NodeRow, total=False):
    """A permission that an application declares, to be used for a user."""

    description: str
    value: str
    role_id: str
    consent_level: str
    is_enabled: bool


class AppRoleAssignmentRow(NodeRow, total=False):
    """That somebody holds a permission of an application."""

    principal_id: str
    principal_type: str
    resource_id: str
    resource_name: str
    role_id: str
    created: str


class OAuth2PermissionGrantRow(NodeRow, total=False):
    """That an application may use another one for one user, or for all."""

    client_id: str
    resource_id: str
    consent_type: str
    principal_id: str
    scopes: list[str]
    start_at: str
    end_at: str


class ConditionalAccessPolicyRow(NodeRow, total=False):
    """What signing in takes, for whom and to what."""

    state: str
    client_app_types: list[str]
    platforms: list[str]
    sign_in_risk_levels: list[str]
    user_risk_levels: list[str]
    user_actions: list[str]
    device_filter: str
    grant_controls: list[str]
    grant_operator: str
    authentication_strength: str
    conditions: str
    session_controls: str
    created: str
    updated: str


class AzureRoleDefinitionRow(NodeRow, total=False):
    """A role of Azure resources."""

    description: str
    role_id: str
    role_type: str
    is_builtin: bool
    is_privileged: bool
    actions: list[str]
    not_actions: list[str]
    data_actions: list[str]
    not_data_actions: list[str]
    assignable_scopes: list[str]
    created: str
    updated: str


class AzureRoleAssignmentRow(NodeRow, total=False):
    """That somebody has an Azure role, at some scope."""

    principal_id: str
    principal_type: str
    role_definition_id: str
    role: str
    scope: str
    condition: str
    condition_version: str
    delegated_identity_id: str
    description: str
    created_by: str
    created: str
    updated: str


class AzureRoleEligibilityRow(NodeRow, total=False):
    """That somebody may activate an Azure role, at some scope."""

    principal_id: str
    principal_type: str
    role_definition_id: str
    role: str
    scope: str
    condition: str
    condition_version: str
    delegated_identity_id: str
    description: str
    created_by: str
    created: str
    updated: str
    member_type: str
    status: str
    start_at: str
    end_at: str


class AzureDenyAssignmentRow(NodeRow, total=False):
    """That somebody may not do something at some scope, whatever roles say."""

    description: str
    scope: str
    principal_ids: list[str]
    excluded_principal_ids: list[str]
    actions: list[str]
    not_actions: list[str]
    data_actions: list[str]
    not_data_actions: list[str]
    is_system_protected: bool
    applies_to_children: bool
