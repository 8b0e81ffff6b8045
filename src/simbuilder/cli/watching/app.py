"""The full-screen view: a table of all sessions, and below it what there is to say of one."""

import asyncio
import signal
import threading
import time
from queue import SimpleQueue
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Static

from simbuilder.cli.watching import cells
from simbuilder.cli.watching.actions import Act, Outcome
from simbuilder.cli.watching.cells import Cell, Line, Tone
from simbuilder.cli.watching.screens import Help, Logs, Name, Question
from simbuilder.cli.watching.table import SessionTable, drawn
from simbuilder.scaffolding.exceptions import SimBuilderError
from simbuilder.sessions.runtime import LogLine
from simbuilder.sessions.watcher import Watcher
from simbuilder.sessions.watching import Snapshot

_TICK_S = 0.25
_DRAW_EVERY_S = 1.0
"""At most; and at least twice between two looks."""

_MARGIN = 2
_AGES_EVERY_S = 20.0
"""When nothing happens, time still passes, by the minute."""

_NOTHING = """\
There are no sessions.

    simbuilder session create --start-containers

makes one. It appears here as soon as it is there."""

_KEYS = (
    ("up, down", "choose a session; j and k do it too"),
    ("s", "start what of it is not running"),
    ("x", "stop it; data and ports stay"),
    ("f", "fork it: make another one that holds the same"),
    ("c", "clean it up: remove it and all its own; asks first"),
    ("l, Enter", "follow its logs; Esc leads back"),
    ("q, Ctrl-C", "quit; whatever was begun goes on"),
)


