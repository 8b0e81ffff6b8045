"""Which part of a graph is drawn, when all of it would be too much to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simbuilder.graph.errors import GraphQueryError
from simbuilder.graph.preparing import said
from simbuilder.graph.schema import ENTITY, Schema
from simbuilder.graph.service import GraphService

_STEPS = 20_000
"""Relationships that are looked at around a node."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be drawn: `limit` nodes of some kinds or labels, of a plane, around a node."""

    limit: int
    kinds: Sequence[str] = ()
    plane: str | None = None
    around: str = ""
    depth: int = 2
    path: Sequence[str] = ()
    """The uids along it, which are drawn whatever else is."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes and relationships as `view.page` takes them, of how many nodes they were chosen."""

    nodes: list[dict[str, object]]
    relationships: list[dict[str, object]]
    of_nodes: int


async def draw(graph: GraphService, wanted: Wanted) -> Drawing:
    """Choose what is drawn: a path first, then what has most power over others, or others over it.

    Around a node it is what is nearest to it. Raises `GraphQueryError` for a kind that there is
    not, and `NoSuchNodeError`.
    """
    kinds, values = _conditions(graph.schema, wanted)
    if wanted.around:
        around = await graph.neighbourhood(wanted.around, wanted.depth, _STEPS)
        found = [n["uid"] for n in around.nodes if _fits(graph.schema, n, wanted)]
        total = len(found)
    else:
        total = await _count(graph, kinds, values)
        statement = _all(kinds) if total <= wanted.limit else _ranked(kinds)
        more = {"power": _powers(graph.schema), "limit": wanted.limit}
        _, rows, _ = await graph.query(statement, {**values, **more})
        found = [str(row[0]) for row in rows]
    chosen = list(dict.fromkeys((*wanted.path, *found)))[: max(wanted.limit, len(wanted.path))]
    nodes, ties = await _whole(graph, chosen)
    return Drawing(nodes, ties, max(total, len(nodes)))


async def _count(graph: GraphService, where: str, values: Mapping[str, Any]) -> int:
    _, rows, _ = await graph.query(f"MATCH (n:{ENTITY}){where} RETURN count(n) AS n", values)
    return int(rows[0][0])


def _all(where: str) -> str:
    return f"MATCH (n:{ENTITY}){where} RETURN n.uid AS uid LIMIT $limit"


def _ranked(where: str) -> str:
    return f"""\
MATCH (n:{ENTITY})-[r]-(:{ENTITY}){where} \
WITH n.uid AS uid, sum(coalesce($power[type(r)], 0)) AS power, count(r) AS degree \
RETURN uid, power, degree ORDER BY power DESC, degree DESC, uid LIMIT $limit"""


def _powers(schema: Schema) -> dict[str, int]:
    """Return what counts: not that a group has members, or that a tenant contains everything."""
    structure = schema.families.get("structure", ())
    return dict.fromkeys((t for t in schema.families["attack"] if t not in structure), 1)


async def _whole(
    graph: GraphService, uids: Sequence[str]
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return some nodes and all that is between them."""
    _, rows, _ = await graph.query(_NODES, {"uids": list(uids)})
    nodes = [_node(graph.schema, row[0]) for row in rows]
    # a map finds a uid at once, where a list would be searched for each relationship
    chosen = {"uids": list(uids), "chosen": dict.fromkeys(uids, True)}
    _, rows, _ = await graph.query(_TIES, chosen)
    attack = set(graph.schema.families["attack"])
    ties = [
        {"kind": kind, "from": start, "to": end, "attack": kind in attack, "properties": said(own)}
        for kind, start, end, own in rows
    ]
    return nodes, ties


_NODES = f"UNWIND $uids AS uid MATCH (n:{ENTITY} {{uid: uid}}) RETURN properties(n) AS node"
_TIES = f"""\
UNWIND $uids AS uid MATCH (a:{ENTITY} {{uid: uid}})-[r]->(b:{ENTITY}) WHERE $chosen[b.uid] \
RETURN type(r) AS kind, a.uid AS start, b.uid AS end, properties(r) AS own"""


def _node(schema: Schema, row: Mapping[str, Any]) -> dict[str, object]:
    name = str(row.get("kind") or "")  # of ours it has one, but others may write here, too
    kind = schema.node_kinds.get(name)
    return {
        "uid": row["uid"],
        "kind": name,
        "family": kind.family if kind else "",
        "name": str(row.get("name") or row["uid"]),
        "plane": str(row.get("plane") or ""),
        "properties": said(row),
    }


def _conditions(schema: Schema, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Return which nodes are meant, as part of a statement; its labels are the schema's own."""
    for label in wanted.kinds:
        if label not in schema.labels:
            raise GraphQueryError(
                f"no node is a {label!r:.80}", "docs/graph-model.md lists kinds and labels"
            )
    conditions = []
    if wanted.kinds:
        conditions.append(f"({' OR '.join(f'n:{label}' for label in wanted.kinds)})")
    if wanted.plane:
        conditions.append("n.plane = $plane")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return where, {"plane": wanted.plane}


def _fits(schema: Schema, row: Mapping[str, Any], wanted: Wanted) -> bool:
    kinds = {kind for label in wanted.kinds for kind in schema.labels[label]}
    of_kind = not kinds or row.get("kind") in kinds or row["uid"] == wanted.around
    return of_kind and wanted.plane in (None, row.get("plane"))
