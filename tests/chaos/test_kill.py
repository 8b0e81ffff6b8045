"""SIGKILL of the real command at its effects: create, start, stop, cleanup."""

import random
import signal
import time

import pytest

from tests.acceptance.conftest import Cli
from tests.chaos.conftest import Amount
from tests.chaos.world import World

pytestmark = pytest.mark.timeout(3600)

START = "--start-containers"
ACTS = {
    "create": ((), ("session", "create", "--services", "nats", START)),
    "start": (("stopped",), ("session", "start")),
    "stop": (("running",), ("session", "stop")),
    "cleanup": (("running",), ("session", "cleanup")),
}


@pytest.mark.parametrize("act", ACTS)
def test_local(cli: Cli, act: str, rng: random.Random, amount: Amount) -> None:
    kill_at_effects(World(cli, "local", f"command killed in {act}"), act, rng, amount, 4)


@pytest.mark.parametrize("act", ACTS)
def test_docker(docked: Cli, act: str, rng: random.Random, amount: Amount) -> None:
    kill_at_effects(World(docked, "docker", f"command killed in {act}"), act, rng, amount, 2)


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_at_any_moment(
    request: pytest.FixtureRequest, runtime: str, rng: random.Random, amount: Amount
) -> None:
    """Also while a command waits, or the engine works for it; with all three servers."""
    cli: Cli = request.getfixturevalue("cli" if runtime == "local" else "docked")
    world = World(cli, runtime, "command killed at any moment")
    longest = {"create": 1.2, "start": 1.0, "stop": 0.6, "cleanup": 0.4, "verify": 0.5}
    for act in amount.turns([*ACTS, "verify"] * 250, 5):
        given, _ = ACTS.get(act, (("running",), ()))
        if given:
            assert world.run("session", "create", START).status == 0
        if "stopped" in given:
            assert world.run("session", "stop").status == 0
        options = (START,) if act == "create" else ()
        running = cli.popen("session", act, *options)
        time.sleep(rng.uniform(0, longest[act] * (5 if runtime == "docker" else 1)))
        running.kill()
        running.communicate()
        if running.returncode == -signal.SIGKILL:
            world.judge.fault()
        world.sessions(whole=False)
        if act == "verify":
            world.verified()
        world.cleaned(whole=False)
    world.kept()


def kill_at_effects(world: World, act: str, rng: random.Random, amount: Amount, few: int) -> None:
    given, command = ACTS[act]
    prepare(world, given)
    total = world.effects(*command)
    world.cleaned()
    points = rng.sample(range(1, total + 1), total)
    for at in amount.turns(points, few):
        prepare(world, given)
        if world.dies(at, *command):
            world.judge.fault()
        world.sessions()
        if act in ("start", "stop"):
            world.victim_kept()
        world.cleaned()
    world.kept()


def prepare(world: World, given: tuple[str, ...]) -> None:
    if given:
        world.create(START)
    if "stopped" in given:
        assert world.run("session", "stop").status == 0
