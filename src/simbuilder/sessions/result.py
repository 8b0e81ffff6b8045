"""What a command hands to whoever shows it: a frozen result, and events on the way there. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from simbuilder.scaffolding.exceptions import SimBuilderError


class Status(StrEnum):
    """How a command ended."""

    SUCCESS = "success"
    PARTIAL = "partial"
    ERROR = "error"


@dataclass(frozen=True)
class Problem:
    """Something the user should know about, with what to do about it.

    A `remark` is beside the point of the command: nothing went wrong because of it.
    """

    code: str
    message: str
    hint: str = ""
    remark: bool = False

    @classmethod
    def of(cls, error: SimBuilderError) -> "Problem":
        """Return the error as a problem."""
        return cls(error.code, error.message, error.hint)


@dataclass(frozen=True)
class Result:
    """The outcome of one command; `exit_status` is that of the process."""

    command: str
    status: Status
    data: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    exit_status: int = 0


def success(command: str, data: Mapping[str, Any], problems: tuple[Problem, ...] = ()) -> Result:
    """Return a result with exit status 0; `problems` are then mere remarks."""
    return Result(command, Status.SUCCESS, data, problems, 0)


def partial(command: str, data: Mapping[str, Any], problems: tuple[Problem, ...]) -> Result:
    """Return a result for what is only partly done or not healthy: exit status 3."""
    return Result(command, Status.PARTIAL, data, problems, 3)


def failure(command: str, error: SimBuilderError) -> Result:
    """Return the result of a command that `error` ended."""
    status = Status.PARTIAL if error.exit_status == 3 else Status.ERROR
    return Result(command, status, {}, (Problem.of(error),), error.exit_status)


@dataclass(frozen=True)
class Event:
    """A step of a running command, for a view to show.

    `kind` is one of `begin`, `progress`, `done`, `failed` (about `subject`, say a service), `note`,
    or `warning`, which belongs among the problems of the result.
    """

    kind: str
    subject: str
    message: str = ""


class Happening(StrEnum):
    """What can happen to a session, as its journal says it."""

    CREATED = "created"
    READY = "ready"
    DEGRADED = "degraded"
    HEALED = "healed"
    STOPPED = "stopped"
    FORKED = "forked"
    EXTENDED = "extended"
    EXPIRED = "expired"
    REMOVED = "removed"


EventSink = Callable[[Event], None]
