"""How streams and queues are, as the server says it."""

from dataclasses import replace
from datetime import timedelta

from simbuilder.bus.declarations import Declaration
from simbuilder.bus.protocol import Bus
from tests.buses import (
    HERE,
    MADE,
    NEWS,
    PLANNER,
    PLANS,
    BusServer,
    everything,
    on_empty,
    plan,
    publish,
    state_of,
    stream_state,
    taking,
    until,
)

ONE = Declaration((PLANS,), (PLANNER,))


def test_an_empty_stream(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        state = await stream_state(bus, PLANS)
        assert (state.name, state.about, state.subjects) == ("PLANS", "plans", ("sim.plans.>",))
        assert (state.messages, state.bytes, state.last_sequence) == (0, 0, 0)
        assert (state.first_time, state.last_time) == (None, None)
        assert (state.consumers, state.replicas, state.leader) == (1, 1, None)

    on_empty(bus_server, test, ONE)


def test_a_stream_with_something_in_it(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 7), type_="sim.news.v1.news.told")
        stored = await everything(bus, "NEWS")
        state = await stream_state(bus, NEWS)
        assert (state.messages, state.first_sequence, state.last_sequence) == (5, 2, 6)
        assert state.bytes >= sum(len(one.raw) for one in stored)
        assert state.first_time is not None
        assert state.last_time is not None
        assert abs(state.first_time - stored[0].time) < timedelta(milliseconds=1)
        assert abs(state.last_time - stored[-1].time) < timedelta(milliseconds=1)

    on_empty(bus_server, test)


def test_what_was_dropped_is_not_counted(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        await bus.drop("PLANS", 1)
        await bus.drop("PLANS", 3)
        state = await stream_state(bus, PLANS)
        assert (state.messages, state.first_sequence, state.last_sequence) == (1, 2, 3)

    on_empty(bus_server, test)


def test_buckets_and_large_data_are_no_streams(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.bucket("notes").put("a", b"1")
        await bus.publish(plan(data={"text": "x" * 500_000}))
        assert [one.name for one in await bus.streams()] == ["NEWS", "PLANS"]

    on_empty(bus_server, test)


def test_what_waits_in_a_queue_is_its_lag(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 6))
        await publish(bus, range(6, 9), type_="sim.plans.v1.plan.asked")
        state = await state_of(bus, PLANNER)
        assert (state.name, state.stream, state.ordered) == ("planner", "PLANS", False)
        assert (state.lag, state.pending, state.redelivered) == (5, 0, 0)
        assert (state.delivered, state.settled, state.waiting) == (0, 0, 0)

    on_empty(bus_server, test)


def test_what_workers_have_is_pending_until_it_is_settled(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 6))
        async with taking(bus, PLANNER) as inbox:
            first, second, *rest = await inbox.take(5)
            state = await state_of(bus, PLANNER)
            assert (state.lag, state.pending, state.redelivered) == (0, 5, 0)
            assert (state.delivered, state.settled) == (5, 0)

            await second.ack()
            await until(lambda: pending(bus, 4))
            assert (await state_of(bus, PLANNER)).settled == 0

            await first.nak()
            again = await inbox.next()
            state = await state_of(bus, PLANNER)
            assert (state.pending, state.redelivered, state.delivered) == (4, 1, 5)

            await again.ack()
            await until(lambda: pending(bus, 3))
            state = await state_of(bus, PLANNER)
            assert (state.redelivered, state.settled) == (0, 2)

            for one in rest:
                await one.term()
            await until(lambda: pending(bus, 0))
            assert (await state_of(bus, PLANNER)).settled == 5

    async def pending(bus: Bus, number: int) -> bool:
        return (await state_of(bus, PLANNER)).pending == number

    on_empty(bus_server, test)


def test_whoever_waits_for_work_is_counted(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def waiting() -> bool:
            return (await state_of(bus, PLANNER)).waiting > 0

        assert not await waiting()
        async with taking(bus, PLANNER) as inbox:
            await until(waiting)
            await bus.publish(plan(1))
            await inbox.next()

    on_empty(bus_server, test)


def test_queues_of_one_stream_or_of_all(bus_server: BusServer) -> None:
    reader = replace(PLANNER, name="reader", stream="NEWS", subjects=("sim.news.v1.news.told",))

    async def test(bus: Bus) -> None:
        names = {(one.stream, one.name) for one in await bus.queues()}
        assert names == {("PLANS", "planner"), ("PLANS", "in-order"), ("NEWS", "reader")}
        assert [one.name for one in await bus.queues("NEWS")] == ["reader"]

    on_empty(bus_server, test, HERE.with_queues([reader]))


def test_a_reader_is_no_queue(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        async for _ in bus.read("PLANS", MADE):
            assert [one.name for one in await bus.queues("PLANS")] == ["planner"]

    on_empty(bus_server, test, ONE)


def test_a_connection_says_whether_it_is_there(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async with bus_server.open() as other:
            before = [other.connected, bus.connected]
        assert before == [True, True]
        assert [other.connected, bus.connected] == [False, True]

    on_empty(bus_server, test)
