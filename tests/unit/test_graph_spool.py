"""Records on disk: as they came, or in an order that depends on them alone."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from simbuilder.graph import spool
from simbuilder.graph.records import Listing, Node, Relationship, Remark
from simbuilder.graph.spool import Spool

T = TypeVar("T")


async def slowly(records: Iterable[T]) -> AsyncIterator[T]:
    for record in records:
        yield record


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    node = Node("EntraUser", "u1", "t", {"name": "Ann\n", "tags": ["a"]}, "planned", "users", "f:1")
    tie = Relationship("OWNS", "u1", "u2", "t", {"n": 1.5}, "deployed", "c", "f:2", implied=True)
    listing, remark = Listing("t", "observed", "users", 1, 1), Remark("misfit", "f:3", "odd")
    kept = Spool(tmp_path)
    list(kept.fill([tie, listing, node, remark]))
    assert (list(kept.nodes()), list(kept.relationships())) == ([node], [tie])
    assert (kept.listings, kept.remarks) == ([listing], [remark])


@pytest.mark.parametrize("piece", [1, 7, 50_000])
def test_what_a_database_says_is_put_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(spool, "PIECE", piece)
    nodes = [Node(kind, f"u{i:02}", "t") for kind in ("A", "B") for i in range(10)]
    ties = [
        Relationship("R", f"u{i:02}", "x", "t", {"b": n, "a": 1}) for i in (1, 2) for n in (1, 2)
    ]
    mixed_nodes, mixed_ties = random.Random(1).sample(nodes, 20), ties[::-1]
    kept = Spool(tmp_path)
    asyncio.run(kept.fill_from(slowly(mixed_nodes), slowly(mixed_ties)))
    assert (list(kept.nodes()), list(kept.relationships())) == (nodes, ties)
