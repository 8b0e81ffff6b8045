"""Where a NATS server listens that was told to choose a port itself."""

import json
import subprocess
import time
from pathlib import Path

from tests.buses import SOON_S


def address_of(server: "subprocess.Popen[bytes]", folder: Path) -> str:
    """The server says where it listens as soon as it does, in a file of its `--ports_file_dir`."""
    ports = folder / f"nats-server_{server.pid}.ports"
    until = time.monotonic() + SOON_S
    while time.monotonic() < until and server.poll() is None:
        if ports.exists() and (text := ports.read_text()):
            return str(json.loads(text)["nats"][0])
        time.sleep(0.02)
    raise AssertionError((folder / "log").read_text())
