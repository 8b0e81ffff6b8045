"""Bringing a server to the declaration: what differs, and what of that would delete events."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from simbuilder.bus.declarations import PAYLOADS, Bucket, Declaration, Part, Queue, Stream
from simbuilder.bus.errors import LossyChangeError
from simbuilder.bus.jetstream.connection import Connection, MissingError
from simbuilder.bus.jetstream.stored import moment, moment_or_none
from simbuilder.bus.protocol import Change
from simbuilder.bus.subjects import NO_KEY, partitions

Config = dict[str, Any]
QUEUE, ORDERED, SUBJECTS = "simbuilder-queue", "simbuilder-ordered", "simbuilder-subjects"
"""Metadata of consumers: the queue that they are, or are a part of."""

Kind = Literal["stream", "queue", "bucket", "payloads"]
_DUPLICATES_S = 120.0


@dataclass(frozen=True)
class Wanted:
    """A stream or a consumer as it must be; other settings of it are nobody's business here."""

    kind: Kind
    name: str
    stream: str
    consumer: str
    config: Config
    former: tuple[str, ...] = ()
    """What a queue is made of that was ordered and is not any more, or the other way round."""


def wanted(declaration: Declaration) -> Iterator[Wanted]:
    """Go through all that a declaration makes, in the order in which it can be made."""
    for stream in declaration.streams:
        yield Wanted("stream", stream.name, stream.name, "", stream_config(stream))
    for bucket in declaration.buckets:
        name = f"KV_{bucket.name}"
        yield Wanted("bucket", bucket.name, name, "", bucket_config(bucket))
    if declaration.streams:
        yield Wanted("payloads", PAYLOADS, f"OBJ_{PAYLOADS}", "", _payloads_config(declaration))
    for queue in declaration.queues:
        for consumer, part in queue.consumers().items():
            config = consumer_config(queue, consumer, part)
            former = _parts(queue) if not queue.ordered else (queue.name,)
            yield Wanted("queue", queue.name, queue.stream, consumer, config, former)


def _parts(queue: Queue) -> tuple[str, ...]:
    return (f"{queue.name}{NO_KEY}", *(f"{queue.name}-{part}" for part in partitions()))


def stream_config(stream: Stream) -> Config:
    """Return a stream as JetStream has it."""
    return {
        "name": stream.name,
        "description": stream.about,
        "subjects": list(stream.subjects),
        "retention": "limits",
        "storage": "file",
        "max_age": _ns(stream.max_age_s),
        "max_msgs": stream.max_messages,
        "max_msg_size": stream.max_message_bytes,
        "discard": stream.discard,
        "num_replicas": stream.replicas,
        "duplicate_window": _ns(stream.duplicates_s),
        "allow_direct": True,
    }


def bucket_config(bucket: Bucket) -> Config:
    """Return a bucket as the stream that JetStream has it as."""
    return {
        "name": f"KV_{bucket.name}",
        "description": bucket.about,
        "subjects": [f"$KV.{bucket.name}.>"],
        "storage": "file",
        "max_age": _ns(bucket.max_age_s),
        "max_msgs_per_subject": 1,
        "discard": "new",
        "num_replicas": bucket.replicas,
        "duplicate_window": _ns(min(_DUPLICATES_S, bucket.max_age_s or _DUPLICATES_S)),
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
    }


def _payloads_config(declaration: Declaration) -> Config:
    return {
        "name": f"OBJ_{PAYLOADS}",
        "description": "data that is too large for an event",
        "subjects": [f"$O.{PAYLOADS}.C.>", f"$O.{PAYLOADS}.M.>"],
        "storage": "file",
        "max_age": _ns(declaration.payloads_max_age_s),
        "discard": "new",
        "num_replicas": declaration.replicas,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
    }


def consumer_config(queue: Queue, name: str, part: Part) -> Config:
    """Return a queue, or one of its partitions, as JetStream has it.

    How often it is tried is counted by workers, which alone can say why it failed: on the server
    there is no `max_deliver`, beyond which it would silently deliver an event no more.
    """
    return {
        "durable_name": name,
        "name": name,
        "description": queue.about,
        "ack_policy": "explicit",
        "ack_wait": _ns(queue.ack_wait_s),
        "deliver_policy": "all",
        "filter_subjects": list(part.subjects),
        "max_ack_pending": part.most,
        "max_deliver": -1,
        "metadata": {
            QUEUE: queue.name,
            ORDERED: "yes" if queue.ordered else "no",
            SUBJECTS: " ".join(queue.subjects),
        },
    }


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


# --- what differs --------------------------------------------------------------------------

