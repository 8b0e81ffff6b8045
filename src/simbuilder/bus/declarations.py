"""What a server must have, as data: streams that keep events, and queues that share out work. Pure.

Streams have no limit of bytes: JetStream sets that much of the disk aside when a stream is made, so
a small disk would refuse even an empty bus (nats-server 2.15). Limits of messages and of age bound
them. On a full disk the server acknowledges nothing more; what it had acknowledged stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from simbuilder.bus.errors import BadNameError
from simbuilder.bus.subjects import (
    NO_KEY,
    ROOT,
    checked_pattern,
    checked_queue,
    domain_of,
    matches,
    partitions,
    retry_subject,
)

MINUTE_S = 60.0
DAY_S = 24 * 60 * MINUTE_S

_PARTS = 5

Discard = Literal["new", "old"]
"""What a full stream does: refuse the new, or delete the oldest."""


@dataclass(frozen=True)
class Stream:
    """Events of some subjects, kept in the order in which they arrived."""

    name: str
    about: str
    subjects: tuple[str, ...]
    max_age_s: float
    max_messages: int
    discard: Discard
    replicas: int = 1
    max_message_bytes: int = 1024 * 1024
    duplicates_s: float = 2 * MINUTE_S
    """For how long an id is remembered: what is published again within it is not stored again."""


class Part(NamedTuple):
    """One durable consumer of a queue."""

    subjects: tuple[str, ...]
    most: int
    """So many of its events at most are with workers at once."""


@dataclass(frozen=True)
class Queue:
    """Work that any number of workers share: each event goes to one of them until it is settled.

    A new queue begins with what its stream has kept. On the server it is a durable pull consumer,
    or one for each partition if it is `ordered`; whoever changes that has it begin anew.
    """

    name: str
    about: str
    stream: str
    subjects: tuple[str, ...]
    ordered: bool = False
    """Whether events of one key are taken in the order of publishing, one after the other.

    Events without a key it takes in no order.
    """

    ack_wait_s: float = 30.0
    """After so long without a sign of life from its worker an event goes to another.

    Not less than 6 seconds where servers may die: it takes a worker up to 2 to be connected again.
    """

    max_deliver: int = 5
    """After so many failed attempts an event is a dead letter."""

    backoff_s: tuple[float, ...] = (1.0, 5.0, 15.0, 60.0)
    """How long to wait after the first failure, the second, ...; the last holds for all others.

    All of them together are less than the time for which a stream remembers an id, so that what
    an attempt has published is not stored again by the next ones.
    """

    max_pending: int = 1000
    """So many events at most are with workers at once."""

    def __post_init__(self) -> None:
        checked_queue(self.name)
        if not self.subjects:
            raise BadNameError(f"queue {self.name} has no subject", "give it one at least")
        for subject in self.subjects:
            parts = checked_pattern(subject).split(".")
            if len(parts) < _PARTS and parts[-1] != ">":
                raise BadNameError(
                    f"queue {self.name}: {subject!r} is no pattern of subjects of events",
                    "as in sim.workflow.v1.run.* or sim.workflow.>",
                )
        domains = {domain_of(subject) for subject in self.subjects}
        if not domains.isdisjoint("*>"):
            raise BadNameError(f"queue {self.name} names no domain", "as in sim.workflow.>")
        if len(domains) > 1 or not all(s.startswith(f"{ROOT}.") for s in self.subjects):
            raise BadNameError(
                f"queue {self.name} takes subjects of several domains", "make a queue of each"
            )
        if self.ordered and any(s.endswith(">") for s in self.subjects):
            raise BadNameError(
                f"queue {self.name} is ordered, so its subjects cannot end in '>'", "name them all"
            )

    @property
    def domain(self) -> str:
        """The domain of all its subjects."""
        return domain_of(self.subjects[0])

    def consumers(self) -> Mapping[str, Part]:
        """Return the durable consumers that it is made of, by their names.

        Whatever has a key has a partition behind its subject; so has what is to be taken again.
        """
        again = retry_subject(self.domain, self.name, None)
        taken = any(matches(subject, again) for subject in self.subjects)
        whole = self.subjects if taken else (*self.subjects, again)
        if not self.ordered:
            ends = tuple(s for s in whole if not s.endswith(">"))
            every = (*whole, *(f"{subject}.*" for subject in ends))
            return {self.name: Part(every, self.max_pending)}
        return {
            f"{self.name}{NO_KEY}": Part(whole, self.max_pending),
            **{
                f"{self.name}-{part}": Part(tuple(f"{subject}.{part}" for subject in whole), 1)
                for part in partitions()
            },
        }

    def pause_s(self, attempts: int) -> float:
        """Return how long to wait after so many failed attempts."""
        return self.backoff_s[min(attempts, len(self.backoff_s)) - 1] if self.backoff_s else 0.0


@dataclass(frozen=True)
class Bucket:
    """Values by their keys."""

    name: str
    about: str
    max_age_s: float = 0.0
    replicas: int = 1


@dataclass(frozen=True)
class Declaration:
    """All that a server must have."""

    streams: tuple[Stream, ...] = ()
    queues: tuple[Queue, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    payloads_max_age_s: float = 30 * DAY_S
    """As long as any stream keeps what may refer to them."""

    replicas: int = 1

    def replicated(self, replicas: int) -> "Declaration":
        """Return the same with so many copies of all of it: 3 survive the loss of one server."""
        return replace(
            self,
            replicas=replicas,
            streams=tuple(replace(each, replicas=replicas) for each in self.streams),
            buckets=tuple(replace(each, replicas=replicas) for each in self.buckets),
        )

    def with_queues(self, queues: Iterable[Queue]) -> "Declaration":
        """Return the same with more queues."""
        return replace(self, queues=(*self.queues, *queues))

    def stream_of(self, subject: str) -> Stream | None:
        """Return the stream that keeps a subject."""
        return next((s for s in self.streams if any(matches(p, subject) for p in s.subjects)), None)


WORK = Bucket("sim_work", "what workers took up and finished, so that nothing is done twice", DAY_S)
WORKERS = Bucket("sim_workers", "signs of life of workers", DAY_S)
STATE = Bucket("sim_state", "what agents and services remember")
PAYLOADS = "sim_payloads"
"""The object store with data that is too large for an event."""

WORKFLOW = Stream(
    "SIM_WORKFLOW",
    "what runs and their steps ask for and report; full, it refuses: none of it may be lost",
    (f"{ROOT}.workflow.>",),
    max_age_s=7 * DAY_S,
    max_messages=5_000_000,
    discard="new",
)
HEALTH = Stream(
    "SIM_HEALTH",
    "how services and workers are; full, it forgets the oldest",
    (f"{ROOT}.health.>",),
    max_age_s=DAY_S,
    max_messages=200_000,
    discard="old",
)
ERRORS = Stream(
    "SIM_ERRORS",
    "what went wrong anywhere; full, it forgets the oldest",
    (f"{ROOT}.errors.>",),
    max_age_s=30 * DAY_S,
    max_messages=500_000,
    discard="old",
)
DEADLETTERS = Stream(
    "SIM_DEADLETTERS",
    "events that no worker could do anything with, each with the reason; full, it refuses",
    (f"{ROOT}.deadletters.>",),
    max_age_s=30 * DAY_S,
    max_messages=1_000_000,
    discard="new",
)

DECLARED = Declaration(
    streams=(WORKFLOW, HEALTH, ERRORS, DEADLETTERS),
    buckets=(WORK, WORKERS, STATE),
)
