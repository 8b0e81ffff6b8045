"""Servers that are not there, refuse, or go away: a typed error in time, and never a password."""

import asyncio
import socket
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import (
    GraphConnectionError,
    GraphCredentialsError,
    GraphError,
    GraphTimeoutError,
)
from simbuilder.graph.records import Node
from simbuilder.sessions import catalog
from tests.graphs import (
    DATABASES,
    GraphServer,
    Load,
    dump,
    everything,
    group,
    load,
    opened,
    serving,
    tie,
    user,
)

SECRET = "not-for-anybodys-eyes"


def texts_of(error: BaseException, *, frames: bool = True) -> str:
    """All that a program could show of an error, with the variables of each of its frames."""
    shown = [repr(error), str(error), *getattr(error, "__notes__", ())]
    shown += traceback.TracebackException.from_exception(error, capture_locals=frames).format()
    return "\n".join(shown)


async def ask(address: Address) -> None:
    async with opened(address, deadline_s=5) as graph:
        await graph.counts()


def test_wrong_credentials_are_refused_and_the_right_ones_are_not_forgotten(
    address: Address,
) -> None:
    for wrong in (
        replace(address, password=SECRET),
        replace(address, password=""),
        replace(address, user="nobody", password=SECRET),
    ):
        with pytest.raises(GraphCredentialsError) as refused:
            asyncio.run(ask(wrong))
        assert SECRET not in texts_of(refused.value)
    asyncio.run(ask(address))


def test_a_database_that_does_not_exist_is_named(address: Address) -> None:
    with pytest.raises(GraphError) as refused:
        asyncio.run(ask(replace(address, database="nowhere")))
    assert address.password not in str(refused.value)


@pytest.fixture
def mute() -> Iterator[int]:
    """A port where somebody listens and never answers."""
    with socket.socket() as listener:
        listener.bind((catalog.HOST, 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def closed() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind((catalog.HOST, 0))
        return int(probe.getsockname()[1])


def test_where_nobody_answers_one_hears_so_in_seconds(mute: int, closed: int) -> None:
    for uri in (f"bolt://{catalog.HOST}:{port}" for port in (closed, mute)):
        began = time.monotonic()
        with pytest.raises((GraphConnectionError, GraphTimeoutError)) as silent:
            asyncio.run(ask(Address(uri, "neo4j", SECRET)))
        assert time.monotonic() - began < 12
        assert SECRET not in texts_of(silent.value)
        assert uri in str(silent.value)
    named = f"bolt://neo4j:{SECRET}@{catalog.HOST}:{closed}"
    for uri in ("", "nonsense", "http://127.0.0.1", "bolt://x.invalid:1", "bolt://h:no", named):
        with pytest.raises(GraphConnectionError) as nowhere:
            asyncio.run(ask(Address(uri, "neo4j", SECRET)))
        assert SECRET not in texts_of(nowhere.value, frames=False)


def test_an_address_does_not_show_its_password() -> None:
    assert SECRET not in repr(Address("bolt://x", "neo4j", SECRET))


PEOPLE = [user(f"u{i}", name=f"User {i}") for i in range(1_000)]
WHOLE = (
    [*PEOPLE, group("g")],
    [tie("MEMBER_OF", person.uid, "g") for person in PEOPLE],
)


@pytest.fixture(params=DATABASES)
def own_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GraphServer]:
    with serving(request.param, request, tmp_path / "own") as server:
        yield server


def test_a_server_that_stops_amid_a_load_is_an_error_in_time_and_the_next_load_is_whole(
    own_server: GraphServer,
) -> None:
    address = own_server.address
    deadline_s = 4.0

    async def stopped() -> float:
        async with opened(address, deadline_s=deadline_s) as graph:
            await graph.initialize_schema()
            current = await graph.begin("load", "source")
            await current.upsert(PEOPLE[:500], 100)
            # the container or the process is gone while batches are written
            stopping = asyncio.create_task(asyncio.to_thread(own_server.stop))
            began = time.monotonic()

            async def writing() -> None:
                while True:
                    await current.upsert(slowly(), 100)

            with pytest.raises((GraphConnectionError, GraphTimeoutError)) as gone:
                await writing()
            ended = time.monotonic()
            assert address.password not in texts_of(gone.value, frames=False)
            await stopping
            with pytest.raises(GraphError):
                await graph.counts()
            return ended - began

    def slowly() -> Iterator[Node]:
        for person in PEOPLE:
            time.sleep(0.0005)
            yield person

    assert asyncio.run(stopped()) < 30
    own_server.start()

    async def again() -> None:
        async with opened(address) as graph:
            done = await load(graph, Load(*WHOLE, size=100, source="source"))
            assert everything(done.report) == len(WHOLE[0]) + len(WHOLE[1])
            after = await dump(graph)
            await graph.wipe()
            await load(graph, Load(*WHOLE))
            assert await dump(graph) == after

    asyncio.run(again())
