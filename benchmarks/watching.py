"""What `session watch` takes of a machine while it shows ten sessions."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from benchmarks.measure import COMMAND, Home, report

SESSIONS = 10
SETTLE_S, SPAN_S = 8.0, 30.0
COLUMNS, LINES = 200, 50
BAR = 0.05


def bench_watch(home: Home, services: str = "neo4j,nats,azurite") -> bool:
    """Compare the processor time of watching ten running sessions with the time that passes."""
    for number in range(SESSIONS):
        name = ("--name", f"watched-{number}")
        home.run("session", "create", "--start-containers", "--services", services, *name)
    try:
        with _screen(home) as watch:
            time.sleep(SETTLE_S)
            before, began = _spent_s(watch), time.monotonic()
            time.sleep(SPAN_S)
            spent_s, passed_s = _spent_s(watch) - before, time.monotonic() - began
    finally:
        home.run("session", "cleanup", "--all", "--yes")
    what = f"watch of {SESSIONS} running sessions: share of one core"
    return report(what, [spent_s], [passed_s], BAR)


@contextmanager
def _screen(home: Home) -> Iterator[psutil.Process]:
    """Watch on a terminal whose screen somebody reads."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    running = subprocess.Popen(
        [COMMAND, "session", "watch"],
        cwd=home.folder,
        env=home.env | {"TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)

    def read() -> None:
        with suppress(OSError):  # the other side is gone
            while os.read(master, 1 << 16):
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield psutil.Process(running.pid)
        os.write(master, b"q")
        if running.wait(timeout=20) != 0:
            raise SystemExit("session watch failed")
    finally:
        running.kill()
        running.wait()
        reader.join()
        os.close(master)


def _spent_s(process: psutil.Process) -> float:
    """Return the processor time of a process and of all that it has run."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
