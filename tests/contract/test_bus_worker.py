"""Workers: every event handled, each outcome settled, nothing twice that was finished."""

import asyncio
from dataclasses import replace

import pytest

from simbuilder.bus.catalogue.health import WorkerStarted, WorkerStopped
from simbuilder.bus.catalogue.workflow import RunRequested, StepFinished, StepRequested
from simbuilder.bus.deadletters import letters
from simbuilder.bus.events import EventData
from simbuilder.bus.jobs import Job, Reject, Retry
from simbuilder.bus.making import new_event
from simbuilder.bus.metrics import Metrics
from simbuilder.bus.protocol import Bus
from tests.bus_working import (
    OURS,
    STEPS,
    Seen,
    dead,
    declared,
    fail,
    ledger,
    send,
    settled,
    step,
    working,
)
from tests.buses import BusServer, everything, on_empty

# --- how attempts end ----------------------------------------------------------------------


@pytest.mark.parametrize("once", [True, False])
def test_what_was_done_is_settled_and_known_as_done(bus_server: BusServer, once: bool) -> None:
    async def test(bus: Bus) -> None:
        seen, metrics = Seen(), Metrics()
        async with working(bus, seen, once=once, metrics=metrics) as worker:
            await send(bus, *map(step, range(5)))
            await settled(bus)
        assert sorted(seen.numbers) == list(range(5))
        assert seen.attempts == [1] * 5
        assert worker.done == 5
        assert await ledger(bus) == (["done"] * 5 if once else [])
        assert [one async for one in letters(bus)] == []
        assert 'handled_total{outcome="done",queue="steps"} 5.0' in metrics.text()

    on_empty(bus_server, test, OURS)


@pytest.mark.parametrize("once", [True, False])
def test_what_fails_is_tried_again_after_a_pause_and_given_up_at_last(
    bus_server: BusServer, once: bool
) -> None:
    patient = replace(STEPS, backoff_s=(0.2, 0.4))

    async def test(bus: Bus) -> None:
        seen, metrics = Seen(fail), Metrics()
        async with working(bus, seen, patient, once=once, metrics=metrics):
            event = step(key="run-7")
            await bus.publish(event)
            [letter] = await dead(bus)
            await settled(bus)
        assert seen.attempts == [1, 2, 3]
        assert len({job.key for job in seen.jobs}) == 1
        first, second, third = seen.times
        assert second - first > 0.19
        assert third - second > 0.39
        said = letter.message
        assert (said.queue, said.cause, said.attempts) == ("steps", "failed", 3)
        assert said.error == "ZeroDivisionError: no luck"
        assert (said.event, said.type, said.key) == (event.id, event.type, "run-7")
        assert (said.stream, said.sequence) == ("SIM_WORKFLOW", 1)
        assert letter.event.causation_id == event.id
        text = metrics.text()
        assert 'handled_total{outcome="failed",queue="steps"} 3.0' in text
        assert 'dead_letters_total{cause="failed",queue="steps"} 1.0' in text

    on_empty(bus_server, test, declared(patient))


