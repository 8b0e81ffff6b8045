"""The seam between what a session is and how it runs. Pure: a protocol, owned by its consumer.

Nothing about pids, flags or containers crosses upward; nothing about ledgers, record paths or
printing crosses downward. The contract suite is the proof that an implementation keeps it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from simbuilder.sessions.model import Footprint, Health, Observed, Place, Session, StartOutcome
from simbuilder.sessions.result import EventSink


class Runtime(Protocol):
    """A way to run sessions, at one engine (see `Session.engine`)."""

    name: str
    instant: bool
    """True if looking and removing take milliseconds: nobody else has to answer."""

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

    def traces(self) -> set[str]:
        """Return the ids of all sessions of this owner that left anything here, recorded or not.

        Raises `RuntimeUnavailableError` if that cannot be seen.
        """

    def footprints(self, sessions: Sequence[Session]) -> Mapping[str, Footprint]:
        """Return session id -> what it holds now, above all by its running servers.

        Raises `RuntimeUnavailableError` if that cannot be seen.
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
