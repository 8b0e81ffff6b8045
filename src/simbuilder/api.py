"""Sessions for Python programs.

    with simbuilder.session() as s:
        run_the_experiment(s.env["NEO4J_URI"], s.env["NEO4J_PASSWORD"])

What the block made is gone after it, whatever ended it: its last line, an exception, Ctrl-C or
SIGTERM. After SIGKILL nobody is left to do that, so the session is bound to this process: the next
`simbuilder` command, or the next `session()`, removes it.
"""

import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING

from simbuilder.composition import (
    Choice,
    Rooms,
    check_again,
    choose_runtime,
    instead_of_docker,
    rooms,
)
from simbuilder.scaffolding import identity
from simbuilder.scaffolding.exceptions import (
    ImageUnavailableError,
    NotReadyError,
    SimBuilderError,
    UsageError,
)
from simbuilder.sessions import catalog, envfile, expiry
from simbuilder.sessions.manager import CreateRequest
from simbuilder.sessions.model import Session
from simbuilder.sessions.view import Report

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from nats.aio.client import Client
    from neo4j import Driver

    from simbuilder.bus.jetstream.bus import JetStreamBus

__all__ = ["LiveSession", "SimBuilderError", "session"]

_log = logging.getLogger("simbuilder")
_log.addHandler(logging.NullHandler())  # quiet where the program does not set up logging

Progress = Callable[[str], None]


class LiveSession:
    """A session whose servers are ready, for as long as the block that made it runs."""

    def __init__(self, made: Rooms, recorded: Session, timeout: float) -> None:
        self._rooms = made
        self._session = recorded
        self._timeout = timeout
        self._clients = ExitStack()
        self._stopped = False

    def __repr__(self) -> str:
        """Tell which session it is, and none of its secrets."""
        return f"<simbuilder session {self._session.label}: {', '.join(self._session.services)}>"

    @property
    def id(self) -> str:
        """The session's UUID."""
        return self._session.id

    @property
    def short(self) -> str:
        """The first eight characters of the id, which every command understands."""
        return self._session.short

    @property
    def name(self) -> str | None:
        """The name it was given, if any."""
        return self._session.name

    @property
    def runtime(self) -> str:
        """How its servers run: `local` or `docker`."""
        return self._session.runtime

    @property
    def env(self) -> Mapping[str, str]:
        """The variables of its env file, for clients and child processes. Secrets are in it."""
        return MappingProxyType(envfile.variables(self._session))

    @property
    def ports(self) -> Mapping[str, int]:
        """`service.endpoint` -> port, such as `neo4j.bolt`, of the servers it has."""
        served = {k: p for k, p in self._session.ports.items() if self._has(k.partition(".")[0])}
        return MappingProxyType(served)

    # --- clients ---------------------------------------------------------------------------

    def graph(self) -> "Driver":
        """Return a new driver for the graph database; it is closed with the session."""
        from neo4j import GraphDatabase

        self._need("neo4j")
        auth = (self.env["NEO4J_USER"], self.env["NEO4J_PASSWORD"])
        return self._clients.enter_context(GraphDatabase.driver(self.env["NEO4J_URI"], auth=auth))

    @asynccontextmanager
    async def nats(self) -> AsyncIterator["Client"]:
        """Connect to NATS: `async with s.nats() as connection: ...`; closed after the block."""
        from nats.aio.client import Client

        self._need("nats")
        connection = Client()  # `nats.connect` would leave the socket of a refused one open
        try:
            await connection.connect(self.env["NATS_URL"])
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def bus(self) -> AsyncIterator["JetStreamBus"]:
        """Connect to the bus, with all that is declared there: `async with s.bus() as bus: ...`."""
        from simbuilder.bus.address import Address
        from simbuilder.bus.service import open_bus

        self._need("nats")
        async with open_bus(Address((self.env["NATS_URL"],))) as bus:
            await bus.ensure()
            yield bus

    def blobs(self) -> "BlobServiceClient":
        """Return a new client for the blobs in Azurite; it is closed with the session."""
        from azure.storage.blob import BlobServiceClient

        self._need("azurite")
        text = self.env["AZURE_STORAGE_CONNECTION_STRING"]
        # a proxy that the user has set is not for loopback
        client = BlobServiceClient.from_connection_string(text, use_env_settings=False)
        return self._clients.enter_context(client)

    def _need(self, service: str) -> None:
        if self._stopped:
            raise UsageError(f"session {self._session.label} was stopped", "work with a fork of it")
        if not self._has(service):
            raise UsageError(
                f"session {self._session.label} has no {service}",
                f"it was made with services={','.join(self._session.services)}",
            )

    def _has(self, service: str) -> bool:
        return service in self._session.services

    # --- its life --------------------------------------------------------------------------

    def close(self) -> None:
        """Close the clients it gave out; the end of its block does it too."""
        self._clients.close()

    def stop(self) -> None:
        """Close its clients and stop its servers, for good; the data stay, for a `fork`."""
        if not self._stopped:
            self.close()
            self._rooms.manager.stop(self.id, self._timeout)
            self._stopped = True

    @contextmanager
    def fork(self, name: str | None = None) -> "Iterator[LiveSession]":
        """Make a session for the block with all that is in this one, which may be stopped.

        It has ports and secrets of its own, and the two never see what the other does. Raises like
        `session`.
        """
        copied = self._rooms.copier().fork(
            *(self.id, self._timeout, name), bound_to=identity.of(), start=False
        )
        with _bound(self._rooms, copied.report, self._timeout) as live:
            yield live


