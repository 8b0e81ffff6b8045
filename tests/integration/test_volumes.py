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
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import nats
import pytest
from neo4j import GraphDatabase

from simbuilder.composition import new_secret
from simbuilder.runtimes.canaries import RealCanaries
from simbuilder.runtimes.docker.compose import ComposeRuntime
from simbuilder.runtimes.docker.engine import Engine
from simbuilder.runtimes.docker.holding import node_options
from simbuilder.runtimes.docker.project import COMPOSE_FILE
from simbuilder.runtimes.docker.volumes import VolumeCopies
from simbuilder.runtimes.docker.workers import Workers, mount
from simbuilder.scaffolding.exceptions import EngineError, NotHeldError
from simbuilder.sessions import envfile
from simbuilder.sessions.model import Session, to_record
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


def graph(one: Session, query: LiteralString) -> list[list[Any]]:
    env = envfile.variables(one)
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        records, _, _ = driver.execute_query(query)
        return [list(record) for record in records]


async def _consume(one: Session, publish: int) -> str:
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
    return asyncio.run(_consume(one, publish))


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

HOLDER = """
import json, sys, time
from pathlib import Path
from simbuilder.runtimes.docker.compose import ComposeRuntime
from simbuilder.scaffolding.environment import CONTAINERS
from simbuilder.sessions.model import from_record
from simbuilder.sessions.runtime import Data

root, record, snapshot, *named = sys.argv[1:]
images = dict(name.split("=", 1) for name in named)
source = from_record(json.loads(Path(record).read_text()))
copies = ComposeRuntime(Path(root), CONTAINERS | images, owner=root).copies
with copies.held(source, source.services):
    print("held", flush=True)
    if snapshot:
        copies.copy(Data(source), Data(source, snapshot), source.services, print)
    time.sleep(60)
"""


