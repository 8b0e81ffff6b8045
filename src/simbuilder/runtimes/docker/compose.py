"""ComposeRuntime: each session a Docker Compose project, found again by its labels.

The labels are the truth. Observing, stopping and removing need neither the compose file nor an env
file; only starting does.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.runtimes import probes
from simbuilder.runtimes.docker import ends, labels, project
from simbuilder.runtimes.docker.engine import LOCAL_HINT, PATIENCE_S, Answer, Engine, ports_taken
from simbuilder.runtimes.docker.images import pull_missing, variable
from simbuilder.scaffolding import process, threads
from simbuilder.scaffolding.exceptions import (
    ConfigurationError,
    EngineError,
    SimBuilderError,
    StillRunningError,
)
from simbuilder.scaffolding.files import remove_if_empty, remove_tree
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
from simbuilder.sessions.port_manager import bindable
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Excerpt, LogLine

if TYPE_CHECKING:
    from simbuilder.runtimes.docker.volumes import VolumeCopies

SERVICES = ("neo4j", "nats", "azurite")
ANYWHERE = "0.0.0.0"  # noqa: S104 - an address somebody can set, not one we bind
_STOP_TIMEOUT_S = 90.0
_GIVE_UP_GRACE_S = 5
_POLL_S = 0.05
_LOOK_EVERY_S = 1.0
_LAST_TRY_S = 0.5


class ComposeRuntime:
    """Runs sessions on a Docker engine.

    `root` is where files for Compose are kept, one folder per session; `settings` are those of
    `CONTAINERS`, and `owner` is the label by which lost sessions are known as this user's. New
    sessions publish their ports on the address `publish`.
    """

    name = "docker"
    instant = False

    def __init__(
        self,
        root: Path,
        settings: Mapping[str, str],
        owner: str,
        publish: str = catalog.HOST,
        engine: str = "",
    ) -> None:
        self._root = root
        self._settings = settings
        self._owner = owner
        self._publish = publish
        self._engine = Engine(engine)
        self._answer: Answer | None = None

    @cached_property
    def copies(self) -> "VolumeCopies":
        """What copies volumes; loaded only by what does, as `session list` does not."""
        from simbuilder.runtimes.docker.volumes import VolumeCopies

        return VolumeCopies(self._engine, self._root, self._settings, self._owner)

    # --- the seam --------------------------------------------------------------------------

    def at(self, engine: str) -> "ComposeRuntime":
        """Return this runtime at the engine with that URL or context."""
        if engine == self._engine.name:
            return self
        return ComposeRuntime(self._root, self._settings, self._owner, self._publish, engine)

    def answer(self, timeout_s: float = PATIENCE_S) -> Answer:
        """Return what the engine says of itself, asked once.

        Raises `RuntimeUnavailableError` if it is not usable.
        """
        if self._answer is None:
            self._answer = self._engine.answer(timeout_s)
        return self._answer

    def place(self) -> Place:
        """Return the engine that `docker` uses here, pinned by URL or context.

        Raises `ConfigurationError` where its ports would be out of reach.
        """
        answer = self.answer()
        if answer.host != catalog.HOST and self._publish == catalog.HOST:
            raise ConfigurationError(
                f"the engine on {answer.host} would publish ports on its own loopback only",
                f"set SIMBUILDER_PUBLISH_ADDRESS to an address of {answer.host} reachable from "
                f"here: the servers are then protected by their passwords alone; {LOCAL_HINT}",
            )
        bound_here = answer.host == catalog.HOST and self._publish != ANYWHERE
        host = self._publish if bound_here else answer.host
        chosen = {service: self._settings[variable(service)] for service in SERVICES}
        return Place(answer.engine, host, self._publish, chosen)

    def prepare(self, services: Sequence[str], images: Mapping[str, str], emit: EventSink) -> None:
        """Pull the images the engine does not have.

        Raises `ConfigurationError` where Neo4j would not fit its memory.
        """
        if "neo4j" in services:
            project.check_memory(self._settings)
        wanted = {s: images.get(s, self._settings[variable(s)]) for s in services}
        pull_missing(self._engine, wanted, emit)

    def observe(self, session_ids: Iterable[str]) -> Mapping[str, Mapping[str, Observed]]:
        """List all containers with our label, in one question."""
        wanted = list(session_ids)
        try:
            found = [
                c for c in labels.containers(self._engine, self._owner) if c.session_id in wanted
            ]
        except SimBuilderError as error:
            unseen = Observed(State.UNKNOWN, problem=error.message)
            return {session_id: dict.fromkeys(SERVICES, unseen) for session_id in wanted}
        seen: dict[str, dict[str, Observed]] = {session_id: {} for session_id in wanted}
        for container in found:
            seen[container.session_id][container.service] = container.observed
        return seen

    def remembers(self, session_id: str) -> bool:
        """Look for what Compose was given."""
        return (self._root / session_id).exists()

    def log_tails(self, session_id: str, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Ask for the logs of the session's containers."""
        look = partial(self._containers, session_id, services)
        from simbuilder.runtimes.docker import container_logs

        return container_logs.tails(self._engine, look, services)

    def log_lines(
        self, session_id: str, services: Sequence[str], wanted: Excerpt
    ) -> Iterator[LogLine]:
        """Let the engine tell, and look for containers that come and go meanwhile."""
        look = partial(self._containers, session_id, services)
        from simbuilder.runtimes.docker import container_logs

        return container_logs.lines(self._engine, look, wanted)

    def traces(self) -> set[str]:
        """Look for containers, networks and volumes with our owner's label, and for files."""
        files = {path.name for path in self._root.iterdir()} if self._root.is_dir() else set()
        if not self._engine.installed():  # then there is nothing else to look for
            return files
        return files | labels.sessions_of(self._engine, self._owner)

    def footprints(self, sessions: Sequence[Session]) -> Mapping[str, Footprint]:
        """Ask the engine about the running containers."""
        return labels.footprints(self._engine, self._owner, [session.id for session in sessions])

    def usage(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, Usage]]:
        """Let the engine measure; clients are counted where they are, on this machine."""
        from simbuilder.runtimes.usage import with_clients

        return with_clients(sessions, labels.usage(self._engine, self._owner, PATIENCE_S))

    def stored(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, int]]:
        """Let the engine count its volumes."""
        return labels.stored(self._engine, sessions)

    def clients(self, session_id: str) -> Mapping[str, int | None]:
        """Look into the containers."""
        return ends.clients(self._engine, self._owner, session_id)

    def marks(self) -> Mapping[str, End]:
        """Read the labels."""
        return ends.marks(self._engine, self._owner)

    def start(
        self, session: Session, services: Sequence[str], timeout_s: float, emit: EventSink
    ) -> Mapping[str, StartOutcome]:
        """Bring the project up, then wait for each service in a thread; Ctrl-C ends the waiting."""
        deadline = time.monotonic() + timeout_s
        for service in services:
            emit(Event("begin", service, "starting"))
        engine = self._alone_on(session.id)
        if others := labels.strangers(engine, session.project, session.id):
            raise EngineError(
                f"{', '.join(others)} claims to be of Compose project {session.project}",
                "it is not the session's: remove it, or take those labels from it",
            )
        found = labels.containers(engine, self._owner, session.id)
        labels.unpause(engine, found)
        self.copies.settle(session)
        running = [container.service for container in found if container.runs]
        outcomes = self._up(engine, session, [s for s in services if s not in running], deadline)
        todo = [service for service in services if service not in outcomes]
        for service, outcome in outcomes.items():
            emit(Event("failed", service, outcome.health.problem))
        return outcomes | self._wait(session, todo, deadline, emit)

    def probe(
        self, session: Session, services: Sequence[str], timeout_s: float
    ) -> Mapping[str, Health]:
        """Ask all at the same time, over the published ports."""
        return probes.probe_all(session, services, timeout_s)

    def stop(self, session_id: str, services: Sequence[str]) -> None:
        """Stop the containers and keep them, with their logs and volumes.

        One that did not end as it was asked goes, with its log: it could not forget how it ended.
        Its data is in a volume.
        """
        engine = self._alone_on(session_id)
        found = self._stop(engine, session_id, services)
        if ended := [c.id for c in found if c.exit_status is not None]:
            engine.ask("rm", "--volumes", *ended)

    def _stop(
        self, engine: Engine, session_id: str, services: Sequence[str], *options: str
    ) -> list[labels.Container]:
        """Stop what runs; return the services' containers, none of which does any more."""
        found = self._containers(session_id, services)
        labels.unpause(engine, found)  # a frozen server cannot save anything
        running = [c.id for c in found if c.runs]
        if not running:
            return found
        engine.ask("stop", *options, *running, timeout_s=_STOP_TIMEOUT_S)
        found = self._containers(session_id, services)
        if left := [c.service for c in found if c.runs]:
            raise StillRunningError(
                f"containers of session {session_id[:8]} do not end: {', '.join(left)}",
                "run the same command again",
            )
        return found

    def _containers(self, session_id: str, services: Sequence[str]) -> list[labels.Container]:
        found = labels.containers(self._engine, self._owner, session_id)
        return [container for container in found if container.service in services]

    def remove(self, session_id: str) -> None:
        """Kill the containers, since nothing they could still save will be kept; then all else."""
        labels.remove(self._alone_on(session_id), self._owner, session_id)
        remove_tree(self._root / session_id)
        remove_if_empty(self._root)

    def _alone_on(self, session_id: str) -> Engine:
        """Return the engine for changes to the session, which nobody else is making any more.

        A command that was killed leaves its `docker` behind, which must not go on while we work.
        """
        engine = self._marking(session_id)
        if process.outlast(engine.mark, PATIENCE_S):
            time.sleep(_LAST_TRY_S)  # the engine finishes what it was asked last
        return engine

    def _marking(self, session_id: str) -> Engine:
        """Return the engine whose commands are known as being about the session."""
        return Engine(self._engine.name, process.mark_of(session_id, "docker", self._root))

    # --- bringing containers up ------------------------------------------------------------

    def _up(
        self, engine: Engine, session: Session, services: Sequence[str], deadline: float
    ) -> dict[str, StartOutcome]:
        """Create and start containers; return the outcome of those that cannot be.

        Compose stops at the first that it cannot start: where that is due to a port, the others
        are asked for again without it, and otherwise each alone. Raises what concerns them all.
        """
        lost = {s: taken for s in services if (taken := self._taken_before(session, s))}
        refused = {s: _refused(f"its {taken[0]} port is taken", taken) for s, taken in lost.items()}
        groups = [[service for service in services if service not in lost]]
        while groups:
            group = groups.pop()
            if not group or not (text := self._compose_up(engine, session, group, deadline)):
                continue
            ports = ports_taken(text)
            for service in group:
                urls = session.urls(service)
                taken = tuple(e for e in urls if session.port(f"{service}.{e}") in ports)
                if taken:
                    refused[service] = _refused(f"its {taken[0]} port is taken", taken)
            error = self._engine.explain(text)
            left = [service for service in group if service not in refused]
            if len(left) < len(group):
                groups.append(left)
            elif not isinstance(error, EngineError):
                raise error
            elif len(group) > 1:
                groups += [[service] for service in group]
            else:
                refused[group[0]] = _refused(error.message)
        return refused

    def _taken_before(self, session: Session, service: str) -> tuple[str, ...]:
        """Return the endpoints whose ports cannot be had, as far as this machine can tell."""
        if session.host != catalog.HOST:
            return ()
        return tuple(
            e for e in session.urls(service) if not bindable(session.port(f"{service}.{e}"))
        )

    def _compose_up(
        self, engine: Engine, session: Session, services: Sequence[str], deadline: float
    ) -> str:
        """Run `docker compose up`; return what it says if it fails."""
        given = project.arguments(self._root / session.id, session, self._settings)
        up = [*given, "up", "--detach", "--pull", "never", *services]
        # a deadline is for servers: Compose broken off would leave what it just starts to itself
        patience_s = max(PATIENCE_S, deadline - time.monotonic())
        done = engine.attempt(up, patience_s)
        if done.status != 0 and re.search(r"network \S+ not found", done.err):
            # an idle network was removed ('docker network prune'), and old containers know no other
            done = engine.attempt([*up, "--force-recreate"], patience_s)
        return "" if done.status == 0 else done.err or done.out

    def _wait(
        self, session: Session, services: Sequence[str], deadline: float, emit: EventSink
    ) -> dict[str, StartOutcome]:
        """Wait until each service serves, ends, or is out of time."""
        from concurrent.futures import wait

        ended: dict[str, Observed] = {}
        cancelled = threading.Event()

        def bring_up(service: str) -> StartOutcome:
            outcome = self._until_ready(
                session, service, deadline, lambda: ended.get(service), cancelled
            )
            health = outcome.health
            what = f"ready: {health.product} {health.version}" if health.ready else health.problem
            emit(Event("done" if health.ready else "failed", service, what))
            return outcome

        with threads.at_work([partial(bring_up, s) for s in services], cancelled) as pending:
            while wait(pending, _LOOK_EVERY_S).not_done:
                seen = self.observe([session.id])[session.id]
                ended |= {s: o for s, o in seen.items() if o.state is State.STOPPED}
            return {s: f.result() for s, f in zip(services, pending, strict=True)}

    def _until_ready(
        self,
        session: Session,
        service: str,
        deadline: float,
        ended: Callable[[], Observed | None],
        cancelled: threading.Event,
    ) -> StartOutcome:
        health = Health(False, problem="not asked yet")
        while not cancelled.wait(_POLL_S):
            if (seen := ended()) is not None:
                status = "" if seen.exit_status is None else f" with exit status {seen.exit_status}"
                return _refused(f"it ended{status}", (), self._log(session.id, service))
            # asked before the clock is: a command that was suspended finds its time over
            budget = deadline - time.monotonic()
            health = probes.probe(session, service, min(max(budget, _LAST_TRY_S), 2.0))
            if health.ready:
                return StartOutcome(health)
            if budget <= 0:
                return self._given_up(session, service, f"not ready in time: {health.problem}")
        return _refused("interrupted")

    def _given_up(self, session: Session, service: str, problem: str) -> StartOutcome:
        log = self._log(session.id, service)
        try:
            engine = self._marking(session.id)
            self._stop(engine, session.id, [service], f"--time={_GIVE_UP_GRACE_S}")
        except SimBuilderError as error:  # the other services still deserve their report
            problem += f"; and it could not be stopped: {error.message}"
        return _refused(problem, (), log)

    def _log(self, session_id: str, service: str) -> Sequence[str]:
        return self.log_tails(session_id, [service]).get(service, ())


def _refused(problem: str, taken: tuple[str, ...] = (), log: Sequence[str] = ()) -> StartOutcome:
    return StartOutcome(Health(False, problem=problem), taken, tuple(log))
