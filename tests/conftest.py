"""What all layers share: `--require`, `--terminal`, and where tests get their sessions from."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from simbuilder.runtimes.docker.engine import Engine
from simbuilder.runtimes.local import LocalRuntime
from simbuilder.scaffolding.environment import core_settings, read_environment
from simbuilder.scaffolding.exceptions import RuntimeUnavailableError
from simbuilder.sessions.catalog import PROFILES
from tests.images import build
from tests.support import PORT_RANGE, lacks
from tests.terminals import TERMINALS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        default="",
        help="tools whose absence fails tests instead of skipping them: docker,registry,browser",
    )
    parser.addoption(
        "--terminal",
        default="plain",
        choices=TERMINALS,
        help="where tests/acceptance runs commands",
    )
    parser.addoption("--chaos-seed", default="1", help="chance that replays, for tests/chaos")
    parser.addoption("--chaos-minutes", default="0", help="more of tests/chaos, for that long")
    parser.addoption("--chaos-report", default="", help="file for the counts of tests/chaos")


def pytest_configure() -> None:
    """Let commands see Ctrl-C and hang-ups, where tests run in the background or `nohup` too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)  # which no command inherits


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's settings out of the tests, but for where downloads are cached."""
    cache = core_settings(read_environment(Path(__file__).parent)).cache_dir
    for name in list(os.environ):
        if name.startswith(("SIMBUILDER_", "NEO4J_", "NATS_", "AZURE_", "AZURITE_", "CORE_API")):
            monkeypatch.delenv(name)
    for name in ("LOG_LEVEL", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SIMBUILDER_CACHE_DIR", str(cache))
    monkeypatch.setenv("SIMBUILDER_PORT_RANGE_START", str(PORT_RANGE[0]))
    monkeypatch.setenv("SIMBUILDER_PORT_RANGE_END", str(PORT_RANGE[1]))


@pytest.fixture(scope="session")
def cache_dir() -> Path:
    """The user's cache folder: what is downloaded once serves all test runs."""
    return core_settings(read_environment(Path(__file__).parent)).cache_dir


@pytest.fixture(scope="session")
def local_servers(request: pytest.FixtureRequest, cache_dir: Path) -> Path:
    """Make sure the local servers are installed."""
    try:
        LocalRuntime(cache_dir / "unused", cache_dir).prepare(PROFILES["default"], {}, print)
    except RuntimeUnavailableError as error:
        lacks(request, "local", f"no local servers: {error}")
    return cache_dir


@pytest.fixture(scope="session")
def docker_images(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings that name the test images, on an engine that has them; else skip, or fail."""
    try:
        Engine().answer()
        lacking = build.missing()
        reason = f"no image of {', '.join(lacking)}: run python3 tasks.py images" if lacking else ""
    except RuntimeUnavailableError as error:
        reason = error.message
    if reason:
        lacks(request, "docker", f"docker: {reason}")
    return {f"{service.upper()}_IMAGE": image for service, image in build.images().items()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, current while the test runs."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> str:
    """A browser without a window; else skip, or fail."""
    program = shutil.which("chromium-headless-shell")
    if program is None:
        lacks(request, "browser", "chromium-headless-shell is not installed")
    return program


@pytest.fixture
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An image registry of our own on loopback, which engines trust; else skip, or fail."""
    program = shutil.which("docker-registry")
    if program is None:
        lacks(request, "registry", "docker-registry is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
        address = f"{host}:{port}"
    config = tmp_path / "registry.yml"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}}))
    with (tmp_path / "registry.log").open("w") as log:
        server = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with suppress(OSError), socket.create_connection((host, port), timeout=1):
                break
            time.sleep(0.05)
        yield address
    finally:
        server.kill()
        server.wait()
