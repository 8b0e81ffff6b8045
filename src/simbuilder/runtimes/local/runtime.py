"""LocalRuntime: each server a detached process group with its own folder below `root`.

    <root>/<session id>/<service>/   configuration, data, server.log, exit (how it ended)
    <root>/<session id>/ends.json    when the session shall go, if ever: it outlives a lost record

What runs is read from the process table (see `process.MARK`); files only say how it ended.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.runtimes import logs, probes
from simbuilder.runtimes.local import ends, logfile
from simbuilder.runtimes.local.logfile import LogFile
from simbuilder.runtimes.local.server import Graph, LocalServer, clean_environment
from simbuilder.scaffolding import machine, process, threads
from simbuilder.scaffolding.exceptions import StillRunningError
from simbuilder.scaffolding.files import (
    make_private_folder,
    occupied,
    remove_if_empty,
    remove_tree,
)
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
    is_session_id,
)
from simbuilder.sessions.port_manager import bindable
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Excerpt, LogLine

if TYPE_CHECKING:
    from simbuilder.runtimes.local.copies import LocalCopies

SERVICES = ("neo4j", "nats", "azurite")
LOG = "server.log"
_STOP_GRACE_S = 15.0
_POLL_S = 0.02
_LONGEST_POLL_S = 0.2
_DIAGNOSE_EVERY_S = 1.0  # it reads the process table, which eight starts at once would feel
_LAST_TRY_S = 0.5


@dataclass(frozen=True)
class _Launch:
    service: str
    server: process.Server
    folder: Path
    log_start: int


class LocalRuntime:
    """Runs sessions as processes of this user on this machine."""

    name = "local"
    instant = True

    def __init__(self, root: Path, cache: Path, graph: Graph | None = None) -> None:
        self._root = root
        self._cache = cache
        self._graph = graph or Graph()

    @cached_property
    def copies(self) -> "LocalCopies":
        """What copies folders; loaded only by what does, as `session list` does not."""
        from simbuilder.runtimes.local.copies import LocalCopies

        return LocalCopies(self._root)

    @cached_property
    def servers(self) -> Mapping[str, LocalServer]:
        """The servers by service; loaded only by what starts them, as `session list` does not."""
        from simbuilder.runtimes.local.azurite import AzuriteServer
        from simbuilder.runtimes.local.nats import NatsServer

        servers = (AzuriteServer(self._cache), self._graph_server(), NatsServer())
        return {server.service: server for server in servers}

    def _graph_server(self) -> LocalServer:
        if self._graph.home:
            from simbuilder.runtimes.local.neo4j import Neo4jServer

            return Neo4jServer(self._graph)
        from simbuilder.runtimes.local.arcadedb import ArcadeServer

        return ArcadeServer(self._cache)

    # --- the seam --------------------------------------------------------------------------

    def at(self, engine: str) -> "LocalRuntime":
        """Return this runtime with the graph database that is unpacked in the folder `engine`."""
        return LocalRuntime(self._root, self._cache, replace(self._graph, home=engine))

    def place(self) -> Place:
        """This machine, with the graph database that is set."""
        return Place(engine=self._graph.home)

    def prepare(self, services: Sequence[str], images: Mapping[str, str], emit: EventSink) -> None:
        """Fetch and build what is missing, at the same time for all services."""
        process.together([partial(self.servers[s].prepare, emit) for s in services])

    def observe(self, session_ids: Iterable[str]) -> Mapping[str, Mapping[str, Observed]]:
        """Read the process table once, and how dead servers ended."""
        running = self._running()
        return {
            session_id: {
                service: Observed(State.RUNNING)
                if service in running.get(session_id, ())
                else self._how_ended(session_id, service)
                for service in SERVICES
            }
            for session_id in session_ids
        }

    def remembers(self, session_id: str) -> bool:
        """Look for the session's folder."""
        return (self._root / session_id).exists()

    def log_tails(self, session_id: str, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Read the log files."""
        return {
            s: logs.tail(logfile.last_lines(self._folder(session_id, s) / LOG, 0)) for s in services
        }

    def log_lines(
        self, session_id: str, services: Sequence[str], wanted: Excerpt
    ) -> Iterator[LogLine]:
        """Read the log files, which may not be there yet."""
        paths = {service: self._folder(session_id, service) / LOG for service in services}
        files = [LogFile(path, s, self.servers[s].logged_at) for s, path in paths.items()]
        return logfile.lines(files, wanted)

    def traces(self) -> set[str]:
        """Read the process table and the folders."""
        return {session_id for session_id, _, _ in self._marked()} | set(self._on_disk())

    def footprints(self, sessions: Sequence[Session]) -> Mapping[str, Footprint]:
        """Ask the kernel what the processes listen on, and where they work."""
        marked = list(self._marked())
        found = {}
        for session in sessions:
            listening: dict[str, frozenset[tuple[str, int]]] = {}
            stores: set[str] = set()
            for service in session.services:
                folder = self._folder(session.id, service)
                stores |= {str(path.resolve()) for path in (folder, folder / "data")}
                ours = [item for i, s, item in marked if (i, s) == (session.id, service)]
                if ours:
                    listening[service] = frozenset(machine.sockets(ours))
                    stores |= machine.folders(ours)
            found[session.id] = Footprint(listening, frozenset(stores))
        return found

    def usage(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, Usage]]:
        """Ask the kernel about the processes, and who is connected to their ports."""
        from simbuilder.runtimes.local.usage import measure
        from simbuilder.runtimes.usage import with_clients

        servers: dict[tuple[str, str], list[process.Marked]] = {}
        for session_id, service, item in self._marked():
            servers.setdefault((session_id, service), []).append(item)
        return with_clients(sessions, measure(servers))

    def stored(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, int]]:
        """Look at all files, logs included."""
        sizes = {
            s.id: {service: occupied(self._folder(s.id, service)) for service in s.services}
            for s in sessions
        }
        return {i: {service: n for service, n in own.items() if n} for i, own in sizes.items()}

    def clients(self, session_id: str) -> Mapping[str, int | None]:
        """Ask the kernel where the processes listen, and who is connected there."""
        found = ends.clients((s, item) for i, s, item in self._marked() if i == session_id)
        if not found and ends.elsewhere(self._root / session_id):
            return {"any server": None}
        return found

    def marks(self) -> Mapping[str, End]:
        """Read the files beside the data."""
        return ends.read(self._root / session_id for session_id in self._on_disk())

    def start(
        self, session: Session, services: Sequence[str], timeout_s: float, emit: EventSink
    ) -> Mapping[str, StartOutcome]:
        """Launch all, then wait for each in a thread of its own; Ctrl-C ends the waiting."""
        self.copies.settle(session)
        deadline = time.monotonic() + timeout_s
        cancelled = threading.Event()
        ends.write(self._root / session.id, session)

        def bring_up(service: str) -> StartOutcome:
            try:
                outcome = self._bring_up(session, service, deadline, emit, cancelled)
            except OSError as error:  # the other services still deserve their start
                outcome = StartOutcome(Health(False, problem=f"cannot be started: {error}"))
            kind = "done" if outcome.health.ready else "failed"
            emit(Event(kind, service, _sentence(outcome.health)))
            return outcome

        slowest_first = [s for s in self.servers if s in services]
        with threads.at_work([partial(bring_up, s) for s in slowest_first], cancelled) as pending:
            threads.settle(pending)
            return {s: f.result() for s, f in zip(slowest_first, pending, strict=True)}

    def probe(
        self, session: Session, services: Sequence[str], timeout_s: float
    ) -> Mapping[str, Health]:
        """Ask all at the same time."""
        return probes.probe_all(session, services, timeout_s)

    def stop(self, session_id: str, services: Sequence[str]) -> None:
        """Stop the services, politely first, and forget how earlier ones had ended."""
        self._end(session_id, services, _STOP_GRACE_S)
        for service in services:
            (self._folder(session_id, service) / "exit").unlink(missing_ok=True)

    def remove(self, session_id: str) -> None:
        """Kill at once, since nothing the servers could still save will be kept; then delete."""
        self._end(session_id, None, 0)
        remove_tree(self._root / session_id)
        remove_if_empty(self._root)

    # --- what runs -------------------------------------------------------------------------

    def _marked(self) -> Iterator[tuple[str, str, process.Marked]]:
        """Yield (session id, service, process) of what carries this state folder's mark."""
        for item in process.marked():
            session_id, _, rest = item.mark.partition(":")
            service, _, root = rest.partition(":")
            if root == str(self._root):
                yield session_id, service, item

    def _running(self) -> dict[str, set[str]]:
        running: dict[str, set[str]] = {}
        for session_id, service, item in self._marked():
            if item.pid != item.group:  # the group's leader is the shell that records the end
                running.setdefault(session_id, set()).add(service)
        return running

    def _end(self, session_id: str, services: Sequence[str] | None, grace_s: float) -> None:
        targets = [
            item
            for marked_id, service, item in self._marked()
            if marked_id == session_id and (services is None or service in services)
        ]
        if left := process.stop(targets, grace_s):
            pids = ", ".join(str(item.pid) for item in left)
            raise StillRunningError(
                f"servers of session {session_id[:8]} do not end (pids {pids})",
                "end them by hand, then run the same command again",
            )

    def _on_disk(self) -> list[str]:
        if not self._root.is_dir():
            return []
        return [path.name for path in self._root.iterdir() if is_session_id(path.name)]

    def _how_ended(self, session_id: str, service: str) -> Observed:
        folder = self._folder(session_id, service)
        try:
            status = int((folder / "exit").read_text(encoding="ascii"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            # never started, stopped on purpose, or went down with the machine: no story to tell
            return Observed(State.STOPPED)
        return Observed(State.STOPPED, status)

    def _folder(self, session_id: str, service: str) -> Path:
        return self._root / session_id / service

    # --- bringing one server up ------------------------------------------------------------

    def _bring_up(
        self,
        session: Session,
        service: str,
        deadline: float,
        emit: EventSink,
        cancelled: threading.Event,
    ) -> StartOutcome:
        emit(Event("begin", service, "starting"))
        taken = tuple(
            e for e in session.urls(service) if not bindable(session.port(f"{service}.{e}"))
        )
        if taken:
            return StartOutcome(Health(False, problem=f"its {taken[0]} port is taken"), taken)
        launch = self._launch(session, service)
        outcome = self._wait(session, launch, deadline, cancelled)
        if not outcome.health.ready and not cancelled.is_set():
            ended = launch.server.ended()
            self._give_up(session, launch)
            in_time = ended and time.monotonic() < deadline
            if in_time and not outcome.taken and self.servers[service].recover():
                emit(Event("note", service, "did not start; trying once more without its cache"))
                launch = self._launch(session, service)
                outcome = self._wait(session, launch, deadline, cancelled)
                if not outcome.health.ready:
                    self._give_up(session, launch)
        return outcome

    def _give_up(self, session: Session, launch: _Launch) -> None:
        """Stop a server that is not ready; how it ended counts only if that was its own doing."""
        if launch.server.ended():
            self._end(session.id, [launch.service], 0)
        else:
            self.stop(session.id, [launch.service])

    def _launch(self, session: Session, service: str) -> _Launch:
        folder = make_private_folder(self._folder(session.id, service))
        command = self.servers[service].command(session, folder)
        mark = process.mark_of(session.id, service, self._root)
        env = {**clean_environment(folder), **command.env, process.MARK: mark}
        log = folder / LOG
        log_start = log.stat().st_size if log.exists() else 0
        server = process.spawn_server(command.argv, env, folder, log, folder / "exit")
        return _Launch(service, server, folder, log_start)

    def _wait(
        self, session: Session, launch: _Launch, deadline: float, cancelled: threading.Event
    ) -> StartOutcome:
        """Wait until the server serves, ends, cannot have its port, or is out of time."""
        health = Health(False, problem="not asked yet")
        began = time.monotonic()
        diagnose_at = began + _DIAGNOSE_EVERY_S
        while not cancelled.is_set():
            if launch.server.ended():
                return self._ended(session, launch)
            # asked before the clock is: a command that was suspended finds its time over
            budget = deadline - time.monotonic()
            health = probes.probe(session, launch.service, min(max(budget, _LAST_TRY_S), 2.0))
            if health.ready:
                return StartOutcome(health)
            if budget <= 0:
                problem = f"not ready in time: {health.problem}"
                return StartOutcome(Health(False, problem=problem), (), self._log(launch))
            if time.monotonic() >= diagnose_at:
                if taken := self._lost_ports(session, launch):
                    problem = f"its {taken[0]} port is taken"
                    return StartOutcome(Health(False, problem=problem), taken, self._log(launch))
                diagnose_at = time.monotonic() + _DIAGNOSE_EVERY_S
            waited = time.monotonic() - began
            time.sleep(min(_LONGEST_POLL_S, _POLL_S + waited / 30))  # others need the processor
        return StartOutcome(Health(False, problem="interrupted"))

    def _ended(self, session: Session, launch: _Launch) -> StartOutcome:
        log = self._log(launch)
        if taken := self._lost_ports(session, launch):
            return StartOutcome(Health(False, problem=f"its {taken[0]} port is taken"), taken, log)
        try:
            status = (launch.folder / "exit").read_text(encoding="ascii").strip()
        except FileNotFoundError:  # the whole group was killed
            status = "unknown"
        return StartOutcome(Health(False, problem=f"it ended with exit status {status}"), (), log)

    def _lost_ports(self, session: Session, launch: _Launch) -> tuple[str, ...]:
        """Return the endpoints whose ports somebody else holds.

        A port is never tried by binding it here: for that moment our own server could not have it.
        """
        ports = {e: session.port(f"{launch.service}.{e}") for e in session.urls(launch.service)}
        answering = {e: port for e, port in ports.items() if probes.accepts(port)}
        lost: tuple[str, ...] = ()
        if answering:  # the process table is not read for nothing while others need the processor
            ours = [item for item in process.marked() if item.group == launch.server.group]
            held = {port for _, port in machine.sockets(ours)}
            lost = tuple(e for e, port in answering.items() if port not in held)
        if lost:
            return lost
        complains = self.servers[launch.service].port_taken.search(
            "\n".join(logfile.last_lines(launch.folder / LOG, launch.log_start))
        )
        return tuple(ports) if complains else ()

    def _log(self, launch: _Launch) -> tuple[str, ...]:
        return logs.tail(logfile.last_lines(launch.folder / LOG, launch.log_start))


def _sentence(health: Health) -> str:
    return f"ready: {health.product} {health.version}" if health.ready else health.problem
