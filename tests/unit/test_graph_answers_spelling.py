"""Answers in the spelling of other tools, and several lists in one file."""

import json
from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.formats.sources import open_source
from simbuilder.graph.records import Relationship
from tests.unit.graph_answers import (
    G1,
    PROVIDERS,
    U1,
    U2,
    USERS,
    S,
    T,
    listing,
    nodes,
    prepared,
    proofs,
    read,
    remarks,
    ties,
)

POWERSHELL = [
    {
        "Id": U1.upper(),
        "DisplayName": "Ana",
        "UserPrincipalName": "ana@contoso.example",
        "AccountEnabled": True,
        "OnPremisesSyncEnabled": False,
        "CreatedDateTime": "/Date(1600000000000)/",
        "AdditionalProperties": {"department": "HR", "@odata.context": "x"},
    }
]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-16-le", "utf-8"])
def test_users_as_powershell_prints_them(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "users.json").write_bytes(json.dumps(POWERSHELL).encode(encoding))
    found = list(open_source(tmp_path, T).records())
    said = nodes(found)[U1].properties
    assert said == {
        "name": "Ana",
        "upn": "ana@contoso.example",
        "account_enabled": True,
        "on_prem_sync_enabled": False,
        "created": "2020-09-13T12:26:40Z",
        "department": "HR",
    } | dict.fromkeys(("last_sign_in", "last_non_interactive_sign_in"))
    assert not prepared(found)


def test_names_in_lower_case_and_dates_that_are_none(tmp_path: Path) -> None:
    users = [
        {"id": U1, "displayname": "Ana", "userprincipalname": "a@b", "jobtitle": "IT"},
        {"ID": U2, "displayName": "Bo", "CreatedDateTime": "/Date(999999999999999)/"},
    ]
    found = nodes(read(tmp_path, {"users.json": users}))
    assert found[U1].properties["job_title"] == "IT"
    assert found[U2].properties["created"] == "/Date(999999999999999)/"


def test_members_and_scopes_as_powershell_prints_them(tmp_path: Path) -> None:
    member = {"Id": U1, "AdditionalProperties": {"@odata.type": "#microsoft.graph.user"}}
    role = f"/subscriptions/{S}/providers/Microsoft.Authorization/roleAssignments/r1"
    assigned = {
        "RoleAssignmentName": "r1",
        "RoleAssignmentId": role,
        "Scope": f"/subscriptions/{S}",
        "DisplayName": "Ana",
        "SignInName": "ana@contoso.example",
        "RoleDefinitionName": "Owner",
        "RoleDefinitionId": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "ObjectId": U1,
        "ObjectType": "User",
    }
    group = {
        "ResourceGroupName": "RG1",
        "Location": "westeurope",
        "Tags": {"CostCenter": "7"},
        "ResourceId": f"/subscriptions/{S}/resourceGroups/RG1",
    }
    vault = {"Id": f"{PROVIDERS}/Microsoft.KeyVault/vaults/KV", "Name": "KV", "Location": "x"}
    found = read(
        tmp_path,
        {
            f"groups/{G1}/members.json": [member],
            "assignments.json": [assigned],
            "resourceGroups.json": [group],
            "vaults.json": [vault],
        },
    )
    assert not remarks(found)
    assert (U1, "MEMBER_OF", G1) in ties(found)
    assert (U1, "HAS_ASSIGNMENT", role.lower()) in ties(found)
    assert nodes(found)[role.lower()].properties["principal_type"] == "User"
    said = nodes(found)[f"/subscriptions/{S}/resourcegroups/rg1"].properties
    assert (said["name"], said["tags"]) == ("RG1", {"CostCenter": "7"})
    assert nodes(found)[f"{PROVIDERS}/microsoft.keyvault/vaults/kv".lower()].kind == "KeyVault"


def test_what_a_library_has_no_field_for(tmp_path: Path) -> None:
    user = {"id": U1, "display_name": "Ana", "additional_data": {"userPrincipalName": "a@b"}}
    assert nodes(read(tmp_path, {"users.json": [user]}))[U1].properties["upn"] == "a@b"


