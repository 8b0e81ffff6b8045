"""Answers about directory roles: definitions, assignments, eligibilities and their policies.

Shapes are those of Microsoft Graph v1.0, roleManagement/directory and policies.
"""

from collections.abc import Iterator

from simbuilder.graph.formats.answers_directory import ASSIGNED, end_id, stranger
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import (
    GUID,
    Item,
    find,
    inner,
    items,
    object_id,
    own,
    read,
    word,
    words,
)
from simbuilder.graph.records import Record, fold

_DEFINITION = {"isBuiltIn": "is_builtin", "templateId": "template_id"}
_ASSIGNMENT = {
    "directoryScopeId": "directory_scope",
    "appScopeId": "app_scope",
    "principalOrganizationId": "principal_organization_id",
}
_PEOPLE = ("members", "scopedMembers")
_EXPANDED = ("principal", "roleDefinition", "directoryScope", "appScope", "scheduleInfo")


# --- definitions ----------------------------------------------------------------------------


def definition(item: Item, run: Run) -> Iterator[Record]:
    """Read a role of the directory; it is known by its template, which is alike everywhere."""
    template = fold(word(find(item, "templateId"))) or object_id(item)
    run.templates[object_id(item)] = template
    run.role_names[template] = word(find(item, "displayName"))
    properties = own(item, "EntraRoleDefinition", _DEFINITION, ("rolePermissions",))
    permissions = items(find(item, "rolePermissions"))
    properties["template_id"] = template
    properties["allowed_actions"] = [
        action for each in permissions for action in words(find(each, "allowedResourceActions"))
    ]
    conditions = [word(each.get("condition")) for each in permissions if each.get("condition")]
    if conditions:
        properties["condition"] = "\n".join(dict.fromkeys(conditions))
    yield run.node("EntraRoleDefinition", _role(template, run), properties)
    yield run.contained(_role(template, run))


def directory_role(item: Item, run: Run) -> Iterator[Record]:
    """Read a role that is in use; `directoryRoles` knows it by another id than its template."""
    template = fold(word(find(item, "roleTemplateId"))) or object_id(item)
    run.templates[object_id(item)] = template
    run.known("directoryRoles", object_id(item))
    if "roleDefinitions" not in run.present and run.first(_role(template, run)):
        properties = own(item, "EntraRoleDefinition", {"roleTemplateId": "template_id"}, _PEOPLE)
        properties["directoryRoleId"] = object_id(item)
        part = "directoryRoles"
        yield run.node("EntraRoleDefinition", _role(template, run), properties, part)
    yield run.contained(_role(template, run))
    owner, run.owner = run.owner, object_id(item)
    for each in items(find(item, "members")):
        if object_id(each):
            yield from role_member(each, run)
        else:
            yield run.remark("bad-record", f"{run.owner}: a member without an id")
    run.owner = owner


def role_member(item: Item, run: Run) -> Iterator[Record]:
    """Read who has a role of the whole directory."""
    yield from stranger(item, run)
    template, part = run.templates.get(run.owner, run.owner), "directoryRoles/members"
    yield from _named(template, run.role_names.get(template), run)
    implied = run.told("", *ASSIGNED)
    yield run.tie("HAS_ROLE", end_id(item), _role(template, run), part, implied, scope="/")


def _named(template: str, name: str | None, run: Run) -> Iterator[Record]:
    """Yield a role that is only known from who has it: there are no answers about roles."""
    if "roleDefinitions" not in run.present and run.first(_role(template, run)):
        said = {"name": name, "template_id": template}
        yield run.node("EntraRoleDefinition", _role(template, run), said, "roleDefinitions/named")
        yield run.contained(_role(template, run))


def _role(template: str, run: Run) -> str:
    return f"{fold(template)}@{run.tenant}"


# --- assignments and eligibilities ----------------------------------------------------------


def assignment(item: Item, run: Run) -> Iterator[Record]:
    """Read that somebody has a role, as `roleAssignments` or its schedule instances say it."""
    uid = object_id(item)
    # its schedule instance may have said the same, and since when
    again = run.again(f"role assignment {uid}", run.contained(uid))
    if again:
        yield again
        return
    part = run.topic or "roleAssignments"
    yield from _assigned(item, "EntraRoleAssignment", "HAS_ROLE", part, run)


def eligibility(item: Item, run: Run) -> Iterator[Record]:
    """Read that somebody may activate a role."""
    uid = object_id(item)
    again = run.again(f"role eligibility {uid}", run.contained(uid))
    if again:
        yield again
        return
    part = eligibility_collection(run.topic)
    yield from _assigned(item, "EntraRoleEligibility", "ELIGIBLE_FOR", part, run)


def eligibility_collection(topic: str) -> str:
    """Return the collection of a topic: instances are what every tool lists."""
    return topic if topic == "roleEligibilitySchedules" else "roleEligibilities"


