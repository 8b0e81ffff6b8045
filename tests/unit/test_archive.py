"""Archives that are not as they were written: all are refused, in our words, whatever is wrong."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from simbuilder.scaffolding.exceptions import ArchiveError
from simbuilder.sessions import archive
from simbuilder.sessions.archive import Manifest

SERVICES = ("neo4j", "nats", "azurite")


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Manifest]:
    folder = tmp_path / "folder"
    for service in SERVICES:
        (folder / service / "deep" / "empty").mkdir(parents=True)
        (folder / service / "deep" / "file").write_bytes(os.urandom(500))
    (folder / "nats" / "nothing").touch()
    file = tmp_path / "lab.simbuilder"
    products = {"nats": "NATS 2.15"}
    said = Manifest("1", "local", "ArcadeDB", "lab", "2026", SERVICES, products, {})
    assert archive.write(file, folder, said) == file.stat().st_size
    return file, archive.peek(file)


def contents(folder: Path) -> dict[str, bytes | None]:
    paths = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in paths}


def opened(file: Path, into: Path) -> tuple[Manifest, dict[str, bytes | None]]:
    into.mkdir()
    return archive.read(file, into), contents(into)


def test_what_is_written_is_read(written: tuple[Path, Manifest], tmp_path: Path) -> None:
    file, manifest = written
    assert opened(file, tmp_path / "out") == (manifest, contents(tmp_path / "folder"))
    assert set(manifest.files) == {f"{s}/deep/file" for s in SERVICES} | {"nats/nothing"}
    with tarfile.open(file) as tar:
        assert {(m.uname, m.uid, m.gid) for m in tar} == {("", 0, 0)}


def test_no_byte_can_change_unseen(written: tuple[Path, Manifest], tmp_path: Path) -> None:
    file, _ = written
    whole = file.read_bytes()
    good = opened(file, tmp_path / "good")
    for at in range(0, len(whole), 17):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with suppress(ArchiveError):
            assert opened(file, tmp_path / f"flipped{at}") == good, "when gzip wrote it, say"
        file.write_bytes(whole[:at])
        with pytest.raises(ArchiveError):
            opened(file, tmp_path / f"cut{at}")


def rewritten(file: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    """Write an archive anew with other members, and right checksums around them."""
    with tarfile.open(file) as tar:
        members = [(m, f.read() if (f := tar.extractfile(m)) else b"") for m in tar]
    change(members)
    with tarfile.open(file, "w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, len(content), "/etc/passwd"
    return made


STRANGERS = [
    ("../../x", tarfile.REGTYPE),
    ("nats/../../x", tarfile.REGTYPE),
    ("/tmp/x", tarfile.REGTYPE),
    ("..", tarfile.DIRTYPE),
    (".", tarfile.DIRTYPE),
    ("", tarfile.DIRTYPE),
    ("redis/x", tarfile.REGTYPE),
    ("nats/link", tarfile.SYMTYPE),
    ("nats/hard", tarfile.LNKTYPE),
    ("nats/device", tarfile.CHRTYPE),
    ("nats/disk", tarfile.BLKTYPE),
    ("nats/pipe", tarfile.FIFOTYPE),
    ("nats/more", tarfile.REGTYPE),
    ("nats/deep/file", tarfile.REGTYPE),
    ("nats/deep/file", tarfile.DIRTYPE),
    ("nats/deep/file/below", tarfile.DIRTYPE),
    ("nats/nul\0", tarfile.REGTYPE),
]


@pytest.mark.parametrize(("name", "kind"), STRANGERS)
def test_members_that_do_not_belong(
    written: tuple[Path, Manifest], tmp_path: Path, name: str, kind: bytes
) -> None:
    file, _ = written
    rewritten(file, lambda members: members.append((member(name, kind), b"")))
    before = contents(tmp_path)
    with pytest.raises(ArchiveError):
        opened(file, tmp_path / "out")
    outside = {k: v for k, v in contents(tmp_path).items() if not k.startswith("out")}
    assert outside == before, "something was written elsewhere"
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_files_that_are_missing_or_other(written: tuple[Path, Manifest], tmp_path: Path) -> None:
    file, _ = written
    whole = file.read_bytes()

    def last_changed(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        made, content = members.pop()
        members.append((made, bytes(len(content))))

    def last_longer(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        made, content = members.pop()
        made.size += 1
        members.append((made, content + b"x"))

    def folders_gone(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        members[:] = [(made, content) for made, content in members if not made.isdir()]

    changes: list[Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]]
    changes = [lambda members: members.pop(), last_changed, last_longer, folders_gone]
    for number, change in enumerate(changes):
        file.write_bytes(whole)
        rewritten(file, change)  # type: ignore[arg-type]
        with pytest.raises(ArchiveError):
            opened(file, tmp_path / f"{number}")


MANIFESTS: list[Any] = [
    *([], {}, "text", None, 1, {"format": 1}),
    {"format": 1, "files": {}, "services": [], "products": {}},
    *({"files": []}, {"files": {"nats/x": 1}}, {"files": {"nats/x": ["many", "sum"]}}),
    *({"services": ["redis"]}, {"services": [["nats"]]}, {"services": 3}),
    *({"products": []}, {"more": 1}, {"products": {"nats": "\x1b]0;x\x07"}}),
    *({"runtime": []}, {"runtime": "\x1b[2J"}, {"graph": "a\nb"}, {"name": "\x9b"}, {"name": 1}),
]


@pytest.mark.parametrize("said", MANIFESTS, ids=str)
def test_papers_that_make_no_sense(
    written: tuple[Path, Manifest], tmp_path: Path, said: Any
) -> None:
    file, _ = written

    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        made, content = members[0]
        partly = isinstance(said, dict) and said and "format" not in said
        text = json.dumps(json.loads(content) | said if partly else said).encode()
        made.size = len(text)
        members[0] = (made, text)

    rewritten(file, change)
    with pytest.raises(ArchiveError):
        archive.peek(file)


def test_papers_too_deep_to_read(written: tuple[Path, Manifest]) -> None:
    file, _ = written
    text = b"[" * 200_000
    rewritten(
        file, lambda members: members.insert(0, (member("simbuilder.json", content=text), text))
    )
    with pytest.raises(ArchiveError):
        archive.peek(file)


def test_another_format_says_so(written: tuple[Path, Manifest]) -> None:
    file, _ = written

    def newer(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        made, content = members[0]
        text = json.dumps(json.loads(content) | {"format": 2}).encode()
        made.size = len(text)
        members[0] = (made, text)

    rewritten(file, newer)
    with pytest.raises(ArchiveError, match="has format 2; this SimBuilder knows 1"):
        archive.peek(file)


@pytest.mark.parametrize(
    "content", [b"", b"text", os.urandom(5000), gzip.compress(b""), gzip.compress(b"x" * 9999)]
)
def test_what_is_no_archive_at_all(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match="no archive"):
        archive.peek(file)
