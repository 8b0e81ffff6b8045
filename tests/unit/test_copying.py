"""Copying folders, and what of it can be known without a server."""

import os
from pathlib import Path

import pytest

from simbuilder.scaffolding.copying import copy_ahead, copy_tree, size_of


def made(folder: Path) -> Path:
    (folder / "deep" / "empty").mkdir(parents=True)
    (folder / "deep" / "text").write_text("some text")
    (folder / "nothing").touch(0o640)
    with (folder / "holes").open("wb") as file:
        file.write(b"a" * 5000)
        file.seek(40 << 20)
        file.write(b"b" * 5000)
        file.truncate(60 << 20)
    (folder / "large").write_bytes(os.urandom(20 << 20))
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_copy_is_the_same_and_shares_nothing(tmp_path: Path) -> None:
    source = made(tmp_path / "source")
    told: list[int] = []
    copy_tree(source, tmp_path / "copy", told.append)
    assert contents(tmp_path / "copy") == contents(source)
    assert sum(told) >= 20 << 20
    assert len(told) > 3, "a large file is told of piece by piece"
    assert size_of(tmp_path / "copy") < 30 << 20, "holes stay holes"
    (tmp_path / "copy" / "deep" / "text").write_text("other")
    assert (source / "deep" / "text").read_text() == "some text"


def test_modes_are_kept_and_the_folder_is_ours_alone(tmp_path: Path) -> None:
    source = made(tmp_path / "source")
    copy_tree(source, tmp_path / "copy", lambda _number: None)
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "copy" / "nothing").stat().st_mode & 0o777 == 0o640


def test_links_lead_nowhere(tmp_path: Path) -> None:
    source = made(tmp_path / "source")
    (source / "link").symlink_to("/etc/passwd")
    (source / "folder").symlink_to("/etc")
    copy_tree(source, tmp_path / "copy", lambda _number: None)
    assert not os.path.lexists(tmp_path / "copy" / "link")
    assert not os.path.lexists(tmp_path / "copy" / "folder")


def test_what_is_there_is_not_copied_over(tmp_path: Path) -> None:
    source = made(tmp_path / "source")
    (tmp_path / "copy").mkdir()
    with pytest.raises(FileExistsError):
        copy_tree(source, tmp_path / "copy", lambda _number: None)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert size_of(tmp_path / "nowhere") == 0


def aged(folder: Path) -> Path:
    """Let all files be as if nobody had written to them for a while."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (1e9, 1e9))
    return folder


def test_what_was_copied_ahead_is_not_copied_again(tmp_path: Path) -> None:
    source, copy = aged(made(tmp_path / "source")), tmp_path / "copy"
    ahead = copy_ahead(source, copy, lambda _number: None)
    assert {str(name) for name in ahead} == {"deep/text", "nothing", "holes", "large"}
    told: list[int] = []
    copy_tree(source, copy, told.append, ahead)
    assert told == []
    assert contents(copy) == contents(source)


def test_whatever_happened_since_is_in_the_copy(tmp_path: Path) -> None:
    source, copy = aged(made(tmp_path / "source")), tmp_path / "copy"
    (source / "recent").write_text("old")
    (source / "left").mkdir()
    (source / "left" / "file").write_text("goes with its folder")
    ahead = copy_ahead(source, copy, lambda _number: None)
    assert not (copy / "recent").exists(), "another change might leave it the same time"
    with (source / "large").open("r+b") as file:  # the same size, and even the same time
        file.write(b"other")
    os.utime(source / "large", (1e9, 1e9))
    (source / "recent").write_text("new")
    (source / "nothing").unlink()
    (source / "deep" / "text").replace(source / "deep" / "renamed")
    (source / "left" / "file").unlink()
    (source / "left").rmdir()
    (source / "added").mkdir()
    (source / "added" / "file").write_text("added")
    copy_tree(source, copy, lambda _number: None, ahead)
    assert contents(copy) == contents(source)


def test_files_that_go_while_they_are_copied_ahead(tmp_path: Path) -> None:
    source, copy = aged(made(tmp_path / "source")), tmp_path / "copy"

    def lose(_number: int) -> None:
        (source / "deep" / "text").unlink(missing_ok=True)
        (source / "nothing").unlink(missing_ok=True)

    ahead = copy_ahead(source, copy, lose)
    copy_tree(source, copy, lambda _number: None, ahead)
    assert contents(copy) == contents(source)
