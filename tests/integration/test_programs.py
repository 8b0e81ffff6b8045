"""Programs of the user's: found, in our place, and before us, with all their signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from simbuilder.scaffolding import programs
from tests.pty_driver import CTRL_C, CTRL_Z, Terminal

HEARS = """
import signal, sys
def heard(number, frame):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(9)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH):
    signal.signal(number, heard)
print("listening", flush=True)
while True:
    signal.pause()
"""
"""A program that says which signals reach it, until SIGTERM does."""

ATTEND = """
import os, sys
from simbuilder.scaffolding import programs
sys.exit(programs.attend(sys.argv[1:], os.environ))
"""
REPLACE = ATTEND.replace("sys.exit(programs.attend", "(programs.replace")


def argv(how: str, *program: str) -> list[str]:
    return [sys.executable, "-c", how, *program]


@contextmanager
def attended(*program: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(argv(ATTEND, *program), stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def says(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


@pytest.mark.parametrize("how", [ATTEND, REPLACE])
@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)],
)
def test_its_exit_status_is_ours(how: str, script: str, status: int) -> None:
    done = subprocess.run(argv(how, "sh", "-c", script), check=False)
    ended_by_signal = how == REPLACE and status > 128
    assert done.returncode == (128 - status if ended_by_signal else status)


@pytest.mark.parametrize("how", [ATTEND, REPLACE])
def test_it_gets_signals_as_python_found_them(how: str) -> None:
    """Python ignores SIGPIPE; `yes` would then complain instead of ending."""
    script = '{ "$@"; echo $? >&2; } | head -1'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *argv(how, "yes")], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("y\n", "141\n")


def test_signals_that_somebody_sends_reach_it_once_each() -> None:
    with attended(sys.executable, "-c", HEARS) as running:
        assert says(running) == "listening"
        for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGWINCH", "SIGINT", "SIGTERM"):
            running.send_signal(signal.Signals[name])
            assert says(running) == name
        assert says(running) == ""
        assert running.wait(timeout=10) == 9


def test_it_ends_where_we_are_killed() -> None:
    with attended(sys.executable, "-c", HEARS) as running:
        assert says(running) == "listening"
        running.kill()
        assert says(running) == "SIGTERM"


def test_it_is_born_with_the_signals_that_were_blocked_before(tmp_path: Path) -> None:
    script = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    done = subprocess.run(
        argv(ATTEND, sys.executable, "-c", script), capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_where_sigchld_is_ignored_its_end_is_heard_all_the_same() -> None:
    done = subprocess.run(
        argv(ATTEND, "sh", "-c", "exit 5"),
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        check=False,
        timeout=20,
    )
    assert done.returncode == 5


# --- on a terminal -------------------------------------------------------------------------


def test_ctrl_c_reaches_it_once_and_leaves_us_alone(tmp_path: Path) -> None:
    program = argv(ATTEND, sys.executable, "-c", HEARS)
    with Terminal(program, os.environ, tmp_path) as terminal:
        terminal.until("listening")
        terminal.type(CTRL_C)
        terminal.until("SIGINT")
        time.sleep(0.3)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.until("SIGTERM").count("SIGINT") == 0
        assert terminal.ended() == 9


@contextmanager
def begun_in_a_shell(tmp_path: Path, program: str) -> Iterator[Terminal]:
    (tmp_path / "attend.py").write_text(ATTEND)
    env = {**os.environ, "PS1": "prompt> ", "TERM": "dumb"}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], env, tmp_path) as terminal:
        terminal.until("prompt> ")
        terminal.type(f"{sys.executable} attend.py {program}\n")
        time.sleep(0.5)
        yield terminal


def test_a_shell_with_jobs_can_suspend_it_and_bring_it_back(tmp_path: Path) -> None:
    with begun_in_a_shell(tmp_path, "cat") as terminal:
        terminal.type("one\n")
        terminal.until("one\none\n")
        terminal.type(CTRL_Z)
        terminal.until("Stopped")
        terminal.until("prompt> ")
        terminal.type("echo $((6 * 7))\n")
        terminal.until("\n42\n")
        terminal.type("fg\n")
        terminal.until("attend.py cat\n")
        terminal.type("two\n")
        terminal.until("two\ntwo\n")
        terminal.type(b"\x04")
        terminal.until("prompt> ")
        terminal.type("exit\n")
        assert terminal.ended() == 0


def test_it_is_suspended_with_us_wherever_its_input_comes_from(tmp_path: Path) -> None:
    with begun_in_a_shell(tmp_path, "sleep 60 </dev/null >/dev/null") as terminal:
        terminal.type(CTRL_Z)
        terminal.until("Stopped")
        terminal.until("prompt> ")
        terminal.type("fg\n")
        terminal.until("attend.py")
        time.sleep(0.2)
        terminal.type(CTRL_C)
        terminal.until("prompt> ")
        terminal.type("exit 0\n")
        assert terminal.ended() == 0


def test_an_interactive_shell_within_has_the_terminal(tmp_path: Path) -> None:
    env = {**os.environ, "PS1": "inner> ", "TERM": "dumb"}
    program = argv(ATTEND, "bash", "--norc", "--noprofile", "-i")
    with Terminal(program, env, tmp_path) as terminal:
        terminal.until("inner> ")
        terminal.type("sleep 60\n")
        time.sleep(0.5)
        terminal.type(CTRL_C)
        terminal.until("inner> ")
        terminal.type("exit 3\n")
        assert terminal.ended() == 3
        assert "no job control" not in terminal.drawn


# --- finding them --------------------------------------------------------------------------


def test_programs_are_found_as_a_shell_finds_them(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    env = {"PATH": str(tmp_path)}
    with pytest.raises(PermissionError):
        programs.check("tool", env)
    with pytest.raises(PermissionError):
        programs.check(str(tmp_path / "tool"), env)
    (tmp_path / "tool").chmod(0o755)
    programs.check("tool", env)
    programs.check(str(tmp_path / "tool"), {})
    programs.check("sh", {})
    with pytest.raises(PermissionError):  # as a shell says: it is a folder
        programs.check(str(tmp_path), env)
    for name in ("nosuch", "./tool", "src"):  # of which the last is a folder here, and no word
        with pytest.raises(FileNotFoundError):
            programs.check(name, env)


# --- reading them --------------------------------------------------------------------------


def test_lines_are_read_as_they_are_written_and_all_end_with_the_block() -> None:
    slow = ["sh", "-c", "echo one; echo two >&2; printf thr; sleep 0.2; echo ee; exec sleep 60"]
    with programs.Readers() as readers:
        readers.start("slow", slow, os.environ)
        readers.start("quick", ["printf", "only"], os.environ)
        found: list[tuple[str, str]] = []
        while len(found) < 4:
            found += readers.read(5)
        assert sorted(found) == [
            ("quick", "only"),
            ("slow", "one"),
            ("slow", "three"),
            ("slow", "two"),
        ]
        assert readers.running() == ["slow"]
        began = time.monotonic()
        assert readers.read(0.1) == []
        assert time.monotonic() - began < 2
        readers.start("again", ["printf", "more\n"], os.environ)
        assert readers.read(5) == [("again", "more")]
    assert readers.running() == []


READ = """
import os, time
from simbuilder.scaffolding import programs
with programs.Readers() as readers:
    readers.start("one", ["sh", "-c", "echo $$; exec sleep 600"], os.environ)
    print(readers.read(5)[0][1], flush=True)
    time.sleep(600)
"""


def test_what_is_read_ends_with_the_reader_even_if_that_is_killed() -> None:
    with subprocess.Popen(argv(READ), stdout=subprocess.PIPE, text=True) as running:
        read = psutil.Process(int(says(running)))
        assert read.is_running()
        running.kill()
        assert psutil.wait_procs([read], timeout=10)[1] == []
