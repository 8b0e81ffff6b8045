"""What a user sees of an engine that is not there, does not answer, or is elsewhere."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simbuilder.runtimes.docker.engine import Engine
from tests.acceptance import clients
from tests.acceptance.conftest import COMMAND, Cli
from tests.acceptance.docker import NATS, docker, docker_that, left_of, problem, state
from tests.acceptance.engine_door import Door, door
from tests.support import lacks, mend

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def engine(docked: Cli, tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path) as made:
        yield made


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
    assert chosen() == ("local", f"auto: no Docker engine answers at {engine.url} (DOCKER_HOST)")
    engine.open()
    engine.held.set()
    began = time.monotonic()
    late = f"auto: the Docker engine at {engine.url} (DOCKER_HOST) did not answer within 2 s"
    assert chosen() == ("local", late)
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
    # the answers of this machine's engine under another address: nothing of another host is needed
    answer = 'echo "default tcp://192.0.2.7:2376"; exit'
    docker_that(tmp_path, docked, f'[ "$1" = context ] && {{ {answer}; }}')
    said = docked("session", "create", *NATS, "--json")
    assert (said.status, problem(said)["code"]) == (2, "configuration")
    assert "SIMBUILDER_PUBLISH_ADDRESS" in problem(said)["hint"]
    there = {"SIMBUILDER_PUBLISH_ADDRESS": "192.0.2.7"}
    made = docked("session", "create", *NATS, "--json", env=there)
    assert made.status == 0
    client = made.data()["session"]["services"]["nats"]["endpoints"]["client"]
    assert client["host"] == "192.0.2.7"
    env = docked.variables()
    assert f"@192.0.2.7:{env['NATS_PORT']}" in env["NATS_URL"]
    assert env["SIMBUILDER_HOST"] == env["SIMBUILDER_PUBLISHED_ON"] == "192.0.2.7"
    record = docked.state / "sessions" / env["SIMBUILDER_SESSION_ID"] / "session.json"
    mend(record, engine="")  # so that it can be cleaned up here


def test_an_address_to_publish_on_is_remembered(docked: Cli) -> None:
    there = {"SIMBUILDER_PUBLISH_ADDRESS": "127.0.0.2"}
    assert docked("session", "create", "--start-containers", *NATS, env=there).status == 0
    env = docked.variables()
    assert env["NATS_URL"].endswith(f"@127.0.0.2:{env['NATS_PORT']}")
    clients.bus_write(env, "there")
    assert docked("session", "stop").status == 0
    assert docked("session", "start").status == 0  # without the setting
    assert clients.bus_read(env, "again") == {"there"}
    name = f"{env['COMPOSE_PROJECT_NAME']}-nats-1"
    assert "127.0.0.2" in docker("port", name)
    assert "127.0.0.1" not in docker("port", name)
    assert docked("session", "cleanup").status == 0
    made = docked("session", "create", "--start-containers", *NATS, "--json")
    client = made.data()["session"]["services"]["nats"]["endpoints"]["client"]
    assert client["host"] == "127.0.0.1"


def test_an_engine_that_stops_answering_in_the_middle_is_not_waited_for_ever(
    docked: Cli, tmp_path: Path
) -> None:
    assert docked("session", "create", *NATS).status == 0
    docker_that(tmp_path, docked, 'case "$*" in *" up "*) exec sleep 60 ;; esac')
    began = time.monotonic()
    said = docked("session", "start", "--timeout", "3", "--json")
    assert time.monotonic() - began < 30
    assert (said.status, problem(said)["code"]) == (1, "engine-unreachable")


@pytest.mark.parametrize(("command", "hangs"), [("start", " up "), ("cleanup", "network rm ")])
def test_ctrl_c_does_not_wait_for_a_silent_engine(
    docked: Cli, tmp_path: Path, command: str, hangs: str
) -> None:
    assert docked("session", "create", *NATS).status == 0
    if command == "cleanup":
        assert docked("session", "start").status == 0
    path, reached = docked.env["PATH"], tmp_path / "reached"
    docker_that(
        tmp_path, docked, f'case "$*" in *"{hangs}"*) touch {reached}; exec sleep 61 ;; esac'
    )
    running = docked.popen("session", command)
    while not reached.exists():
        assert running.poll() is None
        time.sleep(0.05)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert running.returncode == 130
    assert "Traceback" not in said
    assert subprocess.run(["pgrep", "-f", "^sleep 61"], capture_output=True).stdout == b""
    docked.env["PATH"] = path
    assert docked("session", "cleanup").status == 0


def test_a_broken_record_is_kept_while_its_engine_is_silent(docked: Cli, tmp_path: Path) -> None:
    assert docked("session", "create", "--start-containers", *NATS).status == 0
    session_id = docked.variables()["SIMBUILDER_SESSION_ID"]
    (docked.state / "sessions" / session_id / "session.json").write_text("{")
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    said = docked("session", "cleanup", session_id[:8], "--json", env=nowhere)
    assert (said.status, problem(said)["code"]) == (3, "unknown")
    assert (docked.state / "sessions" / session_id / "session.json").exists()
    assert docked("session", "cleanup", session_id[:8]).status == 0
    assert left_of(session_id) == []


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_what_only_calls_itself_docker_does_not_trouble_local_sessions(
    cli: Cli, tmp_path: Path, mode: int
) -> None:
    """As the stub on a Windows Subsystem without Docker does, and one that cannot be executed."""
    shim = tmp_path / "bin" / "docker"
    shim.parent.mkdir()
    shim.write_text(
        "#!/bin/sh\necho 'The command docker could not be found in this distro.'; exit 1\n"
    )
    shim.chmod(mode)
    cli.env |= {"PATH": f"{shim.parent}", "SIMBUILDER_RUNTIME": "auto"}
    made = cli("session", "create", "--start-containers", *NATS, "--json")
    assert made.status == 0, made.out
    assert made.data()["session"]["runtime"] == "local"
    assert cli("session", "create", "--runtime", "docker").status == 1
    assert cli("session", "cleanup", "--orphans", "--yes").status == 0
    assert cli("session", "cleanup", "--all", "--yes").status == 0
    assert not cli.state.exists()


def test_a_missing_compose_plug_in_is_named(docked: Cli, request: pytest.FixtureRequest) -> None:
    folders = [
        f"{root}/docker/cli-plugins"
        for root in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
    ]
    hide = "; ".join(f"[ ! -d {f} ] || mount -t tmpfs none {f}" for f in folders)
    command = f'{hide}; exec simbuilder session create --services nats --json "$@"'
    argv = ["unshare", "--mount", "sh", "-c", command, "sh", "--runtime", "docker"]
    env = {**docked.env, "PATH": f"{Path(COMMAND).parent}:{docked.env['PATH']}"}
    done = subprocess.run(argv, cwd=docked.folder, env=env, capture_output=True)
    if b"unshare" in done.stderr:
        lacks(request, "docker", "hiding a plug-in needs the right to make a mount namespace")
    assert done.returncode == 1
    said = json.loads(done.stdout)["problems"][0]
    assert said["code"] == "compose-missing"
    assert "--runtime local" in said["hint"]


def test_what_a_stranger_may_not_ask_is_a_permission_error(docker_images: dict[str, str]) -> None:
    """The words of the real client for a user who is not in the group docker."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "docker", "ps"]
    done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode != 0
    explained = Engine().explain(done.stderr)
    assert explained.code == "engine-permission", done.stderr
    assert "group docker" in explained.hint
