"""Connections that lose what was on its way, and servers that stand still or send garbage."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from simbuilder.bus import formats
from simbuilder.bus.address import Address
from simbuilder.bus.deadletters import letters
from simbuilder.bus.declarations import STATE, WORKFLOW
from simbuilder.bus.errors import BusError, BusTimeoutError, NoResponderError
from simbuilder.bus.events import Event
from simbuilder.bus.jetstream import connecting, connection, publishing
from simbuilder.bus.jobs import Job
from simbuilder.bus.protocol import Ack, Bus, Start
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from tests.bus_proxy import Proxy, before
from tests.bus_servers import HOST, USER, Server, one
from tests.chaos.bus import LOAD, QUEUE, load, only, published, ready, until
from tests.chaos.conftest import Judge

KIND = "nats"
ASKED = "sim.request.v1.load.echoed"
LARGE = "x" * 200_000
WINDOW = 64
AT_ONCE_S = 2.0
"""What a connection that works takes at most, on a machine that has other things to do."""

PATIENT = only(ack_wait_s=60.0)
"""What is not returned comes again only when the test is over."""


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


@contextmanager
def standing_still(server: Server, judge: Judge) -> Iterator[None]:
    server.pause()
    judge.fault()
    try:
        yield
    finally:
        server.resume()


@contextmanager
def at_most(seconds: float, judge: Judge, what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    judge.expect("lies", took < seconds, f"{what} took {took:.1f} s")


def large(number: int) -> Event:
    return load(f"large-{number}", text=LARGE)


async def refused(bus: Bus, event: Event, deadline_s: float) -> tuple[float, BaseException | None]:
    """Publish an event; return how long that took, and how it failed."""
    began = time.monotonic()
    try:
        await bus.publish(event, deadline_s=deadline_s)
    except BusError as error:
        return time.monotonic() - began, error
    return time.monotonic() - began, None


# --- what was on its way when a connection broke --------------------------------------------


def test_a_reader_goes_on_behind_the_last_event_that_arrived(tmp_path: Path) -> None:
    judge = Judge(KIND, "answers swallowed, connection cut")
    expected = list(range(1, 301))

    async def test() -> None:
        async with behind_a_proxy(tmp_path) as (proxy, bus, direct):
            await published(direct, *(load(f"{number}") for number in expected))
            found = []
            async for stored in bus.read(WORKFLOW.name):
                found.append(stored.sequence)
                if len(found) == 100:
                    proxy.swallow()
                if len(found) == 256:  # as many as it had asked for before
                    await swallowed(proxy)
                    proxy.cut()
                    judge.fault()
            judge.expect("lost writes", found == expected, (len(found), found[-1]))

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
    expected = [f"key-{number:03}" for number in range(200)]

    async def test() -> None:
        async with behind_a_proxy(tmp_path) as (proxy, bus, direct):
            await asyncio.gather(*(direct.bucket(STATE.name).put(key, b"") for key in expected))
            proxy.swallow(after=15_000)
            listing = asyncio.ensure_future(bus.bucket(STATE.name).keys())
            await swallowed(proxy)
            proxy.cut()
            judge.fault()
            found = await listing
            judge.expect("lost writes", found == expected, len(found))

    asyncio.run(test())


def test_the_last_of_each_subject_is_read_once_though_the_connection_breaks(
    tmp_path: Path,
) -> None:
    judge = Judge(KIND, "answers swallowed, connection cut, last of each subject is read")
    subjects = [f"sim.workflow.v1.load.made{number:03}" for number in range(200)]

    async def test() -> None:
        async with behind_a_proxy(tmp_path) as (proxy, bus, direct):
            for turn in ("old", "new"):
                events = ((load(f"{turn}-{each}"), each) for each in subjects)
                sent = [await direct.submit(event, subject=each) for event, each in events]
                await asyncio.gather(*sent)
            # the last one of the first subject comes before the others' older ones
            sent = [await direct.submit(load(f"more-{n}"), subject=subjects[0]) for n in range(50)]
            await asyncio.gather(*sent)
            proxy.swallow(after=15_000)
            reading = asyncio.ensure_future(ids(bus, Start("last-per-subject")))
            await swallowed(proxy)
            proxy.cut()
            judge.fault()
            expected = ["more-49", *(f"new-{each}" for each in subjects[1:])]
            found = await reading
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


# --- a server that stands still -------------------------------------------------------------


def test_a_queue_can_be_left_while_the_server_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge(KIND, "server stands still, a queue is left")
    monkeypatch.setattr(connection, "_ONE_REQUEST_S", 1.0)

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address, PATIENT) as bus:
                await published(bus, load("held"))
                running = asyncio.all_tasks()
                async with bus.pull(PATIENT) as deliveries:
                    assert (await anext(aiter(deliveries))).attempt == 1
                    server.pause()
                    judge.fault()
                with at_most(AT_ONCE_S, judge, "to work again"):
                    server.resume()
                    await published(bus, load("after"))
                    assert len(await bus.streams()) > 0
                async with open_bus(server.address) as other, other.pull(PATIENT) as deliveries:
                    given = [await anext(aiter(deliveries)) for _ in range(2)]
                    attempts = {
                        str(each.message.event and each.message.event.id): each.attempt
                        for each in given
                    }
                    judge.expect("lies", attempts == {"held": 2, "after": 1}, attempts)
                await until(lambda: asyncio.all_tasks() <= running, asyncio.all_tasks)

    asyncio.run(test())


def test_a_worker_finishes_what_runs_though_the_server_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge(KIND, "server stands still, a worker is stopped")
    monkeypatch.setattr(connection, "_ONE_REQUEST_S", 1.0)

    async def test() -> None:
        finished: list[str] = []
        begun, let_go = asyncio.Event(), asyncio.Event()

        async def hold(job: Job) -> None:
            begun.set()
            await let_go.wait()
            finished.append(job.event.id)

        with one(tmp_path) as server:
            async with ready(server.address, PATIENT) as bus, open_bus(server.address) as other:
                running = asyncio.all_tasks()
                worker = Worker(bus, PATIENT, hold, concurrency=1)
                working = asyncio.ensure_future(worker.run())
                await published(bus, load("first"), load("second"), load("third"))
                await begun.wait()
                with standing_still(server, judge):
                    worker.stop()
                    await asyncio.sleep(1.5)  # it cannot say goodbye to the server meanwhile
                    assert not working.done()
                    let_go.set()
                    await until(lambda: finished == ["first"])
                await asyncio.wait_for(working, 10)
                judge.expect("lies", worker.done == 1, worker.done)
                await until(lambda: asyncio.all_tasks() <= running, asyncio.all_tasks)
                with at_most(10, judge, "to take over"):
                    second = Worker(other, PATIENT, hold)
                    working = asyncio.ensure_future(second.run())
                    await until(lambda: len(finished) >= 3)
                second.stop()
                await working
                judge.expect(
                    "collisions", sorted(finished) == ["first", "second", "third"], finished
                )

    asyncio.run(test())


def test_who_stopped_answering_while_the_server_was_away_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge(KIND, "server killed, a subject is left meanwhile")
    monkeypatch.setattr(connection, "_ONE_REQUEST_S", 1.0)

    async def echo(asked: Event) -> Event:
        return asked

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                async with bus.respond(ASKED, echo):
                    assert (await bus.request(ASKED, load("asked"))).id == "asked"
                    server.kill()
                    judge.fault()
                await server.back()
                await published(bus, load("it is connected"))
                with pytest.raises(NoResponderError):
                    await bus.request(ASKED, load("again"), deadline_s=5.0)

    asyncio.run(test())


@pytest.mark.parametrize("deadline_s", [0.5, 3.0])
def test_deadlines_are_kept_though_the_server_reads_nothing(
    tmp_path: Path, deadline_s: float
) -> None:
    judge = Judge(KIND, "server stands still under large events")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready_with_window(server) as bus:
                with standing_still(server, judge):
                    tried = (refused(bus, large(n), deadline_s) for n in range(2 * WINDOW))
                    found = await asyncio.gather(*tried)
                late = max(seconds for seconds, _ in found)
                judge.expect("lies", late < deadline_s + 1.0, f"{late:.1f} s")
                errors = {type(error) for _, error in found}
                judge.expect("lies", errors == {BusTimeoutError}, errors)

    asyncio.run(test())


@asynccontextmanager
async def ready_with_window(server: Server) -> AsyncIterator[Bus]:
    async with ready(server.address), open_bus(server.address, window=WINDOW) as bus:
        yield bus


async def submitted(bus: Bus, event: Event, seconds: float) -> "asyncio.Future[Ack] | None":
    """Submit an event, but not for long; return what it was taken as."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await bus.submit(event)
    return None


