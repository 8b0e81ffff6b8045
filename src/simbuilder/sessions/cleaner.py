"""Cleaner: removes sessions without residue, and finishes what interrupted commands began."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from simbuilder.scaffolding.exceptions import (
    BusyError,
    ForeignStateError,
    MovedStateError,
    NewerStateError,
    SimBuilderError,
    StateError,
    UnknownStateError,
)
from simbuilder.scaffolding.files import sweep
from simbuilder.sessions import current, plan
from simbuilder.sessions.journal import Journal
from simbuilder.sessions.model import Session, State
from simbuilder.sessions.plan import Plan
from simbuilder.sessions.port_manager import LOCK_TIMEOUT_S, PortManager
from simbuilder.sessions.result import Event, EventSink, Happening
from simbuilder.sessions.runtime import Runtime
from simbuilder.sessions.runtimes import Runtimes, unseen_of
from simbuilder.sessions.store import SessionStore

ASKED = "asked for"

REAP_S = 0.05
"""What any command may spend on what others left, in seconds; nothing is begun after that."""


class Cleaner:
    """Removes on behalf of one (canonical) folder.

    The record goes last: whatever ends a cleanup, running it again goes on from there.
    """

    def __init__(
        self,
        store: SessionStore,
        ports: PortManager,
        runtimes: Runtimes,
        emit: EventSink,
        folder: Path,
        owner: str,
        journal: Journal,
    ) -> None:
        self._store = store
        self._ports = ports
        self._runtimes = runtimes
        self._emit = emit
        self._folder = folder
        self._owner = owner
        self._journal = journal

    def targets(self) -> list[str]:
        """Return the ids of all there is to remove: sessions, broken records, and orphans."""
        return sorted({*self.orphans(), *self._store.ids()})

    def orphans(self) -> list[str]:
        """Return the ids of what runs, or left data, without a record."""
        return sorted(i for i in self._runtimes.traces() if not self._store.recorded(i))

    def plan(self, session_id: str) -> Plan:
        """Return what `cleanup` would do."""
        running = sorted(
            service
            for runtime in self._runtimes.candidates(self._loadable(session_id))
            for service, seen in runtime.observe([session_id]).get(session_id, {}).items()
            if seen.state is State.RUNNING
        )
        files = [folder / current.FILE for folder in self._folders(session_id)]
        shown = [str(path) for path in files if current.read(path) == session_id]
        return plan.plan_cleanup(session_id[:8], running, shown)

    def cleanup(self, session_id: str, timeout_s: float, cause: str = ASKED) -> None:
        """Remove every trace of a session: servers, data, env files, ports and, last, the record.

        Works when the record is broken or lost. If something cannot be removed, raises and keeps
        the record, so that running it again goes on from there.
        """
        with self._store.lock(session_id, timeout_s, self._emit):
            self.remove(session_id, cause)

    def remove(self, session_id: str, cause: str) -> None:
        """Do what `cleanup` does for a session whose lock is held, and write down why."""
        session = self._loadable(session_id)
        there = self._store.recorded(session_id) or self._runtimes.remember(session_id)
        runtimes = self._removable_from(session_id)
        with suppress(ValueError):  # damaged: it is mended on the way
            self._ports.reserved()  # raises where a newer version keeps the ledger
        self._emit(Event("begin", session_id[:8], "removing"))
        self._remove(session_id, runtimes, LOCK_TIMEOUT_S)
        if there:  # not if another command has removed it meanwhile
            self._journal.write(Happening.REMOVED, session or session_id, cause)
        self._emit(Event("done", session_id[:8], "removed"))

    def _remove(self, session_id: str, runtimes: Sequence[Runtime], timeout_s: float) -> None:
        folders = self._folders(session_id)
        self._store.begin_removal(session_id)
        for runtime in runtimes:
            runtime.remove(session_id)
        with self._ports.transaction(timeout_s):
            self._forget_env_files(session_id, folders)
            self._ports.release(session_id)
            self._store.forget(session_id)

    def _forget_env_files(self, session_id: str, folders: Sequence[Path]) -> None:
        for folder in folders:
            try:
                current.delete(folder, session_id)
            except OSError as error:  # a folder out of reach must not keep the session for ever
                path = folder / current.FILE
                message = f"whether {path} names the session cannot be seen: {error}"
                self._emit(Event("warning", "env-file", message))
        if self._loadable(session_id) is None and self._store.recorded(session_id):
            message = f"an env file of session {session_id[:8]} may be left where it was created"
            self._emit(Event("warning", "env-file", message))

    def _removable_from(self, session_id: str) -> list[Runtime]:
        """Return the runtimes to remove the session from, all of which can be asked just now.

        Raises if the one it runs on is out of our reach: the session must not be forgotten then.
        Where the record cannot tell, a runtime that does not answer and knows nothing of the
        session is passed over with a warning: what it may hold is found as an orphan later.
        """
        session = self._loadable(session_id)
        runtimes = []
        for runtime in self._runtimes.candidates(session):
            unseen = unseen_of(runtime.observe([session_id]).get(session_id, {}))
            if unseen is None:
                runtimes.append(runtime)
            elif session is not None or runtime.remembers(session_id):
                raise UnknownStateError(
                    f"what runs of session {session_id[:8]} is unknown: {unseen.problem}",
                    "nothing was removed; once that answers, run the same command again",
                )
            else:
                message = f"whether session {session_id[:8]} left anything: {unseen.problem}"
                self._emit(Event("warning", UnknownStateError.code, message))
        return runtimes

    def _loadable(self, session_id: str) -> Session | None:
        try:
            return self._store.load_own(session_id, self._owner)
        except (NewerStateError, ForeignStateError, MovedStateError):
            raise
        except StateError:
            return None

    def _folders(self, session_id: str) -> list[Path]:
        """Return where env files may name the session; this folder where the record cannot tell."""
        session = self._loadable(session_id)
        return [self._folder] if session is None else [Path(folder) for folder in session.folders]

    # --- what interrupted commands left ----------------------------------------------------

    def tidy(self) -> None:
        """Remove what interrupted commands left behind that belongs to no session."""
        self._store.sweep()
        with self._ports.transaction():
            self._ports.prune()
            self._store.tidy()

    def reap(self) -> None:
        """Finish what interrupted commands left, as far as a moment (`REAP_S`) goes, and say so.

        Half-made records go, begun removals end, files of killed writers vanish. Whatever another
        command works on is left to it; what takes longer is left to `cleanup`.
        """
        deadline = time.monotonic() + REAP_S
        sweep(self._folder)
        self._store.sweep()
        # whoever needs the ledger will hear of what is wrong with it
        with suppress(SimBuilderError, OSError):
            if self._ports.stale():
                with self._ports.transaction(0):
                    self._ports.prune()
        for session_id in self._store.leftovers():
            if time.monotonic() >= deadline:
                break
            try:
                with self._store.lock(session_id, 0, self._emit):
                    self._finish(session_id)
            except BusyError:
                continue
            except (SimBuilderError, OSError) as error:  # the user's command is about another one
                message = f"what is left of session {session_id[:8]} cannot be finished: {error}"
                self._emit(Event("warning", "not-reaped", message))

    def _finish(self, session_id: str) -> None:
        """Finish a removal, or the making of a record, that was broken off; its lock is held."""
        if not self._store.recorded(session_id):
            # an empty one may be about to be filled; one that was started is an orphan with data
            if any(self._store.folder(session_id).iterdir()) and not self._runtimes.remember(
                session_id
            ):
                with self._ports.transaction(REAP_S):
                    self._store.forget(session_id)
                self._tell(session_id, "removed what an interrupted command left of")
        elif self._store.removing(session_id):
            session = self._loadable(session_id)
            runtimes = self._runtimes.candidates(session)
            if all(runtime.instant and not _runs(runtime, session_id) for runtime in runtimes):
                self._remove(session_id, runtimes, REAP_S)
                self._journal.write(Happening.REMOVED, session or session_id, "begun earlier")
                self._tell(session_id, "finished the interrupted removal of")
        elif self._store.copying(session_id) and (known := self._loadable(session_id)):
            from simbuilder.sessions.snapshots import Snapshots  # which few commands need

            runtime = self._runtimes.of(known)
            self._store.discard_packed(session_id)
            if runtime.instant:
                runtime.copies.tidy(known, Snapshots(self._store).names(session_id))
                self._store.end_copying(session_id)
                self._tell(session_id, "removed what an interrupted copy left of")

    def _tell(self, session_id: str, what: str) -> None:
        self._emit(Event("warning", "reaped", f"{what} session {session_id[:8]}"))


def _runs(runtime: Runtime, session_id: str) -> bool:
    seen = runtime.observe([session_id]).get(session_id, {})
    return any(one.state is not State.STOPPED for one in seen.values())
