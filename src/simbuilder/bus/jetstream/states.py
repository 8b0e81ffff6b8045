"""How streams and queues are."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from simbuilder.bus.jetstream.connection import Connection
from simbuilder.bus.jetstream.ensuring import ORDERED, QUEUE, SUBJECTS
from simbuilder.bus.jetstream.stored import moment_or_none
from simbuilder.bus.protocol import QueueState, StreamState

_BUCKETS = ("KV_", "OBJ_")


async def streams(connection: Connection) -> list[StreamState]:
    """Return how all streams are that are not a bucket."""
    found = [_stream(info) async for info in _paged(connection, "STREAM.LIST", "streams")]
    return sorted(
        (each for each in found if not each.name.startswith(_BUCKETS)), key=lambda each: each.name
    )


async def queues(connection: Connection, names: Iterable[str]) -> list[QueueState]:
    """Return how the durable queues of some streams are."""
    found: dict[tuple[str, str], QueueState] = {}
    for stream in names:
        async for info in _paged(connection, f"CONSUMER.LIST.{stream}", "consumers"):
            if not info["config"].get("durable_name"):
                continue  # a reader's
            one = _queue(info)
            place = (one.stream, one.name)
            found[place] = _sum(found[place], one) if place in found else one
    return [found[place] for place in sorted(found)]


async def _paged(connection: Connection, verb: str, what: str) -> AsyncIterator[Mapping[str, Any]]:
    offset, total = 0, 1
    while offset < total:
        page = await connection.api(verb, {"offset": offset})
        listed = page.get(what) or []
        for info in listed:
            yield info
        offset, total = offset + len(listed), page["total"] if listed else 0


def _stream(info: Mapping[str, Any]) -> StreamState:
    config, state = info["config"], info["state"]
    return StreamState(
        name=config["name"],
        about=config.get("description", ""),
        subjects=tuple(config.get("subjects") or ()),
        messages=state["messages"],
        bytes=state["bytes"],
        first_sequence=state["first_seq"],
        last_sequence=state["last_seq"],
        first_time=moment_or_none(state["first_ts"]),
        last_time=moment_or_none(state["last_ts"]),
        consumers=state["consumer_count"],
        replicas=config["num_replicas"],
        leader=(info.get("cluster") or {}).get("leader"),
    )


def _queue(info: Mapping[str, Any]) -> QueueState:
    metadata = info["config"].get("metadata") or {}
    return QueueState(
        name=metadata.get(QUEUE, info["name"]),
        stream=info["stream_name"],
        subjects=tuple(metadata[SUBJECTS].split() if SUBJECTS in metadata else _filters(info)),
        ordered=metadata.get(ORDERED) == "yes",
        lag=info["num_pending"],
        pending=info["num_ack_pending"],
        redelivered=info["num_redelivered"],
        delivered=info["delivered"]["stream_seq"],
        settled=info["ack_floor"]["stream_seq"],
        done=info["ack_floor"]["consumer_seq"],
        waiting=info["num_waiting"],
    )


def _filters(info: Mapping[str, Any]) -> list[str]:
    config = info["config"]
    return config.get("filter_subjects") or [config.get("filter_subject") or ">"]


def _sum(one: QueueState, other: QueueState) -> QueueState:
    """Add up two partitions. One that never had an event has settled nothing, and lacks nothing."""
    floors = [each.settled for each in (one, other) if each.lag or each.pending]
    return QueueState(
        name=one.name,
        stream=one.stream,
        subjects=one.subjects,
        ordered=one.ordered,
        lag=one.lag + other.lag,
        pending=one.pending + other.pending,
        redelivered=one.redelivered + other.redelivered,
        delivered=max(one.delivered, other.delivered),
        settled=min(floors) if floors else max(one.settled, other.settled),
        done=one.done + other.done,
        waiting=one.waiting + other.waiting,
    )
