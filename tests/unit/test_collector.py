"""Sessions that are over: what goes by itself, what only `gc` removes, and what stays."""

import shutil
from pathlib import Path

import pytest

from simbuilder.scaffolding import identity
from simbuilder.scaffolding.exceptions import BusyError
from simbuilder.sessions.expiry import Why
from simbuilder.sessions.model import End
from tests.support import Bench, mend

GONE = "1:1:00000000-0000-4000-8000-000000000000:1"
"""A process of another boot."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / ".git").mkdir(parents=True)
    return path


@pytest.fixture
def bench(tmp_path: Path, folder: Path) -> Bench:
    return Bench(tmp_path / "state", folder)


def gc(bench: Bench, *, force: bool = False, older_than_s: int | None = None) -> list[str]:
    """The ids of what `session gc` removes."""
    collector = bench.manager.collector
    verdicts = collector.weigh(collector.due(older_than_s), force)
    return [one.id for one in collector.collect(verdicts, 1, force).removed]


def said(bench: Bench, code: str) -> list[str]:
    return [e.message for e in bench.events if (e.kind, e.subject) == ("warning", code)]


def test_any_command_removes_what_has_expired_and_says_why(bench: Bench) -> None:
    one, two = bench.create(name="lab", ttl_s=60), bench.create()
    bench.up_s += 59
    bench.manager.reap()
    assert bench.store.ids() == [one, two]
    bench.up_s += 2
    bench.manager.reap()
    assert bench.store.ids() == [two]
    assert bench.runtime.traces() == {two}
    assert said(bench, "expired") == ["removed session 00000001 (lab): it expired 1 s ago"]
    history = [(e["event"], e["name"], e["cause"]) for e in bench.journal.history(one)]
    assert history[-2:] == [
        ("expired", "lab", "expired 1 s ago"),
        ("removed", "lab", "expired 1 s ago"),
    ]


def test_what_has_clients_stays_until_they_leave(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bench.runtime.connected[one, "nats"] = 1
    bench.up_s += 61
    bench.manager.reap()
    bench.manager.reap()
    assert gc(bench) == []
    assert bench.store.ids() == [one]
    stays = "session 00000001 expired 1 s ago and stays: nats has 1 client connection"
    assert said(bench, "not-expired") == [stays]  # and not twice
    bench.runtime.connected.clear()
    bench.manager.reap()
    assert bench.store.ids() == []


def test_whose_clients_cannot_be_told_stays_but_by_force(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bench.runtime.connected[one, "nats"] = None
    bench.up_s += 61
    bench.manager.reap()
    assert gc(bench) == []
    assert "whether nats has clients cannot be told" in said(bench, "not-expired")[0]
    assert gc(bench, force=True) == [one]


def test_a_runtime_that_does_not_answer_keeps_all_and_forgets_nothing(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bound = bench.create(bound_to=GONE)
    bench.runtime.silent = True
    bench.up_s += 61
    bench.manager.reap()
    (_, against), _ = bench.manager.collector.weigh(bench.manager.collector.due(), force=False)
    assert against == "whether it has clients cannot be told: it does not answer"
    assert gc(bench, force=True) == []
    assert bench.store.ids() == [one, bound]
    assert len(said(bench, "not-expired")) == 2
    bench.runtime.silent = False
    assert gc(bench) == [one, bound]


def test_a_session_ends_with_its_process_whoever_is_connected(bench: Bench) -> None:
    here, gone = bench.create(bound_to=identity.of()), bench.create(bound_to=GONE)
    bench.runtime.connected[gone, "nats"] = 1
    bench.manager.reap()
    assert bench.store.ids() == [here]
    assert said(bench, "expired") == [
        "removed session 00000002: it was bound to process 1, which has ended"
    ]


def test_more_time_is_given_also_to_what_is_over_but_still_there(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bench.up_s += 61
    due = bench.manager.collector.due()
    bench.manager.extend(one, lambda _session, now: now.at.replace(year=2100), 1)
    collected = bench.manager.collector.collect([(due[0], "")], 1, force=False)
    assert (collected.removed, collected.kept) == ((), ((due[0], "that has just changed"),))
    bench.manager.reap()
    assert bench.store.ids() == [one]
    bench.manager.extend(one, lambda _session, _now: None, 1)
    assert bench.store.load(one).end == End()
    assert [e["event"] for e in bench.journal.history(one)][-2:] == ["extended", "extended"]


def test_who_came_while_somebody_was_asked_counts(bench: Bench, folder: Path) -> None:
    one = bench.create(ttl_s=60)
    bench.up_s += 61
    collector = bench.manager.collector
    verdicts = collector.weigh(collector.due(), force=False)
    bench.runtime.connected[one, "nats"] = 1
    kept = collector.collect(verdicts, 1, force=False).kept
    assert [why for _, why in kept] == ["nats has 1 client connection"]
    assert [due.id for due in collector.collect(verdicts, 1, force=True).removed] == [one]
    two = bench.create()
    shutil.rmtree(folder)
    verdicts = collector.weigh(collector.due(), force=False)
    folder.mkdir()
    assert [why for _, why in collector.collect(verdicts, 1, force=False).kept] == [
        "that has just changed"
    ]
    assert bench.store.ids() == [two]


def test_what_another_command_works_on_is_left_to_it(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bench.up_s += 61
    with bench.store.lock(one, 0, bench.events.append):
        bench.manager.reap()
        collector = bench.manager.collector
        refused = collector.collect(collector.weigh(collector.due(), force=False), 0, force=False)
    assert bench.store.ids() == [one]
    assert [problem.code for problem in refused.problems] == [BusyError.code]
    assert said(bench, "not-expired") == []


def test_only_gc_removes_what_lost_its_folder(bench: Bench, folder: Path) -> None:
    one = bench.create()
    shutil.rmtree(folder)
    bench.manager.reap()
    views, _ = bench.manager.list_sessions()
    assert [view.orphaned for view in views] == [True]
    (due,) = bench.manager.collector.due()
    assert (due.why, due.cause) == (Why.ORPHANED, f"its folder {folder} is gone")
    assert gc(bench) == [one]


@pytest.mark.parametrize(
    "change", [{"mount": "/media/nobody"}, {"mount": ""}, {"owner": "tests@elsewhere:"}]
)
def test_a_folder_out_of_reach_is_not_gone(
    bench: Bench, folder: Path, change: dict[str, str]
) -> None:
    one = bench.create()
    shutil.rmtree(folder)
    mend(bench.store.folder(one) / "session.json", **change)
    assert gc(bench, force=True) == []
    assert [view.orphaned for view in bench.manager.list_sessions()[0]] == [False]


def test_only_gc_removes_what_is_old_and_only_when_told(bench: Bench) -> None:
    one = bench.create()  # the clock of the bench stands at the beginning of 2026
    assert gc(bench) == []
    assert gc(bench, older_than_s=3600) == []
    assert gc(bench, older_than_s=1) == [one]


def test_what_lost_its_record_goes_by_its_mark(bench: Bench) -> None:
    """The mark is on the things themselves, as they were first; a record that is there wins."""
    one, two = bench.create(ttl_s=1), bench.create(ttl_s=1)
    bench.up_s, bench.boot = 0, "another"
    bench.manager.extend(two, lambda _session, now: now.at.replace(year=2100), 1)
    bench.store.forget(one)
    assert bench.runtime.traces() == {one, two}
    bench.manager.reap()
    assert bench.runtime.traces() == {two}
    assert "its record is lost, and it expired" in said(bench, "expired")[0]


def test_a_damaged_record_is_not_a_lost_one(bench: Bench) -> None:
    one = bench.create(ttl_s=1)
    bench.up_s, bench.boot = 0, "another"
    (bench.store.folder(one) / "session.json").write_text("{")
    bench.manager.reap()
    assert gc(bench, force=True) == []
    assert bench.runtime.traces() == {one}


def test_a_copy_of_the_state_folder_removes_nothing(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bench.up_s += 61
    mend(bench.store.folder(one) / "session.json", owner="1@here:/elsewhere")
    bench.manager.reap()
    assert gc(bench, force=True) == []
    assert said(bench, "not-expired") == []  # it is nobody's business here


def test_whoever_asks_for_a_session_again_gets_time_with_it(bench: Bench) -> None:
    one = bench.create(ttl_s=60)
    bench.up_s += 50
    assert bench.create(reuse=True, ttl_s=60) == one
    bench.up_s += 50
    bench.manager.reap()
    assert bench.store.ids() == [one]
