"""From a session to its bus, and from a call to a result.

The bus knows of no session. Only here does one become an address, and only here does what is
asynchronous run.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from simbuilder.cli import desk

if TYPE_CHECKING:
    from simbuilder.bus.address import Address
    from simbuilder.bus.protocol import Bus
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.result import Result

T = TypeVar("T")

Work = Callable[["Bus"], Coroutine[Any, Any, T]]

INTERRUPTED = 130
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


class Desk(desk.Desk):
    """What a command of the bus has at hand."""

    def server(self, reference: str | None) -> Server:
        """Return the bus of a session; see `Desk.session`."""
        return Server(self.session(reference, "nats"))


def run(
    command: str, as_json: bool, action: "Callable[[Desk], Result]", interrupted: str = ""
) -> int:
    """Run `action`, show its result and return the exit status; see `desk.run_at`."""
    return desk.run_at(Desk, command, as_json, action, interrupted)


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
