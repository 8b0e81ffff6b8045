"""SessionManager: observe -> plan -> execute -> record.

The order that survives a crash: ports and record are written before the first server starts, and
the record is deleted after the last trace of the session is gone. In between, running the same
command again finishes the job.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding.exceptions import (
    HalfRemovedError,
    PortsExhaustedError,
    SessionNotFoundError,
    SimBuilderError,
)
from simbuilder.scaffolding.files import remove_if_empty
from simbuilder.scaffolding.text import printable
from simbuilder.sessions import current, plan
from simbuilder.sessions.cleaner import ASKED, Cleaner
from simbuilder.sessions.finder import Finder
from simbuilder.sessions.journal import Journal
from simbuilder.sessions.makers import Makers
from simbuilder.sessions.model import (
    End,
    Health,
    Observed,
    Place,
    Session,
    StartOutcome,
    State,
    check_name,
)
from simbuilder.sessions.plan import Plan
from simbuilder.sessions.port_manager import PortManager
from simbuilder.sessions.registry import Registry
from simbuilder.sessions.result import Event, EventSink, Happening
from simbuilder.sessions.runtime import Excerpt, LogLine, Runtime
from simbuilder.sessions.runtimes import PROBE_TIMEOUT_S, Runtimes
from simbuilder.sessions.store import Broken, SessionStore
from simbuilder.sessions.view import Report, SessionView, half_removed, problems_of

if TYPE_CHECKING:
    from simbuilder.sessions.collector import Collector
    from simbuilder.sessions.expiry import Moment

PORT_REPLACEMENTS = 3


@dataclass(frozen=True)
class CreateRequest:
    """What kind of session is wanted; `reason` says why on this runtime.

    `ttl_s` and `bound_to` are those of the `Session`. Unless it is to be `current`, the folder
    keeps the session it has.
    """

    services: tuple[str, ...]
    runtime: str
    reason: str = ""
    name: str | None = None
    start: bool = False
    reuse: bool = False
    ttl_s: int = 0
    bound_to: str = ""
    current: bool = True


class SessionManager:
    """Creates, starts, shows, stops and removes sessions on behalf of one folder."""

    def __init__(
        self,
        store: SessionStore,
        ports: PortManager,
        runtimes: Runtimes,
        makers: Makers,
        emit: EventSink,
        folder: Path,
        journal: Journal,
        within: str = "",
    ) -> None:
        self._store = store
        self._ports = ports
        self._runtimes = runtimes
        self._makers = makers
        self._emit = emit
        self._folder = folder.resolve()
        self.finder = Finder(store, self._folder, within)
        self.journal = journal
        self.now = makers.moment
        self.registry = Registry(store, ports, self.finder, emit, journal, makers.moment)
        self.cleaner = Cleaner(store, ports, runtimes, emit, self._folder, makers.owner, journal)

    @cached_property
    def collector(self) -> "Collector":
        """What removes sessions that are over; loaded only where some session has an end."""
        from simbuilder.sessions.collector import Collector

        return Collector(
            *(self._store, self._runtimes, self.cleaner, self.journal, self._emit),
            owner=self._makers.owner,
            now=self.now,
        )

    def reap(self) -> None:
        """Spend a moment on what others left: what is half-done, and sessions that are over."""
        self.cleaner.reap()
        sessions, _ = self._store.load_all()
        if any(s.end != End() for s in sessions) or self._runtimes.marks(instant=True):
            self.collector.act()

    # --- creating --------------------------------------------------------------------------

    def plan_create(self, request: CreateRequest, port_range: tuple[int, int]) -> Plan:
        """Return what `create` would do, having checked the request as `create` would."""
        reused = self.finder.here(request.name) if request.reuse else None
        if reused is not None:
            return self.plan_start(reused.id) if request.start else Plan(())
        self._check_new(request).place()
        replaced = current.find(self._folder)
        label = replaced.session_id[:8] if replaced else None
        use = plan.Step("use", f"{request.runtime} runtime", request.reason)
        return plan.plan_create(use, request.services, request.start, port_range, label)

    def create(self, request: CreateRequest, timeout_s: float) -> Report:
        """Make a session, make it current, and start it if asked.

        With `reuse` the folder's session is taken if there is one. If a server does not start the
        session stays, its problems are reported, and `start` tries again. Raises before anything
        is written if the request is wrong or the servers cannot be had.
        """
        reused = self.finder.here(request.name) if request.reuse else None
        if reused is not None:
            return self._reuse(reused, request, timeout_s)
        runtime = self._check_new(request)
        place = runtime.place()
        if request.start:
            runtime.prepare(request.services, place.images, self._emit)
        with ExitStack() as held:
            session, new = self._register(request, place, held)
            if new and not request.start:
                return Report(SessionView(session, self._store.env_file(session.id), {}, None))
            if new:
                steps = plan.plan_start(session, {})
                return self.bring_up(session, steps.targets("start"), timeout_s)
        return self._reuse(session, request, timeout_s)

    def _reuse(self, session: Session, request: CreateRequest, timeout_s: float) -> Report:
        what = f"{session.runtime} runtime, {', '.join(session.services)}"
        self._emit(Event("note", "session", f"reusing session {session.label} ({what})"))
        if request.current:
            self.registry.make_current(session)
        if request.ttl_s and session.expires_at:
            from simbuilder.sessions.expiry import renewed

            self.extend(session.id, partial(renewed, ttl_s=request.ttl_s), timeout_s)
        if request.start:
            return self.start(session.id, timeout_s, request.current)
        return self.status(session.id)

    def _check_new(self, request: CreateRequest) -> Runtime:
        if request.name is not None:
            check_name(request.name)
            self.registry.check_name_is_free(request.name)
        # say so before there is a session to clean up
        if request.current and not os.access(self._folder, os.W_OK):
            raise PermissionError(errno.EACCES, "not writable", str(self._folder / current.FILE))
        return self._runtimes.named(request.runtime)

    def _register(
        self, request: CreateRequest, place: Place, held: ExitStack
    ) -> tuple[Session, bool]:
        """Return the session and whether it is new: another command may have made it just now."""
        draft = self.draft(request, place)
        reused = partial(self.finder.here, request.name) if request.reuse else None
        session = self.registry.add(draft, held, reused)
        if session.id == draft.id and request.current:
            self.registry.make_current(session)
        return session, session.id == draft.id

    def draft(self, request: CreateRequest, place: Place) -> Session:
        """Return the session as it will be, but for its ports; nothing is written."""
        return Session(
            id=self._makers.session_id(),
            name=request.name,
            runtime=request.runtime,
            folder=str(self._folder),
            created_at=self._makers.now(),
            services=request.services,
            ports={},
            secrets={s: self._makers.secret(s) for s in request.services},
            **vars(place),
            owner=self._makers.owner,
            reason=printable(request.reason),
            ttl_s=request.ttl_s,
            bound_to=request.bound_to,
        )

    def use(self, session_id: str, timeout_s: float) -> Path:
        """Make a session the current one of this checkout; return the env file that says so.

        The record knows all such files: only then are they no copies, and go with the session.
        """
        with self.locked(session_id, timeout_s) as found:
            session = found
            folder = current.place(self._folder)
            if str(folder) not in session.folders:
                session = replace(session, used_in=(*session.used_in, str(folder)))
                self._store.save(session)
            self.registry.make_current(session, folder)
        return folder / current.FILE

    # --- starting and stopping -------------------------------------------------------------

    def plan_start(self, session_id: str) -> Plan:
        """Return what `start` would do."""
        session = self._usable(session_id)
        return plan.plan_start(session, self._runtimes.see(session))

    def start(self, session_id: str, timeout_s: float, may_be_current: bool = True) -> Report:
        """Start what is not running and verify all of it; data and ports stay as they were.

        It becomes the current session of its folder if that has none, and if it may.
        """
        with self.locked(session_id, timeout_s) as session:
            steps = plan.plan_start(session, self._runtimes.see(session))
            if todo := steps.targets("start"):
                self._runtimes.of(session).prepare(todo, session.images, self._emit)
            self.registry.restore_env_files(session, may_be_current)
            return self.bring_up(session, steps.targets("start"), timeout_s)

    def bring_up(self, session: Session, services: Sequence[str], timeout_s: float) -> Report:
        """Start `services` of a locked session; probe the others.

        Ports that somebody else took are replaced.
        """
        runtime = self._runtimes.of(session)
        outcomes: dict[str, StartOutcome] = {}
        tried: set[int] = set()
        todo: Sequence[str] = services
        for attempt in range(PORT_REPLACEMENTS + 1):
            if todo:
                outcomes |= runtime.start(session, todo, timeout_s, self._emit)
            lost = {s: o.taken for s, o in outcomes.items() if o.taken}
            if not lost or attempt == PORT_REPLACEMENTS:
                break
            tried |= {session.port(f"{s}.{e}") for s, taken in lost.items() for e in taken}
            try:
                session = self._replace_ports(session, lost, tried)
            except PortsExhaustedError as error:  # what did start still is worth reporting
                self._emit(Event("warning", error.code, error.message))
                break
            todo = tuple(lost)
        others = [s for s in session.services if s not in outcomes]
        health = {s: o.health for s, o in outcomes.items()}
        health |= self._runtimes.served(session, others, timeout_s)
        tails = {s: o.log_tail for s, o in outcomes.items() if not o.health.ready}
        # whoever was just served needs not be looked for; anything else is worth a look
        served = all(h.ready for h in health.values())
        seen = dict.fromkeys(session.services, Observed(State.RUNNING)) if served else None
        view = replace(self._view(session, health, seen), tails=tails)
        self.journal.started(view, services)
        return Report(view, problems_of(view))

    def _replace_ports(
        self, session: Session, lost: Mapping[str, Sequence[str]], tried: set[int]
    ) -> Session:
        keys = [f"{service}.{endpoint}" for service, taken in lost.items() for endpoint in taken]
        with self._ports.transaction():
            ports = self._ports.replace(session.id, session.ports, keys, tried)
            session = replace(session, ports=ports)
            self._store.save(session)
            for folder in map(Path, session.folders):
                if current.read(folder / current.FILE) == session.id:
                    current.write(folder, session)
        for key in keys:
            self._emit(Event("note", key.split(".")[0], f"{key} port was taken; now {ports[key]}"))
        return session

    def plan_stop(self, session_id: str) -> Plan:
        """Return what `stop` would do."""
        session = self._usable(session_id)
        return plan.plan_stop(session, self._runtimes.see(session))

    def stop(self, session_id: str, timeout_s: float) -> Report:
        """Stop what is running and keep data and ports; doing it twice is fine."""
        with self.locked(session_id, timeout_s) as session:
            steps = plan.plan_stop(session, self._runtimes.see(session))
            for service in steps.targets("stop"):
                self._emit(Event("begin", service, "stopping"))
            # also what is not running: stopping on purpose clears how a dead server had ended
            self._runtimes.of(session).stop(session.id, session.services)
            for service in steps.targets("stop"):
                self._emit(Event("done", service, "stopped"))
            self.journal.write(Happening.STOPPED, session, ASKED)
            return Report(self._view(session, None))

    # --- showing ---------------------------------------------------------------------------

    def list_sessions(self) -> tuple[list[SessionView], list[Broken]]:
        """Return all sessions, oldest first, without asking their servers; and broken records."""
        sessions, broken = self._store.load_all()
        observed = self._runtimes.observe(sessions)
        return [self._view(s, None, observed.get(s.id, {})) for s in sessions], broken

    def status(self, session_id: str) -> Report:
        """Return a session as its own servers describe it, asked with real clients."""
        session = self._store.load(session_id)
        seen = self._runtimes.observe([session])[session.id]
        running = [s for s in session.services if seen.get(s, plan.UNSEEN).state is State.RUNNING]
        health = dict(
            self._runtimes.of(session).probe(session, running, PROBE_TIMEOUT_S) if running else {}
        )
        view = self._view(session, health, seen)
        dead = [s for s in session.services if view.seen(s).exit_status is not None]
        if dead:
            tails = self._runtimes.of(session).log_tails(session_id, dead)
            view = replace(view, tails=tails)
        self.notice(view)
        unhealthy = view.state is not State.STOPPED or dead
        return Report(view, problems_of(view) if unhealthy else ())

    def notice(self, view: SessionView) -> bool:
        """Write down whether a session has changed; False while a command is changing it."""
        # nor may looking fail for a state folder that is read-only, say
        with suppress(SimBuilderError, OSError), self._store.lock(view.session.id, 0, self._emit):
            self.journal.notice(view)
            return True
        return False

    def extend(
        self,
        session_id: str,
        until: "Callable[[Session, Moment], datetime | None]",
        timeout_s: float,
    ) -> Report:
        """Let a session go at another time, which `until` says, or never."""
        with self.locked(session_id, timeout_s) as session:
            return Report(self._view(self.registry.extend(session, until), None))

    def log_lines(
        self, session_id: str, services: Sequence[str], wanted: Excerpt
    ) -> Iterator[LogLine]:
        """Yield what a session's servers log; see `Runtime.log_lines`. Ends with the session."""
        session = self._store.load(session_id)

        def going_on() -> bool:
            return wanted.going_on() and self._store.recorded(session_id)

        excerpt = replace(wanted, going_on=going_on)
        return self._runtimes.of(session).log_lines(session_id, services, excerpt)

    def _view(
        self,
        session: Session,
        health: Mapping[str, Health] | None,
        seen: Mapping[str, Observed] | None = None,
    ) -> SessionView:
        observed = self._runtimes.observe([session])[session.id] if seen is None else seen
        if health is not None:
            health = {s: health.get(s, Health(False)) for s in session.services}
        removing = self._store.removing(session.id)
        env_file = self._store.env_file(session.id)
        alone = current.orphaned(session, self._makers.owner)
        return SessionView(session, env_file, observed, health, removing, orphaned=alone)

    # --- helpers ---------------------------------------------------------------------------

    @contextmanager
    def locked(self, session_id: str, timeout_s: float) -> Iterator[Session]:
        """Be the only one who works on a session that is not being removed, and load it."""
        with self._store.lock(session_id, timeout_s, self._emit):
            if not self._store.recorded(session_id):  # removed while we waited
                remove_if_empty(self._store.folder(session_id))
                raise SessionNotFoundError(f"session {session_id[:8]} was removed meanwhile")
            yield self._usable(session_id)

    def _usable(self, session_id: str) -> Session:
        session = self._store.load_own(session_id, self._makers.owner)
        if self._store.removing(session_id):
            problem = half_removed(session)
            raise HalfRemovedError(problem.message, problem.hint)
        return session
