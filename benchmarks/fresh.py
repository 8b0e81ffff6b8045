"""Sessions of a test's own, as the pytest plugin makes them."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import PYTHON, Home, report

IN_TURN, ALONE = 8, 12
RUNS = 2

CONFTEST = """
import json
import os
import time
import pytest
import simbuilder

def note(what, began, ended):
    with open("phases", "a") as file:
        print(json.dumps([what, began, ended]), file=file)

@pytest.fixture(scope="session")
def simbuilder_template(simbuilder_template):
    driver = simbuilder_template.graph()
    driver.execute_query("UNWIND range(1, 1000) AS number CREATE (:Person {number: number})")
    note("template", time.time(), time.time())
    return simbuilder_template

@pytest.fixture
def plain():
    with simbuilder.session() as s:
        yield s

def pytest_runtest_logreport(report):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        note(report.nodeid, report.start, report.stop)
"""
TURNS = f"""
import pytest

def test_first(simbuilder_fresh):
    pass  # makes the template

@pytest.mark.parametrize("number", range({IN_TURN}))
class TestInTurn:
    def test_plain(self, plain, number):
        pass

    def test_fresh(self, simbuilder_fresh, number):
        pass
"""
FRESH_ALONE = f"""
import pytest

@pytest.mark.parametrize("number", range({ALONE}))
def test_fresh(simbuilder_fresh, number):
    pass
"""


def bench_fresh(home: Home) -> list[bool]:
    """Compare a fresh session per test with a plain one, and two workers with one."""
    phases = list(_run(home, TURNS))
    fresh, plain = _by_test(phases, "test_fresh"), _by_test(phases, "test_plain")
    one, two = [], []
    for _ in range(RUNS):
        one.append(_span(list(_run(home, FRESH_ALONE))) / ALONE)
        two.append(_span(list(_run(home, FRESH_ALONE, "-n", "2"))) / ALONE)
    return [
        report("simbuilder_fresh / plain create, with its cleanup", fresh, plain, 1.3),
        report("simbuilder_fresh per test: 2 workers / 1", two, one, 1.0),
    ]


Phase = tuple[str, float, float]
"""A test, and when one of its phases (setup, call, teardown) began and ended; or `template`."""


def _run(home: Home, tests: str, *arguments: str) -> Iterator[Phase]:
    with tempfile.TemporaryDirectory(dir=home.folder) as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_it.py").write_text(tests)
        argv = [PYTHON, "-m", "pytest", "-q", *arguments]
        done = subprocess.run(argv, cwd=folder, env=home.env, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the tests with fresh sessions failed: {done.stdout.decode()}")
        for line in (folder / "phases").read_text().splitlines():
            nodeid, began, ended = json.loads(line)
            yield nodeid, began, ended


def _by_test(phases: list[Phase], which: str) -> list[float]:
    """Return the seconds of all phases of each test called so."""
    times: dict[str, float] = {}
    for nodeid, began, ended in phases:
        if f"::{which}[" in nodeid:
            times[nodeid] = times.get(nodeid, 0.0) + ended - began
    return list(times.values())


def _span(phases: list[Phase]) -> float:
    """Return the seconds from when there was a template to the last test's end."""
    filled = min(ended for what, _, ended in phases if what == "template")
    return max(ended for _, _, ended in phases) - filled