def test_an_event_that_fails_at_first_is_done_in_the_end(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def at_the_third(job: Job) -> None:
            if job.attempt < 3:
                await fail(job)

        seen = Seen(at_the_third)
        async with working(bus, seen) as worker:
            await bus.publish(step())
            await seen.wait(3)
            await settled(bus)
        assert (seen.attempts, worker.done) == ([1, 2, 3], 1)
        assert [one async for one in letters(bus)] == []

    on_empty(bus_server, test, OURS)


def test_what_is_rejected_is_a_dead_letter_at_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def reject(_: Job) -> None:
            raise Reject("no such step")

        seen = Seen(reject)
        async with working(bus, seen):
            await bus.publish(step())
            [letter] = await dead(bus)
            await settled(bus)
        assert seen.attempts == [1]
        assert (letter.message.cause, letter.message.error) == ("rejected", "no such step")
        assert await ledger(bus) == ["dead"]

    on_empty(bus_server, test, OURS)


def test_a_handler_says_itself_when_it_wants_an_event_again(bus_server: BusServer) -> None:
    slow = replace(STEPS, backoff_s=(60.0,))

    async def test(bus: Bus) -> None:
        async def later(job: Job) -> None:
            if job.attempt < 3:
                raise Retry("not yet", after_s=0.3)

        seen = Seen(later)
        async with working(bus, seen, slow):
            await bus.publish(step())
            await seen.wait(3)
            await settled(bus, slow)
        assert seen.attempts == [1, 2, 3]
        assert 0.29 < seen.times[1] - seen.times[0] < 5

    on_empty(bus_server, test, declared(slow))


def test_a_handler_that_takes_too_long_is_interrupted(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        interrupted = 0

        async def hang(_: Job) -> None:
            nonlocal interrupted
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                interrupted += 1
                raise

        async with working(bus, hang, timeout_s=0.1):
            await bus.publish(step())
            [letter] = await dead(bus)
        assert interrupted == 3
        assert (letter.message.cause, letter.message.attempts) == ("timed-out", 3)

    on_empty(bus_server, test, OURS)


@pytest.mark.parametrize("error", [TimeoutError("its own"), asyncio.CancelledError("its own")])
def test_what_a_handler_raises_of_its_own_is_a_failed_attempt(
    bus_server: BusServer, error: BaseException
) -> None:
    async def test(bus: Bus) -> None:
        async def raise_it(_: Job) -> None:
            raise error

        seen = Seen(raise_it)
        async with working(bus, seen, timeout_s=30.0):
            await bus.publish(step())
            [letter] = await dead(bus)
        assert seen.attempts == [1, 2, 3]
        assert (letter.message.cause, "its own" in letter.message.error) == ("failed", True)

    on_empty(bus_server, test, OURS)


# --- what a handler is given ---------------------------------------------------------------


def test_data_is_an_object_of_its_class_or_else_json(bus_server: BusServer) -> None:
    any_of_it = replace(STEPS, subjects=("sim.workflow.>",))

    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen, any_of_it):
            await bus.publish(step(), headers={"X-From": "tests"})
            other = step().with_({"free": [1]}, type="sim.workflow.v1.coffee.made")
            await bus.publish(other)
            await seen.wait(2)
        known, unknown = sorted(seen.jobs, key=lambda job: job.message.sequence)
        assert isinstance(known.data, StepRequested)
        assert known.data.step == "step-1"
        assert known.message.headers["X-From"] == "tests"
        assert unknown.data == {"free": [1]}

    on_empty(bus_server, test, declared(any_of_it))


def test_large_data_is_whole(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen):
            data = StepRequested(run="r", step="s", inputs={"number": 1, "text": "x" * 600_000})
            await bus.publish(new_event(data, "tests"))
            await seen.wait(1)
            await settled(bus)
        assert seen.jobs[0].data == data

    on_empty(bus_server, test, OURS)


def test_what_follows_from_an_event_is_published_once_however_often_it_is_tried(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        async def publish_then_fail(job: Job) -> None:
            await job.publish(StepFinished(run="run-7", step="one"))
            await job.publish(StepFinished(run="run-7", step="two"), key="other")
            if job.attempt < 3:
                await fail(job)

        seen = Seen(publish_then_fail)
        async with working(bus, seen, source="/tests/steps"):
            cause = step(key="run-7").with_(step().data, correlationid="undertaking")
            await bus.publish(cause)
            await seen.wait(3)
            await settled(bus)
        assert [job.attempt for job in seen.jobs] == [1, 2, 3]
        stored = await everything(bus, "SIM_WORKFLOW")
        _, one, two = [each.event for each in stored]
        assert one is not None
        assert two is not None
        assert (one.data["step"], two.data["step"]) == ("one", "two")
        assert (one.key, two.key) == ("run-7", "other")
        for made in (one, two):
            assert (made.correlation_id, made.causation_id) == ("undertaking", cause.id)
            assert made.source == "/tests/steps"

    on_empty(bus_server, test, OURS)


def test_a_worker_says_when_it_starts_and_stops(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen) as worker:
            await bus.publish(step())
            await seen.wait(1)
            await settled(bus)
        said: list[EventData | None] = [
            each.event.payload() for each in await everything(bus, "SIM_HEALTH") if each.event
        ]
        assert said == [
            WorkerStarted(worker=worker.id, queue="steps"),
            WorkerStopped(worker=worker.id, queue="steps", done=1),
        ]

    on_empty(bus_server, test, OURS)


def test_events_of_other_queues_are_left_to_them(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen):
            await bus.publish(new_event(RunRequested(run="r", plan="p"), "tests"))
            await bus.publish(step(2))
            await seen.wait(1)
            await settled(bus)
        assert seen.numbers == [2]

    on_empty(bus_server, test, OURS)
