"""What Docker says, and what we make of it. The texts are those of real engines and clients."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from simbuilder.runtimes import logs
from simbuilder.runtimes.docker import engine, labels
from simbuilder.runtimes.docker.engine import Engine, explain_pull, ports_taken
from simbuilder.runtimes.docker.project import COMPOSE_FILE
from simbuilder.scaffolding.environment import CONTAINERS
from simbuilder.scaffolding.exceptions import ComposeMissingError
from simbuilder.sessions import envfile
from tests.support import session

ROOT = Path(__file__).parents[2]
TAKEN = (
    "Error response from daemon: driver failed programming external connectivity on endpoint "
    "simbuilder-aaaaaaaa-nats-1 (c167580aa17b09d0bb463405): "
)


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
         "engine-unreachable", "start Docker"),
        ("failed to connect to the docker API at unix:///x; check if the path is correct",
         "engine-unreachable", "--runtime local"),
        ("error during connect: Get http://h:1/v1.41/containers/json: EOF",
         "engine-unreachable", "--runtime local"),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///x",
         "engine-permission", "group docker"),
        ("docker: 'compose' is not a docker command.\nSee 'docker --help'",
         "compose-missing", "docker-compose-plugin"),
        ('context "nosuch": context not found: open meta.json: no such file or directory',
         "engine-unreachable", "docker context ls"),
        ("Error response from daemon: Pool overlaps with other one on this address space",
         "address-pool", "docker network prune"),
        ("Error response from daemon: could not find an available, non-overlapping IPv4 address",
         "address-pool", "prune"),
        ("Error response from daemon: all predefined address pools have been fully subnetted",
         "address-pool", "prune"),
        ("Error response from daemon: mkdir /var/lib/docker/x: no space left on device",
         "disk-full", "docker system df"),
        ("Error response from daemon: something nobody has seen", "engine", ""),
        ('Error response from daemon: Get "http://r/v2/": dial tcp: connection refused',
         "engine", ""),
        (" Volume v Error error during connect: failed\nError response from daemon: Pool overlaps",
         "address-pool", "prune"),
        ("", "engine", ""),
    ],
)  # fmt: skip
def test_refusals_are_told_apart_and_say_what_to_do(text: str, code: str, word: str) -> None:
    explained = Engine().explain(text)
    assert explained.code == code
    assert word in explained.hint


def test_a_registry_out_of_reach_is_not_a_missing_image() -> None:
    lookup = "Error response from daemon: dial tcp: lookup registry: no such host"
    unknown = "Error response from daemon: manifest for neo4j:9 not found: manifest unknown"
    far = explain_pull("mirror/graph:5", lookup, ["NEO4J_IMAGE", "NATS_IMAGE"])
    assert "could not be pulled" in far.message
    assert "NEO4J_IMAGE, NATS_IMAGE" in far.hint
    wrong = explain_pull("neo4j:9", unknown, ["NEO4J_IMAGE", "NATS_IMAGE"])
    assert "does not exist" in wrong.message
    assert "NATS_IMAGE" not in wrong.hint
    for error in (far, wrong):
        assert "NEO4J_IMAGE" in error.hint
        assert "--runtime local" in error.hint


@pytest.mark.parametrize(
    "end",
    [
        "Error starting userland proxy: listen tcp4 127.0.0.1:33002: bind: address already in use",
        "Bind for 127.0.0.1:33002 failed: port is already allocated",
        "failed to bind host port for 127.0.0.1:33002:172.18.0.2:4222/tcp: address already in use",
    ],
)
def test_the_port_that_is_taken_is_found(end: str) -> None:
    assert 33002 in ports_taken(TAKEN + end)
    assert ports_taken("Bind for 127.0.0.1:33002 is fine") == set()


@pytest.mark.parametrize(("version", "good"), [("2.23.0", False), ("2.23.1", True), ("v5.6", True)])
def test_compose_can_be_too_old(version: str, good: bool) -> None:
    if good:
        engine._check_compose(version)
    else:
        with pytest.raises(ComposeMissingError, match=r"2\.23\.1 or newer"):
            engine._check_compose(version)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1"),
        ("tcp://localhost:2375", "127.0.0.1"),
        ("tcp://127.0.0.1:2375", "127.0.0.1"),
        ("npipe:////./pipe/docker_engine", "127.0.0.1"),
        ("tcp://192.0.2.7:2376", "192.0.2.7"),
        ("ssh://me@build.example:22", "build.example"),
    ],
)
def test_endpoints_are_on_the_engines_host(url: str, host: str) -> None:
    assert engine._host(url) == host


@pytest.mark.parametrize(
    ("state", "status", "runs", "ended"),
    [
        ("running", "Up 3 seconds (health: starting)", True, None),
        ("paused", "Up 3 seconds (Paused)", True, None),
        ("exited", "Exited (137) 2 seconds ago", False, 137),
        ("exited", "Exited (143) 2 seconds ago", False, None),
        ("exited", "Exited (0) Less than a second ago", False, None),
        ("created", "Created", False, None),
        ("dead", "Dead", False, None),
    ],
)
def test_a_container_is_read_from_its_line(
    state: str, status: str, runs: bool, ended: int | None
) -> None:
    found = labels._container("id", "nats", "abc", state, status)
    assert (found.service, found.runs, found.exit_status) == ("nats", runs, ended)
    assert found.paused is (state == "paused")


def test_the_compose_file_and_the_settings_have_the_same_defaults() -> None:
    text = COMPOSE_FILE.read_text()
    for name, default in CONTAINERS.items():
        assert set(re.findall(rf"\$\{{{name}:-([^}}]*)\}}", text)) == {default}, name
    elsewhere = replace(session(), host="192.0.2.7", published="192.0.2.7")
    ours = {*CONTAINERS, *envfile.variables(elsewhere), "SIMBUILDER_NODE_OPTIONS"}
    assert set(re.findall(r"\$\{(\w+)", text)) <= ours
    assert (ROOT / "docker-compose.yaml").read_text() == text


def test_each_session_has_addresses_of_its_own() -> None:
    subnets = {session(number).subnet for number in range(200)}
    assert len(subnets) == 200
    assert all(re.fullmatch(r"10\.\d+\.\d+\.\d+/28", subnet) for subnet in subnets)


def test_variables_of_another_session_never_reach_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEO4J_PORT", "COMPOSE_FILE", "SIMBUILDER_SESSION_ID", "DOCKER_HOST"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("DOCKER_CERT_PATH", "for another engine")
    assert "DOCKER_CERT_PATH" in Engine("tcp://192.0.2.7:2376").environment()
    kept = Engine("unix:///x").environment()
    assert "DOCKER_CERT_PATH" not in kept
    assert "HOME" in kept
    assert not {"NEO4J_PORT", "COMPOSE_FILE", "SIMBUILDER_SESSION_ID", "DOCKER_HOST"} & set(kept)
    assert "DOCKER_HOST" in Engine().environment()
    assert Engine("unix:///x").options() == ["--host", "unix:///x"]
    assert Engine("remote").options() == ["--context", "remote"]


def test_the_tail_of_a_log_shows_the_cause_and_not_the_frames() -> None:
    java = ["boot", 'Caused by: java.lang.NumberFormatException: For input string: "0s"']
    java += [f"\tat java.base/java.lang.Integer.parseInt(Integer.java:{n})" for n in range(40)]
    assert logs.tail([*java, "\t... 20 more", ""]) == tuple(java[:2])
    assert logs.tail([f"line {n}" for n in range(9)]) == tuple(f"line {n}" for n in range(4, 9))
    assert logs.tail(["x" * 1000]) == ("x" * 300,)
