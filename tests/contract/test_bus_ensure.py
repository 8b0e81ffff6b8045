"""What a server has: made once, changed where it differs, and never at the cost of events."""

from dataclasses import replace

import pytest

from simbuilder.bus.declarations import DECLARED, PAYLOADS, Declaration, Queue, Stream
from simbuilder.bus.errors import BusError, LossyChangeError, NoStreamError
from simbuilder.bus.protocol import Bus, Change
from tests.buses import (
    HERE,
    HOUR_S,
    IN_ORDER,
    NEWS,
    NOTES,
    PLANNER,
    PLANS,
    BusServer,
    everything,
    number_of,
    on_empty,
    plan,
    publish,
    stream_state,
    taking,
    until,
)


def told(changes: tuple[Change, ...]) -> set[tuple[str, str, str, str]]:
    return {(change.verb, change.kind, change.name, change.what) for change in changes}


def with_stream(stream: Stream) -> Declaration:
    return replace(
        HERE, streams=tuple(stream if one.name == stream.name else one for one in HERE.streams)
    )


def with_queue(queue: Queue) -> Declaration:
    return replace(
        HERE, queues=tuple(queue if one.name == queue.name else one for one in HERE.queues)
    )


def test_what_is_missing_is_made_and_the_second_time_there_is_nothing_to_do(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        made = await bus.ensure(HERE)
        assert told(made) == {
            ("create", "stream", PLANS.name, ""),
            ("create", "stream", NEWS.name, ""),
            ("create", "queue", PLANNER.name, ""),
            ("create", "queue", IN_ORDER.name, ""),
            ("create", "bucket", NOTES.name, ""),
            ("create", "payloads", PAYLOADS, ""),
        }
        assert len(made) == len(told(made))
        assert not any(change.lossy for change in made)
        assert await bus.ensure(HERE) == ()
        assert [one.name for one in await bus.streams()] == [NEWS.name, PLANS.name]

    on_empty(bus_server, test, None)


def test_what_is_declared_by_the_product_can_be_made(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        assert await bus.ensure()
        assert await bus.ensure() == ()
        states = {one.name: one for one in await bus.streams()}
        assert {name: one.about for name, one in states.items()} == {
            stream.name: stream.about for stream in DECLARED.streams
        }

    on_empty(bus_server, test, None)


def test_a_dry_run_says_the_same_and_does_nothing(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        foreseen = await bus.ensure(HERE, dry_run=True)
        assert await bus.streams() == []
        assert await bus.ensure(HERE) == foreseen

    on_empty(bus_server, test, None)


@pytest.mark.parametrize(
    ("stream", "what", "before", "after"),
    [
        (replace(PLANS, max_messages=99_999), "max_messages", "100000", "99999"),
        (replace(PLANS, max_age_s=2 * HOUR_S), "max_age_s", "3600", "7200"),
        (replace(PLANS, about="other"), "about", "plans", "other"),
        (replace(PLANS, subjects=("sim.plans.v1.>",)), "subjects", "sim.plans.>", "sim.plans.v1.>"),
        (replace(PLANS, discard="old"), "discard", "new", "old"),
        (replace(PLANS, duplicates_s=60.0), "duplicates_s", "120", "60"),
        (replace(PLANS, max_message_bytes=1000), "max_message_bytes", "1048576", "1000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_differs_is_changed_field_by_field(
    bus_server: BusServer, stream: Stream, what: str, before: str, after: str
) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))
        changes = await bus.ensure(with_stream(stream))
        assert changes == (Change("update", "stream", "PLANS", what, before, after),)
        assert await bus.ensure(with_stream(stream)) == ()
        assert len(await everything(bus, "PLANS")) == 1

    on_empty(bus_server, test)


@pytest.mark.parametrize(
    ("queue", "what"),
    [
        (replace(PLANNER, ack_wait_s=7.0), "ack_wait_s"),
        (replace(PLANNER, max_pending=3), "max_pending"),
        (replace(PLANNER, about="other"), "about"),
        (replace(PLANNER, subjects=("sim.plans.>",)), "subjects"),
        (replace(IN_ORDER, ack_wait_s=7.0), "ack_wait_s"),
    ],
)
def test_a_queue_that_differs_is_changed_and_keeps_its_place(
    bus_server: BusServer, queue: Queue, what: str
) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3), key="a")
        async with taking(bus, queue) as inbox:
            await (await inbox.next()).ack()
        changes = await bus.ensure(with_queue(queue))
        assert told(changes) == {("update", "queue", queue.name, what)}
        assert len(changes) == 1
        assert await bus.ensure(with_queue(queue)) == ()
        async with taking(bus, queue) as inbox:
            assert number_of((await inbox.next()).message) == 2

    on_empty(bus_server, test)


def test_a_bucket_and_the_store_of_large_data_are_changed_too(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.bucket("notes").put("a", b"1")
        longer = replace(
            HERE, buckets=(replace(NOTES, max_age_s=HOUR_S),), payloads_max_age_s=HOUR_S
        )
        assert told(await bus.ensure(longer)) == {
            ("update", "bucket", "notes", "max_age_s"),
            ("update", "payloads", PAYLOADS, "max_age_s"),
        }
        assert await bus.ensure(longer) == ()
        assert await bus.bucket("notes").keys() == ["a"]

    on_empty(bus_server, test)


def test_what_would_delete_events_is_refused_before_anything_is_changed(
    bus_server: BusServer,
) -> None:
    smaller = replace(
        HERE,
        streams=(replace(PLANS, about="other"), replace(NEWS, max_messages=2)),
        buckets=(NOTES, replace(NOTES, name="more")),
    )

    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 5), type_="sim.news.v1.news.told")
        with pytest.raises(LossyChangeError, match="NEWS"):
            await bus.ensure(smaller)
        assert (await stream_state(bus, NEWS)).messages == 4
        assert (await stream_state(bus, PLANS)).about == "plans"

        foreseen = await bus.ensure(smaller, dry_run=True)
        assert ("create", "bucket", "more", "") in told(foreseen)
        assert [(one.name, one.what) for one in foreseen if one.lossy] == [("NEWS", "max_messages")]
        assert (await stream_state(bus, NEWS)).messages == 4

        assert await bus.ensure(smaller, allow_loss=True) == foreseen
        assert [number_of(one) for one in await everything(bus, "NEWS")] == [3, 4]
        assert (await stream_state(bus, PLANS)).about == "other"

    on_empty(bus_server, test)


