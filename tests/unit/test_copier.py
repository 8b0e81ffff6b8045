"""Forks, snapshots and archives on the memory runtime: what they promise, also when they fail."""

import itertools
from contextlib import closing
from pathlib import Path

import pytest

from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding.exceptions import (
    ArchiveError,
    HalfRemovedError,
    SessionNotFoundError,
    StateError,
    UsageError,
)
from simbuilder.sessions.model import State
from simbuilder.sessions.runtime import Data
from tests.support import Bench, session_id


@pytest.fixture
def bench(tmp_path: Path, project: Path) -> Bench:
    return Bench(tmp_path / "state", project)


def wrote(bench: Bench, text: str, one: str) -> None:
    bench.runtime.copies.write(one, "neo4j", text)


def reads(bench: Bench, one: str) -> str:
    return bench.runtime.copies.read(one, "neo4j")


def fork(bench: Bench, one: str, name: str | None = None) -> str:
    return bench.copier.fork(one, 5, name).report.view.session.id


def test_a_fork_has_what_its_source_has_and_goes_its_own_way(bench: Bench, project: Path) -> None:
    source = bench.create(name="lab")
    wrote(bench, "early", source)
    current = (project / ".env.session").read_bytes()
    forked = bench.copier.fork(source, 5, "other")
    one, two = bench.store.load(source), forked.report.view.session
    assert forked.report.view.state is State.RUNNING
    assert (two.name, two.reason) == ("other", "fork of lab")
    assert (forked.source.id, forked.copied.bytes) == (source, len("early"))
    assert one.id != two.id
    assert not set(one.ports.values()) & set(two.ports.values())
    wrote(bench, "late", source)
    assert reads(bench, two.id) == "early"
    wrote(bench, "own", two.id)
    assert reads(bench, source) == "late"
    assert (project / ".env.session").read_bytes() == current, "the current session stays"
    with closing(bench.journal.reader()) as reader:
        assert "forked" in [entry["event"] for entry in reader.new(source)]


def test_a_fork_has_an_end_of_its_own(bench: Bench) -> None:
    source = bench.create()
    fleeting = bench.copier.fork(source, 5, ttl_s=60).report.view.session
    assert (fleeting.ttl_s, bool(fleeting.expires_at)) == (60, True)
    assert bench.copier.fork(fleeting.id, 5).report.view.session.expires_at == ""


def test_a_session_that_does_not_run_can_be_forked(bench: Bench) -> None:
    source = bench.create()
    wrote(bench, "kept", source)
    bench.manager.stop(source, 5)
    forked = bench.copier.fork(source, 5)
    assert forked.copied.pause_s == 0
    assert reads(bench, forked.report.view.session.id) == "kept"
    assert bench.manager.status(source).view.state is State.STOPPED


def test_a_fork_that_fails_anywhere_leaves_nothing_and_the_source_as_it_was(
    tmp_path: Path, project: Path
) -> None:
    failed = 0
    for at in itertools.count(1):
        calls = itertools.count(-1000)

        def step(calls: "itertools.count[int]" = calls, at: int = at) -> None:
            if next(calls) == at:
                raise OSError(28, "no space left on device")

        bench = Bench(tmp_path / f"state{at}", project, runtime=MemoryRuntime(step=step))
        source = bench.create()
        wrote(bench, "kept", source)
        before = bench.store.load(source)
        while next(calls) < 0:
            pass
        try:
            fork(bench, source)
        except OSError:
            failed += 1
            assert bench.store.load(source) == before
            assert reads(bench, source) == "kept"
            assert bench.manager.status(source).view.state is State.RUNNING
            left = {view.session.id for view in bench.manager.list_sessions()[0]} - {source}
            # where the servers had the copy already, the new session is there for a next start
            assert not left or reads(bench, left.pop()) == "kept"
        else:
            break
    assert failed >= 5


def test_what_cannot_be_forked(bench: Bench) -> None:
    source = bench.create(name="lab")
    with pytest.raises(UsageError, match="exists already"):
        fork(bench, source, "lab")
    with pytest.raises(UsageError, match="cannot be a name"):
        fork(bench, source, "no name")
    with pytest.raises(SessionNotFoundError):
        fork(bench, session_id(99))
    bench.store.begin_removal(source)
    with pytest.raises(HalfRemovedError):
        fork(bench, source)
    assert [view.session.id for view in bench.manager.list_sessions()[0]] == [source]


def test_snapshots_are_kept_listed_gone_back_to_and_deleted(bench: Bench) -> None:
    one = bench.create()
    wrote(bench, "first", one)
    bench.copier.save(one, "a", 5)
    wrote(bench, "second", one)
    bench.copier.save(one, "b", 5)
    wrote(bench, "third", one)
    assert [s.name for s in bench.copier.snapshots.all(one)] == ["a", "b"]
    for name, text in (("a", "first"), ("b", "second"), ("a", "first")):
        report, _ = bench.copier.restore(one, name, 5)
        assert (report.view.state, reads(bench, one)) == (State.RUNNING, text)
    bench.manager.stop(one, 5)
    report, _ = bench.copier.restore(one, "b", 5)
    assert (report.view.state, reads(bench, one)) == (State.STOPPED, "second")
    bench.copier.delete(one, "a", 5)
    assert [s.name for s in bench.copier.snapshots.all(one)] == ["b"]
    with pytest.raises(SessionNotFoundError, match="has no snapshot 'a'"):
        bench.copier.restore(one, "a", 5)
    with pytest.raises(SessionNotFoundError, match="has no snapshot 'a'"):
        bench.copier.delete(one, "a", 5)


