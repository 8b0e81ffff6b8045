import json
from pathlib import Path

import pytest

from simbuilder.scaffolding.exceptions import NewerStateError, StateError
from simbuilder.sessions import current
from simbuilder.sessions.model import to_record
from simbuilder.sessions.store import SessionStore
from tests.support import session, session_id


def test_saved_sessions_come_back_oldest_first_and_private(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "state")
    for number in (2, 1):
        store.save(session(number))
    sessions, broken = store.load_all()
    assert ([s.short for s in sessions], broken) == (["00000001", "00000002"], [])
    for path in store.folder(session_id(1)).iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert store.folder(session_id(1)).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', "\udcff"])
def test_a_broken_record_is_named_and_the_others_go_on(tmp_path: Path, text: str) -> None:
    store = SessionStore(tmp_path)
    store.save(session(1))
    store.save(session(2))
    record = store.folder(session_id(1)) / "session.json"
    record.write_bytes(text.encode("utf-8", "surrogateescape"))
    sessions, broken = store.load_all()
    assert [s.id for s in sessions] == [session_id(2)]
    assert [b.id for b in broken] == [session_id(1)]
    assert str(record) in broken[0].reason
    assert record.exists()
    assert store.ports()[session_id(1)] is None


def test_a_record_that_is_a_folder_or_another_sessions_is_broken(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    store.save(session(1))
    record = store.folder(session_id(1)) / "session.json"
    record.write_text(json.dumps(to_record(session(2))))
    with pytest.raises(StateError, match="another session"):
        store.load(session_id(1))
    record.unlink()
    with pytest.raises(StateError, match="is missing"):
        store.load(session_id(1))
    record.mkdir()
    with pytest.raises(StateError, match="is not a plain file"):
        store.load(session_id(1))


def test_a_newer_record_is_told_apart(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    store.save(session(1))
    record = store.folder(session_id(1)) / "session.json"
    record.write_text(json.dumps(to_record(session(1)) | {"version": 99}))
    with pytest.raises(NewerStateError, match="version 99"):
        store.load(session_id(1))


def test_an_id_cannot_lead_elsewhere(tmp_path: Path) -> None:
    for bad in ("..", "", "x", "../../etc", session_id(1).upper() + "/"):
        with pytest.raises(ValueError, match="not a session id"):
            SessionStore(tmp_path).folder(bad)


def test_forgetting_the_last_session_leaves_nothing(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "state")
    store.save(session(1))
    store.forget(session_id(1))
    store.forget(session_id(1))
    assert list(tmp_path.iterdir()) == []


def test_the_current_session_is_found_from_below_but_not_across_a_checkout(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    below = outer / "a" / "b"
    inner = outer / "inner"
    below.mkdir(parents=True)
    (outer / ".git").mkdir()
    (inner / ".git").mkdir(parents=True)
    current.write(outer, session(1))
    found = current.find(below)
    assert found is not None
    assert (found.session_id, found.path) == (session_id(1), outer / ".env.session")
    assert current.find(inner) is None


def test_outside_a_checkout_only_the_folder_itself_counts(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    current.write(tmp_path, session(1))
    assert current.find(tmp_path) is not None
    assert current.find(below) is None


def test_an_env_file_that_is_not_ours_is_kept(tmp_path: Path) -> None:
    path = tmp_path / ".env.session"
    path.write_text("MINE=1\n")
    assert current.write(tmp_path, session(1)) == tmp_path / ".env.session.bak1"
    assert (tmp_path / ".env.session.bak1").read_text() == "MINE=1\n"
    assert current.write(tmp_path, session(2)) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_env_file_is_deleted_only_by_its_own_session(tmp_path: Path) -> None:
    current.write(tmp_path, session(1))
    assert not current.delete(tmp_path, session_id(2))
    assert current.delete(tmp_path, session_id(1))
    assert not current.delete(tmp_path, session_id(1))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    current.write(elsewhere, session(1))
    (tmp_path / ".env.session").symlink_to(elsewhere / ".env.session")
    assert not current.delete(tmp_path, session_id(1))
