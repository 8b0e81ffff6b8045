"""The contract of copying what servers keep, once, bound to every runtime."""

import uuid
from pathlib import Path

import pytest

from simbuilder.runtimes.canaries import RealCanaries
from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import Event
from simbuilder.sessions.runtime import Data
from tests.contract.test_runtime import SERVICES, Case, start


def note(case: Case, one: Session) -> str:
    """Let a client write something to every service; return what."""
    token = f"{uuid.uuid4().hex}{uuid.uuid4().hex[:8]}"
    for service in SERVICES:
        if isinstance(case.runtime, MemoryRuntime):
            before = case.runtime.copies.read(one.id, service)
            case.runtime.copies.write(one.id, service, f"{before} {token}".strip())
        else:
            RealCanaries().write(one, service, token)
    return token


def notes(case: Case, one: Session) -> set[str]:
    """Return what clients find in every service, in each of them the same."""
    found = []
    for service in SERVICES:
        if isinstance(case.runtime, MemoryRuntime):
            found.append(set(case.runtime.copies.read(one.id, service).split()))
        else:
            found += [set(tokens) for tokens in RealCanaries().found(one, service).values()]
    assert all(tokens == found[0] for tokens in found), found
    return found[0]


def copy(case: Case, source: Data, target: Data, running: tuple[str, ...] = SERVICES) -> None:
    with case.runtime.copies.held(source.session, running):
        number = case.runtime.copies.copy(source, target, SERVICES, print)
    assert number > 0


@pytest.fixture
def source(case: Case) -> Session:
    one = case.session()
    case.runtime.prepare(SERVICES, {}, print)
    start(case, one)
    return one


def test_a_copy_is_all_that_was_acknowledged_and_nothing_that_comes_after(
    case: Case, source: Session, tmp_path: Path
) -> None:
    early = note(case, source)
    fork = case.session()
    copy(case, Data(source), Data(fork))
    case.runtime.copies.adopt(fork)
    late = note(case, source)
    start(case, fork)
    own = note(case, fork)
    assert notes(case, fork) == {early, own}
    assert notes(case, source) == {early, late}

    # a snapshot is not touched by what happens to its session, and can be gone back to twice
    copy(case, Data(source), Data(source, "kept"))
    copy(case, Data(source), Data(source, "gone"))
    later = note(case, source)
    sealed = case.runtime.copies.seal(Data(source, "kept"), SERVICES)
    for _ in range(2):
        case.runtime.copies.copy(Data(source, "kept"), Data(source), SERVICES, print)
        assert notes(case, source) == {early, late, later}, "before it is adopted nothing changes"
        case.runtime.stop(source.id, SERVICES)
        case.runtime.copies.adopt(source)
        start(case, source)
        assert notes(case, source) == {early, late}
        later = note(case, source)
    assert case.runtime.copies.seal(Data(source, "kept"), SERVICES) == sealed
    case.runtime.copies.drop(Data(source, "gone"))
    case.runtime.copies.drop(Data(source, "gone"))

    # and what is packed can be unpacked, from servers that do not run too
    case.runtime.stop(source.id, SERVICES)
    with case.runtime.copies.held(source, ()):
        packed = case.runtime.copies.pack(Data(source), SERVICES, tmp_path, print)
    assert packed > 0
    assert {path.name for path in tmp_path.iterdir()} >= set(SERVICES)
    case.runtime.remove(fork.id)
    other = case.session()
    case.runtime.copies.unpack(tmp_path, Data(other), SERVICES, print)
    case.runtime.copies.adopt(other)
    start(case, other)
    assert notes(case, other) == {early, late, later}

    for one in (source, fork, other):
        case.runtime.remove(one.id)
    assert not {one.id for one in (source, fork, other)} & case.runtime.traces()


def test_what_is_copied_while_nothing_runs(case: Case) -> None:
    never, fork = case.session(), case.session()
    events: list[Event] = []
    with case.runtime.copies.held(never, ()):
        case.runtime.copies.copy(Data(never), Data(fork), SERVICES, events.append)
    case.runtime.copies.adopt(fork)
    start(case, fork)
    assert notes(case, fork) == set()
