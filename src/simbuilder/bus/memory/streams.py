"""Streams as a server has them: messages in order, limits, and ids that are remembered."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from simbuilder.bus import formats
from simbuilder.bus.declarations import Stream
from simbuilder.bus.errors import BusFullError, EventError
from simbuilder.bus.protocol import MESSAGE_ID, Ack, Headers, Stored, StreamState
from simbuilder.bus.subjects import matches

"""The header with the id by which a stream knows what it has stored already."""

Now = Callable[[], datetime]


class Bell:
    """Wakes all who wait for it; whoever is woken looks again whether it was for them."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake all who wait now."""
        for each in self._waiting:
            if not each.done():
                each.set_result(None)

    async def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it rings, or for so long."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.add(woken)
        try:
            await asyncio.wait((woken,), timeout=timeout_s)
        finally:
            self._waiting.discard(woken)


@dataclass(frozen=True, slots=True)
class Message:
    """What a stream keeps."""

    sequence: int
    subject: str
    time: datetime
    raw: bytes
    headers: Headers

    @property
    def size(self) -> int:
        """Its bytes, with its headers."""
        return size_of(self.raw, self.headers)


class Log:
    """A stream."""

    def __init__(self, declared: Stream, now: Now) -> None:
        self.declared = declared
        self.bell = Bell()
        """Rings when there is more to read, or more that a queue could hand out."""

        self.last = 0
        self._first = 1
        self._messages: dict[int, Message] = {}
        self._bytes = 0
        self._ids: dict[str, tuple[int, datetime]] = {}
        self._now = now

    def redeclare(self, declared: Stream) -> None:
        """Have other limits from now on."""
        self.declared = declared
        self._trim()

    def takes(self, subject: str) -> bool:
        """Say whether it keeps a subject."""
        return takes(self.declared.subjects, subject)

    def check_size(self, raw: bytes, headers: Headers) -> None:
        """Raise `EventError` for a message that is too large for it."""
        size, most = size_of(raw, headers), self.declared.max_message_bytes
        if 0 < most < size:
            raise EventError(
                f"{size} bytes are more than the {most} that {self.declared.name} takes"
            )

    def store(self, subject: str, raw: bytes, headers: Mapping[str, str]) -> Ack:
        """Keep a message, unless one of its id was stored lately.

        Raises `EventError` if it is too large, and `BusFullError`.
        """
        self.check_size(raw, headers)
        self._trim()
        self._forget_ids()
        id_ = headers.get(MESSAGE_ID)
        if id_ is not None and id_ in self._ids:
            return Ack(self.declared.name, self._ids[id_][0], duplicate=True)
        if self.declared.discard == "new" and 0 < self.declared.max_messages <= len(self._messages):
            raise BusFullError(
                f"{self.declared.name} is full: it has {len(self._messages)} messages",
                "delete what is no longer needed, or let it have more",
            )
        self.last += 1
        made = Message(self.last, subject, self._now(), raw, dict(headers))
        self._messages[self.last] = made
        self._bytes += made.size
        if id_ is not None:
            self._ids[id_] = (self.last, made.time)
        self._trim()
        self.bell.ring()
        return Ack(self.declared.name, self.last)

    def get(self, sequence: int) -> Message | None:
        """Return a message, or `None` if it is gone."""
        self._trim()
        return self._messages.get(sequence)

    def drop(self, sequence: int) -> bool:
        """Delete a message; `False` if it was gone."""
        self._trim()
        return self._delete(sequence)

    def behind(self, sequence: int) -> Iterator[Message]:
        """Go through what is behind a sequence, now."""
        self._trim()
        for number in range(max(sequence + 1, self._first), self.last + 1):
            if (found := self._messages.get(number)) is not None:
                yield found

    def would_lose(self, declared: Stream) -> int:
        """Return how many messages would be deleted by such limits."""
        self._trim()
        return self._beyond(declared)

    def state(self, consumers: int) -> StreamState:
        """Return how it is."""
        self._trim()
        messages = self._messages
        return StreamState(
            name=self.declared.name,
            about=self.declared.about,
            subjects=self.declared.subjects,
            messages=len(messages),
            bytes=self._bytes,
            first_sequence=self._first,
            last_sequence=self.last,
            first_time=messages[self._first].time if messages else None,
            last_time=messages[max(messages)].time if messages else None,
            consumers=consumers,
            replicas=1,
            leader=None,
        )

    def _trim(self) -> None:
        """Delete what is beyond the limits."""
        for _ in range(self._beyond(self.declared)):
            self._delete(self._first)

    def _beyond(self, declared: Stream) -> int:
        """Return how many messages are beyond such limits; of all, they are the oldest."""
        over = 0
        if declared.discard == "old" and declared.max_messages > 0:
            over = len(self._messages) - declared.max_messages
        return max(over, self._too_old(declared))

    def _too_old(self, declared: Stream) -> int:
        if declared.max_age_s <= 0:
            return 0
        oldest = self._now() - timedelta(seconds=declared.max_age_s)
        number = 0
        for sequence in range(self._first, self.last + 1):
            message = self._messages.get(sequence)
            if message is not None and message.time >= oldest:
                break
            number += message is not None
        return number

    def _delete(self, sequence: int) -> bool:
        found = self._messages.pop(sequence, None)
        if found is None:
            return False
        self._bytes -= found.size
        while self._first <= self.last and self._first not in self._messages:
            self._first += 1
        return True

    def _forget_ids(self) -> None:
        oldest = self._now() - timedelta(seconds=self.declared.duplicates_s)
        while self._ids:
            id_, (_, stored) = next(iter(self._ids.items()))
            if stored >= oldest:
                break
            del self._ids[id_]


@lru_cache(maxsize=65536)
def takes(patterns: tuple[str, ...], subject: str) -> bool:
    """Say whether any of the patterns takes a subject."""
    return any(matches(pattern, subject) for pattern in patterns)


def size_of(raw: bytes, headers: Headers) -> int:
    """Return the bytes of a message as a server counts them, with headers as NATS writes them."""
    lines = sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items())
    return len(raw) + (len("NATS/1.0\r\n\r\n") + lines if headers else 0)


def stored(stream: str, message: Message) -> Stored:
    """Return a message as readers get it."""
    event, problem = formats.understood(message.raw)
    return Stored(
        stream,
        message.sequence,
        message.subject,
        message.time,
        message.raw,
        message.headers,
        event,
        problem,
    )
