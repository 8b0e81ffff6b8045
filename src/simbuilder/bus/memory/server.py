"""What many clients share: all that a server would have."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations, zip_longest
from typing import Any

from simbuilder.bus.declarations import PAYLOADS, Bucket, Declaration, Queue, Stream
from simbuilder.bus.errors import BusError, LossyChangeError, NoStreamError
from simbuilder.bus.memory.buckets import Values
from simbuilder.bus.memory.objects import Payloads
from simbuilder.bus.memory.queues import Work
from simbuilder.bus.memory.requests import Desks
from simbuilder.bus.memory.streams import Log, Now
from simbuilder.bus.protocol import Ack, Change

_STREAM = (
    "about",
    "subjects",
    "max_age_s",
    "max_messages",
    "discard",
    "max_message_bytes",
    "duplicates_s",
)
_QUEUE = ("about", "subjects", "ordered", "ack_wait_s", "max_pending")
_BUCKET = ("about", "max_age_s")
_LIMITS = {"max_age_s", "max_messages", "discard"}


class MemoryServer:
    """The state of a bus, for `MemoryBus`; `now` is what its clock says, for whoever turns it.

    The clock counts for times and ages of what is stored; waiting is by the event loop's own time.
    """

    def __init__(self, now: Now = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.logs: dict[str, Log] = {}
        self.works: dict[tuple[str, str], Work] = {}
        self.buckets: dict[str, Values] = {}
        self.desks = Desks()
        self.payloads: Payloads | None = None

    def log(self, name: str) -> Log:
        """Return a stream. Raises `NoStreamError`."""
        if name not in self.logs:
            raise NoStreamError(f"there is no stream {name}", _ENSURE)
        return self.logs[name]

    def log_of(self, subject: str) -> Log:
        """Return the stream that keeps a subject. Raises `NoStreamError`."""
        for log in self.logs.values():
            if log.takes(subject):
                return log
        raise NoStreamError(f"no stream keeps {subject}", _ENSURE)

    def work(self, stream: str, name: str) -> Work:
        """Return a queue. Raises `NoStreamError`."""
        if (stream, name) not in self.works:
            raise NoStreamError(f"there is no queue {name} of {stream}", _ENSURE)
        return self.works[stream, name]

    def values(self, name: str) -> Values:
        """Return a bucket. Raises `NoStreamError`."""
        if name not in self.buckets:
            raise NoStreamError(f"there is no bucket {name}", _ENSURE)
        return self.buckets[name]

    def objects(self) -> Payloads:
        """Return what is too large for events. Raises `NoStreamError`."""
        if self.payloads is None:
            raise NoStreamError(f"there is no object store {PAYLOADS}", _ENSURE)
        return self.payloads

    def store(self, subject: str, raw: bytes, headers: Mapping[str, str]) -> Ack:
        """Keep any bytes under any subject, as any client could; raises what `Log.store` does."""
        return self.log_of(subject).store(subject, raw, headers)

    def wake(self) -> None:
        """Have all who wait look whether they still may."""
        for log in self.logs.values():
            log.bell.ring()
        for values in self.buckets.values():
            values.wake()

    def ensure(
        self, declaration: Declaration, *, allow_loss: bool, dry_run: bool
    ) -> tuple[Change, ...]:
        """Be what is declared; see `protocol.Bus.ensure`."""
        self._check(declaration)
        changes = tuple(self._changes(declaration))
        lossy = sorted({change.name for change in changes if change.lossy})
        if lossy and not allow_loss and not dry_run:
            raise LossyChangeError(
                f"that would delete what is stored in {', '.join(lossy)}",
                "allow it if nobody needs it any more",
            )
        if not dry_run:
            self._apply(declaration)
        return changes

    def _check(self, declaration: Declaration) -> None:
        several = [declaration.replicas]
        several += [stream.replicas for stream in declaration.streams]
        several += [bucket.replicas for bucket in declaration.buckets]
        if max(several) > 1:
            raise BusError(f"one server cannot keep {max(several)} copies", "that takes a cluster")
        streams = {name: log.declared for name, log in self.logs.items()}
        streams |= {stream.name: stream for stream in declaration.streams}
        for one, other in combinations(streams.values(), 2):
            if any(overlap(a, b) for a in one.subjects for b in other.subjects):
                raise BusError(f"{one.name} and {other.name} would keep the same subjects")
        for stream in streams.values():
            if 0 < stream.max_age_s < stream.duplicates_s:
                raise BusError(f"{stream.name} would know ids for longer than it keeps events")
        for queue in declaration.queues:
            if queue.stream not in streams:
                raise NoStreamError(f"there is no stream {queue.stream} for queue {queue.name}")

    def _changes(self, declaration: Declaration) -> Iterator[Change]:
        for stream in declaration.streams:
            log = self.logs.get(stream.name)
            lost = log is not None and log.would_lose(stream) > 0
            yield from _compared(
                "stream", log.declared if log else None, stream, _STREAM, lost=lost
            )
        for bucket in declaration.buckets:
            values = self.buckets.get(bucket.name)
            lost = values is not None and values.would_lose(bucket) > 0
            yield from _compared(
                "bucket", values.declared if values else None, bucket, _BUCKET, lost=lost
            )
        if declaration.streams:
            objects, store = self.payloads, _store(declaration)
            lost = objects is not None and objects.would_lose(store) > 0
            yield from _compared(
                "payloads", objects.declared if objects else None, store, _BUCKET, lost=lost
            )
        for queue in declaration.queues:
            work = self.works.get((queue.stream, queue.name))
            yield from _compared("queue", work.declared if work else None, queue, _QUEUE)

    def _apply(self, declaration: Declaration) -> None:
        for stream in declaration.streams:
            if stream.name in self.logs:
                self.logs[stream.name].redeclare(stream)
            else:
                self.logs[stream.name] = Log(stream, self.now)
        for queue in declaration.queues:
            place = (queue.stream, queue.name)
            if place in self.works:
                self.works[place].redeclare(queue)
            else:
                self.works[place] = Work(queue, self.logs[queue.stream])
        for bucket in declaration.buckets:
            if bucket.name in self.buckets:
                self.buckets[bucket.name].declared = bucket
            else:
                self.buckets[bucket.name] = Values(bucket, self.now)
        if declaration.streams:
            if self.payloads is None:
                self.payloads = Payloads(self.now)
            self.payloads.declared = _store(declaration)


_ENSURE = "'simbuilder bus ensure' makes what is declared"


def overlap(one: str, other: str) -> bool:
    """Say whether two patterns have a subject in common."""
    for mine, theirs in zip_longest(one.split("."), other.split(".")):
        if None in (mine, theirs):
            return False
        if ">" in (mine, theirs):
            return True
        if "*" not in (mine, theirs) and mine != theirs:
            return False
    return True


def _store(declaration: Declaration) -> Bucket:
    return Bucket(PAYLOADS, "", declaration.payloads_max_age_s)


def _compared(
    kind: Any,
    before: Stream | Queue | Bucket | None,
    after: Stream | Queue | Bucket,
    fields: tuple[str, ...],
    *,
    lost: bool = False,
) -> list[Change]:
    """Return how two declarations differ; what is `lost` by it goes with the limits."""
    if before is None:
        return [Change("create", kind, after.name)]
    return [
        Change(
            "update",
            kind,
            after.name,
            field,
            _text(getattr(before, field)),
            _text(getattr(after, field)),
            lossy=(lost and field in _LIMITS) or field == "ordered",  # which begins anew
        )
        for field in fields
        if getattr(before, field) != getattr(after, field)
    ]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
