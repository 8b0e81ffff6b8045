# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of relationships of the family lifecycle."""

from simbuilder.graph.rows.base import TieRow


class MatchesTie(TieRow, total=False):
    """Seems to be the same on another plane, or in another pass."""

    score: float
    method: str
