"""The verdict of `tasks.py test` is that of all its lanes."""

import sys
from importlib import import_module
from typing import Any

import pytest

tasks: Any = import_module("tasks")  # for any Python, and without types
ENDS = "import os, sys; n = int(sys.argv[1]); os.kill(os.getpid(), -n) if n < 0 else sys.exit(n)"


@pytest.mark.parametrize(
    "ends", [("1", "0", "0"), ("0", "1", "0"), ("0", "0", "-9"), ("-9", "0", "0")]
)
def test_a_lane_that_fails_or_is_killed_fails_the_suite(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[str, ...]
) -> None:
    monkeypatch.setattr(tasks, "LANES", tuple((end,) for end in ends))
    assert tasks._lanes((sys.executable, "-c", ENDS)) != 0


def test_lanes_that_all_pass_are_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LANES", (("0",), ("0",), ("0",)))
    assert tasks._lanes((sys.executable, "-c", ENDS)) == 0
