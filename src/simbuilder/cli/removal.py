"""Removing sessions, one after the other: asking first, and saying what refused to go."""

from typing import TYPE_CHECKING

import typer

from simbuilder.cli import streams
from simbuilder.composition import Rooms
from simbuilder.scaffolding.exceptions import SimBuilderError, UsageError
from simbuilder.sessions.result import Problem, Result, partial, success

if TYPE_CHECKING:
    from simbuilder.sessions.outputs import Removed


def confirm(count: int) -> None:
    """Ask whoever is there; raises unless they agree."""
    if not streams.may_ask():
        raise UsageError("--all needs --yes when nobody can be asked", "add --yes")
    if not typer.confirm(f"Remove {count} session(s) and all their data?", err=True):
        raise SimBuilderError("nothing was removed")


def show_orphans(rooms: Rooms, targets: list[str]) -> None:
    """Tell what is about to be asked for: each id, and what runs of it."""
    for target in targets:
        streams.talk(f"orphan {target}: {rooms.manager.cleaner.plan(target).steps[0].cause}")


def listed(targets: list[str]) -> Result:
    """Return the orphans as a result that removed nothing."""
    remark = Problem("not-removed", "nothing was removed", "add --yes to remove what is listed")
    data: Removed = {"orphans": targets, "removed": []}
    return success("session cleanup", data, (remark,))


def cleaned(rooms: Rooms, targets: list[str], timeout_s: float) -> Result:
    """Remove one session after the other; what one of them refuses does not stop the next.

    Refused ones are tried again at the end: what kept them may have been removed since.
    """
    if len(targets) == 1:
        rooms.manager.cleaner.cleanup(targets[0], timeout_s)
        problems: dict[str, Problem] = {}
    else:
        problems = _refused(rooms, targets, timeout_s)
        if len(problems) < len(targets):
            problems = _refused(rooms, list(problems), timeout_s)
    rooms.manager.cleaner.tidy()
    data: Removed = {"removed": [target for target in targets if target not in problems]}
    if problems:
        return partial("session cleanup", data, tuple(problems.values()))
    remarks = () if targets else (Problem("nothing-to-remove", "there is nothing to remove"),)
    return success("session cleanup", data, remarks)


def _refused(rooms: Rooms, targets: list[str], timeout_s: float) -> dict[str, Problem]:
    problems = {}
    for target in targets:
        try:
            rooms.manager.cleaner.cleanup(target, timeout_s)
        except SimBuilderError as error:
            problems[target] = Problem.of(error)
        except OSError as error:
            hint = "its record is kept; mend the cause and run the same command again"
            message = f"session {target[:8]} is not removed, or not wholly: {error}"
            problems[target] = Problem("partly-removed", message, hint)
    return problems
