"""What all chaos shares: seeds that replay, a tally, and artefacts of what went wrong."""

import random
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.acceptance.conftest import cli, docked  # noqa: F401 - fixtures
from tests.chaos.fuse import Fuse
from tests.chaos.tally import Tally

T = TypeVar("T")

ARTEFACTS = Path(__file__).parents[2] / "chaos-artefacts"
_tally = Tally()
_fuse: list[Fuse] = []


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Keep the whole folder of a test that failed, under a name that says how to replay it."""
    if (
        call.when != "call"
        or call.excinfo is None
        or "tmp_path" not in getattr(item, "fixturenames", ())
    ):
        return
    folder = item.funcargs["tmp_path"]  # type: ignore[attr-defined]
    seed = item.config.getoption("--chaos-seed")
    kept = ARTEFACTS / f"seed-{seed}-{item.name}".replace("/", "-")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept, symlinks=True, ignore=_specials, dirs_exist_ok=True)
    item.add_report_section("call", "chaos", f"kept in {kept}; replay: --chaos-seed {seed}")


def _specials(folder: str, names: list[str]) -> list[str]:
    """Pipes and sockets cannot be copied."""
    paths = [Path(folder, name) for name in names]
    return [p.name for p in paths if not (p.is_file() or p.is_dir() or p.is_symlink())]


def pytest_sessionfinish(session: pytest.Session) -> None:
    report = session.config.getoption("--chaos-report")
    if report and _tally.faults:
        _tally.save(Path(report))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _tally.faults:
        terminalreporter.section("chaos")
        for line in _tally.text():
            terminalreporter.line(line)


@dataclass(frozen=True)
class Amount:
    """How much chaos: a few turns in the short form, in the long one as many as there is time."""

    until: float | None

    def turns(self, items: Iterable[T], few: int) -> Iterator[T]:
        for number, item in enumerate(items):
            if number >= few and (self.until is None or time.monotonic() > self.until):
                return
            yield item


@pytest.fixture
def amount(request: pytest.FixtureRequest) -> Amount:
    """In the long form each test has its share of the time."""
    minutes = float(request.config.getoption("--chaos-minutes"))
    share = 60 * minutes / max(1, request.session.testscollected)
    return Amount(time.monotonic() + share if minutes else None)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance that is the same again with the same seed, and another for each test."""
    return random.Random(f"{request.config.getoption('--chaos-seed')} {request.node.name}")


@pytest.fixture
def fuse() -> Iterator[Fuse]:
    if not _fuse:  # a hook cannot be taken back
        _fuse.append(Fuse())
    yield _fuse[0]
    _fuse[0].disarm()


@dataclass
class Judge:
    """Counts faults, and fails the test for what must not follow from one."""

    runtime: str
    scenario: str

    def fault(self, count: int = 1) -> None:
        _tally.fault(self.runtime, self.scenario, count)

    def expect(self, kind: str, good: bool, why: object) -> None:
        if not good:
            _tally.wrong(self.runtime, self.scenario, kind)
            raise AssertionError(f"{kind}: {why}")
