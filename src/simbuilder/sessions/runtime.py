"""The seam between what a session is and how it runs. Pure: a protocol, owned by its consumer.

Nothing about pids, flags or containers crosses upward; nothing about ledgers, record paths or
printing crosses downward. The contract suite is the proof that an implementation keeps it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from simbuilder.sessions.model import (
    End,
    Footprint,
    Health,
    Observed,
    Place,
    Session,
    StartOutcome,
    Usage,
)
from simbuilder.sessions.result import EventSink


@dataclass(frozen=True)
class Data:
    """What the services of a session keep: what they work on, or a snapshot of it by name."""

    session: Session
    snapshot: str = ""


@dataclass(frozen=True)
class LogLine:
    """What a server wrote, and when: in seconds since 1970.

    A line that does not say was written with the one before it; where none does, with the last.
    """

    service: str
    at: float
    text: str


@dataclass(frozen=True)
class Excerpt:
    """Which lines of logs are wanted: those from `since` on, in seconds since 1970.

    Of each log the last `tail` or all; and for as long as `going_on()`, which is asked every second
    or more often, also what is logged from now on.
    """

    since: float = 0
    tail: int | None = None
    going_on: Callable[[], bool] = lambda: False


class Copies(Protocol):
    """Copying what services keep: the other half of a runtime."""

    def lacks(self, session: Session, services: Sequence[str]) -> Sequence[str]:
        """Return what of running services is in memory only, so that no copy will hold it."""

    def held(self, session: Session, services: Sequence[str]) -> AbstractContextManager[float]:
        """Keep the data of the services still meanwhile; return since when, as `time.monotonic`.

        All that was acknowledged to a client before this was called is then in the data. Clients
        wait; whoever holds and dies lets go. What does not run is still anyway. Raises
        `NotHeldError`.
        """

    def ahead(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> None:
        """Copy before `held` what seems not to change any more: so much less is left for `copy`.

        Whatever of it does change is copied again. It may do nothing. Raises `OSError`.
        """

    def copy(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """Copy data that stands still; return the number of bytes.

        A snapshot is replaced whole or not at all. A session goes on working on what it has until
        `adopt`. What another session knows its users by is not copied. Raises `OSError`.
        """

    def seal(self, snapshot: Data, services: Sequence[str]) -> str:
        """Return what is another text once a file of a snapshot is gone, new, or of another size.

        Raises like `copy`.
        """

    def adopt(self, session: Session) -> None:
        """Put what was copied to a session that does not run in the place of its data.

        Who dies meanwhile has done nothing, or is finished by the next start.
        """

    def pack(self, source: Data, services: Sequence[str], folder: Path, emit: EventSink) -> int:
        """Copy data that stands still into <folder>/<service> for another machine; see `copy`."""

    def unpack(self, folder: Path, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """Copy to a session what `pack` wrote; see `copy`."""

    def drop(self, data: Data) -> None:
        """Delete a snapshot; absent is fine."""

    def tidy(self, session: Session, snapshots: Collection[str]) -> None:
        """Finish or remove what a command that died has left; keep no other data than these."""


class Runtime(Protocol):
    """A way to run sessions, at one engine (see `Session.engine`)."""

    name: str
    instant: bool
    """True if looking and removing take milliseconds: nobody else has to answer."""

    @property
    def copies(self) -> Copies:
        """What copies the data of its sessions, at the same engine."""

    def at(self, engine: str) -> "Runtime":
        """Return this runtime at the engine a session was created on."""

    def place(self) -> Place:
        """Return where new sessions go. Raises `RuntimeUnavailableError` if they cannot."""

    def prepare(self, services: Sequence[str], images: Mapping[str, str], emit: EventSink) -> None:
        """Fetch whatever these services need before they can start; instant when it is there.

        `images` are the session's, see `Session`. Raises `RuntimeUnavailableError` that says what
        to do.
        """

    def observe(self, session_ids: Iterable[str]) -> Mapping[str, Mapping[str, Observed]]:
        """Return session id -> service -> what is seen now; a service that is absent is stopped.

        Never raises for an engine that does not answer: what it runs is `unknown`.
        """

    def remembers(self, session_id: str) -> bool:
        """True if files on this machine say that the session was once started here."""

    def log_tails(self, session_id: str, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return service -> the last lines of its log that say something; never raises."""

    def log_lines(
        self, session_id: str, services: Sequence[str], wanted: Excerpt
    ) -> Iterator[LogLine]:
        """Yield what the services have logged, by time, and then what they log, as it comes.

        They may stop and start meanwhile. Raises `RuntimeUnavailableError` if it cannot be seen.
        """

    def traces(self) -> set[str]:
        """Return the ids of all sessions of this owner that left anything here, recorded or not.

        Raises `RuntimeUnavailableError` if that cannot be seen.
        """

    def footprints(self, sessions: Sequence[Session]) -> Mapping[str, Footprint]:
        """Return session id -> what it holds now, above all by its running servers.

        Raises `RuntimeUnavailableError` if that cannot be seen.
        """

    def usage(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, Usage]]:
        """Return session id -> running service -> what it takes now, measured for a second or two.

        Raises `RuntimeUnavailableError` if that cannot be seen.
        """

    def stored(self, sessions: Sequence[Session]) -> Mapping[str, Mapping[str, int]]:
        """Return session id -> service -> bytes of disk its files take, whether it runs or not.

        Seconds where there is much. Raises `RuntimeUnavailableError` if that cannot be seen.
        """

    def clients(self, session_id: str) -> Mapping[str, int | None]:
        """Return running service -> how many connections (TCP) clients have to it right now.

        `None` where that cannot be told. Works for a session whose record is lost. Raises
        `RuntimeUnavailableError` if nothing can be seen.
        """

    def marks(self) -> Mapping[str, End]:
        """Return session id -> when it shall go, by the marks of what was started of it.

        Only sessions of this owner that have an end (see `Session.mark`), recorded or not. Raises
        `RuntimeUnavailableError` if that cannot be seen.
        """

    def start(
        self, session: Session, services: Sequence[str], timeout_s: float, emit: EventSink
    ) -> Mapping[str, StartOutcome]:
        """Start the services at the same time and wait until a real client is served, or not.

        Expects none of them to be running, or a `problem` with those that are. A service that is
        not ready at the end has been stopped again, so starting it once more is always possible.
        """

    def probe(
        self, session: Session, services: Sequence[str], timeout_s: float
    ) -> Mapping[str, Health]:
        """Ask each service with a real client, its own credentials and one try."""

    def stop(self, session_id: str, services: Sequence[str]) -> None:
        """Stop the services and keep their data; not running is fine.

        Raises `StillRunningError` if one survives.
        """

    def remove(self, session_id: str) -> None:
        """End all that runs for the session, delete its data, and verify that both are gone.

        Works for a session whose record is lost. Raises `StillRunningError` or `OSError`.
        """


class Canaries(Protocol):
    """Small things that are written through a session's endpoints, to be looked for in others.

    A token is 40 lower-case hex digits. Every method asks a real server with a real client, within
    seconds, and raises `CanaryError` if it does not answer, or not as its kind does.
    """

    def write(self, session: Session, service: str, token: str) -> None:
        """Write one canary of each kind the service has, such as a blob and a queue message."""

    def found(self, session: Session, service: str) -> Mapping[str, frozenset[str]]:
        """Return kind -> the tokens of all canaries there are, whoever wrote them."""

    def remove(self, session: Session, service: str, owner: str) -> None:
        """Remove all canaries whose token begins with `owner`, and what was left of making one."""

    def refuses(self, session: Session, service: str, secret: str) -> bool:
        """True if nobody is let in with another secret than the session's."""

    def advertised(self, session: Session, service: str) -> Sequence[str]:
        """Return the `host:port` that the server tells its clients to go to, if it tells any."""
