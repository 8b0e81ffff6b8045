"""New events: what only the moment can give them, an id and a time."""

import os
import uuid
from datetime import UTC, datetime

from simbuilder.bus.events import Event, EventData, Json

_ACT = uuid.UUID("6f1c2a52-5d0e-4f53-9d3b-0c4a3f6f2d11")
"""The namespace of ids that follow from others; any would do, but never another."""


def new_id() -> str:
    """Return an id that nothing else has: 128 bits of the system's randomness, in hex."""
    return os.urandom(16).hex()


def new_event(
    data: EventData,
    source: str,
    *,
    cause: Event | None = None,
    correlation_id: str | None = None,
    key: str | None = None,
) -> Event:
    """Return an event of now; see `Event.of`."""
    return Event.of(
        data,
        id=new_id(),
        time=datetime.now(UTC),
        source=source,
        cause=cause,
        correlation_id=correlation_id,
        key=key,
    )


def new_named(
    type_: str,
    data: Json,
    source: str,
    *,
    id: str | None = None,  # noqa: A002 - the name that CloudEvents gives it
    cause: Event | None = None,
    correlation_id: str | None = None,
    key: str | None = None,
) -> Event:
    """Return an event of now, of whatever type; see `Event.named`."""
    return Event.named(
        type_,
        data,
        id=id or new_id(),
        time=datetime.now(UTC),
        source=source,
        cause=cause,
        correlation_id=correlation_id,
        key=key,
    )


def following_id(*parts: str) -> str:
    """Return an id that is the same whenever it follows from the same."""
    return str(uuid.uuid5(_ACT, "\n".join(parts)))
