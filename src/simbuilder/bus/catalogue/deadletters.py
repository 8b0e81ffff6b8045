"""Events that no worker could do anything with."""

from typing import ClassVar, Literal

from pydantic import Field

from simbuilder.bus.events import EventData

Cause = Literal["failed", "crashed", "rejected", "timed-out", "malformed", "unknown-type"]
"""`failed`: the handler raised, each time. `crashed`: its worker died over it, each time.
`rejected`: the handler will never take it. `timed-out`: the handler took too long, each time.
`malformed`: it is no event, or its data is not what its type says. `unknown-type`: the queue's
handler does not know the type, or not this version of it."""


class MessageFailed(EventData):
    """A queue has given up on a message, which is kept in here."""

    TYPE: ClassVar[str] = "sim.deadletters.v1.message.failed"

    queue: str = Field(description="The queue that gave up.", examples=["planner"])
    cause: Cause = Field(description="Why.")
    error: str = Field(description="The last error: its class and what it said.")
    attempts: int = Field(description="How often it was tried.", ge=0)
    stream: str = Field(description="The stream that has the message.", examples=["SIM_WORKFLOW"])
    sequence: int = Field(description="Its place in that stream.", ge=1)
    subject: str = Field(description="What it was published under.")
    event: str | None = Field(default=None, description="The event's id, if it is an event.")
    type: str | None = Field(default=None, description="The event's type, if it is an event.")
    key: str | None = Field(default=None, description="The event's key, if it has one.")
    original: str | None = Field(default=None, description="The message itself, if it is text.")
    original_base64: str | None = Field(
        default=None, description="The message itself, if it is not."
    )
