"""The dev container's file says what it should, and its command does it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.acceptance.conftest import Cli

ROOT = Path(__file__).parents[2]
DEFINITION = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())


def test_it_brings_docker_and_a_python_that_is_new_enough() -> None:
    assert any("docker-in-docker" in feature for feature in DEFINITION["features"])
    found = re.search(r"python:(\d+)\.(\d+)", DEFINITION["image"])
    assert found
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = re.fullmatch(r">=(\d+)\.(\d+)", project["requires-python"])
    assert lowest
    assert tuple(map(int, found.groups())) >= tuple(map(int, lowest.groups()))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_its_command_leaves_one_session_however_often_it_runs(
    cli: Cli, request: pytest.FixtureRequest, runtime: str
) -> None:
    """In a copy of the checkout, so that the developer's own session stays current."""
    if runtime == "docker":
        request.getfixturevalue("docked")
        cli.env["SIMBUILDER_RUNTIME"] = "auto"  # as in the container
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    archive = ["tar", "-C", str(ROOT), "-cf", "-", *listed.stdout.split()]
    copy = subprocess.run(archive, check=True, capture_output=True)
    subprocess.run(["tar", "-C", str(cli.folder), "-xf", "-"], input=copy.stdout, check=True)
    command = DEFINITION["postCreateCommand"].replace("python3", sys.executable, 1)
    # the copy's lines are not the ones whose coverage counts
    env = {key: value for key, value in cli.env.items() if not key.startswith("COVERAGE_")}
    for _ in range(2):
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=cli.folder, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    sessions = cli("session", "list", "--json").data()["sessions"]
    found = [(s["folder"], s["state"], s["runtime"]) for s in sessions]
    assert found == [(str(cli.folder), "running", runtime)]
    assert cli("session", "cleanup").status == 0
