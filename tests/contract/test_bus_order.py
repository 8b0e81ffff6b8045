"""Ordered queues: events of one key one after the other, whoever works on them and however."""

import asyncio
import random
import time
from collections import defaultdict

from simbuilder.bus.declarations import Declaration
from simbuilder.bus.protocol import Bus, Delivery
from simbuilder.bus.subjects import partition_of, retry_subject
from tests.buses import (
    IN_ORDER,
    PLANS,
    BusServer,
    number_of,
    on_empty,
    plan,
    publish,
    soon,
    state_of,
    taking,
)

ORDERED = Declaration((PLANS,), (IN_ORDER,))


def key_of(delivery: Delivery) -> str:
    assert delivery.message.event is not None
    return str(delivery.message.event.key)


def other_key(key: str) -> str:
    """A key of another partition."""
    return next(other for other in map(str, range(100)) if partition_of(other) != partition_of(key))


def test_the_next_of_a_key_waits_until_the_one_before_is_settled(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4), key="a")
        async with taking(bus, IN_ORDER) as inbox:
            for number in range(1, 4):
                one = await inbox.next()
                assert number_of(one.message) == number
                assert await inbox.stays_empty(0.2)
                await one.ack()

    on_empty(bus_server, test, ORDERED)


def test_other_keys_do_not_wait_for_it(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3), key="a")
        await publish(bus, range(11, 13), key=other_key("a"))
        async with taking(bus, IN_ORDER) as inbox:
            first = await inbox.take(2)
            assert sorted(number_of(one.message) for one in first) == [1, 11]
            assert await inbox.stays_empty(0.2)
            await next(one for one in first if key_of(one) != "a").ack()
            assert number_of((await inbox.next()).message) == 12

    on_empty(bus_server, test, ORDERED)


def test_what_has_no_key_is_taken_too_and_waits_for_nothing(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        assert (await state_of(bus, IN_ORDER)).lag == 3
        async with taking(bus, IN_ORDER) as inbox:
            taken = await inbox.take(3)
            assert sorted(number_of(one.message) for one in taken) == [1, 2, 3]
        again = retry_subject("plans", IN_ORDER.name, None)
        await bus.publish(plan(4), subject=again)
        async with taking(bus, IN_ORDER) as inbox:
            taken = await inbox.take(4)
            assert sorted(number_of(one.message) for one in taken) == [1, 2, 3, 4]

    on_empty(bus_server, test, ORDERED)


def test_nor_is_the_next_handed_out_while_one_pauses(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3), key="a")
        async with (
            bus_server.open() as other,
            taking(bus, IN_ORDER) as mine,
            taking(other, IN_ORDER) as theirs,
        ):
            began = time.monotonic()
            for attempt in (1, 2, 3):
                one = await first_of(mine.came, theirs.came)
                assert (number_of(one.message), one.attempt) == (1, attempt)
                await one.nak(0.3 if attempt < 3 else 0.0)
            assert time.monotonic() - began > 0.55
            one = await first_of(mine.came, theirs.came)
            assert (number_of(one.message), one.attempt) == (1, 4)
            await one.ack()
            assert number_of((await first_of(mine.came, theirs.came)).message) == 2

    on_empty(bus_server, test, ORDERED)


async def first_of(*inboxes: "asyncio.Queue[Delivery]") -> Delivery:
    """Return what comes into any of them."""
    waiting = [asyncio.ensure_future(inbox.get()) for inbox in inboxes]
    done, pending = await soon(asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))
    for one in pending:
        one.cancel()
    assert len(done) == 1
    return done.pop().result()


def test_the_next_of_a_key_comes_when_the_one_before_was_given_up(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3), key="a")
        async with taking(bus, IN_ORDER) as inbox:
            await (await inbox.next()).term("nobody can do that")
            assert number_of((await inbox.next()).message) == 2

    on_empty(bus_server, test, ORDERED)


def test_what_a_vanished_worker_had_comes_before_the_next_of_its_key(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3), key="a")
        await bus_server.take_and_vanish(IN_ORDER)
        async with taking(bus, IN_ORDER) as inbox:
            one = await inbox.next()
            assert (number_of(one.message), one.attempt) == (1, 2)
            await one.ack()
            assert number_of((await inbox.next()).message) == 2

    on_empty(bus_server, test, ORDERED)


def test_several_workers_that_fail_at_times_keep_the_order_of_every_key(
    bus_server: BusServer,
) -> None:
    keys, each = [f"run-{n}" for n in range(24)], 12
    chance = random.Random(7)

    async def test(bus: Bus) -> None:
        sent = [await bus.submit(plan(n, key=key)) for n in range(each) for key in keys]
        await asyncio.gather(*sent)
        done: dict[str, list[int]] = defaultdict(list)
        working: set[str] = set()
        finished = asyncio.Event()

        async def work(one: Bus) -> None:
            async with one.pull(IN_ORDER, batch=8) as deliveries:
                async for delivery in deliveries:
                    key = key_of(delivery)
                    assert partition_of(key) not in working
                    working.add(partition_of(key))
                    await asyncio.sleep(0.001 * chance.random())
                    working.remove(partition_of(key))
                    if chance.random() < 0.2:
                        await delivery.nak(0.005 * chance.random())
                        continue
                    done[key].append(number_of(delivery.message))
                    await delivery.ack()
                    if sum(map(len, done.values())) == each * len(keys):
                        finished.set()

        async with bus_server.open() as other, bus_server.open() as third:
            tasks = [asyncio.ensure_future(work(one)) for one in (bus, other, third)]
            over = asyncio.ensure_future(finished.wait())
            await soon(asyncio.wait((over, *tasks), return_when=asyncio.FIRST_COMPLETED))
            assert not [task for task in tasks if task.done() and task.result()]
            for task in (over, *tasks):
                task.cancel()
            await asyncio.wait((over, *tasks))
        assert done == {key: list(range(each)) for key in keys}

    on_empty(bus_server, test, ORDERED)


def test_what_is_to_be_taken_again_keeps_its_place_among_its_key(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1, key="a"))
        await bus.publish(plan(2, key="a"), subject=retry_subject("plans", "in-order", "a"))
        await bus.publish(plan(3, key="a"))
        async with taking(bus, IN_ORDER) as inbox:
            for number in (1, 2, 3):
                one = await inbox.next()
                assert number_of(one.message) == number
                await one.ack()

    on_empty(bus_server, test, ORDERED)


def test_a_queue_in_order_is_one_queue_to_whoever_asks(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4), key="a")
        await publish(bus, range(4, 6), key=other_key("a"))
        assert (await state_of(bus, IN_ORDER)).lag == 5
        async with taking(bus, IN_ORDER) as inbox:
            first = await inbox.take(2)
            [state] = await bus.queues("PLANS")
            assert (state.name, state.stream, state.ordered) == ("in-order", "PLANS", True)
            assert (state.lag, state.pending, state.delivered) == (3, 2, 4)
            assert state.settled == 0
            for one in first:
                await one.ack()
            for _ in range(3):
                await (await inbox.next()).ack()
            for _ in range(200):
                state = await state_of(bus, IN_ORDER)
                if not state.pending:
                    break
                await asyncio.sleep(0.02)
            assert (state.lag, state.pending, state.settled) == (0, 0, 5)

    on_empty(bus_server, test, ORDERED)
