"""The seam's contract, once, bound to every runtime.

What a runtime is asked for here, the manager relies on; a third runtime costs one more `Case`.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from simbuilder.runtimes.local import LocalRuntime
from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding import process
from simbuilder.sessions.model import Session, State
from simbuilder.sessions.port_manager import PortRange, allocate, bindable
from simbuilder.sessions.result import Event
from simbuilder.sessions.runtime import Runtime
from tests.support import PORT_RANGE, refused_by_nats, session

SERVICES = ("neo4j", "nats", "azurite")


@dataclass
class Case:
    """A runtime under test, how to kill one of its servers, and what it is told of."""

    runtime: Runtime
    kill: Callable[[Session, str], None]
    base: Callable[[], int]

    def session(self, number: int) -> Session:
        return replace(session(number, base=self.base()), runtime=self.runtime.name)


def memory_case() -> Case:
    runtime = MemoryRuntime()
    bases = iter(range(31000, 32000, 10))
    return Case(runtime, lambda s, service: runtime.kill(s.id, service), lambda: next(bases))


def local_case(root: Path, cache: Path) -> Case:
    taken: set[int] = set()

    def base() -> int:
        found = allocate(PortRange(*PORT_RANGE), taken, lambda port: not bindable(port))
        taken.update(range(found, found + 10))
        return found

    def kill(victim: Session, service: str) -> None:
        for item in process.marked():
            if item.mark == f"{victim.id}:{service}:{root}" and item.pid != item.group:
                os.kill(item.pid, signal.SIGKILL)

    return Case(LocalRuntime(root, cache), kill, base)


@pytest.fixture(params=["memory", "local"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "memory":
        yield memory_case()
        return
    made = local_case(tmp_path / "local", request.getfixturevalue("local_servers"))
    yield made
    for number in (1, 2):
        made.runtime.remove(session(number).id)


def start(case: Case, one: Session, services: tuple[str, ...] = SERVICES) -> None:
    outcomes = case.runtime.start(one, services, 60, print)
    assert {s: o.health.ready for s, o in outcomes.items()} == dict.fromkeys(services, True)


def states(case: Case, one: Session) -> dict[str, State]:
    seen = case.runtime.observe([one.id]).get(one.id, {})
    return {s: seen[s].state if s in seen else State.STOPPED for s in SERVICES}


def test_the_life_of_a_session(case: Case) -> None:
    one, two = case.session(1), case.session(2)
    events: list[Event] = []
    case.runtime.prepare(SERVICES, events.append)
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
    assert one.id not in case.runtime.observe(())
    assert states(case, two) == dict.fromkeys(SERVICES, State.RUNNING)
    case.runtime.remove(two.id)
    assert case.runtime.observe(()) == {}


def test_a_killed_server_leaves_its_exit_status_and_can_be_started_again(case: Case) -> None:
    one = case.session(1)
    start(case, one, ("nats",))
    case.kill(one, "nats")
    for _ in range(200):
        seen = case.runtime.observe([one.id])[one.id]["nats"]
        if seen.state is State.STOPPED and seen.exit_status is not None:
            break
        time.sleep(0.02)
    assert (seen.state, seen.exit_status) == (State.STOPPED, 137)
    assert seen.log_tail
    start(case, one, ("nats",))
    assert case.runtime.observe([one.id])[one.id]["nats"].exit_status is None


def test_stopping_on_purpose_leaves_no_exit_status(case: Case) -> None:
    one = case.session(1)
    start(case, one, ("nats",))
    case.runtime.stop(one.id, ("nats",))
    seen = case.runtime.observe([one.id]).get(one.id, {})
    assert "nats" not in seen or seen["nats"].exit_status is None


def test_a_session_nobody_asked_for_is_seen(case: Case) -> None:
    one = case.session(1)
    start(case, one, ("nats",))
    assert case.runtime.observe(())[one.id]["nats"].state is State.RUNNING


@pytest.fixture
def local(tmp_path: Path, local_servers: Path) -> Iterator[Case]:
    """For what only real servers have: credentials, and neighbours."""
    made = local_case(tmp_path / "local", local_servers)
    yield made
    made.runtime.remove(session(1).id)


def test_wrong_credentials_are_not_ready(local: Case) -> None:
    one = local.session(1)
    start(local, one)
    wrong = replace(one, secrets=dict.fromkeys(one.secrets, "d3Jvbmc="))
    with refused_by_nats():
        health = local.runtime.probe(wrong, SERVICES, 5)
    assert {s: h.ready for s, h in health.items()} == dict.fromkeys(SERVICES, False)
    assert all(h.problem for h in health.values())


def test_another_state_folders_session_is_not_ours(local: Case, tmp_path: Path) -> None:
    """Two users on one machine: neither sees, stops or removes what the other runs."""
    one = local.session(1)
    start(local, one, ("nats",))
    neighbour = LocalRuntime(tmp_path / "other", tmp_path)
    assert neighbour.observe([one.id])[one.id]["nats"].state is State.STOPPED
    neighbour.stop(one.id, ("nats",))
    neighbour.remove(one.id)
    assert states(local, one)["nats"] is State.RUNNING
