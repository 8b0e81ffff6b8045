"""Forks of a session that holds something, compared with copying the same bytes."""

import asyncio
import json
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nats
from azure.storage.blob import BlobServiceClient
from neo4j import GraphDatabase

from benchmarks.measure import Home, report, timed
from simbuilder.scaffolding import dotenv

NODES, RELATIONSHIPS, MESSAGES, BLOBS = 100_000, 200_000, 10_000, 1_000
ROUNDS = 5
_AT_ONCE = 10_000

Env = dict[str, str]


def bench_forks(home: Home) -> list[bool]:
    """Compare a fork with a plain create and `cp -r`, and its pause with the latter alone."""
    made = json.loads(home.run("session", "create", "--start-containers", "--json"))
    source = made["data"]["session"]["id"]
    fill(dotenv.parse(Path(made["data"]["session"]["env_file"]).read_text())[0])
    forks, pauses, copies, both = [], [], [], []
    for number in range(ROUNDS + 1):
        said: list[str] = []
        fork = timed(lambda said=said: said.append(home.run("session", "fork", source, "--json")))  # type: ignore[misc]
        data = json.loads(said[0])["data"]
        home.run("session", "cleanup", data["session"]["id"])
        create = timed(
            lambda: home.run("session", "create", "--start-containers", "--name", "empty")
        )
        home.run("session", "cleanup", "empty")
        copy = timed(lambda: _copy(home, source))
        shutil.rmtree(home.folder / "copy")
        if number == 0:
            print(f"  {data['bytes'] / 1e6:,.1f} MB in all")
            continue  # the first round warms the disk cache for both sides
        forks.append(fork)
        pauses.append(data["pause_s"])
        copies.append(copy)
        both.append(create + copy)
    home.run("session", "cleanup", source)
    return [
        report("fork / create + cp -r of the same bytes", forks, both, 1.5),
        _pause(home, pauses, copies),
    ]


def _copy(home: Home, source: str) -> None:
    (home.folder / "copy").mkdir()
    for data in sorted((home.folder / "state" / "local" / source).glob("*/data")):
        place = home.folder / "copy" / data.parent.name
        subprocess.run(["cp", "-r", str(data), str(place)], check=True)


def _pause(home: Home, pauses: list[float], copies: list[float]) -> bool:
    """Where files can share blocks, `cp` does it too: then a second is the bar."""
    if not _shares_blocks(home.folder):
        return report("pause of the source / cp -r of the same bytes", pauses, copies, 1.2)
    pause = statistics.median(pauses)
    print(f"pause of the source, with reflink: {pause:.3f} s (at most 1 s)")
    return pause <= 1


def _shares_blocks(folder: Path) -> bool:
    one, two = folder / "one", folder / "two"
    one.write_bytes(bytes(1 << 20))
    done = subprocess.run(["cp", "--reflink=always", one, two], capture_output=True, check=False)
    one.unlink()
    two.unlink(missing_ok=True)
    return done.returncode == 0


def fill(env: Env) -> None:
    """Write what the bar is about."""
    _graph(env)
    asyncio.run(_stream(env))
    _blobs(env)


def _pieces(number: int) -> Iterator[list[int]]:
    for start in range(0, number, _AT_ONCE):
        yield list(range(start, min(number, start + _AT_ONCE)))


def _graph(env: Env) -> None:
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        driver.execute_query("CREATE INDEX FOR (p:Person) ON (p.number)")
        for piece in _pieces(NODES):
            statement = "UNWIND $piece AS n CREATE (:Person {number: n, name: 'person ' + n})"
            driver.execute_query(statement, piece=piece)
        for piece in _pieces(RELATIONSHIPS):
            pairs = [[n % NODES, (n * 7 + 1) % NODES] for n in piece]
            statement = (
                "UNWIND $pairs AS pair MATCH (a:Person {number: pair[0]}) "
                "MATCH (b:Person {number: pair[1]}) CREATE (a)-[:KNOWS {since: pair[0]}]->(b)"
            )
            driver.execute_query(statement, pairs=pairs)


async def _stream(env: Env) -> None:
    connection = await nats.connect(env["NATS_URL"])
    stream = connection.jetstream()
    await stream.add_stream(name="events", subjects=["events"])
    for number in range(MESSAGES):
        await connection.publish("events", f"message {number} ".encode() * 20)
    await connection.flush()
    assert (await stream.publish("events", b"last")).seq == MESSAGES + 1
    await connection.close()


def _blobs(env: Env) -> None:
    text = env["AZURE_STORAGE_CONNECTION_STRING"]
    with BlobServiceClient.from_connection_string(text) as client:
        container = client.create_container("blobs")
        for number in range(BLOBS):
            container.upload_blob(f"{number}", f"blob {number} ".encode() * 1_000)
