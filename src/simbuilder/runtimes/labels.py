"""What sessions own on a Docker engine, found by exact labels and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from simbuilder.runtimes.engine import LOOK_TIMEOUT_S, Engine
from simbuilder.scaffolding import process

SESSION, OWNER = "io.simbuilder.session", "io.simbuilder.owner"
"""Labels on every container, network and volume (see `docker-compose.yaml`)."""

ENDED_ON_REQUEST = (0, 130, 143)
"""How a server ends that was asked to, by SIGINT or SIGTERM: nothing to tell anybody about."""

_REMOVE_TIMEOUT_S = 60.0
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


def containers(engine: Engine, session_id: str = "") -> list[Container]:
    """Return all containers of a session, or of all sessions, with one question of at most 5 s."""
    label = f"label={SESSION}={session_id}" if session_id else f"label={SESSION}"
    argv = ("ps", "--all", "--no-trunc", "--filter", label, "--format", _ROW)
    return [_container(line) for line in engine.lines(*argv, timeout_s=LOOK_TIMEOUT_S)]


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
