"""Events as bytes: the JSON format of CloudEvents 1.0, in structured mode. Pure.

A `Format` of the CloudEvents library, as its own `JSONFormat` is, on orjson: reading and writing
take a third of the time (2.2.0: 14 and 5 microseconds), and a test holds it to the library's.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

import orjson

from simbuilder.bus.errors import EventError
from simbuilder.bus.events import MAX_ID, Event

_UNKNOWN = datetime.fromtimestamp(0, UTC)

CONTENT_TYPE = "application/cloudevents+json"


def write(event: Event) -> bytes:
    """Return an event as bytes. Raises `EventError` for what JSON cannot say.

    Numbers that are none, and infinite ones, become `null`, as in JavaScript.
    """
    found: dict[str, Any] = dict(event.get_attributes())
    data = event.data
    if isinstance(data, bytes):
        found["data_base64"] = base64.b64encode(data).decode()
    elif data is not None:
        found["data"] = data
    try:
        return orjson.dumps(found, option=orjson.OPT_UTC_Z)
    except TypeError as error:
        raise EventError(f"no JSON: {error}") from None


def read(raw: bytes) -> Event:
    """Return the event that bytes are. Raises `EventError`, with the reason, if they are none."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EventError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise EventError("not CloudEvents 1.0: no object")
    if found.get("specversion") != "1.0":
        raise EventError("not CloudEvents 1.0: specversion is another")
    if "id" not in found:
        raise EventError("not CloudEvents 1.0: it has no id")  # the library would make one up
    data = found.pop("data", None)
    encoded = found.pop("data_base64", None)
    if encoded is not None:
        data = _decoded(encoded)
    # the library would take the time of now for one that is not told
    found["time"] = _time(found["time"]) if "time" in found else _UNKNOWN
    event = Event(found, data)
    if len(event.id) > MAX_ID:
        raise EventError(f"not an event of ours: its id is longer than {MAX_ID} characters")
    return event


def understood(raw: bytes) -> tuple[Event | None, str]:
    """Return the event that bytes are, or why they are none."""
    try:
        return read(raw), ""
    except EventError as error:
        return None, error.message


def _decoded(encoded: Any) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise EventError("not CloudEvents 1.0: data_base64 is not base64") from None


def _time(at: Any) -> datetime:
    try:
        found = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        raise EventError("not CloudEvents 1.0: time is not of RFC 3339") from None
    return found
