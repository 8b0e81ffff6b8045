"""Copying folders: sharing blocks where the file system can (reflink), else byte by byte."""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_FICLONE = 0x40049409
"""Let one file share the blocks of another: ioctl_ficlone(2)."""

_CANNOT_CLONE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)
_PIECE = 8 << 20
_RECENTLY_S = 2.0

Stamp = tuple[int, int, int, int]
"""What tells whether a file has changed: inode, size, and when its content and inode did."""


def copy_tree(
    source: Path,
    target: Path,
    copied: Callable[[int], None],
    ahead: Mapping[Path, Stamp] | None = None,
) -> None:
    """Copy what is below the folder `source` into the new folder `target`.

    Only folders, plain files and their modes: servers keep nothing else in their data. `copied`
    hears the bytes as they are done. Holes stay holes. What `copy_ahead` has copied is not copied
    again unless it has changed. Raises `OSError`.
    """
    target.mkdir(0o700, exist_ok=ahead is not None)
    there: set[Path] = set()
    for path in _walk(source):
        name = path.relative_to(source)
        there.add(name)
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            (target / name).mkdir(stat.S_IMODE(status.st_mode) | 0o700, exist_ok=ahead is not None)
        elif stat.S_ISREG(status.st_mode) and (ahead or {}).get(name) != _stamp(status):
            (target / name).unlink(missing_ok=True)
            _copy_file(path, target / name, status, copied)
    if ahead is not None:
        gone = [path for path in _walk(target) if path.relative_to(target) not in there]
        for path in reversed(gone):
            path.rmdir() if path.is_dir() else path.unlink()


def copy_ahead(source: Path, target: Path, copied: Callable[[int], None]) -> dict[Path, Stamp]:
    """Copy into the new folder `target` what seems to be finished, while others write to `source`.

    Returns path below it -> what it was when it was copied, for `copy_tree`. What has changed in
    the last two seconds is left out: two changes within a tick of the clock leave the same time.
    """
    target.mkdir(0o700)
    now = target.lstat().st_mtime  # by the clock of the file system
    done = {}
    for path in _walk(source):
        name = path.relative_to(source)
        with suppress(FileNotFoundError):  # gone meanwhile, and perhaps half of it is here
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                (target / name).mkdir(stat.S_IMODE(status.st_mode) | 0o700)
            elif stat.S_ISREG(status.st_mode) and status.st_mtime < now - _RECENTLY_S:
                _copy_file(path, target / name, status, copied)
                done[name] = _stamp(status)
    return done


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def size_of(folder: Path) -> int:
    """Return the bytes that the plain files below `folder` hold on the disk; 0 without it."""
    if not folder.is_dir():
        return 0
    return sum(status.st_blocks * 512 for status in map(os.lstat, _walk(folder)))


def listing(folder: Path) -> list[str]:
    """Return a line for the folder, if it is there, all below it, and plain files' sizes."""
    if not folder.is_dir():
        return []
    found = ((path, path.lstat()) for path in [folder, *_walk(folder)])
    return [
        f"{path.relative_to(folder)} {status.st_size if stat.S_ISREG(status.st_mode) else ''}"
        for path, status in found
    ]


def seal(lines: Iterable[str]) -> str:
    """Return one short text for many lines, in whatever order they are."""
    return hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()


def bar(done: int, whole: int) -> str:
    """Return how far a copy is, for people; in bytes."""
    share = min(1.0, done / whole)
    filled = "#" * int(20 * share)
    return f"[{filled:<20}] {share:4.0%} of {whole / 1e6:,.0f} MB"


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what is below `folder`, folders before what they hold, sorted."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders.sort()
        for name in sorted([*folders, *files]):
            yield Path(place, name)


def _refuse(error: OSError) -> None:
    """Let no folder be passed over that cannot be looked into, unless it is gone by now."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _copy_file(
    source: Path, target: Path, status: os.stat_result, copied: Callable[[int], None]
) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = os.open(target, flags, stat.S_IMODE(status.st_mode) | 0o600)
        try:
            if _cloned(reading, writing):
                copied(status.st_size)
            else:
                _copy_data(reading, writing, copied)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _cloned(reading: int, writing: int) -> bool:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def _copy_data(reading: int, writing: int, copied: Callable[[int], None]) -> None:
    size = os.fstat(reading).st_size
    at = 0
    while at < size:
        try:
            start = os.lseek(reading, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # nothing but a hole up to the end
                raise
            break
        end = min(os.lseek(reading, start, os.SEEK_HOLE), size)
        at = start
        while at < end:
            done = os.copy_file_range(reading, writing, min(_PIECE, end - at), at, at)
            if done == 0:  # it became shorter meanwhile
                break
            at += done
            copied(done)
        else:
            continue
        break
    os.ftruncate(writing, size)
