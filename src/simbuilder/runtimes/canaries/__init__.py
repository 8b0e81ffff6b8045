"""Canaries in the servers of a session: written, found and removed with the vendors' own clients.

A canary is a small piece of data that carries a token, 40 lower-case hex characters. Where it is
found says which server holds it, and so whether two sessions share anything.

Every call opens clients of its own and closes them, so threads may share one `RealCanaries`. A call
follows no proxy, tries once, and waits at most 5 s for an answer.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from simbuilder.runtimes.canaries.bus import Bus
from simbuilder.runtimes.canaries.graph import Graph
from simbuilder.runtimes.canaries.storage import Storage
from simbuilder.runtimes.probes import reason
from simbuilder.scaffolding.exceptions import CanaryError
from simbuilder.sessions.model import Session

KINDS: Mapping[str, tuple[str, ...]] = {
    "neo4j": ("node",),
    "nats": ("stream message",),
    "azurite": ("blob", "queue message", "table row"),
}
"""Service -> what its canaries are."""


class RealCanaries:
    """The canaries of real servers.

    Every method raises `CanaryError` if the server does not answer or answers something else, and
    `KeyError` for a service nobody can ask.
    """

    def __init__(self) -> None:
        # without a handler Python prints what the SDK says of odd answers; `CanaryError` says it
        logging.getLogger("azure").addHandler(logging.NullHandler())

    def write(self, session: Session, service: str, token: str) -> None:
        """Write one canary of each of the service's `KINDS`."""
        with _asking(session, service) as server:
            server.write(session, token)

    def found(self, session: Session, service: str) -> Mapping[str, frozenset[str]]:
        """Return kind -> the tokens of all canaries that are there now, whoever wrote them.

        A token counts only if it was read from the content; a name alone proves nothing.
        """
        with _asking(session, service) as server:
            return dict(zip(KINDS[service], server.found(session), strict=True))

    def remove(self, session: Session, service: str, owner: str) -> None:
        """Remove the canaries whose tokens begin with `owner`, half-written ones too.

        ArcadeDB keeps the empty vertex type `SimBuilderCanary` and Neo4j the property key `token`:
        no statement of Cypher drops them.
        """
        with _asking(session, service) as server:
            server.remove(session, owner)

    def refuses(self, session: Session, service: str, secret: str) -> bool:
        """True if the service refuses to be used with `secret` instead of the session's own.

        For Azurite, whose secret is in base64, blobs, queues and tables must all refuse.

        Then signs in with the right one, which resets the count of wrong ones on graph servers:
        after three in a row Neo4j 5 lets nobody in for 5 s, after five ArcadeDB 26.10 for 30 s
        (measured). So a server that refuses the right secret as well raises `CanaryError`.
        """
        stranger = replace(session, secrets={**session.secrets, service: secret})
        with _asking(session, service) as server:
            refused = server.refuses(stranger)
            if refused:
                server.found(session)
            return refused

    def advertised(self, session: Session, service: str) -> tuple[str, ...]:
        """Return each `host:port` the server sends clients to, wherever they connected.

        Empty if it sends them nowhere: NATS alone, and Azurite, which is not even asked. Neo4j is
        asked for its routing table. ArcadeDB has none to show, so its route is followed, and this
        is where it ended: it names `localhost`, a client arrives at 127.0.0.1.
        """
        with _asking(session, service) as server:
            return server.advertised(session)


class _Server(Protocol):
    """One service; a method like that of `RealCanaries`, raising `errors()`."""

    def errors(self) -> tuple[type[Exception], ...]: ...
    def write(self, session: Session, token: str) -> None: ...
    def found(self, session: Session) -> tuple[frozenset[str], ...]: ...
    def remove(self, session: Session, owner: str) -> None: ...
    def refuses(self, session: Session) -> bool: ...
    def advertised(self, session: Session) -> tuple[str, ...]: ...


@contextmanager
def _asking(session: Session, service: str) -> Iterator[_Server]:
    server = _SERVERS[service]
    try:
        yield server
    except server.errors() as error:
        raise CanaryError(
            f"{service} of session {session.label} gave no usable answer: {reason(error)}",
            "`simbuilder session status` shows what runs; then run the same command again",
        ) from error


_SERVERS: Mapping[str, _Server] = {"neo4j": Graph(), "nats": Bus(), "azurite": Storage()}
