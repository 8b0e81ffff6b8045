"""What the tests of docker sessions share: asking the engine, and getting in its way."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Answer, Cli

LABEL = "label=io.simbuilder.session"
NATS = ("--services", "nats")


def docker(*argv: str) -> str:
    done = subprocess.run(["docker", *argv], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def inspect(*argv: str) -> Any:
    return json.loads(docker(*argv))


def left_of(session_id: str) -> list[str]:
    one = f"{LABEL}={session_id}"
    return [
        name
        for kind in (("ps", "-a"), ("network", "ls"), ("volume", "ls"))
        for name in docker(*kind, "-q", "--filter", one).split()
    ]


def neighbour(cli: Cli, name: str) -> Cli:
    """The same user in another checkout."""
    folder = cli.folder.parent / name
    (folder / ".git").mkdir(parents=True)
    made = Cli(cli.home, folder)
    made.env = cli.env
    return made


@contextmanager
def image_from(base: str, instruction: str, tag: str) -> Iterator[str]:
    """Build an image on another for as long as it is needed."""
    # the builder that needs no plug-in, which Debian's engine does not bring
    legacy = {**os.environ, "DOCKER_BUILDKIT": "0"}
    argv = ["docker", "build", "-q", "-t", tag, "-"]
    recipe = f"FROM {base}\n{instruction}\n".encode()
    subprocess.run(argv, input=recipe, env=legacy, check=True, capture_output=True)
    try:
        yield tag
    finally:
        docker("rmi", tag)


def problem(said: Answer) -> Any:
    return said.envelope()["problems"][0]


def docker_that(folder: Path, cli: Cli, does: str) -> None:
    """Put a `docker` before the real one that does something else first; `$@` are its arguments."""
    shim = folder / "bin" / "docker"
    shim.parent.mkdir(exist_ok=True)
    shim.write_text(f'#!/bin/sh\n{does}\nexec {shutil.which("docker")} "$@"\n')
    shim.chmod(0o755)
    cli.env["PATH"] = f"{shim.parent}:{os.environ['PATH']}"


def state(cli: Cli) -> str:
    return str(cli("session", "list", "--json").data()["sessions"][0]["state"])
