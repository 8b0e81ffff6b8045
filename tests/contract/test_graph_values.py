"""Whatever a source says of whatever kind comes back from both databases as it was said."""

import string
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from simbuilder.graph.database import Address
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.preparing import Preparer, said
from simbuilder.graph.records import PLANES, Node, Plane, Relationship, located
from simbuilder.graph.schema import Kind, Type
from simbuilder.graph.service import GraphService
from tests.graphs import KEYS, Dump, Load, dump, everything, load, on_empty

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=2,
    phases=[Phase.generate],  # a smaller example would take minutes to find
)

AWKWARD = (
    *("", " ", "\n", "\t\r", "null", "0", "'", '"', "`", "\\", "\\u0060", "$p", "{}", "a\nb"),
    *(
        "😀👩‍👩‍👧",
        "שלום עליכם",
        "\u202eabc\u202c",
        "e\u0301\u0327",
        "\u2028\u2029",
        "\u0000",
        "a\u0000b",
    ),
    *("\ufeff", "\uffff", "\U0010ffff", "İıß", "ΑΣ", "x" * 10_000, "漢" * 10_000),
)
BOUNDS = (0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63))
EXTREMES = (0.0, -0.0, 5e-324, 1.7976931348623157e308, -1e-300, 0.1, 1e22, 3.0, 2.0**63)

TEXTS = st.sampled_from(AWKWARD) | st.text(max_size=12)
INTEGERS = st.sampled_from(BOUNDS) | st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.sampled_from(EXTREMES) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.text(string.ascii_letters + "_. -`$'\u0301é", min_size=1, max_size=8).map(
    lambda name: f"x{name}"  # which no kind declares
)
STRATEGIES: dict[Type, st.SearchStrategy[Any]] = {
    Type.TEXT: TEXTS,
    Type.INTEGER: INTEGERS,
    Type.NUMBER: NUMBERS | INTEGERS,
    Type.BOOLEAN: st.booleans(),
    Type.TIME: st.sampled_from(("2026-01-02T03:04:05.678Z", "0001-01-01T00:00:00Z", "")),
    Type.TEXTS: st.lists(TEXTS, max_size=4),
    Type.DOCUMENT: st.dictionaries(TEXTS, JSON, max_size=3) | st.lists(JSON, max_size=3),
}
POOLS = st.fixed_dictionaries(
    {type_: st.lists(values, min_size=8, max_size=8) for type_, values in STRATEGIES.items()}
)


@dataclass(frozen=True)
class Source:
    """Says something of every kind there is, by values of each type and by chance."""

    values: dict[Type, list[Any]]
    undeclared: dict[str, Any]
    chance: Random
    plane: Plane

    def _properties(self, kind: Kind, every: bool) -> dict[str, Any]:
        declared = [each for each in kind.properties if every or self.chance.random() < 0.5]
        said_of = {each.name: self._value(each.type) for each in declared}
        extra = self.chance.sample(sorted(self.undeclared), len(self.undeclared) // 2)
        return said_of | {name: self.undeclared[name] for name in extra}

    def _value(self, type_: Type) -> Any:
        known = AWKWARD if type_ is Type.TEXT else BOUNDS if type_ is Type.INTEGER else ()
        return self.chance.choice([*self.values[type_], *known])

    def nodes(self) -> list[Node]:
        """Two of each kind: one of which all is said, and one of which some is."""
        return [
            Node(
                kind.name,
                located(f"{self.chance.choice(AWKWARD)[:900]}{kind.name}-{i}", self.plane),
                f"tenant-{i}",
                self._properties(kind, every=i == 0),
                self.plane,
            )
            for kind in SCHEMA.nodes
            for i in range(2)
        ]

    def ties(self, nodes: list[Node]) -> list[Relationship]:
        """Two of each kind, between kinds that may be tied so."""
        by_kind = {node.kind: node.uid for node in nodes}
        return [
            Relationship(
                kind.name,
                by_kind[min(SCHEMA.labels[start])],
                by_kind[max(SCHEMA.labels[end])],
                "tenant-0",
                self._properties(kind, every=True),
                self.plane,
            )
            for kind in SCHEMA.relationships
            for start, end in ((kind.starts[0], kind.ends[-1]), (kind.starts[-1], kind.ends[0]))
        ]


SOURCES = st.builds(
    Source,
    POOLS,
    st.dictionaries(NAMES, JSON, min_size=4, max_size=12),
    st.randoms(use_true_random=False).map(lambda chance: Random(chance.random())),
    st.sampled_from(PLANES),
)


def expected(nodes: list[Node], ties: list[Relationship]) -> Dump:
    """What must be found: documents as JSON, and of two ties that are one the later."""
    preparer = Preparer(SCHEMA)
    of_nodes: dict[str, Any] = {}
    for node in nodes:
        prepared = preparer.node(node, [])
        assert prepared is not None
        row = prepared.row["p"]
        place = (node.kind, row["tenant_id"], node.plane, row["collection"])
        of_nodes[row["uid"]] = (*place, said(row))
    of_ties: dict[Any, Any] = {}
    for tie in ties:
        prepared = preparer.relationship(tie, [])
        assert prepared is not None
        row = prepared.row
        told = tuple(str(tie.properties.get(name, "")) for name in KEYS[tie.kind])
        _kind, tenant_id, plane, *_ = of_nodes[row["start"]]  # a tie belongs where it starts
        where = (tenant_id, plane, row["p"].get("collection", ""))
        of_ties[tie.kind, row["start"], row["end"], told] = (*where, said(row["p"]))
    return of_nodes, of_ties


@SETTINGS
@given(SOURCES)
def test_records_of_every_kind_come_back_as_they_were_and_a_second_load_changes_nothing(
    address: Address, source: Source
) -> None:
    nodes = source.nodes()
    ties = source.ties(nodes)

    async def there_and_back(graph: GraphService) -> None:
        first = await load(graph, Load(nodes, ties, size=100))
        wanted = expected(nodes, ties)
        assert {node.kind for node in nodes} == set(SCHEMA.node_kinds)
        assert {tie.kind for tie in ties} == set(SCHEMA.relationship_kinds)
        distinct = len(wanted[0]) + len(wanted[1])
        assert first.report.total("created") == distinct
        assert first.report.total("repeated") == len(nodes + ties) - distinct
        assert await dump(graph) == wanted

        again = await load(graph, Load(nodes, ties))
        assert again.report.total("unchanged") == distinct
        assert again.report.total("repeated") == len(nodes + ties) - distinct
        assert await dump(graph) == wanted

        exported = [n async for n in graph.nodes()], [r async for r in graph.relationships()]
        await graph.wipe()
        third = await load(graph, Load(*exported, size=50))
        assert third.report.total("created") == everything(third.report) == distinct
        assert await dump(graph) == wanted

    on_empty(address, there_and_back)
