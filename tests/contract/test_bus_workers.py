"""Workers beside each other, and how they end: nothing lost, nothing twice, and in order."""

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import replace

import pytest

from simbuilder.bus.jobs import Job
from simbuilder.bus.protocol import Bus
from simbuilder.bus.worker import Worker
from tests.bus_working import (
    IN_TURN,
    OURS,
    STEPS,
    Seen,
    declared,
    fail,
    ledger,
    number_in,
    send,
    settled,
    step,
    working,
)
from tests.buses import BusServer, everything, on_empty, soon, state_of, until

PATIENT = replace(STEPS, ack_wait_s=60.0)
"""Whatever is not returned comes again only when all tests are over."""


class Held:
    """A handler that holds each event until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.finished: list[int] = []
        self.permits = asyncio.Semaphore(0)

    async def __call__(self, job: Job) -> None:
        self.begun.append(number_in(job))
        await self.permits.acquire()
        self.finished.append(number_in(job))

    def let_go(self, number: int = 1000) -> None:
        for _ in range(number):
            self.permits.release()

    async def wait(self, number: int) -> None:
        async def so_many() -> bool:
            return len(self.begun) >= number

        await until(so_many)


# --- how many at once ----------------------------------------------------------------------


@pytest.mark.parametrize("once", [True, False])
def test_no_more_are_handled_at_once_than_allowed(bus_server: BusServer, once: bool) -> None:
    async def test(bus: Bus) -> None:
        now = most = 0

        async def count(_: Job) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.002)
            now -= 1

        async with working(bus, count, concurrency=4, once=once) as worker:
            await send(bus, *map(step, range(100)))
            await settled(bus)
        assert (most, worker.done) == (4, 100)

    on_empty(bus_server, test, OURS)


@pytest.mark.parametrize("once", [True, False])
def test_two_workers_share_a_queue(bus_server: BusServer, once: bool) -> None:
    async def test(bus: Bus) -> None:
        async def pause(_: Job) -> None:
            await asyncio.sleep(0.002)

        one, two = Seen(pause), Seen(pause)
        async with (
            bus_server.open() as other,
            working(bus, one, once=once),
            working(other, two, once=once),
        ):
            await send(bus, *map(step, range(300)))
            await settled(bus)
        assert sorted(one.numbers + two.numbers) == list(range(300))
        assert one.numbers
        assert two.numbers

    on_empty(bus_server, test, OURS)


def test_what_is_stored_twice_is_handled_once(bus_server: BusServer) -> None:
    """As it is when somebody publishes again what was published longer ago than ids are kept."""
    declaration = declared(STEPS)
    forgetful = replace(declaration.streams[0], duplicates_s=0.1)
    declaration = replace(declaration, streams=(forgetful, *declaration.streams[1:]))

    async def test(bus: Bus) -> None:
        events = [step(number) for number in range(20)]

        async def all_twice() -> bool:
            await send(bus, *events)
            return len(await everything(bus, "SIM_WORKFLOW")) >= 2 * len(events)

        await until(all_twice)
        one, two = Seen(), Seen()
        async with bus_server.open() as other, working(bus, one), working(other, two):
            await settled(bus)
        assert sorted(one.numbers + two.numbers) == list(range(20))
        assert await ledger(bus) == ["done"] * 20

    on_empty(bus_server, test, declaration)


def test_a_second_copy_waits_until_the_first_is_finished(bus_server: BusServer) -> None:
    declaration = declared(STEPS)
    forgetful = replace(declaration.streams[0], duplicates_s=0.1)
    declaration = replace(declaration, streams=(forgetful, *declaration.streams[1:]))

    async def test(bus: Bus) -> None:
        held, event = Held(), step(7)
        async with bus_server.open() as other, working(bus, held), working(other, held):
            await bus.publish(event)
            await held.wait(1)

            async def again() -> bool:
                return not (await bus.publish(event)).duplicate

            await until(again)
            await send(bus, step(8))
            await held.wait(2)  # what waits keeps nobody from other work
            held.let_go()
            await settled(bus)
        assert sorted(held.finished) == [7, 8]

    on_empty(bus_server, test, declaration)


# --- order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("once", [True, False])
def test_each_key_keeps_its_order_though_attempts_fail_and_three_share_it(
    bus_server: BusServer, once: bool
) -> None:
    keys, each, chance = [f"run-{n}" for n in range(12)], 8, random.Random(5)
    patient = replace(IN_TURN, max_deliver=100, backoff_s=(0.01,))

    async def test(bus: Bus) -> None:
        done: dict[str, list[int]] = defaultdict(list)

        async def note(job: Job) -> None:
            await asyncio.sleep(0.003 * chance.random())
            if chance.random() < 0.2:
                await fail(job)
            done[str(job.event.key)].append(number_in(job))

        await send(bus, *(step(n, key=key) for n in range(each) for key in keys))
        async with (
            bus_server.open() as other,
            bus_server.open() as third,
            working(bus, note, patient, once=once),
            working(other, note, patient, once=once),
            working(third, note, patient, once=once),
        ):
            await settled(bus, patient)
        assert done == {key: list(range(each)) for key in keys}

    on_empty(bus_server, test, declared(patient))


# --- the end -------------------------------------------------------------------------------


def test_a_worker_that_stops_finishes_what_runs_and_begins_nothing(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        held = Held()
        await send(bus, *map(step, range(30)))
        worker = Worker(bus, PATIENT, held, concurrency=3)
        running = asyncio.ensure_future(worker.run())
        await held.wait(3)
        worker.stop()
        for finished in (1, 2, 3):
            held.let_go(1)

            async def so_many(number: int = finished) -> bool:
                return len(held.finished) == number

            await until(so_many)
            await asyncio.sleep(0.2)  # nothing tells that nothing begins
        await soon(running)
        assert len(held.begun) == 3
        assert sorted(held.finished) == sorted(held.begun)
        assert worker.done == 3

    on_empty(bus_server, test, declared(PATIENT))


def test_it_returns_at_once_what_it_has_not_begun(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        held, seen = Held(), Seen()
        await send(bus, *map(step, range(12)))
        stopping = Worker(bus, PATIENT, held, concurrency=4)
        running = asyncio.ensure_future(stopping.run())
        await held.wait(4)
        stopping.stop()
        async with bus_server.open() as other, working(other, seen, PATIENT):
            began = time.monotonic()
            await seen.wait(8)  # the four that were begun run on meanwhile
            assert time.monotonic() - began < 8
            held.let_go()
            await soon(running)
            await settled(bus, PATIENT)
        assert sorted(held.finished + seen.numbers) == list(range(12))

    on_empty(bus_server, test, declared(PATIENT))


@pytest.mark.parametrize("once", [True, False])
def test_what_is_not_finished_in_time_is_interrupted_and_returned(
    bus_server: BusServer, once: bool
) -> None:
    async def test(bus: Bus) -> None:
        held, seen = Held(), Seen()
        await send(bus, *map(step, range(6)))
        async with working(bus, held, PATIENT, concurrency=2, grace_s=0.2, once=once):
            await held.wait(2)
        assert held.finished == []
        async with working(bus, seen, PATIENT, once=once):
            await seen.wait(6)
            await settled(bus, PATIENT)
        assert sorted(seen.numbers) == list(range(6))

    on_empty(bus_server, test, declared(PATIENT))


@pytest.mark.parametrize("once", [True, False])
def test_a_worker_that_is_cancelled_returns_everything_at_once(
    bus_server: BusServer, once: bool
) -> None:
    async def test(bus: Bus) -> None:
        held, seen = Held(), Seen()
        await send(bus, *map(step, range(6)))
        running = asyncio.ensure_future(Worker(bus, PATIENT, held, once=once).run())
        await held.wait(6)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(running)
        async with working(bus, seen, PATIENT, once=once):
            await seen.wait(6)
            await settled(bus, PATIENT)
        assert sorted(seen.numbers) == list(range(6))

    on_empty(bus_server, test, declared(PATIENT))


def test_an_interrupted_attempt_is_no_failed_one(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        held, seen = Held(), Seen()
        await send(bus, step())
        for turn in range(PATIENT.max_deliver + 1):
            async with working(bus, held, PATIENT, grace_s=0.0):
                await held.wait(turn + 1)
        async with working(bus, seen, PATIENT):
            await seen.wait(1)
            await settled(bus, PATIENT)
        assert await ledger(bus) == ["done"]

    on_empty(bus_server, test, declared(PATIENT))


def test_a_worker_that_waits_for_another_stops_at_once(bus_server: BusServer) -> None:
    """What another works on is not ours to finish."""
    declaration = declared(PATIENT)
    forgetful = replace(declaration.streams[0], duplicates_s=0.1)
    declaration = replace(declaration, streams=(forgetful, *declaration.streams[1:]))

    async def test(bus: Bus) -> None:
        held, event = Held(), step()
        async with bus_server.open() as other, working(bus, held, PATIENT, concurrency=1):
            await send(bus, event)
            await held.wait(1)
            await send(bus, step(2), step(3))  # it takes so much ahead at most, the other the rest
            seen = Seen()
            idle = Worker(other, PATIENT, seen, grace_s=60.0)
            running = asyncio.ensure_future(idle.run())

            async def all_taken() -> bool:
                return (await state_of(bus, PATIENT)).lag == 0

            await until(all_taken)

            async def again() -> bool:
                return not (await bus.publish(event)).duplicate

            await until(again)
            await until(all_taken)
            idle.stop()
            await soon(running)
            held.let_go()
            await settled(bus, PATIENT)
        assert len(held.finished) + len(seen.jobs) == 3

    on_empty(bus_server, test, declaration)
