"""AzureHound's files become the records they mean, and a remark for whatever does not."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats import azurehound
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.preparing import Preparer
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark
from tests.unit.graph_records import (
    SAMPLE,
    TENANT,
    framed,
    gid,
    json_values,
    listings,
    nodes,
    remarks,
    source,
    ties,
    uid,
)

SUBSCRIPTION = "/subscriptions/0000005b-0000-4000-8000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourcegroups/rg-app"
VAULT = f"{GROUP}/providers/microsoft.keyvault/vaults/kv1"
VM = f"{GROUP}/providers/microsoft.compute/virtualmachines/vm1"
GLOBAL_ADMIN = f"62e90394-69f5-4237-9190-012177145e10@{TENANT}"
EMITTED = (
    *("AZApp", "AZAppOwner", "AZAppRoleAssignment", "AZDevice", "AZDeviceOwner", "AZGroup"),
    *("AZFederatedIdentityCredential", "AZGroupMember", "AZGroupOwner", "AZTenant", "AZUser"),
    *("AZRole", "AZRoleAssignment", "AZServicePrincipal", "AZServicePrincipalOwner"),
    *("AZRoleEligibilityScheduleInstance", "AZRoleManagementPolicyAssignment"),
    *("AZManagementGroupDescendant", "AZKeyVaultAccessPolicy", "AZKeyVaultKVContributor"),
    *(f"AZVM{each}" for each in ("AdminLogin", "AvereContributor", "VMContributor")),
    *(
        f"AZ{place}{role}"
        for place in ("KeyVault", "ManagementGroup", "ResourceGroup", "Subscription", "VM")
        for role in ("", "Owner", "Contributor", "UserAccessAdmin", "RoleAssignment")
    ),
    *(
        f"AZ{kind}{role}"
        for kind in ("StorageAccount", "AutomationAccount", "LogicApp", "FunctionApp", "WebApp")
        for role in ("", "RoleAssignment")
    ),
    *(
        f"AZ{kind}{role}"
        for kind in ("ContainerRegistry", "ManagedCluster", "VMScaleSet")
        for role in ("", "RoleAssignment")
    ),
    "AZStorageContainer",
)


@pytest.fixture(scope="module")
def sample() -> list[Record]:
    return list(azurehound.read(SAMPLE))


# --- what the sample says -------------------------------------------------------------------


def test_every_kind_that_azurehound_emits_is_read_and_is_in_the_sample() -> None:
    assert sorted({*EMITTED, "AZAppFIC"}) == sorted(azurehound.RULES)
    there = {each["kind"] for each in json.loads(SAMPLE.read_bytes())["data"]}
    assert set(EMITTED) - there == set()


def test_every_record_can_be_written(sample: list[Record]) -> None:
    preparer = Preparer(SCHEMA)
    refused: list[Remark] = []
    for each in sample:
        if isinstance(each, Node):
            assert preparer.node(each, refused)
        elif isinstance(each, Relationship):
            assert preparer.relationship(each, refused)
    assert refused == []


def test_every_end_is_of_a_kind_that_the_model_allows(sample: list[Record]) -> None:
    known = nodes(sample)
    for (start, kind, end), tie in ties(sample).items():
        for one, allowed in (
            (start, SCHEMA.relationship_kinds[kind].starts),
            (end, SCHEMA.relationship_kinds[kind].ends),
        ):
            if one in known:
                labels = SCHEMA.node_kinds[known[one].kind].labels
                assert set(labels) & set(allowed), (kind, one)
            else:  # what the sample does not hold: identities and the cluster's own group
                assert tie.implied or kind in ("RUNS_AS", "RUNS_NODES_IN"), (kind, one)


def test_nothing_is_said_twice_unless_it_is_implied(sample: list[Record]) -> None:
    uids = Counter(uid(each.uid) for each in sample if isinstance(each, Node))
    assert [each for each, times in uids.items() if times > 1] == []
    said = Counter(
        (each.kind, each.start, each.end, each.properties.get("role"), each.properties.get("scope"))
        for each in sample
        if isinstance(each, Relationship) and not each.implied
    )
    assert [each for each, times in said.items() if times > 1] == []


def test_objects_are_contained_from_the_tenant_down(sample: list[Record]) -> None:
    contained = {(start, end) for start, kind, end in ties(sample) if kind == "CONTAINS"}
    root = f"/providers/microsoft.management/managementgroups/{TENANT}"
    platform = "/providers/microsoft.management/managementgroups/platform"
    lonely = f"/subscriptions/{gid(0x5C)}"
    chain = [TENANT, root, platform, SUBSCRIPTION, GROUP, VM]
    assert set(pairwise(chain)) <= contained
    assert {(TENANT, gid(number)) for number in (1, 3, 4, 7 + 1, 9)} <= contained
    assert (TENANT, lonely) in contained
    assert {(TENANT, platform), (TENANT, SUBSCRIPTION)} & contained == set()
    storage = f"{GROUP}/providers/microsoft.storage/storageaccounts/st1"
    assert (storage, f"{storage}/blobservices/default/containers/data") in contained


def test_an_account_keeps_what_it_says(sample: list[Record]) -> None:
    anna = nodes(sample)[gid(1)]
    assert anna.kind == "EntraUser"
    assert anna.at == "azurehound.json:5"
    assert anna.tenant_id == TENANT
    assert dict(anna.properties) == {
        "name": "ANNA MÜLLER",
        "account_enabled": True,
        "on_prem_sync_enabled": False,
        "created": "2024-01-02T03:04:05Z",
        "job_title": "Engineer",
        "mail": "anna@contoso.example",
        "upn": "anna@contoso.example",
        "user_type": "Member",
        "last_sign_in": "2025-01-01T00:00:00Z",
        "password_policies": ["DisablePasswordExpiration", "DisableStrongPassword"],
        "favouriteColour": "green",
    }
    assert nodes(sample)[gid(2)].properties["account_enabled"] is False  # left out by AzureHound


def test_members_and_owners(sample: list[Record]) -> None:
    found = ties(sample)
    member = found[gid(1), "MEMBER_OF", gid(3)]
    assert (member.collection, member.implied, member.at) == (
        "groupMembers",
        False,
        "azurehound.json:8",
    )
    assert (gid(4), "MEMBER_OF", gid(3)) in found
    for start, end in ((2, 3), (1, 9), (1, 8), (2, 4)):
        assert (gid(start), "OWNS", gid(end)) in found


def test_credentials_never_hold_a_secret(sample: list[Record]) -> None:
    assert "never to be kept" not in repr(sample)
    assert "'hint'" not in repr(sample)
    secret = nodes(sample)[f"{gid(8)}/{gid(0x70)}"]
    assert (secret.kind, secret.collection) == ("Credential", "credentials")
    assert secret.properties["credential_type"] == "secret"
    assert secret.properties["end_at"] == "2026-01-01T00:00:00Z"
    certificate = nodes(sample)[f"{gid(8)}/{gid(0x71)}"]
    assert certificate.properties["thumbprint"] == bytes(range(20)).hex().upper()
    assert (gid(8), "HAS_CREDENTIAL", secret.uid) in ties(sample)
    assert nodes(sample)[f"{gid(4)}/{gid(0x73)}"].properties["credential_type"] == "secret"


def test_applications_and_what_they_are_here(sample: list[Record]) -> None:
    app = nodes(sample)[gid(8)]
    assert app.properties["object_id"] == gid(7)
    assert app.properties["redirect_uris"] == [
        "https://payroll.example/cb",
        "https://payroll.example/spa",
    ]
    found = ties(sample)
    assert found[gid(4), "INSTANCE_OF", gid(8)].implied
    assert found[gid(8), "RUNS", gid(4)].implied
    fic = gid(0x72)
    assert (gid(8), "HAS_CREDENTIAL", fic) in found
    assert (fic, "TRUSTS_ISSUER", "https://ci.example") in found


def test_permissions_of_applications(sample: list[Record]) -> None:
    role = "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"
    found = ties(sample)
    assert (f"{gid(6)}/{role}", "ON", gid(6)) in found
    assert (gid(4), "GRANTED_APP_ROLE", f"{gid(6)}/{role}") in found
    held = found[gid(4), "HAS_APP_ROLE", gid(6)]
    assert held.properties["role"] == "RoleManagement.ReadWrite.Directory"
    assert held.properties["bloodhound_kind"] == "AZMGRoleManagement_ReadWrite_Directory"


def test_roles_of_the_directory_count_where_they_are_limited_to(sample: list[Record]) -> None:
    found = ties(sample)
    everywhere = found[gid(1), "HAS_ROLE", GLOBAL_ADMIN]
    assert everywhere.properties["scope"] == "/"
    assert everywhere.collection == "roleAssignments"
    assert ("ra-1", "SCOPED_TO", TENANT) in found
    unit = found[gid(3), "HAS_ROLE", GLOBAL_ADMIN]
    assert unit.properties["scope"] == f"/administrativeUnits/{gid(0xA)}"
    assert ("ra-2", "SCOPED_TO", gid(0xA)) in found
    assert ("ra-3", "SCOPED_TO", gid(8)) in found
    eligible = found[gid(2), "ELIGIBLE_FOR", GLOBAL_ADMIN]
    assert eligible.properties["start_at"] == "2025-01-01T00:00:00Z"
    assert {(gid(1), "APPROVES", GLOBAL_ADMIN), (gid(3), "APPROVES", GLOBAL_ADMIN)} <= set(found)


def test_roles_of_azure_are_tied_to_their_own_scope(sample: list[Record]) -> None:
    found = ties(sample)
    assert found[gid(1), "HAS_RBAC", TENANT].properties["bloodhound_kind"] == "AZOwner"
    inherited = found[gid(3), "HAS_RBAC", SUBSCRIPTION]
    assert inherited.properties["role"] == "Contributor"
    assert (gid(3), "HAS_RBAC", VM) not in found
    assert found[gid(2), "HAS_RBAC", GROUP].properties["role"] == gid(0xCC)
    assert found[gid(3), "HAS_RBAC", VAULT].properties["bloodhound_kind"] == "AZKeyVaultContributor"
    roles = {
        each.properties["role"]
        for each in sample
        if isinstance(each, Relationship) and each.kind == "HAS_RBAC" and uid(each.end) == VM
    }
    assert len(roles) == 6
    assignment = nodes(sample)[found[gid(3), "HAS_RBAC", VAULT].properties["assignment_id"]]
    assert assignment.kind == "AzureRoleAssignment"
    assert (assignment.uid, "SCOPED_TO", VAULT) in found


def test_resources_and_their_identities(sample: list[Record]) -> None:
    machine = nodes(sample)[VM]
    assert machine.properties["operating_system"] == "Linux"
    assert machine.properties["resource_group"] == "rg-app"
    assert machine.properties["identity_ids"] == [
        f"{GROUP}/providers/microsoft.managedidentity/userassignedidentities/id1"
    ]
    assert machine.properties["properties"]["hardwareProfile"] == {"vmSize": "Standard_B2s"}
    found = ties(sample)
    assert found[VM, "RUNS_AS", gid(5)].properties["identity_type"] == "SystemAssigned"
    assert found[VM, "RUNS_AS", gid(0x57)].properties["identity_type"] == "UserAssigned"
    for what in ("SECRETS", "KEYS", "CERTIFICATES"):
        assert (gid(5), f"CAN_GET_{what}", VAULT) in found
    registry = nodes(sample)[f"{GROUP}/providers/microsoft.containerregistry/registries/cr1"]
    assert registry.properties["resource_type"] == "microsoft.containerregistry/registries"
    cluster = f"{GROUP}/providers/microsoft.containerservice/managedclusters/aks1"
    assert (cluster, "RUNS_NODES_IN", f"{SUBSCRIPTION}/resourcegroups/mc_rg-app_aks1") in found


def test_what_may_hold_secrets_is_left_out_with_a_remark(sample: list[Record]) -> None:
    said = [each.message.rpartition(": ")[2] for each in remarks(sample)]
    assert said == [
        f"{name} may hold secrets"
        for name in ("customData", "metadata", "appSettings", "definition")
    ]


# --- what a file proves ---------------------------------------------------------------------


def test_a_whole_file_proves_what_azurehound_reads_completely(sample: list[Record]) -> None:
    found = listings(sample)
    assert found["users"] == Listing(TENANT, "observed", "users", 2, 2)
    proved = {name for name, each in found.items() if each.complete}
    assert {"applications", "credentials", "roleAssignments", "subscriptions"} <= proved
    assert proved & azurehound.PARTIAL == set()
    assert all(found[name].expected is None for name in azurehound.PARTIAL)


def test_a_promise_made_before_the_elements_counts_as_well() -> None:
    elements = [{"kind": "AZUser", "data": {"id": "1", "tenantId": TENANT}}]
    found = azurehound.read(source({"meta": {"count": 1}, "data": elements}))
    assert listings(found)["users"].complete


def test_a_count_that_does_not_hold_proves_nothing() -> None:
    found = list(azurehound.read(framed(("AZUser", {"id": "1", "tenantId": TENANT}), count=3)))
    assert listings(found)["users"].expected is None
    assert remarks(found, "incomplete")[0].message == ("meta.count is 3, but 1 elements were read")


def test_a_bad_element_makes_its_listing_incomplete() -> None:
    elements = [("AZUser", {"id": "1", "tenantId": TENANT}), ("AZUser", {"tenantId": TENANT})]
    found = list(azurehound.read(framed(*elements)))
    assert listings(found)["users"] == Listing(TENANT, "observed", "users", 1, 2)
    assert len(remarks(found, "bad-record")) == 1


def test_credentials_are_proved_only_by_applications_and_service_principals_together() -> None:
    app = ("AZApp", {"appId": "a", "tenantId": TENANT, "passwordCredentials": [{"keyId": "k"}]})
    assert listings(azurehound.read(framed(app)))["credentials"].expected is None
    principal = ("AZServicePrincipal", {"id": "s", "appId": "a", "tenantId": TENANT})
    assert listings(azurehound.read(framed(app, principal)))["credentials"].complete


def test_a_listing_of_nobody_is_one() -> None:
    found = list(
        azurehound.read(framed(("AZDeviceOwner", {"deviceId": "d", "owners": None})), TENANT)
    )
    assert found == [Listing(TENANT, "observed", "deviceOwners", 0, 0)]


def test_lines_without_a_frame_are_read_and_prove_nothing() -> None:
    lines = b"".join(
        json.dumps({"kind": "AZUser", "data": {"id": each, "tenantId": TENANT}}).encode() + b"\n"
        for each in "123"
    )
    found = list(azurehound.read(source(lines)))
    assert set(nodes(found)) == {"1", "2", "3"}
    assert [each.at for each in nodes(found).values()] == [f"file.json:{n}" for n in (1, 2, 3)]
    assert listings(found)["users"].expected is None


# --- what is wrong with a file --------------------------------------------------------------


def test_the_tenant_comes_from_the_file_or_from_the_caller() -> None:
    member = ("AZGroupMember", {"groupId": "g", "members": [{"member": {"id": "u"}}]})
    with pytest.raises(GraphInputError) as caught:
        list(azurehound.read(framed(member)))
    assert "--tenant" in caught.value.hint
    assert ties(azurehound.read(framed(member), TENANT))["u", "MEMBER_OF", "g"].tenant_id == TENANT
    partner = ("AZTenant", {"tenantId": "partner"})
    home = ("AZTenant", {"tenantId": TENANT, "collected": True})
    found = ties(azurehound.read(framed(member, partner, home)))
    assert found["u", "MEMBER_OF", "g"].tenant_id == TENANT


@pytest.mark.parametrize(
    ("element", "code"),
    [
        (17, "bad-record"),
        ({}, "bad-record"),
        ({"kind": "AZUser"}, "bad-record"),
        ({"kind": "AZUser", "data": []}, "bad-record"),
        ({"kind": "AZUser", "data": {"displayName": "x"}}, "bad-record"),
        ({"kind": "AZUser", "data": {"id": 5}}, "bad-record"),
        ({"kind": "AZNobody", "data": {"id": "x"}}, "unknown-kind"),
        ({"kind": "AZGroupMember", "data": {"members": [{}, 3], "groupId": "g"}}, "bad-record"),
        ({"kind": "AZVMOwner", "data": {"owners": [{"owner": {"id": "x"}}]}}, "bad-record"),
        ({"kind": "AZVM", "data": {"id": "no ARM id"}}, "bad-record"),
    ],
)
def test_every_bad_element_is_remarked_with_its_line(element: Any, code: str) -> None:
    data = '{"data": [\n' + json.dumps(element) + '\n], "meta": {"count": 1}}'
    found = list(azurehound.read(source(data.encode()), TENANT))
    assert {each.code for each in remarks(found)} == {code}
    assert {each.at for each in remarks(found)} == {"file.json:2"}
    assert not nodes(found)


def test_foreign_members_and_types_are_remarked() -> None:
    document = {"data": [], "meta": {"type": "users", "count": 0}, "more": {"a": 1}}
    found = list(azurehound.read(source(document), TENANT))
    assert [each.code for each in remarks(found)] == ["unknown-format", "bad-record"]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_damage_to_an_element_breaks_the_reading(data: st.DataObject) -> None:
    """Whatever one field is replaced with, everything else is read and all can be written."""
    elements = json.loads(SAMPLE.read_bytes())["data"]
    place: Any = data.draw(st.sampled_from(elements))
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(json_values)
    found = list(azurehound.read(source({"data": elements, "meta": {"count": 1}}), TENANT))
    preparer = Preparer(SCHEMA)
    for each in found:
        if isinstance(each, Node):
            preparer.node(each, [])
        elif isinstance(each, Relationship):
            preparer.relationship(each, [])
    assert len(found) > 200


def test_planes_are_kept_apart() -> None:
    found = list(azurehound.read(SAMPLE, plane="deployed"))
    refused: list[Remark] = []
    preparer = Preparer(SCHEMA)
    for each in found:
        if isinstance(each, Node):
            preparer.node(each, refused)
            assert each.uid.startswith("deployed:")
        elif isinstance(each, Relationship):
            preparer.relationship(each, refused)
            assert each.start.startswith("deployed:")
            assert each.end.startswith("deployed:")
    assert refused == []
