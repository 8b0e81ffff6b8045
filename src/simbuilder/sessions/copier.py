"""Copier: forks sessions, and takes them back to earlier states.

Whatever is copied stands still meanwhile, for as short a time as can be, which is measured. A
session that is being filled counts as being removed until it is whole: if the command dies, the
next one clears it away.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simbuilder.scaffolding import freeze
from simbuilder.sessions.journal import Journal
from simbuilder.sessions.makers import Makers
from simbuilder.sessions.manager import CreateRequest, SessionManager
from simbuilder.sessions.model import Place, Session, State, check_name
from simbuilder.sessions.result import Event, EventSink, Happening
from simbuilder.sessions.runtime import Data
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.snapshots import Snapshot, Snapshots
from simbuilder.sessions.store import SessionStore
from simbuilder.sessions.view import Report

CLEANUP_S = 60.0
"""For removing a session that could not be filled; nobody else knows of it yet."""


@dataclass(frozen=True)
class Copied:
    """What copying took: `bytes` in all, and `pause_s` for which the source answered nobody."""

    bytes: int
    pause_s: float

    def __str__(self) -> str:
        """Say it to people."""
        pause = f"; it stood still for {self.pause_s:.2f} s" if self.pause_s else ""
        return f"copied {self.bytes / 1e6:,.1f} MB{pause}"


@dataclass(frozen=True)
class Forked:
    """A new session, with what it took to copy the one it is of."""

    report: Report
    source: Session
    copied: Copied


class Copier:
    """Copies sessions, and parts of them."""

    def __init__(
        self,
        manager: SessionManager,
        store: SessionStore,
        runtimes: Runtimes,
        makers: Makers,
        journal: Journal,
        emit: EventSink,
    ) -> None:
        self._manager = manager
        self._store = store
        self._runtimes = runtimes
        self._makers = makers
        self._journal = journal
        self._emit = emit
        self.snapshots = Snapshots(store)

    # --- forking ---------------------------------------------------------------------------

    def fork(
        self,
        session_id: str,
        timeout_s: float,
        name: str | None = None,
        ttl_s: int = 0,
        bound_to: str = "",
        start: bool = True,
    ) -> Forked:
        """Make a session with all that was acknowledged to clients of another one, and start it.

        The source runs on if it ran; nothing is changed but that its clients wait for a moment. If
        the copy fails nothing new is left. Raises before anything is written if `name` cannot be
        had.
        """
        self.check_new(name)
        with ExitStack() as held:
            with self._manager.locked(session_id, timeout_s) as source:
                runtime = self._runtimes.of(source)
                running = self.running(source)
                runtime.prepare(source.services, source.images, self._emit)
                place = Place(source.engine, source.host, source.published, source.images)
                request = CreateRequest(
                    services=source.services,
                    runtime=source.runtime,
                    reason=f"fork of {source.label}",
                    name=name,
                    ttl_s=ttl_s,
                    bound_to=bound_to,
                )
                draft = self._manager.draft(request, place)

                def fill(session: Session) -> Copied:
                    return self._still(Data(source), running, Data(session))

                session, copied = self.add(draft, fill, held)
            report = (
                self._manager.bring_up(session, session.services, timeout_s)
                if start
                else self._manager.status(session.id)
            )
        cause = f"as {session.short}"
        self._journal.write(Happening.FORKED, source, cause, fork=session.id)
        return Forked(report, source, copied)

    def check_new(self, name: str | None) -> None:
        """Raise `UsageError` if no new session can have that name."""
        if name is not None:
            check_name(name)
            self._manager.registry.check_name_is_free(name)

    def add(
        self, draft: Session, fill: Callable[[Session], Copied], held: ExitStack
    ) -> tuple[Session, Copied]:
        """Record a session and fill it; its lock stays with `held`. If that fails it goes again."""
        own = ExitStack()
        try:
            session = self._manager.registry.add(draft, own, unfinished=True)
            copied = fill(session)
            self._runtimes.of(session).copies.adopt(session)
            self._store.call_off_removal(session.id)
        except BaseException:
            recorded = self._store.recorded(draft.id)
            if not recorded:
                self._store.forget(draft.id)
            own.close()
            if recorded:
                self._manager.cleaner.cleanup(draft.id, CLEANUP_S, "it could not be filled")
            raise
        held.push(own)
        return session, copied

    # --- snapshots -------------------------------------------------------------------------

    def save(self, session_id: str, name: str, timeout_s: float) -> tuple[Snapshot, Copied]:
        """Keep the present state of a session under a name. Raises `UsageError` for one it has."""
        check_name(name)
        with self._manager.locked(session_id, timeout_s) as session:
            self.snapshots.check_is_new(session, name)
            with self.copying(session):
                target = Data(session, name)
                done = self._still(Data(session), self.running(session), target)
                seal = self._runtimes.of(session).copies.seal(target, session.services)
                made = (name, self._makers.now(), session.services)
                snapshot = Snapshot(*made, done.bytes, seal)
                self.snapshots.add(session.id, snapshot)
            return snapshot, done

    def restore(self, session_id: str, name: str, timeout_s: float) -> tuple[Report, Copied]:
        """Take a session back to a snapshot, and start it if it ran; later data is lost.

        The servers go on until the copy is complete: interrupted before, nothing has changed.
        """
        with self._manager.locked(session_id, timeout_s) as session:
            snapshot = self.snapshots.find(session, name)
            running = self.running(session)
            copies = self._runtimes.of(session).copies
            with self.copying(session):
                source, target = Data(session, name), Data(session)
                self.snapshots.check_is_whole(
                    session, snapshot, copies.seal(source, snapshot.services)
                )
                number = copies.copy(source, target, snapshot.services, self._emit)
                began = time.monotonic()
                self._runtimes.of(session).stop(session.id, session.services)
                copies.adopt(session)
            report = (
                self._manager.bring_up(session, running, timeout_s)
                if running
                else self._manager.status(session.id)
            )
            return report, Copied(number, time.monotonic() - began)

    def delete(self, session_id: str, name: str, timeout_s: float) -> Snapshot:
        """Delete a snapshot."""
        with self._manager.locked(session_id, timeout_s) as session:
            snapshot = self.snapshots.find(session, name)
            with self.copying(session):
                self.snapshots.forget(session.id, name)
                self._runtimes.of(session).copies.drop(Data(session, name))
            return snapshot

    def _still(self, source: Data, running: Sequence[str], target: Data) -> Copied:
        """Copy what can be copied before, and then the rest while what runs stands still."""
        copies = self._runtimes.of(source.session).copies
        what = (source, target, source.session.services, self._emit)
        if running:
            copies.ahead(*what)
        return self.still(source.session, running, partial(copies.copy, *what))

    # --- helpers ---------------------------------------------------------------------------

    @contextmanager
    def copying(self, session: Session, into: Path | None = None) -> Iterator[None]:
        """Make copies of a locked session; what is half-made goes, now or with the next command.

        A file of them is made in the folder `into`.
        """
        copies = self._runtimes.of(session).copies
        if self._store.copying(session.id):  # a command died, and nobody has tidied since
            copies.tidy(session, self.snapshots.names(session.id))
            self._store.end_copying(session.id)
        self._store.begin_copying(session.id, into)
        try:
            yield
        except BaseException:  # an engine that cannot tidy now is asked again by the next copy
            copies.tidy(session, self.snapshots.names(session.id))
            self._store.end_copying(session.id)
            raise
        self._store.end_copying(session.id)

    def still(self, source: Session, running: Sequence[str], copy: Callable[[], int]) -> Copied:
        """Let `copy`, which returns bytes, run while what runs of the source stands still."""
        copies = self._runtimes.of(source).copies
        for what in copies.lacks(source, running) if running else ():
            self._emit(Event("warning", "not-copied", f"not copied: {what}"))
        self._emit(Event("begin", "data", f"copying what {source.label} keeps"))
        with freeze.unsuspended(), copies.held(source, running) as since:
            number = copy()
        copied = Copied(number, time.monotonic() - since if running else 0.0)
        self._emit(Event("done", "data", str(copied)))
        return copied

    def running(self, session: Session) -> list[str]:
        """Return the services that run now. Raises like `Runtimes.see`."""
        seen = self._runtimes.see(session)
        return [s for s in session.services if s in seen and seen[s].state is State.RUNNING]
