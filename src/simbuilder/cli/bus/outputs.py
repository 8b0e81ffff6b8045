"""What the commands of the bus print with `--json`, as `sessions.outputs` does. Pure: types alone.

Times are of the server's clock unless they say otherwise: UTC, in ISO 8601.
"""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12


class ChangeData(TypedDict):
    """Something that differed from the declaration."""

    verb: Literal["create", "update", "keep"]
    """What was done about it, or would be; `keep`: nothing, as it must not be changed."""
    kind: Literal["stream", "queue", "bucket", "payloads"]
    name: str
    what: str
    """The property that differs; empty for what is new."""
    before: str
    after: str
    lossy: bool
    """Whether events are deleted by it."""


class Ensured(TypedDict):
    """What it took to have all that is declared."""

    session: str
    """The first eight characters of its id."""
    dry_run: bool
    changes: list[ChangeData]
    """Empty if all of it was there."""


class StreamData(TypedDict):
    """A stream."""

    name: str
    about: str
    subjects: list[str]
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    """The last that was ever given; 0 if none was."""
    first_time: str | None
    last_time: str | None
    consumers: int
    replicas: int
    leader: str | None
    """The server that leads it in a cluster; null where there is one server."""


class Streams(TypedDict):
    """The streams of a server, ours and others."""

    session: str
    """The first eight characters of its id."""
    streams: list[StreamData]


class ConsumerData(TypedDict):
    """A queue; of an ordered one the sum of its partitions."""

    name: str
    stream: str
    subjects: list[str]
    """What it takes."""
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


class Consumers(TypedDict):
    """The queues of a server."""

    session: str
    """The first eight characters of its id."""
    consumers: list[ConsumerData]


class Published(TypedDict):
    """An event that the server has stored."""

    id: str
    type: str
    subject: str
    stream: str
    sequence: int
    duplicate: bool
    """Whether an event of that id had been stored before, which then is the one there is."""


class Replied(TypedDict):
    """The answer to a request."""

    id: str
    type: str
    source: str
    data: object


class EventLine(TypedDict):
    """A message of a stream, as `bus tail` and `bus replay` print it."""

    stream: str
    sequence: int
    time: str
    """When it was stored."""
    subject: str
    event: dict[str, object] | None
    """The event as CloudEvents 1.0 has it in JSON; null if it is none."""
    problem: str | None
    """Why it is no event."""
    raw: str | None
    """What is there instead of one; bytes that are no text are escaped."""


class SentLine(TypedDict):
    """What `bus replay --into` did, or with `--dry-run` would do."""

    stream: str
    queue: str
    run: str
    """What tells this replay from others: the header `Sim-Run` of each event."""
    sent: int
    skipped: int
    """Messages that are no events, and those that were themselves sent to a queue again."""
    dry_run: bool


class LetterData(TypedDict):
    """A message that a queue has given up on."""

    sequence: int
    """Its sequence among the dead letters, by which it is named."""
    time: str
    """When the queue gave up."""
    queue: str
    cause: Literal["failed", "crashed", "rejected", "timed-out", "malformed", "unknown-type"]
    error: str
    """The last error: its class and what it said."""
    attempts: int
    stream: str
    stream_sequence: int
    """Its place in that stream."""
    subject: str
    """What it was published under."""
    event: str | None
    """The event's id; null if it is no event, as are the next two."""
    type: str | None
    key: str | None


class Letters(TypedDict):
    """Dead letters, oldest first."""

    session: str
    """The first eight characters of its id."""
    messages: list[LetterData]
    total: int
    """How many there are, of which `messages` has the newest."""


class Letter(LetterData):
    """A dead letter with the message itself."""

    original: str | None
    """The message, if it is text."""
    original_base64: str | None
    """The message, if it is not."""


class RetriedData(TypedDict):
    """A message that was sent to its queue again."""

    letter: int
    queue: str
    event: str | None
    stream: str
    sequence: int
    """Where it is now."""


class Retried(TypedDict):
    """What was sent to its queue again."""

    session: str
    """The first eight characters of its id."""
    retried: list[RetriedData]


class Dropped(TypedDict):
    """Dead letters that were deleted."""

    session: str
    """The first eight characters of its id."""
    dropped: list[int]


class StreamRate(TypedDict):
    """A stream between two looks."""

    name: str
    messages: int
    in_per_s: float
    """Events stored in a second."""


class QueueRate(TypedDict):
    """A queue between two looks."""

    name: str
    stream: str
    lag: int
    pending: int
    redelivered: int
    out_per_s: float
    """Deliveries that are settled, as `done` of `bus consumers` counts them."""


class Rates(TypedDict):
    """What a bus does."""

    session: str
    """The first eight characters of its id."""
    seconds: float
    """How long lay between the two looks."""
    streams: list[StreamRate]
    queues: list[QueueRate]
