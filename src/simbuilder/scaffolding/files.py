"""Files that survive a crash, and locks that leave nothing behind."""

import errno
import fcntl
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from simbuilder.scaffolding import process
from simbuilder.scaffolding.exceptions import BusyError, StateError

_POLL_S = 0.001
_LONGEST_POLL_S = 0.02
_VANISHING_S = 1.0
_TEMPORARY = ".simbuilder-tmp"
_LARGEST = 1 << 20
_KEEPS_FOLDER = (
    errno.ENOTEMPTY,
    errno.EEXIST,
    errno.EBUSY,  # a mount point
    errno.EACCES,  # in a folder of somebody else
    errno.EPERM,
    errno.EROFS,
)


_CANNOT_LOCK = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What network file systems say to a lock on a folder (NFS: flock(2)), or to any (some FUSE)."""


class ForeignFileError(ValueError):
    """The file belongs to another user of the machine."""


def make_private_folder(path: Path) -> Path:
    """Create `path` and its missing parents for the user alone (mode 0700) and return it."""
    for _ in range(100):
        try:
            path.mkdir(0o700, exist_ok=True)
            return path
        except FileNotFoundError:  # also one that a command which cleans up removed just now
            if path.parent == path:
                raise
            make_private_folder(path.parent)
    path.mkdir(0o700, exist_ok=True)
    return path


def read_private(path: Path) -> str:
    """Return the text of a file that we wrote. Raises like `open_private`, also if it is not text.

    One that is far too large, or not UTF-8, is no file that we wrote: `ValueError`.
    """
    with open_private(path) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise ValueError("is far too large")
        try:
            return file.read(_LARGEST).decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError("is not UTF-8 text") from None


def open_private(path: Path) -> BufferedReader:
    """Open a file that we wrote.

    Anything else under its name is refused, not followed and not waited for. Raises `OSError`, or
    `ValueError` that says what it is: `ForeignFileError`, a link, a pipe.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("is a symbolic link") from None
        if error.errno == errno.ENXIO:
            raise ValueError("is not a plain file") from None
        raise
    try:
        _check_ours(descriptor)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_ours(descriptor: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is not a plain file")
    if status.st_uid != os.geteuid():
        raise ForeignFileError("belongs to another user")


def write_atomic(path: Path, text: str, durable: bool = False) -> None:
    """Replace `path` with `text`, see `write_atomically`."""
    with write_atomically(path, durable) as file:
        file.write(text.encode())


@contextmanager
def write_atomically(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """Replace `path`, mode 0600: a reader, or a killed writer, sees old or new whole.

    What is `durable` also survives that the machine stops; that takes the disk milliseconds, and is
    for what cannot be made anew. A symlink at `path` is replaced, never followed. Raises `OSError`;
    then `path` is unchanged.
    """
    temporary, descriptor = _temporary(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(descriptor)
            temporary.replace(path)
        if durable:
            _flush_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _flush_folder(path: Path) -> None:
    """Let the disk know of a new name in a folder, without which the file could be lost."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> tuple[Path, int]:
    """Create a file beside `path`, locked for as long as its writer lives: see `sweep`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        name = f".{path.name}.{os.getpid()}-{time.monotonic_ns()}{_TEMPORARY}"
        temporary = path.with_name(name)
        descriptor = os.open(temporary, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                os.close(descriptor)
                raise
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # swept before we had the lock


def sweep(folder: Path) -> list[Path]:
    """Remove what writers that were killed left in `folder`, and return it; others' is not ours."""
    if folder.is_symlink():
        return []
    try:
        names = [n for n in os.listdir(folder) if n.startswith(".") and n.endswith(_TEMPORARY)]  # noqa: PTH208 - no Path per name: every command does this
    except OSError:  # not there, or not ours to look into
        return []
    return [folder / name for name in names if _sweep_one(folder / name)]


def _sweep_one(temporary: Path) -> bool:
    # for writing, though nothing is written: network file systems lock no other way
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags)
    except OSError:  # gone by now, or not what we write
        return False
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer would hold it
        temporary.unlink()
    except OSError:  # its writer lives; or the file system is read-only, or cannot lock
        return False
    finally:
        os.close(descriptor)
    return True


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it; symlinks are removed, not followed. Absent is fine."""
    with suppress(FileNotFoundError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path)


def mount_of(folder: Path) -> str:
    """Return where the file system that `folder` lies on is mounted; empty where nobody can say."""
    places = _mounts()
    return next((str(p) for p in (folder, *folder.parents) if str(p) in places), "")


def vanished(folder: Path, mount: str) -> bool:
    """True if `folder` is certainly gone: what it lay on, at `mount`, is there without it.

    A disk that is not plugged in, or a folder that may not be looked into, takes nothing with it.
    """
    try:
        folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return mount in _mounts()
    except OSError:
        return False
    return False


def _mounts() -> set[str]:
    """Return where file systems are mounted (Linux, proc(5): /proc/self/mountinfo)."""
    try:
        rows = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return set()
    octal = re.compile(rb"\\([0-7]{3})")  # blanks and the like are written so
    places = (octal.sub(lambda n: bytes([int(n[1], 8)]), row.split()[4]) for row in rows)
    return {os.fsdecode(place) for place in places}


def append_line(path: Path, text: str, limit: int) -> None:
    """Append a line to `path`, mode 0600, whole even where several do at once. Raises `OSError`.

    From `limit` bytes on the file becomes `<path>.1`, in place of the one that was called so. What
    is not a file of ours is left alone: `ValueError`, see `open_private`.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        _check_ours(descriptor)
        size = os.fstat(descriptor).st_size
        # a full disk may have cut the last line short: let it not spoil this one
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (("\n" if torn else "") + text + "\n").encode())
        if size >= limit:
            _rotate(path, descriptor)
    finally:
        os.close(descriptor)


def _rotate(path: Path, descriptor: int) -> None:
    """Rename the file that is open, unless somebody else does or did."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.lstat()):
            path.replace(f"{path}.1")


def occupied(folder: Path) -> int:
    """Return how many bytes of disk a folder and all below it take; 0 if it is absent.

    What goes while we look, and what we may not look at, does not count; nor is a link followed.
    """
    total = 0
    pending = [folder]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
    return total


def remove_if_empty(path: Path) -> None:
    """Remove a folder if it holds nothing and the system lets us; else it is left alone."""
    try:
        path.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _KEEPS_FOLDER:
            raise


@contextmanager
def folder_lock(
    path: Path, timeout_s: float, what: str, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold an exclusive lock on the folder `path`, creating it if needed.

    The lock is `flock` on the folder itself: no lock file to go stale, and the kernel drops it with
    the process. A folder that is empty in the end is removed. `on_wait` is called once if somebody
    else holds it, with who that is. Raises `BusyError` after `timeout_s`; `what` names the thing in
    its message. Raises `StateError` if something else, such as a symbolic link, is at `path`.
    """
    descriptor = _lock(path, timeout_s, what, on_wait)
    try:
        yield
    finally:
        # not if it was removed meanwhile: what is there now may be locked by somebody else
        try:
            if _same_folder(descriptor, path):
                remove_if_empty(path)
        finally:
            os.close(descriptor)


def _lock(path: Path, timeout_s: float, what: str, on_wait: Callable[[str], None] | None) -> int:
    began = time.monotonic()
    deadline = began + timeout_s
    while True:
        descriptor = _open_folder(path, deadline)
        try:
            while not _try_lock(descriptor, path):
                if (now := time.monotonic()) >= deadline:
                    # whoever would not wait does not ask for whom either, which takes 20 ms
                    who = _who(path) if timeout_s else ""
                    raise BusyError(
                        f"another simbuilder command is working on {what}{who}",
                        f"it still was after {timeout_s:g} s; run this again when it has finished",
                    )
                if on_wait is not None:
                    on_wait(_who(path))
                    on_wait = None
                time.sleep(min(_LONGEST_POLL_S, max(_POLL_S, (now - began) / 20)))
        except BaseException:
            os.close(descriptor)
            raise
        # The folder may have been removed, even remade, while we waited for the old one.
        if _same_folder(descriptor, path):
            return descriptor
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            raise
        raise StateError(
            f"the file system of {path} cannot lock a folder",
            "set SIMBUILDER_STATE_DIR to a folder on a local disk",
        ) from None
    return True


def _open_folder(path: Path, deadline: float) -> int:
    while True:
        try:
            make_private_folder(path)
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
                raise StateError(
                    f"{path} is not a folder of SimBuilder's", "move it away, then try again"
                ) from None
            if time.monotonic() >= deadline + _VANISHING_S:
                raise  # otherwise another holder removed the folder, or a parent, just now


def _who(path: Path) -> str:
    """Return who holds the lock as the end of a sentence; nothing where that cannot be told."""
    for holder in process.lock_holders(path):
        since = time.strftime("%H:%M:%S", time.localtime(holder.since))
        state = ", suspended" if holder.stopped else ""
        return f": pid {holder.pid}, '{holder.command}', since {since}{state}"
    return ""


def _same_folder(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
