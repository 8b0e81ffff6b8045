"""Puts the rooms together: the only place that knows every implementation."""

import binascii
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding.environment import (
    DEFAULTS,
    CoreSettings,
    core_settings,
    current_folder,
    process_environment,
    read_environment,
)
from simbuilder.scaffolding.exceptions import (
    ImageUnavailableError,
    RuntimeUnavailableError,
    UsageError,
)
from simbuilder.sessions import envfile
from simbuilder.sessions.journal import Journal, place
from simbuilder.sessions.makers import Makers
from simbuilder.sessions.manager import SessionManager
from simbuilder.sessions.model import Session
from simbuilder.sessions.port_manager import PortManager, system_range
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Runtime
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.store import SessionStore

if TYPE_CHECKING:
    from simbuilder.runtimes.docker.compose import ComposeRuntime
    from simbuilder.runtimes.local import LocalRuntime
    from simbuilder.sessions.copier import Copier
    from simbuilder.sessions.exporter import Exporter
    from simbuilder.sessions.verifier import Verifier
    from simbuilder.sessions.watcher import Watcher


@dataclass(frozen=True)
class Rooms:
    """Everything a command, or a program that uses sessions, needs."""

    settings: CoreSettings
    owner: str
    manager: SessionManager
    store: SessionStore
    ports: PortManager
    local: Callable[[], "LocalRuntime"]
    docker: Callable[[], "ComposeRuntime"]
    emit: EventSink
    verifier: Callable[[], "Verifier"]
    copier: Callable[[], "Copier"]
    exporter: Callable[[], "Exporter"]
    watcher: Callable[[float], "Watcher"]

    def tell(self, message: str) -> None:
        """Let whoever watches know."""
        self.emit(Event("note", "session", message))


@dataclass(frozen=True)
class Choice:
    """A runtime for a new session, and why; `automatic` if nobody asked for this one."""

    runtime: str
    reason: str
    automatic: bool = False


class _OnDemand(Mapping[str, Runtime]):
    """Runtimes by name, each loaded when it is asked for: few commands need them all."""

    def __init__(self, makers: Mapping[str, Callable[[], Runtime]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Runtime:
        return self._makers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def rooms(emit: EventSink, folder: Path | None = None) -> Rooms:
    """Build the rooms for a folder, the current one if left out. Raises `ConfigurationError`."""
    folder = folder or current_folder()
    settings = core_settings(read_environment(folder))
    store = SessionStore(settings.state_dir)
    ports = PortManager(
        settings.state_dir,
        system_range(settings.port_start, settings.port_end),
        store.ports,
        emit,
    )
    owner = f"{os.getuid()}@{os.uname().nodename}:{settings.state_dir}"

    @cache
    def local() -> "LocalRuntime":
        from simbuilder.runtimes.local import Graph, LocalRuntime

        given = settings.containers
        sizes = given["NEO4J_HEAP_SIZE"], given["NEO4J_PAGE_CACHE_SIZE"]
        graph = Graph(settings.neo4j_home, *sizes)
        return LocalRuntime(settings.state_dir / "local", settings.cache_dir, graph)

    @cache
    def docker() -> "ComposeRuntime":
        from simbuilder.runtimes.docker.compose import ComposeRuntime

        root = settings.state_dir / "docker"
        return ComposeRuntime(root, settings.containers, owner, settings.publish_address)

    runtimes = Runtimes(_OnDemand({"local": local, "docker": docker}), emit, slow=("docker",))
    makers = Makers(
        owner=owner,
        session_id=_new_id,
        now=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"),
        secret=new_secret,
    )
    journal = Journal(place(settings.cache_dir), settings.state_dir, makers.now)
    within = process_environment().get(envfile.WITHIN_KEY, "")
    manager = SessionManager(store, ports, runtimes, makers, emit, folder, journal, within)

    def verifier() -> "Verifier":
        from simbuilder.runtimes.canaries import RealCanaries
        from simbuilder.sessions.verifier import Verifier

        return Verifier(
            *(store, ports, runtimes, RealCanaries(), emit),
            token=lambda: os.urandom(4).hex(),
            secret=new_secret,
        )

    def copier() -> "Copier":
        from simbuilder.sessions.copier import Copier

        return Copier(manager, store, runtimes, makers, journal, emit)

    def exporter() -> "Exporter":
        from simbuilder.sessions.exporter import Exporter

        return Exporter(manager, copier(), store, runtimes, makers.now, emit)

    def watcher(interval_s: float) -> "Watcher":
        from simbuilder.sessions.watcher import Watcher

        return Watcher(store, runtimes, makers.moment, interval_s)

    return Rooms(
        *(settings, owner, manager, store, ports, local, docker, emit),
        *(verifier, copier, exporter, watcher),
    )


def _new_id() -> str:
    import uuid  # 3 ms, and only a new session needs it

    return str(uuid.uuid4())


def new_secret(service: str) -> str:
    """Return 192 random bits in hex; for Azurite 64 bytes in base64, as Azure's own keys are.

    Not `token_urlsafe`: one in 64 of those starts with a dash, and Neo4j's tool, in the official
    image too, takes it for an option.
    """
    # os.urandom is what the module `secrets` takes too; loading that costs 4 ms
    if service == "azurite":
        return binascii.b2a_base64(os.urandom(64), newline=False).decode()
    return os.urandom(24).hex()


def choose_runtime(wanted: str | None, made: Rooms) -> Choice:
    """Return the runtime for a new session; `auto` takes Docker if an engine answers within 2 s."""
    from simbuilder.runtimes.docker.engine import AUTO_TIMEOUT_S

    name = wanted or made.settings.runtime
    if name != "auto":
        return Choice(name, "asked for" if wanted else "set by SIMBUILDER_RUNTIME")
    try:
        return Choice("docker", f"auto: {made.docker().answer(AUTO_TIMEOUT_S)}", automatic=True)
    except RuntimeUnavailableError as error:
        return Choice("local", f"auto: {error.message}", automatic=True)


def instead_of_docker(
    error: ImageUnavailableError, choice: Choice, services: Sequence[str], made: Rooms
) -> Choice:
    """Return the local runtime where nobody asked for Docker and it lacks an image.

    Raises `error` otherwise: whoever names an image wants that one.
    """
    from simbuilder.runtimes.docker.images import variable

    names = [variable(service) for service in services]
    if not choice.automatic or any(made.settings.containers[n] != DEFAULTS[n] for n in names):
        raise error
    made.tell(f"{error.message}; taking the local runtime instead")
    why, _, _ = error.message.partition(": ")  # without the engine's own words
    return replace(choice, runtime="local", reason=f"auto: {why}")


def check_again(found: Session, services: Sequence[str], runtime: str | None) -> None:
    """Raise `UsageError` unless a session that is to be used again has what is asked for."""
    lacking = [service for service in services if service not in found.services]
    if lacking or runtime not in (None, "auto", found.runtime):
        has = f"{', '.join(found.services)} on the {found.runtime} runtime"
        raise UsageError(
            f"session {found.label}, which was to be used again, has {has}",
            f"'simbuilder session cleanup {found.short}' lets a new one be made",
        )
