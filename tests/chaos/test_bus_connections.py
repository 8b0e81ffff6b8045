"""Connections that lose what was on its way, and garbage that no client of ours would send."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from simbuilder.bus import formats
from simbuilder.bus.address import Address
from simbuilder.bus.deadletters import letters
from simbuilder.bus.declarations import STATE, WORKFLOW
from simbuilder.bus.jobs import Job
from simbuilder.bus.protocol import Bus, Start
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from tests.bus_proxy import Proxy, before
from tests.bus_servers import HOST, one
from tests.chaos.bus import LOAD, QUEUE, load, published, ready, until
from tests.chaos.conftest import Judge

KIND = "nats"
AT_ONCE = 200
"""So many a reader asks for at once, and more."""

SOME = 15_000
"""So many bytes are some of these, but not all."""

T = TypeVar("T")


@asynccontextmanager
async def behind_a_proxy(folder: Path) -> AsyncIterator[tuple[Proxy, Bus, Bus]]:
    """Return a proxy, a bus on the other side of it, and one that reaches the server directly."""
    with one(folder) as server:
        async with (
            before(server.port) as proxy,
            ready(server.address) as direct,
            open_bus(proxy.address(server.address)) as bus,
        ):
            yield proxy, bus, direct


@asynccontextmanager
async def following(bus: Bus) -> AsyncIterator[list[str]]:
    """Follow the stream for the block; the list has the ids of what came."""
    found: list[str] = []
    note = found.append

    async def follow() -> None:
        async for stored in bus.read(WORKFLOW.name, follow=True):
            note(stored.event.id if stored.event else "garbage")

    task = asyncio.ensure_future(follow())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def ids(bus: Bus, start: Start = Start()) -> list[str]:  # noqa: B008 - it never changes
    return [one.event.id async for one in bus.read(WORKFLOW.name, start=start) if one.event]


async def more_than(found: list[str], number: int) -> None:
    await until(lambda: len(found) > number)


async def swallowed(proxy: Proxy) -> None:
    await until(lambda: proxy.swallowed > 0)


# --- what was on its way when a connection broke --------------------------------------------


async def in_spite_of_a_cut(proxy: Proxy, judge: Judge, reading: Coroutine[Any, Any, T]) -> T:
    """Read what never arrives as a whole, and break the connection then."""
    proxy.swallow(after=SOME)
    task = asyncio.ensure_future(reading)
    await swallowed(proxy)
    proxy.cut()
    judge.fault()
    return await task


def test_a_reader_goes_on_behind_the_last_event_that_arrived(tmp_path: Path) -> None:
    judge = Judge(KIND, "answers swallowed, connection cut")
    expected = [f"{number}" for number in range(AT_ONCE)]

    async def test() -> None:
        async with behind_a_proxy(tmp_path) as (proxy, bus, direct):
            await published(direct, *map(load, expected))
            found = await in_spite_of_a_cut(proxy, judge, ids(bus))
            judge.expect("lost writes", found == expected, (len(found), found[-1:]))

    asyncio.run(test())


def test_who_follows_gets_what_was_lost_though_nothing_more_is_published(tmp_path: Path) -> None:
    judge = Judge(KIND, "answers swallowed, connection cut, reader follows")

    async def test() -> None:
        async with (
            behind_a_proxy(tmp_path) as (proxy, bus, direct),
            following(bus) as found,
        ):
            await published(direct, load("first"))
            await until(lambda: found == ["first"])
            proxy.swallow()
            await published(direct, load("second"), load("third"))
            await swallowed(proxy)
            proxy.cut()
            judge.fault()
            await until(lambda: len(found) >= 3, lambda: found)
            judge.expect("lies", found == ["first", "second", "third"], found)

    asyncio.run(test())


def test_all_keys_are_there_though_some_were_lost_on_their_way(tmp_path: Path) -> None:
    judge = Judge(KIND, "answers swallowed, connection cut, keys are listed")
    expected = [f"key-{number:03}" for number in range(AT_ONCE)]

    async def test() -> None:
        async with behind_a_proxy(tmp_path) as (proxy, bus, direct):
            await asyncio.gather(*(direct.bucket(STATE.name).put(key, b"") for key in expected))
            found = await in_spite_of_a_cut(proxy, judge, bus.bucket(STATE.name).keys())
            judge.expect("lost writes", found == expected, len(found))

    asyncio.run(test())


def test_the_last_of_each_subject_is_read_once_though_the_connection_breaks(
    tmp_path: Path,
) -> None:
    judge = Judge(KIND, "answers swallowed, connection cut, last of each subject is read")
    subjects = [f"sim.workflow.v1.load.made{number:03}" for number in range(AT_ONCE)]

    async def test() -> None:
        async with behind_a_proxy(tmp_path) as (proxy, bus, direct):
            for turn in ("old", "new"):
                events = ((load(f"{turn}-{each}"), each) for each in subjects)
                sent = [await direct.submit(event, subject=each) for event, each in events]
                await asyncio.gather(*sent)
            # the last one of the first subject comes before the others' older ones
            sent = [await direct.submit(load(f"more-{n}"), subject=subjects[0]) for n in range(50)]
            await asyncio.gather(*sent)
            expected = ["more-49", *(f"new-{each}" for each in subjects[1:])]
            found = await in_spite_of_a_cut(proxy, judge, ids(bus, Start("last-per-subject")))
            judge.expect("lies", sorted(found) == sorted(expected), found)

    asyncio.run(test())


def test_who_follows_misses_and_repeats_nothing_though_the_server_is_killed(
    tmp_path: Path,
) -> None:
    judge = Judge(KIND, "server killed under a reader that follows")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus, following(bus) as found:
                sent = []
                for turn in range(3):
                    sent += [await bus.submit(load(f"{turn}-{n}")) for n in range(200)]
                    await more_than(found, 220 * turn)
                    server.kill()
                    judge.fault()
                    sent += [await bus.submit(load(f"{turn}-away-{n}")) for n in range(20)]
                    await server.back()
                await asyncio.gather(*sent)
                await until(lambda: len(found) >= len(sent), lambda: len(found))
                there = await ids(bus)
                judge.expect("lost writes", len(there) == len(sent), len(there))
                judge.expect("lies", found == there, (len(found), len(there)))

    asyncio.run(test())


# --- what no client of ours would send ------------------------------------------------------


HEADERS = {
    "the line alone, without its end": b"NATS/1.0",
    "no text": b"NATS/1.0 \xff\xfe\xfd\r\n\r\n",
    "a status": b"NATS/1.0 503\r\n\r\n",
    "a status that is no text": b"NATS/1.0 404 \xff\r\n\r\n",
    "a name without a value": b"NATS/1.0\r\nname\r\n\r\n",
}


async def sent_raw(address: Address, subject: str, headers: bytes, payload: bytes) -> None:
    """Publish as a client does that writes to its socket whatever it likes."""
    reader, writer = await asyncio.open_connection(HOST, int(address.urls[0].rpartition(":")[2]))
    said = {"user": address.user, "pass": address.password, "verbose": False, "headers": True}
    length = len(headers)
    writer.write(f"CONNECT {json.dumps(said)}\r\n".encode())
    writer.write(f"HPUB {subject} {length} {length + len(payload)}\r\n".encode())
    writer.write(headers + payload + b"\r\nPING\r\n")
    while (line := await asyncio.wait_for(reader.readline(), 5)) != b"PONG\r\n":
        assert line.startswith(b"INFO"), line
    writer.close()
    await writer.wait_closed()


def test_headers_that_are_none_deafen_nobody(tmp_path: Path) -> None:
    judge = Judge(KIND, "garbage in headers")

    async def test() -> None:
        handled: list[str] = []

        async def note(job: Job) -> None:
            handled.append(job.event.id)

        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                worker = Worker(bus, QUEUE, note)
                working = asyncio.ensure_future(worker.run())
                for number, headers in enumerate(HEADERS.values()):
                    raw = formats.write(load(f"raw-{number}"))
                    for payload in (b"no event", b"", raw):
                        await sent_raw(server.address, LOAD, headers, payload)
                        judge.fault()
                    await published(bus, load(f"after-{number}"))
                expected = [f"{kind}-{n}" for kind in ("after", "raw") for n in range(len(HEADERS))]
                await until(lambda: len(handled) >= len(expected), lambda: sorted(handled))
                judge.expect("lies", sorted(handled) == expected, handled)

                async def all_buried() -> bool:
                    return len([one async for one in letters(bus)]) >= 2 * len(HEADERS)

                await until(all_buried)
                worker.stop()
                await asyncio.wait_for(working, 10)

    asyncio.run(test())
