"""Kinds of node about who may do what: roles, their assignments, permissions and policies."""

from simbuilder.graph.model.words import (
    ARM,
    ARM_ID,
    AUTHORITY,
    CLOUD,
    CREATED,
    DESCRIPTION,
    GRAPH,
    NAME,
    OBJECT_ID,
    ROLE,
    SCOPE,
    TERM,
    UPDATED,
    document,
    flag,
    text,
    texts,
)
from simbuilder.graph.schema import NodeKind

HOLDER = (
    text("principal_id", "Object id of whoever has it"),
    text("principal_type", "User, Group, ServicePrincipal, Device or ForeignGroup"),
)
DIRECTORY_ROLE = (
    NAME,
    *HOLDER,
    text("role_definition_id", "Id of the role"),
    ROLE,
    text("directory_scope", "`/`, or the unit or object it is limited to"),
    text("app_scope", "Scope that only the application knows"),
    text("assignment_type", "Assigned, Activated or Eligible"),
    text("member_type", "Direct, Group or Inherited"),
    *TERM,
    CREATED,
)
AZURE_ROLE = (
    NAME,
    *HOLDER,
    text("role_definition_id", "ARM id of the role"),
    ROLE,
    SCOPE,
    text("condition", "What must hold for it to count", f"{ARM} Microsoft.Authorization"),
    text("condition_version", "Language of the condition"),
    text("delegated_identity_id", "ARM id of the identity it was delegated through"),
    DESCRIPTION,
    text("created_by", "Object id of whoever made it"),
    CREATED,
    UPDATED,
)

ENTRA_ROLE = NodeKind(
    "EntraRoleDefinition",
    AUTHORITY,
    "roleDefinitions",
    "A role of the directory.",
    "{templateId}@{tenant}, lower-case",
    also=(CLOUD,),
    bloodhound=("AZRole",),
    cartography=("EntraRoleDefinition",),
    properties=(
        NAME,
        DESCRIPTION,
        text("template_id", "Id that the role has in every tenant", f"{GRAPH} roleManagement"),
        flag("is_builtin", "Whether Microsoft defined it"),
        flag("is_enabled", "Whether it can be assigned"),
        flag("is_privileged", "Whether Microsoft counts it as privileged"),
        texts("allowed_actions", "What it allows"),
        text("condition", "What must hold for it to count"),
        flag("activation_requires_approval", "Whether activation needs an approval"),
        flag("activation_requires_mfa", "Whether activation needs a second factor"),
        flag("activation_requires_justification", "Whether activation needs a reason"),
        flag("activation_requires_ticket", "Whether activation needs a ticket"),
        flag("activation_requires_auth_context", "Whether conditional access is asked"),
        texts("user_approvers", "Object ids of users who approve activation"),
        texts("group_approvers", "Object ids of groups that approve activation"),
    ),
)

ENTRA_ASSIGNMENT = NodeKind(
    "EntraRoleAssignment",
    AUTHORITY,
    "roleAssignments",
    "That somebody has a directory role, at some scope.",
    OBJECT_ID,
    cartography=("EntraRoleAssignment",),
    properties=DIRECTORY_ROLE,
)

ENTRA_ELIGIBILITY = NodeKind(
    "EntraRoleEligibility",
    AUTHORITY,
    "roleEligibilities",
    "That somebody may activate a directory role, at some scope.",
    OBJECT_ID,
    properties=DIRECTORY_ROLE,
)

MANAGEMENT_POLICY = NodeKind(
    "RoleManagementPolicy",
    AUTHORITY,
    "roleManagementPolicies",
    "What assigning and activating a role takes.",
    "lower-case policy id",
    properties=(
        NAME,
        DESCRIPTION,
        SCOPE,
        text("scope_type", "Directory, Group, or that of an Azure scope", f"{GRAPH} policies"),
        text("role_definition_id", "Id of the role"),
        flag("requires_mfa", "Whether activation needs a second factor"),
        flag("requires_approval", "Whether activation needs an approval"),
        flag("requires_justification", "Whether activation needs a reason"),
        flag("requires_ticket", "Whether activation needs a ticket"),
        text("auth_context", "Authentication context that activation needs"),
        text("max_duration", "Longest activation, ISO 8601", f"{GRAPH} expirationRule"),
        text("eligible_max_duration", "Longest eligibility, ISO 8601"),
        flag("permanent_active_allowed", "Whether an assignment may last for ever"),
        flag("permanent_eligible_allowed", "Whether an eligibility may last for ever"),
        texts("user_approvers", "Object ids of users who approve activation"),
        texts("group_approvers", "Object ids of groups that approve activation"),
        UPDATED,
    ),
)

APP_ROLE = NodeKind(
    "AppRole",
    AUTHORITY,
    "servicePrincipals",
    "A permission that an application declares, to be held without a user.",
    "{resource service principal id}/{role id}, lower-case",
    properties=(
        NAME,
        DESCRIPTION,
        text("value", "What a token says, such as User.Read.All", f"{GRAPH} appRole"),
        text("role_id", "Id, the same in every tenant"),
        texts("allowed_member_types", "User, Application or both"),
        flag("is_enabled", "Whether it can be assigned"),
    ),
)

SCOPE_KIND = NodeKind(
    "OAuth2Scope",
    AUTHORITY,
    "servicePrincipals",
    "A permission that an application declares, to be used for a user.",
    "{resource service principal id}/{scope id}, lower-case",
    properties=(
        NAME,
        DESCRIPTION,
        text("value", "What a token says, such as User.Read", f"{GRAPH} permissionScope"),
        text("role_id", "Id, the same in every tenant"),
        text("consent_level", "User or Admin: who may consent to it"),
        flag("is_enabled", "Whether it can be asked for"),
    ),
)

