"""Answers of Azure Resource Manager: resources as each tool writes them."""

from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.records import Node, Relationship
from tests.unit.graph_answers import (
    PROVIDERS,
    READER,
    SP1,
    U1,
    U2,
    S,
    T,
    arm,
    guid,
    machine,
    nodes,
    prepared,
    read,
    ties,
)


def test_resources_and_the_scopes_that_their_ids_name(tmp_path: Path) -> None:
    vault: dict[str, Any] = {
        "id": f"{PROVIDERS}/Microsoft.KeyVault/vaults/V1",
        "name": "V1",
        "type": "Microsoft.KeyVault/vaults",
        "location": "westeurope",
        "tags": {"a": "b"},
        "properties": {
            "vaultUri": "https://v1.vault.azure.net/",
            "enableSoftDelete": True,
            "accessPolicies": [
                {"objectId": U1, "permissions": {"secrets": ["Get"], "keys": ["list"]}},
                {"objectId": U2, "permissions": {"secrets": [], "certificates": ["all"]}},
            ],
            "novelty": 7,
        },
    }
    found = read(tmp_path, {"vaults.json": arm(vault)})
    uid = vault["id"].lower()
    group, subscription = uid.partition("/providers")[0], f"/subscriptions/{S}"
    assert ties(found, "CONTAINS") == {
        (T, "CONTAINS", subscription),
        (subscription, "CONTAINS", group),
        (group, "CONTAINS", uid),
    }
    assert ties(found) == {(U1, "CAN_GET_SECRETS", uid), (U2, "CAN_GET_CERTIFICATES", uid)}
    properties = nodes(found)[uid].properties
    assert properties["resource_group"] == "rg1"
    assert properties["resource_type"] == "microsoft.keyvault/vaults"
    assert properties["soft_delete"] is True
    assert properties["properties"] == {"novelty": 7}
    assert not prepared(found)


@pytest.mark.parametrize("form", ["rest", "az", "python"])
def test_machines_as_each_tool_writes_them(tmp_path: Path, form: str) -> None:
    whole = machine(hardwareProfile={"vmSize": "Standard_B1s"}, vmId="m1")
    if form == "rest":
        inner = {k: whole.pop(k) for k in ("networkProfile", "hardwareProfile", "vmId")}
        content: Any = arm({**whole, "properties": inner})
    elif form == "az":
        content = [whole]
    else:
        content = [
            {
                **{k: whole[k] for k in ("id", "name")},
                "identity": {"type": "SystemAssigned", "principal_id": SP1},
                "hardware_profile": {"vm_size": "Standard_B1s"},
                "vm_id": "m1",
                "network_profile": {
                    "network_interfaces": [
                        {"id": whole["networkProfile"]["networkInterfaces"][0]["id"]}
                    ]
                },
            }
        ]
    found = read(tmp_path, {"vms.json": content})
    uid = whole["id"].lower()
    assert nodes(found)[uid].kind == "VirtualMachine"
    assert nodes(found)[uid].properties["sku"] == "Standard_B1s"
    assert nodes(found)[uid].properties["vm_id"] == "m1"
    assert (uid, "RUNS_AS", SP1) in ties(found)
    card = f"{PROVIDERS}/microsoft.network/networkinterfaces/nic1".lower()
    assert (card, "ATTACHED_TO", uid) in ties(found, "ATTACHED_TO")
    assert not prepared(found)


def test_networks_with_their_parts(tmp_path: Path) -> None:
    network = f"{PROVIDERS}/Microsoft.Network/virtualNetworks/net"
    subnet = {
        "id": f"{network}/subnets/a",
        "name": "a",
        "properties": {
            "addressPrefix": "10.0.0.0/24",
            "networkSecurityGroup": {
                "id": f"{PROVIDERS}/Microsoft.Network/networkSecurityGroups/n"
            },
        },
    }
    rule = {
        "name": "ssh",
        "properties": {
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefix": "Internet",
            "destinationPortRange": "22",
        },
    }
    group = {
        "id": f"{PROVIDERS}/Microsoft.Network/networkSecurityGroups/n",
        "name": "n",
        "properties": {"securityRules": [rule]},
    }
    card = {
        "id": f"{PROVIDERS}/Microsoft.Network/networkInterfaces/c",
        "name": "c",
        "properties": {
            "ipConfigurations": [
                {
                    "properties": {
                        "subnet": {"id": f"{network}/subnets/a"},
                        "privateIPAddress": "10.0.0.4",
                        "publicIPAddress": {
                            "id": f"{PROVIDERS}/Microsoft.Network/publicIPAddresses/p"
                        },
                    }
                }
            ]
        },
    }
    files = {
        "vnets.json": arm({"id": network, "name": "net", "properties": {"subnets": [subnet]}}),
        "nsgs.json": arm(group),
        "nics.json": arm(card),
    }
    found = read(tmp_path, files)
    low = f"{PROVIDERS}/microsoft.network/".lower()
    inside = f"{low}virtualnetworks/net/subnets/a"
    assert (f"{low}networkinterfaces/c", "IN_SUBNET", inside) in ties(found)
    assert (f"{low}publicipaddresses/p", "EXPOSES", f"{low}networkinterfaces/c") in ties(found)
    everything = ties(found, "ATTACHED_TO", "CONTAINS")
    assert (f"{low}networksecuritygroups/n", "ATTACHED_TO", inside) in everything
    assert (f"{low}virtualnetworks/net", "CONTAINS", inside) in everything
    assert nodes(found)[inside].properties["address_prefixes"] == ["10.0.0.0/24"]
    opened = nodes(found)[f"{low}networksecuritygroups/n"].properties["inbound_from_internet"]
    assert opened == ["tcp/22"]
    assert not prepared(found)


