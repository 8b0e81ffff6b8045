"""Bad days of the machine: pids used again, clocks that jump, suspension, locks, file systems."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simbuilder.scaffolding import process
from tests.acceptance.conftest import Answer, Cli
from tests.acceptance.docker import left_of
from tests.chaos.conftest import Amount
from tests.chaos.world import NATS, ROOT, World
from tests.support import lacks

pytestmark = pytest.mark.timeout(3600)

START = "--start-containers"
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def test_a_pid_that_belongs_to_somebody_else_by_now(
    cli: Cli, request: pytest.FixtureRequest, amount: Amount
) -> None:
    """Also what a reboot does: every process of ours is gone, and their pids are others'."""
    if os.getuid() != 0:
        lacks(request, "root", "pids can be chosen by root only")
    world = World(cli, "local", "pid used again, reboot")
    for _ in amount.turns(range(1000), 3):
        one = world.create(START)
        ours = [i.pid for i in process.marked() if i.mark.startswith(one)]
        for pid in ours:
            os.kill(pid, signal.SIGKILL)
        strangers = [stranger for pid in ours for stranger in with_pid(pid)]
        world.judge.fault(len(ours))
        world.sessions()
        world.victim_kept()
        assert world.run("session", "stop").status == 0
        world.cleaned()
        for stranger in strangers:
            world.judge.expect("foreign", stranger.poll() is None, f"{stranger.pid} was ended")
            stranger.kill()
            stranger.wait()
    world.kept()


