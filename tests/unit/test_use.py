"""What commands that use a session are made of: variables as text, words, tables, statements."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from simbuilder.cli.shell import statements
from simbuilder.cli.tabular import measure, table
from simbuilder.cli.words import chosen, told_apart
from simbuilder.scaffolding import dotenv
from simbuilder.scaffolding.exceptions import (
    HalfRemovedError,
    SessionNotFoundError,
    UsageError,
)
from simbuilder.sessions import current, envfile, formats
from simbuilder.sessions.model import from_record, to_record
from tests.support import Bench, session
from tests.unit.test_dotenv import NASTY

# --- formats -------------------------------------------------------------------------------

HARD = {f"KEY_{number}": text for number, text in enumerate((*NASTY, "it's", "o\u2019brien"))}


def test_shells_get_one_word_for_each_variable() -> None:
    words = shlex.split(formats.shell(HARD))
    assert words[::2] == ["export"] * len(HARD)
    assert dict(word.split("=", 1) for word in words[1::2]) == HARD


def test_powershell_gets_every_quote_it_knows_twice() -> None:
    said = formats.powershell({"A": "it's", "B": "o\u2019brien $x `y`", "C": ""})
    assert said == "$env:A = 'it''s'\n$env:B = 'o\u2019\u2019brien $x `y`'\n$env:C = ''\n"


def test_github_finds_the_end_of_a_value_whatever_is_in_it() -> None:
    values = {**HARD, "LINES": "one\nSIMBUILDER_END\ntwo", "MORE": "SIMBUILDER_END_"}
    lines = iter(formats.github(values).splitlines())
    found = {}
    for head in lines:
        key, end = head.split("<<")
        value = []
        while (line := next(lines)) != end:
            value.append(line)
        found[key] = "\n".join(value)
    assert found == values


def test_the_other_formats_are_read_back_as_they_were() -> None:
    assert json.loads(formats.FORMATS["json"](HARD)) == HARD
    assert dotenv.parse(formats.FORMATS["dotenv"](HARD)) == (HARD, [])


def test_variables_can_be_picked_by_name() -> None:
    values = {"NATS_URL": "1", "NATS_USER": "2", "NEO4J_URI": "3"}
    assert formats.only(values, ()) == values
    picked = formats.only(values, ("NEO4J_URI,NATS_URL", "NATS_USER"))
    assert list(picked.items()) == [("NEO4J_URI", "3"), ("NATS_URL", "1"), ("NATS_USER", "2")]
    with pytest.raises(UsageError) as error:
        formats.only(values, ("nats_uri",))
    assert "NATS_URL" in error.value.hint
    with pytest.raises(UsageError) as error:
        formats.only(values, ("XYZ",))
    assert "NEO4J_URI" in error.value.hint


# --- the environment of a program ----------------------------------------------------------


def test_the_sessions_variables_beat_those_the_caller_has() -> None:
    one = session()
    found = envfile.injected(one, {"NEO4J_URI": "bolt://elsewhere", "PATH": "/bin"})
    assert found == {**envfile.variables(one), "PATH": "/bin", envfile.WITHIN_KEY: one.id}


def test_what_is_left_of_another_session_does_not_reach_the_program() -> None:
    other = replace(session(2), published="10.0.0.1", host="10.0.0.1")
    loaded = {**envfile.variables(other), "NEO4J_HOME": "/opt/neo4j", "HOME": "/home/me"}
    only_nats = session(services=("nats",))
    found = envfile.injected(only_nats, loaded)
    assert found == {
        **envfile.variables(only_nats),
        "NEO4J_HOME": "/opt/neo4j",
        "HOME": "/home/me",
        envfile.WITHIN_KEY: only_nats.id,
    }


def test_a_database_of_the_callers_own_stays_where_the_session_has_none() -> None:
    found = envfile.injected(session(services=("nats",)), {"NEO4J_URI": "bolt://mine"})
    assert found["NEO4J_URI"] == "bolt://mine"


# --- words, tables, statements -------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ((), (None, ())),
        (("nats",), (None, ("nats",))),
        (("demo",), ("demo", ())),
        (("demo", "nats", "neo4j"), ("demo", ("nats", "neo4j"))),
        (("nats", "demo"), ("demo", ("nats",))),
    ],
)
def test_the_word_that_is_no_service_is_a_session(
    words: tuple[str, ...], meant: tuple[str | None, tuple[str, ...]]
) -> None:
    assert told_apart(words) == meant


def test_services_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match="unknown service 'mail'"):
        told_apart(("demo", "mail"))
    some = session(services=("neo4j", "nats"))
    assert chosen(some, ()) == ("neo4j", "nats")
    assert chosen(some, ("nats",)) == ("nats",)
    with pytest.raises(UsageError, match="has no azurite"):
        chosen(some, ("azurite",))


def test_a_table_fits_the_width_it_is_given() -> None:
    rows = [("1", "x" * 50, "\u30d7\u30ed" * 10), ("22", "short", "\u30d7\u30ed\u0301")]
    whole = list(table(("a", "b", "c"), rows))
    assert whole[1] == f"1   {'x' * 50}  {rows[0][2]}"
    for width in (40, 30):
        cut = list(table(("a", "b", "c"), rows, width))
        assert max(map(measure, cut)) <= width
        assert "x..." in cut[1]
        assert cut[2].startswith("22  short  ")
    starts = [
        measure(line[: line.index(mark)]) for line, mark in zip(cut, "c\u30d7\u30d7", strict=True)
    ]
    assert len(set(starts)) == 1
    assert list(table((), [])) == [""]


WHOLE = [
    "MATCH (n)\nRETURN ';' AS x\n, n;",
    "RETURN 1;",
    'RETURN "a\\";";',
    "RETURN 'it;\nends\\\\';",
    "MATCH (`a;\nb`) // not; here\n RETURN 1;",
    "/* nor; \n here; */ RETURN 2",
]


def test_a_semicolon_ends_a_statement_unless_it_is_in_a_text_a_name_or_a_comment() -> None:
    for between in ("\n", " ", "\n\n"):
        text = between.join(WHOLE)
        assert [one.strip() for one in statements(text.splitlines(keepends=True))] == WHOLE
    assert list(statements(["\n", "  \n"])) == []
    assert list(statements(["RETURN 'open;\n", "RETURN 1;\n"])) == ["RETURN 'open;\nRETURN 1;\n"]


# --- the current session -------------------------------------------------------------------


def checkout(root: Path, name: str) -> Path:
    folder = root / name
    (folder / ".git").mkdir(parents=True)
    return folder


def seen_from(first: Bench, folder: Path) -> Bench:
    """The same user, in another folder."""
    return Bench(first.store.root, folder, runtime=first.runtime)


def test_a_session_can_be_used_in_another_checkout_and_goes_from_there_too(tmp_path: Path) -> None:
    home, other = checkout(tmp_path, "home"), checkout(tmp_path, "other")
    (other / "deep" / "down").mkdir(parents=True)
    bench = Bench(tmp_path / "state", home)
    one = bench.create()
    there = seen_from(bench, other / "deep" / "down")
    with pytest.raises(SessionNotFoundError):
        there.manager.finder.resolve(None)

    assert there.manager.use(one, 5) == other / current.FILE
    record = there.store.load(one)
    assert there.manager.use(one, 5) == other / current.FILE
    assert there.store.load(one) == record
    assert from_record(to_record(record)) == record
    assert record.folder == str(home)
    assert (other / current.FILE).stat().st_mode & 0o777 == 0o600
    assert (other / current.FILE).read_text() == (home / current.FILE).read_text()
    # neither is a copy
    for where in (bench, there):
        assert where.manager.finder.resolve(None, destructive=True) == one

    planned = there.manager.cleaner.plan(one)
    paths = {str(home / current.FILE), str(other / current.FILE)}
    assert paths <= {step.target for step in planned.steps}
    there.manager.cleaner.cleanup(one, 5)
    assert not (home / current.FILE).exists()
    assert not (other / current.FILE).exists()


def test_a_copy_is_still_a_copy(tmp_path: Path) -> None:
    home, other = checkout(tmp_path, "home"), checkout(tmp_path, "other")
    bench = Bench(tmp_path / "state", home)
    bench.create()
    (other / current.FILE).write_text((home / current.FILE).read_text())
    with pytest.raises(UsageError, match="is a copy"):
        seen_from(bench, other).manager.finder.resolve(None, destructive=True)


def test_another_session_used_here_does_not_touch_the_one_before(tmp_path: Path) -> None:
    home, other = checkout(tmp_path, "home"), checkout(tmp_path, "other")
    bench = Bench(tmp_path / "state", home)
    one = bench.create(name="one")
    there = seen_from(bench, other)
    two = there.create(name="two")
    there.manager.use(one, 5)
    assert there.manager.finder.resolve(None) == one
    assert "two" not in (other / current.FILE).read_text()
    there.manager.cleaner.cleanup(two, 5)
    assert current.read(other / current.FILE) == one


def test_ports_that_change_change_in_every_env_file(tmp_path: Path) -> None:
    home, other = checkout(tmp_path, "home"), checkout(tmp_path, "other")
    taken: set[int] = set()
    bench = Bench(tmp_path / "state", home)
    one = bench.create(start=False)
    there = seen_from(bench, other)
    there.manager.use(one, 5)
    there.runtime._foreign = taken.__contains__
    taken.add(there.store.load(one).port("nats.client"))
    there.manager.start(one, 5)
    port = str(there.store.load(one).port("nats.client"))
    for folder in (home, other):
        assert dotenv.parse((folder / current.FILE).read_text())[0]["NATS_PORT"] == port


def test_a_lost_env_file_comes_back_at_home_and_only_there(tmp_path: Path) -> None:
    home, other = checkout(tmp_path, "home"), checkout(tmp_path, "other")
    bench = Bench(tmp_path / "state", home)
    one = bench.create()
    there = seen_from(bench, other)
    there.manager.use(one, 5)
    for folder in (home, other):
        (folder / current.FILE).unlink()
    there.manager.start(one, 5)
    assert current.read(home / current.FILE) == one
    assert not (other / current.FILE).exists()


def test_half_a_session_cannot_be_used(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state", checkout(tmp_path, "home"))
    one = bench.create()
    bench.store.begin_removal(one)
    there = seen_from(bench, checkout(tmp_path, "other"))
    with pytest.raises(HalfRemovedError):
        there.manager.use(one, 5)
    assert not (tmp_path / "other" / current.FILE).exists()


def test_a_file_of_somebody_elses_making_is_kept_aside(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state", checkout(tmp_path, "home"))
    one = bench.create()
    other = checkout(tmp_path, "other")
    (other / current.FILE).write_text("MINE=1\n")
    seen_from(bench, other).manager.use(one, 5)
    assert (other / f"{current.FILE}.bak1").read_text() == "MINE=1\n"
    assert current.read(other / current.FILE) == one
