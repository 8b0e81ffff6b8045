"""From a session to the graph in its database, and from a call to a result.

The graph knows of no session. Only here does one become an address, and only here does what is
asynchronous run.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from simbuilder.cli import desk

if TYPE_CHECKING:
    from simbuilder.graph.service import GraphService
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.result import Result

T = TypeVar("T")

Work = Callable[["GraphService"], Coroutine[Any, Any, T]]

DEADLINE_S = 30.0
LONG_S = 600.0
"""For what reads or writes all of a graph: the database may think long before it says anything."""


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


class Desk(desk.Desk):
    """What a command of the graph has at hand."""

    def graph(self, reference: str | None) -> Graph:
        """Return the graph of a session; see `Desk.session`."""
        return Graph(self.session(reference, "neo4j"))


def run(
    command: str, as_json: bool, action: "Callable[[Desk], Result]", interrupted: str = ""
) -> int:
    """Run `action`, show its result and return the exit status; see `desk.run_at`."""
    return desk.run_at(Desk, command, as_json, action, interrupted)
