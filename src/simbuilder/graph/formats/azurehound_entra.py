"""AzureHound's elements about the directory: accounts, groups, applications, devices."""

import base64
import binascii
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
from simbuilder.graph.records import Remark, fold

OBJECT: Table = {
    "id": DROPPED,
    "@odata.type": DROPPED,
    "tenantId": DROPPED,
    "tenantName": DROPPED,
    "displayName": "name",
    "description": "description",
    "createdDateTime": "created",
    "accountEnabled": "account_enabled",
    "mail": "mail",
    "mailNickname": "mail_nickname",
    "onPremisesSyncEnabled": "on_prem_sync_enabled",
    "onPremisesSecurityIdentifier": "on_prem_sid",
    "onPremisesLastSyncDateTime": "on_prem_last_sync",
    "onPremisesSamAccountName": "on_prem_sam_account_name",
    "securityIdentifier": "security_identifier",
}
TENANT: Table = OBJECT | {
    "defaultDomain": "default_domain",
    "domains": "verified_domains",
    "tenantType": "tenant_type",
    "countryCode": "country",
    "country": "countryName",
}
USER: Table = OBJECT | {
    "userPrincipalName": "upn",
    "proxyAddresses": "proxy_addresses",
    "userType": "user_type",
    "creationType": "creation_type",
    "externalUserState": "external_user_state",
    "onPremisesDistinguishedName": "on_prem_distinguished_name",
    "onPremisesImmutableId": "on_prem_immutable_id",
    "givenName": "given_name",
    "employeeId": "employee_id",
    "employeeType": "employee_type",
    "employeeHireDate": "employee_hired",
    "companyName": "company_name",
    "jobTitle": "job_title",
    "officeLocation": "office_location",
    "usageLocation": "usage_location",
    "passwordPolicies": "password_policies",
    "lastPasswordChangeDateTime": "password_last_changed",
    "signInActivity": {
        "lastSignInDateTime": "last_sign_in",
        "lastNonInteractiveSignInDateTime": "last_non_interactive_sign_in",
    },
}
GROUP: Table = OBJECT | {
    "mailEnabled": "mail_enabled",
    "securityEnabled": "security_enabled",
    "groupTypes": "group_types",
    "membershipRule": "membership_rule",
    "membershipRuleProcessingState": "membership_rule_state",
    "isAssignableToRole": "is_assignable_to_role",
    "isManagementRestricted": "is_member_management_restricted",
    "expirationDateTime": "expires",
}
DEVICE: Table = OBJECT | {
    "deviceId": "device_id",
    "operatingSystem": "operating_system",
    "operatingSystemVersion": "operating_system_version",
    "trustType": "trust_type",
    "profileType": "profile_type",
    "managementType": "management_type",
    "deviceOwnership": "device_ownership",
    "enrollmentType": "enrollment_type",
    "isCompliant": "is_compliant",
    "isManaged": "is_managed",
    "isRooted": "is_rooted",
    "registrationDateTime": "registered",
    "approximateLastSignInDateTime": "last_sign_in",
}
CREDENTIALS: Table = {"passwordCredentials": DROPPED, "keyCredentials": DROPPED}
APPLICATION: Table = (
    OBJECT
    | CREDENTIALS
    | {
        "id": "object_id",
        "appId": "app_id",
        "signInAudience": "sign_in_audience",
        "publisherDomain": "publisher_domain",
        "verifiedPublisher": {"displayName": "publisher_name"},
        "identifierUris": "identifier_uris",
        "isFallbackPublicClient": "is_fallback_public_client",
        "groupMembershipClaims": "group_claims",
        "requiredResourceAccess": "required_resource_access",
        "disabledByMicrosoftStatus": "disabled_by_microsoft",
        "servicePrincipalLockConfiguration": {"isEnabled": "is_property_lock_enabled"},
        "web": {
            "redirectUris": DROPPED,
            "homePageUrl": "homepage",
            "implicitGrantSettings": {
                "enableIdTokenIssuance": "implicit_id_tokens",
                "enableAccessTokenIssuance": "implicit_access_tokens",
            },
        },
        "spa": {"redirectUris": DROPPED},
        "publicClient": {"redirectUris": DROPPED},
    }
)
SERVICE_PRINCIPAL: Table = (
    OBJECT
    | CREDENTIALS
    | {
        "appId": "app_id",
        "appDisplayName": "app_display_name",
        "appOwnerOrganizationId": "app_owner_org_id",
        "appRoleAssignmentRequired": "app_role_assignment_required",
        "servicePrincipalType": "sp_type",
        "servicePrincipalNames": "sp_names",
        "alternativeNames": "alternative_names",
        "loginUrl": "login_url",
        "replyUrls": "reply_urls",
        "tags": "sp_tags",
        "preferredSingleSignOnMode": "preferred_sso_mode",
        "signInAudience": "sign_in_audience",
        "verifiedPublisher": {"displayName": "publisher_name"},
        "disabledByMicrosoftStatus": "disabled_by_microsoft",
        "appRoles": DROPPED,
        "oauth2PermissionScopes": DROPPED,
    }
)
FEDERATED: Table = {
    "id": DROPPED,
    "name": "name",
    "claimsMatchingExpression": {"value": "claims_expression"},
}
PERMISSION: Table = {
    "id": "role_id",
    "displayName": "name",
    "adminConsentDisplayName": "name",
    "adminConsentDescription": "description",
    "allowedMemberTypes": "allowed_member_types",
    "isEnabled": "is_enabled",
    "type": "consent_level",
}

