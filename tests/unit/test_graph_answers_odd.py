"""Answers with anything in any place: read or remarked, never a crash."""

import json
from pathlib import Path
from typing import Any

from simbuilder.graph.model import SCHEMA
from simbuilder.graph.preparing import Preparer
from simbuilder.graph.records import Node, Relationship, Remark
from tests.unit.graph_answers import (
    APP,
    CLIENT,
    G1,
    PROVIDERS,
    SP1,
    U1,
    U2,
    USERS,
    S,
    T,
    machine,
    read,
)

CODES = {"bad-record", "misfit", "incomplete", "unknown-kind", "outdated", "duplicate"}


def _seeds() -> list[dict[str, Any]]:
    """Return every item that the tests above read, told by what they are."""
    return [
        {**USERS[0], "manager": {"id": U2}, "signInActivity": {}, "passwordPolicies": "A"},
        {"id": G1, "groupTypes": ["Unified"], "members": [{"id": U1}], "owners": [{"id": U1}]},
        {"id": T, "verifiedDomains": [{"name": "a"}], "directorySizeQuota": {"used": 1}},
        {
            "id": APP,
            "appId": CLIENT,
            "signInAudience": "x",
            "passwordCredentials": [{"keyId": "k"}],
            "keyCredentials": [{"keyId": "k"}],
            "federatedIdentityCredentials": [{"id": "f", "issuer": "https://a"}],
            "web": {"redirectUris": ["a"], "implicitGrantSettings": {}},
            "groupMembershipClaims": "All",
        },
        {
            "id": SP1,
            "servicePrincipalType": "Application",
            "appId": CLIENT,
            "appRoles": [{"id": "r"}],
            "oauth2PermissionScopes": [{"id": "s"}],
            "appRoleAssignedTo": [{"id": "a", "principalId": U1, "resourceId": SP1}],
            "oauth2PermissionGrants": [{"id": "g", "clientId": SP1, "resourceId": SP1}],
        },
        {"id": "r", "templateId": "t", "rolePermissions": [{"allowedResourceActions": ["a"]}]},
        {"id": "a", "principalId": U1, "roleDefinitionId": "r", "directoryScopeId": "/"},
        {
            "id": "p",
            "policyId": "p",
            "roleDefinitionId": "r",
            "policy": {
                "rules": [
                    {"id": "Enablement_EndUser_Assignment", "enabledRules": ["a"]},
                    {"@odata.type": "xApprovalRule", "setting": {"approvalStages": [{}]}},
                ]
            },
        },
        {
            "id": "c",
            "conditions": {"users": {"includeUsers": ["All"]}, "devices": {}},
            "grantControls": {},
        },
        {"id": "n", "ipRanges": [{"cidrAddress": "a"}]},
        {"id": "x", "defaultUserRolePermissions": {"permissionGrantPoliciesAssigned": ["a"]}},
        machine(
            properties={
                "storageProfile": {"osDisk": {"managedDisk": {"id": "/a"}}, "imageReference": {}},
                "instanceView": {"statuses": [{"code": "PowerState/running"}]},
            },
            sku={"name": "a"},
            systemData={},
            resources=[{"name": "a"}],
        ),
        *(
            {
                "id": f"{PROVIDERS}/{name}",
                "name": "x",
                "kind": "app",
                "identity": {"userAssignedIdentities": {"/a": {"principalId": SP1}}},
                "properties": inner,
            }
            for name, inner in {
                "Microsoft.KeyVault/vaults/v": {
                    "accessPolicies": [{"objectId": U1, "permissions": {"secrets": ["get"]}}],
                    "networkAcls": {"ipRules": [{"value": "a"}]},
                },
                "Microsoft.Network/virtualNetworks/n": {
                    "subnets": [
                        {"id": f"{PROVIDERS}/Microsoft.Network/virtualNetworks/n/subnets/a"}
                    ],
                    "virtualNetworkPeerings": [{"properties": {"remoteVirtualNetwork": {}}}],
                },
                "Microsoft.Network/networkInterfaces/n": {
                    "ipConfigurations": [{"properties": {"subnet": {"id": "/a"}}}]
                },
                "Microsoft.Network/networkSecurityGroups/n": {
                    "securityRules": [{"properties": {"access": "Allow", "direction": "Inbound"}}],
                    "subnets": [{"id": "/a"}],
                },
                "Microsoft.ContainerService/managedClusters/c": {
                    "nodeResourceGroup": "a",
                    "agentPoolProfiles": [{"vnetSubnetID": "/a"}],
                    "identityProfile": {"kubeletidentity": {"objectId": "a"}},
                },
                "Microsoft.ManagedIdentity/userAssignedIdentities/i": {"principalId": "a"},
                "Microsoft.Sql/servers/s": {"administrators": {"sid": "a"}},
                "Microsoft.Logic/workflows/w": {"definition": {"triggers": {"a": {}}}},
                "Microsoft.Automation/automationAccounts/a": {"publicNetworkAccess": True},
                "Microsoft.Authorization/roleAssignments/a": {
                    "principalId": "a",
                    "roleDefinitionId": "b",
                    "scope": "/",
                },
                "Microsoft.Authorization/roleDefinitions/a": {"permissions": [{"actions": ["a"]}]},
                "Microsoft.Authorization/denyAssignments/a": {"principals": [{"id": "a"}]},
                "Microsoft.Insights/diagnosticSettings/a": {"workspaceId": "/a", "logs": [{}]},
                "Microsoft.Network/privateEndpoints/a": {
                    "privateLinkServiceConnections": [{"properties": {}}]
                },
            }.items()
        ),
        {
            "id": "/providers/Microsoft.Management/managementGroups/m",
            "properties": {"children": [{"id": f"/subscriptions/{S}"}], "details": {"parent": {}}},
        },
        {"id": S, "tenantId": T, "state": "Enabled", "managedByTenants": [{"tenantId": "a"}]},
    ]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every place within a document."""
    found = [path]
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            found += _paths(each, (*path, name))
    return found


ODD: tuple[Any, ...] = (None, True, 7, 1.5, "", "a", [], ["a"], [7], [[]], [None], {}, {"a": 7})


def test_any_value_in_any_place_is_read_or_remarked(tmp_path: Path) -> None:
    preparer, number = Preparer(SCHEMA), 0
    odd: list[Any] = []
    for seed in _seeds():
        for path in _paths(seed)[1:]:
            for value in ODD:
                document = json.loads(json.dumps(seed))
                inner = document
                for name in path[:-1]:
                    inner = inner[name]
                inner[path[-1]] = value
                if document["id"] == seed["id"] and "verifiedDomains" not in document:
                    number += 1  # each an object of its own, or it counts as known
                    document["id"] = f"{seed['id']}{number}"
                odd.append(document)
    for record in read(tmp_path, {"users.json": odd}):
        said: list[Remark] = []
        if isinstance(record, Node):
            assert preparer.node(record, said) or said
        elif isinstance(record, Relationship):
            assert preparer.relationship(record, said) or said
        elif isinstance(record, Remark):
            said.append(record)
        codes = {each.code for each in said}
        assert codes <= CODES
