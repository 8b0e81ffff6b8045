"""The manager on the memory runtime, which the contract suite proves to behave like a real one."""

import json
from pathlib import Path

import pytest

from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding.exceptions import (
    HalfRemovedError,
    NewerStateError,
    PortsExhaustedError,
    RuntimeUnavailableError,
    SessionNotFoundError,
    StillRunningError,
    UsageError,
)
from simbuilder.sessions import envfile
from simbuilder.sessions.manager import CreateRequest
from simbuilder.sessions.model import State
from simbuilder.sessions.port_manager import PortRange
from tests.support import Bench, mend, session_id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    (path / ".git").mkdir(parents=True)
    return path


@pytest.fixture
def bench(tmp_path: Path, folder: Path) -> Bench:
    return Bench(tmp_path / "state", folder)


def named(folder: Path) -> str | None:
    path = folder / ".env.session"
    return envfile.session_id(path.read_text()) if path.exists() else None


def test_a_created_session_is_recorded_current_and_running(bench: Bench, folder: Path) -> None:
    one = bench.create(name="demo")
    report = bench.manager.status(one)
    assert report.view.state is State.RUNNING
    assert report.problems == ()
    assert report.view.session.folder == str(folder)
    assert report.view.session.name == "demo"
    assert named(folder) == one
    assert report.view.env_file.read_text() == (folder / ".env.session").read_text()
    assert bench.ports.reserved()[one] == report.view.session.ports


def test_a_second_session_becomes_current_and_says_so(bench: Bench, folder: Path) -> None:
    bench.create()
    second = bench.create(start=False)
    assert named(folder) == second
    note = "session: 00000002 is the current session now; it was 00000001"
    assert note in bench.messages()


def test_cleanup_removes_every_trace_and_leaves_other_sessions_alone(
    bench: Bench, folder: Path
) -> None:
    first, second = bench.create(), bench.create()
    bench.manager.cleaner.cleanup(first, 1)
    assert named(folder) == second
    assert bench.manager.status(second).view.state is State.RUNNING
    bench.manager.cleaner.cleanup(second, 1)
    assert [path.name for path in folder.iterdir()] == [".git"]
    assert sorted(path.name for path in folder.parent.iterdir()) == ["cache", "project"]
    assert bench.runtime.observe(()) == {}


def test_stop_and_start_keep_ports_and_tell_the_truth(bench: Bench) -> None:
    one = bench.create()
    ports = bench.manager.status(one).view.session.ports
    assert bench.manager.stop(one, 1).view.state is State.STOPPED
    assert bench.manager.stop(one, 1).view.state is State.STOPPED
    assert bench.manager.status(one).problems == ()
    report = bench.manager.start(one, 1)
    assert report.view.state is State.RUNNING
    assert report.view.session.ports == ports


def test_a_dead_server_is_reported_and_brought_back(bench: Bench) -> None:
    one = bench.create()
    bench.runtime.kill(one, "nats")
    report = bench.manager.status(one)
    assert report.view.state is State.DEGRADED
    assert [p.message for p in report.problems] == [
        "nats is not ready: it ended with exit status 137; its last lines: killed"
    ]
    assert str(bench.manager.plan_start(one)) == "start nats: ended with status 137"
    assert bench.manager.start(one, 1).view.state is State.RUNNING


def test_a_session_whose_servers_all_died_is_stopped_with_reasons(bench: Bench) -> None:
    one = bench.create()
    for service in ("neo4j", "nats", "azurite"):
        bench.runtime.kill(one, service)
    report = bench.manager.status(one)
    assert report.view.state is State.STOPPED
    assert len(report.problems) == 3


def test_a_server_that_does_not_start_leaves_a_session_that_can_be_mended(bench: Bench) -> None:
    bench.runtime.broken.add("azurite")
    one = bench.create()
    report = bench.manager.status(one)
    assert report.view.state is State.DEGRADED
    bench.runtime.broken.clear()
    assert bench.manager.start(one, 1).view.state is State.RUNNING


def test_a_taken_port_is_replaced_everywhere_and_the_others_stay(
    tmp_path: Path, folder: Path
) -> None:
    bench = Bench(
        tmp_path / "state",
        folder,
        runtime=MemoryRuntime(foreign=lambda port: port == 31002),
        ports=PortRange(31000, 31099),
    )
    one = bench.create()
    view = bench.manager.status(one).view
    assert view.state is State.RUNNING
    assert view.session.ports["nats.client"] == 31012
    assert view.session.ports["neo4j.bolt"] == 31000
    for path in (folder / ".env.session", view.env_file):
        assert "NATS_PORT=31012\n" in path.read_text()
        assert ":31012\n" in path.read_text()
    assert bench.ports.reserved()[one] == view.session.ports
    assert "nats: nats.client port was taken; now 31012" in bench.messages()


