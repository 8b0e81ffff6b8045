"""ComposeRuntime: each session a Docker Compose project, found again by its labels.

The labels are the truth. Observing, stopping and removing need neither the compose file nor an env
file; only starting does, through python-on-whales.
"""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbuilder.runtimes import labels, probes
from simbuilder.runtimes.engine import Answer, Engine, explain_pull, ports_taken
from simbuilder.scaffolding import dotenv, process
from simbuilder.scaffolding.environment import process_environment
from simbuilder.scaffolding.exceptions import (
    ConfigurationError,
    EngineError,
    SimBuilderError,
    StillRunningError,
)
from simbuilder.scaffolding.files import (
    make_private_folder,
    remove_if_empty,
    remove_tree,
    write_atomic,
)
from simbuilder.sessions import catalog, envfile
from simbuilder.sessions.model import (
    Health,
    Observed,
    Place,
    Session,
    StartOutcome,
    State,
)
from simbuilder.sessions.port_manager import bindable
from simbuilder.sessions.result import Event, EventSink

if TYPE_CHECKING:
    from python_on_whales import DockerClient

COMPOSE_FILE = Path(__file__).with_name("docker-compose.yaml")
SERVICES = ("neo4j", "nats", "azurite")
_STOP_TIMEOUT_S = 90.0
_POLL_S = 0.05
_LOOK_EVERY_S = 1.0


