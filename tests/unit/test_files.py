import fcntl
import os
import threading
from pathlib import Path

import pytest

from simbuilder.scaffolding.exceptions import BusyError
from simbuilder.scaffolding.files import (
    folder_lock,
    make_private_folder,
    mount_of,
    read_private,
    remove_if_empty,
    remove_tree,
    sweep,
    vanished,
    write_atomic,
)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    folder = make_private_folder(tmp_path / "a" / "b")
    write_atomic(folder / "f", "text")
    assert (mode(folder), mode(folder.parent), mode(folder / "f")) == (0o700, 0o700, 0o600)


def test_a_failed_write_leaves_the_old_text_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symlink_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "link").symlink_to(target)
    write_atomic(tmp_path / "link", "new")
    assert target.read_text() == "precious"
    assert not (tmp_path / "link").is_symlink()


def test_only_plain_files_of_ours_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, "text")
    assert read_private(path) == "text"
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (1 << 20) + b"x")
    (tmp_path / "binary").write_bytes(b"\xff")
    refusals = {
        "link": "is a symbolic link",
        "pipe": "is not a plain file",
        ".": "is not a plain file",
        "large": "is far too large",
        "binary": "is not UTF-8 text",
    }
    for name, why in refusals.items():
        with pytest.raises(ValueError, match=why):
            read_private(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "absent")


def test_only_what_dead_writers_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / ".f.1-2.simbuilder-tmp"
    alive = tmp_path / ".f.1-3.simbuilder-tmp"
    for path in (left, alive, tmp_path / ".f", tmp_path / "f.simbuilder-tmp"):
        path.touch()
    os.mkfifo(tmp_path / ".pipe.simbuilder-tmp")
    with alive.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sweep(tmp_path) == [tmp_path / ".pipe.simbuilder-tmp", left]
    assert alive.exists()
    assert sweep(tmp_path / "absent") == []


def test_removing_a_tree_does_not_follow_symlinks(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "f").write_text("x")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(precious)
    remove_tree(tree)
    remove_tree(tree)
    assert (precious / "f").exists()
    assert not tree.exists()
    (tmp_path / "direct").symlink_to(precious)
    remove_tree(tmp_path / "direct")
    assert (precious / "f").exists()


def test_only_an_empty_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "f").touch()
    (tmp_path / "empty").mkdir()
    for name in ("full", "empty", "absent"):
        remove_if_empty(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    with pytest.raises(NotADirectoryError):
        remove_if_empty(tmp_path / "full" / "f")


def test_a_held_lock_is_waited_for_then_reported(tmp_path: Path) -> None:
    waits: list[str] = []
    with (
        folder_lock(tmp_path / "x", 0, "x"),
        pytest.raises(BusyError, match="working on x"),
        folder_lock(tmp_path / "x", 0.1, "x", waits.append),
    ):
        pass
    assert len(waits) == 1
    assert f"pid {os.getpid()}, " in waits[0]
    with folder_lock(tmp_path / "x", 0, "x"):
        pass


def test_a_lock_survives_the_removal_of_its_folder(tmp_path: Path) -> None:
    """Whoever waited for a folder that was removed must not believe to hold the new one."""
    folder = tmp_path / "x"
    inside: list[int] = []
    entered = threading.Event()

    def contend() -> None:
        with folder_lock(folder, 5, "x"):
            inside.append(folder.stat().st_ino)
            entered.set()

    thread = threading.Thread(target=contend)
    with folder_lock(folder, 0, "x"):
        thread.start()
        new = tmp_path / "new"
        new.mkdir()
        other = os.open(new, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        new.rename(folder)  # takes the place of the empty folder in one step
    # the first holder let go, and must not have taken the new folder with it
    remade = folder.stat().st_ino
    assert not entered.wait(0.2)
    os.close(other)
    thread.join()
    assert inside == [remade]
    assert not folder.exists()


def test_a_folder_is_gone_only_where_what_it_lay_on_is_there(tmp_path: Path) -> None:
    mount = mount_of(tmp_path)
    assert tmp_path.is_relative_to(mount)
    assert not vanished(tmp_path, mount)
    assert vanished(tmp_path / "worktree", mount)
    assert vanished(tmp_path / "gone" / "worktree", mount)
    assert not vanished(tmp_path / "worktree", str(tmp_path / "unplugged"))
    assert not vanished(tmp_path / "worktree", "")
    (tmp_path / "file").touch()
    assert vanished(tmp_path / "file" / "worktree", mount)
