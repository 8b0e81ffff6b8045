"""What an answer is about: told by its context, by its items, and only then by its name."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from simbuilder.graph.formats import answers_apps as apps
from simbuilder.graph.formats import answers_directory as directory
from simbuilder.graph.formats import answers_policies as policies
from simbuilder.graph.formats import answers_roles as roles
from simbuilder.graph.formats.answers_arm import arm
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import GUID, Item, camel, odata_type, word
from simbuilder.graph.records import Record, fold

Mapper = Callable[[Item, Run], Iterator[Record]]

ARM = "arm"


@dataclass(frozen=True, slots=True)
class Topic:
    """What answers can be about.

    `names` are what contexts, links and files call it, letters only. `tail` is set where each
    answer is about one object, its owner: it is what lists that hold several owners name the list.
    `part` is what is known in full of an owner whose answer is whole.
    """

    name: str
    mapper: Mapper
    names: tuple[str, ...]
    tail: str = ""
    part: str = ""


def _owned(name: str, mapper: Mapper, names: tuple[str, ...], part: str = "") -> Topic:
    return Topic(name, mapper, names, name.rpartition("/")[2], part or name)


_SETTING_NAMES = {
    "crossTenantAccessPolicyConfigurationDefault": ("crosstenantaccesspolicydefault",),
    "crossTenantAccessPolicyConfigurationPartner": ("crosstenantaccesspolicypartners",),
}

TOPICS = {
    each.name: each
    for each in (
        Topic("organization", directory.organization, ("organizations", "tenant", "tenantdetails")),
        Topic("domains", directory.domain, ("domain",)),
        Topic("users", directory.user, ("user", "aduser", "adusers", "aduserlist")),
        Topic("groups", directory.group, ("group", "adgroup", "adgroups", "adgrouplist")),
        Topic("applications", apps.application, ("application", "apps", "adapp", "adapplist")),
        Topic("servicePrincipals", apps.principal, ("serviceprincipal", "sps", "adsp", "adsplist")),
        Topic("devices", directory.device, ("device",)),
        Topic("administrativeUnits", directory.unit, ("administrativeunit", "aus")),
        Topic("directoryRoles", roles.directory_role, ("directoryrole",)),
        Topic("roleDefinitions", roles.definition, ("roledefinition", "directoryroledefinitions")),
        Topic("roleAssignments", roles.assignment, ("roleassignment", "directoryroleassignments")),
        Topic("roleAssignmentScheduleInstances", roles.assignment, ("roleassignmentschedules",)),
        Topic("roleEligibilitySchedules", roles.eligibility, ("roleeligibilityschedule",)),
        Topic("roleEligibilityScheduleInstances", roles.eligibility, ("roleeligibilities",)),
        Topic("roleManagementPolicies", roles.policy, ("rolemanagementpolicy",)),
        Topic("roleManagementPolicyAssignments", roles.policy_assignment, ()),
        Topic(
            "conditionalAccessPolicies",
            policies.conditional_access,
            ("identityconditionalaccesspolicies", "conditionalaccesspolicy", "capolicies"),
        ),
        Topic("namedLocations", policies.named_location, ("namedlocation",)),
        Topic("oauth2PermissionGrants", apps.grant, ("oauthpermissiongrants",)),
        _owned("groups/members", directory.member, ("groupmembers", "members"), "groupMembers"),
        _owned("groups/owners", directory.group_owner, ("groupowners",), "groupOwners"),
        _owned(
            "administrativeUnits/members",
            directory.unit_member,
            ("administrativeunitmembers", "unitmembers", "aumembers"),
            "IN_UNIT",
        ),
        _owned("directoryRoles/members", roles.role_member, ("directoryrolemembers",)),
        _owned("users/manager", directory.manager, ("usermanager", "managers"), "REPORTS_TO"),
        _owned("users/memberOf", directory.membership, ("memberof", "groupsmemberof"), "memberOf"),
        _owned(
            "applications/owners",
            directory.application_owner,
            ("applicationowners", "appowners"),
            "applicationOwners",
        ),
        _owned(
            "servicePrincipals/owners",
            directory.principal_owner,
            ("serviceprincipalowners", "spowners"),
            "servicePrincipalOwners",
        ),
        _owned(
            "devices/registeredOwners",
            directory.device_owner,
            ("deviceowners", "deviceregisteredowners", "registeredowners"),
            "deviceOwners",
        ),
        _owned(
            "devices/registeredUsers",
            directory.device_user,
            ("deviceusers", "registeredusers"),
            "deviceUsers",
        ),
        _owned(
            "applications/federatedIdentityCredentials",
            apps.federated,
            ("federatedidentitycredentials", "applicationfederatedidentitycredentials"),
            "federatedCredentials",
        ),
        _owned(
            "servicePrincipals/appRoleAssignedTo",
            apps.app_role_assignment,
            ("approleassignedto",),
            "appRoleAssignments",
        ),
        _owned(
            "servicePrincipals/appRoleAssignments",
            apps.app_role_assignment,
            ("approleassignments", "usersapproleassignments", "groupsapproleassignments"),
            "held",
        ),
        *(
            Topic(name, policies.setting, _SETTING_NAMES.get(name, ()))
            for name in policies.SETTINGS
        ),
    )
}
"""Everything of Microsoft Graph that is read, by name."""

WHOLE = frozenset(name for name, topic in TOPICS.items() if not topic.tail)
"""Topics whose listings can be of all there is. A filter leaves no trace in the last page, so only
a file that is called as the listing is believed to be it."""

DIRECTORY_OBJECTS = "directoryobjects"

_LETTERS = re.compile(r"[^a-z0-9]+")
_KEYED = re.compile(r"\('([^']*)'\)|\(([0-9a-fA-F-]{36})\)")
_SELECTED = re.compile(r"\([^()]*\)")
_COLLECTION = re.compile(r"Collection\(([^()]*)\)")


def plain(text: str) -> str:
    """Return the letters and digits of a name, lower-case, without the GUIDs in it."""
    return _LETTERS.sub("", GUID.sub("", text).lower())


_BY_NAME = {
    plain(name): topic.name for topic in TOPICS.values() for name in (topic.name, *topic.names)
}


def by_name(*names: str) -> str:
    """Return the topic of nested names, the last one foremost: `groups`, `members`."""
    kept = [each for each in map(plain, names) if each]
    for start in range(max(len(kept) - 2, 0), len(kept)):
        name = "".join(kept[start:])
        found = _BY_NAME.get(name) or _BY_NAME.get(name.rstrip("0123456789"))
        if found:
            return found
    return ""


def by_context(context: str) -> tuple[str, str]:
    """Return topic and owner that an `@odata.context` names; both may be empty.

    Of `...#groups('1')/members` the topic is `groups/members`, the owner `1`. The topic of members
    that are listed as directory objects is `directoryobjects`.
    """
    path = _COLLECTION.sub(r"\1", unquote(context.partition("#")[2]))
    keys = [first or second for first, second in _KEYED.findall(path)]
    path = _KEYED.sub("", path)
    while _SELECTED.search(path):
        path = _SELECTED.sub("", path)
    path = path.replace("microsoft.graph.", "")
    names = [each for each in path.split("/") if not each.startswith("$")]
    if names and plain(names[-1]) in (DIRECTORY_OBJECTS, "directoryobject"):
        return DIRECTORY_OBJECTS, ""
    return by_name(*names), fold(keys[-1]) if keys else ""


def by_link(link: str) -> tuple[str, str]:
    """Return topic and owner that the address of a next page names; both may be empty."""
    names = [each for each in urlsplit(link).path.split("/") if each][1:]
    owners = [each for each in names if GUID.fullmatch(each)]
    return by_name(*names), fold(owners[-1]) if owners else ""


TYPES = {
    "user": "users",
    "group": "groups",
    "serviceprincipal": "servicePrincipals",
    "application": "applications",
    "device": "devices",
    "administrativeunit": "administrativeUnits",
    "directoryrole": "directoryRoles",
    "organization": "organization",
    "domain": "domains",
    "ipnamedlocation": "namedLocations",
    "countrynamedlocation": "namedLocations",
    "conditionalaccesspolicy": "conditionalAccessPolicies",
    "unifiedroledefinition": "roleDefinitions",
    "unifiedroleassignment": "roleAssignments",
    "oauth2permissiongrant": "oauth2PermissionGrants",
    "approleassignment": "servicePrincipals/appRoleAssignedTo",
}
"""Topics by `@odata.type`."""

TYPED = frozenset(TYPES[name] for name in ("user", "group", "serviceprincipal", "device"))
"""Topics of what can be a member or an owner."""

MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("users", ("userPrincipalName",)),
    ("servicePrincipals", ("servicePrincipalType",)),
    ("servicePrincipals", ("servicePrincipalNames",)),
    ("applications", ("appId", "signInAudience")),
    ("applications", ("appId", "identifierUris")),
    ("applications", ("appId", "passwordCredentials")),
    ("groups", ("securityEnabled", "mailEnabled")),
    ("groups", ("groupTypes",)),
    ("organization", ("verifiedDomains",)),
    ("domains", ("authenticationType", "isVerified")),
    ("domains", ("authenticationType", "isAdminManaged")),
    ("devices", ("deviceId", "operatingSystem")),
    ("directoryRoles", ("roleTemplateId",)),
    ("roleDefinitions", ("rolePermissions",)),
    ("roleDefinitions", ("isBuiltIn", "isEnabled")),
    ("roleAssignmentScheduleInstances", ("principalId", "roleDefinitionId", "assignmentType")),
    ("roleAssignments", ("principalId", "roleDefinitionId", "directoryScopeId")),
    ("roleManagementPolicyAssignments", ("policyId", "roleDefinitionId")),
    ("roleManagementPolicies", ("scopeId", "isOrganizationDefault")),
    ("oauth2PermissionGrants", ("clientId", "consentType", "resourceId")),
    ("servicePrincipals/appRoleAssignedTo", ("appRoleId", "principalId", "resourceId")),
    ("conditionalAccessPolicies", ("conditions", "grantControls")),
    ("namedLocations", ("ipRanges",)),
    ("namedLocations", ("countriesAndRegions",)),
    ("authorizationPolicy", ("defaultUserRolePermissions",)),
    ("authenticationMethodsPolicy", ("authenticationMethodConfigurations",)),
    ("applications/federatedIdentityCredentials", ("issuer", "subject", "audiences")),
)
"""Fields that only items of a topic have, all of them together."""

_ALIKE = (
    ("roleAssignments", "roleEligibilitySchedules", "roleEligibilityScheduleInstances"),
    ("applications", "servicePrincipals"),
)
"""Topics whose items look alike: between them the name decides."""

_TYPED = frozenset(TYPES.values())
_ABOUT_USERS = ("userId", "userDisplayName")
"""Fields that sign-ins, managed devices and reports have beside the name of a user."""


def by_item(item: Item, named: str = "") -> str:
    """Return the topic of an item by what it says of itself; empty if it does not tell."""
    if word(item.get("id")).startswith("/subscriptions/") or _is_arm(item):
        return ARM
    typed = by_type(item)
    if typed:
        return typed
    keys = {camel(key) if "_" in key else key for key in item}
    told = next((topic for topic, marks in MARKS if keys.issuperset(marks)), "")
    if told in _TYPED and (odata_type(item) or not keys.isdisjoint(_ABOUT_USERS)):
        return ""  # of another type, which only says which user, or application, it is about
    alike = any(told in each and named in each for each in _ALIKE)
    return named if alike else told


def by_type(item: Item) -> str:
    """Return the topic of the type that an item says it is of; empty if it says none of ours."""
    return TYPES.get(odata_type(item), "")


def _is_arm(item: Item) -> bool:
    uid = word(item.get("id"))
    of_account = "tenantId" in item and "state" in item and GUID.fullmatch(uid) is not None
    return uid.lower().startswith(("/providers/", "/subscriptions/")) or of_account


MAPPERS: Mapping[str, Mapper] = {ARM: arm} | {topic.name: topic.mapper for topic in TOPICS.values()}
