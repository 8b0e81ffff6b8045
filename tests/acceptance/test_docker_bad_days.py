"""What a user sees when a container, a network or a limit is not as it should be."""

import time

import pytest

from tests.acceptance import clients
from tests.acceptance.conftest import Cli
from tests.acceptance.docker import NATS, docker, image_from, problem

pytestmark = pytest.mark.timeout(200)


def test_one_server_that_cannot_be_started_leaves_the_others_alone(docked: Cli) -> None:
    docked.env["NATS_IMAGE"] = docked.env["AZURITE_IMAGE"]  # which has no such entry point
    two = ("--services", "nats,azurite")
    said = docked("session", "create", "--start-containers", *two, "--json")
    assert said.status == 3, said.out
    services = said.data()["session"]["services"]
    assert services["azurite"]["ready"] is True
    assert services["nats"]["ready"] is False
    assert "nats" in problem(said)["message"]
    assert "executable file not found" in problem(said)["message"]


def test_limits_that_do_not_fit_are_refused_before_anything_is_recorded(docked: Cli) -> None:
    small = {"NEO4J_MEMORY_LIMIT": "500m"}
    said = docked("session", "create", "--start-containers", "--json", env=small)
    assert (said.status, problem(said)["code"]) == (2, "configuration")
    assert "NEO4J_HEAP_SIZE=512m" in problem(said)["message"]
    assert not docked.state.exists()


def test_a_network_removed_while_idle_is_made_anew(docked: Cli) -> None:
    """As `docker network prune` does to a session that is stopped."""
    assert docked("session", "create", "--start-containers", *NATS).status == 0
    env = docked.variables()
    clients.bus_write(env, "kept")
    assert docked("session", "stop").status == 0
    docker("network", "rm", f"{env['COMPOSE_PROJECT_NAME']}_default")
    assert docked("session", "start").status == 0
    assert clients.bus_read(env, "after") == {"kept"}


def test_a_paused_container_is_told_and_healed(docked: Cli) -> None:
    assert docked("session", "create", "--start-containers", *NATS).status == 0
    env = docked.variables()
    name = f"{env['COMPOSE_PROJECT_NAME']}-nats-1"
    docker("pause", name)
    (listed,) = docked("session", "list", "--json").data()["sessions"]
    assert listed["state"] == "degraded"
    assert listed["services"]["nats"]["problem"] == "its container is paused"
    said = docked("session", "status", "--json")
    assert said.status == 3
    assert "its container is paused" in problem(said)["message"]
    assert "its container is paused" in docked("session", "start", "--dry-run").out
    assert docked("session", "start").status == 0
    clients.bus_write(env, "awake")
    docker("pause", name)
    assert docked("session", "stop").status == 0
    assert docked("session", "start").status == 0
    assert clients.bus_read(env, "after") == {"awake"}


def test_a_server_that_is_late_is_stopped_and_not_blamed(docked: Cli) -> None:
    """Not even one that does not listen may cost much more than the time allowed."""
    deaf = """ENTRYPOINT ["sh", "-c", "trap '' TERM; echo thinking; sleep 90 & wait; wait"]"""
    with image_from(docked.env["NEO4J_IMAGE"], deaf, "simbuilder-test-late:1") as image:
        docked.env["NEO4J_IMAGE"] = image
        late = ("--start-containers", "--services", "neo4j", "--timeout", "1", "--json")
        began = time.monotonic()
        said = docked("session", "create", *late)
        assert time.monotonic() - began < 15
        assert said.status == 3
        assert "not ready in time" in problem(said)["message"]
        assert "thinking" in problem(said)["message"]
        assert "exit status" not in problem(said)["message"]
        assert said.data()["session"]["state"] == "stopped"
        assert docked("session", "cleanup").status == 0