@contextmanager
def holder(
    case: Case, source: Session, folder: Path, snapshot: str = "", path: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the session, and copies it to a snapshot."""
    record = folder / "record.json"
    record.write_text(json.dumps(to_record(source)))
    named = [f"{name}={image}" for name, image in settings(case).items()]
    argv = [sys.executable, "-c", HOLDER, case.owner, str(record), snapshot, *named]
    env = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=lambda sign: sign.name)
def test_whoever_holds_and_dies_lets_go(
    case: Case, source: Session, tmp_path: Path, sign: signal.Signals
) -> None:
    with holder(case, source, tmp_path) as process:
        assert states(source) == {"paused"}
        process.send_signal(sign)
        assert until(lambda: states(source) == {"running"}, 10) < 3
        began = time.monotonic()
        canaries.found(source, "azurite")
        assert time.monotonic() - began < 5  # by itself it would go on after a minute


def test_what_a_copy_does_after_its_command_is_not_believed(
    case: Case, source: Session, tmp_path: Path
) -> None:
    shim = tmp_path / "docker"
    killing = 'case "$1" in run) kill -9 $PPID ;; esac'
    shim.write_text(f'#!/bin/sh\n{killing}\nexec {shutil.which("docker")} "$@"\n')
    shim.chmod(0o755)
    with holder(case, source, tmp_path, "torn", str(tmp_path)) as process:
        assert process.wait(20) == -signal.SIGKILL
        until(lambda: states(source) == {"running"}, 10)
    with pytest.raises(EngineError, match="gone"):
        copies_of(case).copy(Data(source, "torn"), Data(source), SERVICES, print)
    copies_of(case).settle(source)
    with copies_of(case).held(source, SERVICES):
        copies_of(case).copy(Data(source), Data(source, "torn"), SERVICES, print)
    assert len(snapshots(source)) == 1
    assert workers(source) == []
    copies_of(case).drop(Data(source, "torn"))
    assert snapshots(source) == []


def snapshots(one: Session) -> list[str]:
    shown = docker("volume", "ls", "-q", "--filter", f"label=io.simbuilder.session={one.id}")
    return [name for name in shown.split() if "_snapshot-" in name]


def workers(one: Session) -> list[str]:
    name = f"name={one.project}-copying"
    return docker("ps", "--all", "--quiet", "--filter", name).split()


# --- what cannot be held, and what stays as it was ---------------------------------------------


def test_servers_go_on_when_something_goes_wrong_meanwhile(case: Case, source: Session) -> None:
    with pytest.raises(ZeroDivisionError), copies_of(case).held(source, SERVICES):
        raise ZeroDivisionError
    assert states(source) == {"running"}
    with (
        pytest.raises(NotHeldError, match="did not stand still to the end"),
        copies_of(case).held(source, SERVICES),
    ):
        docker("unpause", f"{source.project}-nats-1")
    assert states(source) == {"running"}


def test_what_somebody_else_has_paused_stays_so(case: Case, source: Session) -> None:
    name = f"{source.project}-nats-1"
    docker("pause", name)
    try:
        with copies_of(case).held(source, SERVICES):
            assert states(source) == {"paused"}
        assert inspect("inspect", name)[0]["State"]["Status"] == "paused"
    finally:
        docker("unpause", name)
    name = f"{source.project}-azurite-1"
    docker("pause", name)
    try:
        with (
            pytest.raises(NotHeldError, match="in memory"),
            copies_of(case).held(source, SERVICES),
        ):
            pytest.fail("its index is in no file")
    finally:
        docker("unpause", name)


def test_an_azurite_without_the_hook_is_refused(
    case: Case, source: Session, tmp_path: Path
) -> None:
    name = f"{source.project}-azurite-1"
    given = inspect("inspect", name)[0]["Config"]["Env"]
    assert f"NODE_OPTIONS={node_options()}" in given
    by_hand = tmp_path / ".env.session"
    images = "".join(f"{s.upper()}_IMAGE={docker_image(source, s)}\n" for s in SERVICES)
    by_hand.write_text(envfile.render(source) + images)
    given = ["compose", "--file", str(COMPOSE_FILE), "--env-file", str(by_hand)]
    docker(*given, "-p", source.project, "up", "-d", "--pull", "never", "azurite")
    until(lambda: case.runtime.probe(source, ["azurite"], 1)["azurite"].ready, 30)
    with (
        pytest.raises(NotHeldError, match="older version") as caught,
        copies_of(case).held(source, SERVICES),
    ):
        pytest.fail("nothing can hold it")
    assert "start it" in caught.value.hint
    assert states(source) == {"running"}
    case.runtime.stop(source.id, ["azurite"])
    case.runtime.start(source, ["azurite"], 60, print)
    with copies_of(case).held(source, SERVICES):
        assert states(source) == {"paused"}


def docker_image(one: Session, service: str) -> str:
    return str(inspect("inspect", f"{one.project}-{service}-1")[0]["Config"]["Image"])


# --- copies take their places whole, or not at all ----------------------------------------------


@pytest.fixture
def never(case: Case) -> Session:
    """A session that was never started: what is in its volumes is for us to say."""
    return new(case)


def written(folder: Path, text: str) -> Path:
    for service in SERVICES:
        for name in ("file", ".hidden", "deep/er/file"):
            path = folder / text / service / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text} {service} {name}")
    return folder / text


def read(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def kept(case: Case, one: Session, folder: Path) -> dict[str, str]:
    """What the session has now."""
    shutil.rmtree(folder, ignore_errors=True)
    copies_of(case).pack(Data(one), SERVICES, folder, print)
    return read(folder)


def test_whoever_dies_has_copied_all_or_nothing(case: Case, never: Session, tmp_path: Path) -> None:
    copies, seen = copies_of(case), tmp_path / "seen"
    old, new_ = written(tmp_path, "old"), written(tmp_path, "new")
    copies.unpack(old, Data(never), SERVICES, print)
    copies.adopt(never)
    assert kept(case, never, seen) == read(old)
    copies.unpack(new_, Data(never), SERVICES, print)
    copies.settle(never)  # as the next start does, if we have died before `adopt`
    assert kept(case, never, seen) == read(old)

    copies.unpack(new_, Data(never), SERVICES, print)
    home = Path(case.owner) / never.id
    (home / "copying").rename(home / "swapping")
    halfway = (
        "find . -mindepth 1 -maxdepth 1 ! -name .copying -exec rm -rf {} + && "
        "mv .copying .moving && mv .moving/file ."
    )
    graph_volume = f"{never.project}_neo4j-data"
    at_work = Workers(Engine(), never, settings(case))
    at_work.run([mount(graph_volume)], f"cd /{graph_volume} && {halfway}")
    left = ("--name", f"{never.project}-copying", "--entrypoint", "sleep")
    docker("run", "-d", *left, at_work._shell_image(), "60")  # of the command that died
    copies.settle(never)
    assert kept(case, never, seen) == read(new_)
    said = at_work.run([mount(graph_volume)], f"cd /{graph_volume} && stat -c %U . file .hidden")
    assert said == ["neo4j"] * 3
    assert workers(never) == []


def test_a_snapshot_is_replaced_whole_and_missed_when_it_is_gone(
    case: Case, never: Session, tmp_path: Path
) -> None:
    copies = copies_of(case)
    old = written(tmp_path, "old")
    copies.unpack(old, Data(never), SERVICES, print)
    copies.adopt(never)
    copies.copy(Data(never), Data(never, "kept"), SERVICES, print)
    (first,) = snapshots(never)
    copies.copy(Data(never), Data(never, "kept"), SERVICES, print)
    (second,) = snapshots(never)
    assert second != first
    broken = replace(never, images={"neo4j": "simbuilder-test/none:none"})
    with pytest.raises(EngineError, match="simbuilder-test/none"):
        copies.copy(Data(broken), Data(broken, "kept"), SERVICES, print)
    assert snapshots(never) == [second]
    docker("volume", "rm", second)
    with pytest.raises(EngineError, match="gone"):
        copies.copy(Data(never, "kept"), Data(never), SERVICES, print)
    assert kept(case, never, tmp_path / "seen") == read(old)
    copies.drop(Data(never, "kept"))
    assert not (Path(case.owner) / never.id / "snapshots").exists()


def settings(case: Case) -> dict[str, str]:
    return dict(copies_of(case)._settings)
