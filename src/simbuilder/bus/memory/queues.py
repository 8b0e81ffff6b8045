"""Queues as a server has them: what was handed out, what comes again, and when."""

from collections.abc import Iterator
from dataclasses import replace

from simbuilder.bus.declarations import Queue
from simbuilder.bus.memory.streams import Log, Message, takes
from simbuilder.bus.protocol import QueueState


class Consumer:
    """One durable consumer: its place in the stream, and what it has handed out.

    Times are those of a monotonic clock, in seconds.
    """

    def __init__(self, log: Log, patterns: tuple[str, ...], max_pending: int) -> None:
        self.patterns, self.max_pending = patterns, max_pending
        self.waiting = 0
        self._log = log
        self._looked = 0
        self._delivered = 0
        self._handed = 0
        self._numbers: dict[int, int] = {}
        """Sequence -> the number of its last delivery, of all that is not settled."""

        self._attempts: dict[int, int] = {}
        """Sequence -> how often it was handed out, of all that is not settled."""

        self._due: dict[int, float] = {}
        """Sequence -> when it is handed out again, of what nobody works on."""

    def hand_out(self, now: float) -> tuple[Message, int] | None:
        """Return a message and which attempt this is, or `None` if there is none just now."""
        for sequence in sorted(s for s, due in self._due.items() if due <= now):
            del self._due[sequence]
            message = self._log.get(sequence)
            if message is not None:
                return message, self._count(sequence)
            self.settle(sequence)
        if len(self._attempts) >= self.max_pending:
            return None
        for message in self._log.behind(self._looked):
            self._looked = message.sequence
            if takes(self.patterns, message.subject):
                self._delivered = message.sequence
                return message, self._count(message.sequence)
        return None

    def _count(self, sequence: int) -> int:
        self._handed += 1
        self._numbers[sequence] = self._handed
        self._attempts[sequence] = self._attempts.get(sequence, 0) + 1
        return self._attempts[sequence]

    def give_back(self, sequence: int, due: float) -> None:
        """Hand a message out again from then on, unless it is settled."""
        if sequence in self._attempts:
            self._due[sequence] = due

    def settle(self, sequence: int) -> None:
        """Never hand a message out again."""
        self._attempts.pop(sequence, None)
        self._numbers.pop(sequence, None)
        self._due.pop(sequence, None)

    def next_due(self) -> float | None:
        """Return when there will be something to hand out again."""
        return min(self._due.values(), default=None)

    def state(self, of: Queue) -> QueueState:
        """Return how it is."""
        ahead = self._log.behind(self._looked)
        return QueueState(
            name=of.name,
            stream=of.stream,
            subjects=of.subjects,
            ordered=of.ordered,
            lag=sum(takes(self.patterns, message.subject) for message in ahead),
            pending=len(self._attempts),
            redelivered=sum(attempt > 1 for attempt in self._attempts.values()),
            delivered=self._delivered,
            settled=min(self._attempts) - 1 if self._attempts else self._delivered,
            done=min(self._numbers.values(), default=self._handed + 1) - 1,
            waiting=self.waiting,
        )


class Work:
    """A queue: one consumer, or one for each partition."""

    def __init__(self, declared: Queue, log: Log) -> None:
        self.declared, self.log = declared, log
        self._consumers = self._made()
        self._turn = 0

    def redeclare(self, declared: Queue) -> None:
        """Be another; what was handed out stays so, unless order begins or ends."""
        before, self.declared = self.declared, declared
        if before.ordered != declared.ordered:
            self._consumers = self._made()
        for name, part in declared.consumers().items():
            self._consumers[name].patterns = part.subjects
            self._consumers[name].max_pending = part.most
        self.log.bell.ring()

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """What it is made of."""
        return tuple(self._consumers.values())

    def hand_out(self, now: float) -> tuple[Consumer, Message, int] | None:
        """Return a message, whose it is and which attempt; partitions take turns."""
        every = self.consumers
        for step in range(len(every)):
            place = (self._turn + step) % len(every)
            if (found := every[place].hand_out(now)) is not None:
                self._turn = place + 1
                return every[place], *found
        return None

    def next_due(self) -> float | None:
        """Return when there will be something to hand out again."""
        return min(self._all_due(), default=None)

    def state(self) -> QueueState:
        """Return how it is, with its partitions summed up."""
        parts = [consumer.state(self.declared) for consumer in self.consumers]
        busy = [part.settled for part in parts if part.pending or part.lag]
        return replace(
            parts[0],
            lag=sum(part.lag for part in parts),
            pending=sum(part.pending for part in parts),
            redelivered=sum(part.redelivered for part in parts),
            delivered=max(part.delivered for part in parts),
            settled=min(busy) if busy else max(part.settled for part in parts),
            done=sum(part.done for part in parts),
            waiting=sum(part.waiting for part in parts),
        )

    def _all_due(self) -> Iterator[float]:
        for consumer in self.consumers:
            if (due := consumer.next_due()) is not None:
                yield due

    def _made(self) -> dict[str, Consumer]:
        return {
            name: Consumer(self.log, part.subjects, part.most)
            for name, part in self.declared.consumers().items()
        }
