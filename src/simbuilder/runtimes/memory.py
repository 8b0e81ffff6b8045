"""The verified fake: a runtime whose servers live in this object and nowhere else.

It passes the same contract suite as the real ones, so a test of the manager that uses it proves
what it seems to. It can be told to fail, and to let its caller die at any call.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from simbuilder.runtimes import logs
from simbuilder.scaffolding.exceptions import EngineUnreachableError, StillRunningError
from simbuilder.sessions import catalog
from simbuilder.sessions.model import (
    End,
    Footprint,
    Health,
    Observed,
    Place,
    Session,
    StartOutcome,
    State,
    Usage,
)
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Data, Excerpt, LogLine

_LOOK_EVERY_S = 0.01


class MemoryCopies:
    """What servers keep, one text each: `write` is what a client does, `read` what it finds.

    `step` is called before anything is changed, and may raise.
    """

    def __init__(self, step: Callable[[], None]) -> None:
        self._step = step
        self._kept: dict[tuple[str, str, str], str] = {}
        self._staged: dict[tuple[str, str], str] = {}

    def write(self, session_id: str, service: str, text: str) -> None:
        """Let a service keep a text instead of the one it has."""
        self._kept[session_id, "", service] = text

    def read(self, session_id: str, service: str, snapshot: str = "") -> str:
        """Return what a service keeps, or a snapshot of it; nothing at first."""
        return self._kept.get((session_id, snapshot, service), "")

    def lacks(self, session: Session, services: Sequence[str]) -> Sequence[str]:
        """Nothing: the texts are all there is."""
        return ()

    @contextmanager
    def held(self, session: Session, services: Sequence[str]) -> Iterator[float]:
        """Nobody writes at the same time."""
        self._step()
        yield time.monotonic()

    def ahead(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> None:
        """Nothing: there is no pause that this would shorten."""

    def copy(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """Copy texts."""
        kept = {s: self._kept.get((source.session.id, source.snapshot, s), "") for s in services}
        return self._fill(target, kept)

    def seal(self, snapshot: Data, services: Sequence[str]) -> str:
        """Return the lengths of the texts."""
        kept = {s: self._kept.get((snapshot.session.id, snapshot.snapshot, s)) for s in services}
        return " ".join(f"{s}:{'' if text is None else len(text)}" for s, text in kept.items())

    def adopt(self, session: Session) -> None:
        """Take the staged texts."""
        self._step()
        for service in session.services:
            if (text := self._staged.pop((session.id, service), None)) is not None:
                self._kept[session.id, "", service] = text

    def pack(self, source: Data, services: Sequence[str], folder: Path, emit: EventSink) -> int:
        """Write files."""
        self._step()
        kept = {s: self._kept.get((source.session.id, source.snapshot, s), "") for s in services}
        for service, text in kept.items():
            (folder / service).mkdir()
            (folder / service / "text").write_text(text, encoding="utf-8")
        return sum(map(len, kept.values()))

    def unpack(self, folder: Path, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """Read files."""
        kept = {s: (folder / s / "text").read_text(encoding="utf-8") for s in services}
        return self._fill(target, kept)

    def drop(self, data: Data) -> None:
        """Forget the texts of a snapshot."""
        self._step()
        self._drop(data.session.id, data.snapshot)

    def tidy(self, session: Session, snapshots: Collection[str]) -> None:
        """Forget the texts of other snapshots, and what was not adopted."""
        kept = {name for one, name, _ in self._kept if one == session.id and name}
        for name in kept - set(snapshots):
            self._drop(session.id, name)
        for service in session.services:
            self._staged.pop((session.id, service), None)

    def forget(self, session_id: str) -> None:
        """Forget all texts of a session."""
        self._kept = {key: text for key, text in self._kept.items() if key[0] != session_id}

    def _fill(self, target: Data, kept: Mapping[str, str]) -> int:
        self._step()
        session_id = target.session.id
        if target.snapshot:
            self._drop(session_id, target.snapshot)
            self._kept |= {(session_id, target.snapshot, s): text for s, text in kept.items()}
        else:
            self._staged |= {(session_id, s): text for s, text in kept.items()}
        return sum(map(len, kept.values()))

    def _drop(self, session_id: str, snapshot: str) -> None:
        place = (session_id, snapshot)
        self._kept = {key: text for key, text in self._kept.items() if key[:2] != place}


class MemoryRuntime:
    """Servers as entries of a dictionary.

    `broken` are services that never become ready, `immortal` are sessions whose servers do not end,
    `silent` means that nobody can see what runs, `foreign(port)` says whether somebody else holds a
    port, and `step` is called at the start of every call and may raise. `connected` is (session id,
    service) -> connections of clients.
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
        self.connected: dict[tuple[str, str], int | None] = {}
        self._servers: dict[str, dict[str, Observed]] = {}
        self._marks: dict[str, End] = {}
        self._logs: dict[tuple[str, str], list[LogLine]] = {}
        self._files: dict[str, set[str]] = {}
        self.copies = MemoryCopies(step)

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

    def log_lines(
        self, session_id: str, services: Sequence[str], wanted: Excerpt
    ) -> Iterator[LogLine]:
        """Return what became of each server."""
        read = {s: list(self._logs.get((session_id, s), ())) for s in services}
        yield from logs.by_time(list(read.values()), wanted.since, wanted.tail)
        while wanted.going_on():
            for service in services:
                new = self._logs.get((session_id, service), [])[len(read[service]) :]
                read[service] += new
                yield from new
            time.sleep(_LOOK_EVERY_S)

    def _log(self, session_id: str, service: str, text: str) -> None:
        line = LogLine(service, time.time(), text)
        self._logs.setdefault((session_id, service), []).append(line)

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

    def usage(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, Usage]]:
        """Whoever runs takes next to nothing."""
        self._step()
        if self.silent:
            raise EngineUnreachableError("it does not answer", "wait")
        seen = {s.id: self._servers.get(s.id, {}) for s in sessions}
        return {
            session_id: {
                service: Usage(1024, 0.0, 0)
                for service, one in services.items()
                if one.state is State.RUNNING
            }
            for session_id, services in seen.items()
        }

    def stored(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, int]]:
        """Whoever was ever started has a kilobyte of files."""
        self._step()
        return {s.id: dict.fromkeys(self._files.get(s.id, ()), 1024) for s in sessions}

    def clients(self, session_id: str) -> Mapping[str, int | None]:
        """Return what `connected` says of whoever runs."""
        self._step()
        if self.silent:
            raise EngineUnreachableError("it does not answer", "wait")
        servers = self._servers.get(session_id, {})
        running = [s for s, one in servers.items() if one.state is State.RUNNING]
        return {s: self.connected.get((session_id, s), 0) for s in running}

    def marks(self) -> Mapping[str, End]:
        """Return those of sessions with entries."""
        self._step()
        if self.silent:
            raise EngineUnreachableError("it does not answer", "wait")
        return {i: end for i, end in self._marks.items() if i in self._servers and end != End()}

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
                self._marks[session.id] = session.mark
                self._files.setdefault(session.id, set()).add(service)
                self._log(session.id, service, "started")
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
            if self._servers.get(session_id, {}).pop(service, None) is not None:
                self._log(session_id, service, "stopped")

    def remove(self, session_id: str) -> None:
        """Forget the session."""
        self._step()
        if session_id in self.immortal:
            raise StillRunningError("servers do not end", "end them by hand")
        self._servers.pop(session_id, None)
        self._files.pop(session_id, None)
        for key in [key for key in self._logs if key[0] == session_id]:
            del self._logs[key]
        self.copies.forget(session_id)

    def kill(self, session_id: str, service: str) -> None:
        """Let a server die, as `kill -9` would."""
        self._servers[session_id][service] = Observed(State.STOPPED, 137)
        self._log(session_id, service, "killed")

    def _health(self) -> Health:
        return Health(True, "Memory", "1", 0.0)
