"""What workers of a queue have taken up and finished, so that nothing finished is done again.

One key for each event at each queue, in the bucket `sim_work`. A worker takes an event up by
writing its name there, which only one can (compare and set), and after the handler has returned it
writes that it is done, before it acknowledges: an acknowledgement may be lost, when the server is
killed or the connection breaks, and then the event is delivered again. What another has taken up is
left to it until it has given no sign of life for a lease (`members`).
"""

import asyncio
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import orjson

from simbuilder.bus.catalogue.deadletters import Cause
from simbuilder.bus.errors import BusConflictError, BusError, BusFullError, BusTimeoutError
from simbuilder.bus.members import Members
from simbuilder.bus.protocol import Entry, KeyValue

_TRY_AGAIN_S = 0.5

State = Literal["taken", "free", "done", "dead"]


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of an event at a queue."""

    state: State
    by: str
    failures: int = 0
    crashes: int = 0
    """How often its worker died while it handled this event and nothing else."""

    attempts: int = 0
    """How often it was begun, however that ended."""

    suspect: bool = False
    """Whether it is to be handled alone, since a worker has died while it had this and others."""

    alone: bool = False
    """Whether it is being handled alone: a worker that dies now has died over this event."""

    error: str = ""
    cause: Cause | None = None
    """Why it was given up, once that is decided and until its dead letter is stored."""


@dataclass(slots=True)
class Claim:
    """An event that this worker has taken up, or why it has not."""

    key: str
    record: Record
    revision: int
    verdict: Literal["ours", "done", "dead", "busy"]


class Ledger:
    """The ledger of one queue, as one of its workers uses it."""

    def __init__(self, bucket: KeyValue, queue: str, worker: str, members: Members) -> None:
        self._bucket, self._queue, self._worker, self._members = bucket, queue, worker, members
        self._ours: set[str] = set()

    async def claim(self, key: str) -> Claim:
        """Take an event up, if nobody has it and nobody has finished it.

        Raises the errors of the bus; then nothing was taken up, or it will be found to be ours.
        """
        place = f"{self._queue}.{blake2b(key.encode(), digest_size=16).hexdigest()}"
        if place in self._ours:  # delivered a second time, while we are at it
            return Claim(place, Record("taken", self._worker), 0, "busy")
        self._ours.add(place)
        claim = None
        try:
            claim = await self._claim(place)
            return claim
        finally:
            if claim is None or claim.verdict != "ours":
                self._ours.discard(place)

    async def _claim(self, place: str) -> Claim:
        taken = Record("taken", self._worker, attempts=1)
        try:
            revision = await self._bucket.create(place, _written(taken))
            return Claim(place, taken, revision, "ours")
        except BusConflictError:
            return await self._claim_known(place)

    async def _claim_known(self, place: str) -> Claim:
        while True:
            entry = await self._bucket.get(place)
            found = Record("free", "") if entry is None else _read(entry)
            revision = 0 if entry is None else entry.revision
            if found.state in ("done", "dead"):
                return Claim(place, found, revision, found.state)
            if found.state == "taken" and not self._is_over(found):
                return Claim(place, found, revision, "busy")
            taken = self._taken_over(found)
            try:
                revision = await self._bucket.update(place, _written(taken), revision)
            except BusConflictError:
                continue  # another was quicker, or what was read was old: look again
            return Claim(place, taken, revision, "ours")

    def _is_over(self, found: Record) -> bool:
        """Say whether whoever took it up has lost it: it died, or it is us and we do not know."""
        return found.by == self._worker or self._members.gone(found.by)

    def _taken_over(self, found: Record) -> Record:
        crashed = found.state == "taken" and found.by != self._worker
        return replace(
            found,
            state="taken",
            by=self._worker,
            attempts=found.attempts + 1,
            crashes=found.crashes + (1 if crashed and found.alone else 0),
            suspect=crashed or found.suspect,
            alone=False,
            error="its worker died" if crashed else found.error,
        )

    async def finish(self, claim: Claim, record: Record) -> bool:
        """Write what became of it, as often as it takes. `False` if another has taken it over.

        That can be only if this worker gave no sign of life for a lease: it was stopped, or cut
        off. Waits for a server that is away or full; other errors of the bus are raised.
        """
        try:
            return await self.note(claim, record)
        finally:
            self._ours.discard(claim.key)

    async def note(self, claim: Claim, record: Record) -> bool:
        """Write what is known of it, as `finish` does, and keep it."""
        while True:
            try:
                written = _written(record)
                claim.revision = await self._bucket.update(claim.key, written, claim.revision)
                claim.record = record
                return True
            except BusConflictError:
                return False
            except (BusTimeoutError, BusFullError):
                await asyncio.sleep(_TRY_AGAIN_S)


def _written(record: Record) -> bytes:
    return orjson.dumps(record)  # it knows dataclasses


def _read(entry: Entry) -> Record:
    try:
        return Record(**orjson.loads(entry.value))
    except (TypeError, ValueError):
        raise BusError(f"the ledger cannot be read: {entry.key}") from None
