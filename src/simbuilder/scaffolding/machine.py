"""What this machine has, and what processes take of it."""

import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simbuilder.scaffolding.identity import boot_id
from simbuilder.scaffolding.process import Marked


def uptime() -> tuple[str, float]:
    """Return the id of this boot, and for how many seconds it has been: nobody sets that clock."""
    # asleep counts too; CLOCK_MONOTONIC stands still then
    return boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Memory:
    """The memory of this machine in bytes; `available` is what can be had without swapping."""

    available: int
    total: int


def memory() -> Memory:
    """Return how much memory this machine has, and has left."""
    import psutil

    now = psutil.virtual_memory()
    return Memory(now.available, now.total)


def resident(processes: Iterable[Marked]) -> int:
    """Return how many bytes of memory `processes` occupy; what they share counts for each."""
    import psutil

    total = 0
    for item in processes:
        with suppress(psutil.Error):  # ended meanwhile
            total += item.birth.memory_info().rss
    return total


def processor_s(processes: Iterable[Marked]) -> float:
    """Return how many seconds of processor time `processes` have had until now."""
    import psutil

    total = 0.0
    for item in processes:
        with suppress(psutil.Error):  # ended meanwhile
            times = item.birth.cpu_times()
            total += times.user + times.system
    return total


def sockets(processes: Iterable[Marked]) -> set[tuple[str, int]]:
    """Return the addresses and ports on which `processes` listen (TCP)."""
    import psutil

    found: set[tuple[str, int]] = set()
    for item in processes:
        with suppress(psutil.Error):  # ended meanwhile
            connections = psutil.Process(item.pid).net_connections(kind="tcp")
            listening = (c.laddr for c in connections if c.status == psutil.CONN_LISTEN)
            found |= {(address.ip, address.port) for address in listening}
    return found


def folders(processes: Iterable[Marked]) -> set[str]:
    """Return the folders in which `processes` work, whatever they are called by now.

    One that was deleted ends in ` (deleted)`, as Linux says it (proc(5)).
    """
    found: set[str] = set()
    for item in processes:
        with suppress(OSError):  # ended meanwhile
            found.add(str(Path(f"/proc/{item.pid}/cwd").readlink()))
    return found


_ESTABLISHED = "01"
_IPV4_IN_IPV6 = f"{0:016X}{int.from_bytes(bytes((0, 0, 255, 255)), sys.byteorder):08X}"
"""The first 12 bytes of ::ffff:127.0.0.1 as the kernel writes them: words in its byte order."""


def clients(host: str) -> Counter[int]:
    """Return port -> how many connections (TCP) lead to it at `host`, an IPv4 address.

    Those of which this machine has an end are seen (Linux, proc(5): /proc/net/tcp). The ports that
    clients on `host` have themselves are in it too.
    """
    address = f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}"
    connections = set()  # on loopback each is listed twice, once from either end
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError):  # a kernel without IPv6
            for row in table.read_text(encoding="ascii").splitlines()[1:]:
                _, local, remote, state, _ = row.split(maxsplit=4)
                if state == _ESTABLISHED:
                    ends = (end.removeprefix(_IPV4_IN_IPV6) for end in (local, remote))
                    connections.add(frozenset(ends))
    found = (end.partition(":") for ends in connections for end in ends)
    return Counter(int(port, 16) for where, _, port in found if where == address)


def variable_of(item: Marked, name: str) -> str:
    """Return a variable of a process's environment; empty if it has none, or has ended."""
    import psutil

    try:
        return str(item.birth.environ().get(name, ""))
    except psutil.Error:
        return ""
