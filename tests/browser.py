"""A browser without a window, driven over two pipes by its own protocol."""

import fcntl
import json
import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

READS, WRITES = 3, 4
"""The descriptors on which `--remote-debugging-pipe` takes commands and answers."""
ANSWERS_WITHIN_S = 30
OPTIONS = (
    *("--remote-debugging-pipe", "--window-size=1400,900"),
    *("--no-sandbox", "--disable-breakpad", "--disable-dev-shm-usage", "--disable-gpu"),
)
KEYS = {"/": 191, "Enter": 13, "Escape": 27, "ArrowDown": 40}


class Browser:
    """One page of a browser with a profile of its own; `events` is all that it reported."""

    def __init__(self, program: str, profile: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._buffer, self._calls, self._session = b"", 0, ""
        self.pid, self._commands, self._answers = _launch(program, profile)
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it: without its pipes it goes by itself and takes its helpers along."""
        os.close(self._commands)
        os.close(self._answers)
        deadline = time.monotonic() + 10
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def call(self, method: str, **params: object) -> Any:
        """Return the result of a command."""
        self._calls += 1
        message: dict[str, object] = {"id": self._calls, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        _write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while (answer := self._next(deadline)).get("id") != self._calls:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            assert left > 0, "the browser did not answer in time"
            if select.select([self._answers], [], [], left)[0]:
                chunk = os.read(self._answers, 1 << 20)
                assert chunk, "the browser has ended"
                self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, (script, answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, script: str, timeout_s: float = 10) -> Any:
        """Return the value of an expression as soon as it is true."""
        deadline = time.monotonic() + timeout_s
        while not (value := self.evaluate(script)):
            assert time.monotonic() < deadline, script
            time.sleep(0.02)
        return value

    def open(self, file: Path) -> None:
        self.call("Page.navigate", url=file.as_uri())

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            code = {"windowsVirtualKeyCode": KEYS[key], "key": key, "code": key}
            self.call("Input.dispatchKeyEvent", type=kind, **code)

    def click(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            how = {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **how)


def _launch(program: str, profile: Path) -> tuple[int, int, int]:
    """Start the browser as leader of a process group; return its pid and our ends of the pipes."""
    theirs_in, commands = os.pipe()
    answers, theirs_out = os.pipe()
    # not yet 3 or 4, which the other one is about to become
    high_in, high_out = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out))
    silent = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
    pid = os.posix_spawn(
        program,
        [program, *OPTIONS, f"--user-data-dir={profile}"],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, high_in, READS),
            (os.POSIX_SPAWN_DUP2, high_out, WRITES),
            (os.POSIX_SPAWN_CLOSE, high_in),
            (os.POSIX_SPAWN_CLOSE, high_out),
            silent,
        ],
        setpgroup=0,
    )
    for end in (theirs_in, theirs_out, high_in, high_out):
        os.close(end)
    return pid, commands, answers


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