class ComposeRuntime:
    """Runs sessions on a Docker engine.

    `root` is where files for Compose are kept, one folder per session; `settings` are those of
    `CONTAINERS`, and `owner` is the label by which lost sessions are known as this user's.
    """

    name = "docker"

    def __init__(
        self, root: Path, settings: Mapping[str, str], owner: str, engine: str = ""
    ) -> None:
        self._root = root
        self._settings = settings
        self._owner = owner
        self._engine = Engine(engine)

    # --- the seam --------------------------------------------------------------------------

    def at(self, engine: str) -> "ComposeRuntime":
        """Return this runtime at the engine with that URL or context."""
        if engine == self._engine.name:
            return self
        return ComposeRuntime(self._root, self._settings, self._owner, engine)

    @cached_property
    def answer(self) -> Answer:
        """What the engine says of itself. Raises `RuntimeUnavailableError` if it is not usable."""
        return self._engine.answer()

    def place(self) -> Place:
        """Return the engine that `docker` uses here, pinned by URL or context.

        Raises `ConfigurationError` where its ports would be out of reach.
        """
        answer = self.answer
        published = self._settings["SIMBUILDER_PUBLISH_ADDRESS"]
        if answer.host != catalog.HOST and published == catalog.HOST:
            raise ConfigurationError(
                f"the engine on {answer.host} would publish ports on its own loopback only",
                f"set SIMBUILDER_PUBLISH_ADDRESS to an address of {answer.host} reachable from "
                "here; the servers are then protected by their passwords alone",
            )
        return Place(answer.engine, answer.host)

    def prepare(self, services: Sequence[str], emit: EventSink) -> None:
        """Pull the images the engine does not have."""
        from concurrent.futures import ThreadPoolExecutor

        listed = self._engine.lines("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
        images = {service: self._settings[f"{service.upper()}_IMAGE"] for service in services}
        missing = {s: i for s, i in images.items() if i not in listed and not self._has(i)}
        if not missing:
            return
        client = self._client()
        with ThreadPoolExecutor(len(missing)) as pool:
            try:
                for done in [pool.submit(self._pull, client, s, missing[s], emit) for s in missing]:
                    done.result()
            except BaseException:
                # Ctrl-C, or one of them failed: nobody waits for the others, which can take minutes
                process.stop_children()
                raise

    def observe(self, session_ids: Iterable[str]) -> Mapping[str, Mapping[str, Observed]]:
        """List all containers with our label once; logs are read of those with a story to tell."""
        wanted = list(session_ids)
        try:
            found = [c for c in labels.containers(self._engine) if c.session_id in wanted]
        except SimBuilderError as error:
            unseen = Observed(State.UNKNOWN, problem=error.message)
            return {session_id: dict.fromkeys(SERVICES, unseen) for session_id in wanted}
        seen: dict[str, dict[str, Observed]] = {session_id: {} for session_id in wanted}
        for container in found:
            seen[container.session_id][container.service] = self._observed(container)
        return seen

    def traces(self) -> set[str]:
        """Look for containers, networks and volumes with our owner's label, and for files."""
        files = {path.name for path in self._root.iterdir()} if self._root.is_dir() else set()
        if shutil.which("docker") is None:  # then there is nothing else to look for
            return files
        return files | labels.sessions_of(self._engine, self._owner)

    def start(
        self, session: Session, services: Sequence[str], timeout_s: float, emit: EventSink
    ) -> Mapping[str, StartOutcome]:
        """Bring the project up, then wait for each service in a thread; Ctrl-C ends the waiting."""
        deadline = time.monotonic() + timeout_s
        for service in services:
            emit(Event("begin", service, "starting"))
        outcomes = self._up(session, services)
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
        """Stop the containers and keep them, with their logs and volumes."""
        running = [
            c.id
            for c in labels.containers(self._engine, session_id)
            if c.runs and c.service in services
        ]
        if not running:
            return
        self._engine.ask("stop", *running, timeout_s=_STOP_TIMEOUT_S)
        left = [
            c.service
            for c in labels.containers(self._engine, session_id)
            if c.runs and c.id in running
        ]
        if left:
            raise StillRunningError(
                f"containers of session {session_id[:8]} do not end: {', '.join(left)}",
                "run the same command again",
            )

    def remove(self, session_id: str) -> None:
        """Kill the containers, since nothing they could still save will be kept; then all else."""
        containers, networks, volumes = labels.resources(self._engine, session_id)
        if containers:
            self._engine.ask("rm", "--force", "--volumes", *containers)
        removals = [("network", "rm", *networks)] if networks else []
        removals += [("volume", "rm", *volumes)] if volumes else []
        try:
            labels.together(self._engine, *removals)
        except EngineError as error:  # somebody else's container uses one of them, most likely
            raise StillRunningError(
                f"not all of session {session_id[:8]} can be removed: {error.message}",
                "end what uses it, then run the same command again",
            ) from None
        if any(left := labels.resources(self._engine, session_id)):
            shown = ", ".join(name for names in left for name in names)
            raise StillRunningError(
                f"not all of session {session_id[:8]} is gone: {shown}",
                "run the same command again",
            )
        remove_tree(self._root / session_id)
        remove_if_empty(self._root)

    def _observed(self, container: labels.Container) -> Observed:
        if container.runs:
            return Observed(State.RUNNING)
        if container.exit_status is None:
            return Observed(State.STOPPED)
        try:
            log = self._engine.log(container.id)
        except SimBuilderError as error:  # removed since it was listed, say; its end is known
            log = (f"its log cannot be read: {error.message}",)
        return Observed(State.STOPPED, container.exit_status, log)

    # --- images ----------------------------------------------------------------------------

    def _has(self, image: str) -> bool:
        """True if the engine knows the image by a name it does not list, such as a digest."""
        try:
            self._engine.ask("image", "inspect", "--format", "{{.Id}}", image)
        except EngineError:
            return False
        return True

    def _pull(self, client: "DockerClient", service: str, image: str, emit: EventSink) -> None:
        from python_on_whales.exceptions import DockerException

        emit(Event("begin", service, f"pulling {image}"))
        layers: dict[str, bool] = {}
        try:
            progress: Any = client.image.pull(image, stream_logs=True)
            for _, raw in progress:
                layer, _, doing = raw.decode(errors="replace").strip().partition(": ")
                finished = doing in ("Pull complete", "Already exists")
                if re.fullmatch("[0-9a-f]{12}", layer) and layers.get(layer) is not finished:
                    layers[layer] = finished
                    count = f"{sum(layers.values())} of {len(layers)} layers"
                    emit(Event("begin", service, f"pulling {image}: {count}"))
        except DockerException as error:
            emit(Event("failed", service, "its image could not be pulled"))
            text = error.stderr or str(error)
            told = self._engine.explain(text)
            if isinstance(told, EngineError):
                told = explain_pull(service, image, text)
            raise told from None
        emit(Event("done", service, f"pulled {image}"))

    # --- bringing containers up ------------------------------------------------------------

    def _client(self, **more: Any) -> "DockerClient":
        """Return python-on-whales' client for this engine.

        It hands on our whole environment, in which a variable of another session would beat the
        env file: `env -u` takes them out on the way.
        """
        from python_on_whales import DockerClient

        kept = self._engine.environment()
        drop = [f"--unset={name}" for name in process_environment() if name not in kept]
        name = self._engine.name
        return DockerClient(
            client_call=["env", *drop, "docker"],
            host=name if "://" in name else None,
            context=None if "://" in name or not name else name,
            **more,
        )

    def _up(self, session: Session, services: Sequence[str]) -> dict[str, StartOutcome]:
        """Create and start containers; return the outcome of those that cannot have a port.

        Compose stops at the first port it cannot have, so the others are asked for again without
        that service.
        """
        lost = {s: taken for s in services if (taken := self._taken_before(session, s))}
        while todo := [service for service in services if service not in lost]:
            text = self._compose_up(session, todo)
            if not text:
                break
            ports = ports_taken(text)
            now = {
                s: tuple(e for e in session.urls(s) if session.port(f"{s}.{e}") in ports)
                for s in todo
            }
            if not any(now.values()):
                raise self._engine.explain(text)
            lost |= {service: taken for service, taken in now.items() if taken}
        return {
            service: StartOutcome(Health(False, problem=f"its {taken[0]} port is taken"), taken)
            for service, taken in lost.items()
        }

    def _taken_before(self, session: Session, service: str) -> tuple[str, ...]:
        """Return the endpoints whose ports cannot be had, as far as this machine can tell."""
        if session.host != catalog.HOST:
            return ()
        return tuple(
            e for e in session.urls(service) if not bindable(session.port(f"{service}.{e}"))
        )

    def _compose_up(self, session: Session, services: Sequence[str]) -> str:
        """Run `docker compose up`; return what it says if it fails."""
        from python_on_whales.exceptions import DockerException

        folder = make_private_folder(self._root / session.id)
        variables = envfile.variables(session) | dict(self._settings)
        write_atomic(folder / "compose.env", dotenv.render(variables))
        client = self._client(
            compose_files=[COMPOSE_FILE],
            compose_env_files=[folder / "compose.env"],
            compose_project_name=session.project,
        )
        try:
            client.compose.up(list(services), detach=True, pull="never", quiet=True)
        except DockerException as error:
            return error.stderr or str(error)
        return ""

    def _wait(
        self, session: Session, services: Sequence[str], deadline: float, emit: EventSink
    ) -> dict[str, StartOutcome]:
        """Wait until each service serves, ends, or is out of time."""
        from concurrent.futures import ThreadPoolExecutor, wait

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

        with ThreadPoolExecutor(max(1, len(services))) as pool:
            pending = {service: pool.submit(bring_up, service) for service in services}
            try:
                while wait(pending.values(), _LOOK_EVERY_S).not_done:
                    seen = self.observe([session.id])[session.id]
                    ended |= {s: o for s, o in seen.items() if o.state is State.STOPPED}
                return {service: future.result() for service, future in pending.items()}
            finally:
                cancelled.set()

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
                return StartOutcome(Health(False, problem=f"it ended{status}"), (), seen.log_tail)
            budget = deadline - time.monotonic()
            if budget <= 0:
                log = self._log(session.id, service)
                self.stop(session.id, [service])
                problem = f"not ready in time: {health.problem}"
                return StartOutcome(Health(False, problem=problem), (), log)
            health = probes.probe(session, service, min(budget, 2.0))
            if health.ready:
                return StartOutcome(health)
        return StartOutcome(Health(False, problem="interrupted"))

    def _log(self, session_id: str, service: str) -> tuple[str, ...]:
        """Return the last lines of a service; one that is being removed meanwhile has none."""
        for container in labels.containers(self._engine, session_id):
            if container.service == service:
                return self._engine.log(container.id)
        return ()
