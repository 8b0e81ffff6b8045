"""Forks of a session whose clients never stop writing, judged by what was acknowledged to them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from simbuilder.scaffolding import dotenv
from tests.acceptance import clients
from tests.acceptance.conftest import Cli
from tests.chaos.conftest import Amount
from tests.chaos.world import World
from tests.chaos.writers import FOREIGN, Crowd, Env, Position

pytestmark = pytest.mark.timeout(3600)

FORKS_OF_ONE = 3
"""Then a new source: what is read is never more than can be read in seconds.

The writer of `Position` has 20,000 messages to take, enough for six minutes.
"""


def test_local(cli: Cli, amount: Amount) -> None:
    fork_under_writes(World(cli, "local", "fork under writes"), amount, 2)


def test_docker(docked: Cli, amount: Amount) -> None:
    # where the writers take both cores, the fork's Neo4j needs minutes to start
    fork_under_writes(World(docked, "docker", "fork under writes"), amount, 1, pace=3)


def fork_under_writes(world: World, amount: Amount, few: int, pace: float = 1) -> None:
    """Fork again and again; `pace` stretches the pauses between two numbers."""
    turns = iter(amount.turns(range(10_000), few))
    while forks := len(list(islice(turns, FORKS_OF_ONE))):
        made = world.run("session", "create", "--start-containers", "--json")
        assert made.status == 0, made.out
        source = str(made.data()["session"]["id"])
        with writing(world, world.cli.variables(), pace) as crowd:
            for _ in range(forks):
                forked(world, source, crowd)
        world.cleaned()
    world.kept()


@contextmanager
def writing(world: World, env: Env, pace: float) -> Iterator[Crowd]:
    """Let clients write meanwhile; in the end the session has all of it, and nothing else."""
    crowd = Crowd(env, pace=pace)
    try:
        crowd.go_on()
        yield crowd
        with judging(world, "lost writes", "in the source"):
            crowd.end()
    finally:
        crowd.close()


def forked(world: World, source: str, crowd: Crowd) -> None:
    began = time.monotonic()
    # how long it takes is not judged here
    said = world.run("session", "fork", source, "--timeout", "240", "--json")
    most = [written + 1 for written in crowd.written()]
    least = [stream.before(began) for stream in crowd.streams]
    world.judge.fault()
    world.judge.expect("lies", said.status == 0, said.out)
    with judging(world, "foreign", "the source"):
        crowd.go_on()
    told = said.data()
    waited = max(stream.longest_wait(began) for stream in crowd.streams)
    # they also wait for a processor while the new servers start
    world.judge.expect("lies", 0 < told["pause_s"] < waited + 0.1, (told["pause_s"], waited))
    env = dotenv.parse(Path(told["session"]["env_file"]).read_text())[0]
    separate(world, world.cli.variables(), env, (source, told))
    readers = [type(stream.writer)(env) for stream in crowd.streams]
    try:
        found = []
        for stream, reader, low, high in zip(crowd.streams, readers, least, most, strict=True):
            with judging(world, "lost writes", stream.name):
                found.append(reader.read())
                assert low <= found[-1] <= high, (low, found[-1], high)
        crowd.go_on()
        for reader, before in zip(readers, found, strict=True):
            with judging(world, "foreign", f"{type(reader).__name__} of the fork"):
                assert reader.read() == before
                if isinstance(reader, Position):
                    assert reader.goes_on() == before + 1
                else:
                    reader.write(FOREIGN)  # which the source must not have in the end
    finally:
        for reader in readers:
            reader.close()
    done = world.run("session", "cleanup", told["session"]["id"], "--json")
    world.judge.expect("leaks", done.status == 0, done.out)


def separate(world: World, old: Env, new: Env, which: tuple[str, Any]) -> None:
    """Check that a fork has nothing in common with its source but its data."""
    source, told = which
    expect = world.judge.expect
    expect("lies", told["forked_from"] == source, told)
    expect("lies", told["session"]["state"] == "running", told)
    own = ("SIMBUILDER_SESSION_ID", "NEO4J_PASSWORD", "NATS_PASSWORD", "AZURITE_ACCOUNTS")
    ports = [name for name in old if name.endswith("_PORT")]
    assert len(ports) >= 7
    same = [name for name in (*own, *ports) if old[name] == new[name]]
    expect("collisions", not same, same)
    expect("foreign", clients.graph_refuses(new, old["NEO4J_PASSWORD"]), "graph")
    expect("foreign", clients.bus_refuses(new, old["NATS_PASSWORD"]), "bus")
    expect("foreign", clients.blob_refuses(new, clients.blob_key(old)), "blobs")


@contextmanager
def judging(world: World, kind: str, where: str) -> Iterator[None]:
    """Count a failed assertion as a wrong of this kind."""
    try:
        yield
    except AssertionError as error:
        world.judge.expect(kind, False, f"{where}: {error}")
