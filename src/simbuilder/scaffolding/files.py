"""Files that survive a crash, and locks that leave nothing behind."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from simbuilder.scaffolding.exceptions import BusyError

_POLL_S = 0.02
_KEEPS_FOLDER = (
    errno.ENOTEMPTY,
    errno.EEXIST,
    errno.EBUSY,  # a mount point
    errno.EACCES,  # in a folder of somebody else
    errno.EPERM,
    errno.EROFS,
)


def make_private_folder(path: Path) -> Path:
    """Create `path` and its missing parents for the user alone (mode 0700) and return it."""
    previous = os.umask(0o077)
    try:
        path.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(previous)
    return path


def write_atomic(path: Path, text: str) -> None:
    """Replace `path` with `text`, mode 0600: a reader, or a crash, sees the old or the new whole.

    A symlink at `path` is replaced, never followed. Raises `OSError`; then `path` is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def remove_tree(path: Path) -> None:
    """Remove a folder and all below it; symlinks are removed, not followed. Absent is fine."""
    with suppress(FileNotFoundError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        else:
            shutil.rmtree(path)


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
    path: Path, timeout_s: float, what: str, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold an exclusive lock on the folder `path`, creating it if needed.

    The lock is `flock` on the folder itself: no lock file to go stale, and the kernel drops it with
    the process. A folder that is empty in the end is removed. `on_wait` is called once if somebody
    else holds it. Raises `BusyError` after `timeout_s`; `what` names the thing in its message.
    """
    deadline = time.monotonic() + timeout_s
    waited = False
    while True:
        try:
            make_private_folder(path)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, FileExistsError):
            if (path.exists() and not path.is_dir()) or time.monotonic() >= deadline + _POLL_S:
                raise
            continue  # another holder removed the folder, or a parent, just now
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The folder may have been removed, even remade, while we waited for the old one.
            if _same_folder(descriptor, path):
                break
            os.close(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another simbuilder command is working on {what}",
                    f"it still was after {timeout_s:g} s; run this again when it has finished",
                ) from None
            if on_wait is not None and not waited:
                on_wait()
            waited = True
            time.sleep(_POLL_S)
    try:
        yield
    finally:
        # not if it was removed meanwhile: what is there now may be locked by somebody else
        try:
            if _same_folder(descriptor, path):
                remove_if_empty(path)
        finally:
            os.close(descriptor)


def _same_folder(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
