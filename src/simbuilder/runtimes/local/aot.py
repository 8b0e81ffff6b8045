"""The Java start-up cache: built once per machine, never trusted blindly.

Java 25 can write what it loaded and linked in one run to a file (JEP 483 and 514) and map it in the
next: ArcadeDB is then ready in 0.35 s instead of 0.95 s. Java itself refuses a file of another
version or class path and starts without; we refuse one whose name does not carry the fingerprint
of this Java, these jars and these flags, or whose size or time has changed since it was written.
"""

import hashlib
import json
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from simbuilder.runtimes import probes
from simbuilder.runtimes.local import tools
from simbuilder.runtimes.local.server import Command, clean_environment
from simbuilder.scaffolding import process
from simbuilder.scaffolding.exceptions import BusyError
from simbuilder.scaffolding.files import (
    folder_lock,
    make_private_folder,
    remove_tree,
    sweep,
    write_atomic,
)
from simbuilder.sessions import catalog
from simbuilder.sessions.result import Event, EventSink

Trainer = Callable[[Path, int, int, str, Path], Command]
"""(folder, Bolt port, HTTP port, password, file) -> a start that writes `file` when stopped."""

_TRAINING_S = 60.0


class AotCache:
    """One cache file and, beside it, its size and time when it was written."""

    def __init__(self, cache: Path, jvm_flags: Sequence[str], trainer: Trainer) -> None:
        self._cache = cache
        self._jvm_flags = jvm_flags
        self._trainer = trainer
        self._file: Path | None = None

    def flags(self) -> list[str]:
        """Return the Java flags that use the cache; none if there is no valid one."""
        return [f"-XX:AOTCache={self._path()}"] if self._valid() else []

    def discard(self) -> bool:
        """Delete the cache file; True if there was a valid one."""
        valid = self._valid()
        self._seal().unlink(missing_ok=True)
        self._path().unlink(missing_ok=True)
        return valid

    def build(self, emit: EventSink) -> None:
        """Build the file if there is no valid one (about 5 s).

        Never fails: without the file servers start too, only slower. While another command builds
        it, this one goes on without.
        """
        if self._valid():
            return
        try:
            with folder_lock(self._cache / "aot.lock", 0, "the graph database's start-up cache"):
                sweep(self._cache)
                self.discard()
                emit(Event("begin", "neo4j", "building its start-up cache, once per machine"))
                began = time.monotonic()
                if self._train():
                    took = time.monotonic() - began
                    emit(Event("done", "neo4j", f"start-up cache built in {took:.0f} s"))
                else:
                    emit(Event("failed", "neo4j", "no start-up cache; it starts slower without"))
        except BusyError:
            emit(Event("note", "neo4j", "another command builds its start-up cache meanwhile"))

    def _train(self) -> bool:
        work = self._cache / "aot-training"
        mark = process.preparing(self._cache, "neo4j")
        process.outlast(mark, 0)  # left by a command that was killed
        remove_tree(work)
        make_private_folder(work)
        built = work / "cache.aot"
        try:
            bolt, http = _two_free_ports()
            folder = make_private_folder(work / "server")
            password = secrets.token_urlsafe(24)
            command = self._trainer(folder, bolt, http, password, built)
            env = {**clean_environment(work), **command.env, process.MARK: mark}
            server = process.spawn_server(
                command.argv, env, work, work / "server.log", work / "exit"
            )
            try:
                deadline = time.monotonic() + _TRAINING_S
                while not (probes.accepts(bolt) and probes.accepts(http)):
                    if server.ended() or time.monotonic() > deadline:
                        return False
                    time.sleep(0.02)
                warmed = probes.warm_bolt(bolt, password)
            finally:
                # Java writes the file on its way out
                process.outlast(mark, 0, _TRAINING_S)
            if not (warmed and built.is_file()):
                return False
            built.rename(self._path())
            write_atomic(self._seal(), json.dumps(self._print(), indent=1) + "\n")
            return True
        finally:
            remove_tree(work)

    def _valid(self) -> bool:
        try:
            sealed: object = json.loads(self._seal().read_text(encoding="utf-8"))
            return sealed == self._print()
        except (OSError, ValueError):  # not there, or not readable: either way not to be used
            return False

    def _print(self) -> dict[str, int]:
        status = self._path().stat()
        return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}

    def _seal(self) -> Path:
        return self._path().with_suffix(".json")

    def _path(self) -> Path:
        if self._file is None:
            self._file = self._cache / f"arcadedb-{_fingerprint(self._jvm_flags)}.aot"
        return self._file


def _fingerprint(jvm_flags: Sequence[str]) -> str:
    java, jars = tools.arcadedb()
    parts = [(java.parent.parent / "release").read_text(encoding="utf-8"), *jvm_flags]
    for jar in jars:
        status = jar.stat()
        parts.append(f"{jar.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _two_free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind((catalog.HOST, 0))
        two.bind((catalog.HOST, 0))
        return one.getsockname()[1], two.getsockname()[1]
