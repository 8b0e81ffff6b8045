"""The seam's contract, once, bound to every runtime.

What a runtime is asked for here, the manager relies on; a third runtime costs one more `Case`.
"""

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from simbuilder.runtimes.docker.compose import ComposeRuntime
from simbuilder.runtimes.local import LocalRuntime
from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import CONTAINERS
from simbuilder.sessions.model import Observed, Session, State
from simbuilder.sessions.port_manager import PortRange, allocate, bindable
from simbuilder.sessions.result import Event
from simbuilder.sessions.runtime import Runtime
from tests.support import PORT_RANGE, session

SERVICES = ("neo4j", "nats", "azurite")


@dataclass
class Case:
    """A runtime under test, how to kill one of its servers, and what it is told of."""

    runtime: Runtime
    kill: Callable[..., None]
    base: Callable[[], int]
    owner: str = ""
    made: list[Session] = field(default_factory=list)

    def session(self) -> Session:
        """A new session with an id nobody else has: several suites can share one engine."""
        self.made.append(
            replace(
                session(base=self.base()),
                id=str(uuid.uuid4()),
                runtime=self.runtime.name,
                owner=self.owner,
            )
        )
        return self.made[-1]


def memory_case() -> Case:
    runtime = MemoryRuntime()
    return Case(runtime, lambda s, service: runtime.kill(s.id, service), free_blocks())


def free_blocks() -> Callable[[], int]:
    taken: set[int] = set()

    def base() -> int:
        found = allocate(PortRange(*PORT_RANGE), taken, lambda port: not bindable(port))
        taken.update(range(found, found + 10))
        return found

    return base


def local_case(root: Path, cache: Path) -> Case:
    def kill(victim: Session, service: str, sign: signal.Signals = signal.SIGKILL) -> None:
        for item in process.marked():
            if item.mark == f"{victim.id}:{service}:{root}" and item.pid != item.group:
                os.kill(item.pid, sign)

    return Case(LocalRuntime(root, cache), kill, free_blocks())


def compose_case(root: Path, images: dict[str, str]) -> Case:
    def kill(victim: Session, service: str, sign: signal.Signals = signal.SIGKILL) -> None:
        name = f"{victim.project}-{service}-1"
        subprocess.run(["docker", "kill", f"--signal={sign.name}", name], check=True)

    settings = CONTAINERS | images
    runtime = ComposeRuntime(root, settings, owner=str(root))
    return Case(runtime, kill, free_blocks(), owner=str(root))


