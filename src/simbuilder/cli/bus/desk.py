"""From a session to its bus, and from a call to a result.

The bus knows of no session. Only here does one become an address, and only here does what is
asynchronous run.
"""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from simbuilder.bus.address import Address
    from simbuilder.bus.protocol import Bus
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.result import EventSink, Result

T = TypeVar("T")

Work = Callable[["Bus"], Coroutine[Any, Any, T]]

INTERRUPTED = 130
_TELL_EVERY_S = 1.0
_CONNECT_S = 2.0
"""A session's server is near, and `session start` waits until it is there."""


@dataclass(frozen=True)
class Server:
    """The bus of one session."""

    session: "Session"

    def run(self, work: "Work[T]") -> T:
        """Connect, do `work`, hang up.

        Raises the errors of the bus; where nobody answers the hint names the session. Ctrl-C
        cancels the work, then is raised.
        """
        import asyncio
        import gc

        from simbuilder.bus.errors import BusConnectionError
        from simbuilder.bus.service import open_bus

        async def whole() -> T:
            async with open_bus(
                self._address(), name="simbuilder bus", connect_s=_CONNECT_S
            ) as bus:
                return await work(bus)

        gc.enable()  # following may take hours, and what goes round in circles would pile up
        try:
            return asyncio.run(whole())
        except BusConnectionError as error:
            short, label = self.session.short, self.session.label
            raise BusConnectionError(
                f"the bus of session {label} does not answer",
                f"'simbuilder session start {short}' starts what is missing",
            ) from error

    def _address(self) -> "Address":
        from simbuilder.bus.address import Address
        from simbuilder.sessions import catalog

        url = self.session.urls("nats")["client"]
        return Address((url,), user=catalog.NATS_USER, password=self.session.secrets["nats"])


@dataclass(frozen=True)
class Desk:
    """What a command has at hand: sessions by their names, and somebody who watches."""

    emit: "EventSink"

    def server(self, reference: str | None) -> Server:
        """Return the bus of a session, the current one if none is named.

        Raises like `Records.session`, and `UsageError` for a session without NATS.
        """
        from simbuilder.cli.lookup import records
        from simbuilder.cli.words import chosen

        session = records().session(reference)
        chosen(session, ("nats",))
        return Server(session)

    def tell(self, subject: str) -> Callable[[str], None]:
        """Return what shows how far something has come, once it takes longer than a second."""
        from simbuilder.sessions.result import Event

        last = time.monotonic()

        def tell(message: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _TELL_EVERY_S:
                last = time.monotonic()
                self.emit(Event("progress", subject, message))

        return tell


def run(
    command: str, as_json: bool, action: "Callable[[Desk], Result]", interrupted: str = ""
) -> int:
    """Run `action`, show its result and return the exit status.

    `interrupted` says what whoever pressed Ctrl-C should know.
    """
    from simbuilder.cli import render
    from simbuilder.cli.guard import StoppedByUserError, explained

    with render.progress(quiet=as_json) as view:

        def guarded() -> "Result":
            try:
                return action(Desk(view))
            except KeyboardInterrupt:
                raise StoppedByUserError(
                    "interrupted", interrupted or "nothing was changed"
                ) from None

        result = explained(command, guarded)
    render.show(result, as_json)
    return result.exit_status


def run_on(command: str, action: Callable[[Desk], None]) -> int:
    """Run what prints lines as it goes, and return the exit status.

    Ctrl-C is how it ends, as a rule.
    """
    from simbuilder.cli import render
    from simbuilder.cli.guard import explained
    from simbuilder.sessions.result import Result, Status

    def going() -> Result:
        status = 0
        try:
            action(Desk(lambda _event: None))
        except KeyboardInterrupt:
            status = INTERRUPTED
        return Result(command, Status.SUCCESS, exit_status=status)

    result = explained(command, going)
    render.show(result, as_json=False)
    return result.exit_status
