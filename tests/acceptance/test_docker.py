"""Sessions on a real Docker engine: the installed command, judged by containers and clients."""

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from simbuilder.scaffolding import dotenv
from tests.acceptance import clients
from tests.acceptance.conftest import Cli
from tests.acceptance.docker import LABEL, docker, inspect, left_of, neighbour

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(400)


def write_all(env: dict[str, str], value: str) -> None:
    clients.graph_write(env, value)
    clients.bus_write(env, value)
    clients.blob_write(env, value)


def read_all(env: dict[str, str], durable: str) -> list[set[str]]:
    return [clients.graph_read(env), clients.bus_read(env, durable), clients.blob_read(env)]


def test_two_docker_sessions_and_a_local_one_live_side_by_side(docked: Cli) -> None:
    two, three = neighbour(docked, "two"), neighbour(docked, "three")
    for cli, runtime in ((docked, "docker"), (two, "docker"), (three, "local")):
        made = cli("session", "create", "--start-containers", "--runtime", runtime, "--json")
        assert made.status == 0, made.out
        assert made.data()["session"]["runtime"] == runtime
        assert made.data()["session"]["runtime_reason"] == "asked for"
    everyone = (docked, two, three)
    keys = [set(cli.variables()) for cli in everyone]
    assert keys[0] == keys[1] == keys[2]
    for number, cli in enumerate(everyone):
        write_all(cli.variables(), f"value-{number}")
    for number, cli in enumerate(everyone):
        env = cli.variables()
        assert read_all(env, "first") == [{f"value-{number}"}] * 3
        assert clients.graph_refuses(env)
        assert clients.bus_refuses(env)
        assert clients.blob_refuses(env)
    shown = docked("session", "status", "--json").data()["session"]
    for cli in (docked, two):
        assert (
            clients.graph_address(cli.variables()) == f"127.0.0.1:{cli.variables()['NEO4J_PORT']}"
        )
    graph = shown["services"]["neo4j"]
    assert graph["product"] == "Neo4j"
    assert graph["version"].startswith("5.26.")
    assert graph["note"] == ""
    check_containers(docked.variables())

    assert docked("session", "stop").status == 0
    assert docked("session", "status", "--json").data()["session"]["state"] == "stopped"
    assert docked("session", "start").status == 0
    assert read_all(docked.variables(), "second") == [{"value-0"}] * 3

    for cli in everyone:
        session_id = cli.variables()["SIMBUILDER_SESSION_ID"]
        assert cli("session", "cleanup").status == 0
        assert left_of(session_id) == []
        assert not (cli.folder / ".env.session").exists()
    assert not docked.state.exists()


def check_containers(env: dict[str, str]) -> None:
    session_id, project = env["SIMBUILDER_SESSION_ID"], env["COMPOSE_PROJECT_NAME"]
    labels = {"io.simbuilder.session": session_id, "io.simbuilder.schema": "1"}
    ids = docker("ps", "-q", "--filter", f"{LABEL}={session_id}").split()
    containers = inspect("inspect", *ids)
    assert {c["Name"] for c in containers} == {f"/{project}-{s}-1" for s in SERVICES}
    for container in containers:
        assert labels.items() <= container["Config"]["Labels"].items()
        assert container["HostConfig"]["Memory"] > 0
        assert container["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
        published = [b for bound in container["HostConfig"]["PortBindings"].values() for b in bound]
        assert {b["HostIp"] for b in published} == {"127.0.0.1"}
        assert {b["HostPort"] for b in published} <= set(env.values())
        program, *words = container["Config"]["Healthcheck"]["Test"]
        assert program == "CMD"
        docker("exec", container["Id"], *words)  # the engine's own first try comes after 30 s
        given = " ".join(container["Config"]["Env"] + container["Config"]["Cmd"])
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        assert OWN[service] in given
        assert not any(word in given for other, word in OWN.items() if other != service)
        for variable in ("SIMBUILDER_", "NEO4J_PORT", "NATS_URL", "AZURE_STORAGE"):
            assert variable not in given
    (network,) = inspect("network", "inspect", f"{project}_default")
    assert labels.items() <= network["Labels"].items()
    assert network["IPAM"]["Config"][0]["Subnet"] == env["SIMBUILDER_SUBNET"]
    for name in ("neo4j-data", "neo4j-logs", "nats-data", "azurite-data"):
        (volume,) = inspect("volume", "inspect", f"{project}_{name}")
        assert labels.items() <= volume["Labels"].items()
    processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True).stdout
    for secret in (env["NEO4J_PASSWORD"], env["NATS_PASSWORD"], env["AZURITE_ACCOUNTS"]):
        assert secret not in processes


