"""Clients that never stop writing, and know what was acknowledged to them, and when.

Each writes the numbers 1, 2, 3, ... in its own way, one after the other, and can read back from any
session how far it came there. Whatever is missing before that, or half there, is an
`AssertionError`. They know an env file and the libraries of the vendors, and never try again:
every refusal is seen.
"""

import asyncio
import random
import threading
import time
from bisect import bisect_left
from collections.abc import Coroutine, Iterable
from itertools import pairwise
from typing import Any, TypeVar

import nats
from azure.data.tables import TableServiceClient, UpdateMode
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.client import JetStreamContext
from neo4j import GraphDatabase

T = TypeVar("T")
Env = dict[str, str]

CONNECTION = "AZURE_STORAGE_CONNECTION_STRING"
SIZES = (10, 3_000, 70_000)
"""Bytes of blobs; the larger ones are sent in several blocks."""


def prefix(found: Iterable[int]) -> int:
    """Return m where the numbers are 1..m, each once."""
    numbers = sorted(found)
    assert numbers == list(range(1, len(numbers) + 1)), f"holes, or twice: {_odd(numbers)}"
    return len(numbers)


def _odd(numbers: list[int]) -> str:
    wrong = sorted({*range(1, len(numbers) + 1)} ^ set(numbers))
    return f"{wrong[:20]}, {len(numbers)} numbers up to {numbers[-1]}"


