"""What sessions take of a machine, by the seam's own account."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from simbuilder.runtimes.local import LocalRuntime
from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding import machine, process
from simbuilder.scaffolding.exceptions import RuntimeUnavailableError
from tests.contract.test_runtime import Case, start
from tests.support import session


def test_what_runs_takes_something_and_what_is_stopped_keeps_its_files(case: Case) -> None:
    one, other = case.session(), case.session()
    start(case, one, ("nats",))
    used = case.runtime.usage([one, other])
    assert set(used[one.id]) == {"nats"}
    assert used[one.id]["nats"].memory_bytes > 0
    assert used[one.id]["nats"].cpu >= 0
    assert used[one.id]["nats"].connections == 0
    assert not used.get(other.id)
    stored = case.runtime.stored([one, other])
    assert set(stored[one.id]) == {"nats"}
    assert not stored.get(other.id)

    case.runtime.stop(one.id, ["nats"])
    assert not case.runtime.usage([one]).get(one.id)
    assert set(case.runtime.stored([one])[one.id]) == {"nats"}
    case.runtime.remove(one.id)
    assert not case.runtime.stored([one]).get(one.id)


def test_clients_and_files_are_counted(real: Case) -> None:
    one, other = real.session(), real.session()
    start(real, one, ("nats",))
    start(real, other, ("nats",))
    place = ("127.0.0.1", one.port("nats.monitoring"))  # the other soon wants a password
    clients = [socket.create_connection(place, timeout=5) for _ in range(3)]
    try:
        used = real.runtime.usage([one, other])
        assert used[one.id]["nats"].connections == 3
        assert used[other.id]["nats"].connections == 0
        assert 1 << 20 < used[one.id]["nats"].memory_bytes < 1 << 30
    finally:
        for client in clients:
            client.close()


def test_where_nobody_answers_nothing_is_made_up() -> None:
    runtime = MemoryRuntime()
    runtime.silent = True
    with pytest.raises(RuntimeUnavailableError):
        runtime.usage([session()])


def test_a_busy_server_and_its_files_are_measured(tmp_path: Path) -> None:
    one = session(runtime="local")
    folder = tmp_path / one.id / "nats"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "messages").write_bytes(os.urandom(3_000_000))
    (folder / "data" / "elsewhere").symlink_to("/usr")
    runtime = LocalRuntime(tmp_path, tmp_path)
    mark = {process.MARK: process.mark_of(one.id, "nats", tmp_path)}
    argv = ["/bin/sh", "-c", "while :; do :; done"]
    server = process.spawn_server(argv, mark, folder, folder / "log", folder / "exit")
    try:
        assert 3_000_000 <= runtime.stored([one])[one.id]["nats"] < 4_000_000
        while runtime.observe([one.id])[one.id]["nats"].state != "running":
            time.sleep(0.01)
        assert 0.1 < runtime.usage([one])[one.id]["nats"].cpu < 1.2
        os.killpg(server.group, signal.SIGSTOP)
        assert runtime.usage([one])[one.id]["nats"].cpu < 0.1
    finally:
        os.killpg(server.group, signal.SIGKILL)
        while not server.ended():
            time.sleep(0.01)
    assert runtime.usage([one])[one.id] == {}


def test_connections_are_counted_once_whoever_listens_how() -> None:
    """On loopback both ends are here; a server for IPv6 has IPv4 clients in another table."""
    for family, where in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")):
        with socket.socket(family) as server:
            server.bind((where, 0))
            server.listen()
            port = server.getsockname()[1]
            assert machine.clients("127.0.0.1")[port] == 0
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5),
                socket.create_connection(("127.0.0.1", port), timeout=5),
            ):
                assert machine.clients("127.0.0.1")[port] == 2
                assert machine.clients("127.0.0.2")[port] == 0
