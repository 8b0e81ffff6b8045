"""What `session watch` knows at one moment, and what changed between two. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from simbuilder.sessions.model import State, Usage
from simbuilder.sessions.result import Problem
from simbuilder.sessions.view import SessionView


class Condition(StrEnum):
    """How a server does, as far as anybody knows.

    `running` was not asked yet, `failing` was and did not answer as it should, and `ended` stopped
    without being told to.
    """

    READY = "ready"
    RUNNING = "running"
    FAILING = "failing"
    STOPPED = "stopped"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Fate(StrEnum):
    """What a session can come to besides its states: removed, or a record that nobody can use."""

    GONE = "gone"
    UNREADABLE = "unreadable"


Word = State | Condition | Fate


@dataclass(frozen=True)
class Watched:
    """A session and all that was found out about it.

    `view.health` holds those servers that were asked since they run. `usage`, `stored` (bytes) and
    `lines` (the last of each log) are by service; what is not known is not in them. `latest` is the
    service that wrote last.
    """

    view: SessionView
    usage: Mapping[str, Usage] = field(default_factory=dict)
    stored: Mapping[str, int] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)
    latest: str = ""

    @property
    def id(self) -> str:
        """The session's id."""
        return self.view.session.id

    @property
    def label(self) -> str:
        """What people call it."""
        return self.view.session.label

    def condition(self, service: str) -> Condition:
        """Return how a server does."""
        seen = self.view.seen(service)
        if seen.state is State.STOPPED:
            return Condition.STOPPED if seen.exit_status is None else Condition.ENDED
        if seen.state is not State.RUNNING:
            return Condition.UNKNOWN
        health = (self.view.health or {}).get(service)
        if health is None:
            return Condition.FAILING if seen.problem else Condition.RUNNING
        return Condition.READY if health.ready and not seen.problem else Condition.FAILING

    def why(self, service: str) -> str:
        """Return what is behind a server's condition; empty where there is nothing to say."""
        seen = self.view.seen(service)
        health = (self.view.health or {}).get(service)
        if self.condition(service) is Condition.ENDED:
            return f"exit status {seen.exit_status}"
        if self.condition(service) is Condition.READY and health is not None:
            return f"{health.product} {health.version}".strip()
        return seen.problem or (health.problem if health is not None else "")


@dataclass(frozen=True)
class Snapshot:
    """All sessions, oldest first.

    `unreadable` maps the id of a session to what is wrong with its record. `pending` counts those
    that were not looked at yet, because what runs them has not answered.
    """

    sessions: tuple[Watched, ...] = ()
    unreadable: Mapping[str, Problem] = field(default_factory=dict)
    pending: int = 0


@dataclass(frozen=True)
class Pace:
    """How many seconds to rest after asking.

    `look` is for what runs, `usage`, `stored` and `logs` for what that takes and says, all of them
    for the sessions of one engine; `probe` is for the servers of one session.
    """

    look_s: float
    usage_s: float
    stored_s: float
    logs_s: float
    probe_s: float


def pace(interval_s: float, instant: bool, sessions: int) -> Pace:
    """Return how often to ask, so that watching takes a few percent of one core.

    That is what counts: two looks at processes take 10 ms, every question to a Docker engine starts
    a program that takes 20 ms (`logs` three of them), and so does probing one session.
    """
    probe_s = max(2.5 * interval_s, 0.5 * sessions)
    if instant:
        return Pace(interval_s, probe_s, max(30.0, interval_s), probe_s, probe_s)
    slow_s = max(5.0, 2 * interval_s)
    return Pace(max(3.0, interval_s), 2 * slow_s, 60.0, slow_s, probe_s)


@dataclass(frozen=True)
class Change:
    """What became of a session, or of one server of it.

    `was` is `None` for what was not there before. Both words are a `Condition` if it is a server.
    """

    session_id: str
    name: str | None
    service: str | None
    was: Word | None
    now: Word
    why: str = ""

    def text(self) -> str:
        """Return it as people read it."""
        subject = " ".join(filter(None, (self.name or self.session_id[:8], self.service)))
        words = " -> ".join(filter(None, (self.was, self.now)))
        return f"{subject}: {words}{f' ({self.why})' if self.why else ''}"


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return what happened between two snapshots, session by session.

    Of a session that is new, only those servers are told of that are in trouble.
    """
    old, new = _words(before), _words(after)
    known = {one.id: one for one in before.sessions}
    watched = {one.id: one for one in after.sessions}
    found = []
    for session_id in {**old, **new}:
        earlier, now = known.get(session_id), watched.get(session_id)
        was, word = old.get(session_id), new.get(session_id, Fate.GONE)
        if was != word:
            one = now or earlier
            name = one.view.session.name if one else None
            problem = after.unreadable.get(session_id)
            why = problem.message if problem else _why(now, new=was is None)
            found.append(Change(session_id, name, None, was, word, why))
        if now is not None:
            found += _of_servers(earlier, now)
    return found


def _words(snapshot: Snapshot) -> dict[str, State | Fate]:
    states: dict[str, State | Fate] = {one.id: one.view.state for one in snapshot.sessions}
    return states | dict.fromkeys(snapshot.unreadable, Fate.UNREADABLE)


def _why(one: Watched | None, new: bool) -> str:
    if one is None:
        return ""
    if unseen := one.view.unseen():
        return unseen[0].message
    session = one.view.session
    return f"{session.runtime} runtime, {session.folder}" if new else ""


def _of_servers(before: Watched | None, after: Watched) -> list[Change]:
    session = after.view.session
    found = []
    for service in session.services:
        was = before.condition(service) if before else None
        now = after.condition(service)
        if was != now if before else now in (Condition.FAILING, Condition.ENDED):
            why = after.why(service)
            found.append(Change(session.id, session.name, service, was, now, why))
    return found