SERVICES = ("neo4j", "nats", "azurite")
OWN = {"neo4j": "NEO4J_AUTH", "nats": "/etc/nats/session.conf", "azurite": "AZURITE_ACCOUNTS"}


def test_a_killed_container_degrades_the_session_and_start_heals_it(docked: Cli) -> None:
    assert docked("session", "create", "--start-containers").status == 0
    env = docked.variables()
    write_all(env, "kept")
    docker("kill", f"{env['COMPOSE_PROJECT_NAME']}-neo4j-1")
    shown = docked("session", "status", "--json")
    assert shown.status == 3
    session = shown.data()["session"]
    assert session["state"] == "degraded"
    assert session["services"]["neo4j"]["exit_status"] == 137
    assert "it ended with exit status 137" in shown.envelope()["problems"][0]["message"]
    assert docked("session", "list", "--json").data()["sessions"][0]["state"] == "degraded"
    assert docked("check").status == 3
    healed = docked("session", "start", "--json")
    assert healed.status == 0, healed.out
    assert docked.variables() == env
    assert read_all(env, "after") == [{"kept"}] * 3


def test_by_hand_with_docker_compose(docked: Cli) -> None:
    """What the file and the env file promise to a person; ours and theirs are the same project."""
    shutil.copy(ROOT / "docker-compose.yaml", docked.folder)
    assert docked("session", "create").status == 0
    env = docked.variables()
    by_hand = f"docker compose -p {env['COMPOSE_PROJECT_NAME']} --env-file .env.session"

    def compose(command: str) -> None:
        argv = [*by_hand.split(), *command.split()]
        done = subprocess.run(argv, cwd=docked.folder, env=docked.env, capture_output=True)
        assert done.returncode == 0, done.stderr

    compose("up -d")
    assert docked("session", "start").status == 0
    ids = ("ps", "-q", "--no-trunc", "--filter", f"{LABEL}={env['SIMBUILDER_SESSION_ID']}")
    before = docker(*ids)
    assert len(before.split()) == 3
    write_all(env, "by hand")
    compose("up -d")
    assert docker(*ids) == before
    compose("down")
    assert docker(*ids) == ""
    assert docked("session", "status", "--json").data()["session"]["state"] == "stopped"
    assert docked("session", "start").status == 0
    assert docked.variables() == env
    assert read_all(env, "after") == [{"by hand"}] * 3


def test_a_foreign_port_is_replaced_and_foreign_variables_change_nothing(docked: Cli) -> None:
    assert docked("session", "create", "--services", "nats").status == 0
    env = docked.variables()
    docked.env |= {"NATS_PORT": "1", "COMPOSE_PROJECT_NAME": "elsewhere", "NATS_PASSWORD": "x"}
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        foreign.bind(("127.0.0.1", int(env["NATS_PORT"])))
        foreign.listen()
        said = docked("session", "start")
    assert said.status == 0, said.err
    assert "nats.client port was taken" in said.err
    after = docked.variables()
    assert after["NATS_PORT"] != env["NATS_PORT"]
    assert after["NATS_HTTP_PORT"] == env["NATS_HTTP_PORT"]
    clients.bus_write(after, "here")
    name = docker(
        "ps", "--filter", f"{LABEL}={env['SIMBUILDER_SESSION_ID']}", "--format", "{{.Names}}"
    )
    assert name.strip() == f"{env['COMPOSE_PROJECT_NAME']}-nats-1"


