"""Publishing: stored once, acknowledged, or refused with the reason."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from simbuilder.bus.declarations import Declaration
from simbuilder.bus.errors import BadNameError, BusFullError, EventError, NoStreamError
from simbuilder.bus.events import Event
from simbuilder.bus.making import new_named
from simbuilder.bus.protocol import MESSAGE_ID, Bus
from simbuilder.bus.subjects import partition_of
from tests.buses import (
    MADE,
    NEWS,
    PLANS,
    BusServer,
    everything,
    number_of,
    on_empty,
    plan,
    publish,
    same,
    until,
)


def test_a_published_event_is_stored_as_it_is(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        before = datetime.now(UTC)
        cause = plan(1)
        event = new_named(
            MADE, {"text": "ä\n", "list": [1, 2.5, None, True]}, "tests", cause=cause, key="run-1"
        )
        ack = await bus.publish(event)
        assert (ack.stream, ack.sequence, ack.duplicate) == ("PLANS", 1, False)
        [stored] = await everything(bus, "PLANS")
        assert same(stored.event, event)
        assert stored.event is not None
        assert stored.event.causation_id == cause.id
        assert (stored.stream, stored.sequence) == ("PLANS", 1)
        assert stored.subject == f"{MADE}.{partition_of('run-1')}"
        assert stored.problem == ""
        assert abs(stored.time - before) < timedelta(seconds=30)
        assert stored.time.tzinfo is not None

    on_empty(bus_server, test)


def test_binary_data_comes_back_as_bytes(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(1).with_(bytes(range(256)), datacontenttype="application/octet-stream")
        await bus.publish(event)
        [stored] = await everything(bus, "PLANS")
        assert same(stored.event, event)

    on_empty(bus_server, test)


def test_sequences_grow_in_the_order_of_publishing(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        assert [(await bus.publish(plan(n))).sequence for n in range(5)] == [1, 2, 3, 4, 5]
        sent = [await bus.submit(plan(n)) for n in range(5, 500)]
        assert [(await one).sequence for one in sent] == list(range(6, 501))
        assert [number_of(one) for one in await everything(bus, "PLANS")] == list(range(500))

    on_empty(bus_server, test)


def test_events_of_one_key_keep_their_order_too(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(300), key="run-1")
        assert [number_of(one) for one in await everything(bus, "PLANS")] == list(range(300))

    on_empty(bus_server, test)


def test_what_is_published_twice_is_stored_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(1)
        first = await bus.publish(event)
        async with bus_server.open() as other:
            again = await other.publish(event)
        assert (again.sequence, again.duplicate) == (first.sequence, True)
        assert len(await everything(bus, "PLANS")) == 1
        assert (await bus.publish(plan(1))).sequence == 2

    on_empty(bus_server, test)


def test_an_id_is_forgotten_after_a_while(bus_server: BusServer) -> None:
    forgetful = replace(PLANS, duplicates_s=0.3)

    async def test(bus: Bus) -> None:
        event = plan(1)
        await bus.publish(event)

        async def stored_again() -> bool:
            return not (await bus.publish(event)).duplicate

        assert not await stored_again()
        await until(stored_again)
        assert len(await everything(bus, "PLANS")) == 2

    on_empty(bus_server, test, Declaration((forgetful,)))


def test_no_more_than_a_window_is_on_its_way(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        sent: list[asyncio.Future[object]] = []
        most = 0
        for number in range(200):
            sent.append(asyncio.ensure_future(await bus.submit(plan(number))))
            most = max(most, sum(not one.done() for one in sent))
        assert most <= 4
        await asyncio.gather(*sent)
        assert len(await everything(bus, "PLANS")) == 200

    on_empty(bus_server, test, window=4)


def test_submitting_does_not_wait_for_the_acknowledgement(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        sent = await bus.submit(plan(1))
        assert not sent.done()
        assert (await sent).sequence == 1

    on_empty(bus_server, test)


def test_whoever_gives_up_waiting_takes_no_place_in_the_window(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        for number in range(20):
            (await bus.submit(plan(number))).cancel()
        await bus.publish(plan(20))
        assert number_of((await everything(bus, "PLANS"))[-1]) == 20

    on_empty(bus_server, test, window=4)


def test_nobody_keeps_that_subject_and_it_is_said_at_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        began = time.monotonic()
        sent = await bus.submit(plan(type_="sim.nobody.v1.plan.made"))
        with pytest.raises(NoStreamError, match=r"sim\.nobody\.v1\.plan\.made"):
            await sent
        assert time.monotonic() - began < 2

    on_empty(bus_server, test)


def test_a_subject_of_another_form_is_refused_before_anything_is_sent(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        for wrong in ("", "plans", "sim.plans.v1.plan", "sim.plans.v1.*.made", "sim.plans.v1.>"):
            with pytest.raises(BadNameError):
                await bus.submit(plan(), subject=wrong)
        with pytest.raises(BadNameError):
            await bus.submit(plan(type_="com.example.made"))
        foreign = plan(type_="com.example.made")
        await bus.publish(foreign, subject=MADE)
        [stored] = await everything(bus, "PLANS")
        assert (stored.subject, same(stored.event, foreign)) == (MADE, True)

    on_empty(bus_server, test)


def test_what_json_cannot_say_is_refused_before_anything_is_sent(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        for wrong in ({"a": object()}, {"a": {1, 2}}, {"a": b"bytes"}):
            with pytest.raises(EventError):
                await bus.submit(Event(plan().get_attributes(), wrong))
        with pytest.raises(EventError):
            await bus.submit(plan().with_({"number": 1}, id="x" * 129))
        assert await everything(bus, "PLANS") == []

    on_empty(bus_server, test)


def test_a_full_stream_refuses_the_new(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        first = plan(1)
        await bus.publish(first)
        await bus.publish(plan(2))
        with pytest.raises(BusFullError):
            await bus.publish(plan(3))
        assert (await bus.publish(first)).duplicate
        assert [number_of(one) for one in await everything(bus, "PLANS")] == [1, 2]
        assert await bus.drop("PLANS", 1)
        assert (await bus.publish(plan(4))).sequence == 3

    on_empty(bus_server, test, Declaration((replace(PLANS, max_messages=2),)))


def test_or_it_forgets_the_oldest(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        for number in range(1, 9):
            ack = await bus.publish(plan(number, type_="sim.news.v1.news.told"))
            assert ack.sequence == number
        assert [number_of(one) for one in await everything(bus, "NEWS")] == [4, 5, 6, 7, 8]

    on_empty(bus_server, test, Declaration((NEWS,)))


def test_what_is_too_old_is_gone(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(3))

        async def gone() -> bool:
            return await everything(bus, "PLANS") == []

        assert not await gone()
        await until(gone)
        assert (await bus.publish(plan(4))).sequence == 4

    on_empty(bus_server, test, Declaration((replace(PLANS, max_age_s=0.5, duplicates_s=0.2),)))


def test_what_is_larger_than_the_stream_takes_is_no_event_for_it(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(EventError):
            await bus.publish(plan(data={"text": "x" * 3000}))
        await bus.publish(plan(data={"text": "x" * 100}))
        assert len(await everything(bus, "PLANS")) == 1

    on_empty(bus_server, test, Declaration((replace(PLANS, max_message_bytes=2000),)))


def test_headers_travel_with_the_event(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(1), headers={"Sim-Run": "run-7", "Sim-Queue": "planner"})
        [stored] = await everything(bus, "PLANS")
        assert stored.headers["Sim-Run"] == "run-7"
        assert stored.headers["Sim-Queue"] == "planner"
        assert stored.headers[MESSAGE_ID] == (stored.event.identity if stored.event else None)
        again = await bus.get("PLANS", 1)
        assert again is not None
        assert dict(again.headers) == dict(stored.headers)

    on_empty(bus_server, test)


def test_an_id_in_the_headers_makes_it_another_message(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(1)
        await bus.publish(event)
        again = await bus.publish(event, headers={"Nats-Msg-Id": "another"})
        assert (again.sequence, again.duplicate) == (2, False)

    on_empty(bus_server, test)
