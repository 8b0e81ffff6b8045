"""What sessions own on a Docker engine, found by exact labels and nothing else."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simbuilder.runtimes.docker.engine import LOOK_TIMEOUT_S, Engine
from simbuilder.scaffolding import process
from simbuilder.scaffolding.exceptions import EngineError, StillRunningError
from simbuilder.sessions.model import Footprint, Observed, Session, State, Usage, same_owner

SESSION, OWNER = "io.simbuilder.session", "io.simbuilder.owner"
SCHEMA = "io.simbuilder.schema"
"""Labels on every container, network and volume (see `docker-compose.yaml`)."""

ENDED_ON_REQUEST = (0, 130, 143)
"""How a server ends that was asked to, by SIGINT or SIGTERM: nothing to tell anybody about."""

_REMOVE_TIMEOUT_S = 60.0
_REMOVALS = 4
_SETTLE_S = 0.5
_ROW = ",".join(
    f"{{{{json {field}}}}}"
    for field in (
        f'(.Label "{OWNER}")',
        f'(.Label "{SESSION}")',
        '(.Label "com.docker.compose.service")',
        *(".ID", ".State", ".Status"),
    )
)
"""In JSON: a label can hold anything, and those of others are listed too."""


@dataclass(frozen=True)
class Container:
    """A container of a session; `exit_status` is how it ended unless it was asked to.

    A paused one runs: it holds its ports and data.
    """

    session_id: str
    service: str
    id: str
    runs: bool
    paused: bool
    exit_status: int | None

    @property
    def observed(self) -> Observed:
        """The service as the engine sees it."""
        if self.runs:
            problem = "its container is paused" if self.paused else ""
            return Observed(State.RUNNING, problem=problem)
        return Observed(State.STOPPED, self.exit_status)


def containers(
    engine: Engine, owner: str, session_id: str = "", timeout_s: float = LOOK_TIMEOUT_S
) -> list[Container]:
    """Return the servers of a session, or of all sessions of an owner, with one question.

    Not what works for a moment on the data of one (`workers`): that is no service of Compose.
    """
    label = f"label={SESSION}={session_id}" if session_id else f"label={SESSION}"
    argv = ("ps", "--all", "--no-trunc", "--filter", label, "--format", _ROW)
    rows = [json.loads(f"[{line}]") for line in engine.lines(*argv, timeout_s=timeout_s)]
    found = [_container(*rest) for whose, *rest in rows if _owns(owner, whose)]
    return [container for container in found if container.service]


def _owns(owner: str, label: str) -> bool:
    """True unless the label names another owner: whoever copied a state folder, say."""
    return not label or same_owner(owner, label)


def unpause(engine: Engine, found: Sequence[Container]) -> None:
    """Let those that are paused go on."""
    if paused := [c.id for c in found if c.paused]:
        engine.ask("unpause", *paused)


def resources(engine: Engine, owner: str, session_id: str) -> list[list[str]]:
    """Return the ids of a session's containers, networks and volumes."""
    wanted = ("--filter", f"label={SESSION}={session_id}", "--format")
    whose = f'{{{{json (.Label "{OWNER}")}}}},{{{{json'
    questions = (
        ("ps", "--all", "--no-trunc", *wanted, f"{whose} .ID}}}}"),
        ("network", "ls", "--no-trunc", *wanted, f"{whose} .ID}}}}"),
        ("volume", "ls", *wanted, f"{whose} .Name}}}}"),
    )
    answers = together(engine, *questions, timeout_s=LOOK_TIMEOUT_S)
    rows = [[json.loads(f"[{line}]") for line in lines] for lines in answers]
    return [[name for whose, name in found if _owns(owner, whose)] for found in rows]


