"""An engine of the test's own: stopped in the middle of a session, and with a full disk."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import clients
from tests.acceptance.conftest import Cli
from tests.acceptance.docker import NATS, problem, state
from tests.support import lacks

pytestmark = pytest.mark.timeout(200)


BRIDGE = "sb-test0"


def bridges() -> set[str]:
    return {name for _, name in socket.if_nameindex() if name.startswith(("br-", BRIDGE))}


class OwnEngine:
    """A second engine, with its data on a small file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/engine.sock"
        self.data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = ["dockerd", "--host", self.url, "--data-root", str(self.data)]
        argv += ["--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid")]
        # a bridge of its own: with none, it would delete the other engine's
        argv += [f"--bridge={BRIDGE}", "--iptables=false", "--ip-forward=false"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while subprocess.run(["docker", "-H", self.url, "ps"], capture_output=True).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None


@pytest.fixture
def own_engine(
    request: pytest.FixtureRequest, docker_images: dict[str, str]
) -> Iterator[OwnEngine]:
    if shutil.which("dockerd") is None or os.getuid() != 0:
        lacks(request, "docker", "an engine of our own needs dockerd and root")
    before = bridges()
    subprocess.run(["ip", "link", "add", "name", BRIDGE, "type", "bridge"], check=True)
    subprocess.run(["ip", "address", "add", "10.254.254.1/29", "dev", BRIDGE], check=True)
    folder = Path(tempfile.mkdtemp(prefix="sb-"))  # short: a socket's path has 107 bytes
    made = OwnEngine(folder)
    made.data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", made.data], check=True)
    try:
        made.start()
        pipe = f"docker save {docker_images['NATS_IMAGE']} | docker -H {made.url} load -q"
        loaded = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True)
        assert loaded.returncode == 0, loaded.stderr
        yield made
    finally:
        made.stop()
        subprocess.run(["umount", "--lazy", made.data], check=True)
        shutil.rmtree(folder, ignore_errors=True)
        for bridge in bridges() - before:
            subprocess.run(["ip", "link", "delete", bridge], check=True)


@pytest.fixture
def there(cli: Cli, docker_images: dict[str, str], own_engine: OwnEngine) -> Cli:
    cli.env |= docker_images
    cli.env |= {"SIMBUILDER_RUNTIME": "docker", "DOCKER_HOST": own_engine.url}
    return cli


def test_an_engine_stopped_in_mid_life_and_back_again(there: Cli, own_engine: OwnEngine) -> None:
    assert there("session", "create", "--start-containers", *NATS).status == 0
    env = there.variables()
    clients.bus_write(env, "kept")
    own_engine.stop()
    assert state(there) == "unknown"
    assert there("session", "cleanup").status == 3
    own_engine.start()
    assert state(there) == "stopped"  # an engine that stops takes its containers along
    assert there("session", "start").status == 0
    assert clients.bus_read(env, "after") == {"kept"}
    assert there("session", "cleanup").status == 0
    listed = ["docker", "-H", own_engine.url, "volume", "ls", "-q"]
    assert subprocess.run(listed, capture_output=True, check=True).stdout == b""


def test_a_full_disk_is_a_clear_error(there: Cli, own_engine: OwnEngine) -> None:
    assert there("session", "create", "--start-containers", *NATS).status == 0
    assert there("session", "stop").status == 0
    filling = own_engine.data / "filling"
    subprocess.run(["dd", "if=/dev/zero", f"of={filling}", "bs=1M"], capture_output=True)
    there.env["NATS_MEMORY_LIMIT"] = "300m"  # which takes a new container
    said = there("session", "start", "--json")
    assert (said.status, problem(said)["code"]) == (1, "disk-full"), said.out
    filling.unlink()
    assert there("session", "start").status == 0
    assert there("session", "cleanup").status == 0