@pytest.fixture(params=["memory", "local", "docker"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "memory":
        made = memory_case()
    elif request.param == "local":
        made = local_case(tmp_path / "local", request.getfixturevalue("local_servers"))
    else:
        made = compose_case(tmp_path / "docker", request.getfixturevalue("docker_images"))
    yield made
    for one in made.made:
        made.runtime.remove(one.id)


def start(case: Case, one: Session, services: tuple[str, ...] = SERVICES) -> None:
    outcomes = case.runtime.start(one, services, 60, print)
    assert {s: o.health.ready for s, o in outcomes.items()} == dict.fromkeys(services, True)


def states(case: Case, one: Session) -> dict[str, State]:
    seen = case.runtime.observe([one.id]).get(one.id, {})
    return {s: seen[s].state if s in seen else State.STOPPED for s in SERVICES}


def test_the_life_of_a_session(case: Case) -> None:
    one, two = case.session(), case.session()
    events: list[Event] = []
    case.runtime.prepare(SERVICES, {}, events.append)
    assert states(case, one) == dict.fromkeys(SERVICES, State.STOPPED)
    assert not any(h.ready for h in case.runtime.probe(one, SERVICES, 2).values())

    outcomes = case.runtime.start(one, SERVICES, 60, events.append)
    assert all(o.health.ready and o.health.product and o.health.version for o in outcomes.values())
    assert {e.subject for e in events if e.kind == "done"} >= set(SERVICES)
    assert states(case, one) == dict.fromkeys(SERVICES, State.RUNNING)
    assert all(h.ready for h in case.runtime.probe(one, SERVICES, 5).values())

    start(case, two)
    case.runtime.stop(one.id, ["nats"])
    assert states(case, one)["nats"] is State.STOPPED
    assert states(case, one)["neo4j"] is State.RUNNING
    assert states(case, two)["nats"] is State.RUNNING
    case.runtime.stop(one.id, SERVICES)
    case.runtime.stop(one.id, SERVICES)
    assert states(case, one) == dict.fromkeys(SERVICES, State.STOPPED)
    start(case, one)

    case.runtime.remove(one.id)
    case.runtime.remove(one.id)
    assert one.id not in case.runtime.traces()
    assert states(case, two) == dict.fromkeys(SERVICES, State.RUNNING)
    case.runtime.remove(two.id)
    assert case.runtime.traces() == set()


def test_a_killed_server_leaves_its_exit_status_and_can_be_started_again(case: Case) -> None:
    one = case.session()
    start(case, one, ("nats",))
    case.kill(one, "nats")
    for _ in range(200):
        seen = case.runtime.observe([one.id])[one.id]["nats"]
        if seen.state is State.STOPPED and seen.exit_status is not None:
            break
        time.sleep(0.02)
    assert (seen.state, seen.exit_status) == (State.STOPPED, 137)
    assert case.runtime.log_tails(one.id, ["nats"])["nats"]
    start(case, one, ("nats",))
    assert case.runtime.observe([one.id])[one.id]["nats"].exit_status is None


def test_stopping_on_purpose_leaves_no_exit_status(case: Case) -> None:
    one = case.session()
    start(case, one, ("nats", "azurite"))
    case.kill(one, "azurite")
    case.runtime.stop(one.id, ("nats", "azurite"))
    seen = case.runtime.observe([one.id]).get(one.id, {})
    assert {s.exit_status for s in seen.values()} <= {None}
    assert {s.state for s in seen.values()} <= {State.STOPPED}


def test_one_that_does_not_listen_is_stopped_all_the_same(real: Case) -> None:
    one = real.session()
    start(real, one, ("nats",))
    real.kill(one, "nats", signal.SIGSTOP)
    began = time.monotonic()
    real.runtime.stop(one.id, ("nats",))
    assert time.monotonic() - began < 30
    seen = real.runtime.observe([one.id]).get(one.id, {}).get("nats", Observed(State.STOPPED))
    assert (seen.state, seen.exit_status) == (State.STOPPED, None)


def test_a_session_nobody_asked_for_is_seen(case: Case) -> None:
    one = case.session()
    start(case, one, ("nats",))
    assert case.runtime.traces() == {one.id}
    case.runtime.stop(one.id, ("nats",))
    assert case.runtime.traces() <= {one.id}


def test_one_question_answers_for_many_sessions(case: Case) -> None:
    one, two = case.session(), case.session()
    start(case, one, ("nats",))
    seen = case.runtime.observe([one.id, two.id])
    assert seen[one.id]["nats"].state is State.RUNNING
    assert "nats" not in seen.get(two.id, {}) or seen[two.id]["nats"].state is State.STOPPED
    assert set(seen) <= {one.id, two.id}


def test_a_taken_port_is_named_and_the_other_services_start(case: Case) -> None:
    if case.runtime.name == "memory":
        case.runtime = MemoryRuntime(foreign=lambda port: port % 10 == 6)
    one = case.session()
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        foreign.bind(("127.0.0.1", one.port("azurite.queue")))
        foreign.listen()
        outcomes = case.runtime.start(one, ("nats", "azurite"), 60, print)
    assert outcomes["nats"].health.ready
    assert not outcomes["azurite"].health.ready
    assert outcomes["azurite"].taken == ("queue",)
    assert states(case, one)["azurite"] is State.STOPPED
    case.runtime.remove(one.id)


@pytest.fixture(params=["local", "docker"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """For what only real servers have: credentials, and neighbours."""
    if request.param == "local":
        made = local_case(tmp_path / "mine", request.getfixturevalue("local_servers"))
    else:
        made = compose_case(tmp_path / "mine", request.getfixturevalue("docker_images"))
    yield made
    for one in made.made:
        made.runtime.remove(one.id)


def test_wrong_credentials_are_not_ready(real: Case) -> None:
    one = real.session()
    start(real, one)
    wrong = replace(one, secrets=dict.fromkeys(one.secrets, "d3Jvbmc="))
    health = real.runtime.probe(wrong, SERVICES, 5)
    assert {s: h.ready for s, h in health.items()} == dict.fromkeys(SERVICES, False)
    assert all(h.problem for h in health.values())


def test_another_state_folders_session_is_not_ours(real: Case, tmp_path: Path) -> None:
    """Two users on one machine: what one lost is nothing for the other to find."""
    one = real.session()
    start(real, one, ("nats",))
    neighbours: dict[str, Runtime] = {
        "local": LocalRuntime(tmp_path / "other", tmp_path),
        "docker": ComposeRuntime(tmp_path / "other", CONTAINERS, owner=str(tmp_path / "other")),
    }
    assert neighbours[real.runtime.name].traces() == set()


def test_another_state_folders_processes_are_not_ours(tmp_path: Path, local_servers: Path) -> None:
    mine = local_case(tmp_path / "mine", local_servers)
    one = mine.session()
    start(mine, one, ("nats",))
    neighbour = LocalRuntime(tmp_path / "other", tmp_path)
    assert neighbour.observe([one.id])[one.id]["nats"].state is State.STOPPED
    neighbour.stop(one.id, ("nats",))
    neighbour.remove(one.id)
    assert states(mine, one)["nats"] is State.RUNNING
    mine.runtime.remove(one.id)
