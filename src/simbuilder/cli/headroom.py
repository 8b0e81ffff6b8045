"""What `simbuilder check --doctor` says of the room this machine has left for sessions."""

import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding import machine
from simbuilder.scaffolding.environment import BLOCK_SIZE, DEFAULTS
from simbuilder.sessions.port_manager import PortRange, bindable
from simbuilder.sessions.result import Problem

if TYPE_CHECKING:
    from simbuilder.scaffolding.environment import CoreSettings
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.outputs import CheckData

LEAST_DISK = 1 << 30
"""Bytes: a session writes some hundred MB before it holds anything."""

SESSION_MEMORY = {"local": 310 << 20, "docker": 710 << 20}
"""What a session with all servers occupies, as measured, for where none runs."""

POOLS = 31
"""Networks that fit Docker's default address pools (15 of 172.16.0.0/12, 16 of 192.168.0.0/16)."""

_ROUTES = Path("/proc/net/route")
_BRIDGE = re.compile("docker0|br-[0-9a-f]{12}")


@dataclass(frozen=True)
class Finding:
    """One row of what was found: advice if it is `ok` and has a `mend`, the command to run.

    `hint` says what to do where no command does it.
    """

    name: str
    ok: bool
    detail: str
    mend: str = ""
    hint: str = ""
    latency_ms: float | None = None

    def row(self) -> "CheckData":
        """Return it as a row of `data.checks`."""
        return {
            "name": self.name,
            "ok": self.ok,
            "latency_ms": self.latency_ms,
            "detail": self.detail,
            "mend": self.mend,
        }

    def problem(self) -> Problem:
        """Return it as a problem."""
        return Problem("doctor", f"{self.name}: {self.detail}", self.mend or self.hint)


def disk(settings: "CoreSettings", sessions: Sequence["Session"]) -> list[Finding]:
    """Look at the disks of the state and the cache folder, which may not exist yet."""
    rows, free = [], []
    for what, folder in (("state", settings.state_dir), ("cache", settings.cache_dir)):
        place = next(p for p in (folder, *folder.parents) if p.exists())
        left = shutil.disk_usage(place).free
        free.append(f"{amount(left)} free for the {what} folder")
        if left < LEAST_DISK:
            sizes = {s.short: _size(settings.state_dir / "local" / s.id) for s in sessions}
            largest = max(sizes, key=lambda short: sizes[short], default="")
            ours = what == "state" and sizes.get(largest)
            mend = f"simbuilder session cleanup {largest}" if ours else f"df -h '{place}'"
            rows.append(Finding("disk", False, f"only {free[-1]} {folder}", mend))
    return rows or [Finding("disk", True, ", ".join(free))]


def _size(folder: Path) -> int:
    """Return how many bytes the files below a folder hold, whatever goes or comes meanwhile."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and p.exists())


def memory(used: Mapping[str, Mapping[str, int]], runtime: str) -> Finding:
    """Compare the memory that is left with what running sessions use.

    `used` is runtime -> session id -> bytes; `runtime` is where the next session would go.
    """
    now = machine.memory()
    each = max(used[runtime].values(), default=0) or SESSION_MEMORY[runtime]
    room = now.available // each
    running = {i: n for theirs in used.values() for i, n in theirs.items()}
    largest = max(running, key=lambda i: running[i], default="")
    detail = f"{amount(now.available)} of {amount(now.total)} available"
    if running:
        shown = ", ".join(f"{i[:8]} uses {amount(n)}" for i, n in sorted(running.items()))
        detail += f"; {shown}"
    detail += f"; room for about {room} more sessions of {amount(each)}"
    stop = f"simbuilder session stop {largest[:8]}" if largest else "ps aux --sort=-rss"
    return Finding("memory", room > 0, detail, "" if room else stop)


def ports(within: PortRange, taken: Iterable[int], sessions: Sequence["Session"]) -> Finding:
    """Count the blocks a new session could have; `taken` are the ports of all sessions."""
    unusable = {*taken, *within.reserved}
    free = [
        base
        for base in within.blocks()
        if unusable.isdisjoint(block := range(base, base + BLOCK_SIZE))
        and all(map(bindable, block))  # 0.15 s for the 1,000 blocks there are by default
    ]
    quiet = [
        base
        for base in free
        if base not in within.ephemeral and base + BLOCK_SIZE - 1 not in within.ephemeral
    ]
    detail = (
        f"{len(free)} of {len(within.blocks())} blocks in {within.start}-{within.end} are free, "
        f"{len(quiet)} of them out of reach of outgoing connections"
    )
    return Finding("ports", bool(free), detail, "" if free else _free_ports(within, sessions))


def _free_ports(within: PortRange, sessions: Sequence["Session"]) -> str:
    names = ("SIMBUILDER_PORT_RANGE_START", "SIMBUILDER_PORT_RANGE_END")
    start, end = (int(DEFAULTS[name]) for name in names)
    if (within.start, within.end) != (start, end):
        return f"export {names[0]}={start} {names[1]}={end}"
    return f"simbuilder session cleanup {sessions[0].short}" if sessions else "ss -ltnp"


def ephemeral(within: PortRange) -> Finding:
    """Compare the range of sessions with that of outgoing connections."""
    start, end, kernel = within.start, within.end, within.ephemeral
    low, high = max(start, kernel.start), min(end, kernel.stop - 1)
    if low > high:
        shown = f"{kernel.start}-{kernel.stop - 1}"
        return Finding("ephemeral", True, f"outgoing connections take {shown}, apart from ours")
    detail = f"outgoing connections may take {low}-{high} of {start}-{end}, which is used last"
    if start + BLOCK_SIZE <= kernel.start:
        mend = f"export SIMBUILDER_PORT_RANGE_END={kernel.start - 1}"
    else:
        mend = f'sudo sysctl -w net.ipv4.ip_local_port_range="{end + 1} 65535"'
    return Finding("ephemeral", True, detail, mend)


def networks(bridges: Mapping[str, str]) -> list[Finding]:
    """Look at an engine's bridge networks, network id -> session id, and at this machine's routes.

    Neither keeps sessions from starting, as a rule: their networks are small and of their own.
    """
    others = sum(not session_id for session_id in bridges.values())
    detail = (
        f"{len(bridges) - others} of sessions, in 10.0.0.0/8; "
        f"{others} of others, of whom Docker's default pools hold about {POOLS}"
    )
    mend = "" if others < POOLS else "docker network prune --force"
    rows = [Finding("networks", True, detail, mend)]
    for route in _routes():
        detail = f"{route} is a route of this machine, whose addresses sessions could take"
        rows.append(Finding("networks", True, detail, "simbuilder session create --runtime local"))
    return rows


def _routes() -> list[str]:
    """Return the routes within 10.0.0.0/8 (Linux) but for those to bridges of an engine."""
    import ipaddress

    if not _ROUTES.exists():
        return []
    found = []
    for line in _ROUTES.read_text(encoding="ascii").splitlines()[1:]:
        interface, destination, *_, mask = line.split()[:8]
        # hexadecimal, in the byte order of the machine
        start, bits = (int.from_bytes(bytes.fromhex(n), sys.byteorder) for n in (destination, mask))
        network = ipaddress.IPv4Network((start, bits.bit_count()))
        if not _BRIDGE.fullmatch(interface) and network.subnet_of(
            ipaddress.IPv4Network("10.0.0.0/8")
        ):
            found.append(f"{network} ({interface})")
    return found


def amount(size: int) -> str:
    """Return bytes as people read them."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size >> 20} MiB"
