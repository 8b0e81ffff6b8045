"""What the command line says: its JSON, its exit statuses, its answers to bad input."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simbuilder.sessions.port_manager import bindable
from tests.acceptance.conftest import COMMAND, Answer, Cli
from tests.support import PORT_RANGE

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


SESSION_KEYS = {"id", "short", "name", "runtime", "project", "created_at", "state"}
SESSION_KEYS |= {"env_file", "services"}


def check_envelope(answer: Answer, command: str, status: str) -> Any:
    envelope = answer.envelope()
    assert list(envelope) == ["version", "command", "status", "data", "problems"]
    assert (envelope["version"], envelope["command"], envelope["status"]) == (1, command, status)
    for problem in envelope["problems"]:
        assert list(problem) == ["code", "message", "hint"]
        assert problem["message"]
    return envelope["data"]


def check_session(session: Any, state: str) -> None:
    assert set(session) >= SESSION_KEYS
    assert UUID4.fullmatch(session["id"])
    assert session["short"] == session["id"][:8]
    assert session["project"] == f"simbuilder-{session['short']}"
    assert session["state"] == state
    assert Path(session["env_file"]).exists()
    endpoints = {name: list(s["endpoints"]) for name, s in session["services"].items()}
    assert endpoints == {
        "neo4j": ["bolt", "http"],
        "nats": ["client", "monitoring"],
        "azurite": ["blob", "queue", "table"],
    }
    for service in session["services"].values():
        for endpoint in service["endpoints"].values():
            assert endpoint["host"] == "127.0.0.1"
            assert f"127.0.0.1:{endpoint['port']}" in endpoint["url"]


def test_json_of_every_command(cli: Cli) -> None:
    assert check_envelope(cli("session", "list", "--json"), "session list", "success") == {
        "sessions": []
    }
    made = check_envelope(cli("session", "create", "--json"), "session create", "success")
    check_session(made["session"], "stopped")
    started = check_envelope(cli("session", "start", "--json"), "session start", "success")
    check_session(started["session"], "running")
    assert all(s["ready"] for s in started["session"]["services"].values())
    shown = check_envelope(cli("session", "status", "--json"), "session status", "success")
    check_session(shown["session"], "running")
    assert shown["session"]["services"]["neo4j"]["product"] == "ArcadeDB"
    assert "is not Neo4j" in shown["session"]["services"]["neo4j"]["note"]
    listed = check_envelope(cli("session", "list", "--json"), "session list", "success")
    check_session(listed["sessions"][0], "running")
    checks = check_envelope(cli("check", "--json"), "check", "success")["checks"]
    for check in checks:
        assert list(check) == ["name", "ok", "latency_ms", "detail"]
        assert check["ok"] is True
    served = {c["name"]: c for c in checks if c["name"] in made["session"]["services"]}
    assert len(served) == 3
    assert all(0 < c["latency_ms"] < 5000 for c in served.values())
    stopped = check_envelope(cli("session", "stop", "--json"), "session stop", "success")
    check_session(stopped["session"], "stopped")
    assert cli("check", "--json").status == 3
    info = check_envelope(cli("info", "--json"), "info", "success")["settings"]
    found = {s["name"]: s for s in info}
    assert found["NEO4J_PASSWORD"] == {
        "name": "NEO4J_PASSWORD",
        "value": "***",
        "source": ".env.session",
    }
    assert found["SIMBUILDER_PORT_RANGE_START"]["source"] == "environment"
    assert found["LOG_LEVEL"] == {"name": "LOG_LEVEL", "value": "INFO", "source": "default"}
    check_envelope(cli("version", "--json"), "version", "success")
    removed = check_envelope(cli("session", "cleanup", "--json"), "session cleanup", "success")
    assert removed == {"removed": [made["session"]["id"]]}


def test_every_id_that_list_prints_is_accepted(cli: Cli) -> None:
    for _ in range(2):
        assert cli("session", "create").status == 0
    lines = cli("session", "list").out.splitlines()[1:]
    assert len(lines) == 2
    for line in lines:
        assert cli("session", "status", line.split()[0]).status == 0


BAD_INPUT = [
    (["session", "status", "nope"], 4, "session-not-found"),
    (["session", "status", ".."], 4, "session-not-found"),
    (["session", "status", "/"], 4, "session-not-found"),
    (["session", "status", ""], 4, "session-not-found"),
    (["session", "cleanup", ""], 4, "session-not-found"),
    (["session", "stop", "a\nb"], 4, "session-not-found"),
    (["session", "start", "x" * 300], 4, "session-not-found"),
    (["session", "status"], 4, "session-not-found"),
    (["session", "cleanup"], 4, "session-not-found"),
    (["check", "nope"], 4, "session-not-found"),
    (["session", "create", "--name", ""], 2, "usage"),
    (["session", "create", "--name", ".."], 2, "usage"),
    (["session", "create", "--name", "a/b"], 2, "usage"),
    (["session", "create", "--name", "a\nb"], 2, "usage"),
    (["session", "create", "--name", "x" * 300], 2, "usage"),
    (["session", "create", "--services", "mail"], 2, "usage"),
    (["session", "create", "--runtime", "podman"], 2, "usage"),
    (["session", "create", "--profile", "huge"], 2, "usage"),
    (["session", "create", "--profile", "full"], 2, "usage"),
    (["session", "create", "--runtime", "docker"], 1, "engine-unreachable"),
    (["session", "create", "--timeout", "soon"], 2, "usage"),
    (["session", "create", "--timeout", "0"], 2, "usage"),
    (["session", "create", "--timeout", "nan"], 2, "usage"),
    (["session", "create", "--nonsense"], 2, "usage"),
    (["session", "cleanup", "--all", "x"], 2, "usage"),
    (["session", "explode"], 2, "usage"),
    (["explode"], 2, "usage"),
]


@pytest.mark.parametrize(("arguments", "status", "code"), BAD_INPUT, ids=repr)
def test_bad_input_gets_one_sentence_a_hint_and_its_status(
    cli: Cli, arguments: list[str], status: int, code: str
) -> None:
    cli.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    said = cli(*arguments)
    assert said.status == status
    assert said.out == ""
    first, *rest = said.err.splitlines()
    assert first.startswith("error: ")
    assert len(first) < 200
    assert any(line.startswith("hint: ") for line in rest)
    told = cli(*arguments, "--json")
    assert told.status == status
    assert [p["code"] for p in told.envelope()["problems"]] == [code]
    assert told.envelope()["status"] == "error"
    assert not cli.state.exists()
    assert [path.name for path in cli.folder.iterdir()] == [".git"]


@pytest.mark.parametrize("group", [[], ["session"]], ids=" ".join)
def test_a_group_alone_shows_its_help_and_does_nothing(cli: Cli, group: list[str]) -> None:
    said = cli(*group)
    assert (said.status, said.out) == (2, "")
    assert said.err == cli(*group, "--help").out
    assert said.err.startswith("Usage: simbuilder")
    asked = cli(*group, "--json")
    assert (asked.status, asked.err) == (2, "")
    assert asked.envelope()["command"] == (group or ["simbuilder"])[0]


@pytest.mark.parametrize(
    ("typo", "meant", "help_"),
    [
        (["session", "lst"], "'list'", "'simbuilder session --help'"),
        (["session", "cleanpu", "demo"], "'cleanup'", "'simbuilder session --help'"),
        (["chek"], "'check'", "'simbuilder --help'"),
        (["sesion", "list"], "'session'", "'simbuilder --help'"),
        (["session", "list", "--jsn"], "--json", "'simbuilder session list --help'"),
    ],
    ids=repr,
)
def test_a_typo_is_answered_with_what_was_meant(
    cli: Cli, typo: list[str], meant: str, help_: str
) -> None:
    said = cli(*typo)
    assert said.status == 2
    first, second = said.err.splitlines()
    assert first.startswith("error: ")
    assert meant in first
    assert second == f"hint: see {help_}"


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"SIMBUILDER_PORT_RANGE_END": "30000"}, "reversed"),
        ({"SIMBUILDER_PORT_RANGE_START": "80"}, "SIMBUILDER_PORT_RANGE_START='80'"),
        ({"SIMBUILDER_RUNTIME": "podman"}, "SIMBUILDER_RUNTIME='podman' (from environment)"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL='loud'"),
    ],
)
def test_bad_settings_name_the_variable_and_its_source(
    cli: Cli, env: dict[str, str], word: str
) -> None:
    for command in (["session", "create"], ["session", "list"], ["info"], ["check"]):
        said = cli(*command, env=env)
        assert said.status == 2
        assert word in said.err


def test_a_bad_value_in_env_names_the_file(cli: Cli) -> None:
    (cli.folder / ".env").write_text("ENVIRONMENT=moon\n")
    said = cli("session", "create")
    assert said.status == 2
    assert "ENVIRONMENT='moon' (from .env)" in said.err


def test_an_exhausted_range_loses_nothing(cli: Cli) -> None:
    env = {"SIMBUILDER_PORT_RANGE_END": "31009"}
    assert cli("session", "create", env=env).status in (0, 1)  # the one block may be in use
    said = cli("session", "create", "--json", env=env)
    assert said.status == 1
    assert said.envelope()["problems"][0]["code"] == "ports-exhausted"


def test_dry_runs_say_what_and_why_and_do_nothing(cli: Cli) -> None:
    planned = cli("session", "create", "--start-containers", "--dry-run")
    assert planned.status == 0
    assert planned.out.splitlines() == [
        "use local runtime: set by SIMBUILDER_RUNTIME",
        "reserve ports: a block of ten in {}-{}".format(*PORT_RANGE),
        "write record: new session",
        "write .env.session: no session is current",
        "start neo4j: new session",
        "start nats: new session",
        "start azurite: new session",
    ]
    assert not cli.state.exists()
    assert cli("session", "create", "--dry-run", "--name", "..").status == 2
    assert cli("session", "create").status == 0
    assert cli("session", "start", "--dry-run").out.splitlines()[0] == "start neo4j: not running"
    assert cli("session", "stop", "--dry-run").out == "nothing to do\n"
    assert cli("session", "cleanup", "--dry-run").out.splitlines()[-1] == "delete record: last"
    assert cli("session", "list").out != ""


def test_reuse_is_idempotent_and_a_second_session_becomes_current(cli: Cli) -> None:
    first = cli("session", "create", "--reuse", "--json").data()["session"]["id"]
    assert cli("session", "create", "--reuse", "--json").data()["session"]["id"] == first
    second = cli("session", "create")
    assert f"it was {first[:8]}" in second.err
    assert cli.variables()["SIMBUILDER_SESSION_ID"] != first
    assert cli("session", "cleanup", first).status == 0
    assert (cli.folder / ".env.session").exists()


def test_cleanup_of_all_wants_to_be_told_twice(cli: Cli) -> None:
    assert cli("session", "create").status == 0
    said = cli("session", "cleanup", "--all")
    assert said.status == 2
    assert "--yes" in said.err
    assert len(cli("session", "list").out.splitlines()) == 2


def test_help_has_examples_and_completion_works(cli: Cli) -> None:
    for command in ("create", "start", "stop", "list", "status", "cleanup"):
        assert "simbuilder session" in cli("session", command, "--help").out.split("Example")[1]
    for command in ("check", "info", "version"):
        assert f"simbuilder {command}" in cli(command, "--help").out.split("Example")[1]
    script = cli("--show-completion", "bash", env={"SHELL": "/bin/bash"})
    assert "simbuilder" in script.out
    completed = cli(
        env={
            "_SIMBUILDER_COMPLETE": "complete_bash",
            "COMP_WORDS": "simbuilder session c",
            "COMP_CWORD": "2",
        }
    )
    assert completed.out.split() == ["create", "cleanup", "current"]


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "40"},
    ],
    ids=lambda env: next(iter(env.values())),
)
def test_terminals_that_know_few_characters(cli: Cli, env: dict[str, str]) -> None:
    odd = cli.folder / "prøject-プロ"
    odd.mkdir()
    made = Cli(cli.home, odd)
    assert made("session", "create", env=env).status == 0
    for command in (["session", "status"], ["session", "list"], ["session", "list", "--json"]):
        answer = made(*command, env=env)
        assert answer.status == 0
        assert answer.out
    assert made("session", "list", "--json").data()["sessions"][0]["folder"] == str(odd.resolve())
    assert made("session", "cleanup", env=env).status == 0


def test_a_reader_that_leaves_early(cli: Cli) -> None:
    for _ in range(3):
        assert cli("session", "create").status == 0
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run(
            [COMMAND, "session", "list", "--json"],
            cwd=cli.folder,
            env=cli.env,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 141
    assert done.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(cli: Cli, closed: str) -> None:
    for command, status in (("session create", 0), ("session list", 0), ("session status x", 4)):
        argv = ["/bin/sh", "-c", f"exec {COMMAND} {command} {closed}"]
        done = subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr


def test_a_full_disk_behind_the_output(cli: Cli) -> None:
    argv = ["/bin/sh", "-c", f"exec {COMMAND} session list --json > /dev/full"]
    done = subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output could not be written")


def test_a_reader_of_the_progress_that_leaves_does_not_stop_the_start(cli: Cli) -> None:
    argv = ["/bin/sh", "-c", f"{COMMAND} session create --start-containers 2>&1 | head -1"]
    subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, check=True)
    assert cli("session", "status").status == 0


def test_words_in_the_wrong_order_are_answered_with_the_right_one(cli: Cli) -> None:
    assert cli("session", "create", "--services", "nats", "--name", "lab").status == 0
    wrong = {
        ("snapshot", "restore", "lab", "base"): "'lab' is one",
        ("snapshot", "save", "lab", "base"): "'lab' is one",
        ("export", "lab", "file"): "'lab' is one",
        ("export", "lab"): "'lab' is a session",
        ("export", "-"): "an archive goes to a file",
        ("export", "nowhere/file"): "is no folder",
        ("import", "file", "--runtime", "foo"): "unknown runtime 'foo'",
        ("create", "--reuse", "--services", "neo4j"): "which was to be used again, has nats",
        ("extend", "lab", "--by", "4h"): "stays for ever",
        ("create", "--name", "nats"): "it is that of a service",
        ("shell", "lab", "-c", " ;"): "has no neo4j",
    }
    for words, said in wrong.items():
        answer = cli("session", *words)
        assert (answer.status, said in answer.err) == (2, True), (words, answer.err)
    assert "did you mean lab?" in cli("session", "status", "lba").err
    assert "lab does not run: nothing was asked of it" in cli("session", "verify", "lab").err
    assert {path.name for path in cli.folder.iterdir()} == {".git", ".env.session"}
    assert cli("session", "cleanup").status == 0


def test_reuse_makes_the_session_current_again(cli: Cli) -> None:
    first = cli("session", "create", "--json").data()["session"]["id"]
    (cli.folder / ".env.session").unlink()
    assert cli("session", "create", "--reuse").status == 0
    assert cli.variables()["SIMBUILDER_SESSION_ID"] == first
    text = (cli.folder / ".env.session").read_text().replace("NATS_URL=", "#")
    (cli.folder / ".env.session").write_text(text)
    assert cli("session", "start").status == 0
    assert "NATS_URL" in cli.variables()


def test_odd_places_for_the_state(cli: Cli) -> None:
    """Characters beyond ASCII, and two spellings of one folder."""
    real = cli.home / "josé 日本"
    (cli.home / "link").symlink_to(real)
    real.mkdir()
    link = {"SIMBUILDER_STATE_DIR": str(cli.home / "link")}
    started = cli("session", "create", "--start-containers", "--services", "nats", env=link)
    assert started.status == 0, started.err
    direct = {"SIMBUILDER_STATE_DIR": str(real)}
    listed = cli("session", "list", "--json", env=direct).data()["sessions"]
    assert [s["state"] for s in listed] == ["running"]
    port = listed[0]["services"]["nats"]["endpoints"]["client"]["port"]
    assert cli("session", "cleanup", "--all", "--yes", env=direct).status == 0
    assert bindable(port)


def test_progress_is_plain_in_a_pipe_and_live_on_a_terminal(cli: Cli) -> None:
    piped = cli("session", "create", "--start-containers", "--services", "nats")
    assert re.search(r"^\[ +\d+\.\ds\] nats: starting$", piped.err, re.MULTILINE)
    assert re.search(r"nats: ready: NATS \d", piped.err)
    assert "\x1b" not in piped.err + piped.out
    assert cli("session", "stop").status == 0

    master, slave = pty.openpty()
    running = subprocess.Popen(
        [COMMAND, "session", "start"],
        cwd=cli.folder,
        env=cli.env | {"TERM": "xterm-256color"},
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:  # Linux says so when the other side of a terminal is gone
            break
        if not chunk:
            break
        shown += chunk
    os.close(master)
    assert running.wait() == 0
    assert b"\x1b[" in shown
    assert b"ready: NATS" in shown


def test_the_module_is_the_command(cli: Cli) -> None:
    argv = [sys.executable, "-m", "simbuilder", "--version"]
    done = subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, cli("--version").out)
    assert re.fullmatch(r"simbuilder \d+\.\d+\.\d+\n", done.stdout)


def test_cleanup_of_all_asks_on_a_terminal(cli: Cli) -> None:
    assert cli("session", "create").status == 0
    for answer, status, left in ((b"n\n", 1, 1), (b"y\n", 0, 0)):
        master, slave = pty.openpty()
        argv = [COMMAND, "session", "cleanup", "--all"]
        running = subprocess.Popen(
            argv, cwd=cli.folder, env=cli.env, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave
        )
        os.close(slave)
        os.write(master, answer)
        assert running.wait(timeout=30) == status
        os.close(master)
        assert len(cli("session", "list", "--json").data()["sessions"]) == left
