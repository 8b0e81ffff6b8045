"""Programs of the user's: found, become, or run before us; and others read while they write."""

import os
import selectors
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import IO, NoReturn, Self

_TO_THE_GROUP = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH})
"""What a terminal sends to all of a process group itself; SIGHUP goes to one process alone."""

_WATCHED = _TO_THE_GROUP | {
    *(signal.SIGTERM, signal.SIGHUP, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2),
    signal.SIGCHLD,
}
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)


def check(name: str, env: Mapping[str, str]) -> None:
    """Raise `FileNotFoundError` or `PermissionError` unless `name` can be run with that PATH."""
    path = env.get("PATH", os.defpath)
    if shutil.which(name, path=path) is None:
        a_folder = "/" in name and os.path.isdir(name)  # noqa: PTH112 - cheap
        there = a_folder or shutil.which(name, os.F_OK, path)
        raise PermissionError if there else FileNotFoundError


def replace(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Become the program `argv`, with exactly `env` as its environment. Raises `OSError`.

    It keeps our pid, terminal and streams; nothing of us is left that could answer for it.
    """
    signal.setitimer(signal.ITIMER_REAL, 0)  # which would outlive us
    for sign in _IGNORED_BY_PYTHON:
        signal.signal(sign, signal.SIG_DFL)
    os.execvpe(argv[0], list(argv), env)  # noqa: S606 - no shell is what we want


def attend(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run the program `argv` to its end, and return its exit status: 128 + n for signal n.

    To it and to the terminal it is as if we were not there. It belongs to our process group, so it
    reads keys, and what they send reaches it without us; signals that somebody sends to us are
    passed on to it; and while it is suspended, so are we. If we are killed, it gets SIGTERM. Raises
    `OSError` if it cannot be started. Nobody else may start programs meanwhile.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who ignores it never hears how a child ended
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        begin = partial(_begin, _death_signal(), os.getpid(), before)
        child = subprocess.Popen(argv, env=dict(env), preexec_fn=begin)  # noqa: PLW1509 - one thread
        child.returncode = _ended(child.pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _ended(child: int) -> int:
    """Wait for the child, passing signals on; return its exit status, -n for signal n."""
    while True:
        info = signal.sigwaitinfo(_WATCHED)
        if info.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
            if pid and not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            if pid and _has_terminal():  # else nobody is there to continue us
                os.kill(os.getpid(), signal.SIGSTOP)
        elif info.si_pid != child and not (
            info.si_code > 0 and info.si_signo in _TO_THE_GROUP  # from the kernel: sigaction(2)
        ):
            os.kill(child, info.si_signo)


def _has_terminal() -> bool:
    """True if we have a terminal, wherever our streams go: a shell there can continue us."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _begin(arrange: "partial[int] | None", parent: int, mask: set[int | signal.Signals]) -> None:
    """In the child, before it becomes the program: let signals end it, and our end too."""
    if arrange is not None:
        arrange()
        if os.getppid() != parent:
            os._exit(128 + signal.SIGTERM)
    for sign in _WATCHED:
        if signal.getsignal(sign) is not signal.SIG_IGN:
            signal.signal(sign, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _death_signal() -> "partial[int] | None":
    """Return what lets a process get SIGTERM when its parent ends (Linux)."""
    import ctypes  # 10 ms, and only this needs it

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl and partial(prctl, _SET_DEATH_SIGNAL, signal.SIGTERM)


def open_page(url: str) -> bool:
    """Show `url` in the user's browser; return whether one was started."""
    import webbrowser

    return webbrowser.open(url)


_UNTIL_WE_END = 'exec 3<&0; (read -r _ <&3; kill $$) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'
"""A program that ends, at the latest, when we do: the kernel closes our end of its `stdin` then."""


class Readers:
    """Programs whose output is read, line by line, while they run; all end with the block."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self._begun: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        """Begin with none."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them all."""
        for name in self.running():
            self._end(name)
        self._selector.close()

    def running(self) -> list[str]:
        """Return the names of those that run."""
        return list(self._running)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Run a program and read what it writes to stdout and stderr. Raises `OSError`."""
        child = subprocess.Popen(
            ["/bin/sh", "-c", _UNTIL_WE_END, "sh", *argv],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us
        )
        if child.stdout is None:
            raise OSError(f"{argv[0]} has no output to read")
        self._running[name] = (child, child.stdout)
        self._begun[name] = b""
        self._selector.register(child.stdout, selectors.EVENT_READ, name)

    def read(self, timeout_s: float) -> list[tuple[str, str]]:
        """Return whole lines as soon as there are some, each with the name of the program.

        Nothing after `timeout_s`, and when one has ended.
        """
        found: list[tuple[str, str]] = []
        for key, _ in self._selector.select(timeout_s):
            name = key.data
            chunk = os.read(key.fd, 1 << 16)
            *whole, self._begun[name] = (self._begun[name] + chunk).split(b"\n")
            if not chunk:
                whole = [rest] if (rest := self._begun[name]) else []
                self._end(name)
            found += [(name, line.decode("utf-8", errors="replace")) for line in whole]
        return found

    def _end(self, name: str) -> None:
        child, stream = self._running.pop(name)
        self._selector.unregister(stream)
        with child:  # closes its streams, and waits
            os.killpg(child.pid, signal.SIGKILL)  # which is there until we have waited for it
