"""What a handler is given, and what it may raise."""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from simbuilder.bus.events import Event, EventData
from simbuilder.bus.making import following_id, new_event
from simbuilder.bus.protocol import Ack, Bus, Stored


class Reject(Exception):  # noqa: N818 - what a handler says, not what went wrong in it
    """Raised by a handler that will never take this event: it becomes a dead letter at once."""


class Retry(Exception):  # noqa: N818
    """Raised by a handler that wants the event again, after `after_s` or as its queue says.

    It counts as a failed attempt. Raises `ValueError` for a pause that is none.
    """

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        if after_s is not None and not 0 <= after_s < inf:
            raise ValueError(f"one cannot wait for {after_s} seconds")
        super().__init__(reason)
        self.after_s = after_s


@dataclass
class Job:
    """One attempt at one event."""

    event: Event
    data: Any
    """The event's data: an object of its declared class, or whatever JSON it is."""

    attempt: int
    """The first, the second, ... of this event at this queue."""

    key: str
    """The same in each attempt: whatever the handler writes under it elsewhere, it writes once."""

    message: Stored
    bus: Bus = field(repr=False)
    source: str = ""
    _published: int = 0

    async def publish(self, data: EventData, key: str | None = None) -> Ack:
        """Publish an event that follows from this one; it has this one's key unless given another.

        Its id follows from this job's key and from how many the handler published before it, so an
        attempt that does the same again publishes nothing twice (within the stream's window).
        """
        self._published += 1
        made = new_event(
            data, self.source, cause=self.event, key=self.event.key if key is None else key
        )
        id_ = following_id(self.key, data.TYPE, str(self._published))
        return await self.bus.publish(made.with_(made.data, id=id_))