def _assigned(item: Item, kind: str, tie: str, part: str, run: Run) -> Iterator[Record]:
    uid, holder = object_id(item), fold(word(find(item, "principalId")))
    role_id = fold(word(find(item, "roleDefinitionId")))
    if not (uid and holder and role_id):
        yield run.remark("bad-record", f"role assignment {uid or '?'}: of nobody or of no role")
        return
    if role_id.startswith("/"):  # it would be taken for a role of the whole directory
        yield run.remark("bad-record", f"{uid}: of a role of Azure, but its id is no ARM id")
        return
    template = fold(word(find(item, "roleDefinition/templateId")))
    template = template or run.templates.get(role_id, role_id)
    scope = word(find(item, "directoryScopeId")) or "/"
    eligible = kind == "EntraRoleEligibility"
    properties = own(item, kind, _ASSIGNMENT, _EXPANDED)
    properties |= {"directory_scope": scope, "role": _name(item, template, run)}
    properties |= _term(item)
    if eligible:
        properties["assignment_type"] = "Eligible"
    properties["principal_type"] = _type_of(inner(find(item, "principal")))
    yield run.node(kind, uid, properties, part)
    yield run.contained(uid)
    yield run.tie("HAS_ASSIGNMENT", holder, uid, part)
    yield run.tie("OF_ROLE", uid, _role(template, run), part)
    yield from _named(template, properties.get("role"), run)
    yield run.tie("SCOPED_TO", uid, _scope(scope, item, run), part)
    said = {"scope": scope, "assignment_id": uid, **_term(item)}
    if not eligible:
        said["assignment_type"] = word(find(item, "assignmentType")) or "Assigned"
    # told apart from the node of the assignment: tools that list roles another way say it too
    yield run.tie(tie, holder, _role(template, run), part, True, **said)
    principal = inner(find(item, "principal"))
    if object_id(principal):
        yield from stranger(principal, run)


def _name(item: Item, template: str, run: Run) -> str | None:
    given = word(find(item, "roleDefinition/displayName"))
    return given or run.role_names.get(template) or None


def _type_of(principal: Item) -> str | None:
    name = word(principal.get("@odata.type")).rpartition(".")[2]
    return name[:1].upper() + name[1:] if name else None


def _term(item: Item) -> Item:
    """Return when it counts: instances say so themselves, schedules in their `scheduleInfo`."""
    start = find(item, "startDateTime") or find(item, "scheduleInfo/startDateTime")
    end = find(item, "endDateTime") or find(item, "scheduleInfo/expiration/endDateTime")
    return {name: at for name, at in (("start_at", start), ("end_at", end)) if at}


def _scope(scope: str, item: Item, run: Run) -> str:
    """Return the uid of what an assignment is limited to; `/administrativeUnits/{id}` is one."""
    app = word(find(item, "appScopeId"))
    target = fold(scope.rpartition("/")[2]) or fold(app.rpartition("/")[2])
    return run.apps.get(target, target) or run.tenant


# --- what activating a role takes -----------------------------------------------------------


def policy(item: Item, run: Run) -> Iterator[Record]:
    """Read a policy of role management, and what its rules say if they were expanded."""
    used = ("rules", "effectiveRules", "lastModifiedBy")
    names = {"scopeId": "scope"}
    uid = object_id(item)
    properties = own(item, "RoleManagementPolicy", names, used)
    properties |= _rules(items(find(item, "effectiveRules")) or items(find(item, "rules")))
    yield run.node("RoleManagementPolicy", uid, properties)
    yield run.contained(uid)


def policy_assignment(item: Item, run: Run) -> Iterator[Record]:
    """Read which role, or which group, a policy governs, and who approves its activation."""
    part = "roleManagementPolicyAssignments"
    uid, role = fold(word(find(item, "policyId"))), fold(word(find(item, "roleDefinitionId")))
    if not uid or not role:
        yield run.remark("bad-record", f"{object_id(item) or '?'}: governs no role by no policy")
        return
    scope = word(find(item, "scopeId")) or "/"
    grouped = word(find(item, "scopeType")).lower() == "group"
    target = fold(scope) if grouped else _role(run.templates.get(role, role), run)
    expanded = inner(find(item, "policy"))
    if expanded and "roleManagementPolicies" not in run.present and run.first(uid):
        yield from policy({**expanded, "id": uid}, run)
    aspect = role if grouped else scope
    yield run.tie("GOVERNS", uid, target, part, scope=aspect)
    rules = _rules(items(find(expanded, "effectiveRules")) or items(find(expanded, "rules")))
    for approver in (*rules.get("user_approvers", ()), *rules.get("group_approvers", ())):
        yield run.tie("APPROVES", approver, target, part, scope=aspect)


def _rules(rules: list[Item]) -> Item:
    """Return what the rules of a policy demand of whoever activates."""
    said: Item = {}
    for rule in rules:
        kind, name = word(rule.get("@odata.type")), word(rule.get("id"))
        if name == "Enablement_EndUser_Assignment":
            enabled = words(find(rule, "enabledRules"))
            said["requires_mfa"] = "MultiFactorAuthentication" in enabled
            said["requires_justification"] = "Justification" in enabled
            said["requires_ticket"] = "Ticketing" in enabled
        elif name == "Expiration_EndUser_Assignment":
            said |= read(rule, {"max_duration": "maximumDuration"})
        elif name == "Expiration_Admin_Eligibility":
            said |= read(rule, {"eligible_max_duration": "maximumDuration"})
            said["permanent_eligible_allowed"] = find(rule, "isExpirationRequired") is False
        elif name == "Expiration_Admin_Assignment":
            said["permanent_active_allowed"] = find(rule, "isExpirationRequired") is False
        elif kind.endswith("ApprovalRule"):
            said |= _approval(inner(find(rule, "setting")))
        elif kind.endswith("AuthenticationContextRule") and find(rule, "isEnabled"):
            said |= read(rule, {"auth_context": "claimValue"})
    return said


def _approval(setting: Item) -> Item:
    said: Item = {"requires_approval": find(setting, "isApprovalRequired") is True}
    for stage in items(find(setting, "approvalStages")):
        for each in items(find(stage, "primaryApprovers")):
            user = word(find(each, "userId")) or word(find(each, "id"))
            group = word(find(each, "groupId"))
            if group and GUID.fullmatch(group):
                said.setdefault("group_approvers", []).append(fold(group))
            elif user and GUID.fullmatch(user):
                said.setdefault("user_approvers", []).append(fold(user))
    return said
