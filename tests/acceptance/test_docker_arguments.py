"""Every command line that reaches `docker`, read by the real binaries' own parsers.

A session is led through its whole life with a `docker` in front that writes down how it is called.
Then each call is repeated with `--help` at its end: parsed in full, but carried out never.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import Cli
from tests.acceptance.test_docker import docked

__all__ = ["docked"]
pytestmark = pytest.mark.timeout(200)


def test_the_real_parsers_accept_every_call(docked: Cli, tmp_path: Path) -> None:
    real, log = shutil.which("docker"), tmp_path / "calls"
    shim = tmp_path / "bin" / "docker"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "--end--" >> {log}\nexec {real} "$@"\n')
    shim.chmod(0o755)
    docked.env["PATH"] = f"{shim.parent}:{os.environ['PATH']}"
    one = ("--services", "nats")
    assert docked("session", "create", "--start-containers", *one).status == 0
    for command in ("status", "list", "stop", "start"):
        assert docked("session", command).status == 0
    name = f"{docked.variables()['COMPOSE_PROJECT_NAME']}-nats-1"
    subprocess.run([str(real), "kill", name], check=True, capture_output=True)
    assert docked("session", "status").status == 3
    assert docked("check").status == 3
    assert docked("session", "cleanup", "--orphans").status == 0
    assert docked("session", "cleanup").status == 0
    elsewhere = {"NATS_IMAGE": "127.0.0.1:1/none"}
    assert docked("session", "create", "--start-containers", *one, env=elsewhere).status == 1

    calls = {tuple(call.split("\n")[:-1]) for call in log.read_text().split("--end--\n") if call}
    verbs = {word for call in calls for word in call}
    assert verbs >= {"up", "pull", "ps", "stop", "rm", "logs", "inspect", "volume", "network"}
    for call in calls:
        parsed = subprocess.run([str(real), *call, "--help"], capture_output=True, text=True)
        assert parsed.returncode == 0, (call, parsed.stderr)
        assert "Usage:" in parsed.stdout, call


@pytest.mark.parametrize(
    "wrong", [["compose", "up", "--profile", "x"], ["ps", "--filters", "x"], ["volume", "rn"]]
)
def test_the_parsers_would_refuse(docker_images: dict[str, str], wrong: list[str]) -> None:
    parsed = subprocess.run(["docker", *wrong, "--help"], capture_output=True, text=True)
    assert parsed.returncode != 0 or " ".join(wrong) not in parsed.stdout
