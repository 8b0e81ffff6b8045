"""What a bus can do, whichever it is: the seam that `JetStreamBus` and `MemoryBus` implement.

The contract suite (tests/contract/test_bus_*.py) holds both to what is promised here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from simbuilder.bus.declarations import DECLARED, Declaration, Queue
from simbuilder.bus.events import Event

DEADLINE_S = 30.0
"""For so long what fails and could succeed is tried again."""

WINDOW = 256
"""So many events may be on their way without an acknowledgement."""

MESSAGE_ID = "Nats-Msg-Id"
"""The header by which a stream knows what it has stored already; else it is `Event.identity`."""

Headers = Mapping[str, str]
Responder = Callable[[Event], Awaitable[Event]]

Where = Literal["first", "last", "new", "sequence", "time", "last-per-subject"]


@dataclass(frozen=True)
class Start:
    """Where reading begins: `Start("sequence", sequence=7)`, `Start("time", time=...)`."""

    where: Where = "first"
    sequence: int = 0
    time: datetime | None = None


class Ack(NamedTuple):
    """The server has stored an event, or had stored one of that id before (`duplicate`)."""

    stream: str
    sequence: int
    duplicate: bool = False


@dataclass(slots=True)
class Stored:
    """A message as it is in a stream: an event, or else `problem` says why it is none.

    Of an event with large data, `event` has it as `data_ref`; `Bus.whole` fetches it.
    """

    stream: str
    sequence: int
    subject: str
    time: datetime
    """When the server stored it, by the server's clock."""

    raw: bytes
    headers: Headers
    event: Event | None
    problem: str = ""


class Delivery(Protocol):
    """A message that a queue has handed out, until one of the verbs settles it.

    Settling twice does nothing. As long as it is not settled and its `Deliveries` are open, the
    server is told that it is being worked on.
    """

    @property
    def message(self) -> Stored:
        """What was handed out."""

    @property
    def attempt(self) -> int:
        """The first delivery, the second, ... as the server counts them."""

    async def ack(self) -> None:
        """It is done: never deliver it again. The server may lose this where it is killed."""

    async def nak(self, delay_s: float = 0.0) -> None:
        """Deliver it again, to anyone, after a while."""

    async def term(self, reason: str = "") -> None:
        """Never deliver it again, though nothing was done with it."""


class Deliveries(Protocol):
    """Messages of a queue as they come."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Go through them, without an end; each is handed to one reader only."""

    async def finish(self) -> None:
        """Take nothing more, and return at once what no reader was handed.

        What was handed out is kept alive until it is settled or the block of `pull` ends.
        """


@dataclass(frozen=True)
class Entry:
    """A value in a bucket."""

    key: str
    value: bytes
    revision: int
    """Grows with every write to the bucket; `update` and leases compare it."""

    time: datetime
    deleted: bool = False
    """Only `watch` shows what was deleted."""


class KeyValue(Protocol):
    """Values by their keys, which are tokens of letters, digits, `-`, `_`, `=`, `/` and `.`."""

    async def get(self, key: str) -> Entry | None:
        """Return what is there, which in a cluster may be older than the last write."""

    async def put(self, key: str, value: bytes) -> int:
        """Write whatever is there; return the revision."""

    async def create(self, key: str, value: bytes) -> int:
        """Write if nothing is there. Raises `BusConflictError`."""

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Write if that revision is there. Raises `BusConflictError`."""

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete, if that revision is there. Raises `BusConflictError`."""

    async def keys(self) -> list[str]:
        """Return all keys, in order."""

    def watch(self, pattern: str = ">") -> AbstractAsyncContextManager[AsyncIterator[Entry]]:
        """Go through what is there, then through every change as it comes, deletions too."""


@dataclass(frozen=True)
class StreamState:
    """How a stream is."""

    name: str
    about: str
    subjects: tuple[str, ...]
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    first_time: datetime | None
    last_time: datetime | None
    consumers: int
    replicas: int
    leader: str | None
    """The server that leads it in a cluster; `None` where there is one server."""


@dataclass(frozen=True)
class QueueState:
    """How a queue is; of an ordered one, the sum of its partitions."""

    name: str
    stream: str
    subjects: tuple[str, ...]
    """What it takes, without the partitions and what is sent to it alone."""

    ordered: bool
    lag: int
    """Events that no worker has been handed yet."""

    pending: int
    """Events that workers have."""

    redelivered: int
    """Of these, those that were delivered before."""

    delivered: int
    """The sequence in the stream of the last one that was handed out."""

    settled: int
    """Everything up to this sequence in the stream is settled."""

    done: int
    """Deliveries since it was made, repeated ones too, up to the first that is not settled."""

    waiting: int
    """Workers' open requests for more."""


