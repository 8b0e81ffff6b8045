"""The verified fake: a runtime whose servers live in this object and nowhere else.

It passes the same contract suite as the real ones, so a test of the manager that uses it proves
what it seems to. It can be told to fail, and to let its caller die at any call.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from simbuilder.scaffolding.exceptions import EngineUnreachableError, StillRunningError
from simbuilder.sessions import catalog
from simbuilder.sessions.model import (
    Footprint,
    Health,
    Observed,
    Place,
    Session,
    StartOutcome,
    State,
)
from simbuilder.sessions.result import Event, EventSink


class MemoryRuntime:
    """Servers as entries of a dictionary.

    `broken` are services that never become ready, `immortal` are sessions whose servers do not end,
    `silent` means that nobody can see what runs, `foreign(port)` says whether somebody else holds a
    port, and `step` is called at the start of every call and may raise.
    """

    name = "memory"
    instant = True

    def __init__(
        self,
        foreign: Callable[[int], bool] = lambda _port: False,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        self.broken: set[str] = set()
        self.immortal: set[str] = set()
        self.silent = False
        self._foreign = foreign
        self._step = step
        self._servers: dict[str, dict[str, Observed]] = {}

    def at(self, engine: str) -> "MemoryRuntime":
        """There is one place only."""
        return self

    def place(self) -> Place:
        """Nowhere in particular."""
        return Place()

    def prepare(self, services: Sequence[str], images: Mapping[str, str], emit: EventSink) -> None:
        """Nothing is needed."""
        self._step()

    def observe(self, session_ids: Iterable[str]) -> Mapping[str, Mapping[str, Observed]]:
        """Return what runs, and how what was killed had ended."""
        self._step()
        if self.silent:
            unseen = Observed(State.UNKNOWN, problem="it does not answer")
            return {i: dict.fromkeys(("neo4j", "nats", "azurite"), unseen) for i in session_ids}
        return {i: dict(self._servers[i]) for i in session_ids if i in self._servers}

    def remembers(self, session_id: str) -> bool:
        """True for a session with entries."""
        return session_id in self._servers

    def log_tails(self, session_id: str, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return what `kill` left."""
        return dict.fromkeys(services, ("killed",))

    def traces(self) -> set[str]:
        """Return whose entries there are."""
        self._step()
        if self.silent:
            raise EngineUnreachableError("it does not answer", "wait")
        return set(self._servers)

    def footprints(self, sessions: Sequence[Session]) -> Mapping[str, Footprint]:
        """Whoever runs holds what its record says."""
        found = {}
        for session in sessions:
            seen = self._servers.get(session.id, {})
            running = [s for s in session.services if s in seen and seen[s].state is State.RUNNING]
            listening = {
                s: frozenset((catalog.HOST, session.port(f"{s}.{e}")) for e in session.urls(s))
                for s in running
            }
            stores = frozenset(f"memory:{session.id}:{s}" for s in running)
            found[session.id] = Footprint(listening, stores)
        return found

    def start(
        self, session: Session, services: Sequence[str], timeout_s: float, emit: EventSink
    ) -> Mapping[str, StartOutcome]:
        """Start them, unless they are broken or a port of theirs is taken."""
        outcomes = {}
        for service in services:
            self._step()
            emit(Event("begin", service, "starting"))
            endpoints = session.urls(service)
            taken = tuple(e for e in endpoints if self._foreign(session.port(f"{service}.{e}")))
            if taken:
                health = Health(False, problem="its port is taken")
            elif service in self.broken:
                health = Health(False, problem="it is broken")
            else:
                self._servers.setdefault(session.id, {})[service] = Observed(State.RUNNING)
                health = self._health()
            emit(Event("done" if health.ready else "failed", service, health.problem or "ready"))
            outcomes[service] = StartOutcome(health, taken)
        return outcomes

    def probe(
        self, session: Session, services: Sequence[str], timeout_s: float
    ) -> Mapping[str, Health]:
        """Whoever runs is ready."""
        self._step()
        running = self._servers.get(session.id, {})
        return {
            service: self._health()
            if running.get(service, Observed(State.STOPPED)).state is State.RUNNING
            else Health(False, problem="nothing answers")
            for service in services
        }

    def stop(self, session_id: str, services: Sequence[str]) -> None:
        """Stop them; their entries go, as if nothing had ever been wrong."""
        self._step()
        for service in services:
            self._servers.get(session_id, {}).pop(service, None)

    def remove(self, session_id: str) -> None:
        """Forget the session."""
        self._step()
        if session_id in self.immortal:
            raise StillRunningError("servers do not end", "end them by hand")
        self._servers.pop(session_id, None)

    def kill(self, session_id: str, service: str) -> None:
        """Let a server die, as `kill -9` would."""
        self._servers[session_id][service] = Observed(State.STOPPED, 137)

    def _health(self) -> Health:
        return Health(True, "Memory", "1", 0.0)
