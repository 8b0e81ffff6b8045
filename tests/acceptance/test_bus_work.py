"""Queues, dead letters, replays and rates by the commands of the bus, on one real session."""

import asyncio
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from simbuilder.bus.declarations import DECLARED, Queue
from simbuilder.bus.making import new_named
from simbuilder.bus.protocol import Bus
from tests.acceptance.bus_lab import SOON_S, Lab, a_lab
from tests.acceptance.conftest import COMMAND
from tests.pty_driver import CTRL_C, Terminal
from tests.schemas import checked


@pytest.fixture(scope="module")
def lab(
    local_servers: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    with a_lab(local_servers, tmp_path_factory, request) as made:
        yield made


def queue(name: str, *subjects: str, **more: Any) -> Queue:
    return Queue(name, "for a test", "SIM_WORKFLOW", subjects, **more)


# --- queues, dead letters ---------------------------------------------------------------------


def test_dead_letters_are_shown_sent_again_and_dropped(lab: Lab) -> None:
    subject = "sim.workflow.v1.letters.tried"
    for number in range(3):
        lab.data("publish", subject, "--data", str(number), "--id", f"letter-{number}")
    letters = queue("letters", subject)
    lab.work(letters, 3, reject=True)
    listed = lab.data("dlq", "list", "--queue", "letters")
    assert (listed["total"], {one["cause"] for one in listed["messages"]}) == (3, {"rejected"})
    assert [one["event"] for one in listed["messages"]] == [f"letter-{n}" for n in range(3)]
    assert lab.data("dlq", "list", "--queue", "others")["messages"] == []
    newest = lab.data("dlq", "list", "--queue", "letters", "--limit", "1")
    assert (newest["messages"], newest["total"]) == (listed["messages"][2:], 3)
    first, second, third = (str(one["sequence"]) for one in listed["messages"])
    shown = lab.data("dlq", "show", first)
    assert json.loads(shown["original"])["id"] == "letter-0"
    text = lab("bus", "dlq", "show", first).out
    assert "error     " in text
    assert "not today" in text

    retried = lab.data("dlq", "retry", first)["retried"]
    assert [(one["event"], one["queue"]) for one in retried] == [("letter-0", "letters")]
    (job,) = lab.work(letters, 1)
    assert (job.event.id, job.event.data) == ("letter-0", 0)
    gone = lab.refused("dlq", "show", first, status=lab("bus", "dlq", "show", first).status)
    assert first in gone["message"]
    assert "dlq list" in gone["hint"]
    assert lab.refused("dlq", "drop", second)["code"] == "usage", "nobody can be asked"
    mixed = lab.told("dlq", "drop", first, second, "--yes", status=3)
    assert mixed["data"]["dropped"] == [int(second)]
    assert [problem["code"] for problem in mixed["problems"]] == [gone["code"]]
    argv = [COMMAND, "bus", "dlq", "drop", "--all", "--queue", "letters"]
    with Terminal(argv, lab.env, lab.folder) as terminal:
        terminal.until("Delete 1 dead letter of session lab, with what is in them")
        terminal.type("n\n")
        assert terminal.ended() == 1
    dropped = lab.data("dlq", "drop", "--all", "--queue", "letters", "--yes")
    assert dropped["dropped"] == [int(third)]
    assert lab.data("dlq", "list", "--queue", "letters")["total"] == 0


def test_nothing_is_sent_to_a_queue_that_is_gone(lab: Lab) -> None:
    subject = "sim.workflow.v1.gone.tried"
    lab.data("publish", subject)
    lab.work(queue("gone", subject), 1, reject=True)

    async def delete() -> None:
        async with await nats.connect(lab.variables()["NATS_URL"]) as client:
            await client.jetstream().delete_consumer("SIM_WORKFLOW", "gone")

    asyncio.run(delete())
    (one,) = lab.data("dlq", "list", "--queue", "gone")["messages"]
    problem = lab.refused("dlq", "retry", str(one["sequence"]), status=1)
    assert (problem["code"], "'gone'" in problem["message"]) == ("bus-no-stream", True)
    every = lab.told("dlq", "retry", "--all", "--queue", "gone", status=3)
    assert (every["data"]["retried"], every["problems"]) == ([], [problem])
    assert lab.data("dlq", "list", "--queue", "gone")["messages"] == [one]


def test_a_replay_prints_or_sends_to_one_queue(lab: Lab) -> None:
    subject = "sim.workflow.v1.replayed.asked"
    places = [
        lab.data("publish", subject, "--data", str(n), "--key", "k")["sequence"] for n in range(4)
    ]
    pattern = f"{subject}.>"
    first, last = str(places[0]), str(places[-2])
    printed = lab.lines("replay", "SIM_WORKFLOW", pattern, "--from", first, "--to", last)
    assert [line["event"]["data"] for line in printed] == [0, 1, 2]
    assert [line["sequence"] for line in printed] == places[:3]
    since = lab.lines("replay", "SIM_WORKFLOW", pattern, "--from", printed[1]["time"])
    assert [line["event"]["data"] for line in since] == [1, 2, 3]

    mine, other = queue("replayed", subject), queue("bystander", subject)
    assert len(lab.work(mine, 4)) == len(lab.work(other, 4)) == 4
    into = ("replay", "SIM_WORKFLOW", pattern, "--from", first, "--to", last, "--into", "replayed")
    (dry,) = lab.lines(*into, "--dry-run")
    assert (dry["sent"], dry["skipped"], dry["dry_run"]) == (3, 0, True)
    refused = lab("bus", *into)
    assert (refused.status, "--yes" in refused.err) == (2, True)
    lag = {one["name"]: one["lag"] for one in lab.data("consumers")["consumers"]}
    assert lag["replayed"] == 0
    (sent,) = lab.lines(*into, "--yes")
    assert (sent["sent"], sent["queue"]) == (3, "replayed")
    states = {one["name"]: one for one in lab.data("consumers")["consumers"]}
    assert (states["replayed"]["lag"], states["bystander"]["lag"]) == (3, 0)
    assert [job.event.data for job in lab.work(mine, 3)] == [0, 1, 2]
    assert lab("bus", *into, "--yes").out == "sent 3 events of SIM_WORKFLOW to replayed again\n"
    assert [job.event.data for job in lab.work(mine, 3)] == [0, 1, 2], "each replay is a new one"


def test_an_interrupted_replay_says_how_it_goes_on(lab: Lab) -> None:
    subject, number = "sim.workflow.v1.many.asked", 10_000
    many = queue("many", subject)

    async def prepare(bus: Bus) -> None:
        await bus.ensure(DECLARED.with_queues([many]))
        sent = [
            await bus.submit(new_named(subject, n, "/tests"), subject=subject)
            for n in range(number)
        ]
        await asyncio.gather(*sent)

    async def again(bus: Bus) -> int:
        """How many were sent to the queue again, beside those that it has anyway."""
        return next(one.lag for one in await bus.queues() if one.name == "many") - number

    lab.do(prepare)
    into = ("bus", "replay", "SIM_WORKFLOW", subject, "--into", "many", "--yes", "--from")
    running = lab.popen(*into, "1")
    while lab.do(again) < 10:
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=SOON_S)
    assert running.returncode == 130
    sent, rest = re.findall(r"([\d,]+) were sent; --from (\d+) sends the others", err)[0]
    assert 0 <= lab.do(again) - int(sent.replace(",", "")) <= 1, "one may have been on its way"
    assert lab(*into, rest).status == 0
    assert number <= lab.do(again) <= number + 1


