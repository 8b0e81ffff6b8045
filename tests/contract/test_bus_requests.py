"""Requests: one of all who answer does, and what fails reaches whoever asked."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from simbuilder.bus.errors import (
    BadNameError,
    BusError,
    BusTimeoutError,
    NoResponderError,
)
from simbuilder.bus.events import Event
from simbuilder.bus.making import new_named
from simbuilder.bus.protocol import Bus, Responder
from tests.buses import BusServer, on_empty, plan, same, soon

DOUBLE = "sim.request.v1.numbers.double"
DOUBLED = "sim.request.v1.numbers.doubled"


def asking(number: int) -> Event:
    return plan(number, type_=DOUBLE)


async def double(asked: Event) -> Event:
    number = int(asked.data["number"])
    return new_named(DOUBLED, {"number": 2 * number}, "tests", cause=asked)


def named(name: str) -> Responder:
    async def answer(asked: Event) -> Event:
        return new_named(DOUBLED, {"by": name}, "tests", cause=asked)

    return answer


def test_whoever_asks_gets_the_answer(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen: list[Event] = []

        async def answer(asked: Event) -> Event:
            seen.append(asked)
            return await double(asked)

        async with bus_server.open() as other, other.respond(DOUBLE, answer):
            asked = asking(21)
            reply = await bus.request(DOUBLE, asked)
            assert (reply.type, reply.data) == (DOUBLED, {"number": 42})
            assert (reply.causation_id, reply.correlation_id) == (asked.id, asked.correlation_id)
            assert same(seen[0], asked)
            many = await asyncio.gather(*(bus.request(DOUBLE, asking(n)) for n in range(100)))
            assert [one.data["number"] for one in many] == list(range(0, 200, 2))

    on_empty(bus_server, test)


def test_nobody_answers_and_it_is_said_at_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        began = time.monotonic()
        with pytest.raises(NoResponderError):
            await bus.request(DOUBLE, asking(1))
        async with bus.respond(DOUBLE, double):
            await bus.request(DOUBLE, asking(1))
            with pytest.raises(NoResponderError):
                await bus.request("sim.request.v1.numbers.halve", asking(1))
        with pytest.raises(NoResponderError):
            await bus.request(DOUBLE, asking(1))
        assert time.monotonic() - began < 2

    on_empty(bus_server, test)


def test_an_answer_that_does_not_come_in_time_is_not_waited_for(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        wake = asyncio.Event()

        async def slow(asked: Event) -> Event:
            await wake.wait()
            return await double(asked)

        async with bus.respond(DOUBLE, slow):
            began = time.monotonic()
            with pytest.raises(BusTimeoutError):
                await bus.request(DOUBLE, asking(1), deadline_s=0.2)
            assert 0.15 < time.monotonic() - began < 5
            wake.set()
            assert (await bus.request(DOUBLE, asking(2))).data == {"number": 4}

    on_empty(bus_server, test)


def test_an_error_reaches_whoever_asked_in_its_own_words(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def fail(asked: Event) -> Event:
            if asked.data["number"] == 7:
                raise ValueError("seven is not a number")
            return await double(asked)

        async with bus_server.open() as other, other.respond(DOUBLE, fail):
            with pytest.raises(BusError, match="ValueError: seven is not a number") as failed:
                await bus.request(DOUBLE, asking(7))
            assert type(failed.value) is BusError
            assert (await bus.request(DOUBLE, asking(8))).data == {"number": 16}

    on_empty(bus_server, test)


def test_an_error_of_more_than_a_line_arrives_too(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async def fail(asked: Event) -> Event:
            raise LookupError("first ä\r\nsecond: line")

        async with bus.respond(DOUBLE, fail):
            with pytest.raises(BusError, match="LookupError: first") as failed:
                await bus.request(DOUBLE, asking(7), deadline_s=5)
            assert not isinstance(failed.value, BusTimeoutError)

    on_empty(bus_server, test)


def test_those_who_answer_share_the_load(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async with AsyncExitStack() as stack:
            for name in ("a", "b", "c"):
                other = await stack.enter_async_context(bus_server.open())
                await stack.enter_async_context(other.respond(DOUBLE, named(name)))
            replies = [await bus.request(DOUBLE, asking(n)) for n in range(60)]
        by = [one.data["by"] for one in replies]
        assert len(by) == 60
        assert set(by) == {"a", "b", "c"}

    on_empty(bus_server, test)


def test_one_that_has_stopped_answering_is_not_asked(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        async with bus.respond(DOUBLE, named("stays")):
            async with bus.respond(DOUBLE, named("goes")):
                pass
            replies = [await bus.request(DOUBLE, asking(n), deadline_s=5) for n in range(20)]
        assert {one.data["by"] for one in replies} == {"stays"}

    on_empty(bus_server, test)


def test_several_are_answered_at_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        together = asyncio.Barrier(3)

        async def answer(asked: Event) -> Event:
            await together.wait()
            return await double(asked)

        async with bus.respond(DOUBLE, answer):
            asked = (bus.request(DOUBLE, asking(n)) for n in range(3))
            assert len(await soon(asyncio.gather(*asked))) == 3

    on_empty(bus_server, test)


def test_what_was_asked_before_the_end_is_answered(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        asked, wake = asyncio.Event(), asyncio.Event()

        async def slow(event: Event) -> Event:
            asked.set()
            await wake.wait()
            return await double(event)

        async def answer() -> None:
            async with bus.respond(DOUBLE, slow):
                await asked.wait()
                asyncio.get_running_loop().call_later(0.05, wake.set)

        answering = asyncio.ensure_future(answer())
        await asyncio.sleep(0)

        async def ask() -> Event:
            while True:
                try:
                    return await bus.request(DOUBLE, asking(4))
                except NoResponderError:
                    await asyncio.sleep(0.01)

        assert (await soon(ask())).data == {"number": 8}
        await soon(answering)

    on_empty(bus_server, test)


def test_only_subjects_of_requests_can_be_asked_and_answered(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        for wrong in ("sim.plans.v1.plan.made", "request", "sim.request.v1.>", ""):
            with pytest.raises(BadNameError):
                await bus.request(wrong, asking(1))
            with pytest.raises(BadNameError):
                async with bus.respond(wrong, double):
                    pass

    on_empty(bus_server, test)
