"""Whatever an AzureHound file says leaves a trace: what repeats, what dangles, what it goes by."""

from typing import Any

import pytest

from simbuilder.graph.formats import azurehound
from simbuilder.graph.records import Relationship
from tests.unit.graph_records import TENANT, framed, remarks


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("AZGroupMember", {"groupId": "g"}, "bad-record"),
        ("AZGroupOwner", {"owners": "x", "groupId": "g"}, "bad-record"),
        ("AZRoleAssignment", {"roleDefinitionId": "r"}, "bad-record"),
        ("AZAppFIC", {"appId": "a"}, "bad-record"),
        ("AZAppFIC", {"appId": "a", "fics": [{}]}, "bad-record"),
        ("AZServicePrincipal", {"id": "s", "appRoles": ["r"]}, "bad-record"),
        ("AZServicePrincipal", {"id": "s", "keyCredentials": {"keyId": "k"}}, "bad-record"),
        ("AZKeyVaultAccessPolicy", {"objectId": "u", "keyVaultId": "/v"}, "unknown-kind"),
    ],
)
def test_parts_that_are_missing_or_malformed_are_said(kind: str, data: Any, code: str) -> None:
    found = list(azurehound.read(framed((kind, data)), TENANT))
    assert [each.code for each in remarks(found)] == [code]


def test_ends_that_are_nowhere_are_no_secret() -> None:
    """Members and owners that no element lists dangle in the report, so they are not implied."""
    found = list(
        azurehound.read(
            framed(
                ("AZGroupMember", {"groupId": "g", "members": [{"member": {"id": "u"}}]}),
                ("AZAppOwner", {"appId": "a", "owners": [{"owner": {"id": "u"}}]}),
            ),
            TENANT,
        )
    )
    ties = {each.kind: each.implied for each in found if isinstance(each, Relationship)}
    assert ties == {"MEMBER_OF": False, "OWNS": False}


def test_inherited_assignments_are_counted_as_repeated() -> None:
    properties = {"principalId": "u", "scope": "/subscriptions/s", "roleDefinitionId": "/r/x"}
    owner = {"owner": {"id": "ra", "properties": properties}}
    element = ("AZVMOwner", {"virtualMachineId": "vm", "owners": [owner]})
    found = list(azurehound.read(framed(element, element), TENANT))
    scoped = [each for each in found if isinstance(each, Relationship) and each.kind == "SCOPED_TO"]
    assert [each.implied for each in scoped] == [False, True]
    assert not remarks(found)


def test_a_role_goes_by_its_template_and_a_tenant_by_its_id() -> None:
    found = list(
        azurehound.read(
            framed(
                ("AZTenant", {"id": TENANT, "displayName": "C"}),
                ("AZRole", {"id": "R1", "templateId": "T1"}),
                ("AZRoleAssignment", {"roleDefinitionId": "r1", "principalId": "u"}),
            )
        )
    )
    ends = [
        each.end for each in found if isinstance(each, Relationship) and each.kind == "HAS_ROLE"
    ]
    assert ends == [f"t1@{TENANT}"]
