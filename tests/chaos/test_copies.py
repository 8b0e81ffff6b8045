"""Commands that copy a session, broken off: killed at their effects and at any moment, interrupted.

The source runs on, nothing half-made is there after the next command, and a restore is done or not.
"""

import os
import random
import signal
import time
from itertools import count
from pathlib import Path

import psutil
import pytest

from simbuilder.scaffolding import dotenv, process
from simbuilder.scaffolding.files import folder_lock
from tests.acceptance import clients
from tests.acceptance.conftest import Cli, before_us
from tests.chaos.conftest import Amount
from tests.chaos.test_machine import small_disk
from tests.chaos.world import NATS, World

pytestmark = pytest.mark.timeout(3600)

START = "--start-containers"
BROKEN_OFF = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
ACTS = ("fork", "restore", "save", "export", "import", "delete")
_numbers = count(1)


class Scene:
    """A session that runs and has a snapshot, and a file that holds it."""

    def __init__(self, world: World, *services: str) -> None:
        self.world = world
        made = world.run("session", "create", START, *services, "--json")
        assert made.status == 0, made.out
        self.id = str(made.data()["session"]["id"])
        self.env = world.cli.variables()
        self.file = world.cli.home / "lab.simbuilder"
        self.file.unlink(missing_ok=True)
        clients.bus_write(self.env, "early")
        for words in (("snapshot", "save", "kept"), ("export", str(self.file))):
            assert world.run("session", *words).status == 0
        clients.bus_write(self.env, "late")

    def command(self, act: str) -> tuple[str, ...]:
        new = self.world.cli.home / f"new{next(_numbers)}.simbuilder"
        words = {
            "fork": ("fork", self.id),
            "save": ("snapshot", "save", "other", self.id),
            "restore": ("snapshot", "restore", "kept", self.id),
            "delete": ("snapshot", "delete", "kept", self.id),
            "export": ("export", str(new), self.id),
            "import": ("import", str(self.file)),
        }
        return ("session", *words[act])

    def judge(self, act: str) -> None:
        """Check all that must hold however a command ended."""
        expect = self.world.judge.expect
        began = time.monotonic()
        if act != "restore":
            clients.bus_write(self.env, "after")
        waited = time.monotonic() - began
        expect("foreign", waited < (2 if self.world.runtime == "local" else 6), f"{waited} s")
        found = self.world.sessions(whole=False)
        if self.world.runtime == "local":
            self._nothing_half_made()
        for session in found:
            if session["id"] != self.id and session["state"] != "removing":
                expect("lost writes", self.holds(session) == _made(act), "a half-made session")
        texts = self.holds(next(s for s in found if s["id"] == self.id))
        if act == "restore":
            expect("lost writes", texts in ({"early"}, {"early", "late"}), texts)
        else:
            expect("lost writes", texts == {"early", "late", "after"}, texts)
        if act == "delete":
            return
        done = self.world.run("session", "snapshot", "restore", "kept", self.id, "--json")
        expect("lies", done.status == 0, done.out)
        texts = clients.bus_read(self.env, "last")
        expect("lost writes", texts == {"early"}, texts)

    def holds(self, session: dict[str, object]) -> set[str]:
        done = self.world.run("session", "start", str(session["id"]), "--json")
        self.world.judge.expect("lies", done.status == 0, done.out)
        file = Path(done.data()["session"]["env_file"])
        return clients.bus_read(dotenv.parse(file.read_text())[0], f"reader{next(_numbers)}")

    def _nothing_half_made(self) -> None:
        state, home = self.world.cli.state, self.world.cli.home
        names = ("copying", "packing", "swapping", "removing")
        paths = [*state.rglob("*"), *home.glob(".*"), *home.glob("*")]
        ends = (".copying", ".simbuilder-tmp")
        left = [str(p) for p in paths if p.name in names or p.name.endswith(ends)]
        papers = {p.stem for p in state.glob(f"sessions/{self.id}/snapshots/*.json")}
        data = {p.name for p in state.glob(f"local/{self.id}/snapshots/*")}
        expect = self.world.judge.expect
        expect("leaks", not left, left)
        expect("leaks", papers == data, (papers, data))
        ours = [i for i in process.marked() if i.mark.startswith(self.id)]
        stopped = [i.mark for i in ours if psutil.Process(i.pid).status() == psutil.STATUS_STOPPED]
        expect("foreign", not stopped, stopped)

    def end(self) -> None:
        self.world.cleaned()
        self.file.unlink()
        for file in self.world.cli.home.glob("new*.simbuilder"):
            file.unlink()


def _made(act: str) -> set[str]:
    return {"early"} if act == "import" else {"early", "late"}


