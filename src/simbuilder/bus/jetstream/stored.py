"""What the server sends, as what the bus has: messages, and where they are."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.aio.msg import Msg

from simbuilder.bus import formats
from simbuilder.bus.protocol import Headers, Stored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Headers = {}
_V1_TOKENS = 9
"""Tokens of `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<n>.<ns>.<pending>`; newer servers
put a domain and the hash of an account before the stream (ADR-15)."""


def place_of(reply: str) -> list[str]:
    """Return stream, consumer, delivered, sequence, consumer's sequence, nanoseconds, pending."""
    tokens = reply.split(".")
    first = 2 if len(tokens) == _V1_TOKENS else 4
    return tokens[first : first + 7]


def delivered(message: Msg, place: list[str]) -> tuple[Stored, int]:
    """Return what a consumer delivered, and how often it has; `place` is `place_of` its reply."""
    stream, _, attempt, sequence, _, nanoseconds, _ = place
    event, problem = formats.understood(message.data)
    stored = Stored(
        stream,
        int(sequence),
        message.subject,
        _EPOCH + timedelta(microseconds=int(nanoseconds) // 1000),
        message.data,
        message.headers or _NOTHING,
        event,
        problem,
    )
    return stored, int(attempt)


def fetched(stream: str, found: dict[str, Any]) -> Stored:
    """Return the message that `STREAM.MSG.GET` answered."""
    raw = base64.b64decode(found.get("data") or "")
    event, problem = formats.understood(raw)
    return Stored(
        stream,
        found["seq"],
        found["subject"],
        moment(found["time"]),
        raw,
        headers_of(base64.b64decode(found.get("hdrs") or "")),
        event,
        problem,
    )


def headers_of(raw: bytes) -> dict[str, str]:
    """Return headers as the protocol has them: a first line, then a name and a value a line."""
    found = {}
    for line in raw.decode("utf-8", "replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip()] = value.strip()
    return found


def moment(text: str) -> datetime:
    """Return a time that the server wrote, with its nanoseconds cut off."""
    whole, zone = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    whole, _, fraction = whole.partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}{zone}")


def moment_or_none(text: str) -> datetime | None:
    """Return the same, or `None` for the zero by which the server says that there is none."""
    return None if text.startswith("0001-") else moment(text)
