"""`session watch` on a real terminal, and as lines for programs."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.conftest import COMMAND, Cli

SEQUENCE = re.compile(r"\x1b\[[0-9;?<>=]*[ -/]*[A-Za-z]|\x1b[()=>78].?")
SOON_S = 30.0
ONLY_NATS = ("--services", "nats")


class Terminal:
    """A command on a terminal of its own: what it draws, keys, and how it leaves the terminal."""

    def __init__(self, cli: Cli, *arguments: str, term: str = "xterm-256color") -> None:
        self.master, self._slave = pty.openpty()
        self.resize(80, 24)
        self.before = termios.tcgetattr(self._slave)
        env = {k: v for k, v in cli.env.items() if k not in ("COLUMNS", "LINES")} | {"TERM": term}
        self.running = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=cli.folder,
            env=env,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            # or Ctrl-C would be but a character; there are no threads here
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        self.drawn = ""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Press keys; what is drawn from now on is new."""
        self.drawn = ""
        os.write(self.master, keys.encode())

    def until(self, wanted: Callable[[str], bool]) -> None:
        """Wait until what was drawn since the last key is as wanted."""
        deadline = time.monotonic() + SOON_S
        while not wanted(SEQUENCE.sub("", self.drawn)):
            assert time.monotonic() < deadline, self.drawn
            self._read()

    def _read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            self.drawn += os.read(self.master, 1 << 16).decode("utf-8", "replace")

    def ended(self) -> int:
        """Wait for the end, return the status; the terminal must be as it was."""
        deadline = time.monotonic() + SOON_S
        while self.running.poll() is None:
            assert time.monotonic() < deadline, self.drawn
            self._read()
        self._read()
        assert termios.tcgetattr(self._slave) == self.before
        return self.running.returncode

    def close(self) -> None:
        if self.running.poll() is None:
            self.running.kill()
            self.running.wait()
        os.close(self.master)
        os.close(self._slave)


@contextmanager
def terminal(cli: Cli, *arguments: str, term: str = "xterm-256color") -> Iterator[Terminal]:
    made = Terminal(cli, "session", "watch", "--interval", "1", *arguments, term=term)
    try:
        yield made
    finally:
        made.close()


def test_a_day_in_front_of_the_screen(cli: Cli) -> None:
    with terminal(cli) as there:
        there.until(lambda text: "There are no sessions" in text)
        assert cli("session", "create", "--name", "lab", *ONLY_NATS).status == 0
        there.until(lambda text: "lab" in text and "stopped" in text)

        there.press("s")
        there.until(lambda text: "lab: start: done" in text)
        there.until(lambda text: re.search(r"running.*\d ms", text) is not None)
        assert len(cli.servers()) == 2

        there.drawn = ""
        there.resize(200, 50)
        there.until(lambda text: "LAST LINE OF A LOG" in text)
        there.until(lambda text: "Server is ready" in text)
        there.press("l")
        there.until(lambda text: "logs of lab" in text and "Listening for client" in text)
        there.press("q")
        there.until(lambda text: "SESSION" in text)
        there.press("x")
        there.until(lambda text: "lab: stop: done" in text)
        assert cli.servers() == []
        there.press("c")
        there.until(lambda text: "Remove lab" in text)
        there.press("y")
        there.until(lambda text: "There are no sessions" in text)
        assert not cli.state.exists()
        there.press("q")
        assert there.ended() == 0
        assert there.drawn.count("\x1b[?1049l") == 1


@pytest.mark.parametrize(
    ("end", "status"), [("\x03", 130), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_however_it_ends_the_terminal_is_as_it_was(
    cli: Cli, end: str | signal.Signals, status: int
) -> None:
    cli.env["NO_COLOR"] = "1"
    with terminal(cli) as there:
        there.until(lambda text: "There are no sessions" in text)
        colours = re.findall(r"\x1b\[[0-9;]*\b(?:3[0-7]|4[0-7]|[34]8|9[0-7])[0-9;]*m", there.drawn)
        assert colours == []
        if isinstance(end, str):
            there.press(end)
        else:
            there.running.send_signal(end)
        assert there.ended() == status
        assert "\x1b[?1049l" in there.drawn
        assert "Traceback" not in there.drawn


def test_where_nothing_can_be_drawn_there_are_lines(cli: Cli) -> None:
    assert cli("session", "create", "--name", "lab", *ONLY_NATS).status == 0
    for arguments, term in (((), "dumb"), (("--json",), "xterm")):
        with terminal(cli, *arguments, term=term) as there:
            there.until(lambda text: "stopped" in text)
            there.press("\x03")
            assert there.ended() == 130
            assert "\x1b" not in there.drawn


@contextmanager
def lines(cli: Cli, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    running = cli.popen("session", "watch", "--interval", "1", *arguments)
    try:
        yield running
    finally:
        running.kill()
        for stream in (running.stdout, running.stderr):
            assert stream is not None
            stream.close()
        running.wait()


def test_programs_read_a_line_for_each_change(cli: Cli) -> None:
    create = ("session", "create", "--start-containers", "--name", "lab", *ONLY_NATS)
    with lines(cli, "--json") as running:
        assert running.stdout is not None
        assert cli(*create).status == 0
        seen: list[tuple[str | None, str | None, str]] = []

        def read(service: str | None, now: str) -> None:
            assert running.stdout is not None
            while not seen or (seen[-1][0], seen[-1][2]) != (service, now):
                line = json.loads(running.stdout.readline())
                assert (line["version"], line["name"]) == (1, "lab")
                seen.append((line["service"], line["was"], line["now"]))

        read("nats", "ready")
        assert seen[0][:2] == (None, None)
        assert (None, "running") in [(service, now) for service, _, now in seen]
        assert cli("session", "cleanup").status == 0
        read(None, "gone")
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=SOON_S) == 130
        assert running.stderr is not None
        assert (running.stdout.read(), running.stderr.read()) == ("", "")


def test_people_read_them_too_and_a_reader_may_leave(cli: Cli) -> None:
    with lines(cli) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert "no sessions yet" in running.stderr.readline()
        assert cli("session", "create", "--name", "lab", *ONLY_NATS).status == 0
        at, said = running.stdout.readline().split(" ", 1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", at)
        assert said == f"lab: stopped (local runtime, {cli.folder})\n"
        running.stdout.close()
        assert cli("session", "cleanup").status == 0
        assert running.wait(timeout=SOON_S) == 141
        assert running.stderr.read() == ""


def test_a_pause_that_cannot_be_is_refused(cli: Cli) -> None:
    for pause in ("0", "nan", "-1", "soon"):
        said = cli("session", "watch", "--interval", pause)
        assert (said.status, said.out) == (2, "")
