"""`[SESSION] [SERVICE]...`: which word is which."""

from collections.abc import Sequence

from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.sessions.catalog import SERVICES
from simbuilder.sessions.model import Session

KNOWN = tuple(spec.name for spec in SERVICES)


def told_apart(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the session that the words name, if they do, and the services.

    A first word that is no service is a session. Raises `UsageError` for any other.
    """
    named = bool(words) and words[0] not in KNOWN
    services = tuple(words[1:] if named else words)
    for word in services:
        if word not in KNOWN:
            raise UsageError(f"unknown service {word!r}", f"known: {', '.join(KNOWN)}")
    return words[0] if named else None, services


def chosen(session: Session, services: Sequence[str]) -> tuple[str, ...]:
    """Return those of the session's services that are named, or all if none is.

    Raises `UsageError` for one that it does not have.
    """
    for service in services:
        if service not in session.services:
            has = ", ".join(session.services)
            raise UsageError(f"session {session.label} has no {service}", f"it has {has}")
    return tuple(s for s in session.services if s in services or not services)
