"""What the processes of local sessions take of this machine."""

import time
from collections.abc import Mapping, Sequence

from simbuilder.scaffolding import machine
from simbuilder.scaffolding.process import Marked
from simbuilder.sessions.model import Usage

Servers = Mapping[tuple[str, str], Sequence[Marked]]
"""(session id, service) -> its processes."""

_SPAN_S = 1.0


def measure(servers: Servers) -> dict[str, dict[str, Usage]]:
    """Return session id -> service -> what it takes, having looked on for a second."""
    began = time.monotonic()
    before = {key: machine.processor_s(items) for key, items in servers.items()}
    time.sleep(_SPAN_S)
    span_s = time.monotonic() - began
    used: dict[str, dict[str, Usage]] = {}
    for (session_id, service), items in servers.items():
        # a process that ended meanwhile took its time with it
        spent_s = max(0.0, machine.processor_s(items) - before[session_id, service])
        usage = Usage(machine.resident(items), spent_s / span_s)
        used.setdefault(session_id, {})[service] = usage
    return used