def test_a_stream_that_begins_to_forget_loses_what_is_too_much(bus_server: BusServer) -> None:
    full = replace(PLANS, max_messages=2)

    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 6))
        [change] = await bus.ensure(with_stream(full))  # it refuses the new and deletes nothing
        assert not change.lossy
        assert (await stream_state(bus, PLANS)).messages == 5
        with pytest.raises(LossyChangeError):
            await bus.ensure(with_stream(replace(full, discard="old")))
        assert (await stream_state(bus, PLANS)).messages == 5
        await bus.ensure(with_stream(replace(full, discard="old")), allow_loss=True)
        assert [number_of(one) for one in await everything(bus, "PLANS")] == [4, 5]

    on_empty(bus_server, test)


def test_what_is_too_old_for_a_shorter_time_is_not_deleted_either(bus_server: BusServer) -> None:
    short = with_stream(replace(PLANS, max_age_s=0.2, duplicates_s=0.1))

    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))

        async def refused() -> bool:
            foreseen = await bus.ensure(short, dry_run=True)
            return [one.what for one in foreseen if one.lossy] == ["max_age_s"]

        await until(refused)
        with pytest.raises(LossyChangeError):
            await bus.ensure(short)
        assert (await stream_state(bus, PLANS)).messages == 1

    on_empty(bus_server, test)


def test_a_smaller_limit_that_nothing_exceeds_deletes_nothing(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3), type_="sim.news.v1.news.told")
        changes = await bus.ensure(with_stream(replace(NEWS, max_messages=2, max_age_s=600.0)))
        assert {(one.what, one.lossy) for one in changes} == {
            ("max_messages", False),
            ("max_age_s", False),
        }
        assert (await stream_state(bus, NEWS)).messages == 2

    on_empty(bus_server, test)


def test_what_the_declaration_does_not_name_is_left_alone(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))
        await bus.ensure(Declaration((NEWS,)))
        assert (await stream_state(bus, PLANS)).messages == 1
        assert {one.name for one in await bus.queues()} == {PLANNER.name, IN_ORDER.name}
        assert await bus.bucket("notes").keys() == []

    on_empty(bus_server, test)


def test_a_queue_of_no_stream_is_refused(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(NoStreamError):
            await bus.ensure(HERE.with_queues([replace(PLANNER, stream="NOWHERE")]))

    on_empty(bus_server, test)


@pytest.mark.parametrize(
    "subjects", [("sim.plans.v1.>",), ("sim.other.>", "*.plans.*.plan.made"), (">",)]
)
def test_two_streams_cannot_keep_the_same_subjects(
    bus_server: BusServer, subjects: tuple[str, ...]
) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(BusError):
            await bus.ensure(Declaration((replace(PLANS, name="OTHER", subjects=subjects),)))
        await bus.ensure(Declaration((replace(PLANS, name="OTHER", subjects=("sim.plans",)),)))

    on_empty(bus_server, test)


def test_ids_cannot_be_known_for_longer_than_events_are_kept(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(BusError):
            await bus.ensure(with_stream(replace(PLANS, max_age_s=60.0)))

    on_empty(bus_server, test)


def test_one_server_keeps_no_three_copies(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(BusError):
            await bus.ensure(HERE.replicated(3))

    on_empty(bus_server, test, None)
