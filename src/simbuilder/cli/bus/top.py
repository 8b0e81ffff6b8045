"""`bus top`: what streams and queues do right now."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.bus.desk import INTERRUPTED, run
from simbuilder.cli.common import Json, Reference, command_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from simbuilder.bus.protocol import Bus, QueueState, StreamState
    from simbuilder.cli.bus.desk import Desk
    from simbuilder.cli.bus.outputs import QueueRate, Rates, StreamRate
    from simbuilder.sessions.result import Result

NAME = "bus top"
_SHORTEST_S, _LONGEST_S = 0.1, 3600.0

app = command_group()


def _interval(seconds: float) -> float:
    if not _SHORTEST_S <= seconds <= _LONGEST_S:  # also refuses nan
        raise typer.BadParameter("give a number of seconds from 0.1 on")
    return seconds


@app.command(epilog="Examples:  simbuilder bus top  |  simbuilder bus top --once --json")
def top(
    session: Reference = None,
    interval: Annotated[
        float,
        typer.Option(
            "--interval", callback=_interval, metavar="S", help="Seconds between two looks."
        ),
    ] = 2,
    once: Annotated[
        bool, typer.Option("--once", help="Two looks, and what lies between them.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show streams and queues live, until Ctrl-C.

    Rates are of a second: events stored in a stream, and how far a queue goes through its stream.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import Result, Status, success

        if as_json and not once:
            raise UsageError("--json is for one look", "as in: bus top --once --json")
        server = desk.server(session)
        short = server.session.short
        if once:
            return success(NAME, server.run(lambda bus: _once(bus, short, interval)))
        try:
            server.run(lambda bus: _on_and_on(bus, short, interval))
        except KeyboardInterrupt:  # how it ends, as a rule
            return Result(NAME, Status.SUCCESS, exit_status=INTERRUPTED)
        return success(NAME, {})

    return run(NAME, as_json, action)


@dataclass(frozen=True)
class Look:
    """What a bus had at a moment of the monotonic clock."""

    at: float
    streams: "Mapping[str, StreamState]"
    queues: "Mapping[str, QueueState]"


async def _look(bus: "Bus") -> Look:
    streams = {one.name: one for one in await bus.streams()}
    queues = {one.name: one for one in await bus.queues()}
    return Look(time.monotonic(), streams, queues)


async def _once(bus: "Bus", session: str, interval: float) -> "Rates":
    import asyncio

    before = await _look(bus)
    await asyncio.sleep(interval)
    return rates(session, before, await _look(bus))


async def _on_and_on(bus: "Bus", session: str, interval: float) -> None:
    import asyncio

    from simbuilder.cli.bus.views import drawn

    before = await _look(bus)
    with _drawing() as draw:
        draw(drawn(rates(session, before, before)))
        while True:
            await asyncio.sleep(interval)
            after = await _look(bus)
            draw(drawn(rates(session, before, after)))
            before = after


@contextmanager
def _drawing() -> "Iterator[Callable[[list[str]], None]]":
    """Give what draws lines over the last ones, or beneath them where nothing can be redrawn."""
    from simbuilder.cli import render, streams

    if streams.has_screen():
        with render.redrawn() as draw:
            yield lambda lines: draw("\n".join(lines))
        return

    def write(lines: list[str]) -> None:
        for one in (*lines, ""):
            streams.line(one)
        streams.flush()

    yield write


# --- rates ------------------------------------------------------------------------------------


def rates(session: str, before: Look, after: Look) -> "Rates":
    """Return what happened between two looks."""
    seconds = after.at - before.at
    streams = sorted(after.streams.values(), key=lambda one: one.name)
    queues = sorted(after.queues.values(), key=lambda one: (one.stream, one.name))
    return {
        "session": session,
        "seconds": round(seconds, 3),
        "streams": [_stream(before.streams.get(one.name), one, seconds) for one in streams],
        "queues": [_queue(before.queues.get(one.name), one, seconds) for one in queues],
    }


def _stream(before: "StreamState | None", after: "StreamState", seconds: float) -> "StreamRate":
    came = after.last_sequence - before.last_sequence if before else 0
    return {
        "name": after.name,
        "messages": after.messages,
        "in_per_s": _rate(came, seconds),
    }


def _queue(before: "QueueState | None", after: "QueueState", seconds: float) -> "QueueRate":
    done = after.done - before.done if before else 0
    return {
        "name": after.name,
        "stream": after.stream,
        "lag": after.lag,
        "pending": after.pending,
        "redelivered": after.redelivered,
        "out_per_s": _rate(done, seconds),
    }


def _rate(number: int, seconds: float) -> float:
    return round(max(0, number) / seconds, 1) if seconds > 0 else 0.0
