"""Ports: a pure allocator, and the ledger that remembers who has which.

Nobody's probe-then-use is free of races. What holds is: reserve and record under one lock, then let
the server's own bind be the arbiter, and replace a port that turns out to be taken.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simbuilder.scaffolding.environment import BLOCK_SIZE
from simbuilder.scaffolding.exceptions import NewerStateError, PortsExhaustedError
from simbuilder.scaffolding.files import folder_lock, read_private, write_atomic
from simbuilder.sessions import catalog
from simbuilder.sessions.result import Event, EventSink

LEDGER_VERSION = 1
LEDGER_FILE = "ports.json"
LOCK_TIMEOUT_S = 30.0

Ports = Mapping[str, int]


@dataclass(frozen=True)
class PortRange:
    """The ports sessions may use, both ends included.

    `ephemeral` are the ports the kernel hands to outgoing connections; `reserved` are ports an
    administrator keeps for somebody else.
    """

    start: int
    end: int
    ephemeral: range = range(0)
    reserved: frozenset[int] = frozenset()

    def blocks(self) -> list[int]:
        """Return the first port of every block, those outside the ephemeral range first.

        An outgoing connection can hold a port of the ephemeral range at any moment, so those blocks
        are the last resort.
        """
        bases = range(self.start, self.end - BLOCK_SIZE + 2, BLOCK_SIZE)
        return sorted(bases, key=self._is_ephemeral)

    def _is_ephemeral(self, base: int) -> bool:
        return base in self.ephemeral or base + BLOCK_SIZE - 1 in self.ephemeral


def allocate(ports: PortRange, taken: Iterable[int], busy: Callable[[int], bool]) -> int:
    """Return the first port of the first block that is wholly free.

    Raises `PortsExhaustedError` if there is none.
    """
    unusable = frozenset(taken) | ports.reserved
    for base in ports.blocks():
        block = range(base, base + BLOCK_SIZE)
        if unusable.isdisjoint(block) and not any(busy(port) for port in block):
            return base
    raise PortsExhaustedError(
        f"no block of {BLOCK_SIZE} free ports is left in {ports.start}-{ports.end}",
        "remove a session ('simbuilder session list'), or widen SIMBUILDER_PORT_RANGE_START/_END",
    )


def bindable(port: int) -> bool:
    """True if a server could listen on the port right now.

    `SO_REUSEADDR` because servers set it too: a connection in TIME_WAIT does not stop them.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((catalog.HOST, port))
            probe.listen(1)  # with SO_REUSEADDR the conflict may only show here
        except OSError:
            return False
    return True


def system_range(start: int, end: int) -> PortRange:
    """Return the range with what this machine says of it (Linux; elsewhere IANA's 49152)."""
    folder = Path("/proc/sys/net/ipv4")
    try:
        low, high = (int(n) for n in (folder / "ip_local_port_range").read_text().split())
        reserved = _parse_ranges((folder / "ip_local_reserved_ports").read_text().strip())
    except FileNotFoundError:  # not Linux
        return PortRange(start, end, range(49152, 65536))
    return PortRange(start, end, range(low, high + 1), reserved)


def _parse_ranges(text: str) -> frozenset[int]:
    ports: set[int] = set()
    for part in filter(None, text.split(",")):
        low, _, high = part.partition("-")
        ports.update(range(int(low), int(high or low) + 1))
    return frozenset(ports)


