"""Looks at all sessions again and again, and always knows what was seen last."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import Any

from simbuilder.scaffolding.exceptions import RuntimeUnavailableError, SimBuilderError
from simbuilder.sessions.expiry import Moment
from simbuilder.sessions.model import Health, Observed, Session, State
from simbuilder.sessions.result import Problem
from simbuilder.sessions.runtime import Excerpt, LogLine, Runtime
from simbuilder.sessions.runtimes import PROBE_TIMEOUT_S, Runtimes
from simbuilder.sessions.store import SessionStore
from simbuilder.sessions.view import SessionView
from simbuilder.sessions.watching import Pace, Snapshot, Watched, pace

Engine = tuple[str, str]
"""Runtime and engine of a session, see `Session`."""

_SHARE = 50
"""A count of files is followed by a rest that many times as long: there may be a million."""

_SOON_S = 0.2
_TURN_S = 0.5
"""Sessions are probed one after the other, or each would seem slow: but none waits longer."""
_TAIL = 500
"""Lines of each log that a `Follower` begins with."""


class Watcher:
    """Asks every engine, and the servers of every session, in threads of their own.

    Whoever hangs holds up nobody else, and never `snapshot`. The threads are daemons: nobody has to
    wait for them in the end.
    """

    def __init__(
        self,
        store: SessionStore,
        runtimes: Runtimes,
        now: Callable[[], Moment],
        interval_s: float,
    ) -> None:
        self.now = now
        self._store = store
        self._runtimes = runtimes
        self.interval_s = interval_s
        self._news = threading.Condition()
        self._version = 0
        self._sessions: dict[str, Session] = {}
        self._removing: set[str] = set()
        self._unreadable: dict[str, Problem] = {}
        self._watched: dict[str, Watched] = {}
        self._turns: dict[Engine, int] = {}
        self._turn = threading.Lock()
        self._bells: dict[object, threading.Event] = {}
        self._stopped = False
        self._defect: BaseException | None = None

    def start(self) -> None:
        """Read the records, and begin to ask. Raises `OSError`."""
        self._read_records()
        self._repeat("records", self._read_records, lambda: True)

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        for bell in list(self._bells.values()):
            bell.set()

    def hurry(self, session_id: str) -> None:
        """Look again at once: something was done to the session, or made of it."""
        self._ring("records")
        if session := self._sessions.get(session_id):
            self._ring(("look", _engine(session)))
            self._ring(("probe", session_id))

    def wait(self, version: int, timeout_s: float) -> int:
        """Wait until there is news since `version`, and return the new one."""
        with self._news:
            self._news.wait_for(lambda: self._version != version, timeout_s)
            return self._version

    def snapshot(self) -> Snapshot:
        """Return what is known now. Raises what went wrong unexpectedly in a thread."""
        with self._news:
            if self._defect is not None:
                raise self._defect
            seen = tuple(self._watched[i] for i in self._sessions if i in self._watched)
            return Snapshot(seen, dict(self._unreadable), len(self._sessions) - len(seen))

    def follow(self, session_id: str) -> "Follower":
        """Begin to read a session's logs. Raises `SimBuilderError` if it is gone, or unreadable."""
        session = self._store.load(session_id)
        runtime = self._runtimes.of(session)
        return Follower(lambda wanted: runtime.log_lines(session_id, session.services, wanted))

    # --- threads ---------------------------------------------------------------------------

    def _repeat(self, key: object, ask: Callable[[], float], wanted: Callable[[], bool]) -> None:
        """Ask for as long as it is wanted, and rest as long as `ask` says; the bell of `key` wakes.

        Whoever asks already goes on asking.
        """
        if key in self._bells:
            return
        bell = self._bells[key] = threading.Event()

        def work() -> None:
            try:
                while wanted() and not self._stopped:
                    bell.clear()
                    bell.wait(ask())
            except BaseException as error:  # noqa: BLE001 - `snapshot` raises it
                with self._news:
                    self._defect = error
                    self._tell()
            finally:
                del self._bells[key]

        threading.Thread(target=work, daemon=True).start()

    def _ring(self, key: object) -> None:
        if bell := self._bells.get(key):
            bell.set()

    def _tell(self) -> None:
        self._version += 1
        self._news.notify_all()

    def _learn(self, session_id: str, **facts: Any) -> None:
        """Take down what was found out about a session, unless it is gone."""
        with self._news:
            known = self._watched.get(session_id)
            if known is not None and (now := replace(known, **facts)) != known:
                self._watched[session_id] = now
                self._tell()

    # --- what is asked ---------------------------------------------------------------------

    def _read_records(self) -> float:
        sessions, broken = self._store.load_all()
        removing = {session.id for session in sessions if self._store.removing(session.id)}
        unreadable = {one.id: Problem("state", one.reason, one.hint) for one in broken}
        with self._news:
            before, begun = self._sessions, self._removing
            self._sessions = {session.id: session for session in sessions}
            self._removing = removing
            self._watched = {i: one for i, one in self._watched.items() if i in self._sessions}
            if (before, self._unreadable) != (self._sessions, unreadable):
                self._unreadable = unreadable
                self._tell()
        for session in sessions:
            self._attend(session)
            if session != before.get(session.id) or session.id in removing ^ begun:
                self._ring(("look", _engine(session)))
        return self.interval_s

    def _attend(self, session: Session) -> None:
        """See to it that somebody asks about the session, and about all of its engine."""
        engine = _engine(session)
        asks = {
            "look": self._look,
            "usage": self._measure,
            "stored": self._count,
            "logs": self._read_logs,
        }
        for what, ask in asks.items():
            self._repeat((what, engine), partial(ask, engine), lambda: bool(self._of(engine)))
        self._repeat(
            ("probe", session.id),
            partial(self._probe, session.id),
            lambda: session.id in self._sessions,
        )

    def _look(self, engine: Engine) -> float:
        sessions = self._of(engine)
        observed = self._runtimes.observe(sessions)
        changed = [s.id for s in sessions if self._see(s, observed.get(s.id, {}))]
        for session_id in changed:
            self._ring(("probe", session_id))
        for what in ("usage", "stored", "logs") if changed else ():
            self._ring((what, engine))
        return self._pace(engine).look_s

    def _see(self, session: Session, observed: Mapping[str, Observed]) -> bool:
        """Take down what runs, and forget what is no longer true; False if it is as before."""
        with self._news:
            if session.id not in self._sessions:
                return False
            known = self._watched.get(session.id)
            removing = session.id in self._removing
            view = SessionView(session, self._store.env_file(session.id), observed, None, removing)
            if known is None:
                self._watched[session.id] = Watched(view)
                self._tell()
                return True
            runs = {s for s in session.services if view.seen(s).state is State.RUNNING}
            health = {s: h for s, h in (known.view.health or {}).items() if s in runs}
            usage = {s: u for s, u in known.usage.items() if s in runs}
            self._learn(session.id, view=replace(view, health=health or None), usage=usage)
            return known.view.observed != observed

    def _probe(self, session_id: str) -> float:
        watched, session = self._watched.get(session_id), self._sessions.get(session_id)
        if watched is None or session is None:
            return self.interval_s
        view = watched.view
        running = [s for s in session.services if view.seen(s).state is State.RUNNING]
        health: Mapping[str, Health] = {}
        if running:
            turn = self._turn.acquire(timeout=_TURN_S)
            try:
                health = self._runtimes.of(session).probe(session, running, PROBE_TIMEOUT_S)
            finally:
                if turn:
                    self._turn.release()
            self._hear(session_id, health)
        good = all(one.ready for one in health.values())  # or it may just be starting
        return self._pace(_engine(session)).probe_s if good else self.interval_s

    def _hear(self, session_id: str, health: Mapping[str, Health]) -> None:
        """Take down what servers answered, but for those that have stopped meanwhile."""
        with self._news:
            if (known := self._watched.get(session_id)) is not None:
                view = known.view
                running = {s: h for s, h in health.items() if view.seen(s).state is State.RUNNING}
                self._learn(session_id, view=replace(view, health=running or None))

    def _measure(self, engine: Engine) -> float:
        sessions = self._of(engine)
        try:
            used = self._runtime(engine).usage(sessions)
        except SimBuilderError:  # what is wrong with the engine is said by what runs there
            used = {}
        for session in sessions:
            self._learn(session.id, usage=used.get(session.id, {}))
        return self._pace(engine).usage_s

    def _count(self, engine: Engine) -> float:
        sessions = self._of(engine)
        began = time.monotonic()
        try:
            stored = self._runtime(engine).stored(sessions)
        except SimBuilderError:
            stored = {}
        for session in sessions:
            self._learn(session.id, stored=stored.get(session.id, {}))
        return max(self._pace(engine).stored_s, _SHARE * (time.monotonic() - began))

    def _read_logs(self, engine: Engine) -> float:
        """Read the logs of all sessions where that is quick, else of one after the other."""
        sessions, turn = self._of(engine), self._turns.get(engine, 0)
        self._turns[engine] = turn + 1
        instant = self._instant(engine)
        for session in sessions if instant else sessions[turn % (len(sessions) or 1) :][:1]:
            try:
                tails = self._runtimes.of(session).log_tails(session.id, session.services)
            except RuntimeUnavailableError:  # see `_instant`
                continue
            lines = {service: tail[-1] for service, tail in tails.items() if tail}
            known = self._watched.get(session.id)
            before = known.lines if known else {}
            news = [service for service, line in lines.items() if before.get(service) != line]
            if news:
                self._learn(session.id, lines=lines, latest=news[-1])
        begins = not instant and turn < len(sessions)
        return _SOON_S if begins else self._pace(engine).logs_s

    # --- helpers ---------------------------------------------------------------------------

    def _of(self, engine: Engine) -> list[Session]:
        return [s for s in list(self._sessions.values()) if _engine(s) == engine]

    def _runtime(self, engine: Engine) -> Runtime:
        return self._runtimes.named(engine[0]).at(engine[1])

    def _pace(self, engine: Engine) -> Pace:
        return pace(self.interval_s, self._instant(engine), len(self._sessions))

    def _instant(self, engine: Engine) -> bool:
        try:
            return self._runtimes.named(engine[0]).instant
        except RuntimeUnavailableError:  # one of another version, of which nothing can be asked
            return True


def _engine(session: Session) -> Engine:
    return session.runtime, session.engine


class Follower:
    """Reads logs in a thread of its own, until it is told to `stop`."""

    def __init__(self, read: Callable[[Excerpt], Iterator[LogLine]]) -> None:
        self._read = read
        self._lines: SimpleQueue[LogLine | str] = SimpleQueue()
        self._stopped = False
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        wanted = Excerpt(tail=_TAIL, going_on=lambda: not self._stopped)
        try:
            for line in self._read(wanted):
                self._lines.put(line)
        except Exception as error:  # noqa: BLE001 - whoever takes the lines is told
            self._lines.put(f"no more can be read: {error or type(error).__name__}")

    def take(self) -> list[LogLine | str]:
        """Return the lines that have come since the last time; a bare text says why no more do."""
        return [self._lines.get() for _ in range(self._lines.qsize())]

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
