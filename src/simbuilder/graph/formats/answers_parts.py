"""Lists of objects within an item: what is there instead of an object is said."""

from collections.abc import Iterator
from typing import Any

from simbuilder.graph.formats.answers_ids import arm_id, type_of
from simbuilder.graph.formats.answers_run import Run
from simbuilder.graph.formats.answers_values import Item, camel, inner
from simbuilder.graph.records import Remark

_DIRECTORY = frozenset(
    (
        *("passwordCredentials", "keyCredentials", "federatedIdentityCredentials", "appRoles"),
        *("oauth2PermissionScopes", "oauth2PermissionGrants", "appRoleAssignedTo"),
        *("appRoleAssignments", "verifiedDomains", "rolePermissions", "rules", "effectiveRules"),
        *("ipRanges", "members", "owners", "registeredOwners", "registeredUsers"),
    )
)
_AZURE = {
    "microsoft.authorization": ("permissions", "principals", "excludePrincipals"),
    "microsoft.management": ("children",),
    "microsoft.keyvault": ("accessPolicies",),
    "microsoft.containerservice": ("agentPoolProfiles",),
    "microsoft.network": (
        *("ipConfigurations", "subnets", "virtualNetworkPeerings", "securityRules"),
        *("networkInterfaces", "privateLinkServiceConnections"),
        "manualPrivateLinkServiceConnections",
    ),
}
"""By the provider: other providers have other lists of the same names."""


def malformed(item: Item, run: Run) -> Iterator[Remark]:
    """Yield a remark for each member of a list that is no object, and for what is no list."""
    uid = arm_id(item)
    if uid:
        names = frozenset(_AZURE.get(type_of(uid).partition("/")[0], ()))
        item = inner(item.get("properties")) or item
    else:
        names = _DIRECTORY
    for name, held in item.items():
        if held is None or (camel(name) if "_" in name else name) not in names:
            continue
        if isinstance(held, list):
            for each in held:
                if not isinstance(each, dict):
                    yield _said(name, each, run)
        elif not isinstance(held, dict):
            yield _said(name, held, run)


def _said(name: str, value: Any, run: Run) -> Remark:
    return run.remark("bad-record", f"not an object among its {name}: {value!r:.80}")
