"""A door to a real Docker engine that a test can shut, hold, and open again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ENGINE = "/var/run/docker.sock"


class Door:
    """Forwards a Unix socket of its own to the engine's; `held` lets nothing through."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self.held = threading.Event()
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []

    def open(self) -> None:
        self.held.clear()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(50)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is None:
            return
        self.path.unlink()
        # closing alone does not wake the thread that accepts
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._open.append(client)
                if not self.held.is_set():
                    engine = socket.socket(socket.AF_UNIX)
                    engine.connect(ENGINE)
                    self._open.append(engine)
                    for source, target in ((client, engine), (engine, client)):
                        pump = threading.Thread(target=_pump, args=(source, target), daemon=True)
                        pump.start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def door(folder: Path) -> Iterator[Door]:
    made = Door(folder / "engine.sock")
    made.open()
    try:
        yield made
    finally:
        made.shut()
