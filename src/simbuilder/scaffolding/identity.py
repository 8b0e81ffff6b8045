"""What tells a process from all others that are or ever were."""

import errno
import os
from pathlib import Path


def of(pid: int | None = None) -> str:
    """Return the identity of a process, of this one if `pid` is left out.

    A line of text without blanks: pid, when it started (clock ticks since boot), which boot, and
    whose pids these are. Setting the clock changes none of it. Raises `ProcessLookupError`.
    """
    own = os.getpid() if pid is None else pid
    started = _started(own)
    if started is None:
        raise ProcessLookupError(errno.ESRCH, "no such process", str(own))
    return f"{own}:{started}:{boot_id()}:{pids_of()}"


def lives(identity: str) -> bool:
    """True unless the process with this `identity` has certainly ended; a zombie has.

    Nothing can be told of those in another container while the machine is up: they count as alive.
    So does what is not an identity: nobody may lose anything for it.
    """
    words = identity.split(":")
    if len(words) != 4 or not words[0].isdecimal():
        return True
    pid, started, boot, pids = words
    if boot != boot_id():
        return False
    return pids != pids_of() or _started(int(pid)) == started


def _started(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot; `None` if it is no more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): "4711 (name) S ...": the name can hold anything, the state is field 3, the time 22
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[19]


def boot_id() -> str:
    """Return the id of the current boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def pids_of() -> str:
    """Return the number of our pid namespace: pids of another container mean other processes."""
    return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
