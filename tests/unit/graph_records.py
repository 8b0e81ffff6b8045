"""What the tests of graph formats share: a sample, files made of values, and records by name."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from simbuilder.graph.formats.jsonstream import Source
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark

SAMPLE = Path(__file__).parents[1] / "data" / "graph" / "azurehound.json"
TENANT = "0f000000-0000-4000-8000-00000000000a"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def gid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000001"


def source(document: Any, name: str = "file.json") -> Source:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Source(name, lambda: io.BytesIO(data))


def framed(*elements: tuple[str, Any], count: int | None = None) -> Source:
    data = [{"kind": kind, "data": data} for kind, data in elements]
    meta = {"type": "azure", "version": 5, "count": len(data) if count is None else count}
    return source({"data": data, "meta": meta})


def uid(value: str) -> str:
    return value.lower()


def nodes(records: Iterable[Record]) -> dict[str, Node]:
    return {uid(each.uid): each for each in records if isinstance(each, Node)}


def ties(records: Iterable[Record]) -> dict[tuple[str, str, str], Relationship]:
    found = (each for each in records if isinstance(each, Relationship))
    return {(uid(each.start), each.kind, uid(each.end)): each for each in found}


def remarks(records: Iterable[Record], code: str = "") -> list[Remark]:
    found = [each for each in records if isinstance(each, Remark)]
    return [each for each in found if each.code == code] if code else found


def listings(records: Iterable[Record], tenant: str = TENANT) -> dict[str, Listing]:
    found = (each for each in records if isinstance(each, Listing))
    return {each.collection: each for each in found if each.tenant_id == tenant}