class PortManager:
    """The ledger of ports by session, one JSON file per user, changed only under its lock.

    The ledger is a cache of the records: what a crash left in it without a record is dropped, and
    when it cannot be read it is kept aside and written anew from the records. `records` returns the
    ports of every recorded session, `None` for a record that cannot be read: its ports stay taken.
    Reading one of a newer version raises `NewerStateError`.
    """

    def __init__(
        self,
        root: Path,
        ports: PortRange,
        records: Callable[[], Mapping[str, Ports | None]],
        emit: EventSink,
        busy: Callable[[int], bool] = lambda port: not bindable(port),
    ) -> None:
        self._root = root
        self._range = ports
        self._records = records
        self._emit = emit
        self._busy = busy

    @contextmanager
    def transaction(self, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """Hold the ledger lock; reserve, replace and release want it held. Milliseconds, please."""
        with folder_lock(self._root, timeout_s, "the port ledger"):
            yield

    def reserve(self, session_id: str) -> dict[str, int]:
        """Reserve a block for the session and return its ports by `service.endpoint`."""
        ledger = self._load()
        base = allocate(self._range, _ports_of(ledger), self._busy)
        ports = {key: base + offset for key, offset in catalog.endpoint_keys().items()}
        self._save(ledger | {session_id: ports})
        return ports

    def replace(
        self, session_id: str, current: Ports, keys: Iterable[str], avoid: Iterable[int] = ()
    ) -> dict[str, int]:
        """Give the session other ports for `keys`, none of `avoid`, and return all its ports.

        A new port keeps its place in a block, so that the last digit still tells what it is for.
        """
        tried = set(avoid)
        ledger = self._load()
        ports = dict(current)
        for key in keys:
            unusable = _ports_of(ledger) | set(ports.values()) | {current[key]} | tried
            base = allocate(self._range, unusable, self._busy)
            ports[key] = base + catalog.endpoint_keys()[key]
        self._save(ledger | {session_id: ports})
        return ports

    def release(self, session_id: str) -> None:
        """Forget the session's ports; the ledger goes with the last of them."""
        ledger = self._load()
        ledger.pop(session_id, None)
        self._save(ledger)

    def prune(self) -> None:
        """Drop reservations that no record stands behind."""
        found = self._read()
        if (ledger := self._merged(found)) != found:
            self._save(ledger)

    def stale(self) -> bool:
        """True if `prune` has something to do, as far as can be seen without the lock."""
        try:
            found = self.reserved()
        except NewerStateError:
            return False
        except ValueError:
            return True
        return self._merged(found) != found

    def reserved(self) -> Mapping[str, Ports]:
        """Return what the ledger says now, by session id; the lock need not be held.

        Raises `NewerStateError`, and `ValueError` that says why it cannot be read.
        """
        path = self._root / LEDGER_FILE
        try:
            return _parse(read_private(path))
        except FileNotFoundError:
            return {}
        except NewerLedgerError as error:
            raise NewerStateError(
                f"the port ledger {path} {error}", "use the version of SimBuilder that wrote it"
            ) from None

    def _load(self) -> dict[str, Ports]:
        return self._merged(self._read())

    def _merged(self, found: Mapping[str, Ports]) -> dict[str, Ports]:
        records = self._records()
        kept = {key: ports for key, ports in found.items() if key in records}
        return kept | {key: ports for key, ports in records.items() if ports is not None}

    def _read(self) -> Mapping[str, Ports]:
        """Return what the ledger says; one that cannot be read is moved aside (lock held)."""
        try:
            return self.reserved()
        except ValueError as reason:
            path = self._root / LEDGER_FILE
            aside = path.with_name(f"{LEDGER_FILE}.unreadable-{time.time_ns()}")
            path.rename(aside)
            message = f"{path} {reason}; kept as {aside.name} and written anew from the records"
            self._emit(Event("warning", "ports", message))
            return {}

    def _save(self, ledger: Mapping[str, Ports]) -> None:
        path = self._root / LEDGER_FILE
        if ledger:
            data = {"version": LEDGER_VERSION, "sessions": {k: dict(v) for k, v in ledger.items()}}
            write_atomic(path, json.dumps(data, indent=1) + "\n")
        else:
            path.unlink(missing_ok=True)


class NewerLedgerError(ValueError):
    """The ledger was written by a newer version of SimBuilder."""


def _ports_of(ledger: Mapping[str, Ports]) -> set[int]:
    return {port for ports in ledger.values() for port in ports.values()}


def _parse(text: str) -> dict[str, Ports]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is int and version > LEDGER_VERSION:
        raise NewerLedgerError(f"has version {version}; this SimBuilder knows {LEDGER_VERSION}")
    if version != LEDGER_VERSION:
        raise ValueError(f"is not a ledger of version {LEDGER_VERSION}")
    sessions = data.get("sessions")
    if not isinstance(sessions, dict):
        raise ValueError("has no valid 'sessions'")
    for ports in sessions.values():
        if not isinstance(ports, dict) or not all(type(p) is int for p in ports.values()):
            raise ValueError("has no valid 'sessions'")
    return sessions
