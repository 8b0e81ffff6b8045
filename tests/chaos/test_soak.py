"""The same again and again: nothing grows."""

import gc
import statistics
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from simbuilder.runtimes.docker.compose import ComposeRuntime
from simbuilder.runtimes.local import LocalRuntime
from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import CONTAINERS
from simbuilder.sessions.manager import CreateRequest
from simbuilder.sessions.runtime import Runtime
from tests.chaos.conftest import Amount, Judge
from tests.support import Bench

pytestmark = pytest.mark.timeout(3600)

CYCLES = 300
ENOUGH = 20
"""Cycles that tell growth from the noise of a busy machine."""


def test_memory(tmp_path: Path) -> None:
    bench = _bench(tmp_path)
    soak(Judge("memory", "soak: cycles"), bench, "memory", range(CYCLES), tmp_path)


def test_local(tmp_path: Path, local_servers: Path, amount: Amount) -> None:
    bench = _bench(tmp_path, LocalRuntime(tmp_path / "state" / "local", local_servers))
    soak(Judge("local", "soak: cycles"), bench, "local", amount.turns(range(CYCLES), 60), tmp_path)


def test_docker(tmp_path: Path, docker_images: dict[str, str], amount: Amount) -> None:
    root = tmp_path / "state" / "docker"
    runtime = ComposeRuntime(root, CONTAINERS | docker_images, owner=str(tmp_path))
    bench = _bench(tmp_path, runtime)
    cycles = amount.turns(range(CYCLES), 5)
    soak(Judge("docker", "soak: cycles"), bench, "docker", cycles, tmp_path)


def _bench(root: Path, runtime: Runtime | None = None) -> Bench:
    folder = root / "project"
    (folder / ".git").mkdir(parents=True)
    return Bench(root / "state", folder, other=runtime)


def soak(judge: Judge, bench: Bench, runtime: str, cycles: Iterable[int], root: Path) -> None:
    request = CreateRequest(services=("nats",), runtime=runtime, start=True)
    cycle(bench, request)  # what is loaded once does not count
    before = resources(root, runtime)
    times = []
    for _ in cycles:
        began = time.perf_counter()
        cycle(bench, request)
        times.append(time.perf_counter() - began)
        judge.fault()
    bench.events.clear()
    after = resources(root, runtime)
    judge.expect("leaks", after == before, (before, after))
    if len(times) < ENOUGH:
        return
    third = len(times) // 3
    early, late = statistics.median(times[:third]), statistics.median(times[-third:])
    judge.expect("leaks", late < 1.5 * early + 0.05, f"a cycle took {early:.3f} s, then {late:.3f}")


def cycle(bench: Bench, request: CreateRequest) -> None:
    report = bench.manager.create(request, 60)
    assert report.problems == ()
    one = report.view.session.id
    for act in (bench.manager.stop, bench.manager.start):
        assert act(one, 60).problems == ()
    bench.manager.cleaner.cleanup(one, 60)


def resources(root: Path, runtime: str) -> dict[str, object]:
    gc.collect()
    me = psutil.Process()
    deadline = time.monotonic() + 5
    while me.num_threads() > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    found: dict[str, object] = {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "files": sorted(str(path) for path in root.rglob("*")),
        "marked": [item.mark for item in process.marked() if str(root) in item.mark],
        "children": len(me.children(recursive=True)),
        "threads": me.num_threads(),
    }
    if runtime == "docker":
        owner = f"label=io.simbuilder.owner={root}"
        for kind in (("ps", "-a"), ("network", "ls"), ("volume", "ls")):
            argv = ["docker", *kind, "-q", "--filter", owner]
            found[kind[0]] = subprocess.run(argv, capture_output=True, check=True).stdout
    return found
