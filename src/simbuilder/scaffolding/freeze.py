"""Holding processes still for a moment, and letting go whatever becomes of us."""

import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from simbuilder.scaffolding.process import Marked

_LET_GO = 'read -r _; rm -f "$1"; shift; kill -CONT "$@" 2>/dev/null'
_LISTENS_WITHIN_S = 5.0
_STOPS_WITHIN_S = 2.0
_POLL_S = 0.0005


class Shell:
    """A shell script that outlives us, to let go of what we hold: see `end`.

    Its `read` returns when our process ends, whatever ends it: the kernel closes the pipe then. So
    what it writes may find no reader, and it must not mind.
    """

    status = 0
    """With which it ended."""

    def __init__(self, script: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        ours, self._input = os.pipe()
        self._output, theirs = os.pipe()
        self._said = b""
        try:
            self._pid = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", script, "sh", *arguments],
                dict(env),
                file_actions=(
                    (os.POSIX_SPAWN_DUP2, ours, 0),
                    (os.POSIX_SPAWN_DUP2, theirs, 1),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ),
                setsid=True,  # a Ctrl-C is for us, not for it
                setsigdef=(signal.SIGINT, signal.SIGPIPE),
            )
        except BaseException:
            os.close(self._input)
            os.close(self._output)
            raise
        finally:
            os.close(ours)
            os.close(theirs)

    def hear(self, *last: str, timeout_s: float) -> str:
        """Return all that it has written, once that ends with one of `last`, or it has ended.

        Raises `TimeoutError`.
        """
        deadline = time.monotonic() + timeout_s
        ends = tuple(word.encode() for word in last)
        while not self._said.endswith(ends):
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._output], [], [], left_s)[0]:
                raise TimeoutError(f"nothing was heard for {timeout_s:g} s")
            if not (piece := os.read(self._output, 1 << 16)):
                break
            self._said += piece
        return self._said.decode(errors="replace")

    def end(self, timeout_s: float = 5.0) -> str:
        """Let its `read` return, wait for its end, and return all that it has written.

        Raises `TimeoutError`: it then goes on without us.
        """
        os.close(self._input)
        try:
            text = self.hear(timeout_s=timeout_s)
        finally:
            os.close(self._output)
        with suppress(ChildProcessError):  # whoever runs us ignores SIGCHLD
            self.status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return text


@contextmanager
def unsuspended() -> Iterator[None]:
    """Let Ctrl-Z do nothing within the block: nobody would be let go of until we are continued."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


@contextmanager
def released_at_the_end(groups: Sequence[int], held: Path) -> Iterator[None]:
    """Continue the process groups and delete the file `held` at the end, even if we are killed."""
    others = [str(-group) for group in groups]
    shell = Shell(_LET_GO, [str(held), *others], {"PATH": os.defpath})
    try:
        yield
    finally:
        for group in groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGCONT)
        held.unlink(missing_ok=True)
        shell.end()


def freeze(targets: Sequence[Marked]) -> None:
    """Stop the process groups where they are, and return when no thread of theirs runs any more.

    See `released_at_the_end` for the other half. Raises `TimeoutError` if one does not stop.
    """
    for group in sorted({item.group for item in targets}):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGSTOP)
    deadline = time.monotonic() + _STOPS_WITHIN_S
    while not still(targets):
        if time.monotonic() > deadline:
            raise TimeoutError("a server does not stand still")
        time.sleep(_POLL_S)


def still(targets: Sequence[Marked]) -> bool:
    """True if nothing of these processes runs: all have stopped, or ended."""
    return all(map(_still, targets))


def _still(item: Marked) -> bool:
    """True if every thread has stopped (or ended): a signal reaches them one after the other."""
    states = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{item.pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                text = (task / "stat").read_text(encoding="ascii", errors="replace")
                states.append(text.rpartition(")")[2].split()[0])  # a name can hold anything
    return set(states) <= set("TtZX")


def nudge(targets: Sequence[Marked], sign: signal.Signals) -> None:
    """Send a signal to each of the processes, once it listens: it would end one that starts.

    Raises `TimeoutError` if one does not listen, or has ended.
    """
    deadline = time.monotonic() + _LISTENS_WITHIN_S
    for item in targets:
        while not _listens(item, sign):
            if time.monotonic() > deadline:
                raise TimeoutError("a server is only starting, or ending")
            time.sleep(_POLL_S)
        with suppress(ProcessLookupError):
            os.kill(item.pid, sign)


def _listens(item: Marked, sign: signal.Signals) -> bool:
    if not item.birth.is_running():
        return False
    with suppress(FileNotFoundError, ProcessLookupError):
        text = Path(f"/proc/{item.pid}/status").read_text(encoding="utf-8", errors="replace")
        caught = next(row for row in text.splitlines() if row.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (sign - 1) & 1)
    return False
