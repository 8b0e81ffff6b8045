"""What only the bus in memory has, for tests: a clock to turn, clients that vanish, no server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from simbuilder.bus.errors import (
    BusConnectionError,
    BusTimeoutError,
    EventError,
    NoResponderError,
    NoStreamError,
)
from simbuilder.bus.events import Event
from simbuilder.bus.memory.bus import MemoryBus, MemoryServer
from simbuilder.bus.metrics import Metrics
from simbuilder.bus.protocol import Bus, Deliveries, Delivery, KeyValue
from tests.buses import HERE, PLANNER, everything, number_of, plan, soon, state_of, taking

PLACE = "sim.request.v1.numbers.double"


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def turn(self, **by: float) -> None:
        self.time += timedelta(**by)


def on(server: MemoryServer, test: Callable[[MemoryBus], Awaitable[None]]) -> None:
    async def run() -> None:
        async with MemoryBus(server) as bus:
            await bus.ensure(HERE)
            await test(bus)

    asyncio.run(run())


def test_it_is_what_the_protocol_says() -> None:
    async def test(bus: MemoryBus) -> None:
        whole: Bus = bus
        values: KeyValue = bus.bucket("notes")
        async with bus.pull(PLANNER) as deliveries:
            taken: Deliveries = deliveries
            await bus.publish(plan(1))
            one: Delivery = await anext(aiter(taken))
        assert isinstance(whole, Bus)
        assert await values.keys() == []
        assert one.attempt == 1

    on(MemoryServer(), test)


def test_its_clock_says_when_things_were_stored_and_are_too_old() -> None:
    clock = Clock()

    async def test(bus: MemoryBus) -> None:
        event = plan(1)
        await bus.publish(event)
        [stored] = await everything(bus, "PLANS")
        assert stored.time == clock.time
        clock.turn(minutes=1)
        assert (await bus.publish(event)).duplicate
        clock.turn(minutes=2)
        assert not (await bus.publish(event)).duplicate
        clock.turn(minutes=58)
        assert [one.sequence for one in await everything(bus, "PLANS")] == [2]
        clock.turn(days=1)
        assert await everything(bus, "PLANS") == []

    on(MemoryServer(clock), test)


def test_large_data_grows_old_too() -> None:
    clock = Clock()

    async def test(bus: MemoryBus) -> None:
        await bus.publish(plan(data={"text": "x" * 500_000}))
        [stored] = await everything(bus, "PLANS")
        assert stored.event is not None
        assert (await bus.whole(stored.event)).data == {"text": "x" * 500_000}
        clock.turn(days=31)
        with pytest.raises(EventError, match="gone"):
            await bus.whole(stored.event)

    on(MemoryServer(clock), test)


def test_a_client_that_vanishes_tells_nobody() -> None:
    server = MemoryServer()

    async def test(bus: MemoryBus) -> None:
        async def never(asked: Event) -> Event:
            await asyncio.Event().wait()
            return asked

        await bus.publish(plan(1))
        other = MemoryBus(server)
        async with taking(bus, PLANNER) as mine, other.respond(PLACE, never):
            await (await mine.next()).nak(0.1)
            async with other.pull(PLANNER) as theirs:
                waiting = asyncio.ensure_future(anext(aiter(theirs)))
                asked = asyncio.ensure_future(bus.request(PLACE, plan(), deadline_s=0.3))
                await asyncio.sleep(0)
                other.vanish()
                with pytest.raises(BusConnectionError):
                    await soon(waiting)
                with pytest.raises(BusTimeoutError):
                    await soon(asked)
                with pytest.raises(NoResponderError):
                    await bus.request(PLACE, plan())
            assert number_of((await mine.next()).message) == 1

    on(server, test)


def test_with_a_connection_that_is_closed_nothing_can_be_done() -> None:
    server = MemoryServer()

    async def test(bus: MemoryBus) -> None:
        async with MemoryBus(server) as other:
            reading = other.read("PLANS", follow=True)
            watching = other.bucket("notes").watch()
            entries = await watching.__aenter__()
            waiting = [asyncio.ensure_future(anext(one)) for one in (reading, entries)]
            await asyncio.sleep(0.01)
        for one in waiting:
            with pytest.raises(BusConnectionError):
                await soon(one)
        await watching.__aexit__(None, None, None)
        attempts: list[Callable[[], Awaitable[object]]] = [
            other.ensure,
            other.streams,
            other.queues,
            other.bucket("notes").keys,
            lambda: other.publish(plan(1)),
            lambda: other.get("PLANS", 1),
            lambda: other.request(PLACE, plan()),
        ]
        for attempt in attempts:
            with pytest.raises(BusConnectionError):
                await attempt()
        assert (await state_of(bus, PLANNER)).waiting == 0

    on(server, test)


def test_a_state_outlives_the_loop_that_made_it() -> None:
    server = MemoryServer()

    async def first(bus: MemoryBus) -> None:
        await bus.publish(plan(1))
        async with taking(bus, PLANNER) as inbox:
            await inbox.next()

    async def second(bus: MemoryBus) -> None:
        async with taking(bus, PLANNER) as inbox:
            assert (await inbox.next()).attempt == 2

    on(server, first)
    on(server, second)


def test_what_happens_is_counted() -> None:
    metrics = Metrics()

    async def run() -> None:
        async with MemoryBus(MemoryServer(), metrics=metrics) as bus:
            await bus.ensure(HERE)
            await bus.publish(plan(1))
            with pytest.raises(NoStreamError):
                await bus.publish(plan(type_="sim.nobody.v1.plan.made"))
            async with taking(bus, PLANNER) as inbox:
                await (await inbox.next()).nak()
                await (await inbox.next()).ack()

    asyncio.run(run())
    said = metrics.text().splitlines()
    assert 'simbuilder_bus_published_total{stream="PLANS"} 1.0' in said
    assert 'simbuilder_bus_refused_total{code="bus-no-stream"} 1.0' in said
    assert 'simbuilder_bus_redelivered_total{queue="planner"} 1.0' in said
    assert 'simbuilder_bus_acked_total{queue="planner"} 1.0' in said


def test_others_have_their_turn_while_much_is_read() -> None:
    async def test(bus: MemoryBus) -> None:
        for number in range(100):
            await bus.publish(plan(number))
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.ensure_future(turn())
        async with aclosing(bus.read("PLANS")) as found:  # type: ignore[type-var]
            async for _ in found:
                pass
        assert turns >= 100
        turning.cancel()

    on(MemoryServer(), test)
