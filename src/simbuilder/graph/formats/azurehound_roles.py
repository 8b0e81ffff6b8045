"""AzureHound's elements about who may do what: in the directory, in Azure, to applications."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from simbuilder.graph.formats.azurehound_elements import (
    DROPPED,
    Element,
    Made,
    Rule,
    Table,
    inner,
    listed,
    text,
    translated,
)
from simbuilder.graph.formats.azurehound_entra import OBJECT
from simbuilder.graph.formats.azurehound_names import APP_ROLES, AZURE_ROLES, BLOODHOUND_ROLES
from simbuilder.graph.model.powers import rbac_kind
from simbuilder.graph.records import Remark, fold

ROLE: Table = OBJECT | {
    "templateId": "template_id",
    "isBuiltIn": "is_builtin",
    "isEnabled": "is_enabled",
    "isPrivileged": "is_privileged",
}
ASSIGNMENT: Table = {
    "id": DROPPED,
    "tenantId": DROPPED,
    "principalId": "principal_id",
    "principal": DROPPED,
    "roleDefinitionId": "role_definition_id",
    "roleDefinition": {"displayName": "role", "id": DROPPED},
    "directoryScopeId": DROPPED,
    "directoryScope": DROPPED,
    "appScopeId": "app_scope",
    "memberType": "member_type",
    "startDateTime": "start_at",
    "endDateTime": "end_at",
}
POLICY: Table = {
    "id": "assignment_id",
    "tenantId": DROPPED,
    "policyId": DROPPED,
    "scopeId": "scope",
    "scopeType": "scope_type",
    "roleDefinitionId": "role_definition_id",
    "endUserAssignmentRequiresApproval": "requires_approval",
    "endUserAssignmentRequiresCAPAuthenticationContext": "requires_auth_context",
    "endUserAssignmentRequiresMFA": "requires_mfa",
    "endUserAssignmentRequiresJustification": "requires_justification",
    "endUserAssignmentRequiresTicketInformation": "requires_ticket",
    "endUserAssignmentUserApprovers": "user_approvers",
    "endUserAssignmentGroupApprovers": "group_approvers",
    "policy": {
        "id": DROPPED,
        "displayName": "name",
        "description": "description",
        "lastModifiedDateTime": "updated",
    },
}
REQUIRED = ("requires_approval", "requires_mfa", "requires_justification", "requires_ticket")
APP_ROLE_ASSIGNMENT: Table = {
    "id": DROPPED,
    "tenantId": DROPPED,
    "appId": DROPPED,
    "principalDisplayName": "name",
    "principalId": "principal_id",
    "principalType": "principal_type",
    "resourceId": "resource_id",
    "resourceDisplayName": "resource_name",
    "appRoleId": "role_id",
    "createdDateTime": "created",
}
RBAC: Table = {
    "id": DROPPED,
    "type": DROPPED,
    "name": "name",
    "properties": {
        "principalId": "principal_id",
        "principalType": "principal_type",
        "roleDefinitionId": "role_definition_id",
        "scope": "scope",
        "condition": "condition",
        "conditionVersion": "condition_version",
        "createdOn": "created",
        "updatedOn": "updated",
    },
}
NO_ROLE = "00000000-0000-0000-0000-000000000000"
"""What stands for plain access to an application, without any of its permissions."""


# --- the directory --------------------------------------------------------------------------


def role(element: Element) -> Iterator[Made]:
    """Yield a role of the directory, and that the tenant contains it."""
    data = element.data
    template = text(data, "templateId", "id")
    if not template:
        yield element.bad("has no templateId")
        return
    properties = translated(data, ROLE)[0]
    actions = _allowed(properties)
    if actions is not None:
        properties["allowed_actions"] = actions
    for name in ("is_builtin", "is_enabled"):  # left out where they are false
        properties.setdefault(name, False)
    element.shared.templates[fold(text(data, "id"))] = fold(template)
    uid = _role_uid(template, element)
    yield element.node("EntraRoleDefinition", uid, {**properties, "template_id": fold(template)})
    yield element.contained(uid)


def _allowed(properties: dict[str, Any]) -> list[str] | None:
    """Take the permissions out of a role where all that they say is what it allows."""
    permissions = listed(properties, "rolePermissions")
    if not permissions or not all(
        isinstance(each, dict) and each.keys() <= {"allowedResourceActions"} for each in permissions
    ):
        return None
    del properties["rolePermissions"]
    return [action for each in permissions for action in listed(each, "allowedResourceActions")]


def assignments(element: Element) -> Iterator[Made]:
    """Yield everybody who has one role of the directory."""
    data = element.data
    for each in element.parts("roleAssignments", "principalId"):
        if isinstance(each, Remark):
            yield each
        else:
            definition = text(each, "roleDefinitionId") or text(data, "roleDefinitionId")
            yield from _held(element, each, definition, "EntraRoleAssignment", "HAS_ROLE")


def eligibility(element: Element) -> Iterator[Made]:
    """Yield one who may activate a role of the directory."""
    definition = text(element.data, "roleDefinitionId")
    yield from _held(element, element.data, definition, "EntraRoleEligibility", "ELIGIBLE_FOR")


def _held(
    element: Element, data: dict[str, Any], definition: str, kind: str, tie: str
) -> Iterator[Made]:
    uid, principal = text(data, "id"), text(data, "principalId")
    if not principal or not definition:
        yield element.bad("names no principalId, or no roleDefinitionId")
        return
    scope, place = _scope(data, element.tenant)
    target = _role_uid(definition, element)
    active = tie == "HAS_ROLE"
    term = {"start_at": text(data, "startDateTime"), "end_at": text(data, "endDateTime")}
    properties = {"scope": scope, **{name: value for name, value in term.items() if value}}
    if active:
        properties["assignment_type"] = "Assigned"
    if uid:
        properties["assignment_id"] = element.uid(uid)
        own = translated(data, ASSIGNMENT)[0] | {"directory_scope": scope}
        own["assignment_type"] = "Assigned" if active else "Eligible"
        own.setdefault("role_definition_id", fold(definition))
        kind_of = text(inner(data, "principal"), "@odata.type").rpartition(".")[2]
        if kind_of:
            own["principal_type"] = kind_of[:1].upper() + kind_of[1:]
        yield element.node(kind, uid, own)
        yield element.tie("HAS_ASSIGNMENT", principal, uid)
        yield element.tie("OF_ROLE", uid, target)
        # the id of an application's registration is no uid here, so that end may be missing
        yield element.tie("SCOPED_TO", uid, place, implied=scope != "/")
    yield element.tie(tie, principal, target, properties)


def _scope(data: Mapping[str, Any], tenant: str) -> tuple[str, str]:
    """Return the scope of an assignment as the directory writes it, and the uid of that place.

    AzureHound writes `/{appId}` for every scope but the tenant, which is `/` where the scope is no
    application; what the scope really is then only its `directoryScope` says.
    """
    written = text(data, "directoryScopeId").rstrip("/")
    within = inner(data, "directoryScope")
    uid, app = fold(text(within, "id")), fold(text(within, "appId"))
    if app:
        return f"/{uid or app}", app
    if not written and uid and uid not in ("/", fold(tenant)):
        unit = "administrativeunit" in text(within, "@odata.type").lower()
        return (f"/administrativeUnits/{uid}" if unit else f"/{uid}"), uid
    if not written:
        return "/", tenant
    uid = fold(written.rpartition("/")[2])
    unit = "/administrativeunits/" in written.lower()
    return (f"/administrativeUnits/{uid}" if unit else f"/{uid}"), uid


def _role_uid(template: str, element: Element) -> str:
    known = element.shared.templates.get(fold(template), fold(template))
    return f"{known}@{fold(element.tenant)}"


def policy(element: Element) -> Iterator[Made]:
    """Yield what activating a role of the directory takes, and who approves it."""
    data = element.data
    definition = text(data, "roleDefinitionId")
    uid = text(data, "policyId", "id")
    if not uid or not definition:
        yield element.bad("has no policyId, or no roleDefinitionId")
        return
    properties = translated(data, POLICY)[0]
    for name in REQUIRED:  # left out where they are false
        properties.setdefault(name, False)
    target = _role_uid(definition, element)
    scope = text(data, "scopeId") or "/"
    yield element.node("RoleManagementPolicy", uid, properties)
    yield element.tie("GOVERNS", uid, target, {"scope": scope})
    if properties["requires_approval"] is True:
        for name in ("endUserAssignmentUserApprovers", "endUserAssignmentGroupApprovers"):
            for approver in listed(data, name):
                if isinstance(approver, str) and approver:
                    yield element.tie("APPROVES", approver, target, {"scope": scope})
                else:
                    yield element.bad(f"one of its {name} is no id")


def app_role(element: Element) -> Iterator[Made]:
    """Yield one who holds a permission of an application."""
    data = element.data
    uid, principal, resource = (text(data, name) for name in ("id", "principalId", "resourceId"))
    permission = fold(text(data, "appRoleId"))
    if not principal or not resource or not permission:
        yield element.bad("names no principalId, no resourceId or no appRoleId")
        return
    target = f"{resource}/{permission}"
    held: dict[str, Any] = {"assignment_id": element.uid(uid)} if uid else {}
    plain = permission == NO_ROLE
    if uid:
        yield element.node("AppRoleAssignment", uid, translated(data, APP_ROLE_ASSIGNMENT)[0])
        yield element.tie("HAS_ASSIGNMENT", principal, uid)
        yield element.tie("OF_ROLE", uid, target, implied=plain)
    if not plain:
        yield element.tie("GRANTED_APP_ROLE", principal, target, held)
    name = APP_ROLES.get(permission)
    if name:
        held = held | {"bloodhound_kind": f"AZMG{name.replace('.', '_')}"}
    yield element.tie("HAS_APP_ROLE", principal, resource, held | {"role": name or permission})


# --- Azure ----------------------------------------------------------------------------------


def rbac(many: str, one: str, target: str, element: Element) -> Iterator[Made]:
    """Yield who has Azure roles, each at its own scope: what is inherited is said only once."""
    data = element.data
    for each in element.parts(many, one):
        if isinstance(each, Remark):
            yield each
            continue
        assignment = inner(each, one)
        if assignment:
            place = text(each, target) or text(data, target)
            yield from _assigned(element, assignment, place)
        else:
            yield element.bad(f"one of its {many} has no {one}")


def _assigned(element: Element, data: dict[str, Any], place: str) -> Iterator[Made]:
    said = inner(data, "properties")
    uid, principal = text(data, "id"), text(said, "principalId")
    scope = text(said, "scope") or place
    definition = fold(text(said, "roleDefinitionId"))
    guid = definition.rpartition("/")[2]
    if not principal or not scope or not guid:
        yield element.bad("an assignment has no principalId, scope or roleDefinitionId")
        return
    end = element.tenant if scope == "/" else scope.rstrip("/")
    if not element.is_new(uid or f"{principal} {guid} {scope}"):
        # inherited by each resource: counted as repeated by a tie that may be repeated
        if uid:
            yield element.tie("SCOPED_TO", uid, end, implied=True)
        else:
            yield Remark("duplicate", element.at, f"{principal} has {guid} at {scope} again")
        return
    name = AZURE_ROLES.get(guid, guid)
    held: dict[str, Any] = {"role": name, "role_definition_id": definition}
    if name in BLOODHOUND_ROLES:
        held["bloodhound_kind"] = BLOODHOUND_ROLES[name]
    if text(said, "condition"):
        held["condition"] = text(said, "condition")
    if uid:
        held["assignment_id"] = element.uid(uid)
        own = translated(data, RBAC)[0] | {"scope": fold(scope), "role": name}
        yield element.node("AzureRoleAssignment", uid, own)
        yield element.tie("HAS_ASSIGNMENT", principal, uid)
        # AzureHound reads no definitions, and says not which of them are built in
        role_uid = f"/providers/microsoft.authorization/roledefinitions/{guid}@{element.tenant}"
        yield element.tie("OF_ROLE", uid, role_uid, implied=True)
        yield element.tie("SCOPED_TO", uid, end)
    yield element.tie(rbac_kind(name), principal, end, held)


def vault_policy(element: Element) -> Iterator[Made]:
    """Yield what an access policy of a vault lets somebody read.

    A policy that lets nobody read is said by the vault's own `access_policies` alone.
    """
    data = element.data
    principal, vault = text(data, "objectId"), text(data, "keyVaultId")
    if not principal or not vault:
        yield element.bad("has no objectId, or no keyVaultId")
        return
    reads = False
    for what in ("secrets", "keys", "certificates"):
        given = listed(inner(data, "permissions"), what)
        allowed = [each.lower() for each in given if isinstance(each, str)]
        if {"get", "all"} & set(allowed):
            reads = True
            properties = {"granted_by": "policy", "permissions": allowed}
            yield element.tie(f"CAN_GET_{what.upper()}", principal, vault, properties)
    if not reads:
        said = f"{element.kind}: lets {principal} read nothing of {vault[-120:]}"
        yield Remark("unknown-kind", element.at, said)


_ROLES = {
    "Owner": ("owners", "owner"),
    "Contributor": ("contributors", "contributor"),
    "UserAccessAdmin": ("userAccessAdmins", "userAccessAdmin"),
    "RoleAssignment": ("roleAssignments", "roleAssignment"),
}
_VAULT_ROLES = _ROLES | {"KVContributor": ("kvContributors", "kvContributor")}
_MACHINE_ROLES = _ROLES | {
    "AdminLogin": ("adminLogins", "adminLogin"),
    "AvereContributor": ("avereContributors", "avereContributor"),
    "VMContributor": ("vmContributors", "vmContributor"),
}
_PLACES: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]] = {
    "KeyVault": ("keyVaultId", _VAULT_ROLES),
    "VM": ("virtualMachineId", _MACHINE_ROLES),
    "Subscription": ("subscriptionId", _ROLES),
    "ResourceGroup": ("resourceGroupId", _ROLES),
    "ManagementGroup": ("managementGroupId", _ROLES),
}
_OBJECTS = (
    *("StorageAccount", "AutomationAccount", "LogicApp", "FunctionApp", "WebApp"),
    *("ContainerRegistry", "ManagedCluster", "VMScaleSet"),
)
_RBAC = "azureRoleAssignments"


RULES: Mapping[str, Rule] = {
    "AZRole": Rule("roleDefinitions", role),
    "AZRoleAssignment": Rule("roleAssignments", assignments),
    "AZRoleEligibilityScheduleInstance": Rule("roleEligibilities", eligibility),
    "AZRoleManagementPolicyAssignment": Rule("roleManagementPolicies", policy),
    "AZAppRoleAssignment": Rule("appRoleAssignments", app_role),
    "AZKeyVaultAccessPolicy": Rule("keyVaultAccessPolicies", vault_policy),
    **{
        f"AZ{place}{role}": Rule(_RBAC, partial(rbac, *names, uid))
        for place, (uid, roles) in _PLACES.items()
        for role, names in roles.items()
    },
    **{
        f"AZ{place}RoleAssignment": Rule(_RBAC, partial(rbac, "assignees", "assignee", "objectId"))
        for place in _OBJECTS
    },
}
