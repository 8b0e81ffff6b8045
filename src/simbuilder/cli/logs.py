"""`simbuilder session logs`: what the servers of a session write."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli import completion
from simbuilder.cli.common import command_group, run

if TYPE_CHECKING:
    from simbuilder.composition import Rooms
    from simbuilder.sessions.lines import LogLineData
    from simbuilder.sessions.result import Result
    from simbuilder.sessions.runtime import LogLine

NAME = "session logs"
app = command_group()

COLOURS = {"neo4j": 36, "nats": 33, "azurite": 35}
"""Service -> the colour of its name: cyan, yellow, magenta (ECMA-48, 8.3.117)."""


@app.command(
    epilog="Examples:  simbuilder session logs -f  |  simbuilder session logs demo nats --since 10m"
    "  |  simbuilder session logs --tail 20 --json"
)
def logs(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SESSION] [SERVICE]...",
            help="A session, the current one if left out, and services of it, all if left out.",
            show_default=False,
            autocompletion=completion.sessions_and_services,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what they write, until Ctrl-C.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="10m|TIME",
            help="Nothing older: a span of time, or a date and time (UTC).",
        ),
    ] = None,
    tail: Annotated[
        int | None,
        typer.Option("--tail", min=0, metavar="N", help="Only the last N lines of each server."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each line as a JSON object.")
    ] = False,
) -> int:
    """Print what the servers have logged, by time.

    A line that does not say when it was written counts as written with the one before it.
    """

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.cli.lookup import usable
        from simbuilder.cli.words import chosen, told_apart
        from simbuilder.sessions.result import Result, Status, success
        from simbuilder.sessions.runtime import Excerpt

        reference, services = told_apart(words or ())
        session = usable(rooms.store, rooms.manager.finder, reference)
        wanted = Excerpt(_moment(since), tail, lambda: follow)
        lines = rooms.manager.log_lines(session.id, chosen(session, services), wanted)
        try:
            _print(lines, as_json)
        except KeyboardInterrupt:  # which is how following ends
            return Result(NAME, Status.SUCCESS, exit_status=130)
        return success(NAME, {})

    return run(NAME, False, action)


def _moment(since: str | None) -> float:
    """Return what `--since` means, in seconds since 1970. Raises `UsageError`."""
    import time

    from simbuilder.scaffolding.exceptions import UsageError
    from simbuilder.sessions import expiry

    if since is None:
        return 0.0
    try:
        return time.time() - expiry.seconds(since)
    except UsageError:
        return expiry.moment(since).timestamp()


def _print(lines: "Iterator[LogLine]", as_json: bool) -> None:
    import json

    from simbuilder.cli.streams import flush, in_colour, line, shown

    coloured = in_colour()
    for one in lines:
        if as_json:
            line(json.dumps(_data(one)))
        else:
            name = f"{one.service:<8}| "
            if coloured:
                name = f"\x1b[{COLOURS[one.service]}m{name}\x1b[0m"
            line(name + shown(one.text))
        flush()


def _data(one: "LogLine") -> "LogLineData":
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(one.at, UTC).isoformat(timespec="milliseconds")
    return {"service": one.service, "at": at, "text": one.text}
