"""The only door to other processes: run one, leave one behind, find it again, stop it.

A server left behind is found by its mark, a variable in its environment that every child of it
inherits. The process table is the record: there is no pid file that can go stale, be lost, or name
a process that has since become somebody else's.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from simbuilder.scaffolding import threads

if TYPE_CHECKING:
    import psutil

T = TypeVar("T")

MARK = "SIMBUILDER_SERVER"
"""Environment variable of every server: `<session id>:<service>:<state folder>`.

Never exported to users or written to an env file, so no shell of theirs can carry it by accident.
"""

_RECORD_EXIT = 'cd "$1" || exit; shift; trap : HUP INT TERM; "$@"; echo "$?" > "$0"'
"""A shell between us and the server writes down how the server ended, whenever that is.

Without it the exit status of a server that dies after our command has returned is lost to init.
"""

_CREW: ContextVar[str] = ContextVar("crew", default="")
_CREW_MARK = "SIMBUILDER_CREW"
_POLL_S = 0.005


@dataclass(frozen=True)
class Marked:
    """A live process that carries a mark; `group` is its process group.

    `birth` knows the process by pid and time since boot: a pid that was given to another process
    since is not taken for it, and setting the clock changes nothing.
    """

    pid: int
    group: int
    mark: str
    birth: "psutil.Process" = field(compare=False, repr=False)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: its command line as typed, `since` when it runs (seconds since 1970).

    A `stopped` one was suspended and will not let go before it is continued.
    """

    pid: int
    command: str
    since: float
    stopped: bool


@dataclass(frozen=True)
class Completed:
    """A finished command: its exit status and what it wrote."""

    status: int
    out: str
    err: str


def run(argv: Sequence[str], env: Mapping[str, str], cwd: Path, timeout_s: float) -> Completed:
    """Run `argv` to its end with `env` as its environment, and `crew` beside it.

    Raises `OSError` if it cannot be started and `TimeoutError` after `timeout_s`. Whatever ends
    the wait, Ctrl-C included, also ends the command and its children.
    """
    process = subprocess.Popen(
        argv,
        env={**env, **crew()},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout_s)
    except BaseException as error:
        _signal_group(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"{argv[0]} did not finish within {timeout_s:g} s") from None
        raise
    return Completed(process.returncode, out, err)


class Server:
    """A server just started; the handle is good for as long as the command that started it."""

    def __init__(self, group: int) -> None:
        self.group = group
        """The process group, which is also the pid of its leader."""
        self._ended = False

    def ended(self) -> bool:
        """True once the server, and with it the shell that records its end, is gone."""
        if not self._ended:
            try:
                pid, _ = os.waitpid(self.group, os.WNOHANG)
                self._ended = pid != 0
            except ChildProcessError:  # whoever runs us ignores SIGCHLD: the kernel has reaped it
                self._ended = True
        return self._ended


def spawn_server(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, exit_file: Path
) -> Server:
    """Start a server that outlives us, in its own session and process group.

    Output is appended to `log` (mode 0600). When the server ends, `exit_file` receives its exit
    status as a decimal number, 128 + n for signal n as shells write it.

    `marked` sees it from then on: for a moment after its exec a process has no environment yet (on
    a busy machine one in ten that were looked at at once, Linux 6.18).
    """
    exit_file.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    descriptor = os.open(log, flags, 0o600)
    try:
        # not subprocess.Popen: it warns about children that are still running when it is dropped
        pid = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", _RECORD_EXIT, str(exit_file), str(cwd), *argv],
            {**env, **crew()},
            file_actions=(
                # stdin last: where ours is closed, the log may have become descriptor 0
                (os.POSIX_SPAWN_DUP2, descriptor, 1),
                (os.POSIX_SPAWN_DUP2, descriptor, 2),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            ),
            setsid=True,
            setsigdef=(signal.SIGINT, signal.SIGPIPE),  # Python ignores SIGPIPE, children would too
        )
    finally:
        os.close(descriptor)
    server = Server(pid)
    with suppress(OSError):  # it has ended, and whoever runs us ignores SIGCHLD
        while not server.ended() and not _environment(pid):
            time.sleep(0.0005)
    return server


def marked() -> list[Marked]:
    """Return every live process of ours that carries a mark, sorted; zombies do not count."""
    import psutil

    found = []
    for pid in psutil.pids():
        try:
            # a first look: to ask psutil about every process takes five times as long
            if MARK.encode() not in _environment(pid):
                continue
            process = psutil.Process(pid)
            mark = process.environ().get(MARK)
            if mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(Marked(pid, os.getpgid(pid), mark, process))
        except (psutil.Error, OSError):
            continue  # ended while we looked, or another user's: neither is a server of ours
    return sorted(found, key=lambda item: (item.mark, item.pid))


def _environment(pid: int) -> bytes:
    """Return the environment of a process as the kernel has it: empty while it is in its exec."""
    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - nor a Path for each
        return file.read()


