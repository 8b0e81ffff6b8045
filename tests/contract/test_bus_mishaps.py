"""Mishaps that must stay small: ids that collide, errors that cannot be written, lost claims."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ClassVar

import orjson
import pytest
from pydantic import field_validator

from simbuilder.bus import events
from simbuilder.bus.deadletters import again, letters
from simbuilder.bus.declarations import WORK, WORKERS, Declaration
from simbuilder.bus.errors import BusError, EventError
from simbuilder.bus.events import Event, EventData
from simbuilder.bus.jobs import Job, Reject, Retry
from simbuilder.bus.ledger import Ledger
from simbuilder.bus.members import Members
from simbuilder.bus.protocol import Bus
from tests.bus_working import (
    OURS,
    STEPS,
    Seen,
    dead,
    declared,
    fail,
    ledger,
    send,
    settled,
    step,
    working,
)
from tests.buses import BusServer, everything, on_empty, plan, soon, until

ASKED = "sim.request.v1.numbers.double"
HALF = "half of a pair: \udcff"


def named(**attributes: str) -> Event:
    event = step()
    return event.with_(event.data, **attributes)


# --- who is who ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("1", "/one"), ("1", "/other")),
        (("1", "/one"), ("2", "/one")),
        (("1 of a", "b"), ("1", "a of b")),
    ],
)
def test_events_are_told_apart_by_id_and_source_together(
    bus_server: BusServer, one: tuple[str, str], other: tuple[str, str]
) -> None:
    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen):
            for id_, source in (one, other):
                await bus.publish(named(id=id_, source=source))
            assert len(await everything(bus, "SIM_WORKFLOW")) == 2
            await seen.wait(2)
            await settled(bus)
        assert {(job.event.id, job.event.source) for job in seen.jobs} == {one, other}
        assert await ledger(bus) == ["done", "done"]

    on_empty(bus_server, test, OURS)


def test_an_event_that_is_published_twice_is_one(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        seen, event = Seen(), step()
        async with working(bus, seen):
            assert not (await bus.publish(event)).duplicate
            assert (await bus.publish(event)).duplicate
            await seen.wait(1)
            await settled(bus)
        assert len(seen.jobs) == 1
        assert len(await everything(bus, "SIM_WORKFLOW")) == 1

    on_empty(bus_server, test, OURS)


@pytest.mark.parametrize("name", ["id", "source"])
@pytest.mark.parametrize("text", ["a\nb", "a\r\nNats-Msg-Id: b", " a", "a ", "\ta", "a\x00b"])
def test_an_id_or_a_source_that_no_header_can_have_is_refused(
    bus_server: BusServer, name: str, text: str
) -> None:
    async def test(bus: Bus) -> None:
        with pytest.raises(EventError):
            await bus.publish(named(**{name: text}))
        assert await everything(bus, "SIM_WORKFLOW") == []

    on_empty(bus_server, test, OURS)


# --- errors that cannot be written as they are ----------------------------------------------


class MuteError(Exception):
    """It cannot even say what went wrong."""

    def __str__(self) -> str:
        raise RuntimeError("this neither")


@pytest.mark.parametrize(
    "error", [ValueError(HALF), Reject(HALF), Retry(HALF), MuteError()], ids=type
)
@pytest.mark.parametrize("once", [True, False])
def test_whatever_a_handler_raises_ends_in_a_dead_letter(
    bus_server: BusServer, error: Exception, once: bool
) -> None:
    async def test(bus: Bus) -> None:
        async def fail_at_first(job: Job) -> None:
            if job.event.id == "bad":
                raise error

        seen = Seen(fail_at_first)
        async with working(bus, seen, once=once):
            await bus.publish(named(id="bad"))
            [letter] = await dead(bus)
            await bus.publish(named(id="good"))
            await settled(bus)
        assert letter.message.event == "bad"
        assert letter.message.error
        assert seen.jobs[-1].event.id == "good"

    on_empty(bus_server, test, OURS)


def test_a_validator_that_fails_otherwise_than_it_should_makes_a_dead_letter(
    bus_server: BusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KNOWN", dict(events.KNOWN))

    class Picky(EventData):
        TYPE: ClassVar[str] = "sim.workflow.v1.step.picked"
        colour: str

        @field_validator("colour")
        @classmethod
        def _known(cls, given: str) -> str:
            return {"red": "#f00"}[given]

    async def test(bus: Bus) -> None:
        seen = Seen()
        async with working(bus, seen):
            picky = plan(type_=Picky.TYPE, data={"colour": "blue"})
            await bus.publish(picky, subject=STEPS.subjects[0])
            [letter] = await dead(bus)
            await send(bus, step(2))
            await settled(bus)
        assert (letter.message.cause, letter.message.event) == ("malformed", picky.id)
        assert "KeyError" in letter.message.error
        assert seen.numbers == [2]

    on_empty(bus_server, test, OURS)


# --- requests -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        ValueError("cannot reach neo4j://u:hunter2@host"),
        ValueError(f"password=hunter2 is refused; {HALF}"),
        MuteError(),
    ],
    ids=["an address", "half of a pair", "mute"],
)
def test_whatever_a_responder_raises_arrives_without_secrets(
    bus_server: BusServer, error: Exception
) -> None:
    async def test(bus: Bus) -> None:
        async def leak(_: Event) -> Event:
            raise error

        async with bus.respond(ASKED, leak):
            with pytest.raises(BusError, match=type(error).__name__) as failed:
                await bus.request(ASKED, plan(type_=ASKED), deadline_s=3.0)
        assert "hunter2" not in str(failed.value)
        assert "hunter2" not in repr(failed.value)

    on_empty(bus_server, test)


@pytest.mark.parametrize("same", [True, False])
def test_who_stops_answering_waits_for_its_own_answers_only(
    bus_server: BusServer, same: bool
) -> None:
    other = ASKED if same else "sim.request.v1.numbers.halve"

    async def test(bus: Bus) -> None:
        asked, wake = asyncio.Event(), asyncio.Event()

        async def slow(event: Event) -> Event:
            asked.set()
            await wake.wait()
            return event

        async def quick(event: Event) -> Event:
            return event

        async with bus.respond(ASKED, slow):
            question = plan(type_=ASKED)
            answer = asyncio.ensure_future(bus.request(ASKED, question))
            await soon(asked.wait())
            began = time.monotonic()
            async with asyncio.timeout(5), bus.respond(other, quick):
                pass
            assert time.monotonic() - began < 2
            assert not answer.done()
            wake.set()
            assert (await soon(answer)).id == question.id

    on_empty(bus_server, test)


# --- the ledger -----------------------------------------------------------------------------


def test_a_run_can_go_to_two_queues(bus_server: BusServer) -> None:
    others = replace(STEPS, name="others")

    async def test(bus: Bus) -> None:
        mine, theirs = Seen(), Seen()
        async with working(bus, mine), working(bus, theirs, others):
            await bus.publish(step())
            [stored] = await everything(bus, "SIM_WORKFLOW")
            for queue in (STEPS, others):
                assert not (await again(bus, stored, queue.name, "rehearsal")).duplicate
            await mine.wait(2)
            await theirs.wait(2)
            await settled(bus)
            await settled(bus, others)
        assert (len(mine.jobs), len(theirs.jobs)) == (2, 2)

    on_empty(bus_server, test, declared(STEPS, others))


def forgetful() -> Declaration:
    """Have the stream forget ids quickly, so that it stores an event twice."""
    first, *more = OURS.streams
    return replace(OURS, streams=(replace(first, duplicates_s=0.1), *more))


def test_an_event_that_comes_twice_to_one_worker_is_handled_once(bus_server: BusServer) -> None:
    async def test(bus: Bus) -> None:
        wake, event = asyncio.Event(), step()

        async def hold(_: Job) -> None:
            await wake.wait()

        async def stored_again() -> bool:
            return not (await bus.publish(event)).duplicate

        seen = Seen(hold)
        async with working(bus, seen) as worker:
            await bus.publish(event)
            await seen.wait(1)
            await until(stored_again)
            await bus.publish(step(2))
            await seen.wait(2)  # what came behind the copy, so the copy has come too
            wake.set()
            await settled(bus)
        assert sorted(seen.numbers) == [1, 2]
        assert worker.done == 2

    on_empty(bus_server, test, forgetful())


def test_a_worker_takes_an_event_up_once_though_it_tries_twice_at_once(
    bus_server: BusServer,
) -> None:
    async def test(bus: Bus) -> None:
        members = Members(bus.bucket(WORKERS.name), "me", 1.0)
        mine = Ledger(bus.bucket(WORK.name), "steps", "me", members)
        claims = await asyncio.gather(mine.claim("event"), mine.claim("event"))
        assert sorted(claim.verdict for claim in claims) == ["busy", "ours"]
        [ours] = [claim for claim in claims if claim.verdict == "ours"]
        assert await mine.finish(ours, replace(ours.record, state="done"))
        assert (await mine.claim("event")).verdict == "done"

    on_empty(bus_server, test, OURS)


async def succeed(_: Job) -> None:
    return


async def reject(_: Job) -> None:
    raise Reject("somebody else has done it")


@pytest.mark.parametrize("then", [succeed, reject, fail])
def test_a_worker_that_was_overtaken_neither_settles_nor_buries(
    bus_server: BusServer, then: Callable[[Job], Awaitable[None]]
) -> None:
    """Who overtook it dies at once, so the event is handled again, which is what counts."""
    strict = replace(STEPS, max_deliver=1)

    async def test(bus: Bus) -> None:
        async def overtaken_at_first(job: Job) -> None:
            if job.attempt == 1:
                await overtake(bus)
                await then(job)

        seen = Seen(overtaken_at_first)
        async with working(bus, seen, strict) as worker:
            await bus.publish(step())
            await seen.wait(2)
            await settled(bus, strict)
        assert seen.attempts == [1, 2]
        assert worker.done == 1
        assert await ledger(bus) == ["done"]
        assert [one async for one in letters(bus)] == []

    on_empty(bus_server, test, declared(strict))


async def overtake(bus: Bus) -> None:
    """Take up what a worker has, as another does that takes it for dead."""
    bucket = bus.bucket(WORK.name)
    [key] = await bucket.keys()
    entry = await bucket.get(key)
    assert entry is not None
    record = orjson.loads(entry.value) | {"by": "another"}
    await bucket.update(key, orjson.dumps(record), entry.revision)
