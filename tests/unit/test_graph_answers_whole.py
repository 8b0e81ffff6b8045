"""Listings: complete only where their pages prove it."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.graph_answers import (
    APP,
    CLIENT,
    G1,
    G2,
    GRAPH,
    SP1,
    U1,
    U2,
    USERS,
    S,
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

NEXT = f"{GRAPH}users?$skiptoken=x"
PAGES: dict[str, tuple[dict[str, Any], bool]] = {
    "one page": ({"users.json": listing("users", *USERS)}, True),
    "none of them": ({"users.json": listing("users")}, True),
    "counted": ({"users.json": listing("users", *USERS, count=2)}, True),
    "counted wrong": ({"users.json": listing("users", *USERS, count=3)}, False),
    "a page twice": (
        {
            "users_1.json": listing("users", USERS[0], link=NEXT),
            "users_2.json": listing("users", USERS[0]),
        },
        False,
    ),
    "the second of three missing": (
        {
            "users_1.json": listing("users", USERS[0], link=NEXT),
            "users_3.json": listing("users", USERS[1]),
        },
        False,
    ),
    "more follows": ({"users.json": listing("users", *USERS, link=NEXT)}, False),
    "two pages": (
        {
            "users.json": listing("users", USERS[0], link=NEXT, count=2),
            "users_1.json": listing("users", USERS[1]),
        },
        True,
    ),
    "named pages": (
        {
            "users.page1.json": listing("users", USERS[0], link=NEXT),
            "users.page2.json": listing("users", USERS[1]),
        },
        True,
    ),
    "a folder of pages": (
        {
            "users/0001.json": listing("users", USERS[0], link=NEXT),
            "users/0002.json": listing("users", USERS[1]),
        },
        True,
    ),
    "many pages in the order of numbers": (
        {
            f"users_{n}.json": listing("users", {"id": guid(n)}, link=NEXT if n < 11 else "")
            for n in range(1, 12)
        },
        True,
    ),
    "a gap": (
        {
            "users_1.json": listing("users", USERS[0], link=NEXT),
            "users_3.json": listing("users", USERS[1]),
        },
        False,
    ),
    "the first is missing": (
        {
            "users_2.json": listing("users", USERS[0], link=NEXT),
            "users_3.json": listing("users", USERS[1]),
        },
        False,
    ),
    "only the last is there": ({"users_2.json": listing("users", USERS[1])}, False),
    "the last is missing": (
        {
            "users_1.json": listing("users", USERS[0], link=NEXT),
            "users_2.json": listing("users", USERS[1], link=NEXT),
        },
        False,
    ),
    "two ends": (
        {
            "users_1.json": listing("users", USERS[0]),
            "users_2.json": listing("users", USERS[1]),
        },
        False,
    ),
    "filtered": (
        {
            "users_1.json": listing("users", USERS[0], link=f"{GRAPH}users?$filter=a&$skiptoken=x"),
            "users_2.json": listing("users", USERS[1]),
        },
        False,
    ),
    "an error": (
        {
            "users_1.json": listing("users", USERS[0], link=NEXT),
            "users_2.json": {"error": {"code": "TooManyRequests", "message": "later"}},
        },
        False,
    ),
    "a delta": (
        {"users.json": {**listing("users/$delta", *USERS), "@odata.deltaLink": NEXT}},
        False,
    ),
    "changes": (
        {"users.json": listing("users/$delta", {"id": U1, "@removed": {"reason": "deleted"}})},
        False,
    ),
}


@pytest.mark.parametrize(("files", "whole"), PAGES.values(), ids=PAGES)
def test_a_listing_is_complete_only_if_its_pages_prove_it(
    tmp_path: Path, files: dict[str, Any], whole: bool
) -> None:
    found = read(tmp_path, files)
    assert proofs(found)["users"] is whole
    assert bool(remarks(found, "incomplete")) is not whole


def test_an_array_as_powershell_5_prints_it_proves_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, {"users.json": {"value": USERS, "Count": len(USERS)}})
    assert {U1, U2} <= nodes(found).keys()
    assert not proofs(found)["users"]


def test_what_the_command_line_prints_proves_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, {"users.json": USERS})
    assert proofs(found) == {"users": False}
    assert not remarks(found)


def test_a_part_that_was_not_asked_for_is_not_proved(tmp_path: Path) -> None:
    app = {"id": APP, "appId": CLIENT, "passwordCredentials": [], "keyCredentials": []}
    files = {
        "applications.json": listing("applications", app),
        "servicePrincipals.json": listing("servicePrincipals", {**app, "id": SP1}),
    }
    assert proofs(read(tmp_path / "a", files))["credentials"]
    del app["keyCredentials"]
    files["applications.json"] = listing("applications(id,appId,passwordCredentials)", app)
    found = read(tmp_path / "b", files)
    assert not proofs(found)["credentials"]
    assert proofs(found)["applications"]


def test_an_item_that_cannot_be_read_is_not_one_that_is_gone(tmp_path: Path) -> None:
    found = read(tmp_path, {"users.json": listing("users", *USERS, {"displayName": "no id"})})
    assert not proofs(found)["users"]


def test_expanded_members_that_may_be_more_prove_nothing(tmp_path: Path) -> None:
    few = {"id": G1, "members": [{"id": guid(n)} for n in range(100, 105)]}
    many = {"id": G2, "members": [{"id": guid(n)} for n in range(100, 120)]}
    found = read(tmp_path / "a", {"groups.json": listing("groups", few)})
    assert proofs(found)["groupMembers"]
    found = read(tmp_path / "b", {"groups.json": listing("groups", few, many)})
    assert not proofs(found)["groupMembers"]


def test_a_listing_of_one_resource_group_is_not_one_of_the_subscription(tmp_path: Path) -> None:
    place = f"subscriptions/{S}/microsoft.compute/disks"
    found = read(tmp_path / "a", {"disks.json": arm(disk("r1", "a"), disk("r1", "b"))})
    assert not proofs(found)[place]
    found = read(tmp_path / "b", {"disks.json": arm(disk("r1", "a"), disk("r2", "b"))})
    assert proofs(found)[place]
    found = read(tmp_path / "c", {f"subscriptions/{S}/disks.json": arm(disk("r1", "a"))})
    assert proofs(found)[place]
    found = read(tmp_path / "d", {"disks.json": arm(disk("r1", "a"), disk("r2", "b"), link="x")})
    assert not proofs(found)[place]


def test_what_may_be_a_part_of_a_listing_does_not_prove_it(tmp_path: Path) -> None:
    found = read(tmp_path, {"guests.json": listing("users", *USERS)})
    assert not proofs(found)["users"]
    assert len(remarks(found, "incomplete")) == 1


def test_members_of_one_type_are_members_but_not_all(tmp_path: Path) -> None:
    files = {
        "groups.json": listing("groups", {"id": G1}),
        f"groups/{G1}/members.json": listing("users", {"id": U1}),
    }
    found = read(tmp_path, files)
    assert (U1, "MEMBER_OF", G1) in ties(found)
    assert "groupMembers" not in proofs(found)


def test_what_was_deleted_is_not_there(tmp_path: Path) -> None:
    gone = {**USERS[0], "deletedDateTime": "2026-01-01T00:00:00Z"}
    found = read(tmp_path, {"deletedUsers.json": listing("users", gone)})
    assert not nodes(found)
    assert len(remarks(found, "outdated")) == 1
    assert not proofs(found)["users"]


def test_members_of_members_are_left_to_the_graph(tmp_path: Path) -> None:
    one = {"@odata.type": "#microsoft.graph.user", "id": U1}
    name = f"groups/{G1}/transitiveMembers.json"
    found = read(tmp_path, {name: listing("directoryObjects", one)})
    assert not nodes(found)
    assert len(remarks(found, "unknown-kind")) == 1


def test_managers_that_were_asked_for_are_all_known(tmp_path: Path) -> None:
    boss = {**USERS[0], "manager": {"id": U2}}
    found = read(tmp_path / "a", {"users.json": listing("users(manager())", boss, USERS[1])})
    assert proofs(found)["REPORTS_TO"]
    found = read(tmp_path / "b", {"users.json": listing("users", boss, USERS[1])})
    assert not proofs(found)["REPORTS_TO"]
