"""Canaries in real servers: what is written is found there and nowhere else, and leaves nothing."""

import asyncio
import json
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from nats.aio.client import Client
from nats.js import JetStreamContext
from neo4j import GraphDatabase

from simbuilder.runtimes.canaries import KINDS, RealCanaries
from simbuilder.runtimes.local import tools
from simbuilder.scaffolding.exceptions import CanaryError
from simbuilder.sessions import catalog, envfile
from simbuilder.sessions.model import Session
from tests.contract.test_runtime import Case, compose_case, free_blocks, local_case, start
from tests.support import session

SERVICES = tuple(KINDS)
ONE, TWO = "1" * 40, "2" * 40
WRONG = "d3Jvbmc="
canaries = RealCanaries()


@pytest.fixture(scope="module", params=["local", "docker"])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    root = tmp_path_factory.mktemp("canaries")
    if request.param == "local":
        made = local_case(root, request.getfixturevalue("local_servers"))
    else:
        made = compose_case(root, request.getfixturevalue("docker_images"))
    yield made
    for one in made.made:
        made.runtime.remove(one.id)


@pytest.fixture(scope="module")
def pair(case: Case) -> tuple[Session, Session]:
    """Two sessions whose secrets differ; they run once for all tests."""
    secrets = {"neo4j": "other-graph-secret", "nats": "other-bus-secret", "azurite": "b3RoZXI="}
    one = case.session()
    start(case, one)
    two = replace(case.session(), secrets=secrets)
    start(case, two)
    return one, two


def found(one: Session) -> dict[str, frozenset[str]]:
    return {kind: tokens for s in SERVICES for kind, tokens in canaries.found(one, s).items()}


