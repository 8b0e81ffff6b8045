"""What the local runtime needs to know of a server. One file per server says it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from simbuilder.sessions.model import Session
from simbuilder.sessions.result import EventSink


@dataclass(frozen=True)
class Graph:
    """The graph database of new sessions: the server in `home`, or the embedded one.

    Heap and page cache, such as `512m`, are for the former.
    """

    home: str = ""
    heap: str = "512m"
    page_cache: str = "128m"


@dataclass(frozen=True)
class Command:
    """How to start a server; `env` is added to the clean environment every server gets."""

    argv: Sequence[str]
    env: Mapping[str, str]


class LocalServer(Protocol):
    """A server the local runtime can run."""

    service: str
    port_taken: re.Pattern[str]
    """What its log says when it finds a port taken."""

    def prepare(self, emit: EventSink) -> None:
        """Fetch and build what the server needs. Raises `RuntimeUnavailableError`."""

    def command(self, session: Session, folder: Path) -> Command:
        """Write the server's configuration into `folder` and return how to start it.

        Nothing secret may be in `argv`: every user of the machine can read it.
        """

    def logged_at(self, line: str) -> float | None:
        """Return when a line of its log was written, in seconds since 1970, if it says so."""

    def recover(self) -> bool:
        """After a failed start: mend what may have caused it; True if another try is worth it."""


def clean_environment(home: Path) -> dict[str, str]:
    """Return the little a server needs of an environment.

    Not the user's: `JAVA_TOOL_OPTIONS` or `NODE_OPTIONS` would change the servers, and cloud
    credentials are none of their business.
    """
    places = {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home)}
    return places | {"LANG": "C.UTF-8", "TZ": "UTC"}  # logs then say what containers' say


def utc(pattern: re.Pattern[str], line: str) -> float | None:
    """Return the date and time (UTC) that begin a line of a log, in seconds since 1970, if any."""
    found = pattern.match(line)
    if found is None:
        return None
    try:
        said = datetime.fromisoformat(found.group(1).replace("/", "-"))
    except ValueError:  # digits, but no date
        return None
    return said.replace(tzinfo=UTC).timestamp()
