"""Bundles: what is written is read, whatever it says; and none passes that is not whole."""

import gzip
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats import bundle
from simbuilder.graph.formats.files import Counts, packed
from simbuilder.graph.records import PLANES, Listing, Node, Record, Relationship, Remark

TENANT = "11111111-1111-1111-1111-111111111111"

texts = st.text() | st.sampled_from(
    ["\x00", "\u2028\u2029", "\ufeff", "\ufffe\uffff", "\U0010ffff", "a\nb\r\n", '"\\', "ß\u0301"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
properties = st.dictionaries(texts, values, max_size=4)
planes = st.sampled_from(PLANES)
nodes = st.builds(Node, texts, texts, texts, properties, planes, texts)
ties = st.builds(
    Relationship,
    *(texts, texts, texts, texts),
    properties=properties,
    plane=planes,
    collection=texts,
    implied=st.booleans(),
)
listings = st.builds(
    Listing, texts, planes, texts, st.integers(0, 2**40), st.none() | st.integers(0, 2**40)
)
remarks = st.builds(Remark, texts, texts, texts)
records = st.lists(nodes | ties | listings | remarks, max_size=8)

SAMPLE: list[Record] = [
    Node("EntraUser", "u1", TENANT, {"name": "Añe", "account_enabled": True}),
    Node("EntraGroup", "planned:g1", TENANT, {}, "planned", "groups"),
    Relationship("MEMBER_OF", "u1", "planned:g1", TENANT, {"membership": "direct"}),
    Listing(TENANT, "observed", "users", 1, 1),
    Remark("bad-record", "users.json:3", "without an id"),
]


def written(found: list[Record]) -> bytes:
    out = io.BytesIO()
    bundle.write(found, out)
    return out.getvalue()


def read(data: bytes) -> list[Record]:
    return list(bundle.read(io.BytesIO(data), "b.jsonl"))


def without_place(found: list[Record]) -> list[Record]:
    return [
        replace(each, at="") if isinstance(each, Node | Relationship) else each for each in found
    ]


@settings(max_examples=200, deadline=None)
@given(records)
def test_what_is_written_is_read(found: list[Record]) -> None:
    data = written(found)
    assert without_place(read(data)) == found
    assert written(without_place(read(data))) == data


@settings(max_examples=60, deadline=None)
@given(records, st.data())
def test_a_bundle_cut_off_anywhere_is_refused(found: list[Record], data: st.DataObject) -> None:
    whole = written(found)
    cut = data.draw(st.integers(0, len(whole) - 2))
    with pytest.raises(GraphInputError):
        read(whole[:cut])


@pytest.mark.parametrize("kept", range(len(SAMPLE) + 1))
def test_a_bundle_that_ends_with_any_line_but_the_last_is_truncated(kept: int) -> None:
    lines = written(SAMPLE).splitlines(keepends=True)
    with pytest.raises(GraphInputError, match="truncated"):
        read(b"".join(lines[: kept + 1]))


@pytest.mark.parametrize("lost", range(1, 4))
def test_a_bundle_that_lacks_a_record_in_the_middle_is_truncated(lost: int) -> None:
    lines = written(SAMPLE).splitlines(keepends=True)
    with pytest.raises(GraphInputError, match="truncated"):
        read(b"".join(lines[:lost] + lines[lost + 1 :]))


def test_records_say_in_which_line_they_were() -> None:
    places = [each.at for each in read(written(SAMPLE)) if isinstance(each, Node | Relationship)]
    assert places == ["b.jsonl:2", "b.jsonl:3", "b.jsonl:4"]


def test_counts_are_of_nodes_and_relationships() -> None:
    assert bundle.write(SAMPLE, io.BytesIO()) == Counts(2, 1)


def test_the_form_is_the_documented_one() -> None:
    first, second, third, *_ = map(orjson.loads, written(SAMPLE).splitlines())
    assert first == {"format": "simbuilder-graph", "version": 1}
    said = {"kind": "EntraUser", "uid": "u1", "tenant": TENANT}
    assert second == {"node": {**said, "properties": {"name": "Añe", "account_enabled": True}}}
    assert third["node"]["plane"] == "planned"
    assert third["node"]["collection"] == "groups"


def test_the_same_content_in_another_order_of_keys_makes_the_same_bytes() -> None:
    one = Node("K", "u", "t", {"a": 1, "b": {"c": 1, "d": 2}})
    other = Node("K", "u", "t", {"b": {"d": 2, "c": 1}, "a": 1})
    assert written([one]) == written([other])


def test_gzip_is_written_by_suffix_and_read_by_content(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        with (tmp_path / name).open("wb") as file, packed(file, tmp_path / name) as out:
            bundle.write(SAMPLE, out)
    data = (tmp_path / "a.jsonl.gz").read_bytes()
    assert data == (tmp_path / "b.jsonl.gz").read_bytes()
    odd = tmp_path / "odd.name"
    odd.write_bytes(data)
    assert without_place(list(bundle.read(odd))) == SAMPLE
    assert without_place(read(data)) == SAMPLE
    with (tmp_path / "c.jsonl").open("wb") as file, packed(file, tmp_path / "c.jsonl") as out:
        bundle.write(SAMPLE, out)
    assert without_place(list(bundle.read(tmp_path / "c.jsonl"))) == SAMPLE


@pytest.mark.parametrize("cut", [1, 5, 12, 40, -9, -1])
def test_gzip_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "b.jsonl.gz"
    path.write_bytes(gzip.compress(written(SAMPLE * 50))[:cut])
    with pytest.raises(GraphInputError):
        list(bundle.read(path))


HEAD = b'{"format":"simbuilder-graph","version":1}\n'
END = b'{"end":{"nodes":0,"relationships":0}}\n'
GOOD = {"kind": "K", "uid": "u", "tenant": "t", "properties": {}}


def line(document: Any) -> bytes:
    return orjson.dumps(document) + b"\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{nonsense}\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b'{"node":{"kind":"\xff"}}\n', "not JSON"),
        (b'{"node":{"kind":"\\ud800"}}\n', "not JSON"),
        (b"\n", "not JSON"),
        (b"[]\n", "not a line"),
        (b"{}\n", "not a line"),
        (b"7\n", "not a line"),
        (line({"node": GOOD, "end": {}}), "not a line"),
        (line({"thing": {}}), "'thing'"),
        (line({"node": 7}), "not a line"),
        (line({"node": {}}), "'kind' is missing"),
        (line({"node": {**GOOD, "uid": 7}}), "must be text"),
        (line({"node": {**GOOD, "properties": []}}), "must be an object"),
        (line({"node": {**GOOD, "plane": "moon"}}), "moon"),
        (line({"node": {**GOOD, "collection": None}}), "must be text"),
        (line({"node": {**GOOD, "colour": "red"}}), "more than"),
        (line({"relationship": GOOD}), "'from' is missing"),
        (line({"listing": {"tenant": "t"}}), "'collection' is missing"),
        (
            line({"listing": {"tenant": "t", "collection": "c", "received": "1"}}),
            "received a number",
        ),
        (line({"remark": {"code": "c", "at": "a", "message": 7}}), "a remark has"),
        (line({"end": {"nodes": 0}}), "missing"),
    ],
)
def test_a_bad_line_is_named(bad: bytes, said: str) -> None:
    with pytest.raises(GraphInputError, match=said) as error:
        read(HEAD + bad + END)
    assert "b.jsonl:2" in str(error.value)


@pytest.mark.parametrize("head", [b"", b"\n", b"[]\n", b'{"format":"other"}\n', b"{}\n", b"\x00"])
def test_what_is_no_bundle_is_refused(head: bytes) -> None:
    with pytest.raises(GraphInputError):
        read(head)


@pytest.mark.parametrize("version", [0, -1, "1", None, True, 1.5])
def test_a_version_that_is_none_is_refused(version: Any) -> None:
    with pytest.raises(GraphInputError, match="version"):
        read(line({"format": "simbuilder-graph", "version": version}) + END)


def test_a_newer_version_is_refused_with_advice() -> None:
    with pytest.raises(GraphInputError, match="version 2") as error:
        read(line({"format": "simbuilder-graph", "version": 2}) + END)
    assert "update" in error.value.hint


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(GraphInputError, match="more follows"):
        read(HEAD + END + END)
    assert read(HEAD + END.rstrip()) == []


@pytest.mark.parametrize("value", [2**64, object(), "\ud800", {1: 2}, b"x"])
def test_what_json_cannot_hold_is_refused_by_name(value: Any) -> None:
    with pytest.raises(GraphInputError, match="no bundle can hold"):
        written([Node("K", "u", "t", {"a": value})])


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphInputError, match="no such file"):
        list(bundle.read(tmp_path / "none.jsonl"))