def test_one_file_with_a_list_for_each_topic(tmp_path: Path) -> None:
    content = {
        "collectedAt": "2024-01-01",
        "tenantId": T.upper(),
        "users": USERS,
        "groups": [{"id": G1, "displayName": "G"}],
        "groupMembers": {G1: [{"id": U1}]},
        "colours": [{"colour": "red"}],
        "azure": {"vaults": [{"id": f"{PROVIDERS}/Microsoft.KeyVault/vaults/v"}], "vms": []},
    }
    found = read(tmp_path, {"all.json": content}, None)
    assert {U1, U2, G1} < nodes(found).keys()
    assert {each.kind for each in nodes(found).values()} > {"KeyVault"}
    assert (U1, "MEMBER_OF", G1) in ties(found)
    said = sorted((each.code, each.message.partition(":")[0]) for each in remarks(found))
    assert said == [
        ("unknown-format", "empty, and nothing says what it would hold"),
        ("unknown-kind", "collectedAt"),
        ("unknown-kind", "nothing known has the fields colour"),
    ]
    assert not any(proofs(found).values())


def test_lists_in_one_file_may_be_answers_themselves(tmp_path: Path) -> None:
    whole = {"users": listing("users", *USERS), "groups": listing("groups", {"id": G1})}
    assert proofs(read(tmp_path / "a", {"all.json": whole}))["users"]
    more = whole | {"users": listing("users", *USERS, link="https://graph.example/users?$skip=x")}
    found = read(tmp_path / "b", {"all.json": more})
    assert not proofs(found)["users"]
    assert proofs(found)["groups"]
    pages = whole | {"users": [listing("users", USERS[0]), listing("users", USERS[1])]}
    found = read(tmp_path / "c", {"all.json": pages})
    assert {U1, U2} < nodes(found).keys()
    assert not proofs(found)["users"]


def test_objects_beside_the_items_of_an_answer(tmp_path: Path) -> None:
    found = read(tmp_path, {"users.json": {**listing("users", *USERS), "errors": [{"code": 1}]}})
    assert [each.code for each in remarks(found)] == ["unknown-kind"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"appRoles": ["r", None]}, ["'r'", "None"]),
        ({"passwordCredentials": ["x", {"keyId": "k"}], "keyCredentials": []}, ["'x'"]),
        ({"keyCredentials": "MicrosoftGraphKeyCredential"}, ["MicrosoftGraph"]),
        ({"federatedIdentityCredentials": [7]}, ["7"]),
        ({"owners": [{"displayName": "x"}, U1]}, ["without an id", U1]),
    ],
)
def test_parts_that_are_no_objects_are_said(
    tmp_path: Path, item: dict[str, Any], said: list[str]
) -> None:
    application = {"id": "a", "appId": "b", "signInAudience": "c", **item}
    found = read(tmp_path, {"applications.json": listing("applications", application)})
    messages = " ".join(each.message for each in remarks(found, "bad-record"))
    assert all(each in messages for each in said)
    assert "b" in nodes(found)
    assert not any(proofs(found).values())  # a part that could not be read is not one that is gone


def test_one_object_where_a_list_is_to_be_counts_as_a_list_of_it(tmp_path: Path) -> None:
    item = {"id": "a", "appId": "b", "signInAudience": "c", "passwordCredentials": {"keyId": "k"}}
    assert "b/k" in nodes(read(tmp_path, {"applications.json": [item]}))


def test_a_role_of_azure_is_none_of_the_directory(tmp_path: Path) -> None:
    role = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/x"
    item = {"id": "ra-1", "principalId": U1, "roleDefinitionId": role, "scope": "/subscriptions/s"}
    found = read(tmp_path, {"roleAssignments.json": [item]})
    assert not nodes(found)
    assert [each.code for each in remarks(found)] == ["bad-record"]


