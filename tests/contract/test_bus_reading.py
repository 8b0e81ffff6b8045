"""Reading a stream: all of it, in order and without gaps, from wherever and for everybody."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simbuilder.bus import catalogue  # noqa: F401 - declares the types
from simbuilder.bus.errors import EventError, NoStreamError
from simbuilder.bus.events import Event
from simbuilder.bus.protocol import Bus, Start, Stored
from simbuilder.bus.subjects import partition_of
from tests.buses import (
    ASKED,
    MADE,
    BusServer,
    everything,
    number_of,
    on_empty,
    plan,
    publish,
    some,
    soon,
    until,
)


async def read(bus: Bus, start: Start = Start(), **how: Any) -> list[int]:  # noqa: B008
    return [number_of(one) for one in await everything(bus, "PLANS", start=start, **how)]


def test_every_reader_sees_all_of_it(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(50))
        async with bus_server.open() as other:
            found = await asyncio.gather(read(bus), read(other), read(other))
        assert all(one == list(range(50)) for one in found)

    on_empty(bus_server, test)


def test_reading_an_empty_stream_ends_at_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        assert await soon(read(bus)) == []
        assert await soon(read(bus, Start("last"))) == []

    on_empty(bus_server, test)


def test_reading_begins_where_it_is_told_to(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        stored = (await everything(bus, "PLANS"))[-1]
        await publish(bus, range(4, 6), type_=ASKED)
        assert await read(bus, Start("first")) == [1, 2, 3, 4, 5]
        assert await read(bus, Start("last")) == [5]
        assert await read(bus, Start("new")) == []
        assert await read(bus, Start("sequence", sequence=4)) == [4, 5]
        assert await read(bus, Start("sequence", sequence=0)) == [1, 2, 3, 4, 5]
        assert await read(bus, Start("sequence", sequence=6)) == []
        assert await read(bus, Start("last-per-subject")) == [3, 5]
        assert await read(bus, Start("time", time=stored.time)) in ([3, 4, 5], [2, 3, 4, 5])
        long_ago = datetime.now(UTC) - timedelta(days=1)
        assert await read(bus, Start("time", time=long_ago)) == [1, 2, 3, 4, 5]
        assert await read(bus, Start("time", time=datetime.now(UTC) + timedelta(hours=1))) == []

    on_empty(bus_server, test)


def test_a_pattern_chooses_subjects(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3))
        await publish(bus, range(3, 5), type_=ASKED)
        await publish(bus, range(5, 7), key="a")
        assert await read(bus, pattern=MADE) == [1, 2]
        assert await read(bus, pattern="sim.plans.v1.*.asked") == [3, 4]
        assert await read(bus, pattern=f"{MADE}.*") == [5, 6]
        assert await read(bus, pattern=f"{MADE}.{partition_of('a')}") == [5, 6]
        assert await read(bus, pattern="sim.plans.>") == [1, 2, 3, 4, 5, 6]
        assert await read(bus, pattern="sim.other.>") == []
        assert await read(bus, Start("last"), pattern=MADE) == [2]
        assert await read(bus, Start("sequence", sequence=2), pattern=ASKED) == [3, 4]

    on_empty(bus_server, test)


def test_it_ends_with_what_was_there_when_it_began(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(10))
        found = []
        async for one in bus.read("PLANS"):
            found.append(number_of(one))
            await bus.publish(plan(100 + len(found)))
        assert found == list(range(10))

    on_empty(bus_server, test)


def test_a_follower_sees_what_comes_later(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(3))
        async with following(bus) as found, bus_server.open() as other:
            assert [number_of(one) for one in await some(found, 3)] == [0, 1, 2]
            await publish(other, range(3, 6))
            assert [number_of(one) for one in await some(found, 3)] == [3, 4, 5]

    on_empty(bus_server, test)


def test_a_follower_of_the_new_sees_nothing_older(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(3))
        async with following(bus, start=Start("new")) as found:
            first = asyncio.ensure_future(anext(found))
            number = 3
            while not first.done():  # it begins when the server says so, which is not known here
                await bus.publish(plan(number))
                number += 1
                await asyncio.wait({first}, timeout=0.01)
            seen = number_of(await first)
            assert 3 <= seen < number
            rest = [number_of(one) for one in await some(found, number - seen - 1)]
            assert rest == list(range(seen + 1, number))

    on_empty(bus_server, test)


def test_a_follower_may_begin_with_what_is_not_there_yet(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 4))
        async with following(bus, start=Start("sequence", sequence=6)) as found:
            first = asyncio.ensure_future(anext(found))
            await asyncio.sleep(0.1)
            await publish(bus, range(4, 8))
            assert number_of(await soon(first)) == 6
            assert number_of(await soon(anext(found))) == 7

    on_empty(bus_server, test)


def following(bus: Bus, **how: Any) -> "aclosing[Any]":
    found: AsyncIterator[Stored] = bus.read("PLANS", follow=True, **how)
    return aclosing(found)


def test_thousands_come_in_order_and_without_gaps_while_more_are_published(
    bus_server: BusServer,
) -> None:
    number = 4000

    async def test(bus: Bus) -> None:
        async with following(bus) as found, bus_server.open() as other:
            publishing = asyncio.ensure_future(publish(other, range(number)))
            seen = [number_of(one) for one in await some(found, number)]
            await publishing
        assert seen == list(range(number))

    on_empty(bus_server, test)


def test_what_was_dropped_is_passed_over(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 6))
        assert await bus.drop("PLANS", 1)
        assert await bus.drop("PLANS", 3)
        assert not await bus.drop("PLANS", 3)
        assert not await bus.drop("PLANS", 99)
        assert await read(bus) == [2, 4, 5]
        assert await bus.drop("PLANS", 5)
        assert await soon(read(bus)) == [2, 4]
        assert (await bus.publish(plan(6))).sequence == 6

    on_empty(bus_server, test)


def test_one_message_can_be_had_by_its_sequence(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(1, 3))
        found = await bus.get("PLANS", 2)
        assert found is not None
        [_, read_too] = await everything(bus, "PLANS")
        assert (found.stream, found.sequence, found.subject, found.time, found.raw) == (
            read_too.stream,
            read_too.sequence,
            read_too.subject,
            read_too.time,
            read_too.raw,
        )
        assert number_of(found) == 2
        assert await bus.get("PLANS", 3) is None
        await bus.drop("PLANS", 2)
        assert await bus.get("PLANS", 2) is None

    on_empty(bus_server, test)


def test_a_stream_that_is_not_there_is_named(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(NoStreamError):
            await soon(everything(bus, "NOWHERE"))
        with pytest.raises(NoStreamError):
            await soon(everything(bus, "NOWHERE", follow=True))
        with pytest.raises(NoStreamError):
            await bus.get("NOWHERE", 1)
        with pytest.raises(NoStreamError):
            await bus.drop("NOWHERE", 1)

    on_empty(bus_server, test)


def test_whoever_stops_reading_leaves_nothing_behind(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await publish(bus, range(500))
        before = {one.name: one.consumers for one in await bus.streams()}
        for _ in range(5):
            async with following(bus) as found:
                await some(found, 3)
        all_seen = asyncio.Event()

        async def see() -> None:
            async for one in bus.read("PLANS", follow=True):
                if one.sequence == 500:
                    all_seen.set()

        seeing = asyncio.ensure_future(see())
        await soon(all_seen.wait())
        seeing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await seeing

        async def gone() -> bool:
            return {one.name: one.consumers for one in await bus.streams()} == before

        await until(gone)

    on_empty(bus_server, test)


# --- what is no event ----------------------------------------------------------------------

GOOD = {"specversion": "1.0", "id": "1", "source": "tests", "type": MADE}
GARBAGE = {
    "no-json": b"{",
    "nothing": b"",
    "binary": bytes(range(256)),
    "no-object": b"[1, 2]",
    "no-version": json.dumps({"id": "1", "source": "tests", "type": MADE}).encode(),
    "wrong-version": json.dumps(GOOD | {"specversion": "0.3"}).encode(),
    "no-id": json.dumps({k: v for k, v in GOOD.items() if k != "id"}).encode(),
    "no-source": json.dumps({k: v for k, v in GOOD.items() if k != "source"}).encode(),
    "no-type": json.dumps({k: v for k, v in GOOD.items() if k != "type"}).encode(),
    "wrong-time": json.dumps(GOOD | {"time": "yesterday"}).encode(),
    "number-for-id": json.dumps(GOOD | {"id": 7}).encode(),
    "long-id": json.dumps(GOOD | {"id": "x" * 200}).encode(),
    "no-base64": json.dumps(GOOD | {"data_base64": "%%%"}).encode(),
    "deep": b"[" * 5000,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_event_is_shown_as_it_is_with_the_reason(
    bus_server: BusServer, name: str
) -> None:
    async def test(bus: Bus) -> None:
        await bus_server.raw(MADE, GARBAGE[name], {"X-From": "elsewhere"})
        await bus.publish(plan(2))
        bad, good = await everything(bus, "PLANS")
        assert bad.event is None
        assert bad.problem
        assert bad.raw == GARBAGE[name]
        assert bad.headers["X-From"] == "elsewhere"
        assert (bad.sequence, bad.subject) == (1, MADE)
        assert number_of(good) == 2
        again = await bus.get("PLANS", 1)
        assert again is not None
        assert (again.event, again.problem, again.raw) == (None, bad.problem, bad.raw)

    on_empty(bus_server, test)


def test_wrong_data_of_a_declared_type_is_an_event_all_the_same(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        wrong = plan(type_="sim.workflow.v1.run.requested", data={"run": 7})
        await bus.publish(wrong, subject=MADE)
        [stored] = await everything(bus, "PLANS")
        assert isinstance(stored.event, Event)
        assert (stored.problem, stored.event.data) == ("", {"run": 7})
        with pytest.raises(EventError):
            stored.event.payload()

    on_empty(bus_server, test)


def test_an_event_of_another_program_is_one_without_our_attributes(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        await bus_server.raw(MADE, json.dumps(GOOD).encode(), {})
        [stored] = await everything(bus, "PLANS")
        assert stored.event is not None
        assert (stored.event.id, stored.event.source, stored.event.data) == ("1", "tests", None)
        assert (stored.event.correlation_id, stored.event.key) == (None, None)

    on_empty(bus_server, test)
