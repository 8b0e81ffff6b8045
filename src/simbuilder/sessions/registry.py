"""How a session comes to be, and becomes the current one of a folder."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.scaffolding.files import mount_of
from simbuilder.sessions import current
from simbuilder.sessions.finder import Finder
from simbuilder.sessions.journal import Journal
from simbuilder.sessions.model import Session
from simbuilder.sessions.port_manager import PortManager
from simbuilder.sessions.result import Event, EventSink, Happening
from simbuilder.sessions.store import SessionStore

if TYPE_CHECKING:
    from simbuilder.sessions.expiry import Moment

REAPERS_S = 5.0


class Registry:
    """Writes records and env files, with the ports they name, in the order that loses nothing."""

    def __init__(
        self,
        store: SessionStore,
        ports: PortManager,
        finder: Finder,
        emit: EventSink,
        journal: Journal,
        now: "Callable[[], Moment]",
    ) -> None:
        self._store = store
        self._ports = ports
        self._finder = finder
        self._emit = emit
        self._journal = journal
        self._now = now

    def check_name_is_free(self, name: str | None) -> None:
        """Raise `UsageError` if another session has that name."""
        if name is not None and name in self._finder.names().values():
            raise UsageError(
                f"a session named {name!r} exists already",
                "choose another name, or remove that session first",
            )

    def add(
        self,
        draft: Session,
        held: ExitStack,
        instead: Callable[[], Session | None] | None = None,
        unfinished: bool = False,
    ) -> Session:
        """Reserve ports for a session that has none, and record it; its lock stays with `held`.

        If `instead` finds a session, because another command has made it just now, that is
        returned and nothing is written. An `unfinished` one counts as being removed until that is
        called off.
        """
        from simbuilder.sessions.expiry import begun

        # before the ledger, as everywhere; a command that reaps may look into the new folder
        held.enter_context(self._store.lock(draft.id, REAPERS_S, self._emit))
        with self._ports.transaction():
            if instead is not None and (found := instead()) is not None:
                return found
            self.check_name_is_free(draft.name)
            session = replace(
                begun(draft, self._now()),
                ports=self._ports.reserve(draft.id),
                mount=mount_of(Path(draft.folder)),
            )
            if unfinished:  # before the record, with which it comes to be
                self._store.begin_removal(draft.id)
            self._store.save(session)
        self._journal.write(Happening.CREATED, session, session.reason)
        return session

    def extend(
        self, session: Session, until: "Callable[[Session, Moment], datetime | None]"
    ) -> Session:
        """Let a locked session go at another time, which `until` says, or never."""
        from simbuilder.sessions.expiry import NEVER, lasting

        now = self._now()
        session = lasting(session, until(session, now), now)
        self._store.save(session)
        self._journal.write(Happening.EXTENDED, session, f"until {session.expires_at or NEVER}")
        return session

    def make_current(self, session: Session, folder: Path | None = None) -> None:
        """Let the env file of `folder`, by default the session's own, name it; and say so."""
        folder = folder or Path(session.folder)
        with self._ports.transaction():  # of all sessions of a folder one at a time
            previous = current.read(folder / current.FILE)
            aside = current.write(folder, session)
        if aside is not None:
            self._emit(Event("note", current.FILE, f"was not ours; kept as {aside.name}"))
        if previous is not None and previous != session.id:
            message = f"{session.label} is the current session now; it was {previous[:8]}"
            self._emit(Event("note", "session", message))

    def restore_env_files(self, session: Session, may_be_current: bool) -> None:
        """Write the session's env files anew if they were lost; another session's is left alone."""
        self._store.save(session)
        folder = Path(session.folder)
        lost = may_be_current and folder.is_dir() and not (folder / current.FILE).exists()
        for place in map(Path, session.folders):
            if current.read(place / current.FILE) == session.id or (lost and place == folder):
                self.make_current(session, place)