def test_a_snapshot_that_cannot_be_written_down_keeps_no_data(bench: Bench) -> None:
    one = bench.create()
    wrote(bench, "kept", one)
    in_the_way = bench.store.folder(one) / "snapshots"
    in_the_way.touch(0o600)
    with pytest.raises((OSError, StateError)):
        bench.copier.save(one, "a", 5)
    assert bench.runtime.copies.read(one, "neo4j", "a") == ""
    assert reads(bench, one) == "kept"
    in_the_way.unlink()
    bench.copier.save(one, "a", 5)
    assert bench.runtime.copies.read(one, "neo4j", "a") == "kept"


def test_the_half_made_copy_of_a_killed_command_goes_with_the_next_copy(bench: Bench) -> None:
    one = bench.store.load(bench.create())
    wrote(bench, "kept", one.id)
    bench.store.begin_copying(one.id, None)
    bench.runtime.copies.copy(Data(one), Data(one, "half"), one.services, lambda _event: None)
    assert bench.runtime.copies.read(one.id, "neo4j", "half") == "kept"
    bench.copier.save(one.id, "a", 5)
    assert bench.runtime.copies.read(one.id, "neo4j", "half") == ""
    assert not bench.store.copying(one.id)


def test_damaged_data_is_no_snapshot_any_more(bench: Bench) -> None:
    one = bench.create()
    wrote(bench, "kept", one)
    bench.copier.save(one, "a", 5)
    bench.runtime.copies.drop(Data(bench.store.load(one), "a"))
    with pytest.raises(StateError, match="snapshot a is damaged"):
        bench.copier.restore(one, "a", 5)
    assert (reads(bench, one), bench.manager.status(one).view.state) == ("kept", State.RUNNING)


def test_snapshots_with_bad_names_or_papers(bench: Bench) -> None:
    one = bench.create()
    bench.copier.save(one, "a", 5)
    with pytest.raises(UsageError, match="already"):
        bench.copier.save(one, "a", 5)
    for name in ("../a", "", "a" * 41, "a/b", "nats"):
        with pytest.raises(UsageError, match="cannot be a name"):
            bench.copier.save(one, name, 5)
    paper = bench.store.folder(one) / "snapshots" / "a.json"
    for text in ("", "[]", "{}", '{"version": 2}', "\0"):
        paper.write_text(text)
        with pytest.raises(StateError, match="snapshot"):
            bench.copier.restore(one, "a", 5)


def test_an_archive_makes_the_same_session_elsewhere(bench: Bench, tmp_path: Path) -> None:
    one = bench.create(name="lab")
    wrote(bench, "kept", one)
    file = tmp_path / "lab.simbuilder"
    manifest, size, _ = bench.exporter.export(one, file, 5)
    assert (manifest.name, size) == ("lab", file.stat().st_size)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="exists already"):
        bench.exporter.export(one, file, 5)
    report, copied, remarks = bench.exporter.import_(file, None, "copy", 5)
    made = report.view.session
    assert (made.name, made.reason) == ("copy", "import of lab.simbuilder")
    assert reads(bench, made.id) == "kept"
    assert (copied.bytes, remarks) == (len("kept"), ())
    folders = [bench.store.folder(i) / "packing" for i in (one, made.id)]
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize("name", ["a\u00a0b", "\u202fx", "\udcff", "tab\there", "it's"])
def test_names_of_files_can_be_anything(bench: Bench, tmp_path: Path, name: str) -> None:
    one = bench.create()
    file = tmp_path / name
    bench.exporter.export(one, file, 5)
    made = bench.exporter.import_(file, None, None, 5)[0].view.session
    assert bench.store.load(made.id) == made, "and the record can be read"
    assert made.reason.startswith("import of ")


def test_where_no_file_can_be_nothing_is_copied(bench: Bench, tmp_path: Path) -> None:
    one = bench.create()
    said = len(bench.events)
    with pytest.raises(UsageError, match="is no folder"):
        bench.exporter.export(one, tmp_path / "nowhere" / "file", 5)
    assert "data" not in [event.subject for event in bench.events[said:]]


def test_a_killed_export_leaves_no_file_once_its_session_goes(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for instant in (True, False):
        for reaped in (True, False):
            one = bench.create()
            bench.store.begin_copying(one, outside)
            (outside / ".lab.1-2.simbuilder-tmp").touch()
            bench.runtime.instant = instant
            if reaped:
                bench.manager.reap()
            else:
                bench.manager.cleaner.cleanup(one, 5)
            assert list(outside.iterdir()) == []
            assert bench.store.ids() == [] or bench.store.copying(one) is not instant
            bench.manager.cleaner.cleanup(one, 5)


def test_an_archive_that_cannot_be_opened_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    one = bench.create()
    file = tmp_path / "lab.simbuilder"
    bench.exporter.export(one, file, 5)
    whole = file.read_bytes()
    for at in range(0, len(whole) - 40, len(whole) // 25):
        file.write_bytes(whole[:at])
        with pytest.raises(ArchiveError):
            bench.exporter.import_(file, None, None, 5)
    file.write_bytes(whole)
    with pytest.raises(ArchiveError, match="cannot be opened on local"):
        bench.exporter.import_(file, "local", None, 5)
    with pytest.raises(FileNotFoundError):
        bench.exporter.import_(tmp_path / "nowhere", None, None, 5)
    assert [view.session.id for view in bench.manager.list_sessions()[0]] == [one]
