"""What the benchmarks share: a user's home, and how two things are compared."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PYTHON = sys.executable
COMMAND = str(Path(PYTHON).with_name("simbuilder"))


def timed(action: Callable[[], object]) -> float:
    """Return the seconds an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


class Home:
    """A user's home for the benchmark: own state, the machine's warm caches."""

    def __init__(self, folder: Path, cache: Path, runtime: str = "local") -> None:
        self.folder = folder
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SIMBUILDER_")},
            "SIMBUILDER_STATE_DIR": str(folder / "state"),
            "SIMBUILDER_CACHE_DIR": str(cache),
            "SIMBUILDER_RUNTIME": runtime,
        }

    def run(self, *arguments: str) -> str:
        """Run the command with its output in a pipe, and return that; it must succeed."""
        done = subprocess.run(
            [COMMAND, *arguments], cwd=self.folder, env=self.env, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"{arguments} failed: {done.stderr.decode()}")
        return done.stdout.decode()


def report(what: str, ours: list[float], theirs: list[float], limit: float | None) -> bool:
    """Print one comparison of medians; return whether it is within its limit, if it has one."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    ratio = mine / other
    good = limit is None or ratio <= limit
    verdict = f"(at most {limit})  {'ok' if good else 'MISSED'}" if limit else "(no bar)"
    print(f"{what:<60} {mine:6.3f} s / {other:6.3f} s = {ratio:5.2f}  {verdict}", flush=True)
    return good
