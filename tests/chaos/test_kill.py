"""SIGKILL of the real command at its effects: create, start, stop, cleanup."""

import random

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
    kill_at_effects(World(cli, "local", f"command killed in {act}"), act, rng, amount(6, 1000))


@pytest.mark.parametrize("act", ACTS)
def test_docker(docked: Cli, act: str, rng: random.Random, amount: Amount) -> None:
    kill_at_effects(World(docked, "docker", f"command killed in {act}"), act, rng, amount(3, 1000))


def kill_at_effects(world: World, act: str, rng: random.Random, most: int) -> None:
    given, command = ACTS[act]
    prepare(world, given)
    total = world.effects(*command)
    world.cleaned()
    points = sorted(rng.sample(range(1, total + 1), min(most, total)))
    for at in points:
        prepare(world, given)
        world.dies(at, *command)
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
