"""Images: had, pulled with progress, or not to be had."""

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import Cli
from tests.acceptance.docker import NATS, docker, docker_that, image_from, problem

pytestmark = pytest.mark.timeout(200)


def test_images_are_remembered(docked: Cli) -> None:
    assert docked("session", "create", *NATS).status == 0
    docked.env["NATS_IMAGE"] = "127.0.0.1:1/nats:none"
    assert docked("session", "start").status == 0


def test_an_image_that_cannot_be_had_is_named_and_nothing_is_recorded(docked: Cli) -> None:
    docked.env["NATS_IMAGE"] = "127.0.0.1:1/nats:none"
    said = docked("session", "create", "--start-containers", *NATS, "--json")
    assert (said.status, problem(said)["code"]) == (1, "image-unavailable")
    assert "127.0.0.1:1/nats:none" in problem(said)["message"]
    assert "--runtime local" in problem(said)["hint"]
    assert "NATS_IMAGE" in problem(said)["hint"]
    assert not docked.state.exists()
    assert not (docked.folder / ".env.session").exists()

    # whoever names an image wants that one, and no other runtime
    auto = {"SIMBUILDER_RUNTIME": "auto"}
    said = docked("session", "create", "--start-containers", *NATS, "--json", env=auto)
    assert (said.status, problem(said)["code"]) == (1, "image-unavailable")


def test_without_a_registry_auto_takes_the_local_runtime(docked: Cli, tmp_path: Path) -> None:
    for name in ("NEO4J_IMAGE", "NATS_IMAGE", "AZURITE_IMAGE"):
        del docked.env[name]
    docked.env["SIMBUILDER_RUNTIME"] = "auto"
    refusal = 'echo "Error response from daemon: dial tcp: no such host" >&2; exit 1'
    docker_that(tmp_path, docked, f'[ "$1 $2" = "image pull" ] && {{ {refusal}; }}')
    made = docked("session", "create", "--start-containers", *NATS)
    assert made.status == 0, made.err
    assert "taking the local runtime instead" in made.err
    shown = docked("session", "status", "--json").data()["session"]
    assert shown["runtime"] == "local"
    assert "could not be pulled" in shown["runtime_reason"]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_pull_that_hangs_can_be_interrupted(docked: Cli, sign: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as registry:  # it listens, and never says a word
        registry.settimeout(60)
        docked.env["NATS_IMAGE"] = f"127.0.0.1:{registry.getsockname()[1]}/nats:hangs"
        command = docked.popen("session", "create", "--start-containers", *NATS)
        connection, _ = registry.accept()
        with connection:
            began = time.monotonic()
            command.send_signal(sign)  # to the command alone, as a terminal's Ctrl-C would not
            _, said = command.communicate(timeout=60)
            assert time.monotonic() - began < 5
    assert command.returncode == (130 if sign == signal.SIGINT else 143)
    assert "Traceback" not in said
    assert not docked.state.exists()
    pulls = subprocess.run(["pgrep", "-f", docked.env["NATS_IMAGE"]], capture_output=True)
    assert pulls.stdout == b""


def test_pulling_shows_its_progress(docked: Cli, registry: str) -> None:
    layer = f"RUN echo {registry} > /a-layer-nobody-has"
    with image_from(docked.env["NATS_IMAGE"], layer, f"{registry}/nats:pulled") as image:
        docker("push", "-q", image)
        docker("rmi", image)
        said = docked("session", "create", "--start-containers", *NATS, env={"NATS_IMAGE": image})
        assert said.status == 0, said.err
        assert f"nats: pulling {image}" in said.err
        assert re.search("[0-9] of [0-9]+ layers", said.err)
        assert f"nats: pulled {image}" in said.err
        assert docked("session", "cleanup").status == 0
