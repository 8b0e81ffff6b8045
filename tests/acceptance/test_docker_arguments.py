"""Every command line that reaches `docker`, read by the real binaries' own parsers.

A session is led through its whole life with a `docker` in front that writes down how it is called.
Then each call is repeated with `--help` in it: parsed in full, but carried out never.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.conftest import Cli

pytestmark = pytest.mark.timeout(200)


def test_the_real_parsers_accept_every_call(docked: Cli, tmp_path: Path) -> None:
    real, log = shutil.which("docker"), tmp_path / "calls"
    shim = tmp_path / "bin" / "docker"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" "--end--" >> {log}\nexec {real} "$@"\n')
    shim.chmod(0o755)
    docked.env["PATH"] = f"{shim.parent}:{os.environ['PATH']}"
    one = ("--services", "nats")
    assert (
        docked("session", "create", "--start-containers", "--services", "nats,azurite").status == 0
    )
    for command in ("status", "list", "stop", "start"):
        assert docked("session", command).status == 0
    archive = str(tmp_path / "archive")
    for words in (
        ("snapshot", "save", "kept"),
        ("snapshot", "restore", "kept"),
        ("snapshot", "delete", "kept"),
        ("export", archive),
        ("import", archive, "--name", "imported"),
        ("cleanup", "imported"),
    ):
        assert docked("session", *words).status == 0, words
    name = f"{docked.variables()['COMPOSE_PROJECT_NAME']}-nats-1"
    subprocess.run([str(real), "kill", name], check=True, capture_output=True)
    assert docked("session", "status").status == 3
    assert docked("check").status == 3
    assert docked("session", "cleanup", "--orphans").status == 0
    assert docked("session", "cleanup").status == 0
    elsewhere = {"NATS_IMAGE": "127.0.0.1:1/none"}
    assert docked("session", "create", "--start-containers", *one, env=elsewhere).status == 1

    calls = {tuple(call.split("\0")[:-1]) for call in log.read_text().split("--end--\0") if call}
    verbs = {word for call in calls for word in call}
    assert verbs >= {"up", "pull", "ps", "stop", "rm", "logs", "inspect", "volume", "network"}
    assert verbs >= {"pause", "unpause", "exec", "run", "create", "cp"}
    for call in calls:
        assert accepted(call), call


def accepted(call: Sequence[str]) -> bool:
    """True if the real parsers know each word of the call and lead it to a command of its own.

    For a subcommand there is none of, they show the help of the group: `docker volume COMMAND`.
    What comes after an image or a container is not for them: `--help` there would be carried out.
    """
    verb = 2 if call[0] in ("--host", "--context") else 0
    last = verb + 1 if call[verb] in ("run", "create", "exec") else len(call)
    argv = ["docker", *call[:last], "--help", *call[last:]]
    parsed = subprocess.run(argv, capture_output=True, text=True, check=False)
    usage = re.search("Usage: *(docker .*)", parsed.stdout)
    return parsed.returncode == 0 and usage is not None and usage[1].split()[-1] != "COMMAND"


@pytest.mark.parametrize(
    ("words", "good"),
    [
        (["compose", "up", "--detach"], True),
        (["compose", "up", "--profile", "x"], False),
        (["compose", "upp"], False),
        (["ps", "--filter", "label=x"], True),
        (["ps", "--filters", "x"], False),
        (["volume", "rm"], True),
        (["volume", "rn"], False),
        (["run", "--network", "none", "image", "--word"], True),
        (["run", "--network", "none", "--word", "image"], False),
        (["create", "--mounts=x", "image"], False),
    ],
    ids=repr,
)
def test_the_parsers_refuse_what_is_wrong(
    docker_images: dict[str, str], words: list[str], good: bool
) -> None:
    assert accepted(words) is good
