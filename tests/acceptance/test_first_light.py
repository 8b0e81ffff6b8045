"""The promise of the first page of the README, kept with clients that know only `.env.session`."""

import socket
import stat
from pathlib import Path

import psutil

from simbuilder.scaffolding import process
from simbuilder.scaffolding.dotenv import parse
from tests.acceptance import clients
from tests.acceptance.conftest import Cli


def write_everywhere(env: clients.Env, value: str) -> None:
    clients.graph_write(env, value)
    clients.bus_write(env, value)
    clients.blob_write(env, value)


def read_everywhere(env: clients.Env, durable: str) -> list[set[str]]:
    return [clients.graph_read(env), clients.bus_read(env, durable), clients.blob_read(env)]


def ports_of(env: clients.Env) -> list[int]:
    return [int(value) for key, value in env.items() if key.endswith("_PORT")]


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_whole_life_of_two_sessions(cli: Cli) -> None:
    created = cli("session", "create", "--start-containers", "--name", "one", "--json")
    assert created.status == 0, created.err
    one = cli.variables()
    write_everywhere(one, "from-one")
    assert read_everywhere(one, "first") == [{"from-one"}] * 3
    assert clients.graph_refuses(one)
    assert clients.bus_refuses(one)
    assert clients.blob_refuses(one)

    assert cli("session", "create", "--start-containers", "--name", "two").status == 0
    two = cli.variables()
    assert set(ports_of(one)).isdisjoint(ports_of(two))
    assert read_everywhere(two, "first") == [set()] * 3
    write_everywhere(two, "from-two")
    assert read_everywhere(two, "second") == [{"from-two"}] * 3

    secrets = {one["NEO4J_PASSWORD"], two["NEO4J_PASSWORD"], one["NATS_URL"], two["NATS_URL"]}
    assert len(secrets) == 4

    assert cli("session", "stop", "one").status == 0
    assert not any(listening(port) for port in ports_of(one))
    assert cli("session", "start", "one").status == 0
    own_copy = cli.state / "sessions" / one["SIMBUILDER_SESSION_ID"] / ".env.session"
    assert parse(own_copy.read_text())[0] == one
    assert read_everywhere(one, "second") == [{"from-one"}] * 3

    assert cli("session", "cleanup", "one").status == 0
    assert cli.variables() == two
    assert read_everywhere(two, "third") == [{"from-two"}] * 3
    assert cli("session", "cleanup", "--all", "--yes").status == 0
    assert cli.servers() == []
    assert not any(listening(port) for port in ports_of(one) + ports_of(two))
    assert not cli.state.exists()
    assert [path.name for path in cli.folder.iterdir()] == [".git"]
    assert cli("session", "cleanup", "--all", "--yes").status == 0


def test_what_is_secret_stays_secret(cli: Cli) -> None:
    """Not in argv, not in logs, not in output, and in no file others can read."""
    created = cli("session", "create", "--start-containers", "--json")
    env = cli.variables()
    key = env["AZURE_STORAGE_CONNECTION_STRING"].split("AccountKey=")[1].split(";")[0]
    bus = env["NATS_URL"].split(":")[2].split("@")[0]
    secrets = [env["NEO4J_PASSWORD"], bus, key]
    outputs = [created, cli("session", "status"), cli("session", "status", "--json")]
    outputs += [cli("session", "list", "--json"), cli("check", "--json"), cli("info")]
    for answer in outputs:
        assert answer.status == 0, answer.err
        assert not any(secret in answer.out + answer.err for secret in secrets)
    for server in cli.servers():
        assert not any(secret in " ".join(server.cmdline()) for secret in secrets)
    for path in [*cli.state.rglob("*"), cli.folder / ".env.session"]:
        if path.is_file():
            content = path.read_bytes()
            if any(secret.encode() in content for secret in secrets):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
                assert path.suffix != ".log", path
    assert stat.S_IMODE(cli.state.stat().st_mode) == 0o700
    assert cli("session", "cleanup").status == 0


def test_servers_listen_on_loopback_only_and_nothing_of_simbuilder_stays(cli: Cli) -> None:
    assert cli("session", "create", "--start-containers").status == 0
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for server in cli.servers()
        for connection in server.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
    for server in cli.servers():
        assert Path(server.cmdline()[0]).name in ("sh", "java", "node", "nats-server")
    marks = [item.mark for item in process.marked() if str(cli.state) in item.mark]
    assert {mark.split(":")[1] for mark in marks} == {"neo4j", "nats", "azurite"}


def test_a_subset_of_services(cli: Cli) -> None:
    answer = cli("session", "create", "--start-containers", "--services", "nats", "--json")
    assert answer.status == 0
    assert list(answer.data()["session"]["services"]) == ["nats"]
    env = cli.variables()
    clients.bus_write(env, "x")
    assert "NEO4J_URI" not in env
    assert {s.environ()[process.MARK].split(":")[1] for s in cli.servers()} == {"nats"}