FALSE: Mapping[str, tuple[str, ...]] = {
    "AZUser": ("account_enabled", "on_prem_sync_enabled"),
    "AZGroup": ("security_enabled", "mail_enabled", "is_assignable_to_role"),
    "AZServicePrincipal": ("account_enabled", "app_role_assignment_required"),
    "AZDevice": ("account_enabled",),
}
"""What AzureHound reads of every object, and leaves out where it is false."""


def tenant(element: Element) -> Iterator[Made]:
    """Yield a tenant: the one that was read, or one that trusts it."""
    data = element.data
    uid = text(data, "tenantId") or text(data, "id").removeprefix("/tenants/")
    if not uid:
        yield element.bad("has no tenantId")
        return
    yield element.node("Tenant", uid, translated(data, TENANT)[0])


def plain(kind: str, table: Table, element: Element) -> Iterator[Made]:
    """Yield an object of the directory, and that the tenant contains it."""
    uid = text(element.data, "id")
    if not uid:
        yield element.bad("has no id")
        return
    yield _object(element, kind, uid, table)
    yield element.contained(uid)


def application(element: Element) -> Iterator[Made]:
    """Yield an application and its credentials."""
    data = element.data
    uid = text(data, "appId")
    if not uid:
        yield element.bad("has no appId")
        return
    node = _object(element, "EntraApplication", uid, APPLICATION)
    uris = [
        uri
        for place in ("web", "spa", "publicClient")
        for uri in listed(inner(data, place), "redirectUris")
    ]
    yield element.node(node.kind, uid, {**node.properties, "redirect_uris": uris or None})
    yield element.contained(uid)
    yield from _credentials(element, uid)


def service_principal(element: Element) -> Iterator[Made]:
    """Yield a service principal, its application, credentials, and permissions it declares."""
    data = element.data
    uid, app = text(data, "id"), text(data, "appId")
    if not uid:
        yield element.bad("has no id")
        return
    yield _object(element, "EntraServicePrincipal", uid, SERVICE_PRINCIPAL)
    yield element.contained(uid)
    if app:
        yield element.tie("INSTANCE_OF", uid, app, implied=True)
        yield element.tie("RUNS", app, uid, implied=True)
    yield from _credentials(element, uid)
    for name, kind in (("appRoles", "AppRole"), ("oauth2PermissionScopes", "OAuth2Scope")):
        for each in element.parts(name):
            if isinstance(each, Remark):
                yield each
                continue
            role = text(each, "id")
            if not role:
                yield element.bad(f"one of its {name} has no id")
                continue
            permission = f"{uid}/{role}"
            yield element.node(kind, permission, translated(each, PERMISSION)[0])
            yield element.tie("ON", permission, uid, implied=True)


