"""Dead letters: what is no event, what nobody could handle, and what can be done with it."""

import asyncio
from dataclasses import replace

import pytest

from simbuilder.bus.catalogue.workflow import StepRequested
from simbuilder.bus.deadletters import NoLetterError, again, drop, letter, letters, retry
from simbuilder.bus.errors import EventError
from simbuilder.bus.jobs import Job, Reject
from simbuilder.bus.making import new_event
from simbuilder.bus.metrics import Metrics
from simbuilder.bus.protocol import Bus
from simbuilder.bus.subjects import partition_of
from tests.bus_working import (
    IN_TURN,
    OURS,
    STEPS,
    Seen,
    dead,
    declared,
    fail,
    number_in,
    send,
    settled,
    step,
    working,
)
from tests.buses import BusServer, everything, on_empty, plan, state_of, until

OTHERS = replace(STEPS, name="others")
BOTH = declared(STEPS, OTHERS)
WIDE = replace(STEPS, subjects=("sim.workflow.>",))
V99 = "sim.workflow.v99.run.requested"

GARBAGE: dict[str, bytes] = {
    "no json": b"{",
    "binary": bytes(range(128, 256)) * 10,
    "a megabyte": b"\xff\x00garbage\r\n" * 90_000,
    "control characters": b"\x01" * 500_000,
    "nothing": b"",
    "no object": b"[1, 2]",
    "an object, but no event": b'{"specversion": "1.0"}',
    "another specversion": b'{"specversion": "9.9", "id": "1", "source": "s", "type": "t"}',
    "odd attributes": b'{"specversion": "1.0", "id": 7, "source": [], "type": {}, "time": 3}',
    "deep": b"[" * 5000,
    "id too long": b'{"specversion":"1.0","id":"' + b"i" * 500 + b'","source":"s","type":"t"}',
    "base64 that is none": (
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"?!"}'
    ),
}


# --- what no worker can do anything with ----------------------------------------------------


@pytest.mark.parametrize("once", [True, False])
def test_garbage_becomes_dead_letters_and_stops_nobody(bus_server: BusServer, once: bool) -> None:
    async def test(bus: Bus) -> None:
        seen, metrics = Seen(), Metrics()
        for number, raw in enumerate(GARBAGE.values()):
            await bus.publish(step(number))
            await bus_server.raw(StepRequested.TYPE, raw, {})
        async with working(bus, seen, once=once, metrics=metrics):
            found = await dead(bus, len(GARBAGE))
            await settled(bus)
        assert sorted(seen.numbers) == list(range(len(GARBAGE)))
        by_place = {one.message.sequence: one.message for one in found}
        for number, (what, raw) in enumerate(GARBAGE.items()):
            said = by_place[2 * number + 2]
            assert (said.cause, said.event, said.type) == ("malformed", None, None), what
            assert said.error, what
            assert original_of(said.original, said.original_base64) == raw, what
        counted = f'dead_letters_total{{cause="malformed",queue="steps"}} {len(GARBAGE)}.0'
        assert counted in metrics.text()

    on_empty(bus_server, test, OURS)


def original_of(text: str | None, encoded: str | None) -> bytes:
    import base64

    assert (text is None) != (encoded is None)
    return base64.b64decode(encoded or "") if text is None else text.encode()


