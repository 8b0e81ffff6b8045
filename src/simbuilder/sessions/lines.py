"""What commands print with `--json` that go on and on: an object on each line. Pure: types alone.

As in `outputs`, whose docstring says what becomes of them.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # as in `outputs`

from simbuilder.sessions.model import State
from simbuilder.sessions.result import Happening
from simbuilder.sessions.watching import Condition, Fate


class ChangeData(TypedDict):
    """What became of a session, or of one server of it."""

    version: Literal[1]
    at: str
    """When it was noticed: UTC, in ISO 8601."""
    session: str
    """The session's id."""
    name: str | None
    service: str | None
    """Null if it is about the whole session."""
    was: State | Condition | Fate | None
    """Null for what was not there before."""
    now: State | Condition | Fate
    why: str
    """What is behind it; may be empty."""


class EventData(TypedDict):
    """Something that happened to a session."""

    time: str
    """When it was written down: UTC, in ISO 8601."""
    event: Happening
    session: str
    """Its id."""
    name: str | None
    runtime: str
    """Empty where the session's record was lost."""
    cause: str
    """Why, in words."""
    state_folder: str
    """Where its record is, or was."""
    fork: NotRequired[str]
    """With `forked`: the id of the new session."""


class LogLineData(TypedDict):
    """What a server wrote into its log."""

    service: str
    at: str
    """When: UTC, in ISO 8601. A line that does not say has the time of the one before it."""
    text: str