def federated(element: Element) -> Iterator[Made]:
    """Yield the issuers outside that an application trusts."""
    for each in element.parts("fics", "fic"):
        if isinstance(each, Remark):
            yield each
            continue
        fic = inner(each, "fic")
        uid, app = text(fic, "id"), text(each, "appId") or text(element.data, "appId")
        if not uid or not app:
            yield element.bad("a credential has no id, or no appId")
            continue
        yield element.node("FederatedCredential", uid, translated(fic, FEDERATED)[0])
        yield element.tie("HAS_CREDENTIAL", app, uid)
        yield element.tie("AUTHENTICATES_TO", uid, app, implied=True)
        issuer = text(fic, "issuer")
        if issuer:
            if element.is_new(issuer):
                yield element.node("ExternalIssuer", issuer, {"name": issuer, "issuer": issuer})
            yield element.tie("TRUSTS_ISSUER", uid, issuer)


def people(kind: str, many: str, one: str, target: str, element: Element) -> Iterator[Made]:
    """Yield whom a list of members or owners ties to what they are of."""
    data = element.data
    for each in element.parts(many, one):
        if isinstance(each, Remark):
            yield each
            continue
        uid = text(inner(each, one), "id")
        end = text(each, target) or text(data, target)
        if uid and end:
            yield element.tie(kind, uid, end)
        else:
            yield element.bad(f"one of its {many} has no id, or no {target}")


def _object(element: Element, kind: str, uid: str, table: Table) -> Any:
    properties = translated(element.data, table)[0]
    for name in FALSE.get(element.kind, ()):
        properties.setdefault(name, False)
    return element.node(kind, uid, properties)


def _credentials(element: Element, owner: str) -> Iterator[Made]:
    for name, kind in (("passwordCredentials", "secret"), ("keyCredentials", "certificate")):
        for each in element.parts(name):
            if isinstance(each, Remark):
                yield each
                continue
            key = text(each, "keyId")
            if not key:
                yield element.bad(f"one of its {name} has no keyId")
                continue
            uid = f"{owner}/{key}"
            properties = {
                "name": text(each, "displayName") or None,
                "credential_type": kind,
                "key_id": fold(key),
                "usage": text(each, "usage") or None,
                "thumbprint": _thumbprint(text(each, "customKeyIdentifier")) or None,
                "start_at": text(each, "startDateTime") or None,
                "end_at": text(each, "endDateTime") or None,
            }
            yield element.node("Credential", uid, properties, "credentials")
            yield element.tie("HAS_CREDENTIAL", owner, uid)
            yield element.tie("AUTHENTICATES_TO", uid, owner, implied=True)


def _thumbprint(identifier: str) -> str:
    """Return the hexadecimal digits of a SHA-1, whichever way it is written; else nothing.

    Owners may put any text there, so only what looks like a thumbprint is believed.
    """
    if len(identifier) == 40 and all(each in "0123456789abcdefABCDEF" for each in identifier):
        return identifier.upper()
    try:
        digest = base64.b64decode(identifier, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return digest.hex().upper() if len(digest) == 20 else ""


RULES: Mapping[str, Rule] = {
    "AZTenant": Rule("organization", tenant),
    "AZUser": Rule("users", partial(plain, "EntraUser", USER)),
    "AZGroup": Rule("groups", partial(plain, "EntraGroup", GROUP)),
    "AZDevice": Rule("devices", partial(plain, "EntraDevice", DEVICE)),
    "AZApp": Rule("applications", application),
    "AZServicePrincipal": Rule("servicePrincipals", service_principal),
    "AZFederatedIdentityCredential": Rule("federatedCredentials", federated),
    "AZAppFIC": Rule("federatedCredentials", federated),
    "AZGroupMember": Rule(
        "groupMembers", partial(people, "MEMBER_OF", "members", "member", "groupId")
    ),
    "AZGroupOwner": Rule("groupOwners", partial(people, "OWNS", "owners", "owner", "groupId")),
    "AZAppOwner": Rule("applicationOwners", partial(people, "OWNS", "owners", "owner", "appId")),
    "AZServicePrincipalOwner": Rule(
        "servicePrincipalOwners", partial(people, "OWNS", "owners", "owner", "servicePrincipalId")
    ),
    "AZDeviceOwner": Rule("deviceOwners", partial(people, "OWNS", "owners", "owner", "deviceId")),
}
