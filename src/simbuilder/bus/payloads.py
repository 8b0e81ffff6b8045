"""Data that is too large for an event: kept apart under its hash, and referred to. Pure.

Such an event has no data but these extension attributes: `dataref` says where its data is,
`datasize` how many bytes that is, and `datakind` whether they are `json` or `binary`.
"""

import hashlib

import orjson

from simbuilder.bus import formats
from simbuilder.bus.declarations import PAYLOADS
from simbuilder.bus.errors import EventError
from simbuilder.bus.events import MAX_ID, Event

INLINE = 256 * 1024
"""So many bytes an event may have as a whole; with more, its data is kept apart."""

MAX_DATA = 64 * 1024 * 1024
"""So many bytes the data of an event may have at all."""

_MAX_SOURCE = 512
_PLACE = f"nats-object://{PAYLOADS}/"


def too_large(raw: bytes) -> bool:
    """Say whether an event of these bytes has to be split."""
    return len(raw) > INLINE


def what_to_send(event: Event) -> tuple[Event, bytes, bytes | None]:
    """Return the event to send, its bytes, and what has to be stored first if it was split.

    `name_of` the returned event says under which name. Raises `EventError` for an event that is
    too large all the same, or that nobody could read.
    """
    for what, text, most in (("id", event.id, MAX_ID), ("source", event.source, _MAX_SOURCE)):
        if len(text) > most or not text.isprintable() or text != text.strip():
            raise EventError(f"the {what} of an event is plain text of {most} characters at most")
    raw = formats.write(event)
    if not too_large(raw):
        return event, raw, None
    event, payload = split(event, raw)
    raw = formats.write(event)
    if too_large(raw):
        raise EventError(
            f"without its data, the event still has {len(raw)} bytes",
            f"its attributes may have {INLINE}; put what is large into its data",
        )
    return event, raw, payload


def split(event: Event, raw: bytes) -> tuple[Event, bytes]:
    """Return an event of these bytes without its data, and the data. Raises `EventError`."""
    binary = isinstance(event.data, bytes)
    payload: bytes = event.data if binary else orjson.dumps(event.data)
    if len(payload) > MAX_DATA:
        raise EventError(
            f"the event has {len(raw)} bytes, its data alone {len(payload)}",
            f"data may have {MAX_DATA} bytes; store it elsewhere and refer to it",
        )
    reference = event.with_(
        None,
        dataref=_PLACE + _hash(payload),
        datasize=str(len(payload)),
        datakind="binary" if binary else "json",
    )
    return reference, payload


def name_of(event: Event) -> str | None:
    """Return under which name an event's data is stored; `None` if the event has it itself.

    Raises `EventError` if it is kept where we do not look.
    """
    place = event.data_ref
    if place is None or event.data is not None:
        return None
    if not place.startswith(_PLACE):
        raise EventError("the data of the event is not on this bus", "dataref says where it is")
    return place.removeprefix(_PLACE)


def joined(event: Event, stored: bytes | None) -> Event:
    """Return an event with the data that was stored for it, as it was before `split`.

    Raises `EventError` if that is gone (`None`) or is not what was stored.
    """
    if stored is None:
        raise EventError("the data of the event is gone", "it was too old, or somebody deleted it")
    if _hash(stored) != name_of(event):
        raise EventError("the data of the event is not what was stored with it")
    binary = event.get_extension("datakind") == "binary"
    try:
        data = stored if binary else orjson.loads(stored)
    except orjson.JSONDecodeError as error:
        raise EventError(f"the data of the event is not JSON: {error}") from None
    return event.with_(data, dataref=None, datasize=None, datakind=None)


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
