"""What goes wrong as expected becomes a result; nothing of it is left to a traceback."""

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from simbuilder.scaffolding.exceptions import DiskFullError, SimBuilderError
from simbuilder.sessions.result import Event, EventSink, Problem, Result, failure

if TYPE_CHECKING:
    from simbuilder.composition import Rooms


def guarded(command: str, view: EventSink, action: "Callable[[Rooms], Result]") -> Result:
    """Run `action`; warnings on the way, and what goes wrong as expected, become its result."""
    from simbuilder.composition import rooms

    warnings: list[Problem] = []

    def emit(event: Event) -> None:
        if event.kind == "warning":
            warnings.append(Problem(event.subject, event.message, remark=True))
        else:
            view(event)

    result = explained(command, lambda: action(rooms(emit)))
    return replace(result, problems=(*result.problems, *warnings))


def explained(command: str, action: Callable[[], Result]) -> Result:
    """Run `action`; what goes wrong as expected becomes its result."""
    try:
        return action()
    except SimBuilderError as error:
        return failure(command, error)
    except OSError as error:
        return failure(command, _explain(error))
    except KeyboardInterrupt:
        return failure(command, StoppedByUserError("interrupted", _NOTHING_IS_LOST))


_NOTHING_IS_LOST = (
    "nothing is lost: 'simbuilder session list' shows what there is, "
    "'session start' goes on, 'session cleanup' removes it"
)


class StoppedByUserError(SimBuilderError):
    """Ctrl-C."""

    code = "interrupted"
    exit_status = 130


def _explain(error: OSError) -> SimBuilderError:
    """Return the operating system's refusal in our words. Unexpected ones keep their own."""
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        explained = SimBuilderError(
            f"no permission to write{where}",
            "work in a folder of yours; SIMBUILDER_STATE_DIR moves the records",
        )
        explained.code = "permission-denied"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        explained = DiskFullError(
            f"the disk is full{where}",
            "free some space and run the same command again; "
            "'simbuilder session list' shows what takes it",
        )
    else:
        explained = SimBuilderError(f"{error.strerror or error}{where}")
        explained.code = "system"
    return explained
