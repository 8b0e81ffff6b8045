"""Builders of values that many tests need."""

import itertools
import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.sessions import catalog
from simbuilder.sessions.copier import Copier
from simbuilder.sessions.exporter import Exporter
from simbuilder.sessions.journal import Journal
from simbuilder.sessions.makers import Makers
from simbuilder.sessions.manager import CreateRequest, SessionManager
from simbuilder.sessions.model import Session
from simbuilder.sessions.port_manager import PortManager, PortRange, bindable
from simbuilder.sessions.result import Event
from simbuilder.sessions.runtime import Runtime
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.store import SessionStore

PORT_RANGE = ((31000, 31549), (31550, 32249), (32250, 32759))[
    int(os.environ.get("SIMBUILDER_TEST_LANE", "0"))
]
"""Tests stay out of the first blocks, where a developer's own sessions live.

The lanes of `tasks.py test` run at once: each has its own.
"""


def lacks(request: pytest.FixtureRequest, tool: str, reason: str) -> NoReturn:
    """Skip the test that asks, or fail it where `--require` names the tool; `local` always is."""
    required = {"local", *request.config.getoption("--require").split(",")}
    if tool in required:
        pytest.fail(f"required: {reason}")
    pytest.skip(reason)


def session_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def moment(number: int) -> str:
    """Return a time, a second later for each number."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return at.isoformat(timespec="milliseconds")


def session(
    number: int = 1,
    *,
    name: str | None = None,
    runtime: str = "memory",
    base: int = 31000,
    services: tuple[str, ...] = ("neo4j", "nats", "azurite"),
) -> Session:
    return Session(
        id=session_id(number),
        name=name,
        runtime=runtime,
        folder="/nowhere",
        created_at=f"2026-01-01T00:00:{number % 60:02d}.000+00:00",
        services=services,
        ports={key: base + offset for key, offset in catalog.endpoint_keys().items()},
        secrets={
            "neo4j": "graph-secret",
            "nats": "bus-secret",
            "azurite": "c3RvcmFnZS1zZWNyZXQ=",
        },
    )


def mend(record: Path, **change: object) -> None:
    """Change a record as somebody who mends it by hand would: without its seal."""
    data = json.loads(record.read_text()) | change
    del data["seal"]
    record.write_text(json.dumps(data))


class Bench:
    """A manager on a memory runtime, with predictable ids and a record of its events.

    With an `other` runtime, on that too: ids are then random, as several suites can share it.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        *,
        busy: Callable[[int], bool] = lambda _port: False,
        runtime: MemoryRuntime | None = None,
        ports: PortRange | None = None,
        first: int = 1,
        other: Runtime | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.boot, self.up_s = "boot", 1000.0
        self.runtime = runtime or MemoryRuntime()
        self.store = SessionStore(root)
        self.ports = PortManager(
            root,
            ports or PortRange(*PORT_RANGE),
            self.store.ports,
            self.events.append,
            (lambda port: not bindable(port)) if other else busy,
        )
        known: dict[str, Runtime] = {"memory": self.runtime}
        if other is not None:
            known[other.name] = other
        runtimes = Runtimes(known, self.events.append)
        numbers = itertools.count(first + len(self.store.ids()))
        times = itertools.count(1)
        makers = Makers(
            owner=str(root.parent) if other else "tests",
            session_id=lambda: str(uuid.uuid4()) if other else session_id(next(numbers)),
            now=lambda: moment(next(times)),
            secret=lambda service: f"{service}-secret",
            uptime=lambda: (self.boot, self.up_s),
        )
        self.journal = Journal(root.with_name("cache") / "events.jsonl", root, makers.now)
        self.manager = SessionManager(
            *(self.store, self.ports, runtimes, makers, self.events.append, folder, self.journal)
        )
        self.copier = Copier(
            *(self.manager, self.store, runtimes, makers, self.journal, self.events.append)
        )
        self.exporter = Exporter(
            *(self.manager, self.copier, self.store, runtimes, makers.now, self.events.append)
        )

    def create(
        self,
        *,
        start: bool = True,
        name: str | None = None,
        reuse: bool = False,
        ttl_s: int = 0,
        bound_to: str = "",
    ) -> str:
        request = CreateRequest(
            services=catalog.PROFILES["default"],
            runtime="memory",
            name=name,
            start=start,
            reuse=reuse,
            ttl_s=ttl_s,
            bound_to=bound_to,
        )
        return self.manager.create(request, 5).view.session.id

    def messages(self) -> list[str]:
        return [f"{event.subject}: {event.message}" for event in self.events]
