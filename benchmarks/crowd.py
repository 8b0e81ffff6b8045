"""Many sessions: created at once, listed, started at once."""

import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import COMMAND, PYTHON, Home, report, timed
from simbuilder.composition import rooms
from simbuilder.sessions import catalog
from simbuilder.sessions.manager import CreateRequest

ROUNDS = 5
CROWD, MANY, STARTED = 20, 100, 8
LONGEST_WAIT_S = 1.0


def bench_crowds(home: Home) -> list[bool]:
    """Compare many with one; return which bars are kept."""
    return [_bench_commands(home), _bench_sessions(), _bench_list(home), _bench_start(home)]


def _checkouts(home: Home, count: int) -> list[Path]:
    folders = [home.folder / f"checkout-{number}" for number in range(count)]
    for folder in folders:
        (folder / ".git").mkdir(parents=True, exist_ok=True)
    return folders


def _at_once(home: Home, folders: list[Path], *arguments: str) -> None:
    running = [
        subprocess.Popen(
            arguments,
            cwd=folder,
            env=home.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for folder in folders
    ]
    statuses = [one.wait() for one in running]
    if any(statuses):
        raise SystemExit(f"{arguments} failed in a crowd")


def _bench_commands(home: Home) -> bool:
    """Whole commands; where cores are fewer than commands, starting Python is what takes time."""
    alone, crowd, typer, typers = [], [], [], []
    folders = _checkouts(home, CROWD)
    loading = [PYTHON, "-c", "import typer"]
    for _ in range(ROUNDS):
        alone.append(timed(lambda: home.run("session", "create")))
        crowd.append(timed(lambda: _at_once(home, folders, COMMAND, "session", "create")))
        home.run("session", "cleanup", "--all", "--yes")
        typer.append(timed(lambda: _at_once(home, folders[:1], *loading)))
        typers.append(timed(lambda: _at_once(home, folders, *loading)))
    # what nothing can undercut is measured, not counted in cores: busy ones slow each other down
    # (two should take 10 times as long, and took 10.5 to 12.5, depending on the hour)
    least = statistics.median(typers) / statistics.median(typer)
    report(f"import typer: {CROWD} at once / one alone", typers, typer, None)
    what = f"create: {CROWD} commands at once / one alone"
    return report(what, crowd, alone, round(max(6.0, 1.15 * least), 1))


def _bench_sessions() -> bool:
    """Sessions alone: the processes that make them are loaded, as an agent or a service is."""
    alone = [_created(1)[0] for _ in range(3 * ROUNDS)]
    crowds = [_created(CROWD) for _ in range(ROUNDS)]
    per_session = [total / CROWD for total, _ in crowds]
    what = f"create: each of {CROWD} sessions made at once / one alone"
    good = report(what, per_session, alone, 2.0)
    longest = max(longest for _, longest in crowds)
    kept = longest <= LONGEST_WAIT_S
    print(f"  longest of them, all its waiting for locks included: {longest:.3f} s", end="")
    print(f"  (at most {LONGEST_WAIT_S})  {'ok' if kept else 'MISSED'}", flush=True)
    return good and kept


def _created(count: int) -> tuple[float, float]:
    """Return the seconds until `count` processes have made a session, and of the slowest one."""
    context = multiprocessing.get_context("fork")
    barrier, times = context.Barrier(count), context.SimpleQueue()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        workers = [
            context.Process(target=_create, args=(root, number, barrier, times))
            for number in range(count)
        ]
        for worker in workers:
            worker.start()
        spans = [times.get() for _ in workers]
        for worker in workers:
            worker.join()
    return max(e for _, e in spans) - min(b for b, _ in spans), max(e - b for b, e in spans)


def _create(root: Path, number: int, barrier: Any, times: Any) -> None:
    folder = root / f"checkout-{number}"
    (folder / ".git").mkdir(parents=True)
    os.chdir(folder)
    os.environ |= {"SIMBUILDER_STATE_DIR": str(root / "state"), "SIMBUILDER_RUNTIME": "local"}
    manager = rooms(lambda _event: None).manager
    request = CreateRequest(services=catalog.PROFILES["default"], runtime="local")
    barrier.wait()
    began = time.perf_counter()
    manager.create(request, 60)
    times.put((began, time.perf_counter()))


def _bench_list(home: Home) -> bool:
    def listed() -> list[float]:
        return [timed(lambda: home.run("session", "list")) for _ in range(2 * ROUNDS)]

    home.run("session", "create")
    one = listed()
    for _ in range(MANY - 1):
        home.run("session", "create")
    many = listed()
    home.run("session", "cleanup", "--all", "--yes")
    return report(f"session list, {MANY} sessions / one session", many, one, 2.0)


def _bench_start(home: Home) -> bool:
    alone, crowd = [], []
    start = ("session", "create", "--start-containers")
    folders = _checkouts(home, STARTED)
    for _ in range(ROUNDS):
        alone.append(timed(lambda: home.run(*start)))
        home.run("session", "cleanup", "--all", "--yes")
        crowd.append(timed(lambda: _at_once(home, folders, COMMAND, *start)))
        home.run("session", "verify", "--all")
        home.run("session", "cleanup", "--all", "--yes")
    print(f"  each of {STARTED} sessions verified; medians {statistics.median(crowd):.2f} s")
    return report(f"local: {STARTED} sessions started at once / one alone", crowd, alone, 8.0)
