"""JSON files of any size: whatever the chunks, the items and lines are those of the file."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats import jsonstream, opening
from simbuilder.graph.formats.jsonstream import EMPTY, Item, Source, head, sources, walk

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
documents = st.dictionaries(st.text(max_size=5), values, max_size=5) | st.lists(values, max_size=5)


def source(data: bytes, name: str = "file.json") -> Source:
    return Source(name, lambda: io.BytesIO(data))


def expected(document: object) -> list[tuple[tuple[str, ...], object]]:
    """What `walk` should yield, told from the document as a whole."""
    if isinstance(document, list):
        return [((), each) for each in document] or [((), EMPTY)]
    assert isinstance(document, dict)
    found: list[tuple[tuple[str, ...], object]] = []
    for name, value in document.items():
        if isinstance(value, list):
            found += [((name,), each) for each in value] or [((name,), EMPTY)]
        else:
            found.append(((name,), value))
    return found


@settings(max_examples=150, deadline=None)
@given(
    documents,
    st.integers(1, 40),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_any_document_comes_whole_whatever_the_chunks(
    document: object, chunk: int, encoding: str, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    data = text.replace("\n", "\r\n").encode(encoding, "surrogatepass")
    found = [(path, value) for path, value, _ in walk(source(data), chunk=chunk)]
    assert found == expected(document)


@settings(max_examples=60, deadline=None)
@given(documents, st.integers(1, 30), st.data())
def test_a_file_cut_anywhere_fails_or_says_the_same(
    document: object, chunk: int, data: st.DataObject
) -> None:
    whole = json.dumps(document, indent=1, ensure_ascii=False).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    seen: list[Item] = []
    with pytest.raises(GraphInputError) as caught:
        seen.extend(walk(source(whole[:cut]), chunk=chunk))
    assert "file.json" in caught.value.message
    assert caught.value.hint


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 30))
def test_any_bytes_are_read_or_refused_with_a_reason(data: bytes, chunk: int) -> None:
    said = "file.json is read"
    try:
        list(walk(source(data), chunk=chunk))
    except GraphInputError as error:
        said = error.message
    assert "file.json" in said


@pytest.mark.parametrize("chunk", range(1, 60))
def test_lines_are_exact_at_every_chunk_boundary(chunk: int) -> None:
    data = (
        '{\r\n"data": [\r\n{"a": "ü\\u00fc"},\r\n\r\n{\r\n"b": 12},\r\n345 ],\n"meta":\n{"n": 1}}'
    )
    found = list(walk(source(data.encode("utf-16")), chunk=chunk))
    assert found == [
        Item(("data",), {"a": "üü"}, 3),
        Item(("data",), {"b": 12}, 5),
        Item(("data",), 345, 7),
        Item(("meta",), {"n": 1}, 9),
    ]


def test_members_of_named_objects_come_item_by_item() -> None:
    data = b'{"graph":{"nodes":[1,2],"edges":[]},"metadata":{"nodes":[3]}}'
    assert [(path, value) for path, value, _ in walk(source(data), ("graph",))] == [
        (("graph", "nodes"), 1),
        (("graph", "nodes"), 2),
        (("graph", "edges"), EMPTY),
        (("metadata",), {"nodes": [3]}),
    ]


@pytest.mark.parametrize("chunk", range(1, 30))
def test_an_object_on_each_line(chunk: int) -> None:
    data = b'{"a": 1}\n\n{"a": 2}\r\n{"a":\n3}\n'
    found = list(walk(source(data), chunk=chunk))
    assert found == [Item((), {"a": 1}, 1), Item((), {"a": 2}, 3), Item((), {"a": 3}, 4)]


def test_a_single_line_is_one_of_many_if_the_name_says_so() -> None:
    assert list(walk(source(b'{"a": 1}', "a.jsonl"))) == [Item((), {"a": 1}, 1)]
    assert list(walk(source(b'{"a": 1}', "a.json"))) == [Item(("a",), 1, 1)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b" \n ", "is blank"),
        (b"\xef\xbb\xbf", "is blank"),
        (b"hello", "neither { nor ["),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1"),
        (b'{"a": [1,\n2', "line 2: ends"),
        (b'{"a": [{"b": "c', "ends in the middle"),
        (b'{"a": [1 2]}', "is no JSON"),
        (b'{"a": 1} {"b": 2}', "expected, not '{'"),
        (b'{"a": [1,]}', "is no JSON"),
        (b'{"a": 1,}', "the name of a member expected"),
        (b'{"a":\n[NaN]}', "line 2: NaN is no number"),
        (b"[1e999]", "too large a number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"[" + b"9" * 5000 + b"]", "line 1"),
        (b'["\xff"]', "not text in UTF-8"),
        (b"[" * 100_000, "nested deeper"),
        (b"[" + b'{"a":' * 201 + b"1" + b"}" * 201 + b"]", "nested deeper than 200"),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(data: bytes, reason: str) -> None:
    with pytest.raises(GraphInputError) as caught:
        list(walk(source(data)))
    assert reason in caught.value.message


def test_nesting_up_to_the_limit_is_read() -> None:
    data = b"[" + b'{"a":' * 200 + b"1" + b"}" * 200 + b"]"
    assert len(list(walk(source(data)))) == 1


def test_an_error_far_from_the_end_is_told_without_reading_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.BytesIO(b'{"data": [{"a": oops}, ' + b"1, " * 1_000_000)
    with pytest.raises(GraphInputError):
        list(walk(Source("f.json", lambda: stream), chunk=1000))
    assert stream.closed or stream.tell() < 1 << 21


def test_an_item_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonstream, "MAX_ITEM", 1000)
    with pytest.raises(GraphInputError, match="an item of more than"):
        list(walk(source(b'["' + b"x" * 5000 + b'"]'), chunk=100))


def test_head_is_the_decoded_beginning() -> None:
    assert head(source('{"ä": 1}'.encode("utf-16")), 4) == '{"ä"'


# --- files ----------------------------------------------------------------------------------


def test_gzip_is_seen_through(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b'{"a": [1]}'))
    assert list(walk(path)) == [Item(("a",), 1, 1)]
    path.write_bytes(gzip.compress(b'{"a": [1]}' * 1000)[:-20])
    with pytest.raises(GraphInputError, match=r"a\.json\.gz"):
        list(walk(path))


def test_members_of_a_zip_are_read_each(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("in")
        archive.writestr("in/a.json", b'{"a": [1]}')
        archive.writestr("b.json", b"[2]")
    found = list(sources(path))
    assert [each.name for each in found] == ["all.zip/in/a.json", "all.zip/b.json"]
    assert [item.value for each in found for item in walk(each)] == [1, 2]
    with pytest.raises(GraphInputError, match="holds 2 files"):
        list(walk(path))


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", b'{"a": "' + b"x" * 200 + b'"}')
    data = path.read_bytes()
    path.write_bytes(data.replace(b"xxx", b"xyx", 1))
    with pytest.raises(GraphInputError, match="damaged"):
        list(walk(path))
    path.write_bytes(data[:100])
    with pytest.raises(GraphInputError, match="damaged"):
        list(walk(path))


@pytest.mark.parametrize("form", ["zip", "gzip"])
def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(opening, "SMALL", 1 << 20)
    path = tmp_path / "bomb"
    bomb = b"[" + b" " * (8 << 20) + b"1]"
    if form == "gzip":
        path.write_bytes(gzip.compress(bomb))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.json", bomb)
    with pytest.raises(GraphInputError, match="unpacks to more than"):
        list(walk(path))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(GraphInputError, match=r"none\.json: no such file"):
        list(walk(tmp_path / "none.json"))
    with pytest.raises(GraphInputError, match="is a folder"):
        list(walk(tmp_path))
