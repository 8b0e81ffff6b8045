"""A server that stands still: nothing waits for it longer than it says, and nothing is left."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from simbuilder.bus.errors import BusError, BusTimeoutError, NoResponderError
from simbuilder.bus.events import Event
from simbuilder.bus.jetstream import connecting, connection, publishing
from simbuilder.bus.jobs import Job
from simbuilder.bus.protocol import Ack, Bus
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from tests.bus_servers import USER, Server, one
from tests.chaos.bus import load, only, published, ready, stored_ids, until
from tests.chaos.conftest import Judge

KIND = "nats"
ASKED = "sim.request.v1.load.echoed"
LARGE = "x" * 200_000
WINDOW = 64
AT_ONCE_S = 2.0
"""What a connection that works takes at most, on a machine that has other things to do."""

PATIENT = only(ack_wait_s=60.0)
"""What is not returned comes again only when the test is over."""


def stop(server: Server, judge: Judge) -> None:
    """Have a server stand still, and wait until all of it does."""
    server.pause()
    judge.fault()
    assert server.process is not None
    os.waitid(os.P_PID, server.process.pid, os.WSTOPPED)


@contextmanager
def standing_still(server: Server, judge: Judge) -> Iterator[None]:
    stop(server, judge)
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


async def taken(bus: Bus, number: int) -> bool:
    """Say whether workers have so many events: what is on its way to them could not be returned."""
    [state] = await bus.queues(PATIENT.stream)
    return (state.lag, state.pending) == (0, number)


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
                    stop(server, judge)
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
                await until(lambda: taken(bus, 3))
                with standing_still(server, judge):
                    worker.stop()
                    await asyncio.sleep(1.5)  # it cannot say goodbye to the server meanwhile
                    assert not working.done()
                    let_go.set()
                    await until(lambda: finished == ["first"], lambda: finished)
                await asyncio.wait_for(working, 10)
                judge.expect("lies", worker.done == 1, worker.done)
                await until(lambda: asyncio.all_tasks() <= running, asyncio.all_tasks)
                with at_most(10, judge, "to take over"):
                    second = Worker(other, PATIENT, hold)
                    working = asyncio.ensure_future(second.run())
                    await until(lambda: len(finished) >= 3, lambda: finished)
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
                    found = await stored_ids(bus)
                    judge.expect("lost writes", len(found) == WINDOW, len(found))

    asyncio.run(test())


def test_a_bus_is_closed_quickly_though_the_server_reads_nothing(tmp_path: Path) -> None:
    judge = Judge(KIND, "server stands still, the bus is closed")

    async def test() -> None:
        with one(tmp_path) as server:
            running = asyncio.all_tasks()
            with suppress(ZeroDivisionError):
                async with ready_with_window(server) as bus:
                    stop(server, judge)
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
