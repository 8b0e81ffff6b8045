"""What others put in a session's way: their containers, their copies, their links."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance import clients
from tests.acceptance.conftest import COMMAND, Cli
from tests.acceptance.docker import NATS, docker, neighbour, problem
from tests.support import lacks

pytestmark = pytest.mark.timeout(300)

START = ("session", "create", "--start-containers", *NATS)


def session_id(cli: Cli) -> str:
    return cli.variables()["SIMBUILDER_SESSION_ID"]


@contextmanager
def stranger(image: str, **labels: str) -> Iterator[str]:
    """Run a container of somebody else, with labels of their choice."""
    options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    name = docker("run", "-d", *options, "--entrypoint", "sleep", image, "300").strip()
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True)


def runs(name: str) -> bool:
    return docker("inspect", "--format", "{{.State.Running}}", name).strip() == "true"


@pytest.mark.parametrize("label", ["x\ty", "x\ny", '"', "12345678-1234-4234-8234-123456789abc"])
def test_odd_labels_of_others_do_not_matter(docked: Cli, label: str) -> None:
    assert docked(*START).status == 0
    service = {"com.docker.compose.service": label}
    with stranger(docked.env["NATS_IMAGE"], **{"io.simbuilder.session": label}, **service) as name:
        for act in ("list", "status", "stop", "start", "verify", "cleanup"):
            said = docked("session", act)
            assert said.status == 0, said.err
        assert runs(name)


def test_a_container_of_another_owner_is_not_the_sessions(docked: Cli) -> None:
    assert docked(*START).status == 0
    labels = {
        "io.simbuilder.session": session_id(docked),
        "io.simbuilder.owner": "9@else:/x",
        "com.docker.compose.service": "nats",
    }
    with stranger(docked.env["NATS_IMAGE"], **labels) as name:
        for act in ("stop", "start", "cleanup"):
            assert docked("session", act).status == 0
            assert runs(name)


def test_a_container_in_the_sessions_project_is_not_replaced(docked: Cli) -> None:
    assert docked("session", "create", *NATS).status == 0
    project = docked.variables()["COMPOSE_PROJECT_NAME"]
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": "nats"}
    with stranger(docked.env["NATS_IMAGE"], **labels) as name:
        said = docked("session", "start", "--json")
        assert (said.status, problem(said)["code"]) == (1, "engine")
        assert "claims to be of Compose project" in problem(said)["message"]
        assert runs(name)
    assert docked("session", "start").status == 0


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_a_copy_of_the_state_folder_cannot_hurt(
    request: pytest.FixtureRequest, runtime: str
) -> None:
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    assert cli(*START).status == 0
    env = cli.variables()
    clients.bus_write(env, "acknowledged")
    copy = cli.home / "copy"
    shutil.copytree(cli.state, copy)
    there = {"SIMBUILDER_STATE_DIR": str(copy)}
    for act in (["start"], ["stop"], ["cleanup", session_id(cli)]):
        said = cli("session", *act, "--json", env=there)
        assert (said.status, problem(said)["code"]) == (1, "moved-state"), said.out
    assert cli("session", "cleanup", "--all", "--yes", env=there).status == 1
    assert cli("session", "list", env=there).status == 0
    assert cli("session", "verify").status == 0
    assert cli.variables() == env
    assert clients.bus_read(env, "reader") == {"acknowledged"}

    moved = cli.home / "moved"  # and the same if it was the original
    shutil.rmtree(copy)
    cli.state.rename(moved)
    said = cli("session", "start", "--json", env={"SIMBUILDER_STATE_DIR": str(moved)})
    assert problem(said)["code"] == "moved-state"
    moved.rename(cli.state)
    assert cli("session", "cleanup").status == 0


def local_data(cli: Cli) -> Path:
    return cli.state / "local" / session_id(cli) / "nats"


def test_servers_that_share_a_data_folder_are_found_out(cli: Cli) -> None:
    other = neighbour(cli, "other")
    assert cli(*START).status == 0
    assert other(*START).status == 0
    mine, theirs, aside = local_data(cli), local_data(other), cli.home / "aside"

    assert cli("session", "stop").status == 0
    assert other("session", "stop").status == 0
    (mine / "data").rename(aside)
    (mine / "data").symlink_to(theirs / "data")
    assert cli("session", "start").status == 0
    said = cli("session", "verify", "--json")
    assert said.status == 3
    assert "storage" in problem(said)["message"]
    assert cli("session", "stop").status == 0
    (mine / "data").unlink()
    aside.rename(mine / "data")
    assert cli("session", "start").status == 0
    assert other("session", "start").status == 0
    assert cli("session", "verify", "--all").status == 0

    mine.rename(aside)
    theirs.rename(mine)
    aside.rename(theirs)
    assert cli("session", "verify", "--all").status == 3
    mine.rename(aside)
    theirs.rename(mine)
    aside.rename(theirs)
    assert cli("session", "verify", "--all").status == 0
    shutil.rmtree(mine)
    said = cli("session", "verify", "--json")
    assert said.status == 3
    assert "(deleted)" in problem(said)["message"]


def test_a_neighbour_that_cannot_be_read_is_no_proof(cli: Cli) -> None:
    other = neighbour(cli, "other")
    assert cli(*START).status == 0
    assert other(*START).status == 0
    (cli.state / "sessions" / session_id(other) / "session.json").write_text("{")
    (cli.folder / ".env.session").chmod(0o644)
    for which in ((), ("--all",)):
        said = cli("session", "verify", *which, "--json")
        assert said.status == 3
        messages = " ".join(p["message"] for p in said.envelope()["problems"])
        assert "neighbours: session" in messages
        assert "can be used by others" in messages


def test_a_linked_session_folder_is_not_swept(cli: Cli, tmp_path: Path) -> None:
    assert cli("session", "create", *NATS).status == 0
    precious = tmp_path / "precious"
    precious.mkdir()
    for name in ("session.json", ".notes.simbuilder-tmp"):
        (precious / name).touch()
    link = cli.state / "sessions" / "12345678-1234-4234-8234-123456789abc"
    link.symlink_to(precious)
    assert cli("session", "list").status == 3
    link.unlink()
    assert sorted(path.name for path in precious.iterdir()) == [
        ".notes.simbuilder-tmp",
        "session.json",
    ]


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "<&-", ">/dev/null 2>&1 <&-"])
def test_work_is_done_whoever_cannot_be_told(cli: Cli, redirection: str) -> None:
    for act in ("create --start-containers --services nats", "stop", "start", "cleanup"):
        command = f"{COMMAND} session {act} {redirection}"
        assert subprocess.run(["sh", "-c", command], cwd=cli.folder, env=cli.env).returncode == 0
        if act == "start":
            assert (local_data(cli) / "server.log").stat().st_size
    assert not cli.state.exists()


def test_without_inodes_cleanup_still_works(cli: Cli, request: pytest.FixtureRequest) -> None:
    if os.getuid() != 0:
        lacks(request, "root", "a file system can be mounted by root only")
    disk = cli.home / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=40", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    try:
        cli.env["SIMBUILDER_STATE_DIR"] = str(disk / "state")
        assert cli("session", "create", *NATS).status == 0
        with pytest.raises(OSError, match="No space left"):
            use_up_inodes(disk)
        assert cli("session", "cleanup").status == 0
        assert not (disk / "state").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def use_up_inodes(disk: Path) -> None:
    for number in range(40):
        (disk / str(number)).touch()


def test_from_a_deleted_folder(cli: Cli, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"rmdir {gone}; exec {COMMAND} session list --json"
    argv = ["sh", "-c", command]
    done = subprocess.run(argv, cwd=gone, env=cli.env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "the current folder was deleted" in json.loads(done.stdout)["problems"][0]["message"]


def test_a_session_removed_while_verify_waits(cli: Cli) -> None:
    other = neighbour(cli, "other")
    assert cli(*START).status == 0
    assert other(*START).status == 0
    for _ in range(3):
        running = cli.popen("session", "verify", "--all", "--json")
        time.sleep(0.15)
        assert other("session", "cleanup").status == 0
        out, err = running.communicate(timeout=60)
        assert running.returncode == 0, (out, err)
        assert other(*START).status == 0
