"""`bus replay`: what a stream has kept, printed, or sent to one queue once more."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.bus.desk import run, run_on
from simbuilder.cli.bus.options import Place, Yes, place, streams
from simbuilder.cli.common import Reference, command_group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simbuilder.bus.protocol import Bus, QueueState, Start, Stored
    from simbuilder.cli.bus.desk import Desk, Server
    from simbuilder.cli.bus.outputs import SentLine
    from simbuilder.sessions.result import Result

NAME = "bus replay"
_PLACE = "SEQ|TIME|10m"

app = command_group()


@dataclass(frozen=True)
class Part:
    """A part of a stream: what is like the pattern, from one place to another, both included."""

    stream: str
    pattern: str
    begin: Place
    end: Place | None


@app.command(
    epilog="Examples:  simbuilder bus replay SIM_WORKFLOW --from 1h  |  "
    "simbuilder bus replay SIM_WORKFLOW 'sim.*.v1.run.>' --from 1 --to 500 --json  |  "
    "simbuilder bus replay SIM_WORKFLOW --from 2030-01-31T18:00 --into planner --dry-run"
)
def replay(
    stream: Annotated[
        str,
        typer.Argument(metavar="STREAM", help="Such as SIM_WORKFLOW.", autocompletion=streams),
    ],
    begin: Annotated[
        str, typer.Option("--from", metavar=_PLACE, help="A sequence, a time, or so long ago.")
    ],
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help="* is a token, > all that follow.")
    ] = ">",
    end: Annotated[
        str | None,
        typer.Option("--to", metavar=_PLACE, help="The last; all there is if left out."),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="QUEUE", help="Send them again, to this queue alone."),
    ] = None,
    session: Reference = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what --into would send.")
    ] = False,
    yes: Yes = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event, or what was sent, as a JSON object.")
    ] = False,
) -> int:
    """Print what a stream has kept, or send it to a queue again.

    To the workers of that queue what is sent is new: they do it once more. No other queue gets it.
    """

    def part() -> Part:
        from simbuilder.scaffolding.exceptions import UsageError

        first, until = place(begin), None if end is None else place(end)
        times = isinstance(first, datetime), isinstance(until, datetime)
        if until is not None and times[0] == times[1] and first > until:  # type: ignore[operator]
            raise UsageError("--to is before --from, so nothing lies between", "turn them round")
        return Part(stream, pattern, first, until)

    def printing(desk: "Desk") -> None:
        from simbuilder.scaffolding.exceptions import UsageError

        if dry_run or yes:
            raise UsageError("--dry-run and --yes are for --into", "as in: --into planner")
        wanted = part()
        desk.server(session).run(lambda bus: _print(bus, wanted, as_json))

    def sending(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        sender = _Sender(desk, desk.server(session), part(), into or "")
        sender.check(dry_run, yes)
        if not dry_run:
            sender.send()
        _tell(sender.line(dry_run), as_json)
        return success(NAME, {})

    return run_on(NAME, printing) if into is None else run(NAME, False, sending)


async def _print(bus: "Bus", part: Part, as_json: bool) -> None:
    from simbuilder.cli.bus.lines import Printer

    show = Printer(as_json)
    async for stored in _within(bus, part):
        show(stored)


async def _within(bus: "Bus", part: Part) -> "AsyncIterator[Stored]":
    """Go through a part of a stream. Raises `NoStreamError`, `BadNameError`."""
    from simbuilder.cli.bus.options import the_streams

    await the_streams(bus, part.stream, part.pattern)
    async for stored in bus.read(part.stream, part.pattern, _start(part.begin)):
        if part.end is not None and _after(stored, part.end):
            return
        yield stored


def _start(begin: Place) -> "Start":
    from simbuilder.bus.protocol import Start

    if isinstance(begin, datetime):
        return Start("time", time=begin)
    return Start("sequence", sequence=begin)


def _after(stored: "Stored", end: Place) -> bool:
    return stored.time > end if isinstance(end, datetime) else stored.sequence > end


# --- to a queue -------------------------------------------------------------------------------


class _Sender:
    """Sends a part of a stream to a queue, and knows how far it has come."""

    def __init__(self, desk: "Desk", server: "Server", part: Part, queue: str) -> None:
        import uuid

        self._desk, self._server, self._part, self._queue = desk, server, part, queue
        self._run = str(uuid.uuid4())
        self._sent = self._skipped = self._last = 0

    def check(self, dry_run: bool, yes: bool) -> None:
        """Count what there is to send, and ask, unless nobody wants to know.

        Raises `UsageError` for a queue that does not take from the stream, or if nobody can be
        asked.
        """
        from simbuilder.cli.streams import may_ask
        from simbuilder.scaffolding.exceptions import SimBuilderError, UsageError

        if not (dry_run or yes or may_ask()):
            raise UsageError("--into needs --yes when nobody can be asked", "add --yes")
        if yes and not dry_run:
            return
        self._server.run(lambda bus: self._go(bus, counting=True))
        if dry_run:
            return
        asked = f"Send {self._sent:,} events of {self._part.stream} to {self._queue} again?"
        if self._sent and not typer.confirm(asked, err=True):
            raise SimBuilderError("nothing was sent")
        # what was not counted, because it came later, was not agreed to
        self._part = replace(self._part, end=self._last)
        self._sent = self._skipped = self._last = 0

    def send(self) -> None:
        """Send it all. What ends it too early is raised, with how to go on."""
        from simbuilder.bus.errors import BusError
        from simbuilder.cli.guard import StoppedByUserError

        try:
            self._server.run(lambda bus: self._go(bus, counting=False))
        except KeyboardInterrupt:
            raise StoppedByUserError("interrupted", self._rest("one was sent at most")) from None
        except BusError as error:
            raise type(error)(error.message, self._rest(error.hint)) from error

    def line(self, dry_run: bool) -> "SentLine":
        """Return what was done."""
        return {
            "stream": self._part.stream,
            "queue": self._queue,
            "run": self._run,
            "sent": self._sent,
            "skipped": self._skipped,
            "dry_run": dry_run,
        }

    async def _checked(self, bus: "Bus") -> "QueueState":
        from simbuilder.cli.bus.options import the_queue
        from simbuilder.scaffolding.exceptions import UsageError

        queue = await the_queue(bus, self._queue)
        if queue.stream != self._part.stream:
            raise UsageError(
                f"queue {queue.name} takes from {queue.stream}, not from {self._part.stream}",
                f"as in: simbuilder bus replay {queue.stream}",
            )
        return queue

    async def _go(self, bus: "Bus", counting: bool) -> None:
        from simbuilder.bus.deadletters import again

        tell = self._desk.tell(self._queue)
        queue = await self._checked(bus)
        async for stored in _within(bus, self._part):
            if stored.event is None or not _is_for(queue, stored):
                self._skipped += 1
            else:
                if not counting:
                    await again(bus, stored, self._queue, self._run)
                self._sent += 1
            self._last = stored.sequence
            tell(f"{self._sent:,} {'counted' if counting else 'sent'}")

    def _rest(self, otherwise: str) -> str:
        if not self._sent:
            return otherwise
        return f"{self._sent:,} were sent; --from {self._last + 1} sends the others"


def _is_for(queue: "QueueState", stored: "Stored") -> bool:
    """Say whether a queue takes it, and it is not a copy that was sent to one queue again."""
    from simbuilder.bus.deadletters import QUEUE
    from simbuilder.bus.subjects import matches

    if QUEUE in stored.headers:
        return False
    whole = ".".join(stored.subject.split(".")[:5])  # without its partition
    return any(matches(subject, whole) for subject in queue.subjects)


def _tell(sent: "SentLine", as_json: bool) -> None:
    from simbuilder.cli.streams import line

    if as_json:
        line(json.dumps(sent))
        return
    verb = "would send" if sent["dry_run"] else "sent"
    line(f"{verb} {sent['sent']:,} events of {sent['stream']} to {sent['queue']} again")
    if sent["skipped"]:
        why = "no events, not for this queue, or copies that were sent to one before"
        line(f"left out {sent['skipped']:,}: {why}")