def test_a_lost_record_is_an_orphan_listed_first_and_then_removed(docked: Cli) -> None:
    assert docked("session", "create", "--start-containers", "--services", "nats").status == 0
    session_id = docked.variables()["SIMBUILDER_SESSION_ID"]
    shutil.rmtree(docked.state / "sessions" / session_id)
    other = neighbour(docked, "other")
    assert other("session", "create", "--start-containers", "--services", "nats").status == 0
    kept = other.variables()["SIMBUILDER_SESSION_ID"]

    listed = docked("session", "cleanup", "--orphans", "--json")
    assert listed.status == 0
    assert listed.data() == {"orphans": [session_id], "removed": []}
    assert left_of(session_id) != []
    planned = docked("session", "cleanup", "--orphans", "--dry-run")
    assert "remove" in planned.out
    docker("rm", "-f", f"simbuilder-{session_id[:8]}-nats-1")  # only a network and volumes now
    assert docked("session", "cleanup", "--orphans", "--yes", "--json").data() == {
        "removed": [session_id]
    }
    assert left_of(session_id) == []
    assert not (docked.folder / ".env.session").exists()
    assert docked("session", "cleanup", "--orphans").status == 0
    assert left_of(kept) != []
    clients.bus_write(other.variables(), "untouched")


def test_cleanup_needs_neither_env_file_nor_compose_files(docked: Cli) -> None:
    assert docked("session", "create", "--start-containers", "--services", "nats").status == 0
    session_id = docked.variables()["SIMBUILDER_SESSION_ID"]
    (docked.folder / ".env.session").unlink()
    shutil.rmtree(docked.state / "docker")
    (docked.state / "sessions" / session_id / "session.json").write_text("{")
    assert docked("session", "cleanup", session_id[:8]).status == 0
    assert left_of(session_id) == []
    assert not docked.state.exists()


def test_a_server_that_does_not_boot_says_its_last_lines(docked: Cli) -> None:
    docked.env["NEO4J_HEAP_SIZE"] = "1k"
    said = docked("session", "create", "--start-containers", "--services", "neo4j", "--json")
    assert said.status == 3
    message = said.envelope()["problems"][0]["message"]
    assert "it ended with exit status 1" in message
    assert "heap" in message
    docked.env["NEO4J_HEAP_SIZE"] = "256m"
    assert docked("session", "start").status == 0
    (container,) = inspect("inspect", f"{docked.variables()['COMPOSE_PROJECT_NAME']}-neo4j-1")
    assert "NEO4J_server_memory_heap_max__size=256m" in container["Config"]["Env"]


def test_the_official_rule_about_unknown_settings_holds(docker_images: dict[str, str]) -> None:
    """Why a container gets its own variables only; the test image must be as strict."""
    argv = ["docker", "run", "--rm", "-e", "NEO4J_PORT=7687", docker_images["NEO4J_IMAGE"]]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Unrecognized setting" in done.stdout + done.stderr


def test_addresses_that_others_hold_are_a_clear_error(docked: Cli) -> None:
    assert docked("session", "create", "--services", "nats").status == 0
    subnet = docked.variables()["SIMBUILDER_SUBNET"]
    docker("network", "create", "--subnet", subnet, "simbuilder-test-blocker")
    try:
        said = docked("session", "start", "--json")
    finally:
        docker("network", "rm", "simbuilder-test-blocker")
    assert said.status == 1
    assert said.envelope()["problems"][0]["code"] == "address-pool"
    assert docked("session", "start").status == 0


def test_the_env_file_is_what_compose_reads(docked: Cli) -> None:
    """Compose, which has its own idea of quoting, must see the values that we wrote."""
    assert docked("session", "create", "--services", "nats").status == 0
    path = docked.folder / ".env.session"
    argv = ["docker", "compose", "-f", str(ROOT / "docker-compose.yaml"), "--env-file", str(path)]
    done = subprocess.run([*argv, "config", "--format", "json"], capture_output=True, text=True)
    labels = json.loads(done.stdout)["services"]["nats"]["labels"]
    values = dotenv.parse(path.read_text())[0]
    assert labels["io.simbuilder.owner"] == values["SIMBUILDER_OWNER"] == docked.owner
