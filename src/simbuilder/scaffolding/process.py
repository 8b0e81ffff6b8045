"""The only door to other processes: run one, leave one behind, find it again, stop it.

A server left behind is found by its mark, a variable in its environment that every child of it
inherits. The process table is the record: there is no pid file that can go stale, be lost, or name
a process that has since become somebody else's.
"""

import errno
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
    """Run `argv` to its end with exactly `env` as its environment.

    Raises `OSError` if it cannot be started and `TimeoutError` after `timeout_s`. Whatever ends
    the wait, Ctrl-C included, also ends the command and its children.
    """
    process = subprocess.Popen(
        argv,
        env=dict(env),
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
    """
    exit_file.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    descriptor = os.open(log, flags, 0o600)
    try:
        # not subprocess.Popen: it warns about children that are still running when it is dropped
        pid = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", _RECORD_EXIT, str(exit_file), str(cwd), *argv],
            dict(env),
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
    return Server(pid)


def marked() -> list[Marked]:
    """Return every live process of ours that carries a mark, sorted; zombies do not count."""
    import psutil

    found = []
    for pid in psutil.pids():
        try:
            if not _may_be_marked(pid):
                continue
            process = psutil.Process(pid)
            mark = process.environ().get(MARK)
            if mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(Marked(pid, os.getpgid(pid), mark, process))
        except (psutil.Error, OSError):
            continue  # ended while we looked, or another user's: neither is a server of ours
    return sorted(found, key=lambda item: (item.mark, item.pid))


def _may_be_marked(pid: int) -> bool:
    """Have a first look: to ask psutil about every process takes five times as long."""
    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - nor a Path for each
        return MARK.encode() in file.read()


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

    The first that raises, or Ctrl-C, ends the commands of all others: nobody waits for them. While
    this runs, the process must not start commands elsewhere.
    """
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    others = _children()
    with ThreadPoolExecutor(max(1, len(calls))) as pool:
        futures = [pool.submit(call) for call in calls]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            while wait(futures, 0.05).not_done:  # again, for a call that runs one after the other
                for pid in _children() - others:
                    with suppress(ProcessLookupError, PermissionError):  # ended, or not ours to end
                        os.kill(pid, signal.SIGKILL)
            raise


def _children() -> set[int]:
    """Return the pids of all that this very process has started, and of what those have."""
    import psutil

    return {child.pid for child in psutil.Process().children(recursive=True)}


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

    Raises `TimeoutError`. As with `together`, nobody else may start commands meanwhile.
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


def identity(pid: int | None = None) -> str:
    """Return what tells a process, this one if left out, from all others that are or ever were.

    A line of text without blanks: pid, when it started (clock ticks since boot), which boot, and
    whose pids these are. Setting the clock changes none of it. Raises `ProcessLookupError`.
    """
    own = os.getpid() if pid is None else pid
    started = _started(own)
    if started is None:
        raise ProcessLookupError(errno.ESRCH, "no such process", str(own))
    return f"{own}:{started}:{boot_id()}:{_pids_of()}"


def lives(identity: str) -> bool:
    """True unless the process with this `identity` has certainly ended; a zombie has.

    Nothing can be told of those in another container while the machine is up: they count as alive.
    So does what is not an identity: nobody may lose anything for it.
    """
    words = identity.split(":")
    if len(words) != 4 or not words[0].isdecimal():
        return True
    pid, started, boot, pids = words
    if boot != boot_id():
        return False
    return pids != _pids_of() or _started(int(pid)) == started


def _started(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot; `None` if it is no more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): "4711 (name) S ...": the name can hold anything, the state is field 3, the time 22
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else fields[19]


def boot_id() -> str:
    """Return the id of the current boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _pids_of() -> str:
    """Return the number of our pid namespace: pids of another container mean other processes."""
    return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
