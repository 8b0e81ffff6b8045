"""A terminal of our own, with somebody who types."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C, CTRL_D, CTRL_Z = b"\x03", b"\x04", b"\x1a"
WHERE_IS_THE_CURSOR, IN_THE_CORNER = b"\x1b[6n", b"\x1b[1;1R"


class Terminal:
    """A program in a session of its own, which controls a terminal, as after signing in."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], folder: Path, columns: int = 80
    ) -> None:
        self.pid, self._master = pty.fork()
        if not self.pid:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.chdir(folder)
            # which would beat the terminal's own width
            os.execvpe(argv[0], list(argv), {k: v for k, v in env.items() if k != "COLUMNS"})
        self.raw = self.drawn = ""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(ChildProcessError):  # it has ended, and its pid may be another's by now
            if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal, as a window is closed."""
        with suppress(OSError):
            os.close(self._master)

    def type(self, keys: str | bytes) -> None:
        os.write(self._master, keys.encode() if isinstance(keys, str) else keys)

    def until(self, pattern: str, timeout_s: float = 30) -> str:
        """Return what is drawn from where the last call ended, up to what matches."""
        deadline = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.drawn[self._seen :])):
            assert time.monotonic() < deadline, (pattern, self.drawn[self._seen :])
            assert self._read(), (pattern, self.drawn[self._seen :])
        begin, self._seen = self._seen, self._seen + found.end()
        return self.drawn[begin : self._seen]

    def ended(self) -> int:
        """Read on to the end; return the exit status."""
        while self._read():
            pass
        return self.waited()

    def waited(self) -> int:
        """Return the exit status, once there is one."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.1)[0]:
            return True
        try:
            chunk = os.read(self._master, 1 << 16)
        except OSError:  # Linux says so when the other side is gone
            return False
        if WHERE_IS_THE_CURSOR in chunk:
            self.type(IN_THE_CORNER)
        text = chunk.decode("utf-8", "replace")
        self.raw += text
        self.drawn += SEQUENCE.sub("", text).replace("\r", "")
        return bool(chunk)
