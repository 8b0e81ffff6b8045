"""What commands of the upper floors have in common: somebody who watches, and a result.

The floors know of no session and are asynchronous; each has a `desk` of its own, on this one, where
a session becomes an address.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.result import EventSink, Result

_TELL_EVERY_S = 1.0


@dataclass(frozen=True)
class Desk:
    """What a command has at hand: sessions by their names, and somebody who watches."""

    emit: "EventSink"

    def session(self, reference: str | None, service: str) -> "Session":
        """Return a session, the current one if none is named.

        Raises like `Records.session`, and `UsageError` for a session without the service.
        """
        from simbuilder.cli.lookup import records
        from simbuilder.cli.words import chosen

        session = records().session(reference)
        chosen(session, (service,))
        return session

    def tell(self, subject: str) -> Callable[[str], None]:
        """Return what shows how far something has come, once it takes longer than a second."""
        last = time.monotonic()

        def tell(message: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _TELL_EVERY_S:
                last = time.monotonic()
                self._emit("progress", subject, message)

        return tell

    def begin(self, subject: str, message: str) -> None:
        """Say that something has begun."""
        self._emit("begin", subject, message)

    def done(self, subject: str, message: str) -> None:
        """Say that it is done."""
        self._emit("done", subject, message)

    def _emit(self, kind: str, subject: str, message: str) -> None:
        from simbuilder.sessions.result import Event

        self.emit(Event(kind, subject, message))


D = TypeVar("D", bound=Desk)


def run_at(
    desk: "Callable[[EventSink], D]",
    command: str,
    as_json: bool,
    action: "Callable[[D], Result]",
    interrupted: str,
) -> int:
    """Run `action` at a desk, show its result and return the exit status.

    `interrupted` says what whoever pressed Ctrl-C should know.
    """
    from simbuilder.cli import render
    from simbuilder.cli.guard import StoppedByUserError, explained

    with render.progress(quiet=as_json) as view:

        def guarded() -> "Result":
            try:
                return action(desk(view))
            except KeyboardInterrupt:
                raise StoppedByUserError(
                    "interrupted", interrupted or "nothing was changed"
                ) from None

        result = explained(command, guarded)
    render.show(result, as_json)
    return result.exit_status
