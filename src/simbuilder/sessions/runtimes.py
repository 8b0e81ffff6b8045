"""The runtimes of this version by name: which one a session belongs to, and what they see."""

import time
from collections.abc import Collection, Mapping, Sequence

from simbuilder.scaffolding.exceptions import (
    RuntimeUnavailableError,
    SimBuilderError,
    UnknownStateError,
)
from simbuilder.sessions import plan
from simbuilder.sessions.model import (
    End,
    Footprint,
    Health,
    Observed,
    Session,
    State,
    is_session_id,
)
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Runtime
from simbuilder.sessions.view import unknown

PROBE_TIMEOUT_S = 5.0
_ASK_AGAIN_S = 0.5


class Runtimes:
    """All there are, each at the engine where new sessions would go.

    `slow` are the names of those that are not instant: they are not even loaded for nothing.
    """

    def __init__(
        self, runtimes: Mapping[str, Runtime], emit: EventSink, slow: Collection[str] = ()
    ) -> None:
        self._runtimes = runtimes
        self._emit = emit
        self._slow = slow

    def named(self, name: str) -> Runtime:
        """Return a runtime. Raises `RuntimeUnavailableError` if this version does not have it."""
        try:
            return self._runtimes[name]
        except KeyError:
            raise RuntimeUnavailableError(
                f"the {name} runtime is not part of this version of SimBuilder",
                f"use --runtime {next(iter(self._runtimes))}",
            ) from None

    def of(self, session: Session) -> Runtime:
        """Return the session's runtime at the engine it was created on. Raises like `named`."""
        return self.named(session.runtime).at(session.engine)

    def candidates(self, session: Session | None) -> list[Runtime]:
        """Return where the session can be: its own runtime, or any if its record is lost."""
        return list(self._runtimes.values()) if session is None else [self.of(session)]

    def remember(self, session_id: str) -> bool:
        """True if files of any runtime say that the session was once started."""
        return any(runtime.remembers(session_id) for runtime in self._runtimes.values())

    def observe(self, sessions: Sequence[Session]) -> dict[str, Mapping[str, Observed]]:
        """Ask each engine once; a runtime of another version leaves its sessions unknown."""
        observed: dict[str, Mapping[str, Observed]] = {s.id: {} for s in sessions}
        for name, engine in sorted({(s.runtime, s.engine) for s in sessions}):
            theirs = [s for s in sessions if (s.runtime, s.engine) == (name, engine)]
            if name in self._runtimes:
                observed |= self._runtimes[name].at(engine).observe([s.id for s in theirs])
            else:
                lost = Observed(State.UNKNOWN, problem=f"there is no {name} runtime here")
                observed |= {s.id: dict.fromkeys(s.services, lost) for s in theirs}
        return observed

    def footprints(self, sessions: Sequence[Session]) -> dict[str, Footprint]:
        """Return session id -> what its servers hold; each engine is asked once. Raises like it."""
        found: dict[str, Footprint] = {}
        for name, engine in sorted({(s.runtime, s.engine) for s in sessions}):
            theirs = [s for s in sessions if (s.runtime, s.engine) == (name, engine)]
            found |= self.named(name).at(engine).footprints(theirs)
        return found

    def clients(self, session_id: str, session: Session | None) -> dict[str, int | None]:
        """Return running service -> connections from clients; see `Runtime`, and raises like it.

        Without its record a session is looked for where something is marked as its own.
        """
        candidates = self.candidates(session)
        if session is None:
            candidates = [r for r in candidates if session_id in self._marks(r)]
        return {s: n for r in candidates for s, n in r.clients(session_id).items()}

    def marks(self, instant: bool = False) -> dict[str, End]:
        """Return session id -> when it shall go, from all runtimes, or those that answer at once.

        A runtime that cannot be asked is a warning.
        """
        names = [name for name in self._runtimes if not instant or name not in self._slow]
        return {i: end for n in names for i, end in self._marks(self._runtimes[n]).items()}

    def _marks(self, runtime: Runtime) -> Mapping[str, End]:
        try:
            return runtime.marks()
        except SimBuilderError as error:
            message = (
                f"what lost sessions left on {runtime.name} was not looked for: {error.message}"
            )
            self._emit(Event("warning", error.code, message))
            return {}

    def see(self, session: Session) -> Mapping[str, Observed]:
        """Observe a session that something shall be done to.

        Raises `UnknownStateError`, or like `named`.
        """
        self.of(session)
        seen = self.observe([session])[session.id]
        unseen = unseen_of({s: seen.get(s, plan.UNSEEN) for s in session.services})
        if unseen is not None:
            problem = unknown(session, unseen)
            raise UnknownStateError(problem.message, problem.hint)
        return seen

    def served(
        self, session: Session, services: Sequence[str], timeout_s: float
    ) -> Mapping[str, Health]:
        """Ask services that ran already until all serve: somebody may just have started them."""
        deadline = time.monotonic() + timeout_s
        told: set[str] = set()
        while True:
            health = self.of(session).probe(session, services, PROBE_TIMEOUT_S)
            waiting = [s for s, found in health.items() if not found.ready]
            if not waiting or time.monotonic() >= deadline or not self._run(session, waiting):
                return health
            for service in (s for s in waiting if s not in told):
                self._emit(Event("begin", service, "runs already; waiting until it serves"))
            told |= set(waiting)
            time.sleep(_ASK_AGAIN_S)

    def _run(self, session: Session, services: Sequence[str]) -> bool:
        seen = self.observe([session])[session.id]
        return all(seen.get(s, plan.UNSEEN).state is State.RUNNING for s in services)

    def traces(self) -> set[str]:
        """Return the ids of all that runs or left data anywhere.

        A runtime that cannot be asked is a warning, not an error: it may not be in use at all.
        """
        found: set[str] = set()
        for name, runtime in self._runtimes.items():
            try:
                found |= runtime.traces()
            except SimBuilderError as error:
                message = f"what lost sessions left on {name} was not looked for: {error.message}"
                self._emit(Event("warning", error.code, message))
        return {session_id for session_id in found if is_session_id(session_id)}


def unseen_of(seen: Mapping[str, Observed]) -> Observed | None:
    """Return a service whose state is unknown, if there is one."""
    return next((one for one in seen.values() if one.state is State.UNKNOWN), None)
