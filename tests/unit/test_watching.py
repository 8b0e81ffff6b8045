"""What is known of sessions at one moment, what changed between two, and how it is written."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simbuilder.cli.watching import cells
from simbuilder.cli.watching.actions import Outcome, outcome
from simbuilder.cli.watching.cells import Cell, Tone
from simbuilder.sessions.expiry import Moment, lasting
from simbuilder.sessions.model import Health, Observed, Session, State, Usage
from simbuilder.sessions.result import Problem
from simbuilder.sessions.view import SessionView
from simbuilder.sessions.watching import (
    Change,
    Condition,
    Fate,
    Snapshot,
    Watched,
    changes,
    pace,
)
from tests.support import session, session_id

RUNS = Observed(State.RUNNING)
READY = Health(True, "NATS", "2.11", 3.4)
NOW = Moment(datetime(2026, 1, 1, 2, 30, tzinfo=UTC), "boot", 1000.0)
SERVICES = ("neo4j", "nats", "azurite")


def watched(
    one: Session | None = None,
    observed: dict[str, Observed] | None = None,
    health: dict[str, Health] | None = None,
    removing: bool = False,
) -> Watched:
    seen = dict.fromkeys(SERVICES, RUNS) if observed is None else observed
    return Watched(SessionView(one or session(name="lab"), Path("/e"), seen, health, removing))


def texts(before: Snapshot, after: Snapshot) -> list[str]:
    return [change.text() for change in changes(before, after)]


# --- conditions and changes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "health", "condition", "why"),
    [
        (RUNS, None, Condition.RUNNING, ""),
        (RUNS, READY, Condition.READY, "NATS 2.11"),
        (RUNS, Health(False, problem="silence"), Condition.FAILING, "silence"),
        (Observed(State.RUNNING, problem="paused"), None, Condition.FAILING, "paused"),
        (Observed(State.RUNNING, problem="paused"), READY, Condition.FAILING, "paused"),
        (Observed(State.STOPPED), None, Condition.STOPPED, ""),
        (Observed(State.STOPPED), READY, Condition.STOPPED, ""),
        (Observed(State.STOPPED, 137), None, Condition.ENDED, "exit status 137"),
        (Observed(State.UNKNOWN, problem="no engine"), READY, Condition.UNKNOWN, "no engine"),
    ],
)
def test_the_condition_of_a_server(
    seen: Observed, health: Health | None, condition: Condition, why: str
) -> None:
    one = watched(observed={"nats": seen}, health={"nats": health} if health else None)
    assert one.condition("nats") is condition
    if condition is not Condition.STOPPED:
        assert one.why("nats") == why


def test_a_server_that_was_not_asked_does_not_degrade_its_session() -> None:
    assert watched(health={"nats": READY}).view.state is State.RUNNING
    assert watched(health={"nats": Health(False)}).view.state is State.DEGRADED


def test_nothing_changes_by_itself() -> None:
    snapshot = Snapshot((watched(),), {session_id(7): Problem("state", "torn")})
    assert changes(snapshot, snapshot) == []
    busier = replace(snapshot.sessions[0], usage={"nats": Usage(5, 0.5, 1)}, lines={"nats": "a"})
    assert changes(snapshot, replace(snapshot, sessions=(busier,))) == []


def test_the_story_of_a_session_is_told_in_lines() -> None:
    nobody = Snapshot()
    new = Snapshot((watched(),))
    asked = Snapshot((watched(health={"nats": READY}),))
    broken = {"nats": Observed(State.STOPPED, 137), "neo4j": RUNS, "azurite": RUNS}
    dead = Snapshot((watched(observed=broken),))
    stopped = Snapshot((watched(observed={}),))
    removing = Snapshot((watched(observed={}, removing=True),))
    assert texts(nobody, new) == ["lab: running (memory runtime, /nowhere)"]
    assert texts(new, asked) == ["lab nats: running -> ready (NATS 2.11)"]
    assert texts(asked, dead) == [
        "lab: running -> degraded",
        "lab nats: ready -> ended (exit status 137)",
    ]
    assert texts(dead, stopped) == [
        "lab: degraded -> stopped",
        "lab neo4j: running -> stopped",
        "lab nats: ended -> stopped",
        "lab azurite: running -> stopped",
    ]
    assert texts(stopped, removing) == ["lab: stopped -> removing"]
    assert texts(removing, nobody) == ["lab: removing -> gone"]
    assert texts(nobody, dead) == [
        "lab: degraded (memory runtime, /nowhere)",
        "lab nats: ended (exit status 137)",
    ]


def test_an_engine_that_falls_silent_says_why() -> None:
    unseen = dict.fromkeys(SERVICES, Observed(State.UNKNOWN, problem="no answer"))
    before, after = Snapshot((watched(),)), Snapshot((watched(observed=unseen),))
    assert texts(before, after)[0] == "lab: running -> unknown (no answer)"


def test_a_record_that_breaks_and_is_mended() -> None:
    good = Snapshot((watched(),))
    torn = Snapshot((), {session_id(1): Problem("state", "the record is torn")})
    assert texts(good, torn) == ["lab: running -> unreadable (the record is torn)"]
    assert texts(torn, good) == ["lab: unreadable -> running"]
    assert texts(torn, Snapshot()) == ["00000001: unreadable -> gone"]


def test_a_change_says_where_a_new_session_runs() -> None:
    (change,) = changes(Snapshot(), Snapshot((watched(),)))
    assert change == Change(
        session_id(1), "lab", None, None, State.RUNNING, "memory runtime, /nowhere"
    )
    (gone,) = changes(Snapshot((watched(),)), Snapshot())
    assert gone.now is Fate.GONE


def test_more_sessions_are_asked_less_often_each() -> None:
    assert pace(2, instant=True, sessions=1).probe_s == 5
    assert pace(2, instant=True, sessions=100).probe_s == 50
    assert pace(60, instant=True, sessions=1).look_s == 60
    here, there = pace(2, instant=True, sessions=10), pace(2, instant=False, sessions=10)
    assert (there.look_s, there.usage_s, there.stored_s, there.logs_s) > (
        *(here.look_s, here.usage_s, here.stored_s),
        0,
    )


# --- what is written -----------------------------------------------------------------------


def written(line: cells.Line) -> str:
    return "".join(cell.text for cell in line)


def test_lines_are_as_wide_as_the_screen_and_keep_their_columns() -> None:
    busy = replace(
        watched(session(name="a" * 40), health=dict.fromkeys(SERVICES, READY)),
        usage=dict.fromkeys(SERVICES, Usage(1 << 34, 2.5, 1234)),
        stored=dict.fromkeys(SERVICES, 1 << 40),
        lines={"nats": "a line " * 60},
        latest="nats",
    )
    torn = {session_id(9): Problem("state", "the record is torn " * 20)}
    snapshot = Snapshot((busy, watched(session(2), {})), torn)
    for width in range(78, 240):
        layout = cells.columns(width)
        lengths = {len(written(line)) for line in cells.lines(snapshot, NOW, layout).values()}
        assert lengths == {len(cells.header(layout))}, width
        assert lengths.pop() <= width
        assert len(cells.title(snapshot, width)) <= width
        assert all(len(written(line)) <= width for line in cells.details(busy, NOW, width)), width


def row(one: Watched) -> dict[str, str]:
    layout = cells.columns(200)
    (line,) = cells.lines(Snapshot((one,)), NOW, layout).values()
    return {c.key: cell.text.strip() for c, cell in zip(layout, line, strict=True)}


def test_a_row_says_all_there_is_to_know() -> None:
    one = replace(
        watched(health=dict.fromkeys(SERVICES, READY)),
        usage={s: Usage(100 << 20, 0.11, 2) for s in SERVICES},
        stored=dict.fromkeys(SERVICES, 3 << 30),
        lines={"neo4j": "old", "nats": "\x1b[31mred\x1b[0m\tand\x07 bell"},
        latest="nats",
    )
    assert row(one) == {
        "session": "lab",
        "state": "running",
        **dict.fromkeys(SERVICES, "3 ms"),
        "memory": "300M",
        "cpu": "33%",
        "disk": "9.0G",
        "clients": "6",
        "age": "2h",
        "left": "-",
        "ports": "31000-31009",
        "runtime": "memory",
        "line": "nats: red and  bell",
    }


def test_a_row_makes_nothing_up() -> None:
    unknown = ("memory", "cpu", "disk", "clients", "left", "line")
    assert {row(watched())[key] for key in unknown} == {"-"}
    one = replace(watched(), usage={"nats": Usage(1, 0, 1), "neo4j": Usage(1, 0, None)})
    assert row(one)["clients"] == "-"


def test_every_condition_has_a_word_of_its_own() -> None:
    seen = {"neo4j": RUNS, "nats": Observed(State.STOPPED, 1), "azurite": Observed(State.STOPPED)}
    assert [row(watched(observed=seen))[s] for s in SERVICES] == ["...", "ended", "off"]
    seen = {"neo4j": RUNS, "nats": Observed(State.UNKNOWN)}
    one = watched(session(services=("neo4j", "nats")), seen, {"neo4j": Health(False)})
    assert [row(one)[s] for s in SERVICES] == ["fails", "?", "-"]
    words = {word for word, _ in cells.LEGEND}
    assert {"...", "ended", "off", "fails", "?", "-"} <= words


def test_the_end_of_a_session_comes_nearer() -> None:
    def left(**until: float) -> Cell:
        one = watched(lasting(session(), NOW.at + timedelta(**until), NOW))
        return cells.lines(Snapshot((one,)), NOW, cells.columns(78))[one.id][-1]

    assert left(days=3).text.strip() == "3d"
    assert left(hours=5.9).text.strip() == "5h"
    assert left(minutes=59).tone is Tone.PLAIN
    assert (left(seconds=30).text.strip(), left(seconds=30).tone) == ("<1m", Tone.WARNING)
    assert left(seconds=-1).text.strip() == "over"


def test_a_record_made_by_hand_still_has_a_row() -> None:
    assert row(watched(replace(session(), created_at="yesterday")))["age"] == "-"
    assert row(watched(replace(session(), created_at="2026-01-01")))["age"] == "-"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1K"),
        (260 << 10, "260K"),
        (999 << 20, "999M"),
        (1000 << 20, "1.0G"),
        (99 << 30, "99.0G"),
        (999 << 30, "999G"),
        (5 << 40, "5.0T"),
    ],
)
def test_amounts_are_short(size: int, text: str) -> None:
    assert cells.short(size) == text


def test_details_name_what_is_wrong_on_lines_that_fit() -> None:
    seen = {"neo4j": RUNS, "nats": Observed(State.STOPPED, 137), "azurite": RUNS}
    health = {"neo4j": Health(False, problem="no handshake " * 12), "azurite": READY}
    one = replace(watched(observed=seen, health=health), lines={"nats": "Killed"})
    lines = [written(line) for line in cells.details(one, NOW, 78)]
    assert lines[0].startswith("lab   00000001   memory runtime   /nowhere")
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["neo4j", "failing"],
        ["nats", "ended"],
        ["azurite", "ready"],
    ]
    assert "nats: exit status 137" in lines
    assert sum("handshake" in line for line in lines) == 3
    assert lines[-1] == "nats    | Killed"
    assert all(len(line) <= 78 for line in lines)
    assert "blob 31005, queue 31006" in written(cells.details(one, NOW, 120)[4])


def test_the_title_drops_what_there_is_no_room_for() -> None:
    one = replace(watched(), usage={"nats": Usage(5 << 20, 0.5)})
    snapshot = Snapshot((one,), {session_id(9): Problem("state", "torn")}, pending=2)
    whole = "simbuilder   1 session   1 running, 1 unreadable, 2 not looked at yet   5M memory   "
    assert cells.title(snapshot, 200) == f"{whole}50% of a core"
    assert cells.title(snapshot, 80) == whole[: whole.index("   5M")]
    assert cells.title(snapshot, 8) == "simbuil~"


# --- what a key's command said -------------------------------------------------------------


def test_how_a_command_ended_is_read_from_its_json() -> None:
    good = '{"version": 1, "problems": []}'
    bad = '{"problems": [{"code": "busy", "message": "it is busy", "hint": "wait"}]}'
    assert outcome(0, good, "") == Outcome(True)
    assert outcome(3, bad, "") == Outcome(False, "it is busy; wait")
    assert outcome(1, "", "a\nlast words\n") == Outcome(False, "last words")
    assert outcome(139, "[]", "") == Outcome(False, "exit status 139")
