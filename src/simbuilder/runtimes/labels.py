"""What sessions own on a Docker engine, found by exact labels and nothing else."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simbuilder.runtimes.engine import LOOK_TIMEOUT_S, Engine
from simbuilder.scaffolding import process
from simbuilder.scaffolding.exceptions import EngineError, StillRunningError
from simbuilder.sessions.model import Footprint

SESSION, OWNER = "io.simbuilder.session", "io.simbuilder.owner"
"""Labels on every container, network and volume (see `docker-compose.yaml`)."""

ENDED_ON_REQUEST = (0, 130, 143)
"""How a server ends that was asked to, by SIGINT or SIGTERM: nothing to tell anybody about."""

_REMOVE_TIMEOUT_S = 60.0
_REMOVALS = 4
_SETTLE_S = 0.5
_ROW = (
    f'{{{{.Label "{SESSION}"}}}}\t{{{{.Label "com.docker.compose.service"}}}}\t'
    "{{.ID}}\t{{.State}}\t{{.Status}}"
)


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


def containers(
    engine: Engine, session_id: str = "", timeout_s: float = LOOK_TIMEOUT_S
) -> list[Container]:
    """Return all containers of a session, or of all sessions, with one question."""
    label = f"label={SESSION}={session_id}" if session_id else f"label={SESSION}"
    argv = ("ps", "--all", "--no-trunc", "--filter", label, "--format", _ROW)
    return [_container(line) for line in engine.lines(*argv, timeout_s=timeout_s)]


def resources(engine: Engine, session_id: str) -> list[list[str]]:
    """Return the ids of a session's containers, networks and volumes."""
    ours = ("--quiet", "--filter", f"label={SESSION}={session_id}")
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    return together(engine, *((*kind, *ours) for kind in kinds), timeout_s=LOOK_TIMEOUT_S)


def sessions_of(engine: Engine, owner: str) -> set[str]:
    """Return the ids of all sessions of which the owner has anything left there."""
    shown = ("--filter", f"label={OWNER}={owner}", "--format", f'{{{{.Label "{SESSION}"}}}}')
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    questions = [(*kind, *shown) for kind in kinds]
    return {i for lines in together(engine, *questions, timeout_s=LOOK_TIMEOUT_S) for i in lines}


def footprints(engine: Engine, session_ids: Sequence[str]) -> dict[str, Footprint]:
    """Return what the running containers of each session publish, mount and are connected to."""
    running = [c for c in containers(engine) if c.session_id in session_ids and c.runs]
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


def memory(engine: Engine, timeout_s: float) -> dict[str, int]:
    """Return session id -> bytes of memory that its running containers use now.

    Takes at most `timeout_s`; an engine measures for a second or two. Raises like `Engine.ask`.
    """
    deadline = time.monotonic() + timeout_s
    sessions = {c.id: c.session_id for c in containers(engine, timeout_s=timeout_s) if c.runs}
    used = dict.fromkeys(sessions.values(), 0)
    if sessions:
        shown = ("stats", "--no-stream", "--no-trunc", "--format", "{{.ID}}\t{{.MemUsage}}")
        left_s = max(0.1, deadline - time.monotonic())
        for line in engine.lines(*shown, *sessions, timeout_s=left_s):
            container_id, _, usage = line.partition("\t")
            if container_id in sessions:  # one that has just ended is shown without a name
                used[sessions[container_id]] += _bytes(usage.partition(" / ")[0])
    return used


def _bytes(text: str) -> int:
    """Return an amount as Docker shows it, such as `1.5GiB`; 0 where it shows none."""
    found = re.fullmatch(r"([\d.]+)([KMGT]i)?B", text)
    power = {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
    return int(float(found.group(1)) * (1 << power[found.group(2)])) if found else 0


def remove(engine: Engine, session_id: str) -> None:
    """Remove all that a session owns, and look again until nothing is there.

    The engine may just be finishing what it was told by a command that has been killed since.
    Raises `StillRunningError` if something stays.
    """
    refusal = ""
    for _ in range(_REMOVALS):
        found = resources(engine, session_id)
        if not any(found):
            return
        try:
            _remove(engine, *found)
        except EngineError as error:  # somebody else's container uses one of them, most likely
            refusal = error.message
            time.sleep(_SETTLE_S)
    if left := [name for names in resources(engine, session_id) for name in names]:
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


def _container(line: str) -> Container:
    session_id, service, container_id, state, status = line.split("\t")
    found = re.match(r"Exited \((\d+)\)", status)
    ended = int(found.group(1)) if found else 0
    return Container(
        session_id,
        service,
        container_id,
        runs=state in ("running", "paused", "restarting"),
        paused=state == "paused",
        exit_status=None if ended in ENDED_ON_REQUEST else ended,
    )
