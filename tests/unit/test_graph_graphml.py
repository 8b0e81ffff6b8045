"""GraphML: any XML parser reads it, keys are typed, and no character is lost."""

import io
import json
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simbuilder.graph.formats import graphml
from simbuilder.graph.formats.files import Counts
from simbuilder.graph.records import Node, Relationship

NS = "{http://graphml.graphdrawing.org/xmlns}"
T = "t"


class Drawn:
    """What a program that draws graphs sees in a file."""

    def __init__(self, data: bytes) -> None:
        root = ET.fromstring(data)
        self.keys = {each.get("id"): each for each in root.findall(f"{NS}key")}
        graph = root.find(f"{NS}graph")
        assert graph is not None
        assert graph.get("edgedefault") == "directed"
        self.nodes = {str(each.get("id")): self.data(each) for each in graph.findall(f"{NS}node")}
        self.edges = [
            (each.get("source"), each.get("target"), self.data(each))
            for each in graph.findall(f"{NS}edge")
        ]

    def data(self, element: ET.Element) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in element.findall(f"{NS}data"):
            key = self.keys[each.get("key")]
            assert key.get("for") == element.tag.removeprefix(NS)
            found[str(key.get("attr.name"))] = READ[str(key.get("attr.type"))](each.text or "")
        return found


READ: dict[str, Any] = {
    "string": str,
    "long": int,
    "double": float,
    "boolean": lambda text: {"true": True, "false": False}[text],
}


def drawn(nodes: Iterable[Node] = (), ties: Iterable[Relationship] = ()) -> Drawn:
    out = io.BytesIO()
    graphml.write(nodes, ties, out)
    return Drawn(out.getvalue())


def test_nodes_and_edges_with_typed_values() -> None:
    user = {"name": "Ana & <Bo>", "account_enabled": True, "licences": ["A", "B"]}
    group = {"name": "G", "member_count": 7}
    tie = Relationship("MEMBER_OF", "u1", "g1", T, {"membership": "direct"})
    found = drawn([Node("EntraUser", "u1", T, user), Node("EntraGroup", "g1", T, group)], [tie])
    assert found.nodes["u1"]["label"] == "Ana & <Bo>"
    assert found.nodes["u1"]["account_enabled"] is True
    assert found.nodes["u1"]["licences"] == '["A","B"]'
    assert found.nodes["u1"]["labels"].startswith(":Entity:")
    assert found.nodes["g1"]["member_count"] == 7
    source, target, data = found.edges[0]
    assert (source, target, data["kind"], data["membership"]) == ("u1", "g1", "MEMBER_OF", "direct")


def test_counts_and_an_empty_graph() -> None:
    assert graphml.write([], [], io.BytesIO()) == Counts(0, 0)
    assert drawn().nodes == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("account_enabled", "yes"),
        ("member_count", 2**70),
        ("member_count", True),
        ("score", "much"),
        ("novelty", {"a": [1]}),
    ],
)
def test_what_has_no_key_or_does_not_fit_it_is_in_extra(name: str, value: Any) -> None:
    node = drawn([Node("EntraUser", "u", T, {name: value})]).nodes["u"]
    assert json.loads(node["extra"]) == {name: value}
    assert name not in node


@settings(max_examples=150, deadline=None)
@given(st.text(), st.text(min_size=1), st.text())
def test_no_character_is_lost(name: str, uid: str, other: str) -> None:
    found = drawn([Node("EntraUser", uid, T, {"name": name, "unknown": other})])
    ((drawn_id, data),) = found.nodes.items()
    extra = json.loads(data["extra"])
    assert data.get("name", extra.get("name")) == name
    assert extra["unknown"] == other
    if drawn_id != uid:
        assert json.loads(drawn_id.removeprefix("json:")) == uid


@pytest.mark.parametrize(
    "text", ["\x00", "\x1b[0m", "\ufffe", "\ud800", "a\r\nb", "\t", "]]>", "\x85"]
)
def test_characters_that_xml_cannot_hold_survive(text: str) -> None:
    found = drawn([Node("EntraUser", f"u{text}", T, {"name": text})], [])
    ((drawn_id, data),) = found.nodes.items()
    read = data["name"] if "name" in data else json.loads(data["extra"])["name"]
    assert read == text
    plain = json.loads(drawn_id[5:]) if drawn_id.startswith("json:") else drawn_id
    assert plain == f"u{text}"


def test_edges_name_nodes_as_the_nodes_are_named() -> None:
    odd = "a\x01b"
    found = drawn([Node("EntraUser", odd, T)], [Relationship("OWNS", odd, odd, T)])
    ((drawn_id, _),) = found.nodes.items()
    assert found.edges[0][:2] == (drawn_id, drawn_id)