ChangeVerb = Literal["create", "update"]


@dataclass(frozen=True)
class Change:
    """One thing that `ensure` did, or would do, or was not allowed to do."""

    verb: ChangeVerb
    kind: Literal["stream", "queue", "bucket", "payloads"]
    name: str
    what: str = ""
    before: str = ""
    after: str = ""
    lossy: bool = False
    """Whether events are deleted by it."""


@runtime_checkable
class Bus(Protocol):
    """One connection to a bus, from `open_bus` or `MemoryBus`; many tasks at once may use it."""

    async def ensure(
        self,
        declaration: Declaration = DECLARED,
        *,
        allow_loss: bool = False,
        dry_run: bool = False,
    ) -> tuple[Change, ...]:
        """Bring the server to the declaration; return what was changed, nothing the second time.

        What the declaration does not name is left alone. Raises `LossyChangeError` before it
        changes anything, if that would delete events and `allow_loss` does not allow it.
        """

    async def submit(
        self,
        event: Event,
        *,
        subject: str | None = None,
        headers: Headers | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> "asyncio.Future[Ack]":
        """Send an event; wait only while a whole window is on its way. The future has the `Ack`.

        A header `Nats-Msg-Id` takes the place of the event's id where what is stored once is told
        by it: for an event that is sent a second time on purpose.

        Until its deadline an event is sent again when the connection was lost, nobody answers or a
        cluster has no leader. Its id makes that safe: within `duplicates_s` it is stored once.
        Data that is too large for an event is stored first, and the event refers to it.
        The future raises `BusTimeoutError`, `BusFullError`, `NoStreamError`, `BusPermissionError`;
        `submit` itself raises `EventError` and `BadNameError`.
        """

    async def publish(
        self,
        event: Event,
        *,
        subject: str | None = None,
        headers: Headers | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Ack:
        """Send an event and wait for its acknowledgement; raises what `submit` does."""

    def read(
        self,
        stream: str,
        pattern: str = ">",
        start: Start = Start(),
        *,
        follow: bool = False,
    ) -> AsyncIterator[Stored]:
        """Go through what a stream has, in order and without gaps, whatever happens on the way.

        Without `follow` it ends with what was there when it began. Each reader sees all of it.
        Raises `NoStreamError`; `BusConnectionError` if the server stays away for `DEADLINE_S`.
        """

    async def get(self, stream: str, sequence: int) -> Stored | None:
        """Return one message of a stream, or `None` if it is gone."""

    async def drop(self, stream: str, sequence: int) -> bool:
        """Delete one message of a stream; `False` if it was gone."""

    def pull(self, queue: Queue, *, batch: int = 100) -> AbstractAsyncContextManager["Deliveries"]:
        """Take events of a queue, at most `batch` ahead of the reader.

        The queue must be there (`ensure`). What is not settled when the block ends is returned at
        once. Lost connections are mended for as long as it takes.
        """

    async def request(self, subject: str, event: Event, *, deadline_s: float = DEADLINE_S) -> Event:
        """Ask whoever answers that subject, of the domain `request`.

        Raises `NoResponderError`, `BusTimeoutError` at the deadline, and `BusError` with the
        responder's own words.
        """

    def respond(self, subject: str, responder: Responder) -> AbstractAsyncContextManager[None]:
        """Answer requests, each by one of all who answer that subject, for the block.

        At its end what is being answered is finished.

        An error of the responder reaches whoever asked, as its class and what it said.
        """

    def bucket(self, name: str) -> KeyValue:
        """Return a bucket, which must be there (`ensure`): else its verbs raise `NoStreamError`.

        They raise `BadNameError` for what is no key.
        """

    async def whole(self, event: Event) -> Event:
        """Return an event with its data, fetched if it refers to it.

        Raises `EventError` if that is gone or is not what was stored.
        """

    async def streams(self) -> list[StreamState]:
        """Return how the streams are, ours and others, without what buckets are made of."""

    async def queues(self, stream: str | None = None) -> list[QueueState]:
        """Return how the durable queues are, of one stream or all."""

    @property
    def connected(self) -> bool:
        """Whether the server is there right now."""
