import socket
import subprocess
from pathlib import Path

import pytest


def test_a_unit_test_cannot_start_a_process() -> None:
    with pytest.raises(AssertionError, match="started a process"):
        subprocess.run(["true"], check=True)


def test_a_unit_test_cannot_leave_loopback() -> None:
    with socket.socket() as probe, pytest.raises(AssertionError, match="left loopback"):
        probe.connect(("192.0.2.1", 9))


def test_a_unit_test_writes_only_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("fine")
    with pytest.raises(AssertionError, match="outside its folder"):
        (tmp_path.parent / "not-mine").write_text("never written")
