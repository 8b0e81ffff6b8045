# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of relationships of the family structure."""

from simbuilder.graph.rows.base import TieRow


class MemberOfTie(TieRow, total=False):
    """Is a member of the group, and has what it has."""

    membership: str
    derived: bool
    rule: str
    via: list[str]


class InUnitTie(TieRow, total=False):
    """Is in the unit, so that roles limited to the unit count for it."""

    membership: str
