"""Answers of Microsoft Graph about a directory: nothing lost, nothing made up."""

from pathlib import Path

from simbuilder.graph.records import Node, Relationship
from tests.unit.graph_answers import (
    APP,
    AU,
    CLIENT,
    DEV,
    G1,
    G2,
    GRAPH,
    SP1,
    SP2,
    U1,
    U2,
    USERS,
    T,
    guid,
    listing,
    nodes,
    prepared,
    proofs,
    read,
    ties,
)


def test_users_by_the_names_of_the_model_and_the_rest_under_its_own(tmp_path: Path) -> None:
    user = {
        **USERS[0],
        "onPremisesSyncEnabled": True,
        "passwordPolicies": "DisablePasswordExpiration, DisableStrongPassword",
        "signInActivity": {"lastSignInDateTime": "2026-01-01T00:00:00Z"},
        "imAddresses": ["sip:ana"],
    }
    found = nodes(read(tmp_path, {"users.json": listing("users", user)}))[U1]
    assert found.kind == "EntraUser"
    assert found.at == f"{tmp_path.name}/users.json:4"
    assert found.properties["upn"] == "ana@contoso.example"
    assert found.properties["name"] == "Ana"
    assert found.properties["on_prem_sync_enabled"] is True
    assert found.properties["last_sign_in"] == "2026-01-01T00:00:00Z"
    assert found.properties["imAddresses"] == ["sip:ana"]
    assert len(found.properties["password_policies"]) == 2


def test_members_owners_and_managers_become_relationships(tmp_path: Path) -> None:
    member = {"@odata.type": "#microsoft.graph.user", "id": U2}
    files = {
        "users.json": listing("users(id,manager(id))", {**USERS[0], "manager": {"id": U2}}),
        "groups.json": listing("groups", {"id": G1, "groupTypes": []}, {"id": G2}),
        f"groups/{G1}/members.json": listing("directoryObjects", member),
        f"groups/{G2}/members.json": listing(f"groups('{G2}')/members", {"id": U1}),
        f"groupOwners/{G1}.json": listing("directoryObjects", {"id": U1}),
        f"administrativeUnits/{AU}/members.json": listing("directoryObjects", member),
        f"devices/{DEV}/registeredOwners.json": listing("directoryObjects", member),
    }
    found = read(tmp_path, files)
    assert ties(found) == {
        (U1, "REPORTS_TO", U2),
        (U2, "MEMBER_OF", G1),
        (U1, "MEMBER_OF", G2),
        (U1, "OWNS", G1),
        (U2, "IN_UNIT", AU),
        (U2, "OWNS", DEV),
    }
    assert proofs(found)["groupMembers"]
    assert not proofs(found)["groupOwners"], "those of one group were not read"
    assert not prepared(found)


def test_members_may_be_listed_for_many_groups_in_one_file(tmp_path: Path) -> None:
    for number, content in enumerate(
        (
            {G1: [{"id": U1}], G2: []},
            [{"groupId": G1, "members": [{"id": U1}]}],
            [{"id": G1, "members": [U1]}],
            [{"groupId": G1, "memberId": U1}],
        )
    ):
        found = read(tmp_path / str(number), {"groupMembers.json": content})
        assert ties(found) == {(U1, "MEMBER_OF", G1)}


def test_a_member_of_a_kind_that_is_not_listed_becomes_a_node_itself(tmp_path: Path) -> None:
    member = {"@odata.type": "#microsoft.graph.user", "id": U2, "displayName": "Bo"}
    files = {"groups.json": listing("groups", {"id": G1})}
    files[f"groups/{G1}/members.json"] = listing("directoryObjects", member)
    assert nodes(read(tmp_path, files))[U2].properties["name"] == "Bo"
    files["users.json"] = listing("users", *USERS[:1])
    assert U2 not in nodes(read(tmp_path, files)), "users are listed: that one is gone"


