"""The document's configuration lets each user do its own, and nothing else."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from simbuilder.bus import deadletters, formats
from simbuilder.bus.address import Address
from simbuilder.bus.catalogue.errors import ComponentFailed
from simbuilder.bus.catalogue.health import WorkerStarted
from simbuilder.bus.catalogue.workflow import RunRequested, RunStarted
from simbuilder.bus.declarations import DECLARED, Queue, Stream
from simbuilder.bus.errors import BusCredentialsError, BusPermissionError
from simbuilder.bus.events import Event, EventData
from simbuilder.bus.jobs import Job, Reject
from simbuilder.bus.making import new_event, new_named
from simbuilder.bus.protocol import Bus, Delivery
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from simbuilder.runtimes.local.tools import nats_server
from tests.bus_ports import address_of
from tests.buses import SOON_S, everything, soon, state_of, until

DOCUMENT = (Path(__file__).parents[2] / "docs" / "bus-permissions.md").read_text()
OBSERVER, PLANNER, OPERATOR = "observer", "worker-planner", "operator"
VARIABLES = {
    OBSERVER: "OBSERVER_PASSWORD",
    PLANNER: "PLANNER_PASSWORD",
    OPERATOR: "OPERATOR_PASSWORD",
}

QUEUE = Queue("planner", "plans runs", "SIM_WORKFLOW", (RunRequested.TYPE,), ack_wait_s=5.0)
OTHER = replace(QUEUE, name="builder", about="builds runs")
HERE = DECLARED.with_queues([QUEUE, OTHER])
REQUESTED = RunRequested(run="run-1", plan="golden-saml", inputs={})

LETTERS = "sim.deadletters.v1.planner.failed"
SUBJECTS = {
    "SIM_WORKFLOW": "sim.workflow.v1.run.started",
    "SIM_HEALTH": "sim.health.v1.worker.started",
    "SIM_ERRORS": "sim.errors.v1.component.failed",
    "SIM_DEADLETTERS": LETTERS,
}

Act = Callable[[Bus], Awaitable[object]]


@dataclass(frozen=True)
class Served:
    """A server with the document's configuration, and the passwords it was given."""

    url: str
    passwords: dict[str, str] = field(repr=False)

    def address(self, user: str) -> Address:
        inbox = f"_INBOX_{user.removeprefix('worker-').upper()}"
        return Address((self.url,), user, self.passwords[user], inbox_prefix=inbox)

    @asynccontextmanager
    async def as_(self, user: str) -> AsyncIterator[Bus]:
        async with open_bus(self.address(user), name=user) as bus:
            yield bus


def configuration() -> str:
    (found,) = re.findall(r"```nats\n(.*?)```", DOCUMENT, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("nats")
    config = folder / "nats.conf"
    config.write_text(configuration())
    passwords = {user: f"secret{number}x" for number, user in enumerate(VARIABLES)}
    given = {variable: passwords[user] for user, variable in VARIABLES.items()}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [nats_server(), "--config", config, "--port", "-1", "--ports_file_dir", folder],
            env={"PATH": os.defpath, "NATS_STORE": str(folder / "data"), **given},
            stdout=log,
            stderr=log,
        )
    try:
        here = Served(address_of(server, folder), passwords)
        asyncio.run(made_ready(here))
        yield here
    finally:
        server.terminate()
        try:
            server.wait(SOON_S)
        finally:
            server.kill()
            server.wait()


async def made_ready(served: Served) -> None:
    """What is declared, and one event of everything that there is to take."""
    async with served.as_(OPERATOR) as bus:
        await bus.ensure(HERE)
    async with served.as_(PLANNER) as bus:
        await bus.publish(made(REQUESTED, key="run-1"))


def made(data: EventData, key: str | None = None) -> Event:
    return new_event(data, "tests", key=key)


async def taken(bus: Bus, queue: Queue) -> Delivery:
    async with bus.pull(queue, batch=1) as deliveries:
        delivery = await soon(anext(aiter(deliveries)))
        await delivery.ack()
        return delivery


