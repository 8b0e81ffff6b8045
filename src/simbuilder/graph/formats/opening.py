"""Files as streams of bytes: plain, gzip, or the members of a zip; bombs are refused.

`sources(path)` gives one `Source` for each file to read; `Source.open()` may be called again and
again. Raises `GraphInputError` for what cannot be opened, with the name of the file.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from simbuilder.graph.errors import GraphInputError

MAX_RATIO = 250
"""Unpacked bytes for each packed one at most: JSON of real tenants is packed 10 to 40 times."""

SMALL = 32 << 20
"""Bytes that are unpacked whatever the ratio: they harm nobody."""

_GZIP, _ZIP, _EMPTY_ZIP = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06"


@dataclass(frozen=True, slots=True)
class Source:
    """A stream of bytes that can be opened. `name` is for people: `users.json`, `all.zip/a.json`.

    `open` raises `GraphInputError`; so does reading, for damaged or implausibly packed data, when
    done inside `explained(name)`.
    """

    name: str
    open: Callable[[], BinaryIO]

    def at(self, line: int) -> str:
        """Return the place that a record read from `line` has: `users.json:17`."""
        return f"{self.name}:{line}"


def sources(path: Path) -> Iterator[Source]:
    """Yield what a file holds: itself, unpacked if it is gzip, or each member of a zip.

    Raises `GraphInputError` if it cannot be read, is encrypted, or is packed implausibly well.
    """
    name = path.name
    with explained(name), path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_GZIP):
        yield Source(name, lambda: _unpacked(path))
    elif start in (_ZIP, _EMPTY_ZIP):
        yield from _members(path)
    else:
        yield Source(name, lambda: _opened(path))


def single(path: Path) -> Source:
    """Return the one thing that a file holds; raises `GraphInputError` if a zip holds more."""
    found = list(sources(path))
    if len(found) != 1:
        raise GraphInputError(
            f"{path.name}: holds {len(found)} files, one was expected",
            "Unpack it and name the files.",
        )
    return found[0]


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what the system or a packed file says while reading into `GraphInputError`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise GraphInputError(
            f"{name}: damaged or cut short ({error})", "Copy or collect it again."
        ) from error
    except FileNotFoundError:
        raise GraphInputError(f"{name}: no such file", "Check the path.") from None
    except IsADirectoryError:
        raise GraphInputError(f"{name}: is a folder", "Name the files in it.") from None
    except (OSError, NotImplementedError) as error:  # the latter is zipfile's
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise GraphInputError(
            f"{name}: cannot be read ({reason})", "Check that it can be opened."
        ) from error


def _opened(path: Path) -> BinaryIO:
    with explained(path.name):
        return path.open("rb")


class _Unpacking(io.RawIOBase):
    """Unpacks gzip, and stops where that gives implausibly much."""

    def __init__(self, path: Path) -> None:
        self._packed = path.open("rb")
        self._plain = gzip.GzipFile(fileobj=self._packed)
        self._name = path.name
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: "memoryview | bytearray") -> int:  # type: ignore[override]
        data = self._plain.read(len(target))
        self._given += len(data)
        _refuse_bomb(self._name, self._packed.tell(), self._given)
        target[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._plain.close()
        self._packed.close()
        super().close()


def _unpacked(path: Path) -> BinaryIO:
    with explained(path.name):
        return io.BufferedReader(_Unpacking(path), 1 << 16)


def _members(path: Path) -> Iterator[Source]:
    with explained(path.name), zipfile.ZipFile(path) as archive:
        members = [each for each in archive.infolist() if not each.is_dir()]
    packed = sum(each.compress_size for each in members)
    size = path.stat().st_size
    if packed > size:
        raise GraphInputError(
            f"{path.name}: its members overlap ({packed:,} packed bytes in {size:,})",
            "This is how bombs are made: it was not unpacked.",
        )
    for each in members:
        name = f"{path.name}/{each.filename}"
        if each.flag_bits & 1:
            raise GraphInputError(f"{name}: is encrypted", "Unpack it and name the files.")
        _refuse_bomb(name, each.compress_size, each.file_size)
        yield Source(name, _opener(path, each.filename, name))


def _opener(path: Path, member: str, name: str) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        with explained(name):
            return _Member(path, member)

    return opened


class _Member(io.BufferedReader):
    """One member of a zip, which is closed with it."""

    def __init__(self, path: Path, member: str) -> None:
        self._archive = zipfile.ZipFile(path)
        super().__init__(self._archive.open(member))  # type: ignore[arg-type]  # reads as raw does

    def close(self) -> None:
        super().close()
        self._archive.close()


def _refuse_bomb(name: str, packed: int, plain: int) -> None:
    if plain > SMALL and plain > MAX_RATIO * max(packed, 1):
        raise GraphInputError(
            f"{name}: unpacks to more than {MAX_RATIO} times its size",
            "No collection of a tenant does. Unpack it yourself if you trust it.",
        )