def lock_holders(path: Path) -> list[Holder]:
    """Return who holds a `flock` on `path`, as the kernel tells (Linux: /proc/locks); best effort.

    Nothing is written down for it, so nothing can go stale. Locks of other users' processes, or of
    those in another container, cannot be told.
    """
    import psutil

    try:
        table = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return []
    # "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; one that waits has "->" in the second place
    locks = [line.split() for line in table]
    pids = {int(words[4]) for words in locks if words[1] == "FLOCK"}
    found = []
    for pid in sorted(pid for pid in pids if pid > 0):
        try:
            process = psutil.Process(pid)
            if _has_locked(pid, path):
                stopped = process.status() == psutil.STATUS_STOPPED
                found.append(Holder(pid, _typed(process), process.create_time(), stopped))
        except (psutil.Error, OSError):
            continue  # ended while we looked, or another user's
    return found


def _has_locked(pid: int, path: Path) -> bool:
    """True if a process holds a lock on this very file: others of it may only have it open."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if link.samefile(path):
            info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text(encoding="ascii")
            if re.search(r"^lock:.*FLOCK", info, re.MULTILINE):
                return True
    return False


def _typed(process: "psutil.Process") -> str:
    """Return a command line without the interpreter and the folder of a script before it."""
    words = process.cmdline()
    if len(words) > 1 and Path(words[0]).name.startswith("python"):
        words = words[1:]
    return " ".join([Path(words[0]).name, *words[1:]])[:200] if words else str(process.name())


def mark_of(session_id: str, service: str, root: Path) -> str:
    """Return the mark of a session's process; `root` is the folder its runtime keeps files in."""
    return f"{session_id}:{service}:{root}"


def preparing(cache: Path, what: str) -> str:
    """Return the mark of a process that prepares `what` in the cache folder."""
    return f"preparing:{what}:{cache}"


def outlast(mark: str, patience_s: float, grace_s: float = 0) -> bool:
    """Return once nothing carries `mark` any more; True if something did.

    A command that was killed leaves what it had started: that may end by itself within
    `patience_s`, and is then ended as in `stop`.
    """
    left = [item for item in marked() if item.mark == mark]
    deadline = time.monotonic() + patience_s
    while any(map(_alive, left)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    stop(left, grace_s)
    return bool(left)


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make calls that run commands, at the same time, and return what they return.

    The first that raises, or Ctrl-C, ends the commands of all others: nobody waits for them. What
    other threads of this process have started is left alone.
    """
    from concurrent.futures import ThreadPoolExecutor, wait

    before = _CREW.set(f"{_CREW.get()}/{os.urandom(8).hex()}")
    try:
        with ThreadPoolExecutor(max(1, len(calls))) as pool:
            futures = threads.begin(pool, calls)
            try:
                threads.settle(futures)
                return [future.result() for future in futures]
            except BaseException:
                while wait(futures, 0.05).not_done:  # again: a call may run one after the other
                    _end_crew(_CREW.get())
                raise
    finally:
        _CREW.reset(before)


def crew() -> dict[str, str]:
    """Return the variable by which `together` finds the commands that its calls run; or nothing."""
    return {_CREW_MARK: name} if (name := _CREW.get()) else {}


def _end_crew(name: str) -> None:
    """Kill the commands of a crew, and of those within it."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it ended, or is not ours to end
            whose = child.environ().get(_CREW_MARK, "")
            if whose == name or whose.startswith(f"{name}/"):
                child.kill()


def stop(targets: Iterable[Marked], grace_s: float) -> list[Marked]:
    """End the process groups of `targets`: politely, then after `grace_s` for good.

    With `grace_s` 0 they are killed at once. A process is signalled only if its pid is still the
    process that was found. Returns the targets that are still alive, normally none.
    """
    alive = [item for item in targets if _alive(item)]
    groups = {item.group for item in alive}
    for sign, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        if patience_s == 0 or not alive:
            continue
        for group in sorted({item.group for item in alive}):
            _signal_group(group, sign)
        deadline = time.monotonic() + patience_s
        while (alive := [item for item in alive if _alive(item)]) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    for group in groups:
        with suppress(ChildProcessError):  # started by an earlier command, as a rule
            os.waitpid(group, os.WNOHANG)
    return alive


def _alive(item: Marked) -> bool:
    import psutil

    try:
        if not item.birth.is_running():
            return False
        # a killed process can be a zombie while its other threads still hold files and ports
        process = psutil.Process(item.pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.Error:
        return False


def _signal_group(group: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended first, which is what the signal was for
        os.killpg(group, sign)


def within(timeout_s: float, call: Callable[[], T]) -> T:
    """Return what `call` returns; if it takes longer, end the commands it runs, one and all.

    Raises `TimeoutError`.
    """
    from threading import Event

    finished = Event()

    def work() -> list[T]:
        try:
            return [call()]
        finally:
            finished.set()

    def watch() -> list[T]:
        if not finished.wait(timeout_s):
            raise TimeoutError(f"no answer within {timeout_s:g} s")
        return []

    return together([work, watch])[0][0]
