"""Secrets stay where they belong, and nothing is deleted or run that is not ours."""

import json
import os
import stat
import subprocess
from pathlib import Path

import psutil
import pytest

from simbuilder.scaffolding import process
from tests.acceptance.conftest import Cli
from tests.acceptance.docker import left_of
from tests.support import mend

pytestmark = pytest.mark.timeout(200)

START = ("session", "create", "--start-containers")
EVIL = 'it\'s $(touch pwned) `touch pwned` "; touch pwned; " #& \\ *'


def secrets_of(cli: Cli) -> list[str]:
    session = cli.variables()["SIMBUILDER_SESSION_ID"]
    record = json.loads((cli.state / "sessions" / session / "session.json").read_text())
    return list(record["secrets"].values())


def command_lines() -> str:
    found = []
    for one in psutil.process_iter():
        try:
            found.append("\0".join(one.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(found)


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_no_secret_is_shown_to_anybody(request: pytest.FixtureRequest, runtime: str) -> None:
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    said = [cli(*START)]
    lines = command_lines()
    for command in ("session list", "session status", "check", "info", "session verify"):
        said += [cli(*command.split(), *options) for options in ((), ("--json",))]
    said.append(cli("session", "status", env={"LOG_LEVEL": "DEBUG"}))
    assert [answer.status for answer in said] == [0] * len(said)
    shown = "".join(answer.out + answer.err for answer in said) + lines
    for secret in secrets_of(cli):
        assert secret not in shown
    readable = [path for path in cli.state.rglob("*") if _for_others(path)]
    holding = [path for path in readable if _holds(path, secrets_of(cli))]
    assert holding == []
    folders = [cli.state, cli.state / "sessions", cli.state / runtime]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 3
    assert stat.S_IMODE((cli.folder / ".env.session").stat().st_mode) == 0o600
    assert cli("session", "stop").status == 0
    logs = "".join(p.read_text(errors="replace") for p in cli.state.rglob("*.log*") if p.is_file())
    assert not any(secret in logs for secret in secrets_of(cli))
    assert cli("session", "cleanup").status == 0


def _for_others(path: Path) -> bool:
    return path.is_file() and bool(path.stat().st_mode & 0o077)


def _holds(path: Path, secrets: list[str]) -> bool:
    data = path.read_bytes()
    return any(secret.encode() in data for secret in secrets)


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_words_of_a_shell_in_a_path_are_a_path(
    request: pytest.FixtureRequest, runtime: str, tmp_path: Path
) -> None:
    """In the state folder's name, which the env file and the compose file get to see."""
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    folder = tmp_path / EVIL.replace("/", "")
    (folder / ".git").mkdir(parents=True)
    state = folder / "state"
    inside = Cli(cli.home, folder)
    inside.env = cli.env | {"SIMBUILDER_STATE_DIR": str(state)}
    assert inside(*START, "--services", "nats").status == 0
    sourced = subprocess.run(
        ["sh", "-c", 'set -eu; set -a; . ./.env.session; set +a; printf %s "$SIMBUILDER_OWNER"'],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (sourced.returncode, sourced.stderr) == (0, "")
    assert sourced.stdout.endswith(f":{state}")
    session_id = inside.variables()["SIMBUILDER_SESSION_ID"]
    for act in ("stop", "start", "status", "cleanup"):
        assert inside("session", act).status == 0
    assert not [item for item in process.marked() if session_id in item.mark]
    assert runtime == "local" or left_of(session_id) == []
    assert list(tmp_path.rglob("pwned")) == []
    assert not state.exists()


def test_cleanup_never_leaves_the_state_folder(cli: Cli, tmp_path: Path) -> None:
    """Whatever links somebody puts into it, what they lead to stays."""
    precious = tmp_path / "precious"
    (precious / "nats").mkdir(parents=True)
    (precious / "file").write_text("mine")
    (precious / ".env.session").write_text("mine")

    assert cli(*START, "--services", "nats").status == 0
    one = cli.variables()["SIMBUILDER_SESSION_ID"]
    data = cli.state / "local" / one / "nats" / "data"
    (data / "link").symlink_to(precious)
    (cli.state / "local" / one / "neo4j").symlink_to(precious)
    (cli.state / "sessions" / one / "link").symlink_to(precious / "file")
    record = cli.state / "sessions" / one / "session.json"
    mend(record, folder=str(precious))  # whose env file does not name this session
    assert cli("session", "cleanup", one).status == 0
    (cli.folder / ".env.session").unlink()

    assert cli("session", "create", "--services", "nats").status == 0
    two = cli.variables()["SIMBUILDER_SESSION_ID"]
    (cli.state / "local").mkdir(exist_ok=True)
    (cli.state / "local" / two).symlink_to(precious)
    assert cli("session", "cleanup", two).status == 0

    assert cli("session", "create", "--services", "nats").status == 0
    three = cli.variables()["SIMBUILDER_SESSION_ID"]
    own = cli.state / "sessions" / three
    own.rename(precious / "moved")
    own.symlink_to(precious / "moved")
    refused = cli("session", "cleanup", three)
    assert refused.status == 1
    assert "is not a folder of SimBuilder's" in refused.err
    assert sorted(p.name for p in (precious / "moved").iterdir()) == [
        ".env.session",
        "session.json",
    ]
    own.unlink()
    (precious / "moved").rename(own)
    assert cli("session", "cleanup", three).status == 0

    left = sorted(path.name for path in precious.iterdir())
    assert left == [".env.session", "file", "nats"]
    assert (precious / "file").read_text() == (precious / ".env.session").read_text() == "mine"


def test_nothing_is_written_through_a_link(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (cli.folder / ".env.session").symlink_to(target)
    assert cli("session", "create").status == 0
    assert target.read_text() == "mine"
    assert not (cli.folder / ".env.session").is_symlink()
    ledger = cli.state / "ports.json"
    ledger.unlink()
    ledger.symlink_to(target)
    assert cli("session", "create").status == 0
    assert target.read_text() == "mine"
    assert cli("session", "cleanup", "--all", "--yes").status == 0
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../../precious"},
        {"name": "\x1b[31mred"},
        {"images": {"nats": "x\nNATS_PASSWORD=y"}},
        {"engine": "unix:///x\n"},
        {"services": ["../../precious"]},
        {"secrets": {"nats": "a\nb", "neo4j": "x", "azurite": "y"}},
        {"ports": {"nats.client": "1; touch pwned"}},
    ],
)
def test_a_record_that_was_tampered_with_is_not_believed(
    cli: Cli, change: dict[str, object]
) -> None:
    assert cli("session", "create").status == 0
    one = cli.variables()["SIMBUILDER_SESSION_ID"]
    mend(cli.state / "sessions" / one / "session.json", **change)
    listed = cli("session", "list")
    assert listed.status == 3
    assert "\x1b" not in listed.out + listed.err
    assert cli("session", "start", one).status == 1
    assert cli("session", "cleanup", one).status == 0
    assert not cli.state.exists()


def test_files_of_another_user_are_neither_believed_nor_deleted(cli: Cli) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    assert cli("session", "create").status == 0
    one = cli.variables()["SIMBUILDER_SESSION_ID"]
    record = cli.state / "sessions" / one / "session.json"
    os.chown(record, 65534, 65534)
    for act in ("status", "start", "cleanup"):
        refused = cli("session", act, one, "--json")
        assert (refused.status, refused.envelope()["problems"][0]["code"]) == (1, "foreign-state")
    assert record.exists()
    os.chown(record, 0, 0)
    assert cli("session", "cleanup", one).status == 0
