"""Rows as a table that fits its width. Pure."""

from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

_NARROWEST = 8
_GAP = "  "
_CUT = "..."


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None
) -> Iterator[str]:
    """Yield a line for the columns' names and one for each row.

    With a `width`, what is longer is cut: of the widest columns first, and never below eight.
    """
    widths = [max(map(measure, cells)) for cells in zip(columns, *rows, strict=True)]
    if width is not None:
        widths = _fitted(widths, width - len(_GAP) * (len(widths) - 1))
    for row in (columns, *rows):
        cells = (_cell(text, size) for text, size in zip(row, widths, strict=True))
        yield _GAP.join(cells).rstrip()


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return the widths with the widest as low as it takes to have room for all."""
    limit = max(widths, default=0)
    while limit > _NARROWEST and sum(min(width, limit) for width in widths) > room:
        limit -= 1
    return [min(width, limit) for width in widths]


def _cell(text: str, width: int) -> str:
    if measure(text) > width:
        while measure(text) > width - len(_CUT):
            text = text[:-1]
        text += _CUT
    return text + " " * (width - measure(text))


def measure(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
