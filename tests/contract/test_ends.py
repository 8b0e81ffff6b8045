"""Who is connected to a session, and how its things are marked, by the seam's own account."""

import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from simbuilder.runtimes.docker.ends import served
from simbuilder.runtimes.local.ends import FILE
from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding.exceptions import RuntimeUnavailableError
from simbuilder.sessions.model import End
from tests.contract.test_runtime import Case, start

BOUND = "4711:1:00000000-0000-4000-8000-000000000000:1"


def test_things_are_marked_for_life_and_outlive_their_record(case: Case) -> None:
    plain = case.session()
    made = "2026-01-01T00:00:00.000+00:00"
    one = replace(case.session(), created_at=made, ttl_s=60, bound_to=BOUND)
    start(case, plain, ("nats",))
    start(case, one, ("nats",))
    expected = {one.id: End("2026-01-01T00:01:00.000+00:00", BOUND)}
    assert case.runtime.marks() == expected
    case.runtime.stop(one.id, ["nats"])
    extended = replace(one, expires_at="2099-01-01T00:00:00.000+00:00")
    start(case, extended, ("nats",))  # the same marks: nothing is made anew
    assert case.runtime.marks() == expected
    case.runtime.remove(one.id)
    assert case.runtime.marks() == {}


def test_nobody_is_connected_to_what_nobody_is_connected_to(case: Case) -> None:
    one = case.session()
    assert case.runtime.clients(one.id) == {}
    start(case, one, ("nats",))
    assert case.runtime.clients(one.id) == {"nats": 0}
    case.runtime.stop(one.id, ["nats"])
    assert case.runtime.clients(one.id) == {}


def test_clients_are_seen_and_so_is_that_they_left(real: Case) -> None:
    one, other = real.session(), real.session()
    start(real, one, ("nats",))
    start(real, other, ("nats",))
    place = ("127.0.0.1", one.port("nats.monitoring"))
    clients = [socket.create_connection(place, timeout=5) for _ in range(2)]
    try:
        assert real.runtime.clients(one.id) == {"nats": 2}
        assert real.runtime.clients(other.id) == {"nats": 0}
    finally:
        for client in clients:
            client.close()
    for _ in range(50):
        if real.runtime.clients(one.id) == {"nats": 0}:
            return
    pytest.fail("clients that left still count")


def test_memory_counts_whom_it_is_told_of() -> None:
    runtime = MemoryRuntime()
    runtime.silent = True
    for question in (lambda: runtime.clients("one"), runtime.marks):
        with pytest.raises(RuntimeUnavailableError):
            question()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"expires_at": "soon", "bound_to": ""}', "{}"])
def test_a_damaged_mark_of_local_data_says_nothing(tmp_path: Path, text: str) -> None:
    from simbuilder.runtimes.local import LocalRuntime

    one = "00000001-0000-4000-8000-000000000000"
    folder = tmp_path / "local" / one
    folder.mkdir(parents=True)
    (folder / FILE).write_text(text)
    assert LocalRuntime(tmp_path / "local", tmp_path).marks() == {}


@pytest.mark.parametrize("case", ["docker"], indirect=True)
def test_a_container_that_cannot_be_asked_may_have_clients(case: Case) -> None:
    one = case.session()
    start(case, one, ("nats",))
    name = f"{one.project}-nats-1"
    subprocess.run(["docker", "pause", name], check=True, capture_output=True)
    assert case.runtime.clients(one.id) == {"nats": None}
    subprocess.run(["docker", "unpause", name], check=True, capture_output=True)
    argv = ["docker", "exec", "--user=0", name, "sh", "-c", "rm -f $(which -a cat)"]
    subprocess.run(argv, check=True, capture_output=True)
    assert case.runtime.clients(one.id) == {"nats": None}


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
LISTENS = "   0: 00000000:107E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n"
CLIENT = "   1: 030012AC:107E 010012AC:A1B2 01 00000000:00000000 00:00000000 00000000     0\n"
GOING = "   2: 030012AC:107E 010012AC:A1B4 06 00000000:00000000 00:00000000 00000000     0\n"
OUTWARD = "   3: 030012AC:A1B6 010012AC:01BB 01 00000000:00000000 00:00000000 00000000     0\n"


@pytest.mark.parametrize(
    ("table", "number"),
    [
        (HEAD + LISTENS, 0),
        (HEAD + LISTENS + CLIENT + GOING + OUTWARD, 1),
        (HEAD + CLIENT + HEAD + LISTENS, 1),  # where IPv6 sockets serve IPv4 clients
        ("", None),
        (f"exec: cat: not found{os.linesep}", None),
    ],
)
def test_the_kernels_table_of_connections(table: str, number: int | None) -> None:
    assert served(table) == number
