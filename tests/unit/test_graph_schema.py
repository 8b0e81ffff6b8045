"""A schema refuses to contradict itself, and the model says of everything what it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from docs import graph_model, graph_rows
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.schema import (
    BOOKKEEPING,
    NodeKind,
    Property,
    RelationshipKind,
    Schema,
    SchemaError,
    Type,
)

Kinds = tuple[NodeKind | RelationshipKind, ...]

KINDS: Kinds = (*SCHEMA.nodes, *SCHEMA.relationships)

CAT = NodeKind("Cat", "Animal", "cats", "Purrs.", "its collar", (Property("name"),))
DOG = NodeKind("Dog", "Animal", "dogs", "Barks.", "its chip", (Property("name"),), ("Loyal",))
CHASES = RelationshipKind("CHASES", "play", ("Dog",), ("Animal",), "Runs after.")


def with_property(*properties: Property) -> Kinds:
    return replace(CAT, properties=properties), DOG, CHASES


def a_cat(**change: object) -> Kinds:
    return replace(CAT, **change), DOG, CHASES  # type: ignore[arg-type]


def chasing(**change: object) -> Kinds:
    return CAT, DOG, replace(CHASES, **change)  # type: ignore[arg-type]


CONTRADICTIONS: dict[str, tuple[Kinds, str]] = {
    "a node kind twice": ((CAT, CAT), "node kind Cat is declared twice"),
    "a relationship kind twice": (
        (DOG, CHASES, CHASES),
        "relationship kind CHASES is declared twice",
    ),
    "a property twice": (
        with_property(Property("fur"), Property("fur")),
        "Cat: property fur is declared twice",
    ),
    "a property that is no name": (
        with_property(Property("name`) DELETE n //")),
        "Cat: 'name`) DELETE n //' is no name for a property",
    ),
    "a property of the service": (
        with_property(Property("uid")),
        "Cat: property uid belongs to the service",
    ),
    "a property of two types": (
        with_property(Property("name", Type.INTEGER)),
        "Dog: name is text, but integer in Cat",
    ),
    "a property of another type in a relationship": (
        chasing(properties=(Property("name", Type.TIME),)),
        "CHASES: name is time, but text in Cat",
    ),
    "a label that is no name": (a_cat(also=("a b",)), "Cat: 'a b' is no name for a label"),
    "a kind that is no name": (a_cat(name="cat"), "cat: 'cat' is no name for a label"),
    "a label of the service": (a_cat(also=("Entity",)), "Cat: label Entity belongs to the service"),
    "a kind of the service": (a_cat(name="Version"), "Version: label Version belongs to the"),
    "a family that is a kind": (a_cat(family="Dog"), "Cat: label Dog is a kind of its own"),
    "an alias that is a kind": (a_cat(bloodhound=("Dog",)), "Cat: label Dog is a kind of its own"),
    "no collection": (a_cat(collection=""), "Cat: names no collection"),
    "a relationship that is no name": (
        chasing(name="Chases"),
        "'Chases' is no name for a relationship",
    ),
    "an end that is no label": (chasing(ends=("Bird",)), "CHASES: no node is a Bird"),
    "a start that is no label": (chasing(starts=("Bird",)), "CHASES: no node is a Bird"),
    "no start": (chasing(starts=()), "CHASES: starts or ends nowhere"),
    "no end": (chasing(ends=()), "CHASES: starts or ends nowhere"),
    "a key that is no property": (
        chasing(key=("speed",)),
        "CHASES: key speed is not among its properties",
    ),
    "a family called attack": (chasing(family="attack"), "CHASES: attack is no family"),
}


@pytest.mark.parametrize(("kinds", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_contradiction_is_refused(kinds: Kinds, message: str) -> None:
    nodes = tuple(kind for kind in kinds if isinstance(kind, NodeKind))
    ties = tuple(kind for kind in kinds if isinstance(kind, RelationshipKind))
    with pytest.raises(SchemaError) as refused:
        Schema(1, nodes, ties)
    assert str(refused.value).startswith(message)


def test_a_schema_finds_kinds_by_name_label_and_family() -> None:
    schema = Schema(1, (CAT, DOG), (replace(CHASES, attack=True),))
    assert schema.node_kinds["Cat"] is CAT
    assert list(schema.relationship_kinds) == ["CHASES"]
    assert schema.labels["Animal"] == schema.labels["Entity"] == {"Cat", "Dog"}
    assert schema.labels["Loyal"] == {"Dog"}
    assert schema.families == {"play": ("CHASES",), "attack": ("CHASES",)}
    assert schema.property_type("name") is Type.TEXT
    assert schema.property_type("fur") is None


def test_labels_are_not_repeated() -> None:
    assert replace(DOG, also=("Animal",), bloodhound=("Dog",)).labels == ("Entity", "Animal", "Dog")


# --- the model ------------------------------------------------------------------------------


def test_every_kind_says_what_it_is_in_one_line() -> None:
    for kind in KINDS:
        assert kind.about.endswith("."), kind.name
        assert len(kind.about) <= 90, kind.name
        assert "\n" not in kind.about, kind.name
        for each in kind.properties:
            assert each.about, f"{kind.name}.{each.name}"
            assert not each.about.removesuffix(", ...").endswith("."), f"{kind.name}.{each.name}"


def test_every_node_has_a_name_and_a_uid() -> None:
    for kind in SCHEMA.nodes:
        assert "name" in {each.name for each in kind.properties}, kind.name
        assert kind.uid_from, kind.name


def test_every_quantity_has_a_unit_and_nothing_else_has_one() -> None:
    for kind in KINDS:
        for each in kind.properties:
            quantity = each.type in (Type.INTEGER, Type.NUMBER)
            assert bool(each.unit) is quantity, f"{kind.name}.{each.name}"


def test_every_name_of_bloodhound_means_one_kind() -> None:
    for kinds in (SCHEMA.nodes, SCHEMA.relationships):
        times = Counter(name for kind in kinds for name in kind.bloodhound)
        assert {name for name, number in times.items() if number > 1} == set()


def test_where_several_names_of_bloodhound_mean_one_kind_its_key_tells_them_apart() -> None:
    for kind in SCHEMA.relationships:
        if len(kind.bloodhound) > 1:
            assert {"bloodhound_kind", "role"} & set(kind.key), kind.name
            assert "bloodhound_kind" in {each.name for each in kind.properties}, kind.name


EDGES = """
    AZAKSContributor AZAddMembers AZAddOwner AZAddSecret AZAppAdmin AZAuthenticatesTo
    AZAutomationContributor AZAvereContributor AZCloudAppAdmin AZContains AZContributor
    AZExecuteCommand AZGetCertificates AZGetKeys AZGetSecrets AZGlobalAdmin AZGrant AZGrantSelf
    AZHasRole AZKeyVaultContributor AZLogicAppContributor AZMGAddMember AZMGAddOwner AZMGAddSecret
    AZMGAppRoleAssignment_ReadWrite_All AZMGApplication_ReadWrite_All AZMGDirectory_ReadWrite_All
    AZMGGrantAppRoles AZMGGrantRole AZMGGroupMember_ReadWrite_All AZMGGroup_ReadWrite_All
    AZMGRoleManagement_ReadWrite_Directory AZMGServicePrincipalEndpoint_ReadWrite_All
    AZManagedIdentity AZMemberOf AZNodeResourceGroup AZOwner AZOwns AZPrivilegedAuthAdmin
    AZPrivilegedRoleAdmin AZResetPassword AZRoleApprover AZRoleEligible AZRunsAs AZScopedTo
    AZUserAccessAdministrator AZVMAdminLogin AZVMContributor AZWebsiteContributor SyncedToADUser
    SyncedToEntraUser
