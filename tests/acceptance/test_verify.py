"""`session verify`: isolation shown by real servers, and breaches made on purpose."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance import clients
from tests.acceptance.conftest import Answer, Cli
from tests.acceptance.docker import docker, neighbour
from tests.support import mend

pytestmark = pytest.mark.timeout(300)

START = ("session", "create", "--start-containers")
PROOFS = ["canaries", "neighbours", "credentials", "loopback", "advertised", "ports", "storage"]


def outcomes(said: Answer, name: str) -> dict[str, str]:
    """Return what is not ok with a session."""
    (session,) = [s for s in said.data()["sessions"] if s["name"] == name]
    assert [p["proof"] for p in session["proofs"]] == [*PROOFS, "env files"]
    return {p["proof"]: p["outcome"] for p in session["proofs"] if p["outcome"] != "ok"}


def record(cli: Cli) -> Path:
    return cli.state / "sessions" / cli.variables()["SIMBUILDER_SESSION_ID"] / "session.json"


@pytest.fixture
def two(cli: Cli) -> tuple[Cli, Cli]:
    """Two running sessions, `a` and `b`."""
    other = neighbour(cli, "other")
    assert cli(*START, "--name", "a").status == 0
    assert other(*START, "--name", "b").status == 0
    return cli, other


def test_isolated_sessions_are_proved_so_and_nothing_is_left(two: tuple[Cli, Cli]) -> None:
    cli, _ = two
    clients.graph_write(cli.variables(), "mine")
    said = cli("session", "verify", "--all", "--json")
    assert said.status == 0, said.out
    assert (outcomes(said, "a"), outcomes(said, "b")) == ({}, {})
    assert said.envelope()["problems"] == []
    text = cli("session", "verify", "a")
    assert text.status == 0
    assert "CANARIES" in text.out
    assert "BREACH" not in text.out
    for one in two:
        assert clients.bus_streams(one.variables()) == []
        assert clients.blob_containers(one.variables()) == []
        assert clients.graph_labels(one.variables()) <= {"Canary", "SimBuilderCanary"}
    assert clients.graph_read(cli.variables()) == {"mine"}
    secrets = json.loads(record(cli).read_text())["secrets"].values()
    assert not any(secret in said.out + text.out + text.err for secret in secrets)


def test_two_sessions_that_share_their_servers(two: tuple[Cli, Cli]) -> None:
    cli, other = two
    first, second = (json.loads(record(one).read_text()) for one in two)
    mend(record(other), ports=first["ports"], secrets=first["secrets"])
    said = cli("session", "verify", "--all", "--json")
    assert said.status == 3
    for name in ("a", "b"):
        found = outcomes(said, name)
        assert (found["neighbours"], found["credentials"], found["ports"]) == ("breach",) * 3
    problems = [p["message"] for p in said.envelope()["problems"]]
    said_of_b = [problem for problem in problems if problem.startswith("session b: neighbours")]
    assert "a node of session a is in neo4j of b" in said_of_b[0]
    shown = cli("session", "verify", "a")
    assert shown.status == 3
    assert "BREACH" in shown.out
    assert "error: session a: neighbours: " in shown.err
    mend_back = {"ports": second["ports"], "secrets": second["secrets"]}
    other_record = record(other)
    other_record.write_text(json.dumps(json.loads(other_record.read_text()) | mend_back))
    assert other("session", "start").status == 0
    assert cli("session", "verify", "--all").status == 0


def test_one_server_shared_is_enough(two: tuple[Cli, Cli]) -> None:
    """Only the message broker of b is a's; everything else is b's own."""
    cli, other = two
    first, second = (json.loads(record(one).read_text()) for one in two)
    ports = {
        k: first["ports"][k] if k.startswith("nats") else p for k, p in second["ports"].items()
    }
    mend(record(other), ports=ports, secrets=second["secrets"] | {"nats": first["secrets"]["nats"]})
    said = cli("session", "verify", "a", "--json")
    assert said.status == 3
    assert outcomes(said, "a")["neighbours"] == "breach"
    said = cli("session", "verify", "--all", "--json")
    found = outcomes(said, "b")
    assert found["neighbours"] == "breach"
    assert "canaries" not in found


def test_files_that_leak(two: tuple[Cli, Cli]) -> None:
    cli, other = two
    env_file = cli.folder / ".env.session"
    env_file.chmod(0o644)
    assert outcomes(cli("session", "verify", "a", "--json"), "a") == {"env files": "breach"}
    env_file.chmod(0o600)
    kept = (other.folder / ".env.session").read_text()
    (other.folder / ".env.session").write_text(env_file.read_text())
    said = cli("session", "verify", "a", "--json")
    assert outcomes(said, "a") == {"env files": "breach"}
    assert "is a copy of its env file" in said.envelope()["problems"][0]["message"]
    (other.folder / ".env.session").write_text(kept)
    env_file.write_text(env_file.read_text() + "MORE=1\n")
    assert outcomes(cli("session", "verify", "a", "--json"), "a") == {"env files": "breach"}


def test_a_server_that_does_not_answer_proves_nothing(two: tuple[Cli, Cli]) -> None:
    cli, _ = two
    frozen = [p for p in cli.servers() if f"{record(cli).parent.name}:nats:" in mark(p)]
    for server in frozen:
        os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    said = cli("session", "verify", "a", "--json")
    assert said.status == 3
    assert time.monotonic() - began < 45
    assert outcomes(said, "a")["canaries"] == "unproved"
    for server in frozen:
        os.kill(server.pid, signal.SIGCONT)
    assert cli("session", "stop", "a").status == 0
    said = cli("session", "verify", "a", "--json")
    assert said.status == 0
    assert set(outcomes(said, "a").values()) == {"none"}


def test_a_proof_that_was_killed_is_cleaned_up_by_the_next(two: tuple[Cli, Cli]) -> None:
    cli, _ = two
    for _ in range(8):
        running = cli.popen("session", "verify", "a")
        assert running.stderr is not None
        while "look for" not in (line := running.stderr.readline()):
            assert line, "it ended too soon"
        running.kill()
        running.communicate()
        if clients.bus_streams(cli.variables()):
            break
    else:
        pytest.fail("never killed at the right moment")
    assert cli("session", "verify", "a").status == 0
    assert clients.bus_streams(cli.variables()) == []


def test_what_cannot_be_verified(cli: Cli) -> None:
    said = cli("session", "verify", "--all", "--json")
    assert (said.status, said.data()) == (0, {"sessions": []})
    assert cli("session", "verify").status == 4
    assert cli("session", "verify", "nobody").status == 4
    assert cli("session", "verify", "--all", "x").status == 2


def test_docker_and_local_side_by_side(docked: Cli) -> None:
    other, third = neighbour(docked, "other"), neighbour(docked, "third")
    third.env = docked.env | {"SIMBUILDER_RUNTIME": "local"}
    for cli, name in ((docked, "a"), (other, "b"), (third, "c")):
        assert cli(*START, "--name", name).status == 0
    said = docked("session", "verify", "--all", "--json")
    assert said.status == 0, said.out
    assert [outcomes(said, name) for name in ("a", "b", "c")] == [{}, {}, {}]

    ids = [cli.variables()["SIMBUILDER_SESSION_SHORT"] for cli in (docked, other)]
    docker("network", "connect", f"simbuilder-{ids[0]}_default", f"simbuilder-{ids[1]}-nats-1")
    said = docked("session", "verify", "--all", "--json")
    assert outcomes(said, "a") == outcomes(said, "b") == {"storage": "breach"}
    docker("network", "disconnect", f"simbuilder-{ids[0]}_default", f"simbuilder-{ids[1]}-nats-1")
    assert docked("session", "verify", "--all").status == 0


def mark(server: psutil.Process) -> Any:
    return server.environ()["SIMBUILDER_SERVER"]