def test_applications_have_credentials_without_secrets(tmp_path: Path) -> None:
    secret = {"keyId": "K1", "hint": "abc", "secretText": "s3cr3t", "endDateTime": "2027-01-01"}
    app = {
        "id": APP,
        "appId": CLIENT.upper(),
        "displayName": "Shop",
        "web": {"redirectUris": ["https://shop.example"], "homePageUrl": "https://shop.example"},
        "passwordCredentials": [secret],
        "keyCredentials": [{"keyId": "K2", "key": "MII...", "usage": "Verify"}],
        "federatedIdentityCredentials": [
            {
                "id": "F1",
                "name": "ci",
                "issuer": "https://token.actions.githubusercontent.com",
                "subject": "repo:a/b",
                "audiences": ["api://AzureADTokenExchange"],
            }
        ],
    }
    files = {
        "applications.json": listing("applications", app),
        f"applications/{APP}/owners.json": listing("directoryObjects", {"id": U1}),
    }
    found = read(tmp_path, files)
    assert ties(found, "HAS_CREDENTIAL") == {
        (CLIENT, "HAS_CREDENTIAL", f"{CLIENT}/k1"),
        (CLIENT, "HAS_CREDENTIAL", f"{CLIENT}/k2"),
        (CLIENT, "HAS_CREDENTIAL", "f1"),
    }
    assert (U1, "OWNS", CLIENT) in ties(found)
    assert nodes(found)[CLIENT].properties["object_id"] == APP
    assert nodes(found)["https://token.actions.githubusercontent.com"].properties["issuer_type"]
    assert "s3cr3t" not in repr(found)
    assert "MII" not in repr(found)
    assert proofs(found)["applicationOwners"]
    assert "credentials" in proofs(found)
    assert not prepared(found)


def test_service_principals_permissions_and_grants(tmp_path: Path) -> None:
    resource = {
        "id": SP1,
        "appId": guid(90),
        "servicePrincipalType": "Application",
        "appRoles": [{"id": guid(80), "value": "Mail.Read", "allowedMemberTypes": ["Application"]}],
        "oauth2PermissionScopes": [{"id": guid(81), "value": "User.Read", "type": "User"}],
    }
    held = {"id": "a1", "principalId": SP2, "resourceId": SP1, "appRoleId": guid(80)}
    grant = {
        "id": "p1",
        "clientId": SP2,
        "resourceId": SP1,
        "consentType": "AllPrincipals",
        "scope": "User.Read  Mail.Read",
    }
    files = {
        "servicePrincipals.json": listing("servicePrincipals", resource, {"id": SP2}),
        f"servicePrincipals/{SP1}/appRoleAssignedTo.json": listing("appRoleAssignments", held),
        f"servicePrincipals/{SP2}/appRoleAssignments.json": listing("appRoleAssignments", held),
        "oauth2PermissionGrants.json": listing("oauth2PermissionGrants", grant),
    }
    found = read(tmp_path, files)
    role = f"{SP1}/{guid(80)}"
    assert {(SP2, "GRANTED_APP_ROLE", role), ("a1", "OF_ROLE", role)} <= ties(found)
    assert (SP2, "DELEGATED", SP1) in ties(found)
    assert [n.uid for n in nodes(found).values() if n.kind == "AppRoleAssignment"] == ["a1"]
    named = [e for e in found if isinstance(e, Relationship) and e.kind == "HAS_APP_ROLE"]
    assert [each.properties["role"] for each in named] == ["Mail.Read"]
    assert nodes(found)["p1"].properties["scopes"] == ["User.Read", "Mail.Read"]
    assert not prepared(found)


def test_directory_roles_go_by_their_template(tmp_path: Path) -> None:
    custom = {"id": "r1", "templateId": "t1", "isBuiltIn": False, "displayName": "Helper"}
    permissions = [{"allowedResourceActions": ["microsoft.directory/users/read"]}]
    assigned = {"id": "A1", "principalId": U1, "roleDefinitionId": "r1", "directoryScopeId": "/"}
    scoped = {**assigned, "id": "A2", "directoryScopeId": f"/administrativeUnits/{AU}"}
    files = {
        "roleAssignments.json": listing(
            "roleManagement/directory/roleAssignments", assigned, scoped
        ),
        "roleDefinitions.json": listing(
            "roleManagement/directory/roleDefinitions", {**custom, "rolePermissions": permissions}
        ),
        "eligible.json": listing(
            "roleManagement/directory/roleEligibilitySchedules",
            {**assigned, "id": "E1", "scheduleInfo": {"startDateTime": "2026-01-01"}},
        ),
        "directoryRoles.json": listing("directoryRoles", {"id": "d1", "roleTemplateId": "t1"}),
    }
    found = read(tmp_path, files)
    role = f"t1@{T}"
    assert nodes(found)[role].properties["allowed_actions"] == ["microsoft.directory/users/read"]
    assert (U1, "HAS_ROLE", role) in ties(found, "HAS_ROLE")
    assert (U1, "ELIGIBLE_FOR", role) in ties(found, "ELIGIBLE_FOR")
    assert ties(found, "SCOPED_TO") == {
        ("a1", "SCOPED_TO", T),
        ("a2", "SCOPED_TO", AU),
        ("e1", "SCOPED_TO", T),
    }
    assert nodes(found)["e1"].properties["start_at"] == "2026-01-01"
    assert proofs(found)["roleAssignments"]
    assert not prepared(found)


