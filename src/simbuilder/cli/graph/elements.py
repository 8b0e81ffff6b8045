"""Nodes and relationships as the commands print them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simbuilder.graph.preparing import said

if TYPE_CHECKING:
    from simbuilder.cli.graph.outputs import NodeData, PathData, TieData
    from simbuilder.graph.paths import Path


def brief(row: Mapping[str, Any]) -> "NodeData":
    """Return what a node is called; others than us may have written it, without a kind."""
    name, kind = (str(row.get(key) or "") for key in ("name", "kind"))
    return {"uid": row["uid"], "kind": kind, "name": name or row["uid"]}


def tie(found: Mapping[str, Any]) -> "TieData":
    """Return a relationship, from what questions for it return."""
    return {
        "kind": found["kind"],
        "start": found["start"],
        "end": found["end"],
        "properties": dict(sorted(said(found["p"]).items())),
    }


def way(path: "Path") -> "PathData":
    """Return a path."""
    return {
        "length": path.length,
        "nodes": [brief(node) for node in path.nodes],
        "steps": [
            {
                "kind": step.kind,
                "start": step.start,
                "end": step.end,
                "through": step.through,
                "properties": dict(sorted(said(step.properties).items())),
            }
            for step in path.steps
        ],
    }
