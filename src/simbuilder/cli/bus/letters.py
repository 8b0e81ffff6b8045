"""`bus dlq ...`: dead letters, the messages that queues have given up on."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from simbuilder.cli.bus.desk import run
from simbuilder.cli.bus.options import Yes
from simbuilder.cli.common import Json, Reference, command_group, help_alone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from simbuilder.bus.deadletters import DeadLetter
    from simbuilder.bus.protocol import Bus
    from simbuilder.cli.bus.desk import Desk, Server
    from simbuilder.cli.bus.outputs import (
        Dropped,
        Letter,
        LetterData,
        Letters,
        Retried,
        RetriedData,
    )
    from simbuilder.sessions.result import Problem, Result

app = command_group()
dlq = typer.Typer(
    help="Look at dead letters, send them again or delete them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
dlq.callback()(help_alone)
app.add_typer(dlq, name="dlq")

_WHICH = "SEQ..."
Which = Annotated[
    list[int] | None,
    typer.Argument(metavar=f"[{_WHICH}]", help="As 'list' shows them.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
OfQueue = Annotated[
    str | None, typer.Option("--queue", metavar="QUEUE", help="Those of this queue only.")
]


@dlq.command(
    "list",
    epilog="Examples:  simbuilder bus dlq list  |  simbuilder bus dlq list --queue planner --json",
)
def list_(
    session: Reference = None,
    queue: OfQueue = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="The newest N.")
    ] = 50,
    as_json: Json = False,
) -> int:
    """List dead letters, oldest first."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        server = desk.server(session)
        tell = desk.tell("dlq")

        async def work(bus: "Bus") -> "Letters":
            from collections import deque

            from simbuilder.bus.deadletters import letters

            newest: deque[LetterData] = deque(maxlen=limit)
            total = 0
            async for one in letters(bus, queue):
                newest.append(_letter(one))
                total += 1
                tell(f"{total:,} read")
            return {"session": server.session.short, "messages": list(newest), "total": total}

        return success("bus dlq list", server.run(work))

    return run("bus dlq list", as_json, action)


def _letter(one: "DeadLetter") -> "LetterData":
    said = one.message
    return {
        "sequence": one.sequence,
        "time": one.time.isoformat(),
        "queue": said.queue,
        "cause": said.cause,
        "error": said.error,
        "attempts": said.attempts,
        "stream": said.stream,
        "stream_sequence": said.sequence,
        "subject": said.subject,
        "event": said.event,
        "type": said.type,
        "key": said.key,
    }