def test_killed_at_an_effect(cli: Cli, rng: random.Random, amount: Amount) -> None:
    world = World(cli, "local", "copying killed at an effect")
    effects: dict[str, int] = {}
    for act in amount.turns(ACTS * 1000, 3):
        scene = Scene(world, *NATS)
        if act not in effects:
            effects[act] = world.effects(*scene.command(act))
            scene.end()
            scene = Scene(world, *NATS)
        if world.dies(rng.randint(1, effects[act]), *scene.command(act)):
            world.judge.fault()
        scene.judge(act)
        scene.end()
    world.kept()


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_broken_off_at_any_moment(
    request: pytest.FixtureRequest, runtime: str, rng: random.Random, amount: Amount
) -> None:
    """With Azurite, too, which has to be let go in another way."""
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    world = World(cli, runtime, "copying broken off at any moment")
    turns = [(act, sign) for act in ACTS for sign in BROKEN_OFF]
    rng.shuffle(turns)
    for act, sign in amount.turns(turns * 100, 3 if runtime == "local" else 2):
        scene = Scene(world, "--services", "nats,azurite")
        running = cli.popen(*scene.command(act))
        time.sleep(rng.uniform(0.1, 0.8 if runtime == "local" else 4))
        running.send_signal(sign)
        _, err = running.communicate(timeout=60)
        fine = "Traceback" not in err or before_us(err)
        world.judge.expect("tracebacks", fine, err)
        if running.returncode != 0:
            world.judge.fault()
            told = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}[sign]
            world.judge.expect("lies", running.returncode in (told, -sign), (sign, err))
        scene.judge(act)
        scene.end()
    world.kept()


def test_forks_of_sessions_that_are_not_well(cli: Cli) -> None:
    world = World(cli, "local", "fork of a session that is not well")
    scene = Scene(world, "--services", "nats,azurite")
    expect = world.judge.expect

    def forks(state: str, number: int = 1) -> None:
        world.judge.fault()
        running = [cli.popen(*scene.command("fork"), "--json") for _ in range(number)]
        for one in running:
            out, err = one.communicate(timeout=60)
            expect("lies", one.returncode == 0, (out, err))
        known = {s["id"]: s for s in world.sessions()}
        expect("foreign", known.pop(scene.id)["state"] == state, state)
        expect("lies", len(known) == number, known)
        for session in known.values():
            expect("lost writes", scene.holds(session) == {"early", "late"}, session)
            assert world.run("session", "cleanup", session["id"]).status == 0

    assert world.run("session", "stop").status == 0
    forks("stopped")
    assert world.run("session", "start").status == 0
    forks("running", 2)
    ours = [i for i in process.marked() if i.mark.startswith(f"{scene.id}:nats")]
    for item in ours:
        psutil.Process(item.pid).kill()
    forks("degraded")

    with folder_lock(cli.state / "sessions" / scene.id, 1, "it"):
        said = world.run(*scene.command("fork"), "--timeout", "1", "--json")
    expect("lies", said.envelope()["problems"][0]["code"] == "busy", said.out)
    (cli.state / "sessions" / scene.id / "removing").touch(0o600)
    said = world.run(*scene.command("fork"), "--json")
    expect("lies", said.status != 0, said.out)
    scene.end()
    world.kept()


def test_copying_on_a_disk_that_is_full(cli: Cli, request: pytest.FixtureRequest) -> None:
    world = World(cli, "local", "copying on a full disk")
    assert world.run("session", "cleanup", world.bystander).status == 0
    with small_disk(cli.home / "disk", request, "size=48m") as disk:
        cli.env["SIMBUILDER_STATE_DIR"] = str(disk / "state")
        made = world.cli("session", "create", START, *NATS, "--json")
        assert made.status == 0, made.out
        one, env = made.data()["session"]["id"], world.cli.variables()
        clients.bus_write(env, "early")
        clients.bus_write(env, "x" * 900_000)
        clients.bus_write(env, "y" * 900_000)
        assert world.run("session", "snapshot", "save", "kept").status == 0
        clients.bus_write(env, "late")
        before = clients.bus_read(env, "before")
        file = cli.home / "lab.simbuilder"
        acts = (("fork",), ("snapshot", "save", "b"), ("snapshot", "restore", "kept"))
        for words in (*acts, ("export", str(file))):
            ballast = disk / "ballast"
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            ballast.write_bytes(bytes(free - (1 << 20)))
            world.judge.fault()
            said = world.run("session", *words, "--json")
            world.judge.expect("lies", said.status == 1, (words, said.out))
            told = said.envelope()["problems"][0]["message"]
            world.judge.expect("lies", "disk is full" in told, told)
            ballast.unlink()
            listed = world.run("session", "list", "--json").data()["sessions"]
            states = [(s["id"], s["state"]) for s in listed]
            world.judge.expect("leaks", states == [(one, "running")], (words, states))
            papers = world.run("session", "snapshot", "list", "--json").data()["snapshots"]
            world.judge.expect("leaks", [p["name"] for p in papers] == ["kept"], papers)
            left = [str(p) for p in disk.rglob("*") if p.name in ("copying", "packing")]
            left += [str(p) for p in disk.rglob("*.copying")]
            world.judge.expect("leaks", not left, left)
            found = clients.bus_read(env, f"after{next(_numbers)}")
            world.judge.expect("lost writes", found == before, words)
        assert not file.exists()
        for words in acts:
            assert world.run("session", *words).status == 0
        assert world.run("session", "cleanup", "--all", "--yes").status == 0
