"""Fault points between any two effects, found without a line of production code.

Python announces every effect on the world to its audit hooks (PEP 578) just before it happens: a
file opened for writing, renamed or removed, a process started or signalled, a lock taken. That is
where a command can be made to die.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

EFFECTS = {
    "os.mkdir",
    "os.rmdir",
    "os.remove",
    "os.rename",
    "os.posix_spawn",
    "os.kill",
    "os.killpg",
    "os.truncate",
    "os.chmod",
    "fcntl.flock",
    "shutil.rmtree",
    "subprocess.Popen",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def is_effect(event: str, args: tuple[Any, ...]) -> bool:
    """True for what changes the world; files of Python's own do not count."""
    if event == "open":
        path, _mode, flags = args
        if isinstance(path, int):  # it is open already
            return False
        written = isinstance(flags, int) and bool(flags & WRITING)
        return written and not str(path).startswith("/dev/") and "__pycache__" not in str(path)
    return event in EFFECTS


def on_effect(act: Callable[[], None]) -> None:
    """Call `act` before every effect of this process, for the rest of its life."""
    sys.addaudithook(lambda event, args: act() if is_effect(event, args) else None)


class Died(BaseException):
    """The simulated death of a command: no handler of ours can see it coming."""


class Fuse:
    """Lets code of this very process die at its n-th effect.

    From then on every further effect fails too: what handlers and `finally` blocks still try is
    what SIGKILL would not have let them do.
    """

    def __init__(self) -> None:
        self.burnt = 0
        self._at: int | None = None
        on_effect(self.burn)

    def arm(self, at: int) -> None:
        """Count from here on; die at effect `at` (from 1)."""
        self.burnt, self._at = 0, at

    def disarm(self) -> None:
        """Let everything happen."""
        self._at = None

    def burn(self) -> None:
        """An effect is about to happen."""
        if self._at is None:
            return
        self.burnt += 1
        if self.burnt >= self._at:
            raise Died