def test_wrong_data_and_unknown_versions_are_given_up_with_the_reason(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen()
        wrong, unknown = step().with_({"step": 7}), step().with_({}, type=V99)
        async with working(bus, seen, WIDE):
            await bus_server.raw(StepRequested.TYPE, written(wrong), {})
            await bus_server.raw(V99, written(unknown), {})
            await bus.publish(step(3))
            first, second = await dead(bus, 2)
            await settled(bus, WIDE)
        assert seen.numbers == [3]
        by_cause = {one.message.cause: one.message for one in (first, second)}
        assert by_cause["malformed"].event == wrong.id
        assert "step" in by_cause["malformed"].error
        assert (by_cause["unknown-type"].event, by_cause["unknown-type"].type) == (unknown.id, V99)

    on_empty(bus_server, test, declared(WIDE))


def written(event: object) -> bytes:
    from simbuilder.bus import formats
    from simbuilder.bus.events import Event

    assert isinstance(event, Event)
    return formats.write(event)


def test_data_that_is_gone_is_a_dead_letter(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        data = StepRequested(run="r", step="s", inputs={"number": 1, "text": "x" * 600_000})
        await bus.publish(new_event(data, "tests"))
        [stored] = await everything(bus, "SIM_WORKFLOW")
        assert stored.event is not None
        name = str(stored.event.data_ref).rpartition("/")[2]
        await bus_server.spoil(name, None)
        async with working(bus, Seen()):
            [found] = await dead(bus)
        assert (found.message.cause, "gone" in found.message.error) == ("malformed", True)

    on_empty(bus_server, test, OURS)


def test_a_secret_in_what_a_handler_raises_is_not_kept(bus_server: BusServer) -> None:
    said = (
        "nats://admin:hunter2@host:4222 refused password=hunter2 and "
        "AccountKey=hunter2; Authorization: Bearer hunter2"
    )

    async def test(bus: Bus) -> None:
        async def leak(job: Job) -> None:
            if number_in(job) == 1:
                raise Reject(said)
            raise RuntimeError(said)

        async with working(bus, leak):
            await send(bus, step(1), step(2))
            found = await dead(bus, 2)
        for one in found:
            assert "refused" in one.message.error
            assert "hunter2" not in one.message.error

    on_empty(bus_server, test, OURS)


# --- what can be done with it ---------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "run-7"])
def test_retrying_runs_an_event_again_at_its_queue_alone(
    bus_server: BusServer, key: str | None
) -> None:
    async def test(bus: Bus) -> None:
        broken = True

        async def fail_at_first(job: Job) -> None:
            if broken:
                await fail(job)

        mine, theirs = Seen(fail_at_first), Seen()
        async with working(bus, mine), working(bus, theirs, OTHERS):
            event = step(key=key)
            await bus.publish(event)
            [found] = await dead(bus)
            broken = False
            await retry(bus, await letter(bus, found.sequence))
            await mine.wait(4)
            await settled(bus)
            await settled(bus, OTHERS)
        assert mine.attempts == [1, 2, 3, 1]
        again_ = mine.jobs[-1]
        assert again_.event.get_attributes() == event.get_attributes()
        assert again_.data == event.payload()
        assert again_.key != mine.jobs[0].key
        assert len(theirs.jobs) == 1
        assert [one async for one in letters(bus)] == []

    on_empty(bus_server, test, BOTH)


def test_what_fails_again_is_a_new_dead_letter(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen(fail)
        async with working(bus, seen):
            event = step(key="run-7")
            await bus.publish(event)
            [first] = await dead(bus)
            await retry(bus, first)

            async def another() -> bool:
                return [one.sequence async for one in letters(bus)] > [first.sequence]

            await until(another)
            [second] = [one async for one in letters(bus)]
            await retry(bus, second)
            await seen.wait(9)
        assert second.message.event == event.id
        assert second.message.subject == f"{StepRequested.TYPE}.{partition_of('run-7')}"
        assert seen.attempts == [1, 2, 3] * 3

    on_empty(bus_server, test, OURS)


def test_a_retry_that_was_interrupted_can_be_repeated(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def reject_at_first(job: Job) -> None:
            if not job.message.headers.get("Sim-Run"):
                raise Reject("not yet")

        seen = Seen(reject_at_first)
        async with working(bus, seen):
            await bus.publish(step())
            [found] = await dead(bus)
            first, second = await asyncio.gather(retry(bus, found), retry(bus, found))
            await seen.wait(2)
            await settled(bus)
        assert sorted([first.duplicate, second.duplicate]) == [False, True]
        assert len(seen.jobs) == 2

    on_empty(bus_server, test, OURS)


def test_a_retried_event_of_an_ordered_queue_stays_in_its_partition(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def reject_at_first(job: Job) -> None:
            if not job.message.headers.get("Sim-Run"):
                raise Reject("not yet")

        seen = Seen(reject_at_first)
        async with working(bus, seen, IN_TURN):
            await bus.publish(step(key="run-7"))
            [found] = await dead(bus)
            await retry(bus, found)
            await seen.wait(2)
            await settled(bus, IN_TURN)
        assert seen.jobs[1].message.subject.endswith(partition_of("run-7"))

    on_empty(bus_server, test, declared(IN_TURN))


def test_what_never_was_an_event_is_not_sent_again(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus_server.raw(StepRequested.TYPE, b"garbage", {})
        async with working(bus, Seen()):
            [found] = await dead(bus)
        with pytest.raises(EventError):
            await retry(bus, found)
        await drop(bus, found)
        with pytest.raises(NoLetterError):
            await letter(bus, found.sequence)

    on_empty(bus_server, test, OURS)


def test_letters_are_told_apart_by_their_queue(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async with working(bus, fail), working(bus, fail, OTHERS):
            await bus.publish(step())
            await dead(bus, 2)
        for queue in (STEPS, OTHERS):
            [found] = [one async for one in letters(bus, queue.name)]
            assert found.message.queue == queue.name
        assert [one async for one in letters(bus, "nobody")] == []

    on_empty(bus_server, test, BOTH)


def test_an_event_can_be_run_again_and_the_same_run_is_the_same_work(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        mine, theirs = Seen(), Seen()
        async with working(bus, mine), working(bus, theirs, OTHERS):
            await bus.publish(step(key="run-7"))
            await mine.wait(1)
            [stored] = await everything(bus, "SIM_WORKFLOW")
            await again(bus, stored, "steps", "rehearsal")
            await mine.wait(2)
            assert (await again(bus, stored, "steps", "rehearsal")).duplicate
            await again(bus, stored, "steps", "another")
            await again(bus, stored, "steps")
            await mine.wait(4)
            await settled(bus)
            await settled(bus, OTHERS)
        assert len(mine.jobs) == 4
        assert len({job.key for job in mine.jobs}) == 4
        assert len(theirs.jobs) == 1

    on_empty(bus_server, test, BOTH)


def test_a_queue_of_all_subjects_leaves_to_others_what_is_for_them_alone(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        mine, theirs = Seen(), Seen()
        async with working(bus, mine, WIDE), working(bus, theirs, OTHERS):
            await bus.publish(step())
            await theirs.wait(1)
            [stored] = await everything(bus, "SIM_WORKFLOW")
            await again(bus, stored, "others", "rehearsal")
            await theirs.wait(2)
            await settled(bus, WIDE)
        assert len(mine.jobs) == 1

    on_empty(bus_server, test, declared(WIDE, OTHERS))


def test_a_letter_that_finds_no_room_is_tried_again_without_haste(bus_server: BusServer) -> None:
    """A store of dead letters that is full must not make workers spin, nor lose what they hold."""
    whole = declared(STEPS)
    full = replace(whole.streams[2], max_messages=1)
    narrow = replace(whole, streams=(*whole.streams[:2], full))

    async def test(bus: Bus) -> None:
        async def reject(_: Job) -> None:
            raise Reject("never")

        seen = Seen(reject)
        async with bus_server.open() as other, working(other, seen):
            await send(bus, step(1), step(2))
            [first] = await dead(bus)
            await asyncio.sleep(1.5)
            state = await state_of(bus, STEPS)
            assert (state.lag, state.pending) == (0, 1)
            await drop(bus, first)
            [second] = await dead(bus)
            await settled(bus)
        assert seen.attempts == [1, 1]
        assert second.message.attempts < 6  # it counts how often the event was taken up
        assert {first.message.event, second.message.event} == {j.event.id for j in seen.jobs}

    on_empty(bus_server, test, narrow)


def test_what_is_no_event_of_ours_is_handled_as_json(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen):
            foreign = plan(1, type_="com.example.thing", data={"free": True})
            await bus.publish(foreign, subject=StepRequested.TYPE)
            await seen.wait(1)
            await settled(bus)
        assert seen.jobs[0].data == {"free": True}

    on_empty(bus_server, test, OURS)