def with_pid(pid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that has this pid, which is nearly always possible."""
    for _ in range(50):
        LAST_PID.write_text(str(pid - 1))
        made = subprocess.Popen(["sleep", "300"])
        if made.pid == pid:
            yield made
            return
        made.kill()
        made.wait()


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_a_clock_that_jumps(request: pytest.FixtureRequest, runtime: str, amount: Amount) -> None:
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    world = World(cli, runtime, "clock jumping")
    for turn in amount.turns(range(1000), 1):
        world.create(START)
        for number, act in enumerate(("stop", "start", "status", "cleanup")):
            said = jumping(cli, f"{turn}-{number}", "session", act, "--json")
            world.judge.fault()
            world.judge.expect("lies", said.status == 0, (act, said))
        world.cleaned()
        made = jumping(cli, str(turn), "session", "create", START, *NATS)
        world.judge.fault()
        world.judge.expect("lies", made.status == 0, made)
        world.cleaned()
    world.kept()


def jumping(cli: Cli, seed: str, *args: str) -> Answer:
    argv = [sys.executable, str(ROOT / "tests" / "chaos" / "clock.py"), seed, *args]
    done = subprocess.run(argv, cwd=cli.folder, env=cli.env, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_a_command_that_was_suspended(
    request: pytest.FixtureRequest, runtime: str, amount: Amount
) -> None:
    """Its time is over when it wakes up; its servers have been ready for long."""
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    world = World(cli, runtime, "command suspended beyond its time")
    for _ in amount.turns(range(1000), 2):
        running = cli.popen("session", "create", START, *NATS, "--timeout", "1", "--json")
        while running.poll() is None and not world.victim_starts():
            time.sleep(0.001)
        running.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        running.send_signal(signal.SIGCONT)
        out, err = running.communicate(timeout=60)
        world.judge.fault()
        world.judge.expect("lies", running.returncode == 0, (out, err))
        world.cleaned()
    world.kept()


def test_a_lock_that_is_held_by_a_suspended_command(cli: Cli, amount: Amount) -> None:
    world = World(cli, "local", "lock held by a suspended command")
    tried = 0
    for _ in amount.turns(range(1000), 3):
        one = world.create(START)
        holder = cli.popen("session", "stop", one)
        frozen = _freeze_with_lock(holder, cli.state / "sessions" / one)
        if frozen:
            world.judge.fault()
            said = world.run("session", "start", one, "--timeout", "1", "--json")
            problem = said.envelope()["problems"][0]
            world.judge.expect("lies", problem["code"] == "busy", problem)
            told = f"pid {holder.pid}, 'simbuilder session stop {one}', since "
            world.judge.expect("lies", told in problem["message"], problem)
            world.judge.expect("lies", "suspended" in problem["message"], problem)
            tried += 1
        holder.kill()
        holder.communicate()
        world.victim_kept()
        world.cleaned()
    world.kept()
    assert tried, "no command was caught with the lock"


def _freeze_with_lock(holder: subprocess.Popen[str], folder: Path) -> bool:
    while holder.poll() is None:
        if any(h.pid == holder.pid for h in process.lock_holders(folder)):
            holder.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
            return bool(process.lock_holders(folder))
    return False


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_the_state_folder_removed_under_our_feet(
    request: pytest.FixtureRequest, runtime: str, rng: random.Random, amount: Amount
) -> None:
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    world = World(cli, runtime, "state folder removed")
    for turn in amount.turns(range(1000), 2):
        if turn % 2 == 0:
            world.create(START)
        else:  # while it is being made
            running = cli.popen("session", "create", START, *NATS)
            time.sleep(rng.uniform(0.1, 0.8))
        shutil.rmtree(cli.state, ignore_errors=True)
        if turn % 2:
            _, err = running.communicate(timeout=100)
            world.judge.expect("tracebacks", "Traceback" not in err, err)
        world.judge.fault()
        assert world.run("session", "list").status in (0, 3)
        said = world.run("session", "cleanup", "--all", "--yes", "--json")
        world.judge.expect("leaks", said.status == 0, said.out)
        (cli.folder / ".env.session").unlink(missing_ok=True)  # whose session nobody knows now
        left = [i.mark for i in process.marked() if f":{cli.state}/" in i.mark]
        world.judge.expect("leaks", not left, left)
        if runtime == "docker":
            world.judge.expect("leaks", not left_of(world.bystander), "containers")
        world.judge.expect("leaks", not cli.state.exists(), "files")
        (world.other.folder / ".env.session").unlink(missing_ok=True)


def test_a_file_system_that_cannot_be_written(cli: Cli, request: pytest.FixtureRequest) -> None:
    world = World(cli, "local", "file system read-only or full")
    with small_disk(cli.home / "disk", request, "size=1m") as disk:
        cli.env["SIMBUILDER_STATE_DIR"] = str(disk / "state")
        assert world.cli("session", "create", *NATS).status == 0
        mounting("-o", "remount,ro", disk)
        world.judge.fault()
        for act, statuses in (("list", {0}), ("status", {0}), ("cleanup", {1}), ("create", {1})):
            said = world.run("session", act)
            world.judge.expect("lies", said.status in statuses, (act, said))
        mounting("-o", "remount,rw", disk)
        said = world.run("session", "cleanup")
        world.judge.expect("leaks", (said.status, (disk / "state").exists()) == (0, False), said)


def test_a_file_system_that_fills_up(
    cli: Cli, request: pytest.FixtureRequest, amount: Amount
) -> None:
    """Whatever is still free when it is full, nothing half-made stays."""
    world = World(cli, "local", "file system read-only or full")
    for free in amount.turns([0, 1, 2, 3, 5, 8, 4, 6, 7], 6):
        with small_disk(cli.home / "disk", request, "size=64k") as disk:
            cli.env["SIMBUILDER_STATE_DIR"] = str(disk / "state")
            ballast = disk / "ballast"
            ballast.write_bytes(b"x" * 4096 * (15 - free))
            world.judge.fault()
            made = world.run("session", "create", *NATS, "--json")
            world.judge.expect("lies", made.status in (0, 1), made.out)
            if made.status == 1:
                problem = made.envelope()["problems"][0]
                world.judge.expect("lies", "disk is full" in problem["message"], problem)
            ballast.unlink()
            listed = world.run("session", "list", "--json")
            count = len(listed.data()["sessions"])
            world.judge.expect("lies", bool(count <= 1 and (count or made.status)), listed.out)
            assert world.run("session", "cleanup", "--all", "--yes").status == 0
            world.judge.expect("leaks", not (disk / "state").exists(), "state")
        (cli.folder / ".env.session").unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, request: pytest.FixtureRequest, size: str) -> Iterator[Path]:
    path.mkdir(exist_ok=True)
    if os.getuid() != 0:
        lacks(request, "root", "a file system can be mounted by root only")
    mounting("-t", "tmpfs", "-o", size, "tmpfs", path)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def mounting(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)
