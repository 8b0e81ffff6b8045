"""Collector: removes sessions whose time is up, or whom nobody is left to want.

There is no daemon. Whatever comes next does it: every session command for sessions that have
expired or whose process has ended, and `session gc` for all there is.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from simbuilder.scaffolding import identity
from simbuilder.scaffolding.exceptions import BusyError, SimBuilderError
from simbuilder.sessions import current, expiry
from simbuilder.sessions.cleaner import REAP_S, Cleaner
from simbuilder.sessions.expiry import Due, Facts, Moment, Why
from simbuilder.sessions.journal import Journal
from simbuilder.sessions.model import End, Session, same_owner
from simbuilder.sessions.result import Event, EventSink, Happening, Problem
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.store import SessionStore

POSTPONED_S = 10.0
"""For so long nothing more is said of a session that could not go, nor is an engine asked again."""


@dataclass(frozen=True)
class Collected:
    """What became of sessions that were due; `kept` says why each stayed."""

    removed: tuple[Due, ...]
    kept: tuple[tuple[Due, str], ...]
    problems: tuple[Problem, ...] = ()


class Collector:
    """Removes on behalf of one owner; see `Session.owner`."""

    def __init__(
        self,
        store: SessionStore,
        runtimes: Runtimes,
        cleaner: Cleaner,
        journal: Journal,
        emit: EventSink,
        owner: str,
        now: Callable[[], Moment],
    ) -> None:
        self._store = store
        self._runtimes = runtimes
        self._cleaner = cleaner
        self._journal = journal
        self._emit = emit
        self._owner = owner
        self._now = now

    # --- for gc ----------------------------------------------------------------------------

    def due(self, older_than_s: int | None = None) -> list[Due]:
        """Return all that shall go, whatever runs it, and what lost sessions left that shall."""
        marks = self._lost(self._runtimes.marks())
        return [
            *self._judge(self._recorded(), orphans=True, older_than_s=older_than_s),
            *expiry.due_marks(marks, _facts(marks), self._now()),
        ]

    def weigh(self, found: Sequence[Due], force: bool) -> list[tuple[Due, str]]:
        """Return each with what is against removing it: clients, unless that shall not count."""
        return [(one, "" if force else self._against(one)) for one in found]

    def collect(
        self, verdicts: Sequence[tuple[Due, str]], timeout_s: float, force: bool
    ) -> Collected:
        """Remove those that nothing is against; what one of them refuses does not stop the next."""
        removed: list[Due] = []
        kept = [(one, against) for one, against in verdicts if against]
        problems = []
        for one in (one for one, against in verdicts if not against):
            try:
                if against := self._remove(one, timeout_s, force):
                    kept.append((one, against))
                else:
                    removed.append(one)
            except SimBuilderError as error:
                problems.append(Problem.of(error))
            except OSError as error:
                hint = "its record is kept; mend the cause and run the same command again"
                message = f"session {one} is not removed, or not wholly: {error}"
                problems.append(Problem("partly-removed", message, hint))
        self._cleaner.tidy()
        return Collected(tuple(removed), tuple(kept), tuple(problems))

    # --- for any other command -------------------------------------------------------------

    def act(self) -> None:
        """Remove sessions whose process has ended, and expired ones for a moment (`REAP_S`).

        Says what went and why, and what stays although its time is up. Whatever another command
        works on is left to it.
        """
        deadline = time.monotonic() + REAP_S
        marks = self._lost(self._runtimes.marks(instant=True))
        now = self._now()
        for one in [
            *self._judge(self._recorded()),
            *expiry.due_marks(marks, _facts(marks), now),
        ]:
            if one.why is Why.ENDED or time.monotonic() < deadline:
                self._act(one)

    def _act(self, one: Due) -> None:
        told = self._store.postponed(one.id, POSTPONED_S)
        try:
            if told and not self._instant(one):
                return
            if against := self._remove(one, 0, force=False):
                self._stays(one, f"stays: {against}", told)
            else:
                self._emit(Event("warning", "expired", f"removed session {one}: it {one.cause}"))
        except BusyError:
            return
        except (SimBuilderError, OSError) as error:  # the user's command is about another one
            self._stays(one, f"cannot be removed: {error}", told)

    def _stays(self, one: Due, why: str, told: bool) -> None:
        if self._store.recorded(one.id) and not told:
            self._store.postpone(one.id)
            message = f"session {one} {one.cause} and {why}"
            self._emit(Event("warning", "not-expired", message))

    def _instant(self, one: Due) -> bool:
        """True if looking takes no time; what lost sessions left is only looked for where so."""
        session = self._loaded(one.id)
        return session is None or self._runtimes.of(session).instant

    # --- both ------------------------------------------------------------------------------

    def _recorded(self) -> list[Session]:
        """Return the owner's sessions; those in a copy of the state folder are not touched."""
        sessions, _ = self._store.load_all()
        return [s for s in sessions if not s.owner or same_owner(s.owner, self._owner)]

    def _lost(self, marks: Mapping[str, End]) -> dict[str, End]:
        return {i: end for i, end in marks.items() if not self._store.recorded(i)}

    def _judge(
        self, sessions: Sequence[Session], orphans: bool = False, older_than_s: int | None = None
    ) -> list[Due]:
        facts = _facts({s.id: s.end for s in sessions})
        if orphans:
            gone = (s.id for s in sessions if current.orphaned(s, self._owner))
            facts = replace(facts, homeless=frozenset(gone))
        return expiry.due(sessions, facts, self._now(), older_than_s)

    def _against(self, one: Due) -> str:
        """Return who is connected to a session, or that nobody can tell; nothing if nobody is.

        One that is bound to a process ends with it, whoever else has found it.
        """
        if one.why is Why.ENDED or self._store.removing(one.id):
            return ""
        try:
            return expiry.in_use(self._runtimes.clients(one.id, self._loaded(one.id)))
        except SimBuilderError as error:
            return f"whether it has clients cannot be told: {error.message}"

    def _loaded(self, session_id: str) -> Session | None:
        return self._store.load(session_id) if self._store.recorded(session_id) else None

    def _remove(self, one: Due, timeout_s: float, force: bool) -> str:
        """Remove a session; return what is against it once nobody else works on it, if anything."""
        with self._store.lock(one.id, timeout_s, self._emit):
            session = self._loaded(one.id)
            orphaned = one.why is Why.ORPHANED
            if session is not None and not one.asks and not self._judge([session], orphaned):
                return "that has just changed"
            if not force and (against := self._against(one)):
                return against
            if session is not None and one.why in (Why.ENDED, Why.EXPIRED):
                self._journal.write(Happening.EXPIRED, session, one.cause)
            self._cleaner.remove(one.id, one.cause)
        return ""


def _facts(ends: Mapping[str, End]) -> Facts:
    bound = {i: end.bound_to for i, end in ends.items() if end.bound_to}
    return Facts(frozenset(i for i, whose in bound.items() if not identity.lives(whose)))