def test_a_schedule_instance_and_its_assignment_are_one(tmp_path: Path) -> None:
    one = {"id": "A1", "principalId": U1, "roleDefinitionId": "r1", "directoryScopeId": "/"}
    base = "roleManagement/directory/"
    files = {
        "roleAssignments.json": listing(f"{base}roleAssignments", one),
        "instances.json": listing(
            f"{base}roleAssignmentScheduleInstances", {**one, "assignmentType": "Activated"}
        ),
    }
    found = [e for e in read(tmp_path, files) if isinstance(e, Node) and e.uid == "a1"]
    assert [each.properties["assignment_type"] for each in found] == ["Activated"]


def test_what_activation_takes(tmp_path: Path) -> None:
    prefix = "#microsoft.graph.unifiedRoleManagementPolicy"
    rules = [
        {
            "id": "Enablement_EndUser_Assignment",
            "@odata.type": f"{prefix}EnablementRule",
            "enabledRules": ["MultiFactorAuthentication", "Justification"],
        },
        {
            "id": "Approval_EndUser_Assignment",
            "@odata.type": f"{prefix}ApprovalRule",
            "setting": {
                "isApprovalRequired": True,
                "approvalStages": [{"primaryApprovers": [{"groupId": G1}]}],
            },
        },
    ]
    item = {
        "id": f"Directory_{T}_p1_r1",
        "policyId": f"Directory_{T}_p1",
        "scopeId": "/",
        "scopeType": "DirectoryRole",
        "roleDefinitionId": "r1",
        "policy": {"id": f"Directory_{T}_p1", "rules": rules},
    }
    found = read(tmp_path, {"p.json": listing("policies/roleManagementPolicyAssignments", item)})
    policy = nodes(found)[f"directory_{T}_p1"]
    assert policy.properties["requires_mfa"] is True
    assert policy.properties["requires_ticket"] is False
    assert policy.properties["group_approvers"] == [G1]
    assert (policy.uid, "GOVERNS", f"r1@{T}") in ties(found)
    assert (G1, "APPROVES", f"r1@{T}") in ties(found)
    assert not prepared(found)


def test_conditional_access_locations_and_settings(tmp_path: Path) -> None:
    policy = {
        "id": guid(70),
        "displayName": "MFA",
        "state": "enabled",
        "conditions": {
            "users": {"includeUsers": ["All"], "excludeGroups": [G1], "includeRoles": ["r1"]},
            "locations": {"includeLocations": [guid(71)], "excludeLocations": ["AllTrusted"]},
        },
        "grantControls": {"operator": "OR", "builtInControls": ["mfa"]},
    }
    place = {
        "@odata.type": "#microsoft.graph.ipNamedLocation",
        "id": guid(71),
        "ipRanges": [{"cidrAddress": "10.0.0.0/8"}],
    }
    setting = {
        "@odata.context": f"{GRAPH}$metadata#policies/authorizationPolicy/$entity",
        "id": "authorizationPolicy",
        "allowInvitesFrom": "everyone",
        "defaultUserRolePermissions": {"allowedToCreateApps": True},
    }
    files = {
        "conditionalAccessPolicies.json": listing("identity/conditionalAccess/policies", policy),
        "namedLocations.json": listing("identity/conditionalAccess/namedLocations", place),
        "authorizationPolicy.json": setting,
    }
    found = read(tmp_path, files)
    assert (guid(70), "APPLIES_TO", T) in ties(found, "APPLIES_TO")
    assert (guid(70), "EXCLUDES", G1) in ties(found)
    assert (guid(70), "APPLIES_TO", guid(71)) in ties(found)
    assert nodes(found)[guid(70)].properties["grant_controls"] == ["mfa"]
    assert nodes(found)[guid(71)].properties["ip_ranges"] == ["10.0.0.0/8"]
    assert nodes(found)[f"directorypolicy:authorization@{T}"].properties["users_can_register_apps"]
    assert not prepared(found)
