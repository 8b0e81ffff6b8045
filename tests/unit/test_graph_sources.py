"""Sources: told by their content, whatever they are called."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats import bundle
from simbuilder.graph.formats.sources import open_source
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark

T = "11111111-1111-1111-1111-111111111111"
U = "22222222-2222-2222-2222-222222222222"
USERS = {
    "@odata.context": f"https://graph.microsoft.com/v1.0/{T}/$metadata#users",
    "value": [{"id": U, "displayName": "Ana", "userPrincipalName": "ana@contoso.example"}],
}
HOUND = {
    "meta": {"type": "azure", "version": 5, "count": 1},
    "data": [
        {"kind": "AZTenant", "data": {"tenantId": T, "displayName": "C", "collected": True}},
        {"kind": "AZUser", "data": {"id": U, "displayName": "Ana", "tenantId": T}},
    ],
}
OPEN_GRAPH = {
    "graph": {"nodes": [{"id": U, "kinds": ["AZUser"], "properties": {"tenantid": T}}], "edges": []}
}
SAMPLE: list[Record] = [
    Node("EntraUser", U, T, {"name": "Ana"}),
    Relationship("REPORTS_TO", U, U, T),
    Listing(T, "observed", "users", 1, 1),
]


def bundled(records: list[Record]) -> bytes:
    out = io.BytesIO()
    bundle.write(records, out)
    return out.getvalue()


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def users(records: list[Record]) -> list[str]:
    return [e.uid for e in records if isinstance(e, Node) and e.kind == "EntraUser"]


CONTENTS: dict[str, Any] = {
    "answers": USERS,
    "azurehound": HOUND,
    "bloodhound": OPEN_GRAPH,
    "bundle": bundled(SAMPLE),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("form", ["plain", "gzip", "zip", "folder", "data first"])
def test_formats_are_told_by_their_content(tmp_path: Path, kind: str, form: str) -> None:
    content = CONTENTS[kind]
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path = tmp_path / "thing.json"
    if form == "folder":
        path = tmp_path / "folder"
        put(path / "deep" / "thing.json", data)
    elif form == "gzip":
        path.write_bytes(gzip.compress(data))
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside.json", data)
    elif form == "data first" and isinstance(content, dict):
        put(path, dict(reversed(content.items())))
    else:
        put(path, data)
    source = open_source(path, T)
    assert source.format == kind
    assert users(list(source.records())) == [U]


@pytest.mark.parametrize(
    ("name", "content", "looks"),
    [
        ("a.json", b"", "empty"),
        ("a.json", b"SQLite format 3\x00...", "SQLite"),
        ("a.csv", b"id,name,mail\n1,2,3\n", "CSV"),
        ("a.xml", b"<?xml version='1.0'?><a/>", "XML"),
        ("a.bin", b"\x80\x81\x82", "no text"),
        ("a.txt", b"hello there", "text that is no JSON"),
        ("a.json", {"meta": {"type": "computers"}, "data": []}, "SharpHound"),
        ("a.json", {"meta": {"type": "azusers", "version": 4}, "data": []}, "AzureHound 1 of 2021"),
        ("a.json", {"data": [{"ObjectID": U}] * 70, "meta": {"type": "azusers"}}, "AzureHound 1"),
        ("a.json", {"version": 4, "terraform_version": "1.9"}, "Terraform"),
        ("a.json", {"colour": "red"}, "colour"),
        ("a.json", {}, "nothing"),
        ("a.json", [], "nothing"),
        ("a.jsonl", {"node": {}}, "without its header"),
    ],
)
def test_what_is_unknown_is_described(tmp_path: Path, name: str, content: Any, looks: str) -> None:
    with pytest.raises(GraphInputError, match=looks) as error:
        open_source(put(tmp_path / name, content))
    assert "AzureHound" in error.value.hint or looks == "empty"


def test_a_file_that_is_cut_short_is_not_merely_unknown(tmp_path: Path) -> None:
    data = json.dumps(USERS).encode()[:-20]
    with pytest.raises(GraphInputError, match="ends"):
        open_source(put(tmp_path / "users.json", data))


def test_a_folder_of_several_formats_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.json", USERS)
    put(tmp_path / "b.json", HOUND)
    with pytest.raises(GraphInputError, match="several formats"):
        open_source(tmp_path)


def test_folders_without_anything(tmp_path: Path) -> None:
    with pytest.raises(GraphInputError, match="without JSON"):
        open_source(tmp_path)
    with pytest.raises(GraphInputError, match="no such"):
        open_source(tmp_path / "none")


def test_other_files_of_a_folder_are_remarked(tmp_path: Path) -> None:
    put(tmp_path / "a.json", HOUND)
    put(tmp_path / "b.json", {"colour": "red"})
    put(tmp_path / "c.txt", b"notes")
    found = list(open_source(tmp_path).records())
    places = {e.at.rpartition("/")[2] for e in found if isinstance(e, Remark)}
    assert {"b.json", "c.txt"} <= places


def test_a_file_of_members_belongs_to_the_tenant_of_the_others(tmp_path: Path) -> None:
    members = {"groupId": "g", "members": [{"member": {"id": U}}]}
    put(tmp_path / "a.json", {"data": [{"kind": "AZGroupMember", "data": members}]})
    with pytest.raises(GraphInputError, match="which tenant"):
        list(open_source(tmp_path).records())
    put(tmp_path / "b.json", HOUND)
    found = [e for e in open_source(tmp_path).records() if isinstance(e, Relationship)]
    assert {each.tenant_id for each in found if each.kind == "MEMBER_OF"} == {T}


def test_a_file_called_json_that_is_none_is_an_error_among_others(tmp_path: Path) -> None:
    put(tmp_path / "a.json", HOUND)
    put(tmp_path / "b.json", b"\x00\x01 not at all")
    with pytest.raises(GraphInputError, match=r"b\.json"):
        list(open_source(tmp_path).records())


@pytest.mark.parametrize("content", [b'{"value": [ // all\n]}', b'{"value": [{"id": "x"},\n]}'])
def test_comments_and_commas_too_many_are_errors_with_their_line(
    tmp_path: Path, content: bytes
) -> None:
    put(tmp_path / "users.json", content)
    with pytest.raises(GraphInputError, match=r"users\.json, line \d"):
        open_source(tmp_path)


@pytest.mark.parametrize("kind", CONTENTS)
def test_what_was_observed_moves_to_the_plane_asked_for(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path / "thing.json", CONTENTS[kind])
    found = list(open_source(path, T, "planned").records())
    assert users(found) == [f"planned:{U}"]
    placed = [each for each in found if not isinstance(each, Remark)]
    assert {each.plane for each in placed} == {"planned"}
    for each in placed:
        if isinstance(each, Relationship):
            assert each.start.startswith("planned:")
            assert each.end.startswith("planned:")


def test_other_planes_of_a_bundle_stay(tmp_path: Path) -> None:
    planned = Node("EntraUser", f"planned:{U}", T, {}, "planned")
    path = put(tmp_path / "b.jsonl", bundled([planned]))
    (found,) = open_source(path, None, "deployed").records()
    assert isinstance(found, Node)
    assert (found.uid, found.plane) == (planned.uid, "planned")


def test_the_digest_is_of_names_and_content(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        put(folder / "a.json", USERS)
        put(folder / "b" / "c.json", USERS)
    before = open_source(one).digest()
    assert before == open_source(one).digest() == open_source(other).digest()
    (other / "b" / "c.json").rename(other / "b" / "d.json")
    assert open_source(other).digest() != before
    put(one / "a.json", {**USERS, "x": 1})
    assert open_source(one).digest() != before
