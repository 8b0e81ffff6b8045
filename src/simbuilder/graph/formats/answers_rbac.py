"""Answers about Azure roles: definitions, assignments, eligibilities and denials.

Shapes are those of Microsoft.Authorization in the REST reference, and of `az role`.
"""

from collections.abc import Callable, Iterator, Mapping

from simbuilder.graph.formats.answers_ids import subscription_of
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import (
    Item,
    Reading,
    find,
    folded,
    items,
    read,
    rest,
    word,
    words,
)
from simbuilder.graph.formats.azurehound_names import AZURE_ROLES, BLOODHOUND_ROLES
from simbuilder.graph.model.powers import rbac_kind
from simbuilder.graph.records import Record, fold

_P = "properties"
_BUILT_IN = "/providers/microsoft.authorization/roledefinitions"

_DEFINITION: dict[str, Reading] = {
    "description": f"{_P}/description",
    "assignable_scopes": f"{_P}/assignableScopes",
    "created": f"{_P}/createdOn",
    "updated": f"{_P}/updatedOn",
}
_HELD: dict[str, Reading] = {
    "principal_id": (f"{_P}/principalId", folded),
    "principal_type": f"{_P}/principalType",
    "role_definition_id": (f"{_P}/roleDefinitionId", folded),
    "scope": (f"{_P}/scope", folded),
    "condition": f"{_P}/condition",
    "condition_version": f"{_P}/conditionVersion",
    "delegated_identity_id": f"{_P}/delegatedManagedIdentityResourceId",
    "description": f"{_P}/description",
    "created_by": f"{_P}/createdBy",
    "created": f"{_P}/createdOn",
    "updated": f"{_P}/updatedOn",
}
_ELIGIBLE: dict[str, Reading] = {
    **_HELD,
    "member_type": f"{_P}/memberType",
    "status": f"{_P}/status",
    "start_at": f"{_P}/startDateTime",
    "end_at": f"{_P}/endDateTime",
}
_DENIAL: dict[str, Reading] = {
    "name": f"{_P}/denyAssignmentName",
    "description": f"{_P}/description",
    "scope": f"{_P}/scope",
    "is_system_protected": f"{_P}/isSystemProtected",
}
_DEFINED: dict[str, Reading] = {
    **_DEFINITION,
    **{name: f"{_P}/{name}" for name in ("roleName", "type", "roleType", "permissions")},
}
_DENIED: dict[str, Reading] = {
    **_DENIAL,
    **{name: f"{_P}/{name}" for name in ("permissions", "principals", "excludePrincipals")},
    "below": f"{_P}/doNotApplyToChildScopes",
}
_USED = ("id", "name", "type", "roleName", "roleType", "permissions", "properties", "resourceGroup")
_ACTIONS = {
    "actions": "actions",
    "not_actions": "notActions",
    "data_actions": "dataActions",
    "not_data_actions": "notDataActions",
}


def place(uid: str, what: str) -> str:
    """Return the collection of an object of Authorization: that of its subscription, if in one."""
    owner = subscription_of(uid)
    return f"subscriptions/{owner}/{what}" if owner else what


# --- definitions ----------------------------------------------------------------------------