# --- what each may -----------------------------------------------------------------------------


def test_an_operator_makes_what_is_declared_and_finds_it_made(served: Served) -> None:
    async def test() -> None:
        async with served.as_(OPERATOR) as bus:
            assert await bus.ensure(HERE) == ()
            newer = replace(QUEUE, about="plans runs, and more")
            told = replace(HERE.streams[0], about="what runs report")
            changes = await bus.ensure(
                replace(HERE, queues=(newer, OTHER), streams=(told, *HERE.streams[1:]))
            )
            assert [(each.verb, each.name) for each in changes] == [
                ("update", "SIM_WORKFLOW"),
                ("update", "planner"),
            ]
            assert len(await bus.ensure(HERE)) == 2
            assert {each.name for each in await bus.streams()} == {s.name for s in HERE.streams}
            assert {each.name for each in await bus.queues()} == {"planner", "builder"}

    asyncio.run(test())


def test_an_observer_reads_streams_and_how_they_are(served: Served) -> None:
    async def test() -> None:
        async with served.as_(OBSERVER) as bus:
            assert {each.name for each in await bus.streams()} == {s.name for s in HERE.streams}
            assert {each.name for each in await bus.queues()} == {"planner", "builder"}
            one, *_ = await everything(bus, "SIM_WORKFLOW")
            assert one.event is not None
            assert one.event.payload() == REQUESTED
            again = await bus.get("SIM_WORKFLOW", one.sequence)
            assert again is not None
            assert again.raw == one.raw

    asyncio.run(test())


@pytest.mark.parametrize("stream", [each.name for each in HERE.streams])
def test_an_observer_reads_every_declared_stream(served: Served, stream: str) -> None:
    async def test() -> None:
        async with served.as_(PLANNER) as worker, served.as_(OBSERVER) as bus:
            event = new_named("com.example.thing", {"stream": stream}, "tests")
            ack = await worker.publish(event, subject=SUBJECTS[stream])
            read = await everything(bus, stream)
            one = await bus.get(stream, ack.sequence)
            assert one is not None
            assert one.raw in {stored.raw for stored in read}

    asyncio.run(test())


def test_an_observer_follows_what_a_worker_publishes(served: Served) -> None:
    async def test() -> None:
        event = made(ComponentFailed(component="planner", code="x", message="y", hint=""))
        async with (
            served.as_(OBSERVER) as bus,
            served.as_(PLANNER) as worker,
            aclosing(bus.read("SIM_ERRORS", follow=True)) as tail,  # type: ignore[type-var]
        ):
            await worker.publish(event)
            while (stored := await soon(anext(tail))).raw != formats.write(event):
                assert stored.event is not None  # of another test

    asyncio.run(test())


def test_a_worker_takes_its_queue_and_settles_what_it_took(served: Served) -> None:
    async def test() -> None:
        async with served.as_(PLANNER) as worker, served.as_(OBSERVER) as bus:
            ack = await worker.publish(made(REQUESTED, key="run-2"))
            while (await taken(worker, QUEUE)).message.sequence < ack.sequence:
                pass  # what other tests published

            async def settled() -> bool:
                state = await state_of(bus, QUEUE)
                return (state.settled, state.pending, state.lag) == (ack.sequence, 0, 0)

            await until(settled)

    asyncio.run(test())


def test_a_worker_publishes_what_happened_and_what_nothing_could_be_done_with(
    served: Served,
) -> None:
    async def test() -> None:
        async with served.as_(PLANNER) as bus:
            for data in (
                RunStarted(run="run-1", steps=2),
                WorkerStarted(worker="planner.1", queue="planner"),
                ComponentFailed(component="planner", code="x", message="y", hint=""),
            ):
                await bus.publish(made(data, key="run-1"))
            letter = new_named("com.example.letter", {}, "tests")
            assert (await bus.publish(letter, subject=LETTERS)).stream == "SIM_DEADLETTERS"

    asyncio.run(test())


