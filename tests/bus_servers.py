"""NATS servers for tests that mistreat them: one, or a cluster of three, each a process of its own.

They listen on loopback only, keep their data over a death, and are ended whatever happens.
"""

import asyncio
import ctypes
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from simbuilder.bus.address import Address
from simbuilder.runtimes.local.tools import nats_server
from simbuilder.sessions.port_manager import bindable
from tests.support import PORT_RANGE

HOST, USER = "127.0.0.1", "tests"
READY_S = 20.0
_chance = random.Random()
_libc = ctypes.CDLL(None)


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens on now."""
    candidates = _chance.sample(range(*PORT_RANGE), PORT_RANGE[1] - PORT_RANGE[0])
    found = [port for port, _ in zip(filter(bindable, candidates), range(number), strict=False)]
    assert len(found) == number
    return found


def die_with_us() -> None:
    """Have the system kill this child when its parent is gone, however that ended."""
    _libc.prctl(1, signal.SIGKILL)


@dataclass
class Server:
    """A server that can die, be stopped, and start again with what it had stored."""

    folder: Path
    config: dict[str, Any]
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        return Address((f"nats://{HOST}:{self.port}",), USER, self.password)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self) -> None:
        """Start it; return once it answers."""
        self.launch()
        until = time.monotonic() + READY_S
        while not self.answers():
            self._check(until)
            time.sleep(0.02)

    async def back(self) -> None:
        """Start it again, and let others work meanwhile."""
        self.launch()
        until = time.monotonic() + READY_S
        while not self.answers():
            self._check(until)
            await asyncio.sleep(0.02)

    def launch(self) -> None:
        """Begin to start it; from the main thread, with which it would die otherwise."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "nats.conf"
        file.write_text(json.dumps(self.config))
        with (self.folder / "nats.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(nats_server()), "--config", str(file)],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_us,  # noqa: PLW1509 - it makes one call into the system
            )

    def _check(self, until: float) -> None:
        said = (self.folder / "nats.log").read_text()[-2000:]
        assert self.process is not None
        assert self.process.poll() is None, said
        assert time.monotonic() < until, said

    def answers(self) -> bool:
        """Say whether it greets whoever connects."""
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1) as found:
            return found.recv(4) == b"INFO"
        return False

    def kill(self) -> None:
        """Kill it at once, as a crash does; what it stored stays."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """Have it stand still, with all connections open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def _made(folder: Path, port: int, password: str, **more: Any) -> Server:
    config = {
        "server_name": folder.name,
        "listen": f"{HOST}:{port}",
        "jetstream": {"store_dir": str(folder / "store")},
        "authorization": {"user": USER, "password": password},
        **more,
    }
    return Server(folder, config, port, password)


@contextmanager
def one(folder: Path, **more: Any) -> Iterator[Server]:
    """Run one server for the block; `more` is added to its configuration."""
    server = _made(folder / "n1", free_ports(1)[0], secrets.token_hex(8), **more)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@dataclass
class Cluster:
    """Servers that know each other."""

    servers: list[Server]

    @property
    def address(self) -> Address:
        urls = tuple(url for server in self.servers for url in server.address.urls)
        return Address(urls, USER, self.servers[0].password)

    def answers(self) -> bool:
        """Say whether all of them do."""
        return all(server.answers() for server in self.servers)

    def named(self, name: str) -> Server:
        return next(server for server in self.servers if server.folder.name == name)


@contextmanager
def three(folder: Path) -> Iterator[Cluster]:
    """Run a cluster of three for the block."""
    ports, routes, password = free_ports(6), [], secrets.token_hex(8)
    routes = [f"nats://{USER}:{password}@{HOST}:{port}" for port in ports[3:]]
    with ExitStack() as stack:
        servers = []
        for number in range(3):
            routing = {
                "name": "tests",
                "listen": f"{HOST}:{ports[3 + number]}",
                "authorization": {"user": USER, "password": password},
                "routes": [route for other, route in enumerate(routes) if other != number],
                "no_advertise": True,
            }
            name = f"n{number + 1}"
            server = _made(folder / name, ports[number], password, cluster=routing)
            stack.callback(server.kill)
            servers.append(server)
        for server in servers:
            server.launch()
        cluster = Cluster(servers)
        until = time.monotonic() + READY_S
        while not cluster.answers():
            assert time.monotonic() < until
            time.sleep(0.02)
        yield cluster