def definition(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read an Azure role; built-in ones are alike in every tenant, so the tenant tells apart."""
    guid = uid.rpartition("/")[2]
    said = word(find(item, f"{_P}/type")) or word(find(item, "roleType"))
    kind = said if said in ("BuiltInRole", "CustomRole") else word(find(item, f"{_P}/roleType"))
    custom = kind == "CustomRole"
    if custom:
        run.custom_roles[guid] = uid
    name = word(find(item, f"{_P}/roleName")) or word(find(item, "name"))
    run.role_names[guid] = name
    tie = run.tie("CONTAINS", run.tenant, role_uid(guid, run), implied=True)
    again = run.again(f"role {role_uid(guid, run)}", tie, alike=not custom)
    if again:
        yield again  # every subscription lists the same ones
        return
    properties = rest(item, _USED, _DEFINED, "") | read(item, _DEFINITION)
    properties |= _permissions(find(item, f"{_P}/permissions"))
    properties |= {"name": name, "role_id": guid, "role_type": kind or None}
    properties["is_builtin"] = not custom
    where = place(uid, "roleDefinitions") if custom else "azureRoleDefinitions"
    yield run.node("AzureRoleDefinition", role_uid(guid, run), properties, where)
    yield tie


def role_uid(guid: str, run: Run) -> str:
    """Return the uid of an Azure role by its GUID; one that is not known is taken as built in."""
    return run.custom_roles.get(guid) or f"{_BUILT_IN}/{guid}@{run.tenant}"


def _permissions(permissions: object) -> Item:
    return {
        ours: [word for each in items(permissions) for word in words(find(each, wire))]
        for ours, wire in _ACTIONS.items()
    }


# --- who has them ---------------------------------------------------------------------------


def assignment(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read that somebody has an Azure role at a scope."""
    part = place(uid, "roleAssignments")
    yield from _held(item, uid, "AzureRoleAssignment", part, run)


def eligibility(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read that somebody may activate an Azure role at a scope."""
    part = place(uid, "roleEligibilities")
    yield from _held(item, uid, "AzureRoleEligibility", part, run)


def _held(item: Item, uid: str, kind: str, part: str, run: Run) -> Iterator[Record]:
    holder = fold(word(find(item, f"{_P}/principalId")))
    guid = fold(word(find(item, f"{_P}/roleDefinitionId"))).rpartition("/")[2]
    if not holder or not guid:
        yield run.remark("bad-record", f"{uid}: of nobody or of no role")
        return
    eligible = kind == "AzureRoleEligibility"
    table = _ELIGIBLE if eligible else _HELD
    properties = rest(item, _USED, table, "") | read(item, table)
    scope = scope_uid(word(properties.get("scope")) or _scope_in(uid), run)
    # what counts for a management group is listed by each subscription in it
    again = run.again(uid, run.tie("CONTAINS", scope, uid, implied=True))
    if again:
        yield again
        return
    role = word(find(item, f"{_P}/roleDefinitionName"))
    role = role or word(find(item, f"{_P}/expandedProperties/roleDefinition/displayName"))
    role = role or run.role_names.get(guid) or AZURE_ROLES.get(guid) or guid
    definition_id = word(properties.get("role_definition_id"))
    yield run.node(kind, uid, properties | {"name": find(item, "name"), "role": role}, part)
    yield run.tie("CONTAINS", scope, uid, implied=True)
    yield run.tie("HAS_ASSIGNMENT", holder, uid, part)
    yield run.tie("OF_ROLE", uid, role_uid(guid, run), part, True)
    if "azureRoleDefinitions" not in run.present and run.first(role_uid(guid, run)):
        named = {"name": role, "role_id": guid}
        yield run.node("AzureRoleDefinition", role_uid(guid, run), named, "roleDefinitions/named")
    yield run.tie("SCOPED_TO", uid, scope, part)
    said: Item = {"role": role, "role_definition_id": definition_id, "assignment_id": uid}
    if eligible:
        said |= {name: properties.get(name) for name in ("start_at", "end_at")}
    else:
        said["condition"] = properties.get("condition")
        said["bloodhound_kind"] = BLOODHOUND_ROLES.get(role)
    tie = rbac_kind(role)
    if not eligible:
        yield run.tie(tie, holder, scope, part, True, **said)
    elif tie != "VIEWS":  # that somebody could be allowed to look, the eligibility itself says
        yield run.tie("ELIGIBLE_FOR_RBAC", holder, scope, part, True, **said)


def _scope_in(uid: str) -> str:
    return uid.rpartition("/providers/microsoft.authorization/")[0]


def scope_uid(scope: str, run: Run) -> str:
    """Return the uid of a scope: `/` is the tenant."""
    return fold(scope).rstrip("/") or run.tenant


def denial(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Read that somebody may not do something at a scope."""
    part = place(uid, "denyAssignments")
    spared = [fold(word(find(e, "id"))) for e in items(find(item, f"{_P}/excludePrincipals"))]
    denied = [fold(word(find(e, "id"))) for e in items(find(item, f"{_P}/principals"))]
    properties = rest(item, _USED, _DENIED, "") | read(item, _DENIAL)
    properties |= _permissions(find(item, f"{_P}/permissions"))
    properties |= {"principal_ids": denied, "excluded_principal_ids": spared}
    below = find(item, f"{_P}/doNotApplyToChildScopes")
    properties["applies_to_children"] = not below if isinstance(below, bool) else None
    scope = scope_uid(word(properties.get("scope")) or _scope_in(uid), run)
    again = run.again(uid, run.tie("CONTAINS", scope, uid, implied=True))
    if again:
        yield again
        return
    yield run.node("AzureDenyAssignment", uid, properties, part)
    yield run.tie("CONTAINS", scope, uid, implied=True)
    yield run.tie("SCOPED_TO", uid, scope, part)
    for who, excluded in ((denied, False), (spared, True)):
        for each in who:
            if each.strip("0-"):  # zeros stand for everybody
                yield run.tie("DENIED_BY", each, uid, part, is_excluded=excluded)


_AUTHORIZATION = "microsoft.authorization"
RBAC: Mapping[str, Callable[[Item, str, Run], Iterator[Record]]] = {
    f"{_AUTHORIZATION}/roledefinitions": definition,
    f"{_AUTHORIZATION}/roleassignments": assignment,
    f"{_AUTHORIZATION}/roleassignmentscheduleinstances": assignment,
    f"{_AUTHORIZATION}/roleeligibilityschedules": eligibility,
    f"{_AUTHORIZATION}/roleeligibilityscheduleinstances": eligibility,
    f"{_AUTHORIZATION}/denyassignments": denial,
}
"""Mappers of Microsoft.Authorization by ARM type."""
