"""Data that is too large for an event: kept apart, fetched when it is wanted, and checked."""

import pytest

from simbuilder.bus.errors import EventError, NoStreamError
from simbuilder.bus.events import Event
from simbuilder.bus.payloads import INLINE, MAX_DATA, name_of
from simbuilder.bus.protocol import Bus
from tests.buses import (
    PLANNER,
    BusServer,
    everything,
    on_empty,
    plan,
    same,
    soon,
    taking,
)

LARGE = {"text": "ä" * 500_000, "number": 1}


async def stored_event(bus: Bus) -> Event:
    [stored] = await everything(bus, "PLANS")
    assert stored.event is not None
    assert len(stored.raw) <= INLINE
    return stored.event


def test_large_data_makes_the_round_trip(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(data=LARGE, key="a")
        await bus.publish(event)
        async with bus_server.open() as other:
            found = await stored_event(other)
            assert (found.id, found.key, found.data) == (event.id, "a", None)
            assert found.data_ref is not None
            assert same(await other.whole(found), event)
            async with taking(other, PLANNER) as inbox:
                taken = (await inbox.next()).message.event
                assert taken is not None
                assert taken.data_ref == found.data_ref
                assert same(await other.whole(taken), event)

    on_empty(bus_server, test)


def test_so_does_large_binary_data(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan().with_(bytes(range(256)) * 8000)
        await bus.publish(event)
        assert same(await bus.whole(await stored_event(bus)), event)

    on_empty(bus_server, test)


def test_data_that_fits_stays_in_its_event(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(data={"text": "x" * (INLINE - 1000)})
        await bus.publish(event)
        found = await stored_event(bus)
        assert found.data_ref is None
        assert same(found, event)
        assert await bus.whole(found) is found

    on_empty(bus_server, test)


def test_the_same_large_event_is_stored_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(data=LARGE)
        first = await bus.publish(event)
        again = await bus.publish(event)
        assert (again.sequence, again.duplicate) == (first.sequence, True)
        assert same(await bus.whole(await stored_event(bus)), event)

    on_empty(bus_server, test)


def test_an_event_that_refers_to_its_data_can_be_published_again(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        event = plan(data=LARGE)
        await bus.publish(event)
        found = await stored_event(bus)
        await bus.publish(found, headers={"Nats-Msg-Id": "again"})
        [_, second] = await everything(bus, "PLANS")
        assert second.event is not None
        assert same(await bus.whole(second.event), event)

    on_empty(bus_server, test)


def test_data_that_is_gone_or_was_changed_is_not_taken_for_it(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus.publish(plan(data=LARGE))
        found = await stored_event(bus)
        name = name_of(found)
        assert name is not None
        for wrong in (b'{"text": "other"}', b"", None):
            await bus_server.spoil(name, wrong)
            with pytest.raises(EventError):
                await soon(bus.whole(found))

    on_empty(bus_server, test)


def test_data_elsewhere_is_not_fetched(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        elsewhere = plan().with_(None, dataref="https://example.com/data")
        await bus.publish(elsewhere)
        with pytest.raises(EventError):
            await bus.whole(await stored_event(bus))

    on_empty(bus_server, test)


def test_there_is_an_end_to_the_size_of_data_and_of_attributes(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(EventError):
            await bus.submit(plan().with_(b"x" * (MAX_DATA + 1)))
        with pytest.raises(EventError):
            await bus.submit(plan().with_({"number": 1}, remark="x" * INLINE))
        assert await everything(bus, "PLANS") == []

    on_empty(bus_server, test)


def test_large_data_of_a_request_and_of_its_answer_is_kept_apart_too(
    bus_server: BusServer,
) -> None:
    place = "sim.request.v1.texts.echo"

    async def test(bus: Bus) -> None:
        async def echo(asked: Event) -> Event:
            return plan(data=(await bus.whole(asked)).data, type_=place)

        async with bus.respond(place, echo):
            reply = await bus.request(place, plan(data=LARGE, type_=place))
        assert (await bus.whole(reply)).data == LARGE

    on_empty(bus_server, test)


def test_without_a_place_for_it_large_data_is_refused(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(NoStreamError):
            await soon(bus.publish(plan(data=LARGE)))

    on_empty(bus_server, test, None)