"""
NODES = """
    AZApp AZAutomationAccount AZContainerRegistry AZDevice AZFederatedIdentityCredential
    AZFunctionApp AZGroup AZKeyVault AZLogicApp AZManagedCluster AZManagementGroup AZResourceGroup
    AZRole AZServicePrincipal AZSubscription AZTenant AZUser AZVM AZVMScaleSet AZWebApp
"""


def test_everything_that_bloodhound_knows_of_azure_is_known_here() -> None:
    edges = {name for kind in SCHEMA.relationships for name in kind.bloodhound}
    assert set(EDGES.split()) - edges == set()
    nodes = {name for kind in SCHEMA.nodes for name in kind.bloodhound}
    assert set(NODES.split()) - nodes == set()


def test_what_bloodhound_knows_carries_its_label_for_everything_of_azure() -> None:
    for kind in SCHEMA.nodes:
        known = any(name.startswith("AZ") for name in kind.bloodhound)
        assert ("AZBase" in kind.labels) is known, kind.name


def test_what_can_be_derived_says_by_what() -> None:
    for kind in KINDS:
        names = {each.name for each in kind.properties}
        assert len({"derived", "rule", "via"} & names) in (0, 3), kind.name
    for kind in SCHEMA.relationships:
        if kind.family == "control":
            assert kind.attack, kind.name
            assert "derived" in {each.name for each in kind.properties}, kind.name


def test_nothing_kept_is_a_secret() -> None:
    names = {each.name for kind in SCHEMA.nodes for each in kind.properties}
    assert names.isdisjoint({"password", "secret", "secret_text", "key", "token", "connection"})


def test_a_path_of_power_leads_from_a_person_to_a_service_principal() -> None:
    """Each step is a relationship that attacks may follow, between kinds that it allows."""
    path = (
        ("EntraUser", "MEMBER_OF", "EntraGroup"),
        ("EntraGroup", "HAS_RBAC", "Subscription"),
        ("Subscription", "CONTAINS", "ResourceGroup"),
        ("ResourceGroup", "CONTAINS", "KeyVault"),
        ("KeyVault", "STORES", "SecretRef"),
        ("SecretRef", "UNLOCKS", "Credential"),
        ("Credential", "AUTHENTICATES_TO", "EntraApplication"),
        ("EntraApplication", "RUNS", "EntraServicePrincipal"),
        ("EntraServicePrincipal", "CAN", "Capability"),
        ("Capability", "OVER", "EntraApplication"),
    )
    for start, name, end in path:
        kind = SCHEMA.relationship_kinds[name]
        assert kind.attack, name
        assert set(SCHEMA.node_kinds[start].labels) & set(kind.starts), name
        assert set(SCHEMA.node_kinds[end].labels) & set(kind.ends), name


# --- what is made from it -------------------------------------------------------------------


def test_the_page_tells_of_everything() -> None:
    page = graph_model.page(SCHEMA)
    for kind in KINDS:
        assert kind.about in page
        for name in (*kind.bloodhound, *(each.name for each in kind.properties)):
            assert f"`{name}`" in page
    headings = [line.lower() for line in page.splitlines() if line.startswith("#")]
    assert len(headings) == len(set(headings))
    for name in BOOKKEEPING:
        assert f"`{name}`" in page


def test_every_row_has_a_type_with_all_its_properties() -> None:
    modules = graph_rows.modules(SCHEMA)
    rows: dict[str, Mapping[str, object]] = {}
    for text in modules.values():
        assert len(text.splitlines()) < 400
        found: dict[str, object] = {}
        exec(text, found)
        rows |= {name: vars(value) for name, value in found.items() if isinstance(value, type)}
    for kind in KINDS:
        if kind.properties:
            fields = rows[graph_rows.row_name(kind)]["__annotations__"]
            assert isinstance(fields, dict)
            assert {each.name for each in kind.properties} <= set(fields), kind.name
