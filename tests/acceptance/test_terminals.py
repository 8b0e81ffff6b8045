"""The life of a session in terminals that know less than ours, and with nobody at the other end."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, Cli
from tests.acceptance.test_documents import DOCUMENTED
from tests.terminals import TERMINALS

ONLY_NATS = ("--start-containers", "--services", "nats")
LIFE: list[tuple[tuple[str, ...], int]] = [
    (("session", "list"), 0),
    (("session", "status"), 4),
    (("session", "create", *ONLY_NATS), 0),
    (("session", "create", "--services", "mail"), 2),
    (("session", "list"), 0),
    (("session", "status"), 0),
    (("check",), 0),
    (("session", "verify"), 0),
    (("info",), 0),
    (("version",), 0),
    (("session", "stop"), 0),
    (("check",), 3),
    (("session", "start", "--dry-run"), 0),
    (("session", "start"), 0),
    (("session", "explode"), 2),
    (("session", "cleanup", "--all"), 2),
    (("session", "cleanup"), 0),
]
"""What a session goes through, with the exit statuses; every command works in text and JSON."""

HELP = [(*command.split(), "--help") for command in [*DOCUMENTED, "session", ""]]
COLOUR = re.compile(r"\x1b\[[0-9;]*\b(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[0-9;]*m")


def elsewhere(cli: Cli, terminal: str) -> Cli:
    """The same user in a checkout that not every terminal can spell."""
    folder = cli.folder / "prøject-プロ"
    (folder / ".git").mkdir(parents=True)
    return Cli(cli.home, folder, terminal)


@pytest.mark.parametrize("terminal", TERMINALS)
def test_the_life_of_a_session_in_text(cli: Cli, terminal: str) -> None:
    there = elsewhere(cli, terminal)
    for arguments, status in LIFE:
        said = there(*arguments)
        assert said.status == status, (arguments, said)
        assert "\x1b" not in said.out + said.err, arguments
        assert said.out or said.err, arguments
        failed = any(line.startswith("error: ") for line in said.err.splitlines())
        assert failed == (status != 0), said
    assert there.servers() == []


@pytest.mark.parametrize("terminal", TERMINALS)
def test_the_life_of_a_session_in_json(cli: Cli, terminal: str) -> None:
    there = elsewhere(cli, terminal)
    for arguments, status in LIFE:
        said = there(*arguments, "--json")
        assert (said.status, said.err) == (status, ""), arguments
        assert json.loads(said.out)["version"] == 1
        assert said.out.isascii()
        if arguments == ("session", "list"):
            assert {one["folder"] for one in said.data()["sessions"]} <= {str(there.folder)}


@pytest.mark.parametrize("terminal", TERMINALS)
def test_help_of_every_command(cli: Cli, terminal: str) -> None:
    there = elsewhere(cli, terminal)
    for arguments in HELP:
        said = there(*arguments)
        assert (said.status, said.err) == (0, ""), arguments
        assert said.out.isascii()
        assert "\x1b" not in said.out


# --- a terminal of our own -----------------------------------------------------------------


def on_a_terminal(cli: Cli, *arguments: str) -> tuple[int, str]:
    """Run a command on a real terminal of 40 columns; return its status and all that it drew."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    argv = [COMMAND, *arguments]
    running = subprocess.Popen(
        argv, cwd=cli.folder, env=cli.env, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    drawn = b""
    while chunk := _read(master):
        drawn += chunk
    os.close(master)
    text = drawn.decode("utf-8", "surrogateescape")
    assert "Traceback" not in text
    return running.wait(timeout=60), text


def _read(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:  # Linux says so when the other side of a terminal is gone
        return b""


SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize("no_color", [False, True])
@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_the_life_of_a_session_on_a_narrow_terminal(cli: Cli, term: str, no_color: bool) -> None:
    there = elsewhere(cli, "nocolor" if no_color else "plain")
    there.env.pop("COLUMNS", None)  # which would beat the terminal's own width
    there.env["TERM"] = term
    for arguments, status in [*LIFE, (("session", "--help"), 0)]:
        if arguments[-1] == "--all":  # here it asks
            continue
        ended, drawn = on_a_terminal(there, *arguments)
        assert ended == status, (arguments, drawn)
        assert drawn, arguments
        if term == "dumb":
            assert "\x1b" not in drawn, arguments
        if no_color:
            assert not COLOUR.search(drawn), arguments
        if arguments in (("session", "create", *ONLY_NATS), ("session", "start")):
            plain = SEQUENCE.sub("", drawn)
            moments = [plain.find(word) for word in ("starting", "ready: NATS")]
            assert -1 < moments[0] < moments[1], plain


# --- nobody at the other end ---------------------------------------------------------------

CLOSED = {"stdout": ">&-", "stderr": "2>&-", "all": ">&- 2>&- <&-"}
QUIET = [(arguments, 0) for arguments in HELP] + [(("--version",), 0), ((), 2)]


@pytest.mark.parametrize("closed", CLOSED)
def test_streams_closed_from_the_start(cli: Cli, closed: str) -> None:
    for arguments, status in LIFE + QUIET:
        for more in ([], ["--json"] if arguments in dict(LIFE) else []):
            if more and arguments[1:2] in (("create",), ("start",), ("cleanup",), ("stop",)):
                continue  # they have done it already
            command = [COMMAND, *arguments, *more]
            argv = ["/bin/sh", "-c", f'exec "$@" {CLOSED[closed]}', "sh", *command]
            done = subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, text=True)
            assert "Traceback" not in done.stderr, (command, done.stderr)
            assert done.returncode == status, (command, done.stderr)


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_leaves_after_one_line(cli: Cli, more: list[str]) -> None:
    for arguments, status in LIFE + ([] if more else QUIET):
        running = cli.popen(*arguments, *more)
        assert running.stdout is not None
        running.stdout.readline()
        running.stdout.close()
        _, err = running.communicate(timeout=60)
        assert "Traceback" not in err, (arguments, err)
        assert running.returncode in (status, 141), (arguments, err)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_no_reader_at_all(cli: Cli, unbuffered: str) -> None:
    cli.env["PYTHONUNBUFFERED"] = unbuffered
    for arguments in (*HELP, ("--version",), ("explode", "--json"), ("session", "list", "--json")):
        read, write = os.pipe()
        os.close(read)
        argv = [COMMAND, *arguments]
        with os.fdopen(write, "w") as pipe:
            done = subprocess.run(
                argv, cwd=cli.folder, env=cli.env, stdout=pipe, stderr=subprocess.PIPE, text=True
            )
        assert (done.returncode, done.stderr) == (141, ""), arguments


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_any_output(cli: Cli, unbuffered: str) -> None:
    cli.env["PYTHONUNBUFFERED"] = unbuffered
    for arguments in (*HELP, ("--version",), ("explode", "--json"), ("session", "list", "--json")):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [COMMAND, *arguments],
                cwd=cli.folder,
                env=cli.env,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert done.returncode == 1, arguments
        said = "error: the output could not be written: No space left on device\n"
        assert done.stderr == said, arguments
