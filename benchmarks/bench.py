"""Speed and size as ratios within one run: `python3 tasks.py bench`.

Absolute times differ from machine to machine and from hour to hour; a ratio of two medians taken in
turn does not. Every line says what it compares and the most it may be. Exit status 1 if a bar is
missed. Only loopback is used, and everything started here is removed again.
"""

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.bus import bench_bus
from benchmarks.crowd import bench_crowds
from benchmarks.docker import bench_docker
from benchmarks.forks import bench_forks
from benchmarks.fresh import bench_fresh
from benchmarks.graph import bench_graph
from benchmarks.measure import PYTHON, Home, report, timed
from benchmarks.watching import bench_watch
from simbuilder.runtimes import probes
from simbuilder.runtimes.docker.engine import Engine
from simbuilder.runtimes.local import LocalRuntime
from simbuilder.runtimes.local.server import LocalServer, clean_environment
from simbuilder.scaffolding.environment import core_settings, read_environment
from simbuilder.scaffolding.exceptions import RuntimeUnavailableError
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session
from simbuilder.sessions.port_manager import allocate, bindable, system_range
from tests.images import build

ROUNDS = 7
TUNING = ("-XX:", "-Djavax.net.ssl", "--preserve-symlinks")
"""What SimBuilder adds to the servers' command lines to make them start faster."""

SERVICES = catalog.PROFILES["default"]


def servers_of(home: Home) -> list[psutil.Process]:
    """Return the processes of a home's sessions."""
    state = f":{home.folder / 'state'}/"
    return [p for p in psutil.process_iter() if state in _mark(p)]


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get("SIMBUILDER_SERVER", ""))
    except psutil.Error:
        return ""


class BareServers:
    """Each server alone and without SimBuilder.

    `tuned` starts them with the very command SimBuilder uses, caches included; otherwise as one
    would by hand: the same configuration, but Java and Node.js with their own defaults.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder = folder
        runtime = LocalRuntime(folder, cache)
        runtime.prepare(SERVICES, {}, print)
        self._servers: Mapping[str, LocalServer] = runtime.servers

    def start_and_stop(self, service: str, tuned: bool) -> tuple[float, float]:
        """Return (start to ready, SIGTERM to gone) in seconds."""
        session = _session()
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            command = self._servers[service].command(session, folder)
            argv, env = list(command.argv), {**clean_environment(folder), **command.env}
            if not tuned:
                argv = [a for a in argv if not a.startswith(TUNING)]
                env.pop("NODE_COMPILE_CACHE", None)
            began = time.perf_counter()
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while not probes.probe(session, service, 2).ready:
                time.sleep(0.005)
            ready = time.perf_counter() - began
            began = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.wait()
            return ready, time.perf_counter() - began


def _session() -> Session:
    base = allocate(system_range(33000, 40000), (), lambda port: not bindable(port))
    return Session(
        id="00000000-0000-4000-8000-000000000000",
        name=None,
        runtime="local",
        folder="/",
        created_at="",
        services=SERVICES,
        ports={key: base + offset for key, offset in catalog.endpoint_keys().items()},
        secrets=dict.fromkeys(SERVICES, "YmVuY2htYXJrLW9ubHk="),
    )


def bench_list(home: Home) -> bool:
    """Compare `session list` of ten sessions with importing typer."""
    for _ in range(10):
        home.run("session", "create")
    ours, theirs = [], []
    typer = [PYTHON, "-c", "import typer"]
    for _ in range(2 * ROUNDS):
        ours.append(timed(lambda: home.run("session", "list")))
        theirs.append(timed(lambda: subprocess.run(typer, check=True, capture_output=True)))
    home.run("session", "cleanup", "--all", "--yes")
    return report("session list, 10 sessions / import typer", ours, theirs, 2.0)


def bench_run(home: Home) -> bool:
    """Compare what `session run` adds to a command with importing typer."""
    home.run("session", "create", "--start-containers", "--services", "nats")
    ours, theirs = [], []
    typer = [PYTHON, "-c", "import typer"]
    for _ in range(2 * ROUNDS):
        alone = timed(lambda: subprocess.run(["true"], check=True))
        ours.append(timed(lambda: home.run("session", "run", "--", "true")) - alone)
        theirs.append(timed(lambda: subprocess.run(typer, check=True, capture_output=True)))
    home.run("session", "cleanup")
    return report("session run -- true, less true alone / import typer", ours, theirs, 1.5)


def bench_session(home: Home, bare: BareServers) -> bool:
    """Compare create and cleanup with the slowest server's own start and stop."""
    creates: list[float] = []
    cleanups: list[float] = []
    alone: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    for number in range(ROUNDS + 1):
        create = timed(lambda: home.run("session", "create", "--start-containers"))
        if number == 0:
            _show_memory(home)
        cleanup = timed(lambda: home.run("session", "cleanup"))
        if number == 0:
            continue  # the first round warms the disk cache for both sides
        creates.append(create)
        cleanups.append(cleanup)
        for service in SERVICES:
            for tuned in (False, True):
                times = bare.start_and_stop(service, tuned)
                alone.setdefault((service, tuned), []).append(times)
    for (service, tuned), pairs in alone.items():
        start, stop = (statistics.median(pair[column] for pair in pairs) for column in (0, 1))
        how = "SimBuilder's caches" if tuned else "by hand"
        print(f"  {service} alone, {how}: ready in {start:.3f} s, stops in {stop:.3f} s")
    slowest = _slowest(alone, 0, tuned=False)
    created = report("create --start-containers / slowest server by hand", creates, slowest, 1.6)
    caches = _slowest(alone, 0, tuned=True)
    report("the same / slowest server alone with SimBuilder's caches", creates, caches, None)
    stubborn = _slowest(alone, 1, tuned=False)
    cleaned = report("cleanup, running / slowest server's own stop", cleanups, stubborn, 1.5)
    left = servers_of(home)
    print(f"processes left after cleanup: {len(left)}")
    return created and cleaned and not left


