"""Threads that begin all or not at all, and are waited for so that Ctrl-C is heard."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor
    from threading import Event

T = TypeVar("T")

_LOOK_UP_S = 0.5


@contextmanager
def at_work(calls: Sequence[Callable[[], T]], over: "Event") -> Iterator[list["Future[T]"]]:
    """Run each call in a thread of its own during the block; all have ended when it ends.

    `over` is set at the end of the block, however it ends: calls that look at it need not finish.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(1, len(calls))) as pool:
        try:
            yield begin(pool, calls)
        finally:
            over.set()


def begin(pool: "ThreadPoolExecutor", calls: Sequence[Callable[[], T]]) -> list["Future[T]"]:
    """Begin all calls, or none: a Ctrl-C that meets the start of a thread makes the pool lose it.

    It would then go on unseen, and start a server, say, when all others have been cleaned up.
    """
    from concurrent.futures import CancelledError
    from contextvars import copy_context
    from threading import Event

    decided, all_begun = Event(), Event()

    def run_one(call: Callable[[], T]) -> T:
        decided.wait()
        if not all_begun.is_set():
            raise CancelledError
        return call()

    try:
        futures = [pool.submit(copy_context().run, run_one, call) for call in calls]
        all_begun.set()
        return futures
    finally:
        decided.set()


def settle(futures: Iterable["Future[Any]"]) -> None:
    """Return once all are done, or raise what the first raised that did.

    Ctrl-C is noticed within half a second even if it comes in the moment before Python begins to
    wait for a lock: that wakes nobody (CPython 3.11; under load it happens).
    """
    from concurrent.futures import FIRST_EXCEPTION, wait

    pending = set(futures)
    while pending:
        done, pending = wait(pending, _LOOK_UP_S, FIRST_EXCEPTION)
        for future in done:
            future.result()
