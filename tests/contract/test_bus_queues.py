"""Queues: each event goes to one worker until it is settled, whatever becomes of the worker."""

import asyncio
import time
from dataclasses import replace

import pytest

from simbuilder.bus.declarations import Declaration
from simbuilder.bus.errors import NoStreamError
from simbuilder.bus.protocol import Bus, Delivery
from simbuilder.bus.subjects import retry_subject
from tests.buses import (
    ASKED,
    HERE,
    MADE,
    PLANNER,
    PLANS,
    BusServer,
    everything,
    number_of,
    on_empty,
    plan,
    publish,
    soon,
    state_of,
    taking,
    until,
)


def numbers(deliveries: list[Delivery]) -> list[int]:
    return [number_of(one.message) for one in deliveries]


def test_what_is_done_is_never_delivered_again(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        async with taking(bus, PLANNER) as inbox:
            came = await inbox.take(3)
            assert numbers(came) == [1, 2, 3]
            assert [one.attempt for one in came] == [1, 1, 1]
            for one in came:
                await one.ack()
            await until(lambda: settled(bus))
        async with taking(bus, PLANNER) as inbox:
            assert await inbox.stays_empty()
        assert len(await everything(bus, "PLANS")) == 3

    async def settled(bus: Bus) -> bool:
        return (await state_of(bus, PLANNER)).pending == 0

    on_empty(bus_server, test)


def test_a_queue_takes_its_subjects_with_and_without_a_key(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))
        await bus.publish(plan(2, type_=ASKED))
        await bus.publish(plan(3, key="a"))
        async with taking(bus, PLANNER) as inbox:
            assert numbers(await inbox.take(2)) == [1, 3]
            await bus.publish(plan(4))
            assert number_of((await inbox.next()).message) == 4
            assert await inbox.stays_empty()

    on_empty(bus_server, test)


def test_a_new_queue_begins_with_what_is_there(bus_server: BusServer) -> None:
    late = replace(PLANNER, name="late")

    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3))
        await bus.ensure(HERE.with_queues([late]))
        async with taking(bus, late) as inbox:
            assert numbers(await inbox.take(2)) == [1, 2]

    on_empty(bus_server, test)


def test_each_queue_takes_all_of_it(bus_server: BusServer) -> None:
    other = replace(PLANNER, name="other")

    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        async with taking(bus, PLANNER) as inbox, taking(bus, other) as theirs:
            assert numbers(await inbox.take(3)) == numbers(await theirs.take(3)) == [1, 2, 3]

    on_empty(bus_server, test, Declaration((PLANS,), (PLANNER, other)))


def test_what_failed_is_delivered_again_and_counted(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))
        async with taking(bus, PLANNER) as inbox:
            for attempt in range(1, 9):  # max_deliver is the worker's business
                one = await inbox.next()
                assert (number_of(one.message), one.attempt) == (1, attempt)
                await one.nak()
            await (await inbox.next()).ack()
            assert await inbox.stays_empty()

    on_empty(bus_server, test)


def test_it_is_delivered_again_only_after_its_pause(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3))
        async with taking(bus, PLANNER) as inbox:
            first, second = await inbox.take(2)
            began = time.monotonic()
            await first.nak(0.6)
            await second.nak()
            assert number_of((await inbox.next()).message) == 2
            again = await inbox.next()
            assert 0.5 < time.monotonic() - began < 5
            assert (number_of(again.message), again.attempt) == (1, 2)

    on_empty(bus_server, test)


def test_what_was_given_up_is_not_delivered_again(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3))
        async with taking(bus, PLANNER) as inbox:
            first, second = await inbox.take(2)
            await first.term("nobody can do that")
            await second.nak()
            assert number_of((await inbox.next()).message) == 2
            assert await inbox.stays_empty(1.5)
        assert len(await everything(bus, "PLANS")) == 2

    on_empty(bus_server, test)


def test_settling_twice_does_nothing(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3))
        async with taking(bus, PLANNER) as inbox:
            first, second = await inbox.take(2)
            await first.ack()
            await first.nak()
            await first.term()
            await second.nak(0.3)
            await second.ack()
            assert number_of((await inbox.next()).message) == 2
            assert await inbox.stays_empty()
        await first.nak()

    on_empty(bus_server, test)


def test_several_share_the_work_and_nobody_has_it_twice(bus_server: BusServer) -> None:
    number = 600

    async def test(bus: Bus) -> None:
        await publish(bus, range(number))
        done: list[int] = []
        by: list[set[int]] = [set(), set(), set()]

        async def work(one: Bus, mine: set[int]) -> None:
            async with one.pull(PLANNER, batch=10) as deliveries:
                async for delivery in deliveries:
                    assert delivery.attempt == 1
                    mine.add(number_of(delivery.message))
                    done.append(number_of(delivery.message))
                    await delivery.ack()
                    await asyncio.sleep(0)
                    if len(done) == number:
                        return

        async with bus_server.open() as other, bus_server.open() as third:
            working = [
                asyncio.ensure_future(work(one, mine))
                for one, mine in zip((bus, other, third), by, strict=True)
            ]
            await soon(asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED))
            for one in working:
                one.cancel()
            await asyncio.wait(working)
        assert sorted(done) == list(range(number))
        assert all(by)

    on_empty(bus_server, test)


def test_many_tasks_may_read_from_one_pull(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(40))
        async with bus.pull(PLANNER, batch=5) as deliveries:

            async def work() -> list[int]:
                mine = []
                for _ in range(10):
                    delivery = await soon(anext(aiter(deliveries)))
                    mine.append(number_of(delivery.message))
                    await delivery.ack()
                return mine

            found = await asyncio.gather(*(work() for _ in range(4)))
        assert sorted(number for mine in found for number in mine) == list(range(40))

    on_empty(bus_server, test)