def _slowest(
    alone: Mapping[tuple[str, bool], list[tuple[float, float]]], column: int, tuned: bool
) -> list[float]:
    """Return the times (0 start, 1 stop) of the server whose median is highest."""
    columns = [[t[column] for t in times] for (_, how), times in alone.items() if how is tuned]
    return max(columns, key=statistics.median)


def _show_memory(home: Home) -> None:
    total = 0.0
    for process in servers_of(home):
        size = process.memory_info().rss / 2**20
        total += size
        service = _mark(process).split(":")[1]
        print(f"  {service:<8} {process.name():<12} {size:6.1f} MiB")
    print(f"  resident in all {total:.0f} MiB, none of it SimBuilder's own")


@contextmanager
def _home(cache: Path, runtime: str = "local") -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / ".git").mkdir()
        home = Home(folder, cache, runtime)
        try:
            yield home
        finally:
            home.run("session", "cleanup", "--all", "--yes")


def _test_images() -> dict[str, str]:
    """Return the settings that name the test images; none where Docker cannot be measured."""
    try:
        print(f"  {Engine().answer()}")
        lacking = build.missing()
    except RuntimeUnavailableError as error:
        print(f"docker: not measured: {error.message}")
        return {}
    if lacking:
        print("docker: not measured: 'python3 tasks.py images' builds the images for it")
        return {}
    return {f"{service.upper()}_IMAGE": image for service, image in build.images().items()}


def main() -> int:
    """Run all comparisons."""
    cache = core_settings(read_environment(Path.cwd())).cache_dir
    with _home(cache) as home:
        bare = BareServers(home.folder, cache)
        good = [bench_list(home), bench_run(home), bench_session(home, bare), *bench_crowds(home)]
        good += [*bench_forks(home), *bench_fresh(home), bench_watch(home)]
        good += bench_bus(home)
        good += bench_graph(home, "embedded")
        if images := _test_images():
            with _home(cache, "docker") as other:
                good += bench_docker(other, home, images)
                good += bench_graph(other, "neo4j")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
