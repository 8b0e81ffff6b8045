"""A watcher of sessions on memory runtimes, and the full-screen view of what it knows."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import RichLog, Static

from simbuilder.cli.watching.actions import Outcome
from simbuilder.cli.watching.app import WatchApp
from simbuilder.cli.watching.table import SessionTable
from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.sessions.expiry import Moment, moment
from simbuilder.sessions.model import Session, State
from simbuilder.sessions.runtime import Runtime
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.watcher import Watcher
from simbuilder.sessions.watching import Condition, Snapshot, Watched
from tests.support import Bench, session

SOON_S = 10.0


class Slow(MemoryRuntime):
    """Another runtime, which does not answer for as long as `hangs` is set."""

    name = "slow"

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.asked = threading.Event()
        super().__init__(step=self._wait)

    def _wait(self) -> None:
        self.asked.set()
        while self.hangs.is_set():
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "project").mkdir()
    return Bench(tmp_path / "state", tmp_path / "project")


@pytest.fixture
def watch(bench: Bench) -> Iterator[Callable[..., Watcher]]:
    """Start a watcher; it is stopped at the end."""
    made: list[Watcher] = []

    def start(interval_s: float = 0.02, *others: Runtime) -> Watcher:
        known: dict[str, Runtime] = {"memory": bench.runtime, **{o.name: o for o in others}}
        now = Moment(moment("2026-01-01T02:00"), "boot", 1000.0)
        runtimes = Runtimes(known, lambda _event: None)
        made.append(Watcher(bench.store, runtimes, lambda: now, interval_s))
        made[-1].start()
        return made[-1]

    yield start
    for watcher in made:
        watcher.stop()


def until(watcher: Watcher, wanted: Callable[[Snapshot], Any]) -> Snapshot:
    deadline, version = time.monotonic() + SOON_S, -1
    while time.monotonic() < deadline:
        snapshot = watcher.snapshot()
        if wanted(snapshot):
            return snapshot
        version = watcher.wait(version, 0.1)
    raise AssertionError(watcher.snapshot())


def states(snapshot: Snapshot) -> list[State]:
    return [one.view.state for one in snapshot.sessions]


def known(one: Watched) -> bool:
    asked = one.view.health or {}
    return len(asked) == len(one.usage) == len(one.stored) == len(one.lines) == 3


def on_slow(bench: Bench, number: int = 99) -> Session:
    """Record a session of the slow runtime."""
    one = replace(session(number, name="there", runtime="slow", base=32000), owner="tests")
    bench.store.save(one)
    return one


# --- watching ------------------------------------------------------------------------------


def test_a_session_is_watched_from_its_making_to_its_end(
    bench: Bench, watch: Callable[..., Watcher]
) -> None:
    watcher = watch()
    assert watcher.snapshot() == Snapshot()
    session_id = bench.create(name="lab")
    (one,) = until(watcher, lambda s: s.sessions and known(s.sessions[0])).sessions
    assert one.label == "lab"
    assert {one.condition(s) for s in one.view.session.services} == {Condition.READY}

    bench.runtime.kill(session_id, "nats")
    (one,) = until(watcher, lambda s: states(s) == [State.DEGRADED]).sessions
    assert one.condition("nats") is Condition.ENDED
    assert "nats" not in one.usage
    assert "nats" not in (one.view.health or {})

    bench.manager.stop(session_id, 5)
    (one,) = until(watcher, lambda s: states(s) == [State.STOPPED]).sessions
    assert (one.usage, one.view.health) == ({}, None)
    bench.store.begin_removal(session_id)
    until(watcher, lambda s: states(s) == [State.REMOVING])
    bench.manager.cleaner.cleanup(session_id, 5)
    until(watcher, lambda s: s == Snapshot())


def test_a_server_that_stops_serving_is_found_out(
    bench: Bench, watch: Callable[..., Watcher]
) -> None:
    watcher = watch()
    bench.create()
    until(watcher, lambda s: s.sessions and known(s.sessions[0]))
    bench.runtime.silent = True
    until(watcher, lambda s: states(s) == [State.UNKNOWN])
    bench.runtime.silent = False
    until(watcher, lambda s: s.sessions and known(s.sessions[0]))


def test_what_hangs_holds_up_nobody_else(bench: Bench, watch: Callable[..., Watcher]) -> None:
    slow = Slow()
    slow.hangs.set()
    there = on_slow(bench)
    bench.create(name="here")
    watcher = watch(0.02, slow)
    snapshot = until(watcher, lambda s: s.sessions and known(s.sessions[0]))
    assert ([one.label for one in snapshot.sessions], snapshot.pending) == (["here"], 1)
    bench.create(name="later")
    until(watcher, lambda s: len(s.sessions) == 2)
    began = time.monotonic()
    watcher.snapshot()
    watcher.hurry(there.id)
    assert time.monotonic() - began < 0.5
    slow.hangs.clear()
    snapshot = until(watcher, lambda s: not s.pending)
    assert {one.label: one.view.state for one in snapshot.sessions}["there"] is State.STOPPED


def test_records_nobody_can_use_and_runtimes_nobody_knows_have_their_reason(
    bench: Bench, watch: Callable[..., Watcher]
) -> None:
    torn = bench.create()
    on_slow(bench)
    (bench.store.folder(torn) / "session.json").write_text("{")
    watcher = watch()
    (one,) = until(watcher, lambda s: s.sessions).sessions
    assert one.why("nats") == "there is no slow runtime here"
    assert "is not JSON" in watcher.snapshot().unreadable[torn].message
    until(watcher, lambda s: not s.pending)


def test_what_goes_wrong_in_a_thread_is_raised(bench: Bench, watch: Callable[..., Watcher]) -> None:
    def break_down() -> None:
        raise ZeroDivisionError("a defect")

    on_slow(bench)
    watcher = watch(0.02, type("Broken", (MemoryRuntime,), {"name": "slow"})(step=break_down))
    with pytest.raises(ZeroDivisionError, match="a defect"):
        until(watcher, lambda s: s.sessions)


def test_nothing_new_is_no_news(bench: Bench, watch: Callable[..., Watcher]) -> None:
    bench.create()
    watcher = watch()
    until(watcher, lambda s: s.sessions and known(s.sessions[0]))
    version = watcher.wait(-1, 0)
    assert watcher.wait(version, 0.2) == version


# --- on the screen -------------------------------------------------------------------------


class Screen:
    """The view in a terminal that is not there; keys do what the manager of the bench does."""

    def __init__(self, bench: Bench, watcher: Watcher) -> None:
        self.bench = bench
        self.app = WatchApp(watcher, self.act)
        self.acted: list[Sequence[str]] = []
        self.busy = threading.Event()
        self.pilot: Pilot[int]

    def act(self, arguments: Sequence[str]) -> Outcome:
        self.acted.append(arguments)
        while self.busy.is_set():
            time.sleep(0.01)
        verb, session_id, *_ = arguments
        if verb == "start":
            self.bench.manager.start(session_id, 5)
        elif verb == "stop":
            self.bench.manager.stop(session_id, 5)
        elif verb == "cleanup":
            self.bench.manager.cleaner.cleanup(session_id, 5)
        else:
            return Outcome(False, "it cannot be forked; try again")
        return Outcome(True)

    def run(self, story: Callable[["Screen"], Awaitable[None]]) -> int:
        async def play() -> None:
            async with self.app.run_test(size=(80, 24)) as pilot:
                self.pilot = pilot
                await story(self)

        asyncio.run(play())
        return self.app.return_value if self.app.return_value is not None else -1

    def text(self, place: str) -> str:
        return str(self.app.screen_stack[0].query_one(f"#{place}", Static).content)

    def lines(self) -> list[str]:
        table = self.app.screen_stack[0].query_one(SessionTable)
        drawn = (table.render_line(y).text.strip() for y in range(table.size.height))
        return [line for line in drawn if line]

    async def until(self, wanted: Callable[[], Any]) -> None:
        deadline = time.monotonic() + SOON_S
        while not wanted():
            assert time.monotonic() < deadline, self.app.export_screenshot()
            await self.pilot.pause(0.05)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)


@pytest.fixture
def screen(bench: Bench, watch: Callable[..., Watcher]) -> Screen:
    return Screen(bench, watch(0.2))


def test_keys_start_stop_and_remove_sessions(bench: Bench, screen: Screen) -> None:
    first, second = bench.create(name="one"), bench.create(name="two")

    async def story(at: Screen) -> None:
        await at.until(lambda: len(at.lines()) == 2 and "0 ms" in at.lines()[1])
        assert at.text("details").startswith("one ")
        await at.press("down")
        assert at.text("details").startswith("two ")
        await at.press("x")
        await at.until(lambda: "stopped" in at.lines()[1])
        await at.until(lambda: "two: stop: done" in at.text("status"))
        assert "running" in at.lines()[0]
        await at.press("s")
        await at.until(lambda: "running" in at.lines()[1])
        await at.until(lambda: "two: start: done" in at.text("status"))
        await at.press("c", "n", "c", "escape", "c", "enter", "k", "j", "c")
        await at.press("y")
        await at.until(lambda: len(at.lines()) == 1)
        assert at.text("details").startswith("one ")
        await at.press("q")

    assert screen.run(story) == 0
    verbs = [("stop", second), ("start", second), ("cleanup", second)]
    assert [tuple(arguments) for arguments in screen.acted] == verbs
    assert bench.store.ids() == [first]


def test_a_session_is_forked_under_a_name_and_refusals_are_shown(
    bench: Bench, screen: Screen
) -> None:
    session_id = bench.create(name="lab")

    async def story(at: Screen) -> None:
        await at.until(at.lines)
        await at.press("f", "escape", "f", *"try", "enter")
        await at.until(lambda: "lab: fork: error: it cannot be forked" in at.text("status"))
        await at.press("f", "enter")
        await at.until(lambda: len(at.acted) == 2)
        await at.press("ctrl+c")

    assert screen.run(story) == 130
    assert screen.acted == [["fork", session_id, "--name", "try"], ["fork", session_id]]


def test_one_thing_at_a_time_is_done_to_a_session_and_keys_never_wait(
    bench: Bench, screen: Screen
) -> None:
    first, second = bench.create(name="one"), bench.create(name="two")
    screen.busy.set()

    async def story(at: Screen) -> None:
        await at.until(lambda: len(at.lines()) == 2)
        await at.press("x", "s", "x", "c")
        await at.until(lambda: "one: stop ..." in at.text("status"))
        await at.press("down", "x")
        await at.until(lambda: "two: stop ..." in at.text("status"))
        assert at.text("details").startswith("two ")
        at.busy.clear()
        await at.until(lambda: all("stopped" in line for line in at.lines()))
        await at.press("q")

    assert screen.run(story) == 0
    assert screen.acted == [["stop", first], ["stop", second]]


def test_logs_and_help_come_in_front_and_go_again(bench: Bench, screen: Screen) -> None:
    bench.runtime.kill(bench.create(name="lab"), "nats")

    async def story(at: Screen) -> None:
        await at.until(lambda: at.lines() and "ended" in at.lines()[0])
        await at.press("question_mark")
        assert len(at.app.screen_stack) == 2
        await at.press("x", "escape", "enter")
        log = at.app.screen.query_one(RichLog)
        await at.until(lambda: any("nats    | " in line.text for line in log.lines))
        await at.press("x", "q")
        assert len(at.app.screen_stack) == 1
        await at.press("l", "escape", "q")

    assert screen.run(story) == 0
    assert screen.acted == []


def test_without_a_session_there_is_a_hint_and_with_the_first_a_table(
    bench: Bench, screen: Screen
) -> None:
    async def story(at: Screen) -> None:
        hint = at.app.screen.query_one("#nothing")
        await at.until(lambda: hint.display)
        assert "session create --start-containers" in at.text("nothing")
        await at.press("s", "x", "f", "c", "l")
        assert len(at.app.screen_stack) == 1
        bench.create(name="first")
        await at.until(lambda: at.lines() and not hint.display)
        await at.press("q")

    assert screen.run(story) == 0
    assert screen.acted == []


def test_more_sessions_than_lines_and_another_size(bench: Bench, screen: Screen) -> None:
    for number in range(20):
        bench.create(start=False, name=f"s-{number}")

    async def story(at: Screen) -> None:
        await at.until(lambda: "20 sessions" in at.text("title") and at.lines())
        assert at.lines()[0].startswith("s-0 ")
        await at.press("end")
        await at.until(lambda: at.lines()[-1].startswith("s-19 "))
        await at.press("pageup")
        await at.until(lambda: not at.text("details").startswith("s-19"))
        assert len(at.lines()) < 20
        await at.pilot.resize_terminal(160, 50)
        await at.until(lambda: "LAST LINE" in at.text("header") and len(at.lines()) == 20)
        await at.press("home")
        await at.until(lambda: at.text("details").startswith("s-0 "))
        await at.press("q")

    assert screen.run(story) == 0


def test_a_defect_ends_the_view_without_showing_what_it_knew(
    bench: Bench, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = bench.store.load(bench.create()).secrets["nats"]

    def fail(*_: object) -> None:
        local = secret
        raise ZeroDivisionError(len(local))

    async def story(at: Screen) -> None:
        await at.until(at.lines)
        monkeypatch.setattr(at.app, "_draw_details", fail)
        await at.press("down")
        await at.pilot.pause(0.2)

    with pytest.raises(ZeroDivisionError):
        screen.run(story)
    assert isinstance(screen.app.defect, ZeroDivisionError)
    assert screen.app._exit_renderables == []
