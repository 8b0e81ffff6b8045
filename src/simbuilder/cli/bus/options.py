"""What the commands of the bus share: their options, moments, and the words offered on Tab."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simbuilder.bus.protocol import Bus, QueueState, StreamState

Place = int | datetime
"""Where in a stream: a sequence, or a time."""


def streams() -> list[str]:
    """Offer the declared streams."""
    from simbuilder.bus.declarations import DECLARED

    return [stream.name for stream in DECLARED.streams]


def types() -> list[str]:
    """Offer the declared types of events."""
    from simbuilder.bus.catalogue import CATALOGUE

    return [kind.TYPE for kind in CATALOGUE]


StreamName = Annotated[
    str | None,
    typer.Option(
        "--stream",
        metavar="STREAM",
        help="Of this stream only, such as SIM_WORKFLOW.",
        autocompletion=streams,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


# --- moments ----------------------------------------------------------------------------------


def moment(text: str) -> datetime:
    """Return a time that is given as such, or as a span before now. Raises `UsageError`."""
    from datetime import UTC

    from simbuilder.sessions import expiry

    return expiry.since(text, datetime.now(UTC))


def place(text: str) -> Place:
    """Return a sequence, or the time that is meant. Raises `UsageError`."""
    if text.isascii() and text.isdigit():
        return max(1, min(int(text[:20]), 2**63))
    return moment(text)


# --- streams ----------------------------------------------------------------------------------


async def the_streams(
    bus: "Bus", name: str | None = None, pattern: str = ">"
) -> "list[StreamState]":
    """Return the stream of that name, or the declared ones that may hold such subjects.

    Raises `NoStreamError` if there is none, `BadNameError` for what is no pattern.
    """
    from simbuilder.bus.declarations import DECLARED
    from simbuilder.bus.errors import NoStreamError
    from simbuilder.bus.subjects import checked_pattern

    checked_pattern(pattern)
    there = await bus.streams()
    ours = {stream.name for stream in DECLARED.streams}
    wanted = [one for one in there if (one.name in ours if name is None else one.name == name)]
    if not wanted:
        what = "none of the declared streams is" if name is None else f"stream {name!r:.80} is not"
        raise NoStreamError(f"{what} there", _known(there))
    found = [one for one in wanted if any(overlap(pattern, each) for each in one.subjects)]
    if not found:
        raise NoStreamError(
            f"no stream has subjects like {pattern!r:.80}", "'simbuilder bus streams' shows theirs"
        )
    return found


def _known(there: "Sequence[StreamState]") -> str:
    if not there:
        return "'simbuilder bus ensure' makes the declared ones"
    return f"there are: {', '.join(one.name for one in there)}"


def overlap(one: str, other: str) -> bool:
    """Say whether there can be a subject that two patterns both take."""
    left, right = one.split("."), other.split(".")
    for a, b in zip(left, right, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(left) == len(right)


async def the_queue(bus: "Bus", name: str) -> "QueueState":
    """Return how the queue of that name is. Raises `NoStreamError` if there is none."""
    from simbuilder.bus.errors import NoStreamError

    there = await bus.queues()
    for queue in there:
        if queue.name == name:
            return queue
    known = ", ".join(sorted(queue.name for queue in there))
    raise NoStreamError(
        f"there is no queue {name!r:.80}",
        f"there are: {known}"
        if known
        else "the program that works on it makes it: start that first",
    )
