"""What becomes of an exception nobody foresaw: one sentence that says what and where.

A traceback is for whoever mends the defect: with LOG_LEVEL=DEBUG it stands before that sentence,
without local variables, for they hold secrets.
"""

import traceback
from collections.abc import Sequence
from pathlib import Path

from simbuilder.cli import render, streams
from simbuilder.scaffolding.environment import process_environment
from simbuilder.scaffolding.exceptions import SimBuilderError
from simbuilder.sessions.result import failure

PACKAGE = Path(__file__).parents[1]
LONGEST = 200
"""Characters of an exception's own words that are shown."""


class InternalError(SimBuilderError):
    """A defect of SimBuilder itself, where nothing better is known of what went wrong."""

    code = "internal"


def confess(error: Exception, arguments: Sequence[str]) -> int:
    """Show `error` as a defect of SimBuilder; return the exit status."""
    words = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    shown = words if len(words) <= LONGEST else words[: LONGEST - 3] + "..."
    internal = InternalError(
        f"internal error: {shown} ({_place(error)})",
        "this is a defect of SimBuilder, please report it; LOG_LEVEL=DEBUG shows the traceback",
    )
    result = failure(render.command_of(arguments), internal)
    # not from the layered settings: reading them may be what failed
    if process_environment().get("LOG_LEVEL", "").upper() == "DEBUG":
        streams.talk("".join(traceback.format_exception(error)).rstrip())
    render.show(result, "--json" in arguments)
    return result.exit_status


def _place(error: Exception) -> str:
    """Return the last line of ours on the way to the error."""
    frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    # never empty: cli/app.py caught it
    file, number = [frame for frame in frames if frame[0].is_relative_to(PACKAGE)][-1]
    return f"{file.relative_to(PACKAGE)} line {number}"
