"""What the keys of the full-screen view do: they run this very command, once more.

Locks, waiting and errors are then the same as when it is typed, and whatever was begun goes on when
the view is left.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import process_environment

_PATIENCE_S = 3600.0
"""Commands have time limits of their own; a copy of much data may take its time."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended; `text` is what it has to say beyond that."""

    good: bool
    text: str = ""


Act = Callable[[Sequence[str]], Outcome]
"""Runs `session` with these arguments to the end."""


def act(arguments: Sequence[str]) -> Outcome:
    """Run `simbuilder session` with these arguments."""
    # -P: a file of the current folder must not take the place of a library
    argv = [sys.executable, "-P", "-m", "simbuilder", "session", *arguments, "--json"]
    try:
        done = process.run(argv, process_environment(), Path.cwd(), _PATIENCE_S)
    except OSError as error:
        return Outcome(False, error.strerror or str(error))
    return outcome(done.status, done.out, done.err)


def outcome(status: int, out: str, err: str) -> Outcome:
    """Return what a command said of itself in JSON; its last words where that was none."""
    try:
        problems: list[dict[str, Any]] = json.loads(out)["problems"]
        said = [f"{p['message']}; {p['hint']}" if p["hint"] else p["message"] for p in problems]
    except (ValueError, KeyError, TypeError):
        said = err.strip().splitlines()[-1:] or [f"exit status {status}"]
    return Outcome(status == 0, " | ".join(said))
