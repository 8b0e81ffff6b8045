"""Values by their keys: a stream that keeps one message of each subject (ADR-8 of NATS).

Reading asks any server of a cluster that has a copy, which may be a moment behind its leader;
writing compares revisions, so what was decided on an old value is refused.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from simbuilder.bus.errors import BusConflictError
from simbuilder.bus.jetstream.connection import STATUS, Connection
from simbuilder.bus.jetstream.publishing import Publisher
from simbuilder.bus.jetstream.reading import Reader
from simbuilder.bus.jetstream.stored import moment
from simbuilder.bus.making import new_id
from simbuilder.bus.protocol import DEADLINE_S, Entry, Start, Stored
from simbuilder.bus.subjects import checked_key

_OPERATION = "KV-Operation"
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"


class JetStreamBucket:
    """One bucket; see `protocol.KeyValue`."""

    def __init__(self, connection: Connection, publisher: Publisher, name: str) -> None:
        self._connection, self._publisher = connection, publisher
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    async def get(self, key: str) -> Entry | None:
        """Return what is there."""
        found = await self._get(key)
        return None if found is None or found.deleted else found

    async def _get(self, key: str) -> Entry | None:
        subject = self._subject(key)
        message = await self._connection.ask(
            f"$JS.API.DIRECT.GET.{self._stream}.{subject}", self._stream
        )
        headers = message.headers or {}
        if headers.get(STATUS) == "404":
            return None
        return Entry(
            key,
            message.data,
            int(headers["Nats-Sequence"]),
            moment(headers["Nats-Time-Stamp"]),
            _OPERATION in headers,
        )

    async def put(self, key: str, value: bytes) -> int:
        """Write whatever is there."""
        return await self._write(key, value, {})

    async def create(self, key: str, value: bytes) -> int:
        """Write if nothing is there; what was deleted is a mark that is written over."""
        try:
            return await self.update(key, value, 0)
        except BusConflictError:
            found = await self._get(key)
            if found is None or not found.deleted:
                raise
            return await self.update(key, value, found.revision)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Write if that revision is there."""
        return await self._write(key, value, {_EXPECTED: str(revision)})

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Leave a mark that it was deleted, if that revision is there."""
        expected = {} if revision is None else {_EXPECTED: str(revision)}
        await self._write(key, b"", {_OPERATION: "DEL", **expected})

    async def _write(self, key: str, value: bytes, headers: dict[str, str]) -> int:
        # an id of its own: what has to be sent twice is recognised, and does not refuse itself
        id_ = new_id()
        future = await self._publisher.send(self._subject(key), value, headers, id_, DEADLINE_S)
        try:
            return (await future).sequence
        except BusConflictError:
            raise BusConflictError(f"somebody else wrote {key} first") from None

    async def keys(self) -> list[str]:
        """Return all keys, in order."""
        reader = Reader(self._connection, self._stream, f"{self._prefix}>")
        async with aclosing(reader.read(Start("last-per-subject"), follow=False)) as stored:
            return sorted(
                [
                    message.subject.removeprefix(self._prefix)
                    async for message in stored
                    if _OPERATION not in message.headers
                ]
            )

    @asynccontextmanager
    async def watch(self, pattern: str = ">") -> AsyncIterator[AsyncIterator[Entry]]:
        """Go through what is there, then through every change."""
        info = await self._connection.api(f"STREAM.INFO.{self._stream}")
        reader = Reader(self._connection, self._stream, self._prefix + pattern)
        async with aclosing(reader.read(Start("last-per-subject"), follow=True)) as stored:
            yield self._entries(stored, info["state"]["last_seq"])

    async def _entries(self, stored: AsyncIterator[Stored], began_at: int) -> AsyncIterator[Entry]:
        async for message in stored:
            key = message.subject.removeprefix(self._prefix)
            deleted = _OPERATION in message.headers
            if deleted and message.sequence <= began_at:
                continue  # a mark of what was not there any more
            yield Entry(key, message.raw, message.sequence, message.time, deleted)

    def _subject(self, key: str) -> str:
        return self._prefix + checked_key(key)
