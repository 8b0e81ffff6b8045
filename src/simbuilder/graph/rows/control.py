# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of nodes of the family control."""

from simbuilder.graph.rows.base import NodeRow


class CapabilityRow(NodeRow, total=False):
    """A power that many have over many, so that each is tied once and not to each other."""

    action: str
    targets: str
    derived: bool
    rule: str
    via: list[str]
