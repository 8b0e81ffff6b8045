"""The installed `simbuilder` command as a subprocess, in a home of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import simbuilder
from simbuilder.scaffolding import dotenv, process
from tests.schemas import checked
from tests.terminals import at_terminal

PACKAGE = str(Path(simbuilder.__file__).parent)
COMMAND = str(Path(sys.executable).with_name("simbuilder"))


def before_us(err: str) -> bool:
    """True where Ctrl-C met Python itself, what the environment loads, or our very first line."""
    words = ("KeyboardInterrupt", "Error processing line", "Fatal Python error", "race condition")
    met = any(word in err for word in words)
    ours = [path for path in re.findall('File "(.*?)"', err) if path.startswith(PACKAGE)]
    return met and set(ours) <= {f"{PACKAGE}/__main__.py"}


@dataclass(frozen=True)
class Answer:
    """What a finished command said; a traceback is never an acceptable thing to say."""

    status: int
    out: str
    err: str

    def data(self) -> Any:
        return self.envelope()["data"]

    def envelope(self) -> Any:
        """What `--json` printed; whatever its schema does not allow fails the test."""
        return checked(json.loads(self.out))


class Cli:
    """Runs commands in one checkout of one user, and knows what that user's servers are."""

    def __init__(self, home: Path, folder: Path, terminal: str = "plain") -> None:
        self.home = home
        self.folder = folder
        self.env = at_terminal(terminal, os.environ)
        self.env |= {"HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.env["SIMBUILDER_RUNTIME"] = "local"  # an engine that happens to run changes nothing
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "SIMBUILDER_WITHIN"):
            self.env.pop(name, None)

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "simbuilder"

    @property
    def owner(self) -> str:
        return f"{os.getuid()}@{os.uname().nodename}:{self.state}"

    def __call__(self, *args: str, env: dict[str, str] | None = None) -> Answer:
        done = subprocess.run(
            [COMMAND, *args],
            cwd=self.folder,
            env=self.env | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    def popen(self, *args: str, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *args],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **{"stdin": subprocess.DEVNULL, **more},
        )

    def variables(self) -> dict[str, str]:
        return dotenv.parse((self.folder / ".env.session").read_text())[0]

    def servers(self) -> list[psutil.Process]:
        """All processes whose mark names this user's state folder."""
        marks = [item for item in process.marked() if f":{self.state}/" in item.mark]
        return [psutil.Process(item.pid) for item in marks]

    def server(self, service: str) -> psutil.Process:
        """The one server process of a service, not the shell that records its end."""
        found = [
            p
            for p in self.servers()
            if f":{service}:" in p.environ()[process.MARK] and p.name() != "sh"
        ]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def cli(tmp_path: Path, local_servers: Path, request: pytest.FixtureRequest) -> Iterator[Cli]:
    home, folder = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    (folder / ".git").mkdir(parents=True)
    made = Cli(home, folder, request.config.getoption("--terminal"))
    yield made
    for server in made.servers():
        os.kill(server.pid, signal.SIGKILL)


@pytest.fixture
def docked(cli: Cli, docker_images: dict[str, str]) -> Iterator[Cli]:
    """The same with sessions on Docker, of which nothing may be left on the engine at the end."""
    cli.env |= docker_images | {"SIMBUILDER_RUNTIME": "docker"}
    yield cli
    assert cli("session", "cleanup", "--all", "--yes").status == 0
    owner = f"label=io.simbuilder.owner={cli.owner}"
    for kind in (("ps", "-a"), ("network", "ls"), ("volume", "ls")):
        argv = ["docker", *kind, "-q", "--filter", owner]
        assert subprocess.run(argv, capture_output=True, check=True).stdout == b""