@contextmanager
def session(
    name: str | None = None,
    services: Iterable[str] | str | None = None,
    runtime: str | None = None,
    *,
    reuse: bool = False,
    keep: bool = False,
    timeout: float = 60,
    ttl: str | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[LiveSession]:
    """Make a session of its own for the block, ready for clients, and remove it afterwards.

    `services`, `runtime` and `ttl` mean what the options of `session create` mean, `timeout` bounds
    the wait for readiness in seconds, and `folder` is the one whose settings count (the current one
    if left out). With `keep` the session stays. With `reuse` it stays too, and whoever asks again
    from that folder gets it again: the one of that `name`, or the folder's own. No folder's current
    session changes. `progress` is told what happens, a line at a time; if left out, the logger
    `simbuilder` is.

    Raises `SimBuilderError`, above all `NotReadyError` with each server's reason; what is not to
    stay is gone then too.
    """
    tell = progress or _log.info
    made = rooms(lambda event: tell(f"{event.subject}: {event.message}"), folder)
    made.manager.reap()
    wanted = services if services is None or isinstance(services, str) else ",".join(services)
    chosen = catalog.choose_services(wanted, None)
    found = made.manager.finder.here(name) if reuse else None
    if found is not None:
        check_again(found, () if wanted is None else chosen, runtime)
        choice = Choice(found.runtime, found.reason)
    else:
        choice = choose_runtime(runtime, made)
    request = CreateRequest(
        services=chosen,
        runtime=choice.runtime,
        reason=choice.reason,
        name=name,
        reuse=reuse,
        ttl_s=0 if ttl is None else expiry.seconds(ttl),
        bound_to="" if keep or reuse else identity.of(),
        current=False,
    )
    with unwinding_on_sigterm(), ExitStack() as held:
        try:
            live = held.enter_context(_running(made, request, timeout))
        except ImageUnavailableError as error:
            local = instead_of_docker(error, choice, chosen, made)
            request = replace(request, runtime=local.runtime, reason=local.reason)
            live = held.enter_context(_running(made, request, timeout))
        yield live


@contextmanager
def _running(made: Rooms, request: CreateRequest, timeout: float) -> Iterator[LiveSession]:
    """Give the session that is asked for, ready; afterwards remove one that is bound to us."""
    if request.bound_to:
        with _bound(made, made.manager.create(request, timeout), timeout) as live:
            yield live
    else:
        report = made.manager.create(replace(request, start=True), timeout)
        with _live(made, report, timeout) as live:
            yield live


@contextmanager
def _bound(made: Rooms, recorded: Report, timeout: float) -> Iterator[LiveSession]:
    """Start a session of ours for the block, and remove it afterwards.

    It was recorded before, which takes no time, and is started here: whatever ends us meanwhile,
    there is hardly ever a session whose id we do not know.
    """
    session_id, owner = recorded.view.session.id, os.getpid()
    try:
        report = made.manager.start(session_id, timeout, may_be_current=False)
        with _live(made, report, timeout) as live:
            yield live
    finally:
        if os.getpid() == owner:  # a child that was forked within the block leaves it to its parent
            made.manager.cleaner.cleanup(session_id, timeout)


@contextmanager
def _live(made: Rooms, report: Report, timeout: float) -> Iterator[LiveSession]:
    if report.problems:
        reasons = "; ".join(problem.message for problem in report.problems)
        raise NotReadyError(reasons, "if they were only late, a longer timeout helps")
    live = LiveSession(made, report.view.session, timeout)
    try:
        yield live
    finally:
        live.close()


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def unwinding_on_sigterm(
    answer: Callable[[int, FrameType | None], None] = _leave,
) -> Iterator[None]:
    """Let SIGTERM end the block with an exception, where the program has no answer of its own."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, answer)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