def test_queues_are_shown_with_what_waits_in_them(lab: Lab) -> None:
    subject = "sim.workflow.v1.waiting.seen"
    lab.do(lambda bus: bus.ensure(DECLARED.with_queues([queue("waiting", subject)])))
    lab.data("publish", subject)
    found = lab.data("consumers", "--stream", "SIM_WORKFLOW")["consumers"]
    (one,) = [one for one in found if one["name"] == "waiting"]
    assert (one["lag"], one["pending"], one["ordered"]) == (1, 0, False)
    assert lab.data("consumers", "--stream", "SIM_HEALTH")["consumers"] == []
    assert re.search(r"waiting +SIM_WORKFLOW +any +1 ", lab("bus", "consumers").out)


def test_top_shows_rates(lab: Lab) -> None:
    running = lab.popen("bus", "top", "--once", "--interval", "3", "--json")
    subject = "sim.errors.v1.rate.taken"

    async def publish(bus: Bus) -> None:
        while running.poll() is None:
            await bus.publish(new_named("com.example.x", 1, "/tests"), subject=subject)

    lab.do(publish)
    out, err = running.communicate(timeout=SOON_S)
    assert (running.returncode, err) == (0, "")
    data = checked(json.loads(out))["data"]
    rates = {one["name"]: one["in_per_s"] for one in data["streams"]}
    assert (rates["SIM_ERRORS"] > 1, rates["SIM_HEALTH"]) == (True, 0)
    assert data["seconds"] >= 3


def test_top_goes_on_until_ctrl_c(lab: Lab) -> None:
    running = lab.popen("bus", "top", "--interval", "0.1")
    assert running.stdout is not None
    heads = 0
    while heads < 3:
        heads += running.stdout.readline().startswith("STREAM")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=SOON_S)
    assert running.returncode == 130
    with Terminal([COMMAND, "bus", "top", "--interval", "0.1"], lab.env, lab.folder) as terminal:
        terminal.until("SIM_WORKFLOW(.|\n)*SIM_WORKFLOW")
        terminal.type(CTRL_C)
        assert terminal.ended() == 130
    assert "Traceback" not in terminal.drawn
