"""Buckets as a server has them: values by their keys, and who watches them."""

import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from simbuilder.bus.declarations import Bucket
from simbuilder.bus.errors import BadNameError, BusConflictError
from simbuilder.bus.memory.streams import Bell, Now
from simbuilder.bus.protocol import Entry
from simbuilder.bus.subjects import matches

_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*")


class Values:
    """A bucket."""

    def __init__(self, declared: Bucket, now: Now) -> None:
        self.declared = declared
        self._entries: dict[str, Entry] = {}
        self._revision = 0
        self._watching: set[Watching] = set()
        self._now = now

    def would_lose(self, declared: Bucket) -> int:
        """Return how many values would be deleted by such limits."""
        return sum(not self._lasts(entry, declared) for entry in self.present())

    def find(self, key: str) -> Entry | None:
        """Return what is there."""
        found = self._last(key)
        return None if found is None or found.deleted else found

    def present(self) -> list[Entry]:
        """Return all that is there, in the order of writing."""
        lasting = (e for e in self._entries.values() if self._lasts(e, self.declared))
        return sorted((e for e in lasting if not e.deleted), key=lambda entry: entry.revision)

    def revision_of(self, key: str) -> int:
        """Return the revision of the last write of a key, which may have deleted it; else 0."""
        found = self._last(key)
        return 0 if found is None else found.revision

    def write(
        self, key: str, value: bytes, expected: int | None = None, *, deleted: bool = False
    ) -> int:
        """Write if the revision is the `expected` one. Raises `BusConflictError`."""
        there = self.revision_of(key)
        if expected is not None and expected != there:
            raise BusConflictError(
                f"{key} of {self.declared.name} has revision {there}, not {expected}",
                "somebody else wrote it: read it again",
            )
        self._revision += 1
        made = Entry(key, value, self._revision, self._now(), deleted)
        self._entries[key] = made
        for each in self._watching:
            each.see(made)
        return self._revision

    @contextmanager
    def watched(self, pattern: str, check: Callable[[], object]) -> Iterator["Watching"]:
        """Have what is there and what comes seen, for the block."""
        made = Watching(pattern, check)
        for entry in self.present():
            made.see(entry)
        self._watching.add(made)
        try:
            yield made
        finally:
            self._watching.discard(made)
            made.close()

    def wake(self) -> None:
        """Have all who watch look whether they still may."""
        for each in self._watching:
            each.wake()

    def _last(self, key: str) -> Entry | None:
        found = self._entries.get(key)
        return found if found is not None and self._lasts(found, self.declared) else None

    def _lasts(self, entry: Entry, declared: Bucket) -> bool:
        limit = timedelta(seconds=declared.max_age_s)
        return declared.max_age_s <= 0 or self._now() - entry.time <= limit


class Watching:
    """Entries for one who watches; `check` raises if they may no longer."""

    def __init__(self, pattern: str, check: Callable[[], object]) -> None:
        self._pattern, self._check = pattern, check
        self._ready: deque[Entry] = deque()
        self._bell = Bell()
        self._over = False

    def see(self, entry: Entry) -> None:
        """Show an entry, if its key is one of those that are watched."""
        if matches(self._pattern, entry.key):
            self._ready.append(entry)
            self._bell.ring()

    def close(self) -> None:
        """Show no more."""
        self._over = True
        self._bell.ring()

    def wake(self) -> None:
        """Look again."""
        self._bell.ring()

    def __aiter__(self) -> AsyncIterator[Entry]:
        return self

    async def __anext__(self) -> Entry:
        while not self._over:
            self._check()
            if self._ready:
                return self._ready.popleft()
            await self._bell.wait()
        raise StopAsyncIteration


class MemoryKeyValue:
    """A bucket as a client has it; see `protocol.KeyValue`. `find` raises if it is not there."""

    def __init__(self, find: Callable[[], Values]) -> None:
        self._find = find

    async def get(self, key: str) -> Entry | None:
        """Return what is there."""
        return self._find().find(_checked(key))

    async def put(self, key: str, value: bytes) -> int:
        """Write whatever is there; return the revision."""
        return self._find().write(_checked(key), value)

    async def create(self, key: str, value: bytes) -> int:
        """Write if nothing is there."""
        values = self._find()
        absent = values.find(_checked(key)) is None
        return values.write(key, value, values.revision_of(key) if absent else 0)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Write if that revision is there."""
        return self._find().write(_checked(key), value, revision)

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete, if that revision is there."""
        self._find().write(_checked(key), b"", revision, deleted=True)

    async def keys(self) -> list[str]:
        """Return all keys, in order."""
        return sorted(entry.key for entry in self._find().present())

    @asynccontextmanager
    async def watch(self, pattern: str = ">") -> AsyncIterator[AsyncIterator[Entry]]:
        """Go through what is there, then through every change."""
        with self._find().watched(pattern, self._find) as entries:
            yield entries


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise BadNameError(
            f"{key!r} is no key", "letters, digits, '-', '_', '=', '/', and '.' between them"
        )
    return key
