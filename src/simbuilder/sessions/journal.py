"""What happened to sessions, a line of JSON each: who wonders later can look it up.

The file lies in the cache folder, as the state folder is gone after the last cleanup; it can be
deleted at any time. It is a courtesy: where it cannot be written, nothing is, and no command fails
for it. It never holds a secret.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbuilder.scaffolding.files import append_line, make_private_folder, open_private
from simbuilder.sessions.model import Session, State
from simbuilder.sessions.result import Happening
from simbuilder.sessions.view import SessionView, problems_of

if TYPE_CHECKING:
    from simbuilder.sessions.lines import EventData

Entry = Mapping[str, Any]

LIMIT = 1 << 20
"""Bytes from which on a new file is begun; the one before is kept."""

_STATES = (Happening.READY, Happening.DEGRADED, Happening.HEALED, Happening.STOPPED)


def place(cache: Path) -> Path:
    """Return where the journal of all who share a cache folder is kept."""
    return cache / "events.jsonl"


class Journal:
    """What happened to the sessions of a state folder.

    Each event is appended with one write, so that commands need not wait for each other.
    """

    def __init__(self, path: Path, state_folder: Path, now: Callable[[], str]) -> None:
        self._path = path
        self._state_folder = str(state_folder)
        self._now = now

    def reader(self) -> "Reader":
        """Return who reads what is there, and then what comes."""
        return Reader(self._path, self._state_folder)

    def write(self, event: Happening, session: Session | str, cause: str, **more: str) -> None:
        """Write down that something happened to a session; its id is enough if the record is lost.

        `cause` says why, in words that may hold no secret. `more` are further facts of the event.
        """
        known = session if isinstance(session, Session) else None
        line: EventData = {
            "time": self._now(),
            "event": event,
            "session": known.id if known else str(session),
            "name": known.name if known else None,
            "runtime": known.runtime if known else "",
            "cause": cause,
            "state_folder": self._state_folder,
        }
        # no disk space, no permission, somebody else's file: no reason to stop the work
        with suppress(OSError, ValueError):
            make_private_folder(self._path.parent)
            append_line(self._path, json.dumps({**line, **more}), LIMIT)

    def notice(self, view: SessionView) -> None:
        """Write down that a session has become degraded, healed or stopped since the last event.

        That servers serve again is only believed if they were asked.
        """
        state, known = view.state, self._last(view.session.id)
        ended = [s for s in view.session.services if view.seen(s).exit_status is not None]
        down = state is State.DEGRADED or (state is State.STOPPED and ended)
        if state is State.RUNNING and view.health is not None and known is Happening.DEGRADED:
            self.write(Happening.HEALED, view.session, "all its servers serve again")
        elif down and known in (Happening.READY, Happening.HEALED):
            self.write(Happening.DEGRADED, view.session, causes(view))
        elif state is State.STOPPED and not ended and known not in (None, Happening.STOPPED):
            self.write(Happening.STOPPED, view.session, "nothing of it runs any more")

    def started(self, view: SessionView, services: Sequence[str]) -> None:
        """Write down how a start of `services` went."""
        if problems_of(view):
            self.write(Happening.DEGRADED, view.session, causes(view))
        elif services:
            healed = self._last(view.session.id) is Happening.DEGRADED
            event = Happening.HEALED if healed else Happening.READY
            self.write(event, view.session, f"started {', '.join(services)}")
        else:
            self.notice(view)

    def history(self, session_id: str) -> list[Entry]:
        """Return all that is known to have happened to a session."""
        with closing(self.reader()) as reader:
            return reader.new(session_id)

    def _last(self, session_id: str) -> Happening | None:
        """Return the last event that says how the session is."""
        known = [e["event"] for e in self.history(session_id) if e["event"] in _STATES]
        return Happening(known[-1]) if known else None


def causes(view: SessionView) -> str:
    """Return what is wrong with a session, in words without the lines of any log."""
    said = []
    for service, data in view.data()["services"].items():
        if data["ready"] is False or data["problem"]:
            ended = data["exit_status"]
            how = "not running" if ended is None else f"it ended with exit status {ended}"
            said.append(f"{service}: {data['problem'] or how}")
    return "; ".join(said)


class Reader:
    """Reads a journal from its beginning, and then what is new each time it is asked."""

    def __init__(self, path: Path, state_folder: str) -> None:
        self._path = path
        self._state_folder = state_folder
        self._file: BufferedReader | None = None
        self._rest = b""

    def new(self, about: str = "") -> list[Entry]:
        """Return the events since the last time, with `about` in their line; damage is skipped."""
        entries: list[Entry] = []
        for line in self._lines():
            if about.encode() in line:
                with suppress(ValueError, LookupError, TypeError):
                    entry = json.loads(line)
                    if entry["state_folder"] == self._state_folder:
                        entries.append(entry)
        return entries

    def _lines(self) -> Iterator[bytes]:
        if self._file is None:
            with suppress(OSError, ValueError), open_private(previous(self._path)) as file:
                yield from file.read().splitlines()
        while True:
            if self._file is None:
                with suppress(OSError, ValueError):
                    self._file = open_private(self._path)
            if self._file is None:
                return
            replaced = self._replaced(self._file)  # asked first: then all that is in it is read
            yield from self._whole_lines(self._file)
            if not replaced:
                return
            self._file.close()
            self._file = None

    def _whole_lines(self, file: BufferedReader) -> list[bytes]:
        *lines, self._rest = (self._rest + file.read()).split(b"\n")
        return lines

    def _replaced(self, file: BufferedReader) -> bool:
        """True if a new file was begun; before that, the old one has its last lines."""
        try:
            return not os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def previous(path: Path) -> Path:
    """Return what a full journal is called."""
    return path.with_name(f"{path.name}.1")
