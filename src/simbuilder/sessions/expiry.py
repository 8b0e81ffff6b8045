"""When sessions shall go, and why: time is up, a process ended, a folder is gone. Pure.

A clock that was set wrong must not take everybody's sessions with it. Within one boot of the
machine the time since that boot decides, which nobody sets; after another boot there is only the
clock.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.sessions.model import End, Session, is_moment
from simbuilder.sessions.plan import Plan, Step

NEVER = "never"
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST_S = 3650 * 86400
_SOME_TIME_S = 3600  # for a session whose end was given as a time


@dataclass(frozen=True)
class Moment:
    """Now: by the clock (UTC), and in seconds since the boot with that id."""

    at: datetime
    boot: str
    up_s: float


class Why(StrEnum):
    """What ends a session."""

    ENDED = "ended"
    EXPIRED = "expired"
    ORPHANED = "orphaned"
    OLD = "old"


@dataclass(frozen=True)
class Due:
    """A session that shall go; `cause` ends a sentence. One without a record has no name."""

    id: str
    name: str | None
    why: Why
    cause: str

    @property
    def asks(self) -> bool:
        """True if it has not ended by itself: somebody has to agree."""
        return self.why is Why.OLD

    def __str__(self) -> str:
        return f"{self.id[:8]} ({self.name})" if self.name else self.id[:8]


@dataclass(frozen=True)
class Facts:
    """What is known of sessions beside their records, by id.

    `ended` are those whose process is no more, `homeless` those whose folder is gone for certain.
    """

    ended: frozenset[str] = frozenset()
    homeless: frozenset[str] = frozenset()


def seconds(text: str) -> int:
    """Return a span of time such as `90s`, `30m`, `8h`, `1h30m` or `2d`. Raises `UsageError`."""
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
    parts = found.groups() if found else ()
    total = sum(int(n) * unit for n, unit in zip(parts, _UNITS.values(), strict=False) if n)
    if not 1 <= total <= _LONGEST_S:
        raise UsageError(
            f"{text[:40]!r} is not a span of time", "give one such as 8h, 30m, 1h30m or 2d"
        )
    return total


def moment(text: str) -> datetime:
    """Return a date and time in ISO 8601; without an offset it is UTC. Raises `UsageError`."""
    for candidate in (text, f"{text}+00:00", f"{text}T00:00+00:00"):
        if is_moment(candidate):
            return datetime.fromisoformat(candidate).astimezone(UTC)
    raise UsageError(
        f"{text[:40]!r} is not a date and time", "give one such as 2030-01-31T18:00 (UTC)"
    )


def begun(draft: Session, now: Moment) -> Session:
    """Return a new session with the end that its `ttl_s` gives it, if it has any."""
    if not draft.ttl_s:
        return draft
    return lasting(draft, now.at + timedelta(seconds=draft.ttl_s), now)


def lasting(session: Session, until: datetime | None, now: Moment) -> Session:
    """Return the session with another end, or none."""
    if until is None:
        return replace(session, expires_at="", deadline="")
    left_s = (until - now.at).total_seconds()
    return replace(
        session,
        expires_at=until.astimezone(UTC).isoformat(timespec="milliseconds"),
        deadline=f"{now.boot}:{max(0.0, now.up_s + left_s):.3f}",
    )


def extended(session: Session, by_s: int, now: Moment) -> datetime:
    """Return when the session goes if it is given more time: from its end, or now if that is over.

    Without `by_s` it gets as much as at first, or an hour. Raises `UsageError` if it has no end,
    which nobody shall give it unawares.
    """
    left = left_s(session.end, now)
    if left is None:
        raise UsageError(
            f"session {session.label} stays for ever", "--until and a time gives it an end"
        )
    return now.at + timedelta(seconds=max(0.0, left) + (by_s or session.ttl_s or _SOME_TIME_S))


def renewed(session: Session, now: Moment, *, ttl_s: int) -> datetime | None:
    """Return when a session goes that is to be there for another `ttl_s` at least."""
    left = left_s(session.end, now)
    return None if left is None else now.at + timedelta(seconds=max(left, ttl_s))


def fixed(text: str, now: Moment) -> datetime | None:
    """Return the time that is meant, `None` for `never`. Raises `UsageError` for what is past."""
    if text.lower() == NEVER:
        return None
    if (at := moment(text)) <= now.at:
        raise UsageError(f"{text[:40]} is past", "'simbuilder session cleanup' removes a session")
    return at


def since(text: str, now: datetime) -> datetime:
    """Return a time that is given as such, or as a span before now. Raises `UsageError`."""
    if re.fullmatch(r"(\d+[dhms])+", text):
        return now - timedelta(seconds=seconds(text))
    return moment(text)


def left_s(end: End, now: Moment) -> float | None:
    """Return for how many seconds there still is time, below 0 if it is up; `None` for ever."""
    if not end.expires_at:
        return None
    boot, _, up_s = end.deadline.partition(":")
    if boot == now.boot:
        return float(up_s) - now.up_s
    return (datetime.fromisoformat(end.expires_at) - now.at).total_seconds()


def due(
    sessions: Sequence[Session], facts: Facts, now: Moment, older_than_s: int | None = None
) -> list[Due]:
    """Return the sessions that shall go, each with the first cause there is."""
    found = []
    for session in sessions:
        verdict = _ended(session.id, session.end, facts, now)
        age_s = (now.at - _created(session, now)).total_seconds()
        if verdict is None and session.id in facts.homeless:
            verdict = Why.ORPHANED, f"its folder {session.folder} is gone"
        if verdict is None and older_than_s is not None and age_s >= older_than_s:
            verdict = Why.OLD, f"made {span(age_s)} ago"
        if verdict is not None:
            found.append(Due(session.id, session.name, *verdict))
    return found


def due_marks(marks: Mapping[str, End], facts: Facts, now: Moment) -> list[Due]:
    """Return what shall go of sessions whose record is lost, going by the marks of their things."""
    found = []
    for session_id, end in sorted(marks.items()):
        if (verdict := _ended(session_id, end, facts, now)) is not None:
            why, cause = verdict
            found.append(Due(session_id, None, why, f"its record is lost, and it {cause}"))
    return found


def _ended(session_id: str, end: End, facts: Facts, now: Moment) -> tuple[Why, str] | None:
    if session_id in facts.ended:
        return Why.ENDED, f"was bound to process {end.bound_to.partition(':')[0]}, which has ended"
    left = left_s(end, now)
    if left is not None and left <= 0:
        return Why.EXPIRED, f"expired {span(-left)} ago"
    return None


def _created(session: Session, now: Moment) -> datetime:
    known = is_moment(session.created_at)
    return datetime.fromisoformat(session.created_at) if known else now.at


def span(amount_s: float) -> str:
    """Return a span of time as people say it, in its largest unit."""
    for unit, size in _UNITS.items():
        if amount_s >= size:
            return f"{int(amount_s // size)} {'min' if unit == 'm' else unit}"
    return "0 s"


def in_use(clients: Mapping[str, int | None]) -> str:
    """Return who is connected, as the end of a sentence; nothing if certainly nobody is.

    `clients` is service -> connections, `None` where they cannot be told.
    """
    unknown = sorted(service for service, number in clients.items() if number is None)
    known = {service: number for service, number in sorted(clients.items()) if number}
    said = [f"{s} has {n} client connection{'s'[: n > 1]}" for s, n in known.items()]
    said += [f"whether {', '.join(unknown)} has clients cannot be told"] if unknown else []
    return "; ".join(said)


def plan(verdicts: Sequence[tuple[Due, str]]) -> Plan:
    """Return what `gc` does: each that is due goes, unless there is something against it."""
    return Plan(
        tuple(
            Step("keep", str(one), f"{one.cause}, but {against}")
            if against
            else Step("remove", str(one), one.cause)
            for one, against in verdicts
        )
    )
