"""Answers about applications: registrations, service principals, credentials and permissions.

Shapes are those of Microsoft Graph v1.0. Of a secret only its id and dates are ever read.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from simbuilder.graph.formats.answers_directory import (
    application_owner,
    expanded,
    principal_owner,
)
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import (
    NO_GUID,
    Item,
    Reading,
    find,
    items,
    object_id,
    own,
    read,
    split,
    word,
    words,
)
from simbuilder.graph.formats.azurehound_names import APP_ROLES
from simbuilder.graph.records import Record, fold

_CREDENTIAL = {
    "name": "displayName",
    "key_id": "keyId",
    "hint": "hint",
    "usage": "usage",
    "thumbprint": "customKeyIdentifier",
    "start_at": "startDateTime",
    "end_at": "endDateTime",
}
_APPLICATION: dict[str, Reading] = {
    "publisher_name": "verifiedPublisher/displayName",
    "homepage": "web/homePageUrl",
    "implicit_id_tokens": "web/implicitGrantSettings/enableIdTokenIssuance",
    "implicit_access_tokens": "web/implicitGrantSettings/enableAccessTokenIssuance",
    "is_property_lock_enabled": "servicePrincipalLockConfiguration/isEnabled",
    "group_claims": ("groupMembershipClaims", split),
    "disabled_by_microsoft": "disabledByMicrosoftStatus",
}
_APPLICATION_PARTS = (
    *("appId", "passwordCredentials", "keyCredentials", "owners", "appRoles"),
    *("federatedIdentityCredentials", "groupMembershipClaims", "disabledByMicrosoftStatus"),
)
_PRINCIPAL_NAMES = {
    "servicePrincipalType": "sp_type",
    "appOwnerOrganizationId": "app_owner_org_id",
    "servicePrincipalNames": "sp_names",
    "tags": "sp_tags",
    "preferredSingleSignOnMode": "preferred_sso_mode",
    "disabledByMicrosoftStatus": "disabled_by_microsoft",
    "appDescription": "description",
}
_PRINCIPAL_PARTS = (
    *("passwordCredentials", "keyCredentials", "owners", "appRoles", "oauth2PermissionScopes"),
    *("appRoleAssignedTo", "appRoleAssignments", "oauth2PermissionGrants", "verifiedPublisher"),
)
_PERMISSION = {
    "name": "displayName",
    "value": "value",
    "role_id": "id",
    "allowed_member_types": "allowedMemberTypes",
    "is_enabled": "isEnabled",
}


# --- applications and service principals ----------------------------------------------------


def application(item: Item, run: Run) -> Iterator[Record]:
    """Read a registered application, and what it can sign in with."""
    uid = fold(word(find(item, "appId")))
    if not uid:
        yield run.remark("bad-record", f"application {object_id(item) or '?'}: without appId")
        return
    run.apps[object_id(item)] = uid
    run.known("applications", object_id(item))
    properties = own(item, "EntraApplication", {}, _APPLICATION_PARTS) | read(item, _APPLICATION)
    redirects = [u for part in ("web", "spa", "publicClient") for u in _redirects(item, part)]
    properties |= {"app_id": uid, "object_id": object_id(item), "redirect_uris": redirects}
    if item.get("appRoles"):
        properties["appRoles"] = item["appRoles"]
    yield run.node("EntraApplication", uid, properties)
    yield run.contained(uid)
    yield from _credentials(item, uid, run)
    yield from expanded(item, "owners", application_owner, run)
    part = "federatedIdentityCredentials"
    if isinstance(find(item, part), list | dict):
        owner, run.owner = run.owner, object_id(item)
        for each in items(find(item, part)):
            yield from federated(each, run)
        run.covers("federatedCredentials", object_id(item))
        run.owner = owner


def _redirects(item: Item, part: str) -> list[str]:
    return words(find(item, f"{part}/redirectUris"))


def principal(item: Item, run: Run) -> Iterator[Record]:
    """Read a service principal: its application, credentials, permissions and grants."""
    uid = object_id(item)
    run.known("servicePrincipals", uid)
    properties = own(item, "EntraServicePrincipal", _PRINCIPAL_NAMES, _PRINCIPAL_PARTS)
    if item.get("description"):
        properties["description"] = item["description"]
    properties |= read(item, {"publisher_name": "verifiedPublisher/displayName"})
    yield run.node("EntraServicePrincipal", uid, properties)
    yield run.contained(uid)
    app = fold(word(find(item, "appId")))
    if app:
        # the application of another tenant is nobody's to list here: that dangles without a word
        yield run.tie("INSTANCE_OF", uid, app, "servicePrincipals/application", True)
        yield run.tie("RUNS", app, uid, "servicePrincipals/application", True)
        run.covers("servicePrincipals/application", uid)
        if fold(word(properties.get("app_owner_org_id"))) != run.tenant:
            run.clients[app] = uid
    yield from _credentials(item, uid, run)
    yield from _permissions(item, uid, run)
    yield from expanded(item, "owners", principal_owner, run)
    yield from _granted(item, run)


def _granted(item: Item, run: Run) -> Iterator[Record]:
    """Read what was expanded about permissions, each list as one of its own."""
    topic = run.topic
    for part in ("appRoleAssignedTo", "appRoleAssignments"):
        run.topic = f"{topic}/{part}"
        for each in items(find(item, part)):
            yield from app_role_assignment(each, run)
    run.topic = f"{topic}/oauth2PermissionGrants"
    for each in items(find(item, "oauth2PermissionGrants")):
        yield from grant(each, run)
    run.topic = topic


def _permissions(item: Item, uid: str, run: Run) -> Iterator[Record]:
    """Yield what a service principal declares for others to be granted."""
    part = "servicePrincipals/appRoles"
    for each in items(find(item, "appRoles")):
        properties = read(each, _PERMISSION | {"description": "description"})
        yield from _permission("AppRole", each, properties, uid, run)
    for each in items(find(item, "oauth2PermissionScopes")):
        table = _PERMISSION | {"name": "adminConsentDisplayName", "consent_level": "type"}
        properties = read(each, table | {"description": "adminConsentDescription"})
        yield from _permission("OAuth2Scope", each, properties, uid, run)
    if find(item, "appRoles") is not None and find(item, "oauth2PermissionScopes") is not None:
        run.covers(part, uid)


def _permission(kind: str, item: Item, said: Item, owner: str, run: Run) -> Iterator[Record]:
    if not object_id(item):
        yield run.remark("bad-record", f"{owner}: a permission without an id")
        return
    uid = f"{owner}/{object_id(item)}"
    run.role_names[uid] = word(said.get("value"))
    yield run.node(kind, uid, said, "servicePrincipals/appRoles")
    yield run.tie("ON", uid, owner, "servicePrincipals/appRoles")


# --- credentials ----------------------------------------------------------------------------


def _credentials(item: Item, owner: str, run: Run) -> Iterator[Record]:
    for field, kind in (("passwordCredentials", "secret"), ("keyCredentials", "certificate")):
        for each in items(find(item, field)):
            yield from _credential(each, kind, owner, run)
    if all(find(item, field) is not None for field in ("passwordCredentials", "keyCredentials")):
        run.covers("credentials", object_id(item))


def _credential(item: Item, kind: str, owner: str, run: Run) -> Iterator[Record]:
    key = fold(word(find(item, "keyId")))
    if not key:
        yield run.remark("bad-record", f"{owner}: a {kind} without keyId")
        return
    if find(item, "secretText"):
        yield run.remark("withheld", f"{owner}: the text of secret {key}")
    uid, part = f"{owner}/{key}", "credentials"
    properties = {"credential_type": kind, **read(item, _CREDENTIAL)}
    yield run.node("Credential", uid, properties, part)
    yield run.tie("HAS_CREDENTIAL", owner, uid, part)
    yield run.tie("AUTHENTICATES_TO", uid, owner, part)


def federated(item: Item, run: Run) -> Iterator[Record]:
    """Read the trust that an application puts in the tokens of somebody outside."""
    owner = run.apps.get(run.owner, run.owner)
    uid, part = object_id(item), "federatedCredentials"
    issuer = word(find(item, "issuer")).strip()
    if not owner or not uid:
        what = "an id" if owner else "a known application"
        yield run.remark("bad-record", f"a federated credential without {what}")
        return
    properties = own(item, "FederatedCredential", {}, ("claimsMatchingExpression",))
    properties["claims_expression"] = find(item, "claimsMatchingExpression/value")
    yield run.node("FederatedCredential", uid, properties, part)
    yield run.contained(uid)
    yield run.tie("HAS_CREDENTIAL", owner, uid, part)
    yield run.tie("AUTHENTICATES_TO", uid, owner, part)
    yield from trust(uid, issuer, part, run)


def trust(uid: str, issuer: str, part: str, run: Run) -> Iterator[Record]:
    """Yield who outside is trusted by what `uid` is."""
    if not issuer:
        return
    if run.first(issuer):
        properties = {"name": urlsplit(issuer).netloc or issuer, "issuer": issuer}
        yield run.node("ExternalIssuer", issuer, properties | _issuer_type(issuer), part)
    yield run.tie("TRUSTS_ISSUER", uid, issuer, part)


def _issuer_type(issuer: str) -> Item:
    known = {
        "token.actions.githubusercontent.com": "github",
        "gitlab.com": "gitlab",
        "oic.prod-aks.azure.com": "kubernetes",
        "login.microsoftonline.com": "tenant",
        "sts.windows.net": "tenant",
    }
    host = urlsplit(issuer).netloc.lower()
    found = [kind for name, kind in known.items() if host == name or host.endswith(f".{name}")]
    return {"issuer_type": found[0]} if found else {}


# --- permissions granted --------------------------------------------------------------------


def app_role_assignment(item: Item, run: Run) -> Iterator[Record]:
    """Read that somebody holds a permission of a service principal; id zero is plain access."""
    uid, holder = object_id(item), fold(word(find(item, "principalId")))
    resource, role = fold(word(find(item, "resourceId"))), fold(word(find(item, "appRoleId")))
    if not (uid and holder and resource):
        yield run.remark("bad-record", f"app role assignment {uid or '?'}: of nobody or nothing")
        return
    # each is listed twice: by who holds it and by what it is held of
    again = run.again(f"app role assignment {uid}", run.contained(uid))
    if again:
        yield again
        return
    part = "appRoleAssignments"
    names = {
        "principalDisplayName": "name",
        "resourceDisplayName": "resource_name",
        "appRoleId": "role_id",
    }
    properties = own(item, "AppRoleAssignment", names, ())
    yield run.node("AppRoleAssignment", uid, properties, part)
    yield run.contained(uid)
    yield run.tie("HAS_ASSIGNMENT", holder, uid, part)
    yield run.tie("SCOPED_TO", uid, resource, part)
    declared = f"{resource}/{role}"
    name = run.role_names.get(declared) or APP_ROLES.get(role) or role
    said = {"role": name, "assignment_id": uid}
    if name in APP_ROLES.values():
        said["bloodhound_kind"] = f"AZMG{name.replace('.', '_')}"
    yield run.tie("HAS_APP_ROLE", holder, resource, part, True, **said)
    if role in ("", NO_GUID):
        return
    yield run.tie("OF_ROLE", uid, declared, part)
    yield run.tie("GRANTED_APP_ROLE", holder, declared, part, assignment_id=uid)


def grant(item: Item, run: Run) -> Iterator[Record]:
    """Read that a client may use a service principal for one user or for all."""
    uid, client = object_id(item), fold(word(find(item, "clientId")))
    resource, user = fold(word(find(item, "resourceId"))), fold(word(find(item, "principalId")))
    if not (uid and client and resource):
        yield run.remark("bad-record", f"permission grant {uid or '?'}: of nobody or nothing")
        return
    # listed by the tenant and by the service principal
    again = run.again(f"permission grant {uid}", run.contained(uid))
    if again:
        yield again
        return
    part = "oauth2PermissionGrants"
    scopes = split(find(item, "scope")) or []
    names = {"startTime": "start_at", "expiryTime": "end_at"}
    properties = own(item, "OAuth2PermissionGrant", names, ("scope",)) | {"scopes": scopes}
    yield run.node("OAuth2PermissionGrant", uid, properties, part)
    yield run.contained(uid)
    yield run.tie("HAS_ASSIGNMENT", client, uid, part)
    yield run.tie("SCOPED_TO", uid, resource, part)
    said = {"consent_type": find(item, "consentType"), "principal_id": user}
    yield run.tie("DELEGATED", client, resource, part, scopes=scopes, **said)