# --- workers in processes of their own ------------------------------------------------------


@dataclass
class Effects:
    """What the handlers of all workers did: a line for each effect, written at one stroke."""

    file: Path

    def lines(self) -> list[tuple[str, int, int]]:
        """Return the event's id, the attempt and the process of each."""
        if not self.file.exists():
            return []
        words = [line.split(" ") for line in self.file.read_text().splitlines()]
        return [(id_, int(attempt), int(pid)) for id_, attempt, pid in words]

    def ids(self) -> list[str]:
        return [id_ for id_, _, _ in self.lines()]

    def count(self) -> int:
        """Return how many lines there are, quickly."""
        return self.file.read_bytes().count(b"\n") if self.file.exists() else 0


@dataclass
class Crew:
    """Worker processes that share a queue."""

    address: Address
    folder: Path
    options: dict[str, Any]
    effects: Effects
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: list[IO[bytes]] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)

    def start(self, number: int = 1) -> None:
        for _ in range(number):
            said = {
                "urls": self.address.urls,
                "effects": str(self.effects.file),
                **self.options,
            }
            log = (self.folder / f"worker-{len(self.logs)}.log").open("wb")
            self.logs.append(log)
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.bus_worker", json.dumps(said)],
                cwd=Path(__file__).parents[1],
                env=_environment(self.address),
                stdout=log,
                stderr=log,
                preexec_fn=die_with_us,  # noqa: PLW1509 - it makes one call into the system
            )
            self.running.append(child)

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """Kill a worker at once, as a crash does."""
        child.kill()
        child.wait()
        self.buried(child)

    def pause(self, child: subprocess.Popen[bytes]) -> None:
        """Have a worker stand still."""
        child.send_signal(signal.SIGSTOP)

    def resume(self, child: subprocess.Popen[bytes]) -> None:
        """Let it go on."""
        child.send_signal(signal.SIGCONT)

    def mentions(self, words: str) -> bool:
        """Say whether a worker has said that."""
        return words in self.said()

    def buried(self, child: subprocess.Popen[bytes]) -> None:
        """Note that a worker has died."""
        self.running.remove(child)
        self.killed.append(child.pid)

    def dead(self) -> Sequence[subprocess.Popen[bytes]]:
        """Return those that have died by themselves."""
        return [child for child in self.running if child.poll() is not None]

    def stop(self) -> None:
        """Ask all to stop, once they can hear it, and see that they end well."""
        for child in self.running:
            until = time.monotonic() + READY_S
            while f"{child.pid} is ready" not in self.said():
                assert child.poll() is None, self.said()
                assert time.monotonic() < until, self.said()
                time.sleep(0.02)
            child.terminate()
        for child in self.running:
            assert child.wait(READY_S) == 0, self.said()
        self.running.clear()

    def said(self) -> str:
        return "\n".join(
            file.read_text()[-3000:] for file in sorted(self.folder.glob("worker-*.log"))
        )

    def end(self) -> None:
        for child in self.running:
            child.kill()
            child.wait()
        for log in self.logs:
            log.close()


def _environment(address: Address) -> dict[str, str]:
    return {**os.environ, "TESTS_BUS_USER": address.user, "TESTS_BUS_PASSWORD": address.password}


@contextmanager
def crew(address: Address, folder: Path, number: int = 1, **options: Any) -> Iterator[Crew]:
    """Run so many worker processes for the block; `tests.bus_worker` says what they can be told."""
    made = Crew(address, folder, options, Effects(folder / "effects"))
    try:
        made.start(number)
        yield made
    finally:
        made.end()
