"""When local sessions shall go, by a file beside their data; and which have clients then."""

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from simbuilder.scaffolding import identity, machine
from simbuilder.scaffolding.files import make_private_folder, read_private, write_atomic
from simbuilder.scaffolding.process import Marked
from simbuilder.sessions import catalog
from simbuilder.sessions.model import End, Session, is_moment

FILE = "ends.json"


def write(folder: Path, session: Session) -> None:
    """Mark a session's folder, if the session has an end: that outlives a lost record."""
    if session.mark != End():
        make_private_folder(folder)
        facts = {"expires_at": session.mark.expires_at, "bound_to": session.mark.bound_to}
        facts["started_in"] = _here()
        write_atomic(folder / FILE, json.dumps(facts))


def read(folders: Iterable[Path]) -> dict[str, End]:
    """Return session id -> when it shall go, where a mark says so; a damaged one is none."""
    found = {}
    for folder in folders:
        with suppress(OSError, ValueError, LookupError, TypeError):
            facts = json.loads(read_private(folder / FILE))
            expires_at = facts["expires_at"]
            if not expires_at or is_moment(expires_at):
                found[folder.name] = End(expires_at, str(facts["bound_to"]))
    return found


def elsewhere(folder: Path) -> bool:
    """True if a session was started in another container, whose processes we do not see."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        boot, _, pids = json.loads(read_private(folder / FILE))["started_in"].partition(":")
        return bool(boot == identity.boot_id() and pids != identity.pids_of())
    return False


def _here() -> str:
    return f"{identity.boot_id()}:{identity.pids_of()}"


def clients(servers: Iterable[tuple[str, Marked]]) -> dict[str, int | None]:
    """Return service -> connections to where its processes listen, as the kernel counts them."""
    listening: dict[str, set[int]] = {}
    for service, item in servers:
        ports = listening.setdefault(service, set())
        ports |= {port for _, port in machine.sockets([item])}
    counts = machine.clients(catalog.HOST)
    return {service: sum(counts[port] for port in ports) for service, ports in listening.items()}