def everywhere(*tokens: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys((kind for kinds in KINDS.values() for kind in kinds), frozenset(tokens))


def graph(one: Session, query: LiteralString) -> list[object]:
    auth = (catalog.NEO4J_USER, one.secrets["neo4j"])
    with (
        GraphDatabase.driver(one.urls("neo4j")["bolt"], auth=auth) as driver,
        driver.session(database=catalog.NEO4J_DATABASE) as connection,
    ):
        return connection.run(query).value()


@asynccontextmanager
async def jetstream(one: Session) -> AsyncIterator[JetStreamContext]:
    client = Client()
    await client.connect(envfile.nats_url(one), allow_reconnect=False)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def streams(one: Session) -> list[str]:
    async with jetstream(one) as stream:
        return [str(info.config.name) for info in await stream.streams_info()]


async def publish(one: Session, name: str, content: str) -> None:
    async with jetstream(one) as stream:
        await stream.add_stream(name=name, subjects=[name])
        await stream.publish(name, content.encode())


@contextmanager
def storage(
    one: Session,
) -> Iterator[tuple[BlobServiceClient, QueueServiceClient, TableServiceClient]]:
    text = envfile.storage_connection_string(one)
    with (
        BlobServiceClient.from_connection_string(text) as blobs,
        QueueServiceClient.from_connection_string(text) as queues,
        TableServiceClient.from_connection_string(text) as tables,
    ):
        yield blobs, queues, tables


def left(one: Session) -> list[str]:
    """All that the servers hold, as anybody's clients see it."""
    with storage(one) as (blobs, queues, tables):
        names = [f"container {item.name}" for item in blobs.list_containers()]
        names += [f"queue {item.name}" for item in queues.list_queues()]
        names += [f"table {item.name}" for item in tables.list_tables()]
    names += [f"stream {name}" for name in asyncio.run(streams(one))]
    return names + [f"node {label}" for label in graph(one, "MATCH (n) RETURN labels(n)[0]")]


def test_canaries_are_found_where_they_were_written_and_nowhere_else(
    pair: tuple[Session, Session], caplog: pytest.LogCaptureFixture
) -> None:
    one, two = pair
    written = [(each, s, token) for each, token in ((one, ONE), (two, TWO)) for s in SERVICES]
    assert (found(one), found(two)) == (everywhere(), everywhere())
    with ThreadPoolExecutor(len(written)) as pool:
        list(pool.map(lambda canary: canaries.write(*canary), written))
    for _ in range(2):  # reading takes nothing away
        assert (found(one), found(two)) == (everywhere(ONE), everywhere(TWO))
    with ThreadPoolExecutor(len(written)) as pool:
        list(pool.map(lambda canary: canaries.remove(*canary), written))
    assert (left(one), left(two)) == ([], [])
    assert caplog.text == ""


def test_only_the_canaries_named_are_removed(pair: tuple[Session, Session]) -> None:
    one, _ = pair
    for service in SERVICES:
        canaries.write(one, service, ONE)
        canaries.write(one, service, TWO)
        canaries.remove(one, service, ONE[:32])
        canaries.remove(one, service, ONE[:32])
    assert found(one) == everywhere(TWO)
    for service in SERVICES:
        canaries.remove(one, service, TWO[:32])
    assert left(one) == []


def test_a_name_alone_is_no_canary(pair: tuple[Session, Session]) -> None:
    one, _ = pair
    name, row = f"simbuilder-canary-{ONE}", {"PartitionKey": "canary", "RowKey": "canary"}
    with storage(one) as (blobs, queues, tables):
        blobs.create_container(name).upload_blob("canary", TWO)
        queues.create_queue(name).send_message(TWO)
        tables.create_table(f"simbuildercanary{ONE}").create_entity({**row, "token": TWO})
        blobs.create_container(f"simbuilder-canary-{TWO}")
        queues.create_queue(f"simbuilder-canary-{TWO}")
        tables.create_table(f"simbuildercanary{TWO}")
    asyncio.run(publish(one, name, TWO))
    graph(one, "CREATE (:SimBuilderCanary)")
    assert found(one) == everywhere()
    for service in SERVICES:
        canaries.remove(one, service, ONE)
        canaries.remove(one, service, TWO)
    graph(one, "MATCH (n) DELETE n")
    assert left(one) == []


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_sessions_own_secret_is_accepted(
    pair: tuple[Session, Session], service: str
) -> None:
    one, two = pair
    assert [canaries.refuses(one, service, WRONG) for _ in range(6)] == [True] * 6
    assert canaries.refuses(one, service, two.secrets[service])
    assert canaries.refuses(two, service, one.secrets[service])
    assert not canaries.refuses(one, service, one.secrets[service])
    stranger = replace(one, secrets=two.secrets)
    with pytest.raises(CanaryError):
        canaries.refuses(stranger, service, WRONG)
    canaries.found(one, service)
    with pytest.raises(CanaryError):
        canaries.found(stranger, service)
    canaries.found(one, service)


@pytest.mark.parametrize("endpoint", ["azurite.blob", "azurite.queue", "azurite.table"])
def test_one_storage_endpoint_that_lets_strangers_in_is_enough(
    pair: tuple[Session, Session], endpoint: str
) -> None:
    one, two = pair
    mixed = replace(one, ports={**one.ports, endpoint: two.port(endpoint)})
    assert not canaries.refuses(mixed, "azurite", two.secrets["azurite"])


def test_a_secret_that_never_reached_the_storage_was_not_refused(
    pair: tuple[Session, Session],
) -> None:
    with pytest.raises(CanaryError):
        canaries.refuses(pair[0], "azurite", "not in base64")


class Forwarding(socketserver.BaseRequestHandler):
    """Passes what clients say on to another port, and back."""

    target = 0

    def handle(self) -> None:
        with socket.create_connection((catalog.HOST, self.target)) as there:
            back = threading.Thread(target=self._pump, args=(there, self.request))
            back.start()
            self._pump(self.request, there)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while heard := source.recv(65536):
                sink.sendall(heard)
            sink.shutdown(socket.SHUT_WR)


class Junk(socketserver.StreamRequestHandler):
    """Answers everybody the same, and then listens for a while."""

    answer = b""
    timeout = 0.2

    def handle(self) -> None:
        with suppress(OSError):
            self.wfile.write(self.answer)
            self.connection.shutdown(socket.SHUT_WR)
            self.rfile.read()


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer((catalog.HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_servers_send_clients_to_their_own_address_wherever_they_connected(
    pair: tuple[Session, Session],
) -> None:
    one, _ = pair
    port = one.port("neo4j.bolt")
    assert [canaries.advertised(one, s) for s in SERVICES] == [(f"127.0.0.1:{port}",), (), ()]
    with serving(type("ToGraph", (Forwarding,), {"target": port})) as detour:
        elsewhere = replace(one, ports={**one.ports, "neo4j.bolt": detour})
        assert canaries.advertised(elsewhere, "neo4j") == (f"127.0.0.1:{port}",)


def test_a_bus_that_sends_its_clients_to_a_neighbour_is_noticed(tmp_path: Path) -> None:
    base = free_blocks()()
    one = session(base=base)
    port, neighbour = one.port("nats.client"), base + 6
    with ExitStack() as running:
        for name, client, cluster, other in (("a", port, 3, 7), ("b", neighbour, 7, 3)):
            config = {
                "server_name": name,
                "listen": f"127.0.0.1:{client}",
                "authorization": {"user": catalog.NATS_USER, "password": one.secrets["nats"]},
                "cluster": {
                    "name": "two",
                    "listen": f"127.0.0.1:{base + cluster}",
                    "routes": [f"nats://127.0.0.1:{base + other}"],
                },
            }
            path = tmp_path / f"{name}.conf"
            path.write_text(json.dumps(config))
            argv = [str(tools.nats_server()), "--config", str(path)]
            server = running.enter_context(subprocess.Popen(argv, stderr=subprocess.DEVNULL))
            running.callback(server.kill)
        told: tuple[str, ...] = ()
        deadline = time.monotonic() + 20
        while not told and time.monotonic() < deadline:
            time.sleep(0.1)
            with suppress(CanaryError):
                told = canaries.advertised(one, "nats")
    assert told == (f"127.0.0.1:{neighbour}",)


@pytest.mark.parametrize("service", SERVICES)
def test_a_server_that_is_not_there_gives_no_answer(service: str) -> None:
    began = time.monotonic()
    expect_no_answer(session(base=free_blocks()()), service)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff" * 64,
        b"INFO []\r\nPONG\r\n",
        b'INFO {"max_payload": 0}\r\n-ERR nonsense\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["nothing", "bytes", "empty-bus", "bad-bus", "page", "json", "forbidden"],
)
def test_what_answers_something_else_gives_no_answer(service: str, answer: bytes) -> None:
    with serving(type("Answering", (Junk,), {"answer": answer})) as port:
        expect_no_answer(replace(session(), ports=dict.fromkeys(session().ports, port)), service)


def expect_no_answer(one: Session, service: str) -> None:
    asked: list[Callable[[], object]] = [
        lambda: canaries.write(one, service, ONE),
        lambda: canaries.found(one, service),
        lambda: canaries.remove(one, service, ONE[:32]),
        lambda: canaries.refuses(one, service, WRONG),
    ]
    if service != "azurite":
        asked.append(lambda: canaries.advertised(one, service))
    for ask in asked:
        with pytest.raises(CanaryError, match=f"^{service} of session {one.label} gave no usable"):
            ask()


def test_servers_that_hang_give_no_answer_within_ten_seconds(
    case: Case, pair: tuple[Session, Session]
) -> None:
    _, two = pair

    def ask(service: str) -> float:
        began = time.monotonic()
        with pytest.raises(CanaryError):
            canaries.found(two, service)
        return time.monotonic() - began

    for service in SERVICES:
        case.kill(two, service, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(SERVICES)) as pool:
            assert max(pool.map(ask, SERVICES)) < 10
    finally:
        for service in SERVICES:
            case.kill(two, service, signal.SIGCONT)
    assert found(two) == everywhere()


def test_no_proxy_is_asked(pair: tuple[Session, Session], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert found(pair[0]) == everywhere()