def test_a_worker_keeps_its_ledger(served: Served) -> None:
    async def test() -> None:
        async with served.as_(PLANNER) as bus:
            ledger = bus.bucket("sim_work")
            revision = await ledger.create("planner.e-1", b"taken")
            revision = await ledger.update("planner.e-1", b"done", revision)
            entry = await ledger.get("planner.e-1")
            assert entry is not None
            assert (entry.value, entry.revision) == (b"done", revision)
            await ledger.delete("planner.e-1")
            assert await ledger.get("planner.e-1") is None
            await bus.bucket("sim_workers").put("planner.1", b"alive")
            async with bus.bucket("sim_workers").watch() as entries:
                while (await soon(anext(entries))).key != "planner.1":
                    pass  # a worker of another test

    asyncio.run(test())


def test_a_whole_worker_does_all_that_it_does_as_its_user(served: Served) -> None:
    async def test() -> None:
        async with served.as_(PLANNER) as bus, served.as_(OBSERVER) as observer:
            good = await bus.publish(made(RunRequested(run="run-3", plan="good", inputs={})))
            bad = await bus.publish(made(RunRequested(run="run-3", plan="bad", inputs={})))

            async def plan(job: Job) -> None:
                if job.message.sequence == bad.sequence:
                    raise Reject("it is bad")
                await job.publish(RunStarted(run="run-3", steps=job.message.sequence))

            async def settled() -> bool:
                state = await state_of(observer, QUEUE)
                return (state.settled >= bad.sequence, state.pending) == (True, 0)

            worker = Worker(bus, QUEUE, plan)
            running = asyncio.create_task(worker.run())
            await until(settled)
            worker.stop()
            await soon(running)
            said = [stored.event for stored in await everything(observer, "SIM_WORKFLOW")]
            started = [e.data for e in said if e is not None and e.type == RunStarted.TYPE]
            assert {"run": "run-3", "steps": good.sequence} in started
            letters = [letter async for letter in deadletters.letters(observer, "planner")]
            assert [letter.message.sequence for letter in letters] == [bad.sequence]

    asyncio.run(test())


def test_large_data_is_written_by_a_worker_and_read_by_both(served: Served) -> None:
    async def test() -> None:
        inputs = {"x": "y" * 600_000}
        async with served.as_(PLANNER) as worker, served.as_(OBSERVER) as bus:
            for _ in range(2):  # the second time, what was there is written over
                large = made(RunRequested(run="run-9", plan="large", inputs=inputs))
                ack = await worker.publish(large)
            for each in (worker, bus):
                stored = await bus.get("SIM_WORKFLOW", ack.sequence)
                assert stored is not None
                assert stored.event is not None
                assert stored.event.data is None
                assert (await each.whole(stored.event)).data["inputs"] == inputs

    asyncio.run(test())


# --- what is refused ---------------------------------------------------------------------------

MORE = Stream("MORE", "more", ("more.>",), 60.0, 10, "old")
WIDER = replace(QUEUE, subjects=("sim.workflow.>",))


async def publish(bus: Bus) -> None:
    await bus.publish(made(REQUESTED), deadline_s=SOON_S)


async def delete(bus: Bus) -> None:
    await bus.drop("SIM_WORKFLOW", 1)


def publish_as(subject: str) -> Act:
    event = new_named("com.example.thing", {}, "tests")
    return lambda bus: bus.publish(event, subject=subject, deadline_s=SOON_S)


def write(bucket: str, key: str) -> Act:
    return lambda bus: bus.bucket(bucket).put(key, b"x")


def ensure(**change: Any) -> Act:
    return lambda bus: bus.ensure(replace(HERE, **change))


