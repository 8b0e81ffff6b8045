"""Threads begin all or none, and nobody waits longer for them than needed."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from simbuilder.scaffolding import threads


class Interrupted(ThreadPoolExecutor):
    """A pool in which Ctrl-C meets the start of the second thread."""

    begun = 0

    def submit(self, *given: Any, **more: Any) -> "Future[Any]":
        self.begun += 1
        if self.begun == 2:
            raise KeyboardInterrupt
        return super().submit(*given, **more)


def test_where_not_all_threads_begin_none_does_its_work() -> None:
    done: list[int] = []
    calls = [partial(done.append, number) for number in range(3)]
    with pytest.raises(KeyboardInterrupt), Interrupted(3) as pool:
        threads.begin(pool, calls)
    assert done == []
    with ThreadPoolExecutor(3) as pool:
        threads.settle(threads.begin(pool, calls))
    assert sorted(done) == [0, 1, 2]


def test_the_first_failure_is_raised_and_tells_the_others_to_end() -> None:
    over, ended = threading.Event(), threading.Event()

    def fail() -> None:
        raise OSError("the first")

    def go_on() -> None:
        if over.wait(10):
            ended.set()

    with (
        pytest.raises(OSError, match="the first"),
        threads.at_work([go_on, fail], over) as pending,
    ):
        threads.settle(pending)
    assert ended.is_set()
