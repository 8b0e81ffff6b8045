"""Logs that are read while they are written, and put in the order of their times."""

import os
from pathlib import Path

import pytest

from simbuilder.runtimes import logs
from simbuilder.runtimes.docker.container_logs import _Log
from simbuilder.runtimes.docker.labels import Container
from simbuilder.runtimes.local.arcadedb import ArcadeServer
from simbuilder.runtimes.local.azurite import AzuriteServer
from simbuilder.runtimes.local.logfile import LogFile, lines
from simbuilder.runtimes.local.nats import NatsServer
from simbuilder.runtimes.local.neo4j import Neo4jServer
from simbuilder.runtimes.local.server import Graph, LocalServer
from simbuilder.sessions.runtime import Excerpt, LogLine

AT = 1795581124.237
SERVERS: dict[str, LocalServer] = {
    "arcadedb": ArcadeServer(Path("/nowhere")),
    "neo4j": Neo4jServer(Graph("/nowhere")),
    "nats": NatsServer(),
    "azurite": AzuriteServer(Path("/nowhere")),
}


@pytest.mark.parametrize(
    ("server", "line", "at"),
    [
        ("arcadedb", "2026-11-25 04:32:04.237 INFO  [ArcadeDBServer] it starts", AT),
        ("arcadedb", "\tat com.arcadedb.Server 2026-11-25 04:32:04.237 ", None),
        ("arcadedb", "2026-99-25 04:32:04.237 INFO  [ArcadeDBServer] it starts", None),
        ("neo4j", "2026-11-25 04:32:04.237+0000 INFO  Started.", AT),
        ("nats", "[23930] 2026/11/25 04:32:04.237000 [INF] Starting nats-server", AT),
        ("nats", "nats-server: no such file 2026/11/25 04:32:04.237000 ", None),
        ("azurite", "Azurite Blob service is starting at 2026-11-25 04:32:04.237", None),
    ],
)
def test_each_server_has_its_way_to_write_a_time(server: str, line: str, at: float | None) -> None:
    assert SERVERS[server].logged_at(line) == (pytest.approx(at) if at else None)


def second(line: str) -> float | None:
    """A server whose lines begin with a digit for the time, if they begin with one."""
    return float(line[0]) if line[:1].isdigit() else None


def log(tmp_path: Path, name: str = "log") -> LogFile:
    return LogFile(tmp_path / name, name, second)


def read(file: LogFile, whole: bool = True) -> list[tuple[float, str]]:
    return [(line.at, line.text) for line in file.lines(whole)]


def test_lines_without_a_time_have_that_of_the_line_before(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("\nbanner\n2 one\n  more of it\n5 two\n3 clock set back\n")
    found = read(log(tmp_path))
    assert [at for at, _ in found] == [2, 2, 2, 2, 5, 5]
    assert [text for _, text in found][1] == "banner"


def test_where_no_line_has_a_time_it_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\n")
    os.utime(tmp_path / "log", (7, 7))
    file = log(tmp_path)
    assert read(file) == [(7, "one"), (7, "two")]
    with (tmp_path / "log").open("a") as more:
        more.write("three\n")
    os.utime(tmp_path / "log", (9, 9))
    assert read(file) == [(9, "three")]


def test_a_file_is_read_on_where_it_was_left(tmp_path: Path) -> None:
    path, file = tmp_path / "log", log(tmp_path)
    assert read(file) == []  # not there yet
    path.write_bytes(b"1 one\n2 tw")
    assert read(file) == [(1, "1 one")]
    with path.open("ab") as more:
        more.write("o\n3 dr\u00ef".encode()[:-1])
    assert read(file) == [(2, "2 two")]
    with path.open("ab") as more:
        more.write("\u00ef".encode()[1:])
    assert read(file, whole=False) == [(3, "3 dr\u00ef")]
    assert read(file, whole=False) == []


def test_a_file_that_was_emptied_or_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    path, file = tmp_path / "log", log(tmp_path)
    path.write_text("1 one\n2 two\n")
    assert len(read(file)) == 2
    path.write_text("3 new\n")
    assert read(file) == [(3, "3 new")]
    (tmp_path / "next").write_text("4 one that is longer than what was there\n")
    (tmp_path / "next").rename(path)
    assert read(file) == [(4, "4 one that is longer than what was there")]
    path.unlink()
    assert read(file) == []


def test_logs_of_several_servers_are_one_by_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n4\n5\n5 again\n")
    (tmp_path / "b").write_text("2\nx\n5\n")

    def both(wanted: Excerpt) -> list[str]:
        files = [log(tmp_path, "a"), log(tmp_path, "b")]
        return [f"{line.service}{line.text}" for line in lines(files, wanted)]

    assert both(Excerpt()) == ["a1", "b2", "bx", "a4", "a5", "a5 again", "b5"]
    assert both(Excerpt(since=4)) == ["a4", "a5", "a5 again", "b5"]
    assert both(Excerpt(tail=1)) == ["a5 again", "b5"]
    assert both(Excerpt(since=2, tail=2)) == ["bx", "a5", "a5 again", "b5"]
    assert both(Excerpt(tail=0)) == []


def test_what_comes_later_is_by_time_too(tmp_path: Path) -> None:
    asked = []

    def going_on() -> bool:
        asked.append(1)
        if len(asked) == 2:  # what there was has been read
            (tmp_path / "a").write_text("1\n5\n")
            (tmp_path / "b").write_text("2\n")
        return len(asked) < 3

    (tmp_path / "a").write_text("1\n")
    files = [log(tmp_path, "a"), log(tmp_path, "b")]
    found = [f"{line.service}{line.text}" for line in lines(files, Excerpt(4, 0, going_on))]
    assert found == ["b2", "a5"]


def test_merging_asks_no_more_of_a_log_than_it_gives() -> None:
    def endless() -> object:
        number = 0.0
        while True:
            yield LogLine("a", number := number + 1, "")

    merged = logs.by_time([endless()])  # type: ignore[list-item]
    assert [next(merged).at for _ in range(3)] == [1, 2, 3]


def test_a_container_is_asked_for_what_is_not_known_yet() -> None:
    log = _Log(Container("", "nats", "abc", True, False, None), "2026-01-01T00:00:00+00:00", 5)
    assert log.arguments() == [
        *("logs", "--timestamps", "--tail", "5"),
        *("--since", "2026-01-01T00:00:00+00:00", "abc"),
    ]
    assert log.line("Error response from daemon: no") is None
    found = log.line("2026-11-25T04:32:04.237129389Z [1] it starts\r")
    assert found is not None
    assert found.at == pytest.approx(AT, abs=0.001)
    assert found.text == "[1] it starts"
    assert log.arguments("--follow") == [
        *("logs", "--timestamps", "--tail", "all"),
        *("--since", "2026-11-25T04:32:04.237129389Z", "--follow", "abc"),
    ]
    assert log.line("2026-11-25T04:32:04.237129389Z [1] it starts") is None
    assert log.line("2026-11-25T04:32:04.237129390Z [1] more") is not None
    assert log.line("2026-11-25T04:32:04.237129390Z [1] of the same moment") is not None
