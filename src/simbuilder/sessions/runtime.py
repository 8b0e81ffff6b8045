"""The seam between what a session is and how it runs. Pure: a protocol, owned by its consumer.

Nothing about pids, flags or containers crosses upward; nothing about ledgers, record paths or
printing crosses downward. The contract suite is the proof that an implementation keeps it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from simbuilder.sessions.model import Health, Observed, Session, StartOutcome
from simbuilder.sessions.result import EventSink


class Runtime(Protocol):
    """A way to run sessions."""

    name: str

    def prepare(self, services: Sequence[str], emit: EventSink) -> None:
        """Fetch whatever these services need before they can start; instant when it is there.

        Raises `RuntimeUnavailableError` that says what to do.
        """

    def observe(self, session_ids: Iterable[str]) -> Mapping[str, Mapping[str, Observed]]:
        """Return session id -> service -> what is seen now.

        Everything that runs under this runtime is included, so an id that was not asked for is a
        session whose record was lost. A service that is absent is stopped.
        """

    def start(
        self, session: Session, services: Sequence[str], timeout_s: float, emit: EventSink
    ) -> Mapping[str, StartOutcome]:
        """Start the services at the same time and wait until a real client is served, or not.

        Expects none of them to be running. A service that is not ready at the end has been
        stopped again, so starting it once more is always possible.
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
