"""Many commands at once: on sessions of their own, and on the same one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from simbuilder.scaffolding.exceptions import SimBuilderError
from tests.acceptance.conftest import Cli
from tests.acceptance.docker import neighbour
from tests.chaos.conftest import Amount, Judge
from tests.chaos.world import World, endpoints_of
from tests.support import Bench

pytestmark = pytest.mark.timeout(3600)

CROWD = 40


def test_memory(tmp_path: Path, amount: Amount) -> None:
    """The same in one process: threads wait for each other's locks as processes do."""
    judge = Judge("memory", f"{CROWD} commands at once")
    for turn in amount.turns(range(1000), 1):
        root = tmp_path / str(turn)
        benches = [_bench(root, number) for number in range(CROWD)]
        with ThreadPoolExecutor(CROWD) as pool:
            made = list(pool.map(lambda bench: bench.create(start=False), benches))
            judge.fault(CROWD)
            sessions, broken = benches[0].store.load_all()
            ports = [port for session in sessions for port in session.ports.values()]
            judge.expect("lies", {s.id for s in sessions} == set(made) and not broken, broken)
            judge.expect("collisions", len(ports) == len(set(ports)) == 9 * CROWD, len(ports))
            ledger = benches[0].ports.reserved()
            judge.expect("lies", ledger == {s.id: s.ports for s in sessions}, ledger)
            ends = zip(benches, made, strict=True)
            list(pool.map(lambda end: end[0].manager.cleaner.cleanup(end[1], 30), ends))
            judge.fault(CROWD)
        judge.expect("leaks", not (root / "state").exists(), "state is left")


def test_nobody_reaps_what_is_just_being_made(tmp_path: Path, amount: Amount) -> None:
    """A record that another command is about to write looks like one that was never finished."""
    judge = Judge("memory", "reaping while sessions are made")
    for turn in amount.turns(range(1000), 3):
        root = tmp_path / str(turn)
        benches = [_bench(root, number) for number in range(CROWD)]
        reaper, over = _bench(root, CROWD), threading.Event()

        def reap(reaper: Bench = reaper, over: threading.Event = over) -> None:
            while not over.is_set():
                reaper.manager.cleaner.reap()

        thread = threading.Thread(target=reap)
        thread.start()
        try:
            with ThreadPoolExecutor(4) as pool:
                made = list(pool.map(lambda bench: bench.create(start=False), benches))
        finally:
            over.set()
            thread.join()
        judge.fault(CROWD)
        found = {session.id for session in reaper.store.load_all()[0]}
        judge.expect("lost writes", found == set(made), set(made) - found)
        said = [event.message for event in reaper.events if event.subject == "reaped"]
        judge.expect("foreign", not said, said)


def test_reuse_at_once_makes_one_session(tmp_path: Path, amount: Amount) -> None:
    judge = Judge("memory", "create --reuse at once")
    for turn in amount.turns(range(1000), 5):
        root = tmp_path / str(turn)
        benches = [_bench(root, number, "shared") for number in range(10)]
        with ThreadPoolExecutor(10) as pool:
            made = set(pool.map(lambda bench: bench.create(start=False, reuse=True), benches))
        judge.fault(10)
        judge.expect("collisions", len(made) == 1, made)


def _bench(root: Path, number: int, name: str = "") -> Bench:
    folder = root / (name or f"project-{number}")
    (folder / ".git").mkdir(parents=True, exist_ok=True)
    return Bench(root / "state", folder, first=1 + 1000 * number)


def test_local(cli: Cli) -> None:
    crowd(World(cli, "local", f"{CROWD} commands at once"))


def test_docker(docked: Cli) -> None:
    crowd(World(docked, "docker", f"{CROWD} commands at once"))


def crowd(world: World) -> None:
    """Create at once, then clean up at once, each in a checkout of its own."""
    homes = [neighbour(world.cli, f"checkout-{number}") for number in range(CROWD)]
    creating = [home.popen("session", "create", "--json") for home in homes]
    said = [one.communicate(timeout=300) for one in creating]
    world.judge.fault(CROWD)
    for one, (out, err) in zip(creating, said, strict=True):
        world.judge.expect("lies", one.returncode == 0, (out, err))
        world.judge.expect("tracebacks", "Traceback" not in err, err)
    listed = world.run("session", "list", "--json").data()["sessions"]
    world.judge.expect("lies", len(listed) == CROWD + 1, len(listed))
    ports: list[int] = [
        e["port"] for s in listed for v in s["services"].values() for e in endpoints_of(v)
    ]
    world.judge.expect("collisions", len(ports) == len(set(ports)), ports)
    ledger = world.ledger()
    held = [port for session in ledger.values() for port in session.values()]
    world.judge.expect("collisions", len(held) == len(set(held)) == 9 * (CROWD + 1), held)
    for home in homes:
        named = home.variables()["SIMBUILDER_SESSION_ID"]
        world.judge.expect("lies", named in ledger, named)

    cleaning = [home.popen("session", "cleanup", "--json") for home in homes]
    said = [one.communicate(timeout=300) for one in cleaning]
    world.judge.fault(CROWD)
    for one, (out, err) in zip(cleaning, said, strict=True):
        world.judge.expect("leaks", one.returncode == 0, (out, err))
        world.judge.expect("tracebacks", "Traceback" not in err, err)
    world.judge.expect("leaks", set(world.ledger()) == {world.bystander}, world.ledger())
    world.cleaned()
    world.kept()


def test_everybody_on_one_session(cli: Cli, amount: Amount) -> None:
    """One at a time, whoever it is; the rest wait, and in the end nobody was told a lie."""
    world = World(cli, "local", "commands on one session at once")
    for _ in amount.turns(range(1000), 1):
        one = world.create()
        acts = ["start", "stop", "start", "status", "start", "stop"]
        running = [cli.popen("session", act, one, "--json") for act in acts]
        said = [each.communicate(timeout=120) for each in running]
        world.judge.fault(len(acts))
        for each, (out, err) in zip(running, said, strict=True):
            world.judge.expect("lies", each.returncode in (0, 3), (out, err))
            world.judge.expect("tracebacks", "Traceback" not in err, err)
        acts = ["cleanup", "start", "cleanup", "stop"]
        running = [cli.popen("session", act, one, "--json") for act in acts]
        said = [each.communicate(timeout=120) for each in running]
        world.judge.fault(len(acts))
        for each, (out, err) in zip(running, said, strict=True):
            world.judge.expect("lies", each.returncode in (0, 3, 4), (out, err))
            world.judge.expect("tracebacks", "Traceback" not in err, err)
        world.cleaned()
    world.kept()


def test_whoever_waits_in_vain_is_told_for_whom(tmp_path: Path) -> None:
    bench, again = _bench(tmp_path, 0), _bench(tmp_path, 1)
    one = bench.create()
    began = time.monotonic()
    with bench.store.lock(one, 0, bench.events.append):
        with pytest.raises(SimBuilderError, match=r"pid \d+, '.*pytest.*', since \d\d:\d\d:\d\d"):
            again.manager.stop(one, 0.3)
        assert 0.3 <= time.monotonic() - began < 5
        # no session waits for another one's
        other = again.create()
        again.manager.stop(other, 0)
    notes: list[Any] = [e for e in again.events if "waiting for another command: pid" in e.message]
    assert len(notes) == 1