def test_a_type_without_a_kind_is_kept_whole(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "id": f"{PROVIDERS}/Contoso.Odd/things/x",
        "name": "x",
        "zones": ["1"],
        "properties": {"deep": {"er": 1}},
    }
    found = nodes(read(tmp_path, {"odd.json": arm(odd)}))[odd["id"].lower()]
    assert found.kind == "AzureResource"
    assert found.properties["resource_type"] == "contoso.odd/things"
    assert found.properties["detail"] == {"deep": {"er": 1}}
    assert found.properties["zones"] == ["1"]


@pytest.mark.parametrize(
    ("kind", "node"),
    [
        ("functionapp,linux", "FunctionApp"),
        ("app", "WebApp"),
        ("functionapp,workflowapp", "LogicApp"),
    ],
)
def test_sites_are_told_by_their_kind(tmp_path: Path, kind: str, node: str) -> None:
    site = {"id": f"{PROVIDERS}/Microsoft.Web/sites/s", "name": "s", "kind": kind}
    assert nodes(read(tmp_path, {"s.json": arm(site)}))[site["id"].lower()].kind == node


def test_a_list_of_its_own_type_counts_more_than_the_general_one(tmp_path: Path) -> None:
    uid = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/st"
    other = {"id": f"{PROVIDERS}/Microsoft.Compute/disks/d", "name": "d"}
    brief = {"id": uid, "name": "st", "type": "Microsoft.Storage/storageAccounts"}
    files = {
        "resources.json": arm(brief, other),
        "storage.json": arm({**brief, "properties": {"supportsHttpsTrafficOnly": True}}),
    }
    found = [e for e in read(tmp_path, files) if isinstance(e, Node) and e.uid == uid.lower()]
    assert [each.properties.get("https_only") for each in found] == [True]
    assert found[0].collection == f"subscriptions/{S}/resources"


def test_azure_roles(tmp_path: Path) -> None:
    base = f"/subscriptions/{S}/providers/Microsoft.Authorization"
    definition = {
        "id": f"{base}/roleDefinitions/{READER}",
        "name": READER,
        "properties": {
            "roleName": "Reader",
            "type": "BuiltInRole",
            "permissions": [{"actions": ["*/read"], "notActions": []}],
        },
    }
    own: dict[str, Any] = {
        "id": f"{base}/roleDefinitions/{guid(60)}",
        "name": guid(60),
        "properties": {"roleName": "Ours", "type": "CustomRole"},
    }

    def assigned(name: str, role: str, scope: str) -> dict[str, Any]:
        held = {"principalId": U1, "roleDefinitionId": f"{base}/roleDefinitions/{role}"}
        return {"id": f"{base}/roleAssignments/{name}", "properties": {**held, "scope": scope}}

    files = {
        "assignments.json": arm(
            assigned("a", READER, f"/subscriptions/{S}"), assigned("b", guid(60), "/")
        ),
        "definitions.json": arm(definition, own),
    }
    found = read(tmp_path, files)
    built_in = f"/providers/microsoft.authorization/roledefinitions/{READER}@{T}"
    assert nodes(found)[built_in].properties["actions"] == ["*/read"]
    assert {end for _, _, end in ties(found, "OF_ROLE")} == {built_in, own["id"].lower()}
    held = [e for e in found if isinstance(e, Relationship) and e.kind in ("HAS_RBAC", "VIEWS")]
    assert {(e.kind, e.end, e.properties["role"]) for e in held} == {
        ("VIEWS", f"/subscriptions/{S}", "Reader"),
        ("HAS_RBAC", T, "Ours"),
    }
    assert not prepared(found)


def test_management_groups(tmp_path: Path) -> None:
    root = f"/providers/Microsoft.Management/managementGroups/{T}"
    below = {
        "id": f"/subscriptions/{S}",
        "type": "Microsoft.Management/managementGroups/subscriptions",
        "name": S,
        "properties": {"displayName": "Prod", "parent": {"id": root}},
    }
    files = {
        "managementGroups.json": arm(
            {"id": root, "name": T, "properties": {"displayName": "Root", "tenantId": T}}
        ),
        "descendants.json": arm(below),
    }
    found = read(tmp_path, files)
    assert nodes(found)[root.lower()].properties["is_root"] is True
    assert nodes(found)[f"/subscriptions/{S}"].properties["name"] == "Prod"
    assert (root.lower(), "CONTAINS", f"/subscriptions/{S}") in ties(found)
    assert not prepared(found)
