"""From a session to the graph in its database, and from a call to a result.

The graph knows of no session. Only here does one become an address, and only here does what is
asynchronous run.
"""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from simbuilder.graph.service import GraphService
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.result import EventSink, Result

T = TypeVar("T")

Work = Callable[["GraphService"], Coroutine[Any, Any, T]]

DEADLINE_S = 30.0
LONG_S = 600.0
"""For what reads or writes all of a graph: the database may think long before it says anything."""
_TELL_EVERY_S = 1.0


@dataclass(frozen=True)
class Graph:
    """The graph of one session."""

    session: "Session"

    def run(self, work: "Work[T]", deadline_s: float = DEADLINE_S) -> T:
        """Connect, do `work`, hang up.

        Raises the errors of the graph; where nobody answers the hint names the session. Ctrl-C
        cancels the work, then is raised.
        """
        import asyncio
        import gc

        from simbuilder.graph.errors import GraphConnectionError
        from simbuilder.graph.service import open_graph

        async def whole() -> T:
            async with open_graph(self._address(), deadline_s=deadline_s) as graph:
                return await work(graph)

        gc.enable()  # a load may take minutes, and what goes round in circles would pile up
        try:
            return asyncio.run(whole())
        except GraphConnectionError as error:
            short, label = self.session.short, self.session.label
            raise GraphConnectionError(
                f"the graph database of session {label} does not answer",
                f"'simbuilder session start {short}' starts what is missing",
            ) from error

    def _address(self) -> Any:
        from simbuilder.graph.database import Address
        from simbuilder.sessions import catalog

        uri = self.session.urls("neo4j")["bolt"]
        secret = self.session.secrets["neo4j"]
        return Address(uri, catalog.NEO4J_USER, secret, catalog.NEO4J_DATABASE)


@dataclass(frozen=True)
class Desk:
    """What a command has at hand: sessions by their names, and somebody who watches."""

    emit: "EventSink"

    def graph(self, reference: str | None) -> Graph:
        """Return the graph of a session, the current one if none is named.

        Raises like `Records.session`, and `UsageError` for a session without a graph database.
        """
        from simbuilder.cli.lookup import records
        from simbuilder.cli.words import chosen

        session = records().session(reference)
        chosen(session, ("neo4j",))
        return Graph(session)

    def tell(self, subject: str) -> Callable[[str], None]:
        """Return what shows how far something has come, not oftener than can be read."""
        from simbuilder.sessions.result import Event

        last = 0.0

        def tell(message: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _TELL_EVERY_S:
                last = time.monotonic()
                self.emit(Event("progress", subject, message))

        return tell

    def begin(self, subject: str, message: str) -> None:
        """Say that something has begun."""
        from simbuilder.sessions.result import Event

        self.emit(Event("begin", subject, message))

    def done(self, subject: str, message: str) -> None:
        """Say that it is done."""
        from simbuilder.sessions.result import Event

        self.emit(Event("done", subject, message))


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