def test_nothing_that_is_listed_again_goes_without_a_trace(tmp_path: Path) -> None:
    role = {"id": "a", "principalId": U1, "roleDefinitionId": "r", "directoryScopeId": "/"}
    held = {"id": "h", "principalId": U1, "resourceId": U2, "appRoleId": "p"}
    found = read(
        tmp_path,
        {
            "roleAssignments.json": [role, role],
            f"servicePrincipals/{U2}/appRoleAssignedTo.json": listing("appRoleAssignments", held),
            f"users/{U1}/appRoleAssignments.json": listing("appRoleAssignments", held),
        },
    )
    (again,) = remarks(found, "duplicate")
    assert again.at.rpartition("/")[2] == "roleAssignments.json:8"
    # by who holds it and by what it is held of: what repeats is implied
    places = [e.at for e in found if isinstance(e, Relationship) and e.end == "h" and e.implied]
    assert len(places) == 2


def test_built_in_roles_are_listed_by_each_subscription(tmp_path: Path) -> None:
    path = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7"
    roles = [
        {"id": f"/subscriptions/{each}{path}", "properties": {"type": "BuiltInRole", "by": each}}
        for each in ("s1", "s2")
    ]
    found = read(tmp_path, {"roleDefinitions.json": {"value": roles}})
    assert not remarks(found, "duplicate")
    counted = [each.at for each in found if isinstance(each, Relationship)]
    assert len(counted) == len(set(counted)) == 2


def test_what_is_known_in_part_keeps_the_rest(tmp_path: Path) -> None:
    vault: dict[str, Any] = {
        "id": f"{PROVIDERS}/Microsoft.KeyVault/vaults/v",
        "sku": {"name": "P1", "tier": "Premium"},
        "systemData": {"createdBy": "ana", "createdAt": "2024-01-01"},
    }
    deny = f"/subscriptions/{S}/providers/Microsoft.Authorization/denyAssignments/d"
    denied = {"id": deny, "properties": {"denyAssignmentName": "d", "updatedBy": "bo"}}
    found = nodes(read(tmp_path, {"a.json": {"value": [vault]}, "b.json": {"value": [denied]}}))
    said = found[vault["id"].lower()].properties
    assert (said["sku"], said["sku.tier"], said["systemData.createdBy"]) == ("P1", "Premium", "ana")
    assert said["name"] == "v"
    assert found[deny.lower()].properties["properties"] == {"updatedBy": "bo"}


def test_a_management_group_after_what_is_below_it(tmp_path: Path) -> None:
    top, below = (f"/providers/Microsoft.Management/managementGroups/{n}" for n in ("top", "low"))
    child = {"id": below, "name": "low", "properties": {"parent": {"id": top}}}
    files = {
        "descendants.json": {"value": [child]},
        "managementGroups.json": {"value": [{"id": top}, {"id": below, "name": "low"}]},
    }
    assert {top.lower(), below.lower()} <= nodes(read(tmp_path, files)).keys()


def test_a_group_without_anything_but_its_members(tmp_path: Path) -> None:
    found = read(tmp_path, {"groups.json": [{"id": G1, "members": []}]})
    assert not nodes(found)
    assert ties(found, "CONTAINS") == {(T, "CONTAINS", G1)}


def test_what_only_one_answer_says_is_not_implied(tmp_path: Path) -> None:
    """Or a member that is nowhere would dangle without a word."""
    member_of = listing("directoryObjects", {"@odata.type": "#microsoft.graph.group", "id": G1})
    files = {f"users/{U1}/memberOf.json": member_of}
    alone = read(tmp_path / "a", files)
    both = read(tmp_path / "b", files | {f"groups/{G1}/members.json": listing("users", USERS[0])})
    said = (U1, "MEMBER_OF", G1)
    assert [e.implied for e in alone if isinstance(e, Relationship) and e.end == G1] == [
        True,
        False,
    ]
    assert said in ties(alone)
    implied = [e for e in both if isinstance(e, Relationship) and e.kind == "MEMBER_OF"]
    assert sorted(each.implied for each in implied) == [False, True]


def test_the_text_of_a_secret_is_left_out_with_a_remark(tmp_path: Path) -> None:
    secret = {"keyId": "K", "secretText": "never to be kept"}
    item = {"id": "a", "appId": "b", "signInAudience": "c", "passwordCredentials": [secret]}
    found = read(tmp_path, {"applications.json": [item]})
    assert "never to be kept" not in repr(found)
    assert [each.code for each in remarks(found)] == ["withheld"]