_NAMES = {
    "max_age": "max_age_s",
    "ack_wait": "ack_wait_s",
    "duplicate_window": "duplicates_s",
    "max_msgs": "max_messages",
    "max_msg_size": "max_message_bytes",
    "num_replicas": "replicas",
    "description": "about",
    "max_ack_pending": "max_pending",
    "filter_subjects": "subjects",
}
_FOLLOWING = {"name", "durable_name", "metadata"}
"""What follows from the others, or from the name under which it was found."""

_LASTING = {"max_age", "ack_wait", "duplicate_window"}


def differences(
    one: Wanted, present: Mapping[str, Any], state: Mapping[str, Any], now: datetime
) -> Iterator[Change]:
    """Go through what is otherwise on the server; `state` is what the stream holds."""
    for name, value in one.config.items():
        was = _present(present, name)
        if name in _FOLLOWING or _same(was, value):
            continue
        yield Change(
            "update",
            one.kind,
            one.name,
            _NAMES.get(name, name),
            _said(name, was),
            _said(name, value),
            lossy=bool(state) and _loses(name, one.config, state, now),
        )


def _present(present: Mapping[str, Any], name: str) -> Any:
    if name == "filter_subjects" and present.get("filter_subject"):
        return [present["filter_subject"]]
    return present.get(name)


def _same(was: Any, value: Any) -> bool:
    if isinstance(value, list):
        return sorted(was or []) == sorted(value)
    return (was or None) == (value or None)


def _said(name: str, value: Any) -> str:
    if name in _LASTING and value is not None:
        return f"{value / 1e9:g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _loses(name: str, config: Config, state: Mapping[str, Any], now: datetime) -> bool:
    """Say whether a setting deletes something that is there now.

    A stream that refuses the new keeps what it has beyond its limit (nats-server 2.15).
    """
    most = config.get("max_msgs", 0)
    if name in ("max_msgs", "discard"):
        return bool(config["discard"] == "old" and 0 < most < state.get("messages", 0))
    if name == "max_age" and config["max_age"]:
        first = moment_or_none(state.get("first_ts", "0001-"))
        oldest_s = 0.0 if first is None else (now - first).total_seconds()
        return bool(oldest_s > config["max_age"] / 1e9)
    return False


# --- doing it ------------------------------------------------------------------------------


async def ensure(
    connection: Connection, declaration: Declaration, *, allow_loss: bool, dry_run: bool
) -> tuple[Change, ...]:
    """Bring the server to the declaration; see `protocol.Bus.ensure`."""
    plan = [(one, *await _looked_at(connection, one)) for one in wanted(declaration)]
    changes = tuple(change for _, found, _ in plan for change in found)
    lossy = [change for change in changes if change.lossy]
    if lossy and not allow_loss and not dry_run:
        first = lossy[0]
        raise LossyChangeError(
            f"{first.kind} {first.name}: {first.what} from {first.before} to {first.after} would "
            "delete events",
            "allow it with --allow-loss (allow_loss=True), or keep what is there",
        )
    if not dry_run:
        for one, found, present in plan:
            if found:
                await _do(connection, one, found, present)
    return _once(changes)


async def _looked_at(connection: Connection, one: Wanted) -> tuple[tuple[Change, ...], Config]:
    verb = (
        f"CONSUMER.INFO.{one.stream}.{one.consumer}"
        if one.consumer
        else f"STREAM.INFO.{one.stream}"
    )
    try:
        info = await connection.api(verb)
    except MissingError:
        if one.former and await _is_there(connection, one.stream, one.former[0]):
            was, is_ = ("yes", "no") if one.consumer == one.name else ("no", "yes")
            return (Change("update", "queue", one.name, "ordered", was, is_, lossy=True),), {}
        return (Change("create", one.kind, one.name),), {}
    now = moment(info["ts"]) if "ts" in info else datetime.now(UTC)  # by the clock that counts
    found = differences(one, info["config"], info.get("state", {}), now)
    return tuple(found), info["config"]


async def _is_there(connection: Connection, stream: str, consumer: str) -> bool:
    try:
        await connection.api(f"CONSUMER.INFO.{stream}.{consumer}")
    except MissingError:
        return False
    return True


async def _do(
    connection: Connection, one: Wanted, found: Iterable[Change], present: Config
) -> None:
    if one.consumer:
        for name in one.former if any(change.what == "ordered" for change in found) else ():
            with suppress(MissingError):
                await connection.api(f"CONSUMER.DELETE.{one.stream}.{name}")
        body = {"stream_name": one.stream, "config": one.config, "action": ""}
        await connection.api(f"CONSUMER.CREATE.{one.stream}.{one.consumer}", body)
    else:
        verb = "UPDATE" if present else "CREATE"
        await connection.api(f"STREAM.{verb}.{one.stream}", present | one.config)


def _once(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes without those that the partitions of a queue repeat."""
    return tuple(dict.fromkeys(changes))
