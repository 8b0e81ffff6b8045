"""Answers about policies: conditional access, named locations, and settings of the whole tenant.

Shapes are those of Microsoft Graph v1.0, identity/conditionalAccess and policies.
"""

from collections.abc import Iterator

from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import (
    GUID,
    Item,
    Reading,
    find,
    items,
    object_id,
    own,
    read,
    word,
    words,
)
from simbuilder.graph.records import Record, fold

_CONDITIONAL: dict[str, Reading] = {
    "client_app_types": "conditions/clientAppTypes",
    "platforms": "conditions/platforms/includePlatforms",
    "sign_in_risk_levels": "conditions/signInRiskLevels",
    "user_risk_levels": "conditions/userRiskLevels",
    "user_actions": "conditions/applications/includeUserActions",
    "device_filter": "conditions/devices/deviceFilter/rule",
    "grant_controls": "grantControls/builtInControls",
    "grant_operator": "grantControls/operator",
    "authentication_strength": "grantControls/authenticationStrength/displayName",
}
_ABOUT = (
    ("users", "conditions/users", "Users"),
    ("users", "conditions/users", "Groups"),
    ("roles", "conditions/users", "Roles"),
    ("applications", "conditions/applications", "Applications"),
    ("locations", "conditions/locations", "Locations"),
)
"""What a policy is about: the aspect, where it is said, and the end of the field's name."""

_AUTHORIZATION: dict[str, Reading] = {
    "guest_role_id": "guestUserRoleId",
    "allow_invites_from": "allowInvitesFrom",
    "users_can_register_apps": "defaultUserRolePermissions/allowedToCreateApps",
    "users_can_create_groups": "defaultUserRolePermissions/allowedToCreateSecurityGroups",
    "users_can_create_tenants": "defaultUserRolePermissions/allowedToCreateTenants",
    "users_can_read_others": "defaultUserRolePermissions/allowedToReadOtherUsers",
    "block_msol_powershell": "blockMsolPowerShell",
}
_SETTINGS = {
    "authorizationPolicy": "authorization",
    "crossTenantAccessPolicy": "crossTenantAccess",
    "crossTenantAccessPolicyConfigurationDefault": "crossTenantAccessDefault",
    "crossTenantAccessPolicyConfigurationPartner": "crossTenantAccessPartner",
    "authenticationMethodsPolicy": "authenticationMethods",
    "identitySecurityDefaultsEnforcementPolicy": "securityDefaults",
    "adminConsentRequestPolicy": "adminConsentRequest",
}
SETTINGS = tuple(_SETTINGS)
"""Topics of settings that a tenant has one of, except partners."""


def conditional_access(item: Item, run: Run) -> Iterator[Record]:
    """Read a policy of conditional access, and whom and what it is about or spares."""
    uid = object_id(item)
    used = ("grantControls", "templateId")
    properties = own(item, "ConditionalAccessPolicy", {}, used) | read(item, _CONDITIONAL)
    if item.get("grantControls"):
        properties["grantControls"] = item["grantControls"]
    yield run.node("ConditionalAccessPolicy", uid, properties)
    yield run.contained(uid)
    for aspect, path, ending in _ABOUT:
        for prefix, tie in (("include", "APPLIES_TO"), ("exclude", "EXCLUDES")):
            for target in words(find(item, f"{path}/{prefix}{ending}")):
                reached = _target(target, aspect, run)
                if reached:
                    part = "conditionalAccessPolicies"
                    whole = reached == run.tenant
                    yield run.tie(tie, uid, reached, part, whole, aspect=aspect)


def _target(target: str, aspect: str, run: Run) -> str:
    """Return the uid of a target; words such as GuestsOrExternalUsers stay in `conditions`."""
    if target == "All":
        return run.tenant
    if not GUID.fullmatch(target):
        return ""
    if aspect == "roles":
        return f"{fold(target)}@{run.tenant}"
    # a client id names an application, which is listed here only if it is registered here
    return run.clients.get(fold(target), fold(target)) if aspect == "applications" else fold(target)


def named_location(item: Item, run: Run) -> Iterator[Record]:
    """Read networks or countries that have a name."""
    uid = object_id(item)
    used = ("ipRanges", "countriesAndRegions", "includeUnknownCountriesAndRegions")
    properties = own(item, "NamedLocation", {}, used)
    ranges = items(find(item, "ipRanges"))
    countries = find(item, "countriesAndRegions")
    properties["location_type"] = "country" if countries is not None else "ip"
    if countries is not None:
        properties["countries"] = words(countries)
        properties["includes_unknown"] = find(item, "includeUnknownCountriesAndRegions")
    else:
        properties["ip_ranges"] = [word(find(each, "cidrAddress")) for each in ranges]
    yield run.node("NamedLocation", uid, properties)
    yield run.contained(uid)


def setting(item: Item, run: Run) -> Iterator[Record]:
    """Read a setting of the whole tenant; the topic says which one it is."""
    kind = _SETTINGS[run.topic]
    partner = fold(word(find(item, "tenantId"))) if kind == "crossTenantAccessPartner" else ""
    properties: Item = {
        "policy_type": kind,
        "name": word(find(item, "displayName")) or kind,
        "description": find(item, "description"),
        "raw": {name: value for name, value in item.items() if "@odata." not in name},
        **read(item, _AUTHORIZATION),
    }
    granted = find(item, "defaultUserRolePermissions/permissionGrantPoliciesAssigned")
    if granted is not None:
        mine = "managepermissiongrantsforself"
        properties["users_can_consent"] = any(mine in each.lower() for each in words(granted))
    if partner:
        properties["partner_tenant_id"] = partner
    trusts = find(item, "inboundTrust/isMfaAccepted")
    if trusts is not None:
        properties["trusts_partner_mfa"] = trusts
    uid = f"directorypolicy:{kind.lower()}@{run.tenant}" + (f"/{partner}" if partner else "")
    yield run.node("DirectoryPolicy", uid, properties)
    yield run.contained(uid)
    yield run.tie("APPLIES_TO", uid, run.tenant, "directoryPolicies", True)
