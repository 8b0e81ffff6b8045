"""The commands of the bus, on one real session that all these tests share."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import pytest

from simbuilder.bus.declarations import DECLARED, HEALTH
from simbuilder.bus.events import Event
from simbuilder.bus.making import new_named
from simbuilder.bus.protocol import Bus
from simbuilder.cli.bus import PLACES
from tests.acceptance.bus_lab import REQUESTED, RUN, SOON_S, Lab, a_lab
from tests.acceptance.conftest import COMMAND

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def lab(
    local_servers: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    with a_lab(local_servers, tmp_path_factory, request) as made:
        yield made


# --- streams, events --------------------------------------------------------------------------


def test_what_is_declared_is_made_and_mended(lab: Lab) -> None:
    assert lab.data("ensure")["changes"] == []
    assert lab("bus", "ensure").out == "nothing to do\n"
    longer = replace(DECLARED, streams=(replace(HEALTH, max_age_s=2 * HEALTH.max_age_s),))
    lab.do(lambda bus: bus.ensure(longer))
    dry = lab.data("ensure", "--dry-run")
    assert [(one["verb"], one["name"]) for one in dry["changes"]] == [("update", HEALTH.name)]
    assert lab.data("ensure")["changes"] == dry["changes"]
    assert lab.data("ensure")["changes"] == []


def test_an_event_is_published_once_and_counted(lab: Lab) -> None:
    before = {one["name"]: one for one in lab.data("streams")["streams"]}
    first = lab.data("publish", REQUESTED, "--data", RUN, "--key", "run-1", "--id", "once")
    assert (first["id"], first["type"], first["duplicate"]) == ("once", REQUESTED, False)
    assert re.fullmatch(rf"{REQUESTED}\.k\d\d", first["subject"])
    again = lab.data("publish", REQUESTED, "--data", RUN, "--key", "run-1", "--id", "once")
    assert again == first | {"duplicate": True}
    after = {one["name"]: one for one in lab.data("streams")["streams"]}
    assert set(after) == {stream.name for stream in DECLARED.streams}
    assert after["SIM_WORKFLOW"]["messages"] == before["SIM_WORKFLOW"]["messages"] + 1
    assert after["SIM_WORKFLOW"]["last_sequence"] == first["sequence"]
    assert "SIM_WORKFLOW" in lab("bus", "streams").out


def test_data_of_a_declared_type_is_what_the_type_says(lab: Lab) -> None:
    before = lab.data("streams")
    problem = lab.refused("publish", REQUESTED, "--data", '{"run": "run-1"}')
    assert (problem["code"], problem["message"]) == (
        "bus-event",
        f"not {REQUESTED}: plan: Field required",
    )
    assert lab.data("streams") == before


def test_data_comes_from_files_and_stdin_however_large(lab: Lab) -> None:
    large = ["x" * 100] * 20_000
    (lab.folder / "large.json").write_text(json.dumps(large))
    subject = "sim.workflow.v1.inventory.taken"
    lab.data("publish", subject, "--data", "@large.json", "--id", "from-a-file")
    done = subprocess.run(
        [COMMAND, "bus", "publish", subject, "--data", "-", "--id", "from-stdin"],
        cwd=lab.folder,
        env=lab.env,
        input=json.dumps(large),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    events = [line["event"] for line in lab.lines("tail", subject)]
    assert [event["id"] for event in events] == ["from-a-file", "from-stdin"]

    async def whole(bus: Bus) -> list[Any]:
        found = [one.event async for one in bus.read("SIM_WORKFLOW", subject)]
        return [(await bus.whole(event)).data for event in found if event]

    assert lab.do(whole) == [large, large]


def test_tail_merges_streams_by_time_and_takes_the_last(lab: Lab) -> None:
    names = ["workflow", "errors", "health", "workflow", "errors"]
    for number, name in enumerate(names):
        subject = f"sim.{name}.v1.order.tried"
        lab.data("publish", subject, "--data", str(number), "--type", "com.example.x")
    shown = lab.lines("tail", "sim.*.v1.order.tried")
    assert [line["event"]["data"] for line in shown] == [0, 1, 2, 3, 4]
    assert [line["stream"] for line in shown] == [f"SIM_{name.upper()}" for name in names]
    assert [line["event"]["data"] for line in lab.lines("tail", "-n", "2")] == [3, 4]
    few = lab.lines("tail", "sim.*.v1.order.tried", "--stream", "SIM_ERRORS")
    assert [line["event"]["data"] for line in few] == [1, 4]
    since = lab.lines("tail", "sim.*.v1.order.tried", "--since", shown[2]["time"])
    assert [line["event"]["data"] for line in since] == [2, 3, 4]
    assert lab.lines("tail", "sim.*.v1.order.tried", "-n", "0") == []
    (line,) = lab("bus", "tail", "sim.health.v1.order.>").out.splitlines()
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  sim\.health\.v1\.order\.tried  -  ", line
    )
    assert line.endswith("  2")


def test_what_is_no_event_is_shown_and_commands_no_terminal(lab: Lab) -> None:
    subject = "sim.errors.v1.garbage.thrown"
    lab.data("publish", subject, "--data", '"\\u001b[31mred"')

    async def throw() -> None:
        known = lab.variables()
        async with await nats.connect(known["NATS_URL"]) as client:
            await client.jetstream().publish(subject, b"\x1b[2J\xff not an event")

    asyncio.run(throw())
    event, garbage = lab.lines("tail", subject)
    assert (event["event"]["data"], event["problem"], event["raw"]) == ("\x1b[31mred", None, None)
    assert (garbage["event"], garbage["raw"]) == (None, "\x1b[2J\\xff not an event")
    assert "not JSON" in garbage["problem"]
    shown = lab("bus", "tail", subject).out
    assert "\x1b" not in shown
    assert "no event: not JSON" in shown


def test_following_ends_with_ctrl_c(lab: Lab) -> None:
    subject = "sim.workflow.v1.following.tried"
    lab.data("publish", subject, "--data", "1")
    running = lab.popen("bus", "tail", "sim.*.v1.following.>", "-f", "--json")
    assert running.stdout is not None
    seen = [json.loads(running.stdout.readline())]
    lab.data("publish", subject, "--data", "2", "--key", "k")
    lab.data("publish", "sim.health.v1.following.tried", "--data", "3")
    seen += [json.loads(running.stdout.readline()) for _ in range(2)]
    assert [line["event"]["data"] for line in seen] == [1, 2, 3]
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=SOON_S)
    assert (running.returncode, out, err) == (130, "", "")


def test_a_reader_who_has_seen_enough_ends_it(lab: Lab) -> None:
    lab.data("publish", "sim.workflow.v1.enough.seen")
    script = f"{COMMAND} bus tail -f --since 1h | head -1"
    lab.data("publish", "sim.workflow.v1.enough.seen")
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=lab.folder,
        env=lab.env,
        capture_output=True,
        text=True,
        timeout=SOON_S,
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_a_request_is_answered_or_nobody_is_there(lab: Lab) -> None:
    subject = "sim.request.v1.tests.double"

    async def answer(event: Event) -> Event:
        return new_named(f"{subject}", {"twice": 2 * event.data}, "/tests", cause=event)

    async def serve(bus: Bus) -> Any:
        async with bus.respond(subject, answer):
            return await asyncio.to_thread(lab.data, "request", subject, "--data", "21")

    assert lab.do(serve)["data"] == {"twice": 42}
    problem = lab.refused("request", subject, "--timeout", "1", status=3)
    assert problem["code"] == "bus-no-responder"


# --- the guide --------------------------------------------------------------------------------

GUIDE = re.findall(r"```python\n(.*?)```", (DOCS / "bus.md").read_text(), re.DOTALL)


def test_the_examples_of_the_guide_run(lab: Lab) -> None:
    said = []
    for number, example in enumerate(GUIDE):
        script = lab.folder / f"example-{number}.py"
        script.write_text(example)
        answer = lab("session", "run", "--", sys.executable, str(script))
        assert answer.status == 0, answer.err
        said.append(answer.out)
    assert re.fullmatch(r"stored as SIM_WORKFLOW \d+\nplanning run-1: golden-saml\n", said[0])
    assert "# HELP simbuilder_bus_refused_total" in said[1]
    assert "planner.creds" in said[2]
    metrics = set(re.findall(r"`(simbuilder_bus_\w+)`", (DOCS / "bus.md").read_text()))
    known = set(re.findall(r"# TYPE (simbuilder_bus_\w+) (?!gauge.*created)", said[1]))
    assert metrics == {name for name in known if not name.endswith("_created")}


# --- what cannot be done ----------------------------------------------------------------------

BAD: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no subject": (("publish", "nonsense"), 2, "bus-name"),
    "no JSON": (("publish", REQUESTED, "--data", "{"), 2, "usage"),
    "no file": (("publish", REQUESTED, "--data", "@nowhere.json"), 2, "usage"),
    "no type": (("publish", REQUESTED, "--type", "sim.x", "--data", RUN), 2, "bus-name"),
    "no source": (("publish", REQUESTED, "--source", "", "--data", RUN), 2, "bus-event"),
    "too long an id": (("publish", REQUESTED, "--id", "x" * 200, "--data", RUN), 2, "bus-event"),
    "too large a number": (("publish", "sim.errors.v1.a.b", "--data", "[1" + "0" * 30), 2, "usage"),
    "no stream": (("publish", "sim.nowhere.v1.a.b"), 1, "bus-no-stream"),
    "a request as an event": (("publish", "sim.request.v1.a.b"), 1, "bus-no-stream"),
    "an event as a request": (("request", REQUESTED), 2, "usage"),
    "no dead letter": (("dlq", "retry"), 2, "usage"),
    "one and all": (("dlq", "retry", "1", "--all"), 2, "usage"),
    "one of a queue": (("dlq", "drop", "1", "--queue", "q", "--yes"), 2, "usage"),
    "an unknown stream": (("consumers", "--stream", "NOPE"), 1, "bus-no-stream"),
    "live JSON": (("top",), 2, "usage"),
    "no interval": (("top", "--once", "--interval", "nan"), 2, "usage"),
    "an unknown session": (("streams", "--session", "nobody"), 4, "session-not-found"),
}
IN_LINES: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no pattern": (("tail", "bad..pattern"), 2, "no pattern"),
    "no such subjects": (("tail", "sim.request.>"), 1, "no stream has subjects"),
    "no such stream": (("tail", "--stream", "NOPE"), 1, "there are: "),
    "no time": (("tail", "--since", "yesterday"), 2, "date and time"),
    "no place": (("replay", "SIM_WORKFLOW", "--from", "-1"), 2, "date and time"),
    "no beginning": (("replay", "SIM_WORKFLOW"), 2, "--from"),
    "no such queue": (
        ("replay", "SIM_WORKFLOW", "--from", "1", "--into", "x", "--yes"),
        1,
        "queue",
    ),
    "nothing to agree to": (("replay", "SIM_WORKFLOW", "--from", "1", "--yes"), 2, "--into"),
}


def test_what_cannot_be_meant_is_refused(lab: Lab) -> None:
    before = lab.data("streams")
    for what, (arguments, status, code) in BAD.items():
        assert lab.refused(*arguments, status=status)["code"] == code, what
    for what, (arguments, status, said) in IN_LINES.items():
        answer = lab("bus", *arguments)
        assert (answer.status, answer.out) == (status, ""), what
        assert answer.err.startswith("error: "), what
        assert said in answer.err, what
    assert lab.data("streams") == before


def test_servers_that_do_not_run_and_sessions_without_a_bus(lab: Lab) -> None:
    made = lab("session", "create", "--services", "neo4j", "--name", "graph", "--json").data()
    assert made["session"]["name"] == "graph"
    assert "has no nats" in lab.refused("streams", "--session", "graph")["message"]
    short = lab("session", "status", "lab", "--json").data()["session"]["short"]
    assert lab("session", "stop", "lab").status == 0
    answer = lab("bus", "streams", "--session", "lab", "--json")
    assert answer.status == 3
    (problem,) = answer.envelope()["problems"]
    assert (problem["code"], "of session lab" in problem["message"]) == ("bus-connection", True)
    assert f"simbuilder session start {short}" in problem["hint"]
    tail = lab("bus", "tail", "--session", "lab")
    assert (tail.status, tail.out, f"start {short}" in tail.err) == (3, "", True)
    assert lab("session", "start", "lab").status == 0
    assert lab("bus", "streams", "--session", "lab").status == 0
    assert lab("session", "use", "lab").status == 0


HELP = """\
import sys
from simbuilder.cli.app import app
from simbuilder.cli.bus import PLACES
for name in ("", *PLACES, "dlq retry"):
    app(["bus", *name.split(), "--help"], standalone_mode=False)
heavy = {"nats", "orjson", "rich", "asyncio", "pydantic", "simbuilder.bus"} & set(sys.modules)
print("loaded:", sorted(heavy))
"""


def test_no_help_loads_a_driver() -> None:
    argv = [sys.executable, "-c", HELP]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n")


COMMANDS = [name for name in PLACES if name != "dlq"]
LETTERS = [f"dlq {name}" for name in ("list", "show", "retry", "drop")]


@pytest.mark.parametrize("name", [*COMMANDS, *LETTERS])
def test_every_help_has_examples(name: str) -> None:
    argv = [COMMAND, "bus", *name.split(), "--help"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    words = rf"Examples:\s+simbuilder\s+bus\s+{name}".replace(" ", r"\s+")
    assert re.search(words, shown)
