"""One attempt at one event: whether it can be begun, and how it ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simbuilder.bus import tracing
from simbuilder.bus.catalogue.deadletters import Cause
from simbuilder.bus.errors import EventError
from simbuilder.bus.events import KNOWN, Event
from simbuilder.bus.jobs import Job, Reject, Retry
from simbuilder.bus.words import said

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Outcome

Handler = Callable[[Job], Awaitable[None]]


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, and if not well, why."""

    outcome: "Outcome"
    cause: Cause = "failed"
    problem: str = ""
    final: bool = False
    pause_s: float | None = None
    """Until the next attempt, if the handler says so."""


def data_of(event: Event) -> tuple[Any, Ending | None]:
    """Return what a handler gets as an event's data, or how the attempt ends without one."""
    try:
        data = event.payload()
    except EventError as error:
        return None, Ending("failed", "malformed", error.message, final=True)
    except Exception as error:  # noqa: BLE001 - whatever a validator of the class raises
        return None, Ending("failed", "malformed", said(error), final=True)
    if data is None and any(_unversioned(known) == _unversioned(event.type) for known in KNOWN):
        problem = f"this worker knows no type {event.type}, but another version of it"
        return None, Ending("failed", "unknown-type", problem, final=True)
    return (event.data if data is None else data), None


def _unversioned(type_: str) -> list[str]:
    parts = type_.split(".")
    return parts[:2] + parts[3:]


async def run(handler: Handler, job: Job, queue: str, timeout_s: float | None) -> Ending:
    """Run a handler, and say how that ended. Raises `CancelledError` if somebody cancels us."""
    try:
        with tracing.handling(job.event, queue):
            await _in_time(handler, job, timeout_s)
    except Reject as error:
        return Ending("rejected", "rejected", str(error) or "no reason given", final=True)
    except Retry as error:
        return Ending("failed", "failed", str(error) or "again", pause_s=error.after_s)
    except _TimedOutError as error:
        return Ending("timed-out", "timed-out", str(error))
    except asyncio.CancelledError as error:
        if _to_end():
            raise
        return Ending("failed", "failed", said(error))  # the handler's own
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is a failed attempt
        return Ending("failed", "failed", said(error))
    return Ending("done")


async def _in_time(handler: Handler, job: Job, timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s) as limit:
            await handler(job)
    except TimeoutError:
        if not limit.expired():
            raise  # the handler's own
        raise _TimedOutError(f"it took longer than {timeout_s:g} s") from None


def _to_end() -> bool:
    """Say whether somebody wants this task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _TimedOutError(Exception):
    """The handler took too long."""
