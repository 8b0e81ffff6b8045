"""When sessions on an engine shall go, by their own labels; and which have clients then."""

import json
from functools import partial

from simbuilder.runtimes.docker import labels
from simbuilder.runtimes.docker.engine import LOOK_TIMEOUT_S, Engine
from simbuilder.scaffolding import process
from simbuilder.sessions.model import End, is_moment

EXPIRES, BOUND_TO = "io.simbuilder.expires", "io.simbuilder.bound-to"
"""Labels on every container, network and volume (see `docker-compose.ends.yaml`)."""

_LISTENS, _ESTABLISHED = "0A", "01"


def marks(engine: Engine, owner: str) -> dict[str, End]:
    """Return session id -> when it shall go, for all of an owner that say so.

    Raises like `Engine.ask`.
    """
    if not engine.installed():
        return {}
    row = ",".join(
        f'{{{{json (.Label "{label}")}}}}' for label in (labels.SESSION, EXPIRES, BOUND_TO)
    )
    shown = ("--filter", f"label={labels.OWNER}={owner}", "--format", row)
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    answers = labels.together(engine, *((*k, *shown) for k in kinds), timeout_s=LOOK_TIMEOUT_S)
    found = {}
    for line in (line for lines in answers for line in lines):
        session_id, expires_at, bound_to = json.loads(f"[{line}]")
        end = End(expires_at if is_moment(expires_at) else "", bound_to)
        if end != End():
            found[session_id] = end
    return found


def clients(engine: Engine, owner: str, session_id: str) -> dict[str, int | None]:
    """Return running service -> connections from clients, as the kernel in its container counts.

    Only there all are seen: also those from other machines and containers. `None` for a container
    that cannot be asked: it is paused, or has no `cat`. Raises like `Engine.ask`.
    """
    running = [c for c in labels.containers(engine, owner, session_id) if c.runs]
    asked = [c for c in running if not c.paused]
    tables = ("cat", "/proc/net/tcp", "/proc/net/tcp6")
    answers = process.together(
        [partial(engine.attempt, ("exec", c.id, *tables), LOOK_TIMEOUT_S) for c in asked]
    )
    counted = {c.service: served(done.out) for c, done in zip(asked, answers, strict=True)}
    return {c.service: counted.get(c.service) for c in running}


def served(table: str) -> int | None:
    """Return how many connections lead to listening ports in the text of /proc/net/tcp (proc(5)).

    `None` if it is something else.
    """
    rows = [line.split() for line in table.splitlines()]
    if not rows or rows[0][:1] != ["sl"]:
        return None
    states = [(row[1].rpartition(":")[2], row[3]) for row in rows if row[0] != "sl"]
    listening = {port for port, state in states if state == _LISTENS}
    return sum(state == _ESTABLISHED and port in listening for port, state in states)