def test_a_port_is_replaced_three_times_at_most(tmp_path: Path, folder: Path) -> None:
    bench = Bench(
        tmp_path / "state",
        folder,
        runtime=MemoryRuntime(foreign=lambda port: port % 10 == 2),
        ports=PortRange(31000, 31099),
    )
    one = bench.create()
    report = bench.manager.status(one)
    assert report.view.state is State.DEGRADED
    assert report.view.session.ports["nats.client"] == 31032
    assert sum("was taken" in message for message in bench.messages()) == 3


def test_reuse_takes_this_folders_session(bench: Bench, folder: Path) -> None:
    one = bench.create(start=False)
    assert bench.create(start=True, reuse=True) == one
    assert bench.manager.status(one).view.state is State.RUNNING
    (folder / ".env.session").unlink()
    assert bench.create(reuse=True) == one
    assert named(folder) == one
    assert bench.create(reuse=True, name="other") != one


def test_reuse_in_another_folder_makes_a_new_session(tmp_path: Path, bench: Bench) -> None:
    one = bench.create()
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    assert Bench(tmp_path / "state", other).create(reuse=True) != one


def test_names_are_unique(bench: Bench) -> None:
    bench.create(name="demo", start=False)
    with pytest.raises(UsageError, match="exists already"):
        bench.create(name="demo", start=False)
    assert len(bench.manager.list_sessions()[0]) == 1


def test_a_wrong_request_writes_nothing(tmp_path: Path, bench: Bench, folder: Path) -> None:
    with pytest.raises(UsageError):
        bench.create(name="../x")
    with pytest.raises(RuntimeUnavailableError, match="docker runtime is not part"):
        bench.manager.create(CreateRequest(("nats",), "docker"), 1)
    assert not (tmp_path / "state").exists()
    assert named(folder) is None


def test_exhausted_ports_leave_no_half_session(tmp_path: Path, folder: Path) -> None:
    bench = Bench(tmp_path / "state", folder, ports=PortRange(31000, 31009))
    bench.create(start=False)
    with pytest.raises(PortsExhaustedError):
        bench.create(start=False)
    views, broken = bench.manager.list_sessions()
    assert (len(views), broken) == (1, [])
    assert named(folder) == views[0].session.id


class TestFinding:
    def test_by_id_prefix_and_name(self, bench: Bench) -> None:
        one = bench.create(name="demo", start=False)
        for reference in (one, one[:8], one[:13], one.upper(), "demo", None):
            assert bench.manager.finder.resolve(reference) == one

    def test_an_ambiguous_prefix_lists_the_candidates(self, bench: Bench) -> None:
        bench.create(start=False)
        bench.create(start=False)
        with pytest.raises(UsageError, match="could be 00000001-0000, 00000002-0000"):
            bench.manager.finder.resolve("0000")

    @pytest.mark.parametrize("reference", ["", "..", "/", "a\nb", "x" * 300, "*", "demo"])
    def test_what_is_no_session_is_not_found(self, bench: Bench, reference: str) -> None:
        bench.create(start=False)
        with pytest.raises(SessionNotFoundError) as caught:
            bench.manager.finder.resolve(reference)
        assert "\n" not in caught.value.message
        assert len(caught.value.message) < 100

    def test_no_current_session(self, bench: Bench, folder: Path) -> None:
        with pytest.raises(SessionNotFoundError, match="no current session"):
            bench.manager.finder.resolve(None)
        for other, said in ((session_id(7), "does not exist"), ("../../etc", "no current")):
            (folder / ".env.session").write_text(f"SIMBUILDER_SESSION_ID={other}\n")
            with pytest.raises(SessionNotFoundError, match=said):
                bench.manager.finder.resolve(None)

    def test_a_copied_env_file_cannot_destroy(
        self, tmp_path: Path, bench: Bench, folder: Path
    ) -> None:
        one = bench.create()
        copy = tmp_path / "copy"
        (copy / ".git").mkdir(parents=True)
        (copy / ".env.session").write_text((folder / ".env.session").read_text())
        other = Bench(tmp_path / "state", copy).manager.finder
        assert other.resolve(None) == one
        with pytest.raises(UsageError, match="is a copy"):
            other.resolve(None, destructive=True)
        assert other.resolve(one[:8], destructive=True) == one

    def test_a_moved_folder_keeps_its_session(
        self, tmp_path: Path, bench: Bench, folder: Path
    ) -> None:
        one = bench.create()
        moved = folder.rename(tmp_path / "moved")
        assert Bench(tmp_path / "state", moved).manager.finder.resolve(None, True) == one


