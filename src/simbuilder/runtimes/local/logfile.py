"""A server's log file, read while its server goes on writing it."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from simbuilder.runtimes import logs
from simbuilder.sessions.runtime import Excerpt, LogLine

_LOOK_EVERY_S = 0.2


class LogFile:
    """The log of `service` at `path`, read piece by piece.

    It may not be there yet, be emptied, or be replaced by another file: that is then read from its
    beginning. `logged_at` tells from a line when it was written, as `LocalServer` has it.
    """

    def __init__(self, path: Path, service: str, logged_at: Callable[[str], float | None]) -> None:
        self._path = path
        self._service = service
        self._logged_at = logged_at
        self._inode = 0
        self._read = 0
        self._begun = b""
        self._said = 0.0
        self._written = 0.0

    def lines(self, whole: bool = True) -> Iterator[LogLine]:
        """Yield the lines that were written since the last time: only `whole` ones, or all."""
        texts = self._texts(whole)
        for at, text in logs.dated(texts, self._said, lambda: self._written):
            yield LogLine(self._service, at, text)

    def _texts(self, whole: bool) -> Iterator[tuple[float | None, str]]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._read:
                    self._inode, self._read, self._begun = status.st_ino, 0, b""
                self._written = status.st_mtime
                file.seek(self._read)
                for piece in file:
                    self._read += len(piece)
                    self._begun += piece
                    if piece.endswith(b"\n"):
                        yield self._next()
        except FileNotFoundError:
            return
        if self._begun and not whole:
            yield self._next()

    def _next(self) -> tuple[float | None, str]:
        text = self._begun.decode("utf-8", errors="replace").rstrip()
        self._begun = b""
        at = self._logged_at(text)
        self._said = max(self._said, at or 0.0)
        return at, text


def lines(files: Sequence[LogFile], wanted: Excerpt) -> Iterator[LogLine]:
    """Yield what `Runtime.log_lines` promises, of these files."""
    follow = wanted.going_on()
    yield from logs.by_time([file.lines(follow) for file in files], wanted.since, wanted.tail)
    while wanted.going_on():
        yield from logs.by_time([file.lines() for file in files])
        time.sleep(_LOOK_EVERY_S)


def last_lines(path: Path, start: int) -> list[str]:
    """Return the last lines that were written to a log after the byte offset `start`."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(start, end - 200 * logs.READ))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:  # an explanation without a log is better than none
        return []
