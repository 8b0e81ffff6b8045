"""What is written down of sessions: once each, whole, bounded, and never at a command's expense."""

import json
import os
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from simbuilder.scaffolding.files import append_line
from simbuilder.sessions.journal import LIMIT, Journal
from simbuilder.sessions.model import Health, Observed, State
from simbuilder.sessions.result import Happening
from simbuilder.sessions.view import SessionView
from tests.support import Bench, session

UP = Observed(State.RUNNING)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "cache" / "events.jsonl", tmp_path / "state", lambda: "now")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "events.jsonl"


def events(journal: Journal) -> list[tuple[str, str]]:
    return [(entry["event"], entry["cause"]) for entry in journal.history(session().id)]


def view(
    nats: Observed = UP, *, ready: bool | None = None, why: str = "", neo4j: Observed = UP
) -> SessionView:
    one = session(services=("neo4j", "nats"))
    health = None
    if ready is not None:
        health = {"neo4j": Health(True), "nats": Health(ready, problem=why)}
    return SessionView(one, Path("/env"), {"neo4j": neo4j, "nats": nats}, health)


def test_a_line_says_what_happened_to_whom_and_why_and_no_secret(
    journal: Journal, path: Path
) -> None:
    one = session(name="lab")
    journal.write(Happening.FORKED, one, "as 00000002", fork="00000002-etc")
    journal.write(Happening.REMOVED, one.id, "its record is lost")
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first | {"state_folder": ""} == {
        "time": "now",
        "event": "forked",
        "session": one.id,
        "name": "lab",
        "runtime": "memory",
        "cause": "as 00000002",
        "state_folder": "",
        "fork": "00000002-etc",
    }
    assert (second["session"], second["name"], second["runtime"]) == (one.id, None, "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(secret in path.read_text() for secret in one.secrets.values())


def test_each_sees_what_happened_in_its_own_state_folder(journal: Journal, path: Path) -> None:
    journal.write(Happening.CREATED, session(), "")
    other = Journal(path, Path("/elsewhere"), lambda: "now")
    assert other.history(session().id) == []
    assert len(journal.history(session().id)) == 1


def test_many_write_at_once_and_every_line_is_whole(journal: Journal) -> None:
    def write() -> None:
        for _ in range(50):
            journal.write(Happening.CREATED, session(), "x" * 3000)

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    # 400 lines of 3 kB are more than one file holds
    assert len(journal.history(session().id)) == 400


def test_it_takes_two_megabytes_at_most_and_forgets_the_oldest(
    journal: Journal, path: Path
) -> None:
    for number in range(60):
        journal.write(Happening.CREATED, session(), f"{number} {'x' * (LIMIT // 20)}")
    sizes = {each.name: each.stat().st_size for each in path.parent.iterdir()}
    assert set(sizes) == {"events.jsonl", "events.jsonl.1"}
    assert all(size < LIMIT * 1.1 for size in sizes.values())
    kept = [int(cause.split()[0]) for _, cause in events(journal)]
    assert kept == list(range(60 - len(kept), 60))
    assert len(kept) >= 20


def test_a_reader_goes_on_where_it_was_also_into_a_new_file(journal: Journal, path: Path) -> None:
    with closing(journal.reader()) as reader:
        assert reader.new() == []
        journal.write(Happening.CREATED, session(), "1")
        assert [entry["cause"] for entry in reader.new()] == ["1"]
        assert reader.new() == []
        journal.write(Happening.CREATED, session(), "2")
        path.rename(f"{path}.1")
        journal.write(Happening.CREATED, session(), "3")
        assert [entry["cause"] for entry in reader.new()] == ["2", "3"]
        line = path.read_bytes().splitlines(keepends=True)[0].replace(b'"3"', b'"4"')
        with path.open("ab") as file:
            file.write(line[:50])
            file.flush()
            assert reader.new() == []  # half a line is none
            file.write(line[50:])
        assert [entry["cause"] for entry in reader.new()] == ["4"]


def test_a_line_that_a_full_disk_cut_short_spoils_no_other(journal: Journal, path: Path) -> None:
    journal.write(Happening.CREATED, session(), "1")
    with path.open("a") as file:
        file.write('{"time": "now", "ev')
    journal.write(Happening.CREATED, session(), "2")
    with path.open("a") as file:
        file.write('[]\n"text"\n{"session": 1}\n')
    assert events(journal) == [("created", "1"), ("created", "2")]


def test_what_cannot_be_written_is_not_and_nothing_fails(
    journal: Journal, path: Path, tmp_path: Path
) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "somewhere")
    journal.write(Happening.CREATED, session(), "")
    assert not (tmp_path / "somewhere").exists()
    path.unlink()
    os.mkfifo(path)
    journal.write(Happening.CREATED, session(), "")
    assert journal.history(session().id) == []
    path.unlink()
    path.mkdir()
    journal.write(Happening.CREATED, session(), "")
    with pytest.raises(OSError, match="directory"):
        append_line(path, "", LIMIT)


def test_a_change_is_written_down_once_by_whoever_looks(journal: Journal) -> None:
    dead = Observed(State.STOPPED, 137)
    journal.notice(view(dead))
    assert events(journal) == []  # nobody knows that it ever was ready
    journal.started(view(ready=True), ("neo4j", "nats"))
    for _ in range(2):
        journal.notice(view())
        journal.notice(view(dead))
        journal.notice(view(dead, ready=False))
        journal.notice(view())  # that a process runs is no proof that it serves
    journal.notice(view(ready=True))
    journal.notice(view(ready=False, why="nothing answers"))
    journal.started(view(ready=True), ("nats",))
    assert events(journal) == [
        ("ready", "started neo4j, nats"),
        ("degraded", "nats: it ended with exit status 137"),
        ("healed", "all its servers serve again"),
        ("degraded", "nats: nothing answers"),
        ("healed", "started nats"),
    ]


def test_a_start_that_fails_and_a_session_that_is_found_stopped(journal: Journal) -> None:
    journal.started(view(ready=False, why="its port is taken"), ("neo4j", "nats"))
    journal.notice(view(Observed(State.STOPPED), neo4j=Observed(State.STOPPED)))
    journal.notice(view(Observed(State.STOPPED), neo4j=Observed(State.STOPPED)))
    journal.notice(replace(view(), observed={"nats": Observed(State.UNKNOWN, problem="silent")}))
    assert events(journal) == [
        ("degraded", "nats: its port is taken"),
        ("stopped", "nothing of it runs any more"),
    ]


def test_commands_write_down_what_they_do(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    bench = Bench(tmp_path / "state", tmp_path / "project")
    one = bench.create()
    bench.runtime.kill(one, "nats")
    bench.manager.status(one)
    with bench.store.lock(one, 0, bench.events.append):
        bench.runtime.stop(one, ["nats"])
    bench.manager.start(one, 1)
    bench.manager.stop(one, 1)
    bench.manager.cleaner.cleanup(one, 1)
    bench.manager.cleaner.cleanup(one, 1)
    assert [entry["event"] for entry in bench.journal.history(one)] == [
        "created",
        "ready",
        "degraded",
        "healed",
        "stopped",
        "removed",
    ]


def test_nobody_is_believed_while_another_command_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    bench = Bench(tmp_path / "state", tmp_path / "project")
    one = bench.create()
    bench.runtime.kill(one, "nats")
    with bench.store.lock(one, 0, bench.events.append):
        bench.manager.status(one)
    assert [entry["event"] for entry in bench.journal.history(one)] == ["created", "ready"]