async def filled(bus: Bus, deadline_s: float) -> list["asyncio.Task[object]"]:
    """Have a whole window of large events on its way."""
    return [
        asyncio.create_task(refused(bus, large(number), deadline_s)) for number in range(WINDOW)
    ]


def test_submitting_can_be_cancelled_though_the_server_reads_nothing(tmp_path: Path) -> None:
    judge = Judge(KIND, "server stands still, submitting is cancelled")

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready_with_window(server) as bus:
                with standing_still(server, judge), at_most(1.5, judge, "to be cancelled"):
                    tried = (submitted(bus, large(n), 0.5) for n in range(2 * WINDOW))
                    found = await asyncio.gather(*tried)
                taken = [each for each in found if each is not None]
                judge.expect("lies", len(taken) < len(found), "nothing was cancelled")
                await asyncio.gather(*taken)
                with standing_still(server, judge):
                    small = (submitted(bus, load(f"{n}"), 1.0) for n in range(WINDOW))
                    lost = (await asyncio.gather(*small)).count(None)
                    judge.expect("leaks", lost == 0, f"{lost} places in the window")

    asyncio.run(test())


def test_what_waits_to_be_sent_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole window of it is 13 MB, and it is sent again many times in these seconds."""
    judge = Judge(KIND, "server stands still, memory")
    monkeypatch.setattr(publishing, "_SILENCE_S", 0.1)
    monkeypatch.setattr(publishing, "_LOOK_S", 0.05)

    async def test() -> None:
        process = psutil.Process()
        with one(tmp_path) as server:
            async with ready_with_window(server) as bus:
                before = process.memory_info().rss
                with standing_still(server, judge):
                    sending = await filled(bus, 4.0)
                    await asyncio.sleep(3.0)
                    grown = (process.memory_info().rss - before) / 1e6
                    judge.expect("leaks", grown < 60, f"{grown:.0f} MB")
                    await asyncio.gather(*sending)

    asyncio.run(test())


def test_another_server_is_found_when_one_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judge(KIND, "one of two servers stands still")
    monkeypatch.setattr(connecting, "_PING_S", 0.5)

    async def test() -> None:
        with one(tmp_path / "a") as first:
            same = {"user": USER, "password": first.password}
            with one(tmp_path / "b", authorization=same) as second:
                second_address = replace(first.address, urls=second.address.urls)
                async with ready(second_address):
                    pass
                second.kill()
                both = replace(first.address, urls=first.address.urls + second.address.urls)
                async with ready(first.address), open_bus(both, window=WINDOW) as bus:
                    await published(bus, load("before"))
                    await second.back()
                    with standing_still(first, judge), at_most(20, judge, "to move over"):
                        await published(bus, *map(large, range(WINDOW)))
                async with open_bus(second_address) as bus:
                    found = await ids(bus)
                    judge.expect("lost writes", len(found) == WINDOW, len(found))

    asyncio.run(test())


def test_a_bus_is_closed_quickly_though_the_server_reads_nothing(tmp_path: Path) -> None:
    judge = Judge(KIND, "server stands still, the bus is closed")

    async def test() -> None:
        with one(tmp_path) as server:
            running = asyncio.all_tasks()
            with suppress(ZeroDivisionError):
                async with ready_with_window(server) as bus:
                    server.pause()
                    judge.fault()
                    sending = await filled(bus, 30.0)
                    await asyncio.sleep(0.5)
                    began = time.monotonic()
                    raise ZeroDivisionError
            took = time.monotonic() - began
            judge.expect("lies", took < 12, f"{took:.1f} s")
            server.resume()
            await asyncio.wait(sending, timeout=5)
            await until(lambda: asyncio.all_tasks() <= running, asyncio.all_tasks)

    asyncio.run(test())


def test_each_event_of_a_key_has_its_own_deadline(tmp_path: Path) -> None:
    judge = Judge(KIND, "server stands still under events of one key")
    deadlines = [3.0, 2.0, 0.5, 1.0, 4.0]

    async def test() -> None:
        with one(tmp_path) as server:
            async with ready(server.address) as bus:
                with standing_still(server, judge):
                    tried = (
                        refused(bus, load(f"{n}", key="one"), deadline_s)
                        for n, deadline_s in enumerate(deadlines)
                    )
                    found = await asyncio.gather(*tried)
                for deadline_s, (took, error) in zip(deadlines, found, strict=True):
                    judge.expect("lies", isinstance(error, BusTimeoutError), error)
                    kept = deadline_s - 0.1 < took < deadline_s + 0.8
                    judge.expect("lies", kept, f"{took:.1f} s instead of {deadline_s:g}")
                with at_most(AT_ONCE_S, judge, "an event of that key"):
                    await published(bus, load("after", key="one"))

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