def strangers(engine: Engine, project: str, session_id: str) -> list[str]:
    """Return the names of containers in a session's project that are not the session's.

    Compose would take them for its own, and replace them.
    """
    ours = f"label=com.docker.compose.project={project}"
    shown = f'{{{{json (.Label "{SESSION}")}}}},{{{{json .Names}}}}'
    argv = ("ps", "--all", "--filter", ours, "--format", shown)
    lines = engine.lines(*argv, timeout_s=LOOK_TIMEOUT_S)
    rows = [json.loads(f"[{line}]") for line in lines]
    return [name for whose, name in rows if whose != session_id]


def sessions_of(engine: Engine, owner: str) -> set[str]:
    """Return the ids of all sessions of which the owner has anything left there."""
    shown = ("--filter", f"label={OWNER}={owner}", "--format", f'{{{{.Label "{SESSION}"}}}}')
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    questions = [(*kind, *shown) for kind in kinds]
    return {i for lines in together(engine, *questions, timeout_s=LOOK_TIMEOUT_S) for i in lines}


def footprints(engine: Engine, owner: str, session_ids: Sequence[str]) -> dict[str, Footprint]:
    """Return what the running containers of each session publish, mount and are connected to."""
    running = [c for c in containers(engine, owner) if c.session_id in session_ids and c.runs]
    done = engine.attempt(("inspect", *(c.id for c in running)), LOOK_TIMEOUT_S)
    try:  # also where it complains: one of them may have gone just now
        by_id = {facts["Id"]: facts for facts in json.loads(done.out or "[]")}
    except ValueError:
        raise engine.explain(done.err or done.out) from None
    found = [(c, by_id[c.id]) for c in running if c.id in by_id]
    return {
        session_id: _footprint({c.service: f for c, f in found if c.session_id == session_id})
        for session_id in session_ids
    }


def _footprint(inspected: Mapping[str, Any]) -> Footprint:
    import ipaddress  # 4 ms, and only a proof of isolation needs it

    sockets: dict[str, frozenset[tuple[str, int]]] = {}
    stores: set[str] = set()
    networks: dict[str, str] = {}
    for service, facts in inspected.items():
        published = [b for found in facts["NetworkSettings"]["Ports"].values() for b in found or ()]
        sockets[service] = frozenset((b["HostIp"], int(b["HostPort"])) for b in published)
        stores |= {mount.get("Name") or mount["Source"] for mount in facts["Mounts"]}
        for name, network in facts["NetworkSettings"]["Networks"].items():
            if not network["IPAddress"]:  # one that is just restarted has none
                continue
            address = f"{network['IPAddress']}/{network['IPPrefixLen']}"
            networks[name] = str(ipaddress.ip_interface(address).network)
    return Footprint(sockets, frozenset(stores), networks)


def memory(engine: Engine, owner: str, timeout_s: float) -> dict[str, int]:
    """Return session id -> bytes of memory that its running containers use now.

    Like `usage`.
    """
    found = usage(engine, owner, timeout_s)
    return {i: sum(one.memory_bytes for one in services.values()) for i, services in found.items()}


def usage(engine: Engine, owner: str, timeout_s: float) -> dict[str, dict[str, Usage]]:
    """Return session id -> service -> what its running container uses now.

    Takes at most `timeout_s`; an engine measures for a second or two. Raises like `Engine.ask`.
    """
    deadline = time.monotonic() + timeout_s
    try:
        running, lines = _measured(engine, owner, deadline)
    except EngineError:  # Docker 20.10 says EOF where a container ends while it is measured
        running, lines = _measured(engine, owner, deadline)
    used: dict[str, dict[str, Usage]] = {c.session_id: {} for c in running.values()}
    for line in lines:
        container_id, size, share = line.split("\t")
        if container_id in running:  # one that has just ended is shown without a name
            one = running[container_id]
            memory_bytes = _bytes(size.partition(" / ")[0])
            used[one.session_id][one.service] = Usage(memory_bytes, _share(share))
    return used