@dlq.command(
    "show", epilog="Examples:  simbuilder bus dlq show 17  |  simbuilder bus dlq show 17 --json"
)
def show(
    sequence: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="As 'list' shows it.")],
    session: Reference = None,
    as_json: Json = False,
) -> int:
    """Show a dead letter and the message itself."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        server = desk.server(session)

        async def work(bus: "Bus") -> "Letter":
            from simbuilder.bus.deadletters import letter

            one = await letter(bus, sequence)
            return {
                **_letter(one),
                "original": one.message.original,
                "original_base64": one.message.original_base64,
            }

        return success("bus dlq show", server.run(work))

    return run("bus dlq show", as_json, action)


# --- sending again, deleting ------------------------------------------------------------------


@dlq.command(
    "retry",
    epilog="Examples:  simbuilder bus dlq retry 17 18  |  "
    "simbuilder bus dlq retry --all --queue planner",
)
def retry(
    which: Which = None,
    every: All = False,
    queue: OfQueue = None,
    session: Reference = None,
    as_json: Json = False,
) -> int:
    """Send messages to the queues that gave them up, and to no other.

    Each is no dead letter any more; if its queue gives it up again, it is a new one.
    """

    def action(desk: "Desk") -> "Result":
        _check(which, every, queue)
        server = desk.server(session)
        sent: list[RetriedData] = []
        tell = desk.tell("dlq")

        async def work(bus: "Bus") -> "tuple[Problem, ...]":
            from simbuilder.bus import deadletters

            there = {one.name for one in await bus.queues()}

            async def once(one: "DeadLetter") -> None:
                _check_queue(one, there)
                ack = await deadletters.retry(bus, one)
                said = one.message
                sent.append(
                    {
                        "letter": one.sequence,
                        "queue": said.queue,
                        "event": said.event,
                        "stream": ack.stream,
                        "sequence": ack.sequence,
                    }
                )
                tell(f"{len(sent):,} sent")

            return await _each(bus, which, queue, once)

        problems = server.run(work)
        data: Retried = {"session": server.session.short, "retried": sent}
        return _ended("bus dlq retry", data, problems)

    return run("bus dlq retry", as_json, action, "what was sent is no dead letter any more")


@dlq.command(
    "drop",
    epilog="Examples:  simbuilder bus dlq drop 17  |  "
    "simbuilder bus dlq drop --all --queue planner --yes",
)
def drop(
    which: Which = None,
    every: All = False,
    queue: OfQueue = None,
    session: Reference = None,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Delete dead letters, and with them the messages they keep."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.streams import may_ask
        from simbuilder.scaffolding.exceptions import UsageError

        _check(which, every, queue)
        server = desk.server(session)
        if not yes and not may_ask():
            raise UsageError("drop needs --yes when nobody can be asked", "add --yes")
        if not yes:
            _confirm(server, which, queue)
        gone: list[int] = []
        tell = desk.tell("dlq")

        async def work(bus: "Bus") -> "tuple[Problem, ...]":
            from simbuilder.bus import deadletters

            async def once(one: "DeadLetter") -> None:
                await deadletters.drop(bus, one)
                gone.append(one.sequence)
                tell(f"{len(gone):,} deleted")

            return await _each(bus, which, queue, once)

        problems = server.run(work)
        data: Dropped = {"session": server.session.short, "dropped": gone}
        return _ended("bus dlq drop", data, problems)

    return run("bus dlq drop", as_json, action, "part of it may be gone")


def _check(which: "Sequence[int] | None", every: bool, queue: str | None) -> None:
    """Raise `UsageError` unless it is clear which ones are meant."""
    from simbuilder.scaffolding.exceptions import UsageError

    if bool(which) == every:
        what = f"{_WHICH} and --all contradict each other" if every else "no dead letter is named"
        raise UsageError(what, f"give {_WHICH}, as 'simbuilder bus dlq list' shows them, or --all")
    if queue is not None and not every:
        raise UsageError("--queue goes with --all", f"as in: --all --queue {queue}")


def _check_queue(one: "DeadLetter", there: set[str]) -> None:
    """Raise `NoStreamError` for a queue that is gone: nobody would ever take what is sent to it."""
    from simbuilder.bus.errors import NoStreamError

    if one.message.queue not in there:
        raise NoStreamError(
            f"there is no queue {one.message.queue!r:.80} any more",
            "the program that works on it makes it: start that first",
        )


def _confirm(server: "Server", which: "Sequence[int] | None", queue: str | None) -> None:
    from simbuilder.scaffolding.exceptions import SimBuilderError

    async def counted(bus: "Bus") -> int:
        from simbuilder.bus.deadletters import letters

        return sum([1 async for _ in letters(bus, queue)])

    number = len(set(which)) if which else server.run(counted)
    what = "1 dead letter" if number == 1 else f"{number:,} dead letters"
    asked = f"Delete {what} of session {server.session.label}, with what is in them?"
    if number and not typer.confirm(asked, err=True):
        raise SimBuilderError("nothing was deleted")


async def _each(
    bus: "Bus",
    which: "Sequence[int] | None",
    queue: str | None,
    once: "Callable[[DeadLetter], Coroutine[Any, Any, None]]",
) -> "tuple[Problem, ...]":
    """Do it once with each that is meant; return what was wrong with those that are named."""
    from simbuilder.bus.deadletters import letter
    from simbuilder.bus.errors import BusConnectionError, BusError
    from simbuilder.sessions.result import Problem

    problems: dict[str, Problem] = {}
    async for one in _meant(bus, which, queue):
        try:
            await once(await letter(bus, one) if isinstance(one, int) else one)
        except BusConnectionError:
            raise
        except BusError as error:
            if which and len(which) == 1:
                raise
            problems.setdefault(error.message, Problem.of(error))
    return tuple(problems.values())


async def _meant(
    bus: "Bus", which: "Sequence[int] | None", queue: str | None
) -> "AsyncIterator[DeadLetter | int]":
    from simbuilder.bus.deadletters import letters

    if not which:
        async for one in letters(bus, queue):
            yield one
    for sequence in dict.fromkeys(which or ()):
        yield sequence


def _ended(command: str, data: Any, problems: "tuple[Problem, ...]") -> "Result":
    from simbuilder.sessions.result import partial, success

    return partial(command, data, problems) if problems else success(command, data)
