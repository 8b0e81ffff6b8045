"""A session together with what is known of it right now, and as JSON-ready data. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding.exceptions import HalfRemovedError, UnknownStateError
from simbuilder.sessions import plan
from simbuilder.sessions.model import Health, Observed, Session, State, overall
from simbuilder.sessions.result import Problem

if TYPE_CHECKING:
    from simbuilder.sessions.outputs import ServiceData, SessionData


@dataclass(frozen=True)
class SessionView:
    """A session and its services as seen now; `health` is `None` if they were not asked.

    `removing` means that a cleanup has begun, and may have been interrupted. `tails` are the last
    lines of the servers that did not start, or ended unasked. `orphaned` means that its folder is
    gone.
    """

    session: Session
    env_file: Path
    observed: Mapping[str, Observed]
    health: Mapping[str, Health] | None = None
    removing: bool = False
    tails: Mapping[str, Sequence[str]] = field(default_factory=dict)
    orphaned: bool = False

    @property
    def state(self) -> State:
        """The state of the whole session."""
        if self.removing:
            return State.REMOVING
        states = {s: self.seen(s).state for s in self.session.services}
        ready = None if self.health is None else {s: h.ready for s, h in self.health.items()}
        state = overall(states, ready)
        hampered = any(self.seen(s).problem for s in self.session.services)
        return State.DEGRADED if state is State.RUNNING and hampered else state

    def seen(self, service: str) -> Observed:
        """Return what the runtime sees of a service."""
        return self.observed.get(service, plan.UNSEEN)

    def unseen(self) -> tuple[Problem, ...]:
        """Return why states are unknown, if they are; the same for all sessions of one engine."""
        whys = {seen.problem for seen in self.observed.values() if seen.state is State.UNKNOWN}
        hint = "ask again when it answers"
        return tuple(Problem(UnknownStateError.code, why, hint) for why in sorted(whys))

    def data(self) -> "SessionData":
        """Return the session as JSON output shows it, without secrets."""
        session = self.session
        return {
            "id": session.id,
            "short": session.short,
            "name": session.name,
            "runtime": session.runtime,
            "runtime_reason": session.reason,
            "engine": session.engine,
            "project": session.project,
            "created_at": session.created_at,
            "expires_at": session.expires_at or None,
            "bound_to": session.bound_to or None,
            "folder": session.folder,
            "orphaned": self.orphaned,
            "state": self.state,
            "env_file": str(self.env_file),
            "services": {service: self._service(service) for service in session.services},
        }

    def _service(self, service: str) -> "ServiceData":
        seen = self.seen(service)
        health = None if self.health is None else self.health.get(service)
        urls = self.session.urls(service)
        return {
            "state": seen.state,
            "ready": self._ready(service),
            "product": health.product if health else "",
            "version": health.version if health else "",
            "note": _note(service, health.product if health else ""),
            "latency_ms": health.latency_ms if health else None,
            "problem": self._problem(service),
            "exit_status": seen.exit_status,
            "log_tail": list(self.tails.get(service, ())),
            "endpoints": {
                name: {
                    "host": self.session.host,
                    "port": self.session.port(f"{service}.{name}"),
                    "url": url,
                }
                for name, url in urls.items()
            },
        }

    def _ready(self, service: str) -> bool | None:
        state = self.seen(service).state
        if state is not State.RUNNING:
            return None if state is State.UNKNOWN else False
        health = None if self.health is None else self.health.get(service)
        return None if health is None else health.ready

    def _problem(self, service: str) -> str:
        health = None if self.health is None else self.health.get(service)
        seen = self.seen(service)
        if health is not None and health.ready:
            return ""
        if health is None or seen.problem:
            return seen.problem
        if not health.problem and seen.exit_status is not None:
            return f"it ended with exit status {seen.exit_status}"
        return health.problem or "not running"


def _note(service: str, product: str) -> str:
    """Say it where somebody could take one product for another."""
    if service == "neo4j" and product not in ("", "Neo4j"):
        return "speaks Bolt, is not Neo4j"
    return ""


@dataclass(frozen=True)
class Report:
    """What a command did to a session: where it stands now, and what did not work."""

    view: SessionView
    problems: tuple[Problem, ...] = ()


def problems_of(view: SessionView) -> tuple[Problem, ...]:
    """Return a problem for each service that is not ready, with its exit status and last lines."""
    if view.removing:
        return (half_removed(view.session),)
    unseen = [seen for seen in view.observed.values() if seen.state is State.UNKNOWN]
    if unseen:
        return (unknown(view.session, unseen[0]),)
    problems = []
    for service, data in view.data()["services"].items():
        if data["ready"] is not False or view.health is None:
            continue
        lines = f"; its last lines: {' | '.join(data['log_tail'])}" if data["log_tail"] else ""
        problems.append(
            Problem(
                "service-not-ready",
                f"{service} is not ready: {data['problem']}{lines}",
                f"try 'simbuilder session start {view.session.short}'",
            )
        )
    return tuple(problems)


def half_removed(session: Session) -> Problem:
    """Return the problem of a session whose cleanup has begun."""
    return Problem(
        HalfRemovedError.code,
        f"session {session.label} is being removed, or its removal was interrupted",
        f"'simbuilder session cleanup {session.short}' finishes it",
    )


def unknown(session: Session, seen: Observed) -> Problem:
    """Return the problem of a session that cannot be seen."""
    return Problem(
        UnknownStateError.code,
        f"what runs of session {session.label} is unknown: {seen.problem}",
        "nothing is lost; ask again when it answers",
    )
