"""Real processes: marks, groups, exit statuses, and the shell's view of our env files."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from simbuilder.scaffolding import dotenv, identity, process
from simbuilder.scaffolding.environment import process_environment
from simbuilder.sessions import envfile
from tests.support import session
from tests.unit.test_dotenv import NASTY


def wait_until_gone(mark: str) -> None:
    deadline = time.monotonic() + 5
    while any(item.mark == mark for item in process.marked()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return f"test:{tmp_path}"


def spawn(tmp_path: Path, mark: str, script: str) -> process.Server:
    env = {"PATH": os.defpath, process.MARK: mark}
    argv = ["/bin/sh", "-c", script]
    return process.spawn_server(argv, env, tmp_path, tmp_path / "log", tmp_path / "exit")


def test_a_server_is_found_by_its_mark_with_its_children(tmp_path: Path, mark: str) -> None:
    server = spawn(tmp_path, mark, "sleep 60 & sleep 60")
    time.sleep(0.1)
    found = [item for item in process.marked() if item.mark == mark]
    assert len(found) == 4  # the recording shell, the script, and its two children
    assert {item.group for item in found} == {server.group}
    assert process.stop(found, 5) == []
    wait_until_gone(mark)
    assert server.ended()


def test_how_a_server_ended_is_written_down(tmp_path: Path, mark: str) -> None:
    spawn(tmp_path, mark, "echo last words; exit 7")
    wait_until_gone(mark)
    assert (tmp_path / "exit").read_text() == "7\n"
    assert (tmp_path / "log").read_text() == "last words\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_server_that_ignores_us_is_killed_after_its_grace(tmp_path: Path, mark: str) -> None:
    spawn(tmp_path, mark, "trap '' TERM; while :; do sleep 0.05; done")
    time.sleep(0.2)
    found = [item for item in process.marked() if item.mark == mark]
    began = time.monotonic()
    assert process.stop(found, 0.3) == []
    assert 0.3 <= time.monotonic() - began < 3


def test_a_reused_pid_is_not_signalled(tmp_path: Path, mark: str) -> None:
    spawn(tmp_path, mark, "sleep 60")
    time.sleep(0.1)
    found = [item for item in process.marked() if item.mark == mark]
    ended = psutil.Popen(["/bin/true"])
    former = psutil.Process(ended.pid)
    ended.wait()
    older = [process.Marked(i.pid, i.group, i.mark, former) for i in found]
    assert process.stop(older, 0) == []
    assert [item for item in process.marked() if item.mark == mark] == found
    process.stop(found, 0)


def test_a_command_that_takes_too_long_is_ended_with_its_children(
    tmp_path: Path, mark: str
) -> None:
    env = process_environment() | {process.MARK: mark}
    with pytest.raises(TimeoutError, match="did not finish"):
        process.run(["/bin/sh", "-c", "sleep 60 & sleep 60"], env, tmp_path, 0.3)
    wait_until_gone(mark)


def test_signals_reach_a_server_as_a_terminal_would_send_them(tmp_path: Path, mark: str) -> None:
    """Python ignores SIGPIPE and a background child ignores SIGINT; a server must do neither."""
    spawn(tmp_path, mark, f"exec {sys.executable} -c 'import time; time.sleep(60)'")
    deadline = time.monotonic() + 5
    while not (found := [i for i in process.marked() if i.mark == mark and i.pid != i.group]):
        assert time.monotonic() < deadline
    time.sleep(0.2)
    os.kill(found[-1].pid, signal.SIGINT)
    wait_until_gone(mark)
    assert (tmp_path / "exit").read_text().strip() in ("130", "1")


def source(tmp_path: Path, text: str, name: str) -> str:
    (tmp_path / "env").write_text(text)
    script = f'set -a; . ./env; set +a; printf %s "${name}"'
    argv = ["/bin/sh", "-c", script]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("value", NASTY)
def test_a_shell_reads_what_we_write(tmp_path: Path, value: str) -> None:
    assert source(tmp_path, dotenv.render({"A": value}), "A") == value


def test_a_shell_reads_the_env_file_of_a_session(tmp_path: Path) -> None:
    one = session()
    for name, value in envfile.variables(one).items():
        assert source(tmp_path, envfile.render(one), name) == value


ZOMBIE = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
time.sleep(0.3)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_zombie_whose_threads_live_is_not_gone(tmp_path: Path, mark: str) -> None:
    """A killed JVM or Node.js looks like this for some milliseconds, and still holds its ports."""
    server = spawn(tmp_path, mark, f"exec {sys.executable} -c '{ZOMBIE}'")
    deadline = time.monotonic() + 5
    while not (found := [i for i in process.marked() if i.mark == mark and i.pid != i.group]):
        assert time.monotonic() < deadline
    leader = psutil.Process(found[0].pid)
    while leader.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert leader.num_threads() == 2
    assert process.stop(found, 0) == []
    while not server.ended():
        assert time.monotonic() < deadline, "its thread survived"
        time.sleep(0.01)


def run_here(tmp_path: Path, script: str) -> str:
    env = {"PATH": os.environ["PATH"]}
    done = process.run(["/bin/sh", "-c", script], env, tmp_path, 60)
    if done.status != 0:
        raise ValueError(done.out)
    return done.out


def test_commands_together_give_their_answers_in_order(tmp_path: Path) -> None:
    calls = [partial(run_here, tmp_path, f"sleep {pause}; echo {pause}") for pause in (0.2, 0)]
    assert process.together(calls) == ["0.2\n", "0\n"]
    assert process.together([]) == []


def test_the_first_failure_ends_the_commands_beside_it_and_no_others(tmp_path: Path) -> None:
    def one_after_the_other() -> None:
        for _ in range(2):
            with suppress(ValueError):
                run_here(tmp_path, "sleep 30")

    def fail() -> None:
        run_here(tmp_path, "sleep 0.3; echo refused; exit 1")

    elsewhere = threading.Thread(target=run_here, args=(tmp_path, "sleep 2; echo > bystander"))
    elsewhere.start()  # another thread's command is nobody's business here
    with subprocess.Popen(["sleep", "60"]) as bystander:
        began = time.monotonic()
        with pytest.raises(ValueError, match="refused"):
            process.together([one_after_the_other, fail])
        assert time.monotonic() - began < 10
        assert bystander.poll() is None
        bystander.kill()
    elsewhere.join()
    assert (tmp_path / "bystander").exists()


def test_a_process_is_told_from_all_others_for_as_long_as_it_lives() -> None:
    own = identity.of()
    assert own == identity.of(os.getpid())
    assert identity.lives(own)
    child = subprocess.Popen(["sleep", "60"])
    known = identity.of(child.pid)
    assert identity.lives(known)
    pid, _, rest = known.partition(":")
    _, _, elsewhere = rest.partition(":")
    assert not identity.lives(f"{pid}:1:{elsewhere}")  # a pid that was somebody else's before
    child.kill()
    time.sleep(0.1)
    assert not identity.lives(known)  # a zombie, which its parent has not asked about yet
    child.wait()
    assert not identity.lives(known)
    with pytest.raises(ProcessLookupError):
        identity.of(child.pid)


def test_what_cannot_be_told_of_a_process_counts_as_life() -> None:
    pid, started, boot, pids = identity.of().split(":")
    assert not identity.lives(f"{pid}:{started}:another-boot:{pids}")
    assert identity.lives(f"1:1:{boot}:another-container")
    for text in ("", "4711", "a:b:c:d", "1:2:3:4:5"):
        assert identity.lives(text)