def _measured(
    engine: Engine, owner: str, deadline: float
) -> tuple[dict[str, Container], list[str]]:
    """Return the containers that run, and what `docker stats` says of them."""
    found = containers(engine, owner, timeout_s=max(0.1, deadline - time.monotonic()))
    running = {c.id: c for c in found if c.runs}
    if not running:
        return running, []
    columns = "{{.ID}}\t{{.MemUsage}}\t{{.CPUPerc}}"
    shown = ("stats", "--no-stream", "--no-trunc", "--format", columns)
    left_s = max(0.1, deadline - time.monotonic())
    return running, engine.lines(*shown, *running, timeout_s=left_s)


def stored(engine: Engine, sessions: Sequence[Session]) -> dict[str, dict[str, int]]:
    """Return session id -> service -> bytes in its volumes, which an engine counts for seconds.

    Raises like `Engine.ask`.
    """
    shown = engine.ask("system", "df", "--verbose", "--format", "{{json .Volumes}}")
    volumes = [(v["Name"], v["Labels"], _bytes(v["Size"])) for v in json.loads(shown) or ()]
    found: dict[str, dict[str, int]] = {}
    for session in sessions:
        mark = f"{SESSION}={session.id}"
        ours = [(name, size) for name, labels, size in volumes if mark in labels.split(",")]
        for service in session.services:
            start = f"{session.project}_{service}-"  # as Compose calls them
            sizes = [size for name, size in ours if name.startswith(start)]
            if sizes:
                found.setdefault(session.id, {})[service] = sum(sizes)
    return found


def _bytes(text: str) -> int:
    """Return an amount as Docker shows it, such as `1.5GiB` or `1.5GB`; 0 where it shows none."""
    found = re.fullmatch(r"([\d.]+)([kKMGT]?)(i?)B", text)
    if not found:
        return 0
    number, prefix, binary = found.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** " KMGT".index(prefix.upper() or " "))


def _share(text: str) -> float:
    """Return a percentage as Docker shows it as a share; 0 where it shows none."""
    found = re.fullmatch(r"([\d.]+)%", text)
    return float(found.group(1)) / 100 if found else 0.0


def remove(engine: Engine, owner: str, session_id: str) -> None:
    """Remove all that a session owns, and look again until nothing is there.

    The engine may just be finishing what it was told by a command that has been killed since.
    Raises `StillRunningError` if something stays.
    """
    refusal = ""
    for _ in range(_REMOVALS):
        found = resources(engine, owner, session_id)
        if not any(found):
            return
        try:
            _remove(engine, *found)
        except EngineError as error:  # somebody else's container uses one of them, most likely
            refusal = error.message
            time.sleep(_SETTLE_S)
    if left := [name for names in resources(engine, owner, session_id) for name in names]:
        raise StillRunningError(
            f"not all of session {session_id[:8]} can be removed: {refusal or ', '.join(left)}",
            "end what uses it, then run the same command again",
        )


def _remove(engine: Engine, containers: list[str], networks: list[str], volumes: list[str]) -> None:
    if containers:
        engine.ask("rm", "--force", "--volumes", *containers)
    removals = [("network", "rm", *networks)] if networks else []
    removals += [("volume", "rm", *volumes)] if volumes else []
    together(engine, *removals)


def together(
    engine: Engine, *questions: Sequence[str], timeout_s: float = _REMOVE_TIMEOUT_S
) -> list[list[str]]:
    """Ask several things at the same time and return the lines of each answer."""
    return process.together([partial(engine.lines, *q, timeout_s=timeout_s) for q in questions])


def _container(session_id: str, service: str, id_: str, state: str, status: str) -> Container:
    found = re.match(r"Exited \((\d+)\)", status)
    ended = int(found.group(1)) if found else 0
    return Container(
        session_id,
        service,
        id_,
        runs=state in ("running", "paused", "restarting"),
        paused=state == "paused",
        exit_status=None if ended in ENDED_ON_REQUEST else ended,
    )
