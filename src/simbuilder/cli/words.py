"""`[SESSION] [SERVICE]...`: which word is which."""

from collections.abc import Sequence

from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.sessions.catalog import SERVICES
from simbuilder.sessions.model import Session

KNOWN = tuple(spec.name for spec in SERVICES)


def told_apart(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the session that the words name, if they do, and the services.

    The one that is no service is a session, wherever it stands. Raises `UsageError` if there are
    more of them.
    """
    others = [word for word in words if word not in KNOWN]
    if len(others) > 1:
        raise UsageError(f"unknown service {others[1]!r}", f"known: {', '.join(KNOWN)}")
    return next(iter(others), None), tuple(word for word in words if word in KNOWN)


def chosen(session: Session, services: Sequence[str]) -> tuple[str, ...]:
    """Return those of the session's services that are named, or all if none is.

    Raises `UsageError` for one that it does not have.
    """
    for service in services:
        if service not in session.services:
            has = ", ".join(session.services)
            raise UsageError(f"session {session.label} has no {service}", f"it has {has}")
    return tuple(s for s in session.services if s in services or not services)
