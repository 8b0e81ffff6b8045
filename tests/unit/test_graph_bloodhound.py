"""BloodHound's graphs: an export is read again exactly, and BloodHound's own are understood."""

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats import azurehound, bloodhound
from simbuilder.graph.records import Node, Record, Relationship
from tests.unit.graph_records import (
    SAMPLE,
    TENANT,
    gid,
    json_values,
    nodes,
    remarks,
    source,
    ties,
    uid,
)


@pytest.fixture(scope="module")
def sample() -> list[Record]:
    return list(azurehound.read(SAMPLE))


def exported(records: Iterable[Record]) -> bytes:
    kept = list(records)
    out = io.BytesIO()
    bloodhound.write(
        (each for each in kept if isinstance(each, Node)),
        (each for each in kept if isinstance(each, Relationship)),
        out,
    )
    return out.getvalue()


def nowhere(records: Iterable[Record]) -> list[Record]:
    kept = [each for each in records if isinstance(each, Node | Relationship)]
    return sorted((replace(each, at="") for each in kept), key=repr)


def test_an_export_is_read_again_exactly(sample: list[Record]) -> None:
    assert nowhere(bloodhound.read(source(exported(sample)))) == nowhere(sample)
    deployed = list(azurehound.read(SAMPLE, plane="deployed"))
    assert nowhere(bloodhound.read(source(exported(deployed)))) == nowhere(deployed)


@settings(max_examples=80, deadline=None)
@given(
    st.text(min_size=1, max_size=10),
    st.dictionaries(st.text(max_size=8), json_values, max_size=4),
    st.booleans(),
)
def test_any_record_survives_an_export(
    name: str, properties: dict[str, Any], implied: bool
) -> None:
    records: list[Record] = [
        Node("EntraUser", name, TENANT, properties, "planned", "users"),
        Node("Simulation", name, TENANT, properties),
        Relationship("HAS_RBAC", name, "B", TENANT, properties, collection="c", implied=implied),
    ]
    assert nowhere(bloodhound.read(source(exported(records)))) == nowhere(records)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(GraphInputError, match="no JSON can hold it"):
        exported([Node("EntraUser", "u", TENANT, {"name": value})])


def test_an_export_is_what_bloodhound_takes(sample: list[Record]) -> None:
    graph = json.loads(exported(sample))["graph"]
    ends = set()
    for node in graph["nodes"]:
        assert node["id"] == node["id"].upper()
        assert 1 <= len(node["kinds"]) <= 3
        check_flat(node["properties"])
        ends.add(node["id"])
    kinds = set()
    for edge in graph["edges"]:
        assert edge.keys() == {"kind", "start", "end", "properties"}
        assert edge["start"]["match_by"] == "id"
        check_flat(edge["properties"])
        kinds.add(edge["kind"])
    assert {"AZContains", "AZMemberOf", "AZOwner", "AZVMAdminLogin", "AZHasRole"} <= kinds
    assert {"AZRunsAs", "AZManagedIdentity", "AZGetSecrets", "AZAvereContributor"} <= kinds
    user = next(each for each in graph["nodes"] if each["id"] == gid(1).upper())
    assert user["kinds"] == ["AZUser", "AZBase", "EntraUser"]
    assert user["properties"]["name"] == "ANNA@CONTOSO.EXAMPLE"
    assert user["properties"]["displayname"] == "ANNA MÜLLER"
    assert user["properties"]["enabled"] is True


def check_flat(properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        assert name == name.lower()
        if isinstance(value, list):
            assert value
            assert len({type(each) for each in value}) == 1
            assert isinstance(value[0], str | int | float)
        else:
            assert isinstance(value, str | int | float)


OPEN: dict[str, Any] = {
    "nodes": [
        {
            "id": "U1",
            "kinds": ["AZUser", "AZBase"],
            "properties": {"displayname": "Anna", "enabled": True, "tenantid": TENANT.upper()},
        },
        {"id": "V1", "kinds": ["AZKeyVault", "AZBase"], "properties": None},
        {"id": "C1", "kinds": ["Computer", "Base"], "properties": {}},
        {"kinds": ["AZUser"]},
    ],
    "edges": [
        {
            "kind": "AZKeyVaultContributor",
            "start": {"value": "U1", "match_by": "id"},
            "end": {"value": "V1"},
            "properties": {"lastseen": "now"},
        },
        {"kind": "AZOwns", "start": {"value": "Anna", "match_by": "name"}, "end": {"value": "V1"}},
        {"kind": "AZNothing", "start": {"value": "U1"}, "end": {"value": "V1"}},
        {
            "kind": "AZHasRole",
            "start": {"value": "U1"},
            "end": {"value": "R@T"},
            "properties": {"scope": TENANT.upper()},
        },
    ],
}


@pytest.mark.parametrize(
    "document",
    [
        {"graph": OPEN, "metadata": {"source_kind": "AZBase"}},
        {"metadata": {}, "graph": {"edges": OPEN["edges"], "nodes": OPEN["nodes"]}},
        OPEN,
        {"data": OPEN},
    ],
)
def test_graphs_of_bloodhound_are_read(document: Any) -> None:
    found = list(bloodhound.read(source(document)))
    user = nodes(found)["u1"]
    assert (user.kind, uid(user.tenant_id)) == ("EntraUser", TENANT)
    assert user.properties == {"name": "Anna", "account_enabled": True}
    assert uid(nodes(found)["v1"].tenant_id) == TENANT
    held = ties(found)["u1", "HAS_RBAC", "v1"]
    assert held.properties == {
        "role": "Key Vault Contributor",
        "bloodhound_kind": "AZKeyVaultContributor",
    }
    assert ties(found)["u1", "HAS_ROLE", "r@t"].properties["scope"] == "/"
    assert Counter(each.code for each in remarks(found)) == {"unknown-kind": 2, "bad-record": 2}


def test_an_export_of_the_interface_is_read() -> None:
    document = {
        "data": {
            "nodes": {
                "7": {"kind": "AZUser", "objectId": "U1", "label": "Anna", "properties": {}},
                "8": {"kind": "AZGroup", "objectId": "G1", "label": "Admins", "properties": {}},
            },
            "edges": [
                {"source": "7", "target": "8", "label": "AZMemberOf", "kind": "AZMemberOf"},
                {"source": "7", "target": "9", "kind": "AZMemberOf"},
            ],
        }
    }
    with pytest.raises(GraphInputError, match="which tenant"):
        list(bloodhound.read(source(document)))
    found = list(bloodhound.read(source(document), TENANT))
    assert ("u1", "MEMBER_OF", "g1") in ties(found)
    assert [each.code for each in remarks(found)] == ["bad-record"]


@pytest.mark.parametrize("packed", ["no json", "[]", "{}", 5, '{"kind": "EntraUser"}'])
def test_a_record_that_was_tampered_with_is_remarked(packed: Any) -> None:
    own = {"simbuilder": packed}
    document = {
        "graph": {"nodes": [{"id": "x", "properties": own}], "edges": [{"properties": own}]}
    }
    found = list(bloodhound.read(source(document), TENANT))
    assert [each.code for each in remarks(found)] == ["bad-record", "bad-record"]


@pytest.mark.parametrize("kinds", [[["AZUser"]], [{}], None, 7, [None, 1]])
def test_kinds_that_are_no_texts_are_remarked(kinds: Any) -> None:
    document = {"graph": {"nodes": [{"id": "a", "kinds": kinds}], "edges": []}}
    found = list(bloodhound.read(source(json.dumps(document).encode()), TENANT))
    assert [each.code for each in remarks(found)] == ["unknown-kind"]
