"""The table of sessions.

Not textual's own: that draws every cell anew whenever one has changed, which takes forty times as
long as a line does here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from simbuilder.cli.watching.cells import Line, Tone

_STYLES = {
    Tone.PLAIN: Style(),
    Tone.QUIET: Style(dim=True),
    Tone.GOOD: Style(color="green"),
    Tone.WARNING: Style(color="yellow"),
    Tone.BAD: Style(color="red", bold=True),
    Tone.TITLE: Style(bold=True),
}
_CURSOR = Style(reverse=True)
"""Reversed, not coloured: it has to be seen where there are no colours."""


def drawn(line: Line) -> Text:
    """Return a line as text with styles."""
    return Text.assemble(*((cell.text, _STYLES[cell.tone]) for cell in line))


class SessionTable(ScrollView, can_focus=True):
    """A line for each session; the cursor stays with its session, whatever comes or goes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another session."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Mapping[str, Line] = {}
        self._cursor = 0

    @property
    def selected(self) -> str | None:
        """The id of the session below the cursor."""
        ids = list(self._lines)
        return ids[self._cursor] if ids else None

    def show(self, lines: Mapping[str, Line]) -> None:
        """Show these sessions, in their order; only what has changed is drawn."""
        before, selected = self._lines, self.selected
        self._lines = lines
        if list(lines) == list(before):
            for row, session_id in enumerate(lines):
                if lines[session_id] != before[session_id]:
                    self._redraw(row)
            return
        ids = list(lines)
        self.virtual_size = Size(0, len(ids))
        self.refresh()
        self._go_to(ids.index(selected) if selected in ids else self._cursor)

    def render_line(self, y: int) -> Strip:
        """Draw a line of the screen."""
        row, width = y + self.scroll_offset.y, self.size.width
        if row >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        cells = list(self._lines.values())[row]
        if row == self._cursor:
            text = "".join(cell.text for cell in cells)
            return Strip([Segment(f" {text}")]).adjust_cell_length(width).apply_style(_CURSOR)
        segments = [Segment(cell.text, self.rich_style + _STYLES[cell.tone]) for cell in cells]
        margin = Segment(" ", self.rich_style)
        return Strip([margin, *segments]).adjust_cell_length(width, self.rich_style)

    def _redraw(self, row: int) -> None:
        self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))

    def _go_to(self, row: int) -> None:
        before, self._cursor = self._cursor, max(0, min(row, len(self._lines) - 1))
        self._redraw(before)
        self._redraw(self._cursor)
        self._reveal()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        """Scroll as far as it takes to see the cursor."""
        top, height = self.scroll_offset.y, self.size.height
        if height and not top <= self._cursor < top + height:
            to = self._cursor if self._cursor < top else self._cursor - height + 1
            self.scroll_to(y=to, animate=False, force=True)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._reveal()

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        self._go_to(event.y + self.scroll_offset.y)

    def action_move(self, by: int) -> None:
        """Move the cursor by so many sessions."""
        self._go_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by so many screens."""
        self._go_to(self._cursor + by * max(1, self.size.height - 1))
