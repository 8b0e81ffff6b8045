"""The data of docker sessions: real servers held still, copied, killed on the way."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import pytest
from neo4j import GraphDatabase

from simbuilder.composition import new_secret
from simbuilder.runtimes import volumes
from simbuilder.runtimes.canaries import RealCanaries
from simbuilder.runtimes.compose import ComposeRuntime
from simbuilder.runtimes.engine import Engine
from simbuilder.runtimes.holding import node_options
from simbuilder.runtimes.volumes import VolumeCopies
from simbuilder.runtimes.workers import Workers, mount
from simbuilder.scaffolding.exceptions import EngineError, NotHeldError
from simbuilder.sessions import envfile
from simbuilder.sessions.model import Session
from simbuilder.sessions.runtime import Data
from tests.acceptance.docker import docker, inspect, left_of
from tests.contract.test_runtime import SERVICES, Case, compose_case

pytestmark = pytest.mark.timeout(400)
TOKEN, LATER = "a" * 40, "b" * 40
canaries = RealCanaries()


@pytest.fixture(scope="module")
def case(docker_images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    made = compose_case(tmp_path_factory.mktemp("volumes") / "docker", docker_images)
    yield made
    for one in made.made:
        made.runtime.remove(one.id)
        assert left_of(one.id) == []


@pytest.fixture(scope="module")
def source(case: Case) -> Session:
    """A session that runs once for all tests."""
    one = new(case)
    began(case, one)
    return one


def new(case: Case, **change: Any) -> Session:
    secrets = {service: new_secret(service) for service in SERVICES}
    case.made.append(replace(case.session(), secrets=secrets, **change))
    return case.made[-1]


def began(case: Case, one: Session) -> None:
    outcomes = case.runtime.start(one, one.services, 120, print)
    assert all(outcome.health.ready for outcome in outcomes.values()), outcomes


def copies_of(case: Case) -> VolumeCopies:
    assert isinstance(case.runtime, ComposeRuntime)
    return case.runtime.copies


def states(one: Session) -> set[str]:
    names = [f"{one.project}-{service}-1" for service in one.services]
    return {facts["State"]["Status"] for facts in inspect("inspect", *names)}


def until(true: Callable[[], bool], timeout_s: float) -> float:
    """Return how many seconds it takes."""
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < timeout_s
        time.sleep(0.02)
    return time.monotonic() - start


# --- what is in a copy -------------------------------------------------------------------------


def graph(one: Session, query: Any) -> list[Any]:
    env = envfile.variables(one)
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        return [record.values() for record in driver.execute_query(query).records]


async def _consume(one: Session, publish: int) -> list[str]:
    """Publish so many, then take one message as the consumer `reader`; return it, acknowledged."""
    connection = await nats.connect(envfile.nats_url(one), allow_reconnect=False)
    stream = connection.jetstream()
    await stream.add_stream(name="counted", subjects=["counted"])
    for number in range(publish):
        await stream.publish("counted", str(number).encode())
    reader = await stream.pull_subscribe("counted", durable="reader")
    (message,) = await reader.fetch(1, timeout=5)
    await message.ack_sync()
    await connection.close()
    return message.data.decode()


def consume(one: Session, publish: int = 0) -> str:
    return str(asyncio.run(_consume(one, publish)))


def test_a_fork_has_all_of_it_and_its_source_runs_on(case: Case, source: Session) -> None:
    graph(source, "CREATE CONSTRAINT one FOR (n:User) REQUIRE n.id IS UNIQUE")
    graph(source, "CREATE INDEX two FOR (n:User) ON (n.mail)")
    graph(source, "CREATE (:User {id: 1, mail: 'a@example.org'})-[:KNOWS]->(:User {id: 2})")
    assert consume(source, publish=3) == "0"
    for service in SERVICES:
        canaries.write(source, service, TOKEN)
    anonymous = set(docker("volume", "ls", "-q", "--filter", "dangling=true").split())
    fork = new(case)
    with copies_of(case).held(source, SERVICES) as since:
        assert states(source) == {"paused"}
        copies_of(case).copy(Data(source), Data(fork), SERVICES, print)
    pause_s = time.monotonic() - since
    assert states(source) == {"running"}
    for service in SERVICES:
        canaries.write(source, service, LATER)  # nobody waits for anything any more
    assert time.monotonic() - since < pause_s + 5
    copies_of(case).adopt(fork)
    assert consume(source) == "1"
    alike(source, fork)
    began(case, fork)

    assert graph(fork, "MATCH (a:User)-[:KNOWS]->(b) RETURN a.id, b.id") == [[1, 2]]
    assert graph(fork, "SHOW CONSTRAINTS YIELD name") == [["one"]]
    found = graph(fork, "SHOW INDEXES YIELD name, state WHERE name <> 'one' RETURN name, state")
    assert ["two", "ONLINE"] in found
    assert consume(fork) == "1"
    assert consume(fork) == "2"
    for service in SERVICES:
        for kind, tokens in canaries.found(fork, service).items():
            assert set(tokens) == {TOKEN}, kind
        assert canaries.refuses(fork, service, source.secrets[service])
        canaries.remove(fork, service, TOKEN)
        assert all(set(t) == {TOKEN, LATER} for t in canaries.found(source, service).values())
    case.runtime.remove(fork.id)
    left = set(docker("volume", "ls", "-q", "--filter", "dangling=true").split()) - anonymous
    assert not [name for name in left if len(name) == 64]


def alike(source: Session, fork: Session) -> None:
    """The volumes of a copy are to Compose what those are that it makes itself."""
    for service in SERVICES:
        made, copied = (
            inspect("volume", "inspect", f"{one.project}_{service}-data")[0]["Labels"]
            for one in (source, fork)
        )
        own = {"com.docker.compose.version", "com.docker.compose.config-hash"}
        expected = {key: value for key, value in made.items() if key not in own}
        expected |= {
            "com.docker.compose.project": fork.project,
            "io.simbuilder.session": fork.id,
        }
        assert copied == expected


# --- who holds and dies ------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from simbuilder.runtimes.compose import ComposeRuntime
from simbuilder.scaffolding.environment import CONTAINERS
from simbuilder.sessions.model import from_record
from simbuilder.sessions.runtime import Data
import json
source, target, settings = map(json.loads, sys.argv[2:])
copies = ComposeRuntime(Path(sys.argv[1]), CONTAINERS | settings, owner=sys.argv[1]).copies
source = from_record(source)
with copies.held(source, source.services):
    if target is not None:
        copies.copy(Data(source), Data(source, target), source.services, print)
    print("held", flush=True)
    time.sleep(60)
"""
