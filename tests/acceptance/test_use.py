"""Using a session: its variables, its pages, its logs, and Cypher; most tests share one session."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.conftest import COMMAND, Cli
from tests.pty_driver import CTRL_C, CTRL_D, Terminal

INJECTED = ["session", "run", "lab", "--", "sh", "-c"]


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, local_servers: Path, request: pytest.FixtureRequest
) -> Iterator[Cli]:
    root = tmp_path_factory.mktemp("use")
    (root / "home").mkdir()
    (root / "project" / ".git").mkdir(parents=True)
    made = Cli(root / "home", root / "project", request.config.getoption("--terminal"))
    made.env["SIMBUILDER_CACHE_DIR"] = str(local_servers)
    assert made("session", "create", "--start-containers", "--name", "lab").status == 0
    yield made
    assert made("session", "cleanup", "lab").status == 0
    assert made.servers() == []
    assert not made.state.exists()


def at(cli: Cli, folder: str) -> Cli:
    """The same user in another checkout."""
    place = cli.folder.parent / folder
    (place / ".git").mkdir(parents=True, exist_ok=True)
    found = Cli(cli.home, place)
    found.env = cli.env
    return found


# --- env, use, current, open ---------------------------------------------------------------


def test_variables_are_all_that_is_printed(shared: Cli) -> None:
    expected = shared.variables()
    assert json.loads(shared("session", "env", "--format", "json").out) == expected
    script = 'eval "$("$0" session env lab --format shell)"; printf %s "$NEO4J_PASSWORD"'
    done = subprocess.run(
        ["sh", "-c", script, COMMAND],
        cwd=shared.home,
        env=shared.env,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (expected["NEO4J_PASSWORD"], "")
    some = shared("session", "env", "--only", "NATS_URL,NEO4J_URI", "--only", "NATS_USER")
    assert re.findall("^[A-Z0-9_]+", some.out, re.MULTILINE) == [
        *("NATS_URL", "NEO4J_URI", "NATS_USER"),
    ]
    wrong = shared("session", "env", "--only", "NEO4J_URL")
    assert (wrong.status, wrong.out) == (2, "")
    assert "NEO4J_URI" in wrong.err
    assert shared("session", "env", "--format", "toml").status == 2


def test_a_session_is_used_in_another_checkout(shared: Cli) -> None:
    there = at(shared, "worktree")
    (there.folder / "deep").mkdir()
    below = Cli(there.home, there.folder / "deep")
    below.env = there.env
    assert below("session", "current").status == 4
    used = below("session", "use", "lab", "--json")
    assert used.status == 0
    assert below("session", "use", "lab").status == 0
    found = below("session", "current", "--json").data()["session"]
    assert found == used.data()["session"]
    assert (found["name"], found["folder"]) == ("lab", str(shared.folder))
    assert found["env_file"] == str(there.folder / ".env.session")
    assert (there.folder / ".env.session").stat().st_mode & 0o777 == 0o600
    assert below("session", "verify").status == 0  # nor is it taken for a copy there
    assert below("session", "use", "nosuch").status == 4


def test_pages_are_printed_and_shown_where_there_is_a_browser(shared: Cli, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    env = shared.env | {"BROWSER": str(browser)}
    urls = [p["url"] for p in shared("session", "open", "--json", env=env).data()["pages"]]
    port = shared.variables()["NATS_HTTP_PORT"]
    assert len(urls) == 3
    assert shared("session", "open", "nats", env=env).out == f"http://127.0.0.1:{port}\n"
    assert not opened.exists()  # nobody looks
    for words in (["open", "nats"], ["open", "lab", "azurite"], ["open"]):
        with Terminal([COMMAND, "session", *words], env, shared.folder) as terminal:
            assert terminal.ended() == 0
    # Azurite has nothing for people to see, and without a service nothing is meant to be shown
    assert opened.read_text() == f"http://127.0.0.1:{port}\n"
    assert shared("session", "open", "mail").status == 4
    assert shared("session", "open", "lab", "mail").status == 2


# --- run -----------------------------------------------------------------------------------


def test_a_program_gets_the_variables_and_nothing_stands_between(shared: Cli) -> None:
    stale = {"NEO4J_URI": "bolt://127.0.0.1:1", "SIMBUILDER_SESSION_ID": "another"}
    for words in ([], ["lab"]):
        said = shared(
            "session", "run", *words, "--", "sh", "-c", "echo $NEO4J_URI $PPID", env=stale
        )
        assert (said.status, said.err) == (0, "")
        uri, parent = said.out.split()
        assert uri == shared.variables()["NEO4J_URI"]
        assert parent == str(os.getpid())
    assert shared(*INJECTED, "exit 7").status == 7
    assert shared(*INJECTED, "kill -TERM $$").status == -signal.SIGTERM
    assert (
        shared("session", "run", "--", "printf", "%s|", "--", "-h", "--json").out == "--|-h|--json|"
    )


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["pytest", "-q"], 2, "session run -- pytest -q"),
        (["lab", "--"], 2, "session run -- "),
        (["--name", "x", "--", "true"], 2, "--ephemeral"),
        (["lab", "--new", "--", "true"], 2, "give one"),
        (["nosuch", "--", "true"], 4, "session list"),
        (["--", "nosuch"], 127, "PATH"),
        (["--ephemeral", "--", "nosuch"], 127, "PATH"),
        (["--", "./here"], 126, ""),
    ],
)
def test_what_cannot_be_run_is_said(shared: Cli, words: list[str], status: int, hint: str) -> None:
    (shared.folder / "here").write_text("no program")
    said = shared("session", "run", *words)
    assert (said.status, said.out) == (status, "")
    assert said.err.startswith("error: ")
    assert hint in said.err


def test_within_a_session_it_is_the_current_one(shared: Cli) -> None:
    there = at(shared, "within")
    assert there("session", "create", "--services", "nats", "--name", "folders").status == 0
    ours = [COMMAND, "session", "current", "--json"]
    for options in (["lab"], ["--ephemeral", "--services", "nats"]):
        said = there("session", "run", *options, "--", *ours)
        assert (said.status, said.data()["session"]["name"] == "folders") == (0, False)
    removing = f"{COMMAND} session cleanup && {COMMAND} session cleanup"
    assert there("session", "create", "--start-containers", "--services", "nats").status == 0
    made = there("session", "current", "--json").data()["session"]["id"]
    said = there("session", "run", made, "--", "sh", "-c", removing)
    assert said.status == 4
    assert "in which this runs, does not exist any more" in said.err
    assert names(there) == ["lab", "folders"]
    assert there("session", "cleanup", "folders").status == 0


def test_a_stopped_session_is_not_run_into(shared: Cli) -> None:
    there = at(shared, "stopped")
    assert there("session", "create", "--services", "nats").status == 0
    said = there("session", "run", "--", "true")
    assert said.status == 3
    assert "does not run" in said.err
    assert "session start" in said.err
    assert there("session", "cleanup").status == 0


def test_a_new_session_stays(shared: Cli) -> None:
    there = at(shared, "new")
    command = ["sh", "-c", "echo $NATS_URL; exit 5"]
    said = there("session", "run", "--new", "--services", "nats", "--name", "kept", "--", *command)
    assert said.status == 5
    assert said.out.strip() == there.variables()["NATS_URL"]
    assert there("session", "status", "kept").status == 0
    assert there("session", "cleanup").status == 0


EPHEMERAL = ("session", "run", "--ephemeral", "--services", "nats", "--")


def names(cli: Cli) -> list[str | None]:
    return [one["name"] for one in cli("session", "list", "--json").data()["sessions"]]


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 1", 1), ("kill -KILL $$", 137)]
)
def test_an_ephemeral_session_goes_with_its_program(shared: Cli, script: str, status: int) -> None:
    before = (shared.folder / ".env.session").read_bytes()
    said = shared(*EPHEMERAL, "sh", "-c", f'"{COMMAND}" session list; {script}')
    assert said.status == status
    assert len(said.out.splitlines()) == 3  # it was there, beside ours
    assert names(shared) == ["lab"]
    assert (shared.folder / ".env.session").read_bytes() == before


def test_several_ephemeral_sessions_live_side_by_side(cli: Cli) -> None:
    script = 'echo "$SIMBUILDER_SESSION_ID"; sleep 0.5; test ! -e .env.session'
    running = [cli.popen(*EPHEMERAL, "sh", "-c", script) for _ in range(3)]
    answers = [one.communicate(timeout=90)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    assert len(set(answers)) == 3
    assert not cli.state.exists()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_ephemeral_session_goes_when_its_program_is_ended(
    cli: Cli, sign: signal.Signals
) -> None:
    running = cli.popen(*EPHEMERAL, "sh", "-c", "echo ready; exec sleep 60")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(sign)
    running.communicate(timeout=60)
    assert running.returncode == 128 + sign
    assert cli.servers() == []
    assert not cli.state.exists()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_of_an_ephemeral_session_that_was_not_ready_yet(
    cli: Cli, sign: signal.Signals
) -> None:
    running = cli.popen("session", "run", "--ephemeral", "--", "true")
    while not cli.servers():
        time.sleep(0.02)
    running.send_signal(sign)
    running.communicate(timeout=60)
    assert running.returncode == 128 + sign
    assert cli.servers() == []
    assert not cli.state.exists()


def test_the_next_command_removes_what_kill_9_left(cli: Cli) -> None:
    running = cli.popen(*EPHEMERAL, "sh", "-c", "echo $$; exec sleep 60")
    assert running.stdout is not None
    program = int(running.stdout.readline())
    running.kill()
    running.communicate(timeout=60)
    assert len(cli.servers()) > 0
    listed = cli("session", "list")
    assert "bound to" in listed.err
    assert cli.servers() == []
    assert not cli.state.exists()
    assert not psutil.pid_exists(program) or psutil.Process(program).status() == "zombie"


def test_ctrl_c_on_a_terminal_ends_the_program_and_then_the_session(cli: Cli) -> None:
    argv = [COMMAND, *EPHEMERAL, "sh", "-c", "echo re''ady; exec sleep 60"]
    with Terminal(argv, cli.env, cli.folder) as terminal:
        terminal.until("ready: NATS")
        terminal.until("ready")
        terminal.type(CTRL_C)
        assert terminal.ended() == 130
    assert not cli.state.exists()


def test_a_terminal_that_is_closed_ends_both(cli: Cli) -> None:
    argv = [COMMAND, *EPHEMERAL, "sh", "-c", "echo be''gun; exec sleep 60"]
    with Terminal(argv, cli.env, cli.folder) as terminal:
        terminal.until("begun")
        terminal.hang_up()
        assert terminal.waited() == 128 + signal.SIGHUP
    assert cli.servers() == []
    assert not cli.state.exists()


# --- logs ----------------------------------------------------------------------------------


def test_logs_are_plain_in_a_pipe_and_coloured_on_a_terminal(shared: Cli) -> None:
    said = shared("session", "logs", "lab")
    services = [line.split("|")[0].strip() for line in said.out.splitlines()]
    assert set(services) == {"neo4j", "nats", "azurite"}
    assert "\x1b" not in said.out
    assert len(shared("session", "logs", "--tail", "1").out.splitlines()) == 3
    assert shared("session", "logs", "--since", "2100-01-01").out == ""
    assert shared("session", "logs", "nats", "--since", "1h").out != ""
    assert shared("session", "logs", "--since", "soon").status == 2
    lines = shared("session", "logs", "nats", "--json").out.splitlines()
    assert {json.loads(line)["service"] for line in lines} == {"nats"}
    env = shared.env | {"TERM": "xterm"}
    env.pop("NO_COLOR", None)
    with Terminal([COMMAND, "session", "logs", "nats"], env, shared.folder) as terminal:
        assert terminal.ended() == 0
        assert "\x1b[33mnats" in terminal.raw
    with Terminal([COMMAND, "session", "logs"], env | {"NO_COLOR": "1"}, shared.folder) as terminal:
        assert terminal.ended() == 0
        assert "\x1b" not in terminal.raw


def test_logs_are_followed_through_a_restart_until_ctrl_c(cli: Cli) -> None:
    assert cli("session", "create", "--services", "nats").status == 0
    running = cli.popen("session", "logs", "-f")
    assert running.stdout is not None
    for _ in range(2):
        assert cli("session", "start").status == 0
        while "Server is ready" not in running.stdout.readline():
            pass
        assert cli("session", "stop").status == 0
        while "Server Exiting" not in running.stdout.readline():
            pass
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert (running.returncode, err) == (130, "")

    again = cli.popen("session", "logs", "-f", "--tail", "0")
    time.sleep(0.5)
    assert cli("session", "cleanup").status == 0
    assert again.communicate(timeout=20) == ("", "")  # it ends with the session
    assert again.returncode == 0


# --- the Cypher prompt ---------------------------------------------------------------------


def test_one_statement_gives_a_plain_table_or_json(shared: Cli) -> None:
    ask = ("session", "shell", "lab", "neo4j", "-c")
    made = shared(*ask, "CREATE (:A {x: 1, y: 'q\"'})-[:R {s: 2}]->(:B);")
    assert (made.status, made.out) == (0, "")
    assert "nodes created: 2" in made.err
    query = "MATCH (a:A)-[r]->(b) RETURN a, r, b, null AS n, [1, 2.5, true] AS l, {k: 'v'} AS m"
    said = shared(*ask, query)
    assert said.out.splitlines()[0].split() == ["a", "r", "b", "n", "l", "m"]
    row = '(:A {x: 1, y: "q\\""})  [:R {s: 2}]  (:B)  null  [1, 2.5, true]  {k: "v"}'
    assert said.out.splitlines()[1] == row
    data = shared(*ask, query, "--json").data()
    assert data["rows"] == [
        [
            {"labels": ["A"], "properties": {"x": 1, "y": 'q"'}},
            {"type": "R", "properties": {"s": 2}},
            {"labels": ["B"], "properties": {}},
            None,
            [1, 2.5, True],
            {"k": "v"},
        ]
    ]
    back = shared(*ask, "MATCH p = (b:B)<-[:R]-(a) RETURN p, size(nodes(p)) AS n").out
    assert back.splitlines()[1].startswith("(:B)<-[:R {s: 2}]-(:A {")
    wrong = shared(*ask, "MATCHLESS")
    assert (wrong.status, wrong.out) == (1, "")
    assert wrong.err.startswith("error: ")
    assert shared(*ask, "MATCH (n) DETACH DELETE n").status == 0
    assert shared("session", "shell", "nats").status == 2
    assert shared("session", "shell", "--json").status == 2


def test_statements_are_read_from_a_pipe_until_one_is_refused(shared: Cli) -> None:
    done = subprocess.run(
        [COMMAND, "session", "shell"],
        cwd=shared.folder,
        env=shared.env,
        input="UNWIND [1, 2] AS x\nRETURN x;\nnonsense;\nRETURN 'not reached' AS y;\n",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "x\n1\n2\n")


def test_a_conversation(shared: Cli) -> None:
    argv = [COMMAND, "session", "shell", "lab", "neo4j"]
    env = shared.env | {"TERM": "xterm"}
    (session_id,) = (one["id"] for one in shared("session", "list", "--json").data()["sessions"])
    history = shared.state / "sessions" / session_id / "statements"
    with Terminal(argv, env, shared.folder) as terminal:
        terminal.until("lab>")
        terminal.type("RETURN 6 *\r")
        terminal.until(r"\.>")
        terminal.type("7 AS answer;\r")
        terminal.until("answer\n42\n1 row")
        terminal.type("nonsense;\r")
        terminal.until("error: .*\n")
        terminal.type(":help\r")
        terminal.until("leave, as Ctrl-D does")
        terminal.type("half a statement")
        terminal.until("half a statement")
        terminal.type(CTRL_C)
        terminal.until("lab>")
        terminal.type("UNWIND range(1, 9999) AS x UNWIND range(1, 999) AS y RETURN count(*);\r")
        terminal.until(r"count\(\*\);\n")
        time.sleep(0.3)
        terminal.type(CTRL_C)
        terminal.until("interrupted")
        terminal.type("RETURN 'still here' AS s;\r")
        terminal.until('"still here"\n1 row')
        terminal.until("lab>")  # before, Ctrl-D would be swallowed by the terminal itself
        terminal.type(CTRL_D)
        assert terminal.ended() == 0
    assert history.stat().st_mode & 0o777 == 0o600
    with Terminal(argv, env, shared.folder) as terminal:
        terminal.until("lab>")
        terminal.type("\x1b[A\r")
        terminal.until('"still here"\n1 row')
        terminal.type(":quit\r")
        assert terminal.ended() == 0


def test_long_values_are_cut_to_the_width_of_the_terminal(shared: Cli) -> None:
    statement = "UNWIND range(1, 30) AS x WITH collect('word' + x) AS many RETURN many, 1 AS one"
    argv = [COMMAND, "session", "shell", "-c", statement]
    with Terminal(argv, shared.env, shared.folder, columns=40) as terminal:
        assert terminal.ended() == 0
        lines = terminal.drawn.splitlines()
    assert [len(line) <= 40 for line in lines] == [True, True]
    assert re.fullmatch(r'\["word1".*\.\.\.  1', lines[1])
    assert "word30" in shared("session", "shell", "-c", statement).out
