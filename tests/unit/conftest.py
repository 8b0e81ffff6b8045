"""The guard of the unit layer: no process, no network, no file outside the test's own folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_allowed: list[Path] = []
"""Where the running unit test may write; empty between tests."""


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if not _allowed:
        return
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "os.exec"):
        raise AssertionError(f"a unit test started a process: {args[0]}")
    if event == "socket.connect" and not str(args[1]).startswith("('127.0.0.1'"):
        raise AssertionError(f"a unit test left loopback: {args[1]}")
    if event == "open" and _writes(args) and not _inside(args[0]):
        raise AssertionError(f"a unit test wrote outside its folder: {args[0]}")


def _writes(args: tuple[Any, ...]) -> bool:
    mode, flags = args[1], args[2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR))


def _inside(path: Any) -> bool:
    if isinstance(path, int):
        return True
    place = Path(os.fsdecode(path)).absolute()
    return place == Path(os.devnull) or any(place.is_relative_to(root) for root in _allowed)


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def guarded(tmp_path: Path) -> Iterator[None]:
    _allowed.append(tmp_path)
    yield
    _allowed.clear()
