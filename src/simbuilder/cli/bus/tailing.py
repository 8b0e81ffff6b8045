"""`bus tail`: the latest events of streams, and those that come, as lines."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.bus.desk import run_on
from simbuilder.cli.bus.options import StreamName
from simbuilder.cli.common import Reference, command_group

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from datetime import datetime

    from simbuilder.bus.protocol import Bus, Start, Stored, StreamState
    from simbuilder.cli.bus.desk import Desk

_SOME = 10
_FARTHER = 8
_AHEAD = 1000
"""So many messages may wait to be written before readers wait, too."""

app = command_group()


@dataclass(frozen=True)
class Wanted:
    """What is to be shown: the last `number` messages, or all, since a time, if there is one."""

    pattern: str
    number: int | None
    since: "datetime | None"


@app.command(
    epilog="Examples:  simbuilder bus tail -f  |  simbuilder bus tail 'sim.*.v1.run.>' -n 50  |  "
    "simbuilder bus tail --stream SIM_ERRORS --since 1h --json"
)
def tail(
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help="* is a token, > all that follow.")
    ] = ">",
    session: Reference = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    number: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=0,
            metavar="N",
            help=f"The last N: {_SOME}, or all with --since.",
            show_default=False,
        ),
    ] = None,
    stream: StreamName = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="10m|TIME", help="Nothing older."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as a JSON object.")
    ] = False,
) -> int:
    """Print the latest events of all declared streams, by time.

    What is no event is shown as well, and why it is none.
    """

    def action(desk: "Desk") -> None:
        from simbuilder.cli.bus.options import moment

        begin = None if since is None else moment(since)
        some = _SOME if number is None and since is None else number
        server = desk.server(session)

        async def work(bus: "Bus") -> None:
            await _tail(bus, stream, Wanted(pattern, some, begin), follow, as_json)

        server.run(work)

    return run_on("bus tail", action)


async def _tail(bus: "Bus", name: str | None, wanted: Wanted, follow: bool, as_json: bool) -> None:
    from simbuilder.cli.bus.lines import Printer
    from simbuilder.cli.bus.options import the_streams
    from simbuilder.cli.streams import flush

    streams = await the_streams(bus, name, wanted.pattern)
    show = Printer(as_json)
    async for stored in _past(bus, streams, wanted):
        show(stored)
    flush()
    if follow:
        async with aclosing(_live(bus, streams, wanted.pattern)) as coming:
            async for stored in coming:
                show(stored)
                flush()


# --- what is there ----------------------------------------------------------------------------


async def _past(
    bus: "Bus", streams: "Sequence[StreamState]", wanted: Wanted
) -> "AsyncIterator[Stored]":
    """Go by time through what is wanted of all that streams held when their states were taken."""
    if wanted.number is not None:
        found = [one for stream in streams for one in await _last(bus, stream, wanted)]
        found.sort(key=lambda one: one.time)
        for one in found[max(0, len(found) - wanted.number) :]:
            yield one
        return
    readings = [_held(bus, stream, wanted.pattern, _begin(stream, wanted)) for stream in streams]
    heads = {reading: await anext(reading, None) for reading in readings}
    while there := {reading: head for reading, head in heads.items() if head is not None}:
        first = min(there, key=lambda reading: there[reading].time)
        yield there[first]
        heads[first] = await anext(first, None)


async def _last(bus: "Bus", stream: "StreamState", wanted: Wanted) -> "list[Stored]":
    """Return the last messages of one stream, looked for from the end, farther and farther."""
    from collections import deque

    number = reach = wanted.number or 0
    if not number or not stream.messages:
        return []
    while True:
        begin = _begin(stream, wanted, reach)
        found: deque[Stored] = deque(maxlen=number)
        async for stored in _held(bus, stream, wanted.pattern, begin):
            found.append(stored)
        if len(found) == number or begin.where == "time" or begin.sequence == stream.first_sequence:
            return list(found)
        reach *= _FARTHER


def _begin(stream: "StreamState", wanted: Wanted, reach: int | None = None) -> "Start":
    from simbuilder.bus.protocol import Start

    if wanted.since is not None:
        return Start("time", time=wanted.since)
    back = stream.first_sequence if reach is None else stream.last_sequence - reach + 1
    return Start("sequence", sequence=max(1, stream.first_sequence, back))


async def _held(
    bus: "Bus", stream: "StreamState", pattern: str, begin: "Start"
) -> "AsyncIterator[Stored]":
    """Go through what a stream held when its state was taken."""
    if not stream.messages:
        return
    async for stored in bus.read(stream.name, pattern, begin):
        if stored.sequence > stream.last_sequence:
            return
        yield stored


# --- what comes -------------------------------------------------------------------------------


async def _live(
    bus: "Bus", streams: "Sequence[StreamState]", pattern: str
) -> "AsyncGenerator[Stored, None]":
    """Go through what comes after the states were taken: every stream has a reader of its own."""
    import asyncio

    queue: asyncio.Queue[Stored | Exception] = asyncio.Queue(_AHEAD)
    readers = [asyncio.create_task(_pour(bus, each, pattern, queue)) for each in streams]
    try:
        while True:
            one = await queue.get()
            if isinstance(one, Exception):
                raise one
            yield one
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def _pour(
    bus: "Bus",
    stream: "StreamState",
    pattern: str,
    queue: "asyncio.Queue[Stored | Exception]",
) -> None:
    from simbuilder.bus.protocol import Start

    try:
        start = Start("sequence", sequence=stream.last_sequence + 1)
        async for stored in bus.read(stream.name, pattern, start, follow=True):
            await queue.put(stored)
    except Exception as error:  # noqa: BLE001 - whoever takes from the queue raises it
        await queue.put(error)
