"""Servers that are killed, frozen or replaced by something else; engines that do not answer."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from simbuilder.scaffolding import process
from tests.acceptance.conftest import Cli
from tests.acceptance.docker import docker
from tests.acceptance.engine_door import door
from tests.chaos.conftest import Amount
from tests.chaos.world import World

pytestmark = pytest.mark.timeout(3600)

START = "--start-containers"
GRABBER = """
import json, pathlib, socket, sys, time
held, state = [], pathlib.Path(sys.argv[1])
mine = set(map(int, sys.argv[2:]))
end = time.monotonic() + 30
while time.monotonic() < end and len(held) < 12:
    for path in state.glob("sessions/*/session.json"):
        try:
            ports = json.loads(path.read_text())["ports"]
        except (OSError, ValueError):
            continue
        port = ports["nats.client"]
        if port not in mine:
            mine.add(port)
            grabbed = socket.socket()
            grabbed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                grabbed.bind(("127.0.0.1", port))
                grabbed.listen()
                held.append(grabbed)
            except OSError:
                pass
print("grabbed", len(held), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_local_servers_struck(
    cli: Cli, sign: signal.Signals, rng: random.Random, amount: Amount
) -> None:
    world = World(cli, "local", f"server struck by {sign.name}")
    for _ in amount.turns(range(1000), 2):
        one = world.create(START)
        struck = [i for i in process.marked() if i.mark.startswith(one)]
        leader = rng.random() < 0.3 and sign is not signal.SIGSTOP
        for item in struck:
            if leader or item.pid != item.group:
                os.kill(item.pid, sign)
        world.judge.fault()
        said = world.run("session", "status", one, "--json")
        # without the shell that writes it down nobody knows how a server ended, as after a reboot
        statuses = (0, 3) if leader else (3,)
        truth = "degraded" if sign is signal.SIGSTOP else "stopped"
        state = said.data()["session"]["state"]
        world.judge.expect("lies", said.status in statuses and state == truth, said.out)
        if sign is signal.SIGSTOP:  # it cannot be told to stop, and it cannot be waited for
            said = world.run("session", "start", one, "--timeout", "1", "--json")
            world.judge.expect("lies", said.status == 3, said.out)
            for item in struck:
                with suppress(ProcessLookupError):
                    os.kill(item.pid, signal.SIGKILL)
        world.victim_kept()
        world.cleaned()
    world.kept()


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00\xff" * 3000])
def test_local_garbage(cli: Cli, words: bytes, amount: Amount) -> None:
    """Somebody else listens on the port of a server that has died, and talks nonsense."""
    world = World(cli, "local", "garbage on a server's port")
    for _ in amount.turns(range(1000), 1):
        one = world.create(START)
        port = int(cli.variables()["NATS_PORT"])
        os.kill(cli_server(world, one), signal.SIGKILL)
        with talker(port, words) as answered:
            world.judge.fault()
            said = world.run("session", "status", one, "--json")
            world.judge.expect("lies", said.status == 3, said.out)
            world.victim_kept()
            moved = int(cli.variables()["NATS_PORT"])
            world.judge.expect("collisions", moved != port, moved)
            with socket.create_connection(("127.0.0.1", port), 5) as asking:
                asking.recv(1)
            world.judge.expect("foreign", bool(answered), "the stranger's port was taken over")
        world.cleaned()
    world.kept()


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_ports_grabbed_in_a_loop(
    request: pytest.FixtureRequest, runtime: str, amount: Amount
) -> None:
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    world = World(cli, runtime, "ports grabbed before the start")
    grabbed = 0
    for _ in amount.turns(range(1000), 2):
        known = [str(p) for p in world.ledger()[world.bystander].values()]
        argv = [sys.executable, "-c", GRABBER, str(cli.state), *known]
        grabber = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(0.3)
            said = world.run("session", "create", START, "--services", "nats", "--json")
            world.judge.fault()
            world.judge.expect("lies", said.status in (0, 3), said.out)
            grabbed += len(listening(grabber.pid))
            if said.status == 3:
                problem = said.envelope()["problems"][0]
                world.judge.expect("lies", "port is taken" in problem["message"], problem)
            world.sessions()
            world.judge.expect("foreign", grabber.poll() is None, "the grabber is gone")
        finally:
            grabber.kill()
            grabber.communicate()
        world.cleaned()
    world.kept()
    assert grabbed, "the grabber was always too late"


def listening(pid: int) -> list[int]:
    connections = psutil.Process(pid).net_connections(kind="tcp")
    return [c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN]


DOCKER_ACTS: dict[str, Callable[[str], str]] = {
    "kill": lambda name: docker("kill", name),
    "pause": lambda name: docker("pause", name),
    "stop": lambda name: docker("stop", "--time=0", name),
    "rm": lambda name: docker("rm", "--force", name),
}


def test_docker_containers_struck(docked: Cli, rng: random.Random, amount: Amount) -> None:
    world = World(docked, "docker", "container killed, paused, stopped, removed")
    for act in amount.turns(list(DOCKER_ACTS) * 100, 4):
        one = world.create(START)
        DOCKER_ACTS[act](f"simbuilder-{one[:8]}-nats-1")
        world.judge.fault()
        said = world.run("session", "list", "--json").data()["sessions"]
        state = next(s["state"] for s in said if s["id"] == one)
        expected = "degraded" if act == "pause" else "stopped"
        world.judge.expect("lies", state == expected, (act, state))
        world.victim_kept()
        world.cleaned()
    world.kept()


@pytest.mark.parametrize("act", ["create", "start", "stop", "cleanup"])
def test_docker_engine_silent_in_the_middle(
    docked: Cli, tmp_path: Path, act: str, rng: random.Random, amount: Amount
) -> None:
    """The engine stops answering at any moment of a command, and comes back later."""
    world = World(docked, "docker", f"engine silent in {act}")
    with door(tmp_path) as engine:
        docked.env["DOCKER_HOST"] = engine.url
        for _ in amount.turns(range(1000), 1):
            if act != "create":
                world.create(START)
            if act == "start":
                assert world.run("session", "stop").status == 0
            options = (START, "--services", "nats") if act == "create" else ()
            running = docked.popen("session", act, *options, "--json")
            time.sleep(rng.uniform(0.1, 1.5))
            engine.shut()
            out, err = running.communicate(timeout=150)
            engine.open()
            world.settle()  # it may just be finishing what it was told
            world.judge.fault()
            world.judge.expect("tracebacks", "Traceback" not in err, err)
            world.judge.expect("lies", running.returncode in (0, 1, 3), (out, err))
            world.sessions()
            if act in ("start", "stop"):
                world.victim_kept()
            world.cleaned()
    world.kept()


def cli_server(world: World, one: str) -> int:
    found = [i.pid for i in process.marked() if i.mark.startswith(one) and i.pid != i.group]
    assert len(found) == 1
    return found[0]


@contextmanager
def talker(port: int, words: bytes) -> Iterator[list[bool]]:
    """Listen on a port and say something to whoever connects."""
    answered: list[bool] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deadline = time.monotonic() + 5
        while True:
            try:
                listener.bind(("127.0.0.1", port))
                break
            except OSError:  # the dead server's socket may take a moment to go
                assert time.monotonic() < deadline
                time.sleep(0.02)
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    answered.append(True)
                    with client, suppress(OSError):
                        client.sendall(words)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield answered
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