class WatchApp(App[int]):
    """Draws what a `Watcher` knows, and does what keys ask for through `act`.

    It waits for nothing but keys: whatever takes time happens in other threads. Its result is an
    exit status. `defect` is what went wrong, for whoever ran it.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = "watch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "do('start')", "start"),
        Binding("x", "do('stop')", "stop"),
        Binding("f", "fork", "fork"),
        Binding("c", "clean_up", "clean up"),
        Binding("l,enter", "logs", "logs"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "leave(0)", "quit"),
        Binding("ctrl+c", f"leave({128 + signal.SIGINT})", show=False, priority=True, system=True),
    ]

    def __init__(self, watcher: Watcher, act: Act) -> None:
        super().__init__(ansi_color=True)
        self._watcher = watcher
        self._act = act
        self._snapshot = Snapshot()
        self._version = -1
        self._drawn_at = 0.0
        self._width = 0
        self._texts: dict[str, Text] = {}
        self._said = Cell("")
        self._begun: dict[str, tuple[str, float]] = {}
        self._ended: SimpleQueue[tuple[str, str, Outcome]] = SimpleQueue()
        self.defect: Exception | None = None

    def compose(self) -> ComposeResult:
        """Fill the screen, from top to bottom."""
        yield Static(id="title")
        yield Static(Text(_NOTHING), id="nothing")
        yield Static(id="header")
        yield SessionTable()
        yield Static(id="details")
        yield Static(id="status")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to draw; and leave the terminal as it was, whatever signal ends us."""
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, self.exit, 128 + sign)
        self.theme = "ansi-dark"
        self._table.focus()
        self._width = self.size.width - _MARGIN
        self._draw()
        self.set_interval(min(_TICK_S, self._watcher.interval_s / 2), self._tick)

    def on_resize(self, event: Resize) -> None:
        """Use the room there is."""
        self._width = event.size.width - _MARGIN
        self._draw()

    # --- drawing ---------------------------------------------------------------------------

    def _tick(self) -> None:
        while not self._ended.empty():
            self._finish(*self._ended.get())
        news = self._watcher.wait(self._version, 0) != self._version
        rest_s = min(_DRAW_EVERY_S, self._watcher.interval_s / 2) if news else _AGES_EVERY_S
        if time.monotonic() - self._drawn_at >= rest_s:
            self._draw()
        if self._begun:
            self._draw_status()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        self._version = self._watcher.wait(-1, 0)
        self._snapshot = self._watcher.snapshot()
        layout = cells.columns(self._width)
        lines = cells.lines(self._snapshot, self._watcher.now(), layout)
        self._put("title", Text(cells.title(self._snapshot, self._width)))
        self._put("header", Text(cells.header(layout)))
        self._table.show(lines)
        self._main.set_class(not lines and not self._snapshot.pending, "empty")
        self._draw_details()

    def _draw_details(self) -> None:
        selected, width = self._table.selected, self._width
        one = next((s for s in self._snapshot.sessions if s.id == selected), None)
        lines: list[Line] = []
        if one is not None:
            lines = cells.details(one, self._watcher.now(), width)
        elif problem := self._snapshot.unreadable.get(selected or ""):
            lines = cells.wrapped(Cell(problem.message, Tone.BAD), width)
            lines += cells.wrapped(Cell(problem.hint), width)
        self._put("details", Text("\n").join(map(drawn, lines)))

    def on_session_table_moved(self) -> None:
        """Show the session below the cursor."""
        self._draw_details()

    def _put(self, place: str, text: Text) -> None:
        """Put a text in its place, unless it is there already."""
        before = self._texts.get(place, Text())
        if before != text:
            self._texts[place] = text
            # to arrange the screen anew takes long, and is needed for another number of lines only
            grown = before.plain.count("\n") != text.plain.count("\n") or not before
            self._main.query_one(f"#{place}", Static).update(text, layout=grown)

    @property
    def _main(self) -> Screen[Any]:
        """The screen with the table, whatever is in front of it."""
        return self.screen_stack[0]

    @property
    def _table(self) -> SessionTable:
        return self._main.query_one(SessionTable)

    # --- keys ------------------------------------------------------------------------------

    def action_leave(self, status: int) -> None:
        """End."""
        self.exit(status)

    def action_help(self) -> None:
        """Say what keys and words mean."""
        self.push_screen(Help(_KEYS))

    def action_logs(self) -> None:
        """Follow the session's logs."""
        if (selected := self._table.selected) is None:
            return
        try:
            follower = self._watcher.follow(selected)
        except SimBuilderError as error:
            self._said = Cell(error.message, Tone.BAD)
            self._draw_status()
            return
        screen = Logs(f"logs of {self._label(selected)}", lambda: [*map(_log, follower.take())])
        self.push_screen(screen, lambda _: follower.stop())

    def action_do(self, verb: str) -> None:
        """Start or stop the session."""
        if selected := self._idle():
            self._begin(selected, verb)

    def action_fork(self) -> None:
        """Make another session that holds the same."""
        if selected := self._idle():

            def go_on(name: str | None) -> None:
                if name is not None:
                    self._begin(selected, "fork", *(["--name", name] if name else []))

            self.push_screen(Name(f"Fork {self._label(selected)} into a new session."), go_on)

    def action_clean_up(self) -> None:
        """Remove the session, after a question."""
        if selected := self._idle():

            def go_on(yes: bool | None) -> None:
                if yes:
                    self._begin(selected, "cleanup")

            self.push_screen(Question(_REALLY.format(self._label(selected))), go_on)

    def _idle(self) -> str | None:
        """Return the session below the cursor, unless something is being done to it."""
        selected = self._table.selected
        if selected in self._begun:  # as the status line says
            self.bell()
            return None
        return selected

    def _begin(self, session_id: str, verb: str, *more: str) -> None:
        def work() -> None:
            try:
                outcome = self._act([verb, session_id, *more])
            except Exception as error:  # noqa: BLE001 - is said where the others are
                outcome = Outcome(False, f"{type(error).__name__}: {error}")
            self._ended.put((session_id, verb, outcome))

        self._begun[session_id] = (verb, time.monotonic())
        self._said = Cell("")
        threading.Thread(target=work, daemon=True).start()
        self._draw_status()

    def _finish(self, session_id: str, verb: str, outcome: Outcome) -> None:
        _, began = self._begun.pop(session_id)
        self._watcher.hurry(session_id)
        how = f"done in {time.monotonic() - began:.1f} s" if outcome.good else "error"
        text = ": ".join(filter(None, (f"{self._label(session_id)}: {verb}", how, outcome.text)))
        self._said = Cell(text, Tone.PLAIN if outcome.good else Tone.BAD)
        self._draw_status()

    def _draw_status(self) -> None:
        """Show what is being done, and below it how the last thing ended."""
        now = time.monotonic()
        parts = [
            f"{self._label(session_id)}: {verb} ... {now - began:.0f} s"
            for session_id, (verb, began) in self._begun.items()
        ]
        shown = (Cell("   ".join(parts)), self._said)
        lines = [line for cell in shown for line in cells.wrapped(cell, self._width)]
        self._put("status", Text("\n").join(map(drawn, lines)))

    def _label(self, session_id: str) -> str:
        labels = {one.id: one.label for one in self._snapshot.sessions}
        return labels.get(session_id, session_id[:8])

    # --- when it goes wrong ----------------------------------------------------------------

    def _handle_exception(self, error: Exception) -> None:
        """Leave it to whoever ran us: textual shows local variables, and with them secrets."""
        self.defect = self.defect or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()


_REALLY = "Remove {}: servers, data, ports, env files and record?"


def _log(line: LogLine | str) -> str:
    if isinstance(line, str):
        return cells.plain(line)
    return f"{line.service:<8}| {cells.plain(line.text)}"
