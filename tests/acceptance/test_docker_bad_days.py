"""What a user sees when Docker is not there, does not answer, or refuses."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import clients
from tests.acceptance.conftest import Answer, Cli
from tests.acceptance.engine_door import Door, door
from tests.acceptance.test_docker import docked, docker, left_of

__all__ = ["docked"]
pytestmark = pytest.mark.timeout(200)
NATS = ("--services", "nats")


@pytest.fixture
def engine(docked: Cli, tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path) as made:
        yield made


def problem(said: Answer) -> Any:
    return said.envelope()["problems"][0]


def state(cli: Cli) -> str:
    return str(cli("session", "list", "--json").data()["sessions"][0]["state"])


def test_a_silent_engine_is_unknown_and_nothing_is_forgotten(docked: Cli, engine: Door) -> None:
    via = {"DOCKER_HOST": engine.url}
    assert docked("session", "create", "--start-containers", *NATS, env=via).status == 0
    env = docked.variables()
    session_id = env["SIMBUILDER_SESSION_ID"]
    clients.bus_write(env, "kept")
    record = docked.state / "sessions" / session_id / "session.json"
    assert json.loads(record.read_text())["engine"] == engine.url

    for silence in (engine.shut, engine.held.set):
        silence()
        listed = docked("session", "list", "--json")
        assert (listed.status, problem(listed)["code"]) == (0, "unknown")
        assert listed.data()["sessions"][0]["state"] == "unknown"
        shown = docked("session", "status", "--json")
        assert (shown.status, problem(shown)["code"]) == (3, "unknown")
        assert shown.data()["session"]["services"]["nats"]["state"] == "unknown"
        for command in ("cleanup", "stop", "start"):
            refused = docked("session", command, "--json")
            assert (refused.status, problem(refused)["code"]) == (3, "unknown"), command
            assert problem(refused)["hint"]
        assert docked("check", "--json").status == 3
        assert record.exists()
        assert (docked.folder / ".env.session").exists()
        engine.shut()
        engine.open()
        assert state(docked) == "running"
        assert clients.bus_read(env, f"reader{silence.__name__}") == {"kept"}

    assert docked("session", "cleanup").status == 0
    assert left_of(session_id) == []


def test_auto_takes_docker_if_it_answers_and_says_why(docked: Cli, engine: Door) -> None:
    auto = {"SIMBUILDER_RUNTIME": "auto", "DOCKER_HOST": engine.url}

    def chosen() -> tuple[str, str]:
        made = docked("session", "create", *NATS, "--json", env=auto)
        session = made.data()["session"]
        assert docked("session", "cleanup").status == 0
        return session["runtime"], session["runtime_reason"]

    runtime, why = chosen()
    assert runtime == "docker"
    assert "Docker 2" in why
    assert engine.url in why
    checks = docked("check", "--json", env=auto).data()["checks"]
    assert [c["detail"] for c in checks if c["name"] == "runtime"] == [f"docker ({why})"]
    engine.shut()
    assert chosen() == ("local", "auto: no Docker engine answers")
    engine.open()
    engine.held.set()
    began = time.monotonic()
    assert chosen() == ("local", "auto: the Docker engine did not answer within 2 s")
    assert time.monotonic() - began < 6


def test_an_engine_that_is_not_there_is_named(docked: Cli) -> None:
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    said = docked("session", "create", *NATS, "--json", env=nowhere)
    assert (said.status, problem(said)["code"]) == (1, "engine-unreachable")
    assert "--runtime local" in problem(said)["hint"]
    without = {"PATH": str(Path(shutil.which("git") or "").parent / "nothing")}
    said = docked("session", "create", *NATS, "--json", env=without)
    assert problem(said)["message"] == "the docker command is not installed"
    assert docked("session", "list", "--json").data()["sessions"] == []


def test_contexts_are_remembered(docked: Cli, engine: Door, tmp_path: Path) -> None:
    config = {"DOCKER_CONFIG": str(tmp_path / "docker-config")}
    docked.env |= config
    for argv in (
        ["context", "create", "elsewhere", "--docker", f"host={engine.url}"],
        ["context", "use", "elsewhere"],
    ):
        subprocess.run(["docker", *argv], env=docked.env, check=True, capture_output=True)
    made = docked("session", "create", "--start-containers", *NATS, "--json")
    assert made.data()["session"]["engine"] == "elsewhere"
    assert made.data()["session"]["services"]["nats"]["endpoints"]["client"]["host"] == "127.0.0.1"
    subprocess.run(
        ["docker", "context", "use", "default"], env=docked.env, check=True, capture_output=True
    )
    assert state(docked) == "running"
    engine.shut()
    assert state(docked) == "unknown"
    engine.open()
    assert docked("session", "cleanup").status == 0
    subprocess.run(["docker", "context", "rm", "elsewhere"], env=docked.env, check=True)


def test_an_engine_elsewhere_needs_an_address_to_publish_on(docked: Cli, tmp_path: Path) -> None:
    """Its loopback is not ours; nothing is opened to a network that nobody asked to open."""
    shim = tmp_path / "bin" / "docker"
    shim.parent.mkdir()
    # the answers of this machine's engine under another address: nothing of another host is needed
    real = shutil.which("docker")
    answer = 'echo "default tcp://192.0.2.7:2376"; exit'
    shim.write_text(f'#!/bin/sh\n[ "$1" = context ] && {{ {answer}; }}\nexec {real} "$@"\n')
    shim.chmod(0o755)
    there = {"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    said = docked("session", "create", *NATS, "--json", env=there)
    assert (said.status, problem(said)["code"]) == (2, "configuration")
    assert "SIMBUILDER_PUBLISH_ADDRESS" in problem(said)["hint"]
    there["SIMBUILDER_PUBLISH_ADDRESS"] = "192.0.2.7"
    made = docked("session", "create", *NATS, "--json", env=there)
    assert made.status == 0
    client = made.data()["session"]["services"]["nats"]["endpoints"]["client"]
    assert client["host"] == "192.0.2.7"
    env = docked.variables()
    assert f"@192.0.2.7:{env['NATS_PORT']}" in env["NATS_URL"]
    assert env["SIMBUILDER_HOST"] == "192.0.2.7"
    record = docked.state / "sessions" / env["SIMBUILDER_SESSION_ID"] / "session.json"
    data = json.loads(record.read_text())
    record.write_text(json.dumps(data | {"engine": ""}))  # so that it can be cleaned up here


def test_an_image_that_cannot_be_had_is_named_and_nothing_is_recorded(docked: Cli) -> None:
    docked.env["NATS_IMAGE"] = "127.0.0.1:1/nats:none"
    said = docked("session", "create", "--start-containers", *NATS, "--json")
    assert (said.status, problem(said)["code"]) == (1, "image-unavailable")
    assert "127.0.0.1:1/nats:none" in problem(said)["message"]
    assert "--runtime local" in problem(said)["hint"]
    assert "NATS_IMAGE" in problem(said)["hint"]
    assert not docked.state.exists()
    assert not (docked.folder / ".env.session").exists()

    auto = {"SIMBUILDER_RUNTIME": "auto"}
    made = docked("session", "create", "--start-containers", *NATS, env=auto)
    assert made.status == 0
    assert "taking the local runtime instead" in made.err
    shown = docked("session", "status", "--json").data()["session"]
    assert shown["runtime"] == "local"
    assert "could not be pulled" in shown["runtime_reason"]


def test_a_missing_compose_plug_in_is_named(docked: Cli) -> None:
    folders = [
        f"{root}/docker/cli-plugins"
        for root in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
    ]
    hide = "; ".join(f"[ ! -d {f} ] || mount -t tmpfs none {f}" for f in folders)
    command = f'{hide}; exec simbuilder session create --services nats --json "$@"'
    argv = ["unshare", "--mount", "sh", "-c", command, "sh", "--runtime", "docker"]
    done = subprocess.run(argv, cwd=docked.folder, env=with_command(docked), capture_output=True)
    if b"unshare" in done.stderr:
        pytest.skip("needs the right to make a mount namespace")
    assert done.returncode == 1
    said = json.loads(done.stdout)["problems"][0]
    assert said["code"] == "compose-missing"
    assert "--runtime local" in said["hint"]


def with_command(cli: Cli) -> dict[str, str]:
    from tests.acceptance.conftest import COMMAND

    return {**cli.env, "PATH": f"{Path(COMMAND).parent}:{cli.env['PATH']}"}


def test_what_a_stranger_may_not_ask_is_a_permission_error(docker_images: dict[str, str]) -> None:
    """The words of the real client for a user who is not in the group docker."""
    from simbuilder.runtimes.engine import Engine

    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "docker", "ps"]
    done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode != 0
    explained = Engine().explain(done.stderr)
    assert explained.code == "engine-permission", done.stderr
    assert "group docker" in explained.hint


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_pull_that_hangs_can_be_interrupted(docked: Cli, sign: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as registry:  # it listens, and never says a word
        registry.settimeout(60)
        docked.env["NATS_IMAGE"] = f"127.0.0.1:{registry.getsockname()[1]}/nats:hangs"
        command = docked.popen("session", "create", "--start-containers", *NATS)
        connection, _ = registry.accept()
        with connection:
            began = time.monotonic()
            command.send_signal(sign)  # to the command alone, as a terminal's Ctrl-C would not
            _, said = command.communicate(timeout=60)
            assert time.monotonic() - began < 5
    assert command.returncode == (130 if sign == signal.SIGINT else 143)
    assert "Traceback" not in said
    assert not docked.state.exists()
    pulls = subprocess.run(["pgrep", "-f", docked.env["NATS_IMAGE"]], capture_output=True)
    assert pulls.stdout == b""


def test_pulling_shows_its_progress(docked: Cli, registry: str) -> None:
    image = f"{registry}/nats:pulled"
    recipe = f"FROM {docked.env['NATS_IMAGE']}\nRUN echo {registry} > /a-layer-nobody-has\n"
    argv = ["docker", "build", "-q", "-t", image, "-"]
    legacy = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(argv, input=recipe.encode(), env=legacy, check=True, capture_output=True)
    docker("push", "-q", image)
    docker("rmi", image)
    try:
        said = docked("session", "create", "--start-containers", *NATS, env={"NATS_IMAGE": image})
        assert said.status == 0, said.err
        assert f"nats: pulling {image}" in said.err
        assert re.search("[0-9] of [0-9]+ layers", said.err)
        assert f"nats: pulled {image}" in said.err
        assert docked("session", "cleanup").status == 0
    finally:
        docker("rmi", image)
