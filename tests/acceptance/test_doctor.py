"""`simbuilder check --doctor`: each finding is made for real, and its command really mends it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simbuilder.cli.doctor import HANGS_S, held
from simbuilder.runtimes.local import tools
from simbuilder.scaffolding import process
from tests.acceptance.conftest import COMMAND, Answer, Cli
from tests.acceptance.docker import NATS, docker, docker_that
from tests.support import lacks

ROWS = [
    *("python", "engine", "compose", "java", "node", "nats-server", "azurite-package", "disk"),
    *("memory", "ports", "ephemeral", "networks", "locks", "orphans", "records"),
]
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
pytestmark = pytest.mark.timeout(200)


def examined(cli: Cli) -> Answer:
    began = time.monotonic()
    said = cli("check", "--doctor", "--json")
    assert time.monotonic() - began < 5
    bad = [row for row in said.data()["checks"] if not row["ok"]]
    assert said.status == (3 if bad else 0)
    hints = [p["hint"] for p in said.envelope()["problems"] if p["code"] == "doctor"]
    assert [row["mend"] or hint for row, hint in zip(bad, hints, strict=True)] == hints
    return said


def rows(said: Answer, name: str) -> list[Any]:
    return [row for row in said.data()["checks"] if row["name"] == name]


def failing(cli: Cli) -> Any:
    """The one row that is not ok."""
    (row,) = [row for row in examined(cli).data()["checks"] if not row["ok"]]
    return row


def shell(cli: Cli, line: str) -> Answer:
    env = cli.env | {"PATH": f"{Path(COMMAND).parent}:{cli.env['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=cli.folder, env=env, capture_output=True, text=True
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def mends(cli: Cli, row: Any) -> None:
    """Run the command a row gives: afterwards the doctor has nothing to say."""
    again = shell(cli, f"{{ {row['mend']}; }} >&2 && exec simbuilder check --doctor --json")
    assert again.status == 0, again.err
    assert all(found["ok"] for found in rows(again, row["name"])), again.out


def started(cli: Cli) -> str:
    assert cli("session", "create", "--start-containers", *NATS).status == 0
    return cli.variables()["SIMBUILDER_SESSION_ID"]


def test_a_healthy_machine_shows_every_row_and_is_left_as_it_was(cli: Cli) -> None:
    said = examined(cli)
    assert said.status == 0, said.out
    assert [row["name"] for row in said.data()["checks"]] == ROWS
    assert all(
        set(row) == {"name", "ok", "latency_ms", "detail", "mend"} for row in said.data()["checks"]
    )
    assert not cli.state.exists()


def test_advice_stands_beneath_its_row(cli: Cli) -> None:
    cli.env["SIMBUILDER_PORT_RANGE_END"] = "40000"
    said = cli("check", "--doctor")
    lines = said.out.splitlines()
    assert said.status == 0
    (number,) = [n for n, line in enumerate(lines) if line.startswith("note  ephemeral")]
    assert lines[number + 1].strip() == "mend: export SIMBUILDER_PORT_RANGE_END=32767"
    assert lines[number + 1].startswith("   ")


def test_a_session_and_the_doctor_exclude_each_other(cli: Cli) -> None:
    said = cli("check", "lab", "--doctor", "--json")
    assert said.status == 2
    assert said.envelope()["problems"][0]["code"] == "usage"
    assert "check --doctor" in said.envelope()["problems"][0]["hint"]


# --- records, orphans, locks ---------------------------------------------------------------


def test_a_server_that_was_killed(cli: Cli) -> None:
    session_id = started(cli)
    assert examined(cli).status == 0
    os.kill(cli.server("nats").pid, signal.SIGKILL)
    while cli.servers():
        time.sleep(0.01)
    row = failing(cli)
    assert row["name"] == "records"
    assert "nats (exit status 137)" in row["detail"]
    assert row["mend"] == f"simbuilder session start {session_id[:8]}"
    mends(cli, row)
    assert cli.server("nats")


def test_a_server_without_a_record(cli: Cli) -> None:
    session_id = started(cli)
    shutil.rmtree(cli.state / "sessions" / session_id)
    row = failing(cli)
    assert (row["name"], session_id[:8] in row["detail"]) == ("orphans", True)
    assert len(cli.servers()) > 0
    mends(cli, row)
    assert cli.servers() == []


@pytest.mark.parametrize("left", ["session.json", "removing"])
def test_a_record_that_can_only_be_removed(cli: Cli, left: str) -> None:
    session_id = started(cli)
    (cli.state / "sessions" / session_id / left).write_text("{")
    row = failing(cli)
    assert row["name"] == "records"
    assert row["mend"] == f"simbuilder session cleanup {session_id[:8]}"
    mends(cli, row)
    assert cli.servers() == []


def test_a_command_that_was_suspended_with_a_lock(cli: Cli) -> None:
    session_id = started(cli)
    folder = cli.state / "sessions" / session_id
    script = (
        "import fcntl, os, signal, sys; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX); "
        "os.kill(os.getpid(), signal.SIGSTOP)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(folder)])
    try:
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        row = failing(cli)
        assert row["name"] == "locks"
        assert f"pid {holder.pid}" in row["detail"]
        assert row["mend"] == f"kill -CONT {holder.pid}"
        shell(cli, row["mend"])
        assert holder.wait(10) == 0
    finally:
        holder.kill()
        holder.wait()
    assert examined(cli).status == 0


def test_only_an_old_holder_of_a_lock_is_taken_to_hang() -> None:
    holder = process.Holder(4711, "simbuilder session start", 1000.0, stopped=False)
    young, old = (held(holder, "session x", 1000.0 + HANGS_S + more) for more in (-1, 1))
    assert (young.ok, young.mend) == (True, "")
    assert (old.ok, old.mend) == (False, "kill 4711")


def test_what_a_command_is_working_on_is_left_to_it(cli: Cli) -> None:
    session_id = started(cli)
    os.kill(cli.server("nats").pid, signal.SIGKILL)
    while cli.servers():
        time.sleep(0.01)
    folder = cli.state / "sessions" / session_id
    with locked(folder) as pid:
        said = examined(cli)
        assert said.status == 0
        assert f"pid {pid}" in rows(said, "locks")[0]["detail"]
    assert examined(cli).status == 3


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    script = (
        "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX); "
        "print(flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout
        holder.stdout.readline()
        yield holder.pid


# --- room ----------------------------------------------------------------------------------


def test_a_range_without_a_free_block(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        start = somebody.getsockname()[1]
        cli.env["SIMBUILDER_PORT_RANGE_START"] = str(start)
        cli.env["SIMBUILDER_PORT_RANGE_END"] = str(start + 9)
        row = failing(cli)
        assert row["name"] == "ports"
        assert row["detail"].startswith("0 of 1 blocks")
        mends(cli, row)


def test_ports_of_stopped_sessions_are_not_free(cli: Cli) -> None:
    def free() -> int:
        return int(rows(examined(cli), "ports")[0]["detail"].split()[0])

    cli.env |= {"SIMBUILDER_PORT_RANGE_START": "22000", "SIMBUILDER_PORT_RANGE_END": "22029"}
    before = free()
    assert cli("session", "create", *NATS).status == 0
    assert free() == before - 1


def test_a_range_that_outgoing_connections_share(cli: Cli) -> None:
    cli.env |= {"SIMBUILDER_PORT_RANGE_START": "32000", "SIMBUILDER_PORT_RANGE_END": "33000"}
    (row,) = rows(examined(cli), "ephemeral")
    assert "32768-33000" in row["detail"]
    again = shell(cli, f"{row['mend']}; simbuilder check --doctor --json")
    assert rows(again, "ephemeral")[0]["mend"] == ""


def test_a_disk_that_a_session_has_filled(
    cli: Cli, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=1200m", "none", str(small)]
    if subprocess.run(argv, capture_output=True).returncode:
        lacks(request, "docker", "a small disk needs the right to mount one")
    try:
        cli.env["SIMBUILDER_STATE_DIR"] = str(small)
        assert cli("session", "create", *NATS).status == 0  # a small one, which is not the culprit
        session_id = started(cli)
        filled = small / "local" / session_id / "nats" / "filled"
        with filled.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 300 << 20)
        row = failing(cli)
        assert row["name"] == "disk"
        assert row["mend"] == f"simbuilder session cleanup {session_id[:8]}"
        mends(cli, row)
    finally:
        cli("session", "cleanup", "--all", "--yes")
        subprocess.run(["umount", "--lazy", str(small)], check=True)


def apart(cli: Cli, request: pytest.FixtureRequest, kind: str, first: str) -> Answer:
    """Run the doctor where something of the machine is different, for itself alone."""
    argv = ["unshare", kind, "sh", "-ec", f"{first}\nexec {COMMAND} check --doctor --json"]
    began = time.monotonic()
    done = subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, text=True)
    assert time.monotonic() - began < 5
    if "unshare" in done.stderr:
        lacks(request, "docker", "changing the machine for one command needs a namespace")
    return Answer(done.returncode, done.stdout, done.stderr)


def test_memory_for_less_than_one_more_session(
    cli: Cli, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    session_id = started(cli)
    meminfo = tmp_path / "meminfo"
    full = {"MemTotal": 8 << 20, "MemFree": 512, "MemAvailable": 1024, "Buffers": 0, "Cached": 0}
    meminfo.write_text("".join(f"{name}: {kib} kB\n" for name, kib in full.items()))
    said = apart(cli, request, "--mount", f"mount --bind {meminfo} /proc/meminfo")
    (row,) = rows(said, "memory")
    assert (said.status, row["ok"]) == (3, False), said.err
    assert f"{session_id[:8]} uses " in row["detail"]
    assert row["mend"] == f"simbuilder session stop {session_id[:8]}"
    mends(cli, row)
    assert cli.servers() == []


def test_java_that_hangs(cli: Cli, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    hanging = tmp_path / "java"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    said = apart(cli, request, "--mount", f"mount --bind {hanging} {tools.arcadedb()[0]}")
    (row,) = rows(said, "java")
    assert (said.status, row["ok"]) == (3, False), said.err
    assert "did not finish within 2 s" in row["detail"]


def test_a_route_where_sessions_have_their_networks(
    docked: Cli, request: pytest.FixtureRequest
) -> None:
    vpn = "ip link set lo up && ip route add 10.77.0.0/16 dev lo && ip route add 10.0.0.0/7 dev lo"
    said = apart(docked, request, "--net", vpn)
    _, row = rows(said, "networks")
    assert row["ok"]
    assert row["detail"].startswith("10.77.0.0/16 (lo)")


# --- engines -------------------------------------------------------------------------------


def test_no_engine_is_a_defect_only_where_sessions_need_it(docked: Cli) -> None:
    docked.env |= NOWHERE | {"SIMBUILDER_RUNTIME": "auto"}
    said = examined(docked)
    (row,) = rows(said, "engine")
    assert (said.status, row["ok"]) == (0, True)
    assert "sessions run as local processes" in row["detail"]
    assert row["mend"] == "docker context ls"  # nothing that is started here answers there
    docked.env["SIMBUILDER_RUNTIME"] = "docker"
    assert [row["name"] for row in examined(docked).data()["checks"] if not row["ok"]] == ["engine"]
    del docked.env["DOCKER_HOST"]
    assert examined(docked).status == 0


def test_an_engine_that_hangs(docked: Cli, tmp_path: Path) -> None:
    """The service manager is a stand-in: it takes away what makes the engine hang."""
    session_id = started(docked)
    hangs = tmp_path / "hangs"
    hangs.touch()
    docker_that(tmp_path, docked, f"[ ! -e {hangs} ] || exec sleep 60")
    manager = tmp_path / "bin" / "systemctl"
    manager.write_text(f'#!/bin/sh\n[ "$*" = "restart docker" ] && rm {hangs}\n')
    manager.chmod(0o755)
    try:
        said = examined(docked)
        assert said.status == 3
        for row in rows(said, "engine"):
            assert not row["ok"]
            assert "did not answer within 2 s" in row["detail"]
            assert row["mend"] == "systemctl restart docker"
        assert session_id[:8] in rows(said, "engine")[-1]["detail"]
        assert rows(said, "compose")[0]["mend"] == ""  # it is not missing
        assert rows(said, "orphans")[0]["ok"]
        mends(docked, rows(said, "engine")[0])
    finally:
        hangs.unlink(missing_ok=True)


def test_an_engine_that_answers_but_does_not_show_what_runs(docked: Cli, tmp_path: Path) -> None:
    started(docked)
    docker_that(tmp_path, docked, 'case "$*" in *"ps --all"*) exec sleep 67 ;; esac')
    try:
        said = examined(docked)
    finally:
        docked.env["PATH"] = os.environ["PATH"]
    assert [r["name"] for r in said.data()["checks"] if not r["ok"]] == ["orphans", "records"]
    assert subprocess.run(["pgrep", "-f", "^sleep 67"], capture_output=True).stdout == b""
    assert examined(docked).status == 0


def test_containers_are_measured_and_missed(docked: Cli) -> None:
    session_id = started(docked)
    # on a busy machine the engine may take longer to measure than the doctor waits
    details = (rows(examined(docked), "memory")[0]["detail"] for _ in range(20))
    measured = next(d for d in details if "could not be measured" not in d)
    assert f"{session_id[:8]} uses " in measured
    docker("kill", f"simbuilder-{session_id[:8]}-nats-1")
    row = failing(docked)
    assert "nats (exit status 137)" in row["detail"]
    mends(docked, row)
    shutil.rmtree(docked.state / "sessions" / session_id)
    row = failing(docked)
    assert row["name"] == "orphans"
    mends(docked, row)


def test_compose_that_is_too_old(docked: Cli, tmp_path: Path) -> None:
    docker_that(tmp_path, docked, '[ "$1" = compose ] && { echo 2.20.3; exit; }')
    row = failing(docked)
    assert row["name"] == "compose"
    assert row["detail"].startswith("Docker Compose 2.20.3 is too old")
    assert row["mend"] == "sudo apt-get install docker-compose-plugin"
    docked.env["PATH"] = os.environ["PATH"]