def test_what_is_held_when_the_block_ends_is_returned_at_once(bus_server: BusServer) -> None:
    slow = replace(PLANNER, ack_wait_s=60.0)

    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 21))
        async with bus_server.open() as other:
            async with taking(other, slow, batch=20) as inbox:
                await (await inbox.next()).ack()
                await inbox.take(4)
            began = time.monotonic()
            async with taking(bus, slow) as inbox:
                came = await inbox.take(19)
            assert time.monotonic() - began < 10
        assert sorted(numbers(came)) == list(range(2, 21))
        attempts = {number_of(one.message): one.attempt for one in came}
        assert all(attempts[number] == 2 for number in range(2, 6))

    on_empty(bus_server, test, Declaration((PLANS,), (slow,)))


def test_so_it_is_when_an_error_or_a_cancellation_ends_the_block(bus_server: BusServer) -> None:
    slow = replace(PLANNER, ack_wait_s=60.0)

    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))

        async def fail() -> None:
            async with bus.pull(slow) as deliveries:
                await soon(anext(aiter(deliveries)))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        holding = asyncio.Event()

        async def hold() -> None:
            async with bus.pull(slow) as deliveries:
                async for _ in deliveries:
                    holding.set()

        held = asyncio.ensure_future(hold())
        await soon(holding.wait())
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        async with taking(bus, slow) as inbox:
            again = await inbox.next()
        assert (number_of(again.message), again.attempt) == (1, 3)

    on_empty(bus_server, test, Declaration((PLANS,), (slow,)))


def test_what_a_vanished_worker_had_goes_to_another_after_a_while(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))
        began = time.monotonic()
        await bus_server.take_and_vanish(PLANNER)
        async with taking(bus, PLANNER) as inbox:
            again = await inbox.next()
        assert time.monotonic() - began > 0.9
        assert (number_of(again.message), again.attempt) == (1, 2)

    on_empty(bus_server, test)


def test_what_is_worked_on_is_not_taken_from_its_worker(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1))
        async with bus_server.open() as other:
            async with taking(other, PLANNER) as theirs, taking(bus, PLANNER) as mine:
                holder = asyncio.ensure_future(theirs.next())
                other_holder = asyncio.ensure_future(mine.next())
                [held] = await soon(first_of(holder, other_holder))
                delivery = held.result()
                assert await theirs.stays_empty(1.5)
                assert await mine.stays_empty(1.5)
                assert (await state_of(bus, PLANNER)).pending == 1
                await delivery.ack()
                other_holder.cancel()
                holder.cancel()
            async with taking(bus, PLANNER) as mine:
                assert await mine.stays_empty()

    async def first_of(*tasks: "asyncio.Future[Delivery]") -> "set[asyncio.Future[Delivery]]":
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done

    on_empty(bus_server, test)


def test_no_more_than_the_queue_allows_is_with_workers(bus_server: BusServer) -> None:
    few = replace(PLANNER, max_pending=3)

    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 11))
        async with (
            bus_server.open() as other,
            taking(bus, few) as mine,
            taking(other, few) as theirs,
        ):

            async def three() -> bool:
                return mine.came.qsize() + theirs.came.qsize() == 3

            await until(three)
            await asyncio.sleep(0.3)  # nothing tells that nothing comes
            assert await three()
            assert (await state_of(bus, few)).pending == 3
            holder = mine if mine.came.qsize() else theirs
            await (await holder.next()).ack()
            await until(three)

    on_empty(bus_server, test, Declaration((PLANS,), (few,)))


def test_what_is_to_be_taken_again_reaches_its_queue_alone(bus_server: BusServer) -> None:
    other = replace(PLANNER, name="other")

    async def test(bus: Bus) -> None:
        async with taking(bus, PLANNER) as mine, taking(bus, other) as theirs:
            await bus.publish(plan(1), subject=retry_subject("plans", "planner", None))
            await bus.publish(plan(2, key="a"), subject=retry_subject("plans", "planner", "a"))
            came = await mine.take(2)
            assert sorted(numbers(came)) == [1, 2]
            assert {one.message.event.type for one in came if one.message.event} == {MADE}
            assert await theirs.stays_empty()

    on_empty(bus_server, test, Declaration((PLANS,), (PLANNER, other)))


def test_what_is_no_event_is_handed_out_too(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus_server.raw(MADE, b"garbage", {"X-From": "elsewhere"})
        async with taking(bus, PLANNER) as inbox:
            one = await inbox.next()
            assert (one.message.event, one.message.raw) == (None, b"garbage")
            assert one.message.problem
            assert one.message.headers["X-From"] == "elsewhere"
            await one.term("it is no event")

    on_empty(bus_server, test)


def test_what_was_dropped_is_not_delivered(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        await bus.drop("PLANS", 2)
        async with taking(bus, PLANNER) as inbox:
            first, third = await inbox.take(2)
            assert numbers([first, third]) == [1, 3]
            await bus.drop("PLANS", 1)
            await first.nak()
            assert await inbox.stays_empty()

    on_empty(bus_server, test)


def test_a_queue_that_is_not_there_is_named(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        for missing in (replace(PLANNER, name="nobody"), replace(PLANNER, stream="NOWHERE")):
            with pytest.raises(NoStreamError):
                async with bus.pull(missing) as deliveries:
                    await soon(anext(aiter(deliveries)))

    on_empty(bus_server, test)
