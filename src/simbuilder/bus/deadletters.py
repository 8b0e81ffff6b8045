"""Dead letters: what queues gave up on, why, and what can be done with it."""

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import orjson

from simbuilder.bus import formats
from simbuilder.bus.catalogue.deadletters import Cause, MessageFailed
from simbuilder.bus.declarations import DEADLETTERS
from simbuilder.bus.errors import BusError, EventError
from simbuilder.bus.events import Event
from simbuilder.bus.making import following_id, new_event, new_id
from simbuilder.bus.protocol import MESSAGE_ID, Ack, Bus, Start, Stored
from simbuilder.bus.subjects import ROOT, domain_of, retry_subject
from simbuilder.bus.words import kept

RUN, QUEUE, SUBJECT = "Sim-Run", "Sim-Queue", "Sim-Subject"
"""Headers of what is sent to one queue again: a new piece of work, for which queue, and the subject
that it was first published under."""

_DOMAIN = domain_of(DEADLETTERS.subjects[0])


class NoLetterError(BusError):
    """There is no dead letter of that number."""

    code = "bus-no-letter"
    exit_status = 4


@dataclass(frozen=True)
class DeadLetter:
    """What a queue gave up on."""

    sequence: int
    time: datetime
    message: MessageFailed
    event: Event


async def bury(
    bus: Bus, queue: str, stored: Stored, cause: Cause, error: str, attempts: int
) -> Ack:
    """Write a message into the dead letters, once however often it is tried."""
    text, encoded = _texts(stored.raw)
    event = stored.event
    failed = MessageFailed(
        queue=queue,
        cause=cause,
        error=kept(error),
        attempts=attempts,
        stream=stored.stream,
        sequence=stored.sequence,
        subject=stored.headers.get(SUBJECT, stored.subject),
        event=event.id if event else None,
        type=event.type if event else None,
        key=event.key if event else None,
        original=text,
        original_base64=encoded,
    )
    letter = new_event(failed, f"/simbuilder/queues/{queue}", cause=event)
    id_ = following_id("dead", queue, stored.stream, str(stored.sequence), stored.time.isoformat())
    return await bus.publish(
        letter.with_(letter.data, id=id_), subject=f"{ROOT}.{_DOMAIN}.v1.{queue}.{cause}"
    )


def _texts(raw: bytes) -> tuple[str | None, str | None]:
    with suppress(UnicodeDecodeError):
        text = raw.decode()
        if len(orjson.dumps(text)) <= 2 * len(raw) + 2:  # control characters take six times as much
            return text, None
    return None, base64.b64encode(raw).decode()


async def letters(bus: Bus, queue: str | None = None) -> AsyncIterator[DeadLetter]:
    """Go through the dead letters, of one queue or all, the oldest first."""
    pattern = f"{ROOT}.{_DOMAIN}.v1.{queue or '*'}.*"
    async for stored in bus.read(DEADLETTERS.name, pattern, Start("first")):
        if (found := await _letter(bus, stored)) is not None:
            yield found


async def letter(bus: Bus, sequence: int) -> DeadLetter:
    """Return one dead letter. Raises `NoLetterError`."""
    stored = await bus.get(DEADLETTERS.name, sequence)
    found = None if stored is None else await _letter(bus, stored)
    if found is None:
        raise NoLetterError(
            f"there is no dead letter {sequence}", "'simbuilder bus dlq list' lists them"
        )
    return found


async def _letter(bus: Bus, stored: Stored) -> DeadLetter | None:
    """Return a message as a dead letter; `None` for what somebody else wrote there."""
    if stored.event is None:
        return None
    try:
        event = await bus.whole(stored.event)
        message = event.payload_as(MessageFailed)
    except EventError:
        return None
    return DeadLetter(stored.sequence, stored.time, message, event)


async def retry(bus: Bus, dead: DeadLetter) -> Ack:
    """Send the original to its queue alone, as new work, and delete the letter.

    In between both may be there; a second `retry` then sends it once more, under the same id.
    Raises `EventError` for what never was an event: it would only come back.
    """
    message = dead.message
    if message.original is None or message.event is None:
        raise EventError(
            f"dead letter {dead.sequence} is no event: {message.error}",
            "'simbuilder bus dlq show' shows it, 'drop' deletes it",
        )
    run = following_id("retry", str(dead.sequence), dead.time.isoformat())
    ack = await _send(bus, message.original.encode(), message.queue, run, message.subject)
    await drop(bus, dead)
    return ack


async def drop(bus: Bus, dead: DeadLetter) -> None:
    """Delete a dead letter."""
    await bus.drop(DEADLETTERS.name, dead.sequence)


async def again(bus: Bus, stored: Stored, queue: str, run: str | None = None) -> Ack:
    """Send any stored event to one queue again, as new work. Raises `EventError` for no event.

    What has the same `run` is the same work, however often it is sent.
    """
    subject = stored.headers.get(SUBJECT, stored.subject)
    return await _send(bus, stored.raw, queue, run or new_id(), subject)


async def _send(bus: Bus, raw: bytes, queue: str, run: str, subject: str) -> Ack:
    event = formats.read(raw)
    to = retry_subject(domain_of(subject), queue, event.key)
    headers = {
        RUN: run,
        QUEUE: queue,
        SUBJECT: subject,
        MESSAGE_ID: following_id("again", event.identity, run, queue),
    }
    return await bus.publish(event, subject=to, headers=headers)
