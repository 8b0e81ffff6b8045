"""Files of answers: what each holds, and of which tenant it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.errors import GraphInputError
from tests.unit.graph_answers import (
    CLIENT,
    DEV,
    G1,
    GRAPH,
    READER,
    SP1,
    SP2,
    U1,
    U2,
    USERS,
    S,
    T,
    arm,
    disk,
    guid,
    listing,
    nodes,
    proofs,
    read,
    remarks,
    ties,
)

# --- what a file holds ----------------------------------------------------------------------


def test_what_it_holds_is_never_told_by_its_name_alone(tmp_path: Path) -> None:
    group = {"id": G1, "displayName": "G", "securityEnabled": True, "mailEnabled": False}
    files = {"users.json": [group], "groups.json": {"value": [USERS[0]]}}
    found = nodes(read(tmp_path, files))
    assert found[G1].kind == "EntraGroup"
    assert found[U1].kind == "EntraUser"


def test_one_object_by_itself(tmp_path: Path) -> None:
    one = {"@odata.context": f"{GRAPH}$metadata#users/$entity", **USERS[0], "proxyAddresses": ["a"]}
    found = read(tmp_path, {f"users/{U1}.json": one})
    assert nodes(found)[U1].properties["proxy_addresses"] == ["a"]
    assert not proofs(found)["users"]


def test_everything_becomes_a_record_or_a_remark(tmp_path: Path) -> None:
    files = {
        "users.json": listing("users", USERS[0], 7, {"displayName": "no id"}),
        "odd.json": [{"colour": "red"}],
        "more.json": listing("subscribedSkus", {"id": "x"}),
        "members.json": listing("directoryObjects", {"id": U1}),
        "notes.txt": "read me",
        "empty.json": {"value": []},
    }
    found = read(tmp_path, files)
    said = {(each.code, each.at.partition("/")[2]) for each in remarks(found)}
    assert said >= {
        ("bad-record", "users.json:10"),
        ("unknown-kind", "odd.json:2"),
        ("unknown-kind", "more.json:4"),
        ("bad-record", "members.json:4"),
        ("unknown-format", "notes.txt"),
        ("unknown-format", "empty.json"),
    }


def test_files_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    whole = json.dumps(listing("users", *USERS))
    for cut in (1, 40, len(whole) // 2, len(whole) - 1):
        with pytest.raises(GraphInputError, match=r"users\.json"):
            read(tmp_path, {"users.json": whole[:cut]})


# --- the tenant -----------------------------------------------------------------------------


def test_the_tenant_is_found_or_asked_for(tmp_path: Path) -> None:
    users = listing("users", *USERS)
    with pytest.raises(GraphInputError, match="tenant") as error:
        read(tmp_path / "a", {"users.json": users}, None)
    assert "--tenant" in error.value.hint
    own = {"id": T, "verifiedDomains": [{"name": "contoso.example", "isDefault": True}]}
    found = read(
        tmp_path / "b", {"users.json": users, "o.json": listing("organization", own)}, None
    )
    assert nodes(found)[U1].tenant_id == T
    assert nodes(found)[T].properties["default_domain"] == "contoso.example"
    subscription = {"id": S, "tenantId": T, "state": "Enabled", "name": "Prod"}
    found = read(tmp_path / "c", {"users.json": users, "s.json": [subscription]}, None)
    assert nodes(found)[f"/subscriptions/{S}"].tenant_id == T


def test_answers_of_another_tenant_than_asked_for_are_refused(tmp_path: Path) -> None:
    own = {"id": T, "verifiedDomains": []}
    with pytest.raises(GraphInputError, match="not"):
        read(tmp_path, {"o.json": listing("organization", own)}, S)


def test_subscriptions_of_several_tenants_need_a_choice(tmp_path: Path) -> None:
    lists = [
        {"id": S, "tenantId": T, "state": "Enabled"},
        {"id": guid(99), "tenantId": guid(98), "state": "Enabled"},
    ]
    with pytest.raises(GraphInputError, match="several tenants"):
        read(tmp_path, {"s.json": lists}, None)
    found = read(tmp_path, {"s.json": lists}, T)
    assert set(nodes(found)) == {f"/subscriptions/{S}"}
    assert len(remarks(found, "bad-record")) == 1


def test_a_folder_called_as_the_tenant_is_nobodys(tmp_path: Path) -> None:
    grant = {"id": "p", "clientId": SP1, "resourceId": SP2, "consentType": "AllPrincipals"}
    files = {
        f"{T}/oauth2PermissionGrants.json": listing("oauth2PermissionGrants", grant),
        f"{T}/groupMembers.json": [{"groupId": G1, "id": U1, "deviceId": DEV}],
        f"{T}/subscriptions/{S}/disks.json": arm(disk("r1", "a")),
    }
    found = read(tmp_path, files)
    assert proofs(found)["oauth2PermissionGrants"]
    assert proofs(found)[f"subscriptions/{S}/microsoft.compute/disks"]
    assert ties(found, "MEMBER_OF") == {(U1, "MEMBER_OF", G1)}


def test_roles_that_are_only_known_from_who_has_them(tmp_path: Path) -> None:
    base = f"/subscriptions/{S}/providers/Microsoft.Authorization"
    azure = {
        "id": f"{base}/roleAssignments/a",
        "principalId": U1,
        "roleDefinitionId": f"{base}/roleDefinitions/{READER}",
        "scope": f"/subscriptions/{S}",
    }
    entra = {"id": "A1", "principalId": U1, "roleDefinitionId": "r1", "directoryScopeId": "/"}
    files = {
        "azure.json": [azure],
        "entra.json": listing("roleManagement/directory/roleAssignments", entra),
    }
    found = nodes(read(tmp_path, files))
    assert found[f"r1@{T}"].kind == "EntraRoleDefinition"
    built_in = f"/providers/microsoft.authorization/roledefinitions/{READER}@{T}"
    assert found[built_in].properties["name"] == "Reader"


def test_a_tenant_is_asked_for_by_its_id(tmp_path: Path) -> None:
    with pytest.raises(GraphInputError, match="not the id"):
        read(tmp_path, {"users.json": USERS}, "contoso.example")


def test_the_type_that_an_item_says_counts_more_than_its_list(tmp_path: Path) -> None:
    group = {"@odata.type": "#microsoft.graph.group", "id": G1}
    odd = {"@odata.type": "#microsoft.graph.whatever", "id": U1}
    found = nodes(read(tmp_path, {"users.json": listing("users", group, odd)}))
    assert (found[G1].kind, found[U1].kind) == ("EntraGroup", "EntraUser")


def test_answers_as_powershell_saves_them(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        whole = {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity"}
        (tmp_path / "one.json").write_text(json.dumps({**whole, **USERS[0]}), encoding=encoding)
        (tmp_path / "two.json").write_text(json.dumps(USERS[1:]), encoding=encoding)
        assert {U1, U2} <= set(nodes(read(tmp_path, {})))


@pytest.mark.parametrize(
    "item",
    [
        {"@odata.type": "#microsoft.graph.userAppInstallStatus", "userPrincipalName": "a@b"},
        {"userPrincipalName": "a@b", "userId": U1, "deviceName": "PC", "operatingSystem": "W"},
        {"userPrincipalName": "a@b", "userDisplayName": "Ana", "isMfaRegistered": True},
    ],
)
def test_what_only_names_a_user_is_none(tmp_path: Path, item: dict[str, Any]) -> None:
    files = {
        "signIns.json": [{"id": "s1", **item}],
        "reports.json": listing("auditLogs/signIns", {"id": "s2", **item}),
    }
    found = read(tmp_path, files)
    assert not nodes(found)
    assert [each.code for each in remarks(found)] == ["unknown-kind", "unknown-kind"]


def test_service_principals_of_few_fields_are_no_applications(tmp_path: Path) -> None:
    item = {"id": SP1, "appId": CLIENT, "signInAudience": "AzureADMyOrg"}
    found = nodes(read(tmp_path, {"servicePrincipals.json": [item]}))
    assert {uid: each.kind for uid, each in found.items()} == {SP1: "EntraServicePrincipal"}