REFUSED: dict[str, tuple[str, Act]] = {
    "observer publishes": (OBSERVER, publish),
    "observer publishes what went wrong": (OBSERVER, publish_as("sim.errors.v1.a.b")),
    "observer takes a queue": (OBSERVER, lambda bus: taken(bus, QUEUE)),
    "observer takes another queue": (OBSERVER, lambda bus: taken(bus, OTHER)),
    "observer deletes": (OBSERVER, delete),
    "observer makes a stream": (OBSERVER, ensure(streams=(*HERE.streams, MORE))),
    "observer changes a queue": (OBSERVER, ensure(queues=(WIDER,))),
    "observer writes a value": (OBSERVER, write("sim_state", "a")),
    "observer reads a value": (OBSERVER, lambda bus: bus.bucket("sim_state").get("a")),
    "observer lists keys": (OBSERVER, lambda bus: bus.bucket("sim_work").keys()),
    "worker reads a stream": (PLANNER, lambda bus: everything(bus, "SIM_WORKFLOW")),
    "worker reads a message": (PLANNER, lambda bus: bus.get("SIM_WORKFLOW", 1)),
    "worker takes another queue": (PLANNER, lambda bus: taken(bus, OTHER)),
    "worker deletes": (PLANNER, delete),
    "worker makes a stream": (PLANNER, ensure(streams=(*HERE.streams, MORE))),
    "worker changes its queue": (PLANNER, ensure(queues=(WIDER,))),
    "worker lists streams": (PLANNER, lambda bus: bus.streams()),
    "worker writes another's ledger": (PLANNER, write("sim_work", "builder.e-1")),
    "worker writes a value": (PLANNER, write("sim_state", "a")),
    "worker gives up for another queue": (PLANNER, publish_as("sim.deadletters.v1.builder.failed")),
    "worker publishes elsewhere": (PLANNER, publish_as("sim.other.v1.a.b")),
    "worker asks": (
        PLANNER,
        lambda bus: bus.request("sim.request.v1.a.b", made(REQUESTED), deadline_s=1.0),
    ),
    "operator publishes": (OPERATOR, publish),
    "operator takes a queue": (OPERATOR, lambda bus: taken(bus, QUEUE)),
    "operator reads a stream": (OPERATOR, lambda bus: everything(bus, "SIM_WORKFLOW")),
    "operator deletes": (OPERATOR, delete),
    "operator writes a value": (OPERATOR, write("sim_state", "a")),
}


@pytest.mark.parametrize(("user", "act"), REFUSED.values(), ids=REFUSED)
def test_nobody_does_what_is_not_theirs(served: Served, user: str, act: Act) -> None:
    async def test() -> None:
        async with served.as_(user) as bus:
            with pytest.raises(BusPermissionError) as caught:
                await act(bus)
            said = f"{caught.value.message}{caught.value.hint}"
            assert not any(secret in said for secret in served.passwords.values())
            assert bus.connected

    asyncio.run(test())


def test_nothing_that_was_refused_has_happened(served: Served) -> None:
    async def test() -> None:
        async with served.as_(OPERATOR) as bus:
            assert await bus.ensure(HERE, dry_run=True) == ()
            assert {each.name for each in await bus.streams()} == {s.name for s in HERE.streams}

    asyncio.run(test())


@pytest.mark.parametrize("user", VARIABLES)
def test_nobody_gets_in_with_the_password_of_another(served: Served, user: str) -> None:
    other = OPERATOR if user == OBSERVER else OBSERVER
    address = replace(served.address(user), password=served.passwords[other])

    async def test() -> None:
        with pytest.raises(BusCredentialsError) as caught:
            async with open_bus(address):
                raise AssertionError("it got in")
        assert served.passwords[other] not in f"{caught.value.message}{caught.value.hint}"

    asyncio.run(test())


def test_the_document_says_what_each_subject_is_for() -> None:
    told = DOCUMENT.split("## What each subject is for")[1]
    verbs = set(re.findall(r"\$JS\.API\.[A-Z]+(?:\.[A-Z]+(?![A-Za-z_]))+", configuration()))
    assert len(verbs) > 10
    assert {verb for verb in verbs if verb not in told} == set()