APP_ROLE_ASSIGNMENT = NodeKind(
    "AppRoleAssignment",
    AUTHORITY,
    "appRoleAssignments",
    "That somebody holds a permission of an application.",
    "lower-case assignment id",
    cartography=("EntraAppRoleAssignment",),
    properties=(
        NAME,
        *HOLDER,
        text("resource_id", "Object id of the service principal that declares it"),
        text("resource_name", "Display name of that service principal"),
        text("role_id", "Id of the permission; zeros for plain access"),
        CREATED,
    ),
)

PERMISSION_GRANT = NodeKind(
    "OAuth2PermissionGrant",
    AUTHORITY,
    "oauth2PermissionGrants",
    "That an application may use another one for one user, or for all.",
    "lower-case grant id",
    properties=(
        NAME,
        text("client_id", "Object id of the service principal that may", f"{GRAPH} grant"),
        text("resource_id", "Object id of the service principal that it may use"),
        text("consent_type", "AllPrincipals or Principal"),
        text("principal_id", "Object id of the one user; absent for all"),
        texts("scopes", "Permissions granted"),
        *TERM,
    ),
)

CONDITIONAL_ACCESS = NodeKind(
    "ConditionalAccessPolicy",
    AUTHORITY,
    "conditionalAccessPolicies",
    "What signing in takes, for whom and to what.",
    OBJECT_ID,
    properties=(
        NAME,
        text("state", "enabled, disabled or enabledForReportingButNotEnforced"),
        texts("client_app_types", "Kinds of client it is about", f"{GRAPH} conditionalAccess"),
        texts("platforms", "Platforms it is about"),
        texts("sign_in_risk_levels", "Risks of a sign-in it is about"),
        texts("user_risk_levels", "Risks of a user it is about"),
        texts("user_actions", "Actions it is about, such as registering a second factor"),
        text("device_filter", "Rule that chooses devices"),
        texts("grant_controls", "What it demands, such as mfa or block"),
        text("grant_operator", "AND or OR"),
        text("authentication_strength", "Strength that it demands"),
        document("conditions", "All its conditions"),
        document("session_controls", "What it limits a session to"),
        CREATED,
        UPDATED,
    ),
)

AZURE_ROLE_DEFINITION = NodeKind(
    "AzureRoleDefinition",
    AUTHORITY,
    "azureRoleDefinitions",
    "A role of Azure resources.",
    "/providers/microsoft.authorization/roledefinitions/{guid}@{tenant}; "
    "lower-case ARM id of a custom one",
    cartography=("AzureRoleDefinition",),
    properties=(
        NAME,
        DESCRIPTION,
        text("role_id", "Its GUID"),
        text("role_type", "BuiltInRole or CustomRole", f"{ARM} Microsoft.Authorization"),
        flag("is_builtin", "Whether Microsoft defined it"),
        flag("is_privileged", "Whether Microsoft counts it as privileged"),
        texts("actions", "What it allows to do"),
        texts("not_actions", "What of that it does not"),
        texts("data_actions", "What it allows to do with data"),
        texts("not_data_actions", "What of that it does not"),
        texts("assignable_scopes", "Where it can be assigned"),
        CREATED,
        UPDATED,
    ),
)

AZURE_ASSIGNMENT = NodeKind(
    "AzureRoleAssignment",
    AUTHORITY,
    "azureRoleAssignments",
    "That somebody has an Azure role, at some scope.",
    ARM_ID,
    cartography=("AzureRoleAssignment",),
    properties=AZURE_ROLE,
)

AZURE_ELIGIBILITY = NodeKind(
    "AzureRoleEligibility",
    AUTHORITY,
    "azureRoleEligibilities",
    "That somebody may activate an Azure role, at some scope.",
    ARM_ID,
    properties=(
        *AZURE_ROLE,
        text("member_type", "Direct, Group or Inherited"),
        text("status", "Provisioned, Revoked, ..."),
        *TERM,
    ),
)

DENY_ASSIGNMENT = NodeKind(
    "AzureDenyAssignment",
    AUTHORITY,
    "azureDenyAssignments",
    "That somebody may not do something at some scope, whatever roles say.",
    ARM_ID,
    properties=(
        NAME,
        DESCRIPTION,
        SCOPE,
        texts("principal_ids", "Object ids of whom it denies"),
        texts("excluded_principal_ids", "Object ids of whom it spares"),
        texts("actions", "What it denies to do"),
        texts("not_actions", "What of that it does not"),
        texts("data_actions", "What it denies to do with data"),
        texts("not_data_actions", "What of that it does not"),
        flag("is_system_protected", "Whether only Azure can change it"),
        flag("applies_to_children", "Whether it counts below its scope"),
    ),
)

NODES = (
    *(ENTRA_ROLE, ENTRA_ASSIGNMENT, ENTRA_ELIGIBILITY, MANAGEMENT_POLICY, APP_ROLE, SCOPE_KIND),
    *(APP_ROLE_ASSIGNMENT, PERMISSION_GRANT, CONDITIONAL_ACCESS, AZURE_ROLE_DEFINITION),
    *(AZURE_ASSIGNMENT, AZURE_ELIGIBILITY, DENY_ASSIGNMENT),
)