class Writer:
    """One way to write numbers to a session, over a connection of its own."""

    service = ""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def first(self) -> None:
        """Make whatever has to be there before the first number."""

    def write(self, number: int) -> None:
        """Return when it was acknowledged."""
        raise NotImplementedError

    def read(self) -> int:
        """Return the last number there is, having checked that it is all whole."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class _Graph(Writer):
    service = "neo4j"

    def open(self) -> None:
        auth = (self.env["NEO4J_USER"], self.env["NEO4J_PASSWORD"])
        self._driver = GraphDatabase.driver(self.env["NEO4J_URI"], auth=auth)
        self._database = self.env["NEO4J_DATABASE"]

    def close(self) -> None:
        self._driver.close()

    def _commit(self, *statements: str, **values: Any) -> None:
        with (
            self._driver.session(database=self._database) as session,
            session.begin_transaction() as tx,
        ):
            for statement in statements:
                tx.run(statement, values).consume()
            tx.commit()

    def _rows(self, statement: str) -> list[list[Any]]:
        with self._driver.session(database=self._database) as session:
            return [record.values() for record in session.run(statement)]


class Pairs(_Graph):
    """Two nodes and what links them, in one transaction of two statements."""

    def write(self, number: int) -> None:
        self._commit(
            "CREATE (:Left {n: $n})",
            "MATCH (a:Left {n: $n}) CREATE (a)-[:WITH {n: $n}]->(:Right {n: $n})",
            n=number,
        )

    def first(self) -> None:
        self._rows("CREATE INDEX FOR (a:Left) ON (a.n)")

    def read(self) -> int:
        left = [n for (n,) in self._rows("MATCH (a:Left) RETURN a.n")]
        right = [n for (n,) in self._rows("MATCH (b:Right) RETURN b.n")]
        linked = self._rows("MATCH (a:Left)-[r:WITH]->(b:Right) RETURN a.n, r.n, b.n")
        assert all(a == r == b for a, r, b in linked)
        assert sorted(left) == sorted(right) == sorted(a for a, _, _ in linked), "torn"
        return prefix(left)


class Marker(_Graph):
    """One node that takes the place of another."""

    def first(self) -> None:
        self._commit("CREATE (:Marker {n: 0, again: 0})")

    def write(self, number: int) -> None:
        self._commit("MATCH (m:Marker) DELETE m", "CREATE (:Marker {n: $n, again: $n})", n=number)

    def read(self) -> int:
        rows = self._rows("MATCH (m:Marker) RETURN m.n, m.again")
        assert len(rows) == 1, rows
        assert rows[0][0] == rows[0][1], rows
        return int(rows[0][0])


class Labels(_Graph):
    """A label nobody used before, which changes the schema of the graph."""

    def write(self, number: int) -> None:
        self._commit(f"CREATE (:Label{number} {{n: $n}})", n=number)

    def read(self) -> int:
        statement = "MATCH (n) WHERE labels(n)[0] STARTS WITH 'Label' RETURN labels(n)[0], n.n"
        rows = self._rows(statement)
        assert all(label == f"Label{n}" for label, n in rows), rows
        return prefix(n for _, n in rows)


class _Bus(Writer):
    service = "nats"

    def open(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection = self.do(nats.connect(self.env["NATS_URL"], allow_reconnect=False))
        self._stream: JetStreamContext = self._connection.jetstream()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(what)

    def close(self) -> None:
        self.do(self._connection.close())
        self._loop.close()


class Messages(_Bus):
    """Messages of a stream, acknowledged by it."""

    def first(self) -> None:
        self.do(self._stream.add_stream(name="numbers", subjects=["numbers.>"]))

    def write(self, number: int) -> None:
        told = self.do(self._stream.publish(f"numbers.{number % 7}", _text(number), timeout=60))
        assert told.seq == number or number == FOREIGN, (told.seq, number)

    def read(self) -> int:
        return prefix(self.do(self._all()))

    async def _all(self) -> list[int]:
        found: list[int] = []
        config = ConsumerConfig(ack_policy=AckPolicy.NONE)
        reader = await self._stream.pull_subscribe("numbers.>", stream="numbers", config=config)
        while (await reader.consumer_info()).num_pending:
            for message in await reader.fetch(500, timeout=5):
                number = int(message.data.split(b":")[0])
                assert message.data == _text(number), "torn"
                found.append(number)
        await reader.unsubscribe()
        return found


class Position(_Bus):
    """How far a durable consumer has come with its own stream, whose messages were there before."""

    MESSAGES = 20_000

    def first(self) -> None:
        self.do(self._fill())
        self.open_consumer()

    async def _fill(self) -> None:
        await self._stream.add_stream(name="work", subjects=["work"])
        for number in range(1, self.MESSAGES):
            await self._connection.publish("work", b"%d" % number)
        told = await self._stream.publish("work", b"%d" % self.MESSAGES, timeout=60)
        assert told.seq == self.MESSAGES

    def open_consumer(self) -> None:
        config = ConsumerConfig(durable_name="worker", max_ack_pending=1, ack_wait=2)
        self._worker = self.do(self._stream.pull_subscribe("work", "worker", config=config))

    def write(self, number: int) -> None:
        while True:
            [message] = self.do(self._worker.fetch(1, timeout=60))
            self.do(message.ack_sync(timeout=60))
            if (told := int(message.data)) == number:
                return
            assert told < number, (told, number)  # it was asked for again in time

    def read(self) -> int:
        info = self.do(self._stream.consumer_info("work", "worker"))
        assert info.ack_floor is not None
        return int(info.ack_floor.stream_seq)

    def goes_on(self) -> int:
        """Return the number that the consumer is given next."""
        self.open_consumer()
        [message] = self.do(self._worker.fetch(1, timeout=60))
        self.do(message.ack_sync(timeout=60))
        return int(message.data)


class Keys(_Bus):
    """One key of a key-value bucket, put again and again."""

    def first(self) -> None:
        self.do(self._stream.create_key_value(bucket="keys"))
        self.write(0)

    def write(self, number: int) -> None:
        async def put() -> None:
            bucket = await self._stream.key_value("keys")
            await bucket.put("key", _text(number))

        self.do(put())

    def read(self) -> int:
        async def get() -> bytes:
            bucket = await self._stream.key_value("keys")
            return (await bucket.get("key")).value or b""

        return _number(self.do(get()))


class _Storage(Writer):
    service = "azurite"


class Blobs(_Storage):
    """A blob for each number, of several sizes."""

    def open(self) -> None:
        self._client = BlobServiceClient.from_connection_string(
            self.env[CONNECTION],
            retry_total=0,
            max_single_put_size=64 << 10,
            max_block_size=64 << 10,
        )
        self._container = self._client.get_container_client("numbers")

    def close(self) -> None:
        self._client.close()

    def first(self) -> None:
        self._container.create_container()

    def write(self, number: int) -> None:
        content = _text(number, SIZES[number % len(SIZES)])
        self._container.upload_blob(f"{number:09}", content, overwrite=False)

    def read(self) -> int:
        names = [int(name) for name in self._container.list_blob_names()]
        for number in names:
            content = self._container.download_blob(f"{number:09}").readall()
            assert content == _text(number, SIZES[number % len(SIZES)]), f"torn: {number}"
        return prefix(names)


class Versions(Blobs):
    """One blob, written over again and again; its size changes."""

    def open(self) -> None:
        super().open()
        self._container = self._client.get_container_client("versions")

    def first(self) -> None:
        super().first()
        self.write(0)

    def write(self, number: int) -> None:
        content = _text(number, SIZES[number % len(SIZES)])
        self._container.upload_blob("same", content, overwrite=True)

    def read(self) -> int:
        content = self._container.download_blob("same").readall()
        number = _number(content)
        assert content == _text(number, SIZES[number % len(SIZES)]), "torn"
        return number


class Gone(Blobs):
    """Blobs of which only the newest is there: each is deleted when the next one is."""

    def open(self) -> None:
        super().open()
        self._container = self._client.get_container_client("gone")
        self._previous: int | None = None

    def first(self) -> None:
        super().first()
        self.write(0)

    def write(self, number: int) -> None:
        self._container.upload_blob(f"{number}", _text(number))
        if self._previous is not None:
            self._container.delete_blob(f"{self._previous}")
        self._previous = number

    def read(self) -> int:
        names = sorted(int(name) for name in self._container.list_blob_names())
        assert len(names) in (1, 2), names
        assert names[-1] - names[0] == len(names) - 1, names
        return names[0]


class Queue(_Storage):
    """Messages of a queue."""

    def open(self) -> None:
        self._client = QueueServiceClient.from_connection_string(
            self.env[CONNECTION], retry_total=0
        )
        self._queue = self._client.get_queue_client("numbers")

    def close(self) -> None:
        self._client.close()

    def first(self) -> None:
        self._queue.create_queue()

    def write(self, number: int) -> None:
        self._queue.send_message(f"{number}")

    def read(self) -> int:
        found = list(self._queue.receive_messages(messages_per_page=32, visibility_timeout=60))
        for message in found:  # they are read again
            self._queue.update_message(message, visibility_timeout=0)
        return prefix(int(message.content) for message in found)


class Rows(_Storage):
    """Rows of a table: one, then two in one transaction, and so on."""

    def open(self) -> None:
        self._client = TableServiceClient.from_connection_string(
            self.env[CONNECTION], retry_total=0
        )
        self._table = self._client.get_table_client("numbers")

    def close(self) -> None:
        self._client.close()

    def first(self) -> None:
        self._client.create_table("numbers")

    def write(self, number: int) -> None:
        rows = [{"PartitionKey": "all", "RowKey": f"{number:09}{s}", "n": number} for s in "ab"]
        self._table.submit_transaction([("create", row) for row in rows])

    def read(self) -> int:
        keys = [row["RowKey"] for row in self._table.list_entities()]
        first = sorted(int(key[:-1]) for key in keys if key[-1] == "a")
        second = sorted(int(key[:-1]) for key in keys if key[-1] == "b")
        assert first == second, "torn"
        return prefix(first)


class Row(Rows):
    """One row, replaced again and again."""

    def open(self) -> None:
        super().open()
        self._table = self._client.get_table_client("row")

    def first(self) -> None:
        self._client.create_table("row")
        self.write(0)

    def write(self, number: int) -> None:
        row = {"PartitionKey": "all", "RowKey": "same", "n": number, "again": f"{number}"}
        self._table.upsert_entity(row, mode=UpdateMode.REPLACE)

    def read(self) -> int:
        row = self._table.get_entity("all", "same")
        assert f"{row['n']}" == row["again"], row
        return int(row["n"])


FOREIGN = 10_000_000
"""The number that is written to a fork, and must never be seen in its source."""

WRITERS: tuple[type[Writer], ...] = (
    *(Pairs, Marker, Labels, Messages, Position, Keys),
    *(Blobs, Versions, Gone, Queue, Rows, Row),
)
SLOW: dict[type[Writer], float] = {Labels: 0.3, Queue: 0.1, Blobs: 0.04, Rows: 0.02}
"""Seconds between two numbers, where not `_PAUSE_S`."""

_PAUSE_S = 0.02


class Stream:
    """A writer that writes in a thread of its own until it is told to stop."""

    def __init__(self, writer: Writer, pace: float = 1) -> None:
        self.writer = writer
        self.pause = SLOW.get(type(writer), _PAUSE_S) * pace
        self.name = type(writer).__name__
        self.acknowledged: list[float] = []
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        writer.first()

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.writer.write(len(self.acknowledged) + 1)
                self.acknowledged.append(time.monotonic())
                time.sleep(random.uniform(0, 2 * self.pause))
        except BaseException as error:  # noqa: BLE001 - told by `check`
            self.error = error

    def before(self, moment: float) -> int:
        """Return how many numbers were acknowledged before a moment."""
        return bisect_left(self.acknowledged, moment)

    def longest_wait(self, since: float) -> float:
        """Return the longest time between two acknowledgements."""
        times = self.acknowledged[max(0, self.before(since) - 1) :]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    def check(self) -> None:
        """Raise what the writer met."""
        if self.error is not None:
            raise AssertionError(f"{self.name} was refused: {self.error!r}") from self.error

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), f"{self.name} hangs"


class Crowd:
    """All writers at once on one session."""

    def __init__(
        self,
        env: Env,
        services: Iterable[str] = ("neo4j", "nats", "azurite"),
        pace: float = 1,
    ) -> None:
        kinds = [kind for kind in WRITERS if kind.service in services]
        self.streams = [Stream(kind(env), pace) for kind in kinds]
        for stream in self.streams:
            stream.start()

    def written(self) -> list[int]:
        return [len(stream.acknowledged) for stream in self.streams]

    def go_on(self, more: int = 2) -> None:
        """Return when each has written more; a writer that was refused, or hangs, is an error."""
        goals = [number + more for number in self.written()]
        deadline = time.monotonic() + 30
        while any(n < goal for n, goal in zip(self.written(), goals, strict=True)):
            for stream in self.streams:
                stream.check()
            assert time.monotonic() < deadline, (self.written(), goals)
            time.sleep(0.02)

    def end(self) -> None:
        """Stop writing, and check that the session has all of it, and nothing else."""
        for stream in self.streams:
            stream.stop()
            stream.check()
        for stream in self.streams:
            last = stream.writer.read()
            assert last == len(stream.acknowledged), (stream.name, last, len(stream.acknowledged))

    def close(self) -> None:
        for stream in self.streams:
            stream.stop()
            stream.writer.close()


def _text(number: int, size: int = 400) -> bytes:
    """Return a content that tells its number, and whether it is whole."""
    piece = f"{number}:".encode()
    return (piece * (size // len(piece) + 1))[:size] + b"."


def _number(content: bytes) -> int:
    return int(content.split(b":")[0])
