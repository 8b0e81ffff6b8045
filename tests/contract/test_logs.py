"""What every runtime tells of its servers' logs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from simbuilder.sessions.runtime import Excerpt, LogLine
from tests.contract.test_runtime import SERVICES, Case, start


@pytest.fixture
def started(case: Case) -> Case:
    start(case, case.session())
    return case


def lines(case: Case, wanted: Excerpt, services: tuple[str, ...] = SERVICES) -> list[LogLine]:
    return list(case.runtime.log_lines(case.made[0].id, services, wanted))


def test_what_servers_logged_comes_by_time_and_can_be_narrowed_down(started: Case) -> None:
    known = lines(started, Excerpt())
    assert {line.service for line in known} == set(SERVICES)
    assert all(one.at <= two.at for one, two in pairwise(known))
    assert all(abs(line.at - time.time()) < 100 for line in known)
    assert lines(started, Excerpt()) == known

    for service in SERVICES:
        own = [line for line in known if line.service == service]
        assert lines(started, Excerpt(), (service,)) == own
        assert lines(started, Excerpt(tail=1), (service,)) == own[-1:]
    assert lines(started, Excerpt(tail=0)) == []

    middle = known[len(known) // 2].at
    later = lines(started, Excerpt(since=middle))
    assert later == [line for line in known if line.at >= middle]
    assert lines(started, Excerpt(since=time.time() + 60)) == []


def test_of_a_session_nobody_started_nothing_is_known(case: Case) -> None:
    case.session()
    assert lines(case, Excerpt()) == []


@contextmanager
def following(case: Case, wanted: Excerpt) -> Iterator[list[LogLine]]:
    """Read on meanwhile, in a thread; what it finds is in the list."""
    found: list[LogLine] = []
    over = threading.Event()
    excerpt = Excerpt(wanted.since, wanted.tail, lambda: not over.is_set())

    def read() -> None:
        found.extend(case.runtime.log_lines(case.made[0].id, ("nats",), excerpt))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        over.set()
        reader.join(timeout=20)
        assert not reader.is_alive()


def until(found: list[LogLine], number: int) -> None:
    deadline = time.monotonic() + 20
    while len(found) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_what_comes_later_comes_once_also_from_a_server_that_is_started_again(case: Case) -> None:
    one = case.session()
    with following(case, Excerpt()) as found:
        time.sleep(0.3)
        start(case, one, ("nats",))
        until(found, 1)
        case.runtime.stop(one.id, ("nats",))
        before = lines(case, Excerpt(), ("nats",))
        start(case, one, ("nats",))
        until(found, len(before) + 1)
        until(found, len(lines(case, Excerpt(), ("nats",))))
    assert found == lines(case, Excerpt(), ("nats",))


def test_the_past_can_be_left_out(case: Case) -> None:
    one = case.session()
    start(case, one, ("nats",))
    with following(case, Excerpt(tail=0)) as found:
        time.sleep(1.5)
        assert found == []
        case.runtime.stop(one.id, ("nats",))
        until(found, 1)
    assert found == lines(case, Excerpt(), ("nats",))[-len(found) :]
