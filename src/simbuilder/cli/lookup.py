"""Commands that need a session's record and nothing else: no runtime is loaded for them.

That takes milliseconds. What interrupted commands left is left to others, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simbuilder.cli import render
from simbuilder.cli.guard import explained
from simbuilder.scaffolding.environment import (
    core_settings,
    current_folder,
    process_environment,
    read_environment,
)
from simbuilder.scaffolding.exceptions import HalfRemovedError
from simbuilder.sessions import envfile
from simbuilder.sessions.finder import Finder
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import Result
from simbuilder.sessions.store import SessionStore


@dataclass(frozen=True)
class Records:
    """The records of this user, seen from a (canonical) folder."""

    folder: Path
    store: SessionStore
    finder: Finder

    def session(self, reference: str | None) -> Session:
        """Return the session that is meant; raises like `usable`."""
        return usable(self.store, self.finder, reference)


def usable(store: SessionStore, finder: Finder, reference: str | None) -> Session:
    """Return the session that is meant. Raises like `Finder.resolve`, and `HalfRemovedError`."""
    session = store.load(finder.resolve(reference))
    if store.removing(session.id):
        from simbuilder.sessions.view import half_removed

        problem = half_removed(session)
        raise HalfRemovedError(problem.message, problem.hint)
    return session


def look(command: str, as_json: bool, action: Callable[[Records], Result]) -> int:
    """Run `action`, show its result and return the exit status."""
    result = explained(command, lambda: action(records()))
    render.show(result, as_json)
    return result.exit_status


def records() -> Records:
    """Return the records of this user, seen from the current folder."""
    folder = current_folder()
    store = SessionStore(core_settings(read_environment(folder)).state_dir)
    within = process_environment().get(envfile.WITHIN_KEY, "")
    return Records(folder.resolve(), store, Finder(store, folder.resolve(), within))