class TestBrokenRecords:
    def test_a_broken_record_is_listed_and_can_be_removed(self, bench: Bench) -> None:
        one, two = bench.create(), bench.create()
        record = bench.store.folder(one) / "session.json"
        record.write_text("{")
        views, broken = bench.manager.list_sessions()
        assert [view.session.id for view in views] == [two]
        assert [b.id for b in broken] == [one]
        assert bench.manager.finder.resolve(one[:8]) == one
        bench.manager.cleaner.cleanup(one, 1)
        assert one not in bench.runtime.observe(())
        assert bench.manager.list_sessions()[1] == []

    def test_a_newer_record_is_never_removed(self, bench: Bench) -> None:
        one = bench.create()
        record = bench.store.folder(one) / "session.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"version": 2}))
        with pytest.raises(NewerStateError):
            bench.manager.cleaner.cleanup(one, 1)
        assert record.exists()
        assert one in bench.runtime.traces()

    def test_a_session_of_an_unknown_runtime_is_kept_and_the_others_go_on(
        self, bench: Bench
    ) -> None:
        one, two = bench.create(), bench.create()
        record = bench.store.folder(one) / "session.json"
        mend(record, runtime="docker")
        views = {view.session.id: view.state for view in bench.manager.list_sessions()[0]}
        assert views == {one: State.UNKNOWN, two: State.RUNNING}
        for refused in (bench.manager.cleaner.cleanup, bench.manager.start, bench.manager.stop):
            with pytest.raises(RuntimeUnavailableError, match="docker"):
                refused(one, 1)
        assert record.exists()

    def test_a_stray_is_found_and_removed(self, bench: Bench) -> None:
        one = bench.create()
        bench.store.forget(one)
        assert bench.manager.cleaner.targets() == [one]
        bench.manager.cleaner.cleanup(one, 1)
        assert bench.manager.cleaner.targets() == []


def test_a_cleanup_that_fails_keeps_record_and_ports_for_the_next_one(
    bench: Bench, folder: Path
) -> None:
    one = bench.create()
    bench.runtime.immortal.add(one)
    with pytest.raises(StillRunningError):
        bench.manager.cleaner.cleanup(one, 1)
    assert named(folder) == one
    assert one in bench.ports.reserved()
    assert bench.manager.status(one).view.state is State.REMOVING
    for refused in (bench.manager.start, bench.manager.stop):
        with pytest.raises(HalfRemovedError, match="removal was interrupted"):
            refused(one, 1)
    bench.runtime.immortal.clear()
    bench.manager.cleaner.cleanup(one, 1)
    assert not bench.store.root.exists()


def test_a_ledger_of_a_newer_version_stops_a_cleanup_before_it_begins(
    tmp_path: Path, bench: Bench
) -> None:
    one = bench.create()
    (tmp_path / "state" / "ports.json").write_text('{"version": 2}')
    with pytest.raises(NewerStateError, match="ledger"):
        bench.manager.cleaner.cleanup(one, 1)
    assert bench.manager.status(one).view.state is State.RUNNING


def test_what_is_being_removed_is_not_reused(bench: Bench) -> None:
    one = bench.create()
    bench.runtime.immortal.add(one)
    with pytest.raises(StillRunningError):
        bench.manager.cleaner.cleanup(one, 1)
    assert bench.create(reuse=True) != one


class TestReaping:
    """What cannot be finished must not keep anybody from working on something else."""

    def half_removed(self, bench: Bench) -> str:
        one = bench.create()
        bench.runtime.immortal.add(one)
        with pytest.raises(StillRunningError):
            bench.manager.cleaner.cleanup(one, 1)
        bench.runtime.stop(one, ("neo4j", "nats", "azurite"))
        return one

    @pytest.mark.parametrize(
        ("change", "why"),
        [({"version": 2}, "has version 2"), ({"runtime": "podman"}, "podman"), ({}, "do not end")],
    )
    def test_a_removal_that_cannot_be_finished(
        self, bench: Bench, change: dict[str, object], why: str
    ) -> None:
        one, other = self.half_removed(bench), bench.create()
        mend(bench.store.folder(one) / "session.json", **change)
        bench.events.clear()
        bench.manager.cleaner.reap()
        (said,) = [event for event in bench.events if event.kind == "warning"]
        assert one[:8] in said.message
        assert why in said.message
        assert bench.manager.status(other).view.state is State.RUNNING

    def test_a_removal_is_finished_and_said(self, bench: Bench) -> None:
        one = self.half_removed(bench)
        bench.runtime.immortal.clear()
        bench.manager.cleaner.reap()
        assert (
            bench.messages()[-1] == f"reaped: finished the interrupted removal of session {one[:8]}"
        )
        assert bench.store.ids() == []

    def test_a_home_folder_out_of_reach_does_not_keep_a_session(self, bench: Bench) -> None:
        one = bench.create()
        mend(bench.store.folder(one) / "session.json", folder="/" + "x" * 300)
        bench.manager.cleaner.cleanup(one, 1)
        assert bench.store.ids() == []
        assert "File name too long" in bench.messages()[-2]
