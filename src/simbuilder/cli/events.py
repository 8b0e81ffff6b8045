"""`session events`: what happened to sessions, and what happens, as lines of JSON."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simbuilder.cli.common import command_group

if TYPE_CHECKING:
    from simbuilder.composition import Rooms
    from simbuilder.sessions.journal import Reader
    from simbuilder.sessions.model import State
    from simbuilder.sessions.result import Result

_COMMAND = "session events"
_INTERRUPTED = 130
_TAIL_S = 0.2
_LOOK_S = 1.0
_LEISURE = 50
"""So many times as long as a look took we wait for the next: 2 % of a processor at most."""

Entry = Mapping[str, Any]
Wanted = Callable[[Entry], bool]

app = command_group()


@app.command(
    epilog="Examples:  simbuilder session events --since 1h  |  simbuilder session events -f"
)
def events(
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="[SESSION]",
            help="An id, the start of one, or a name, also of one that is gone; all if left out.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="SPAN|TIME", help="Not what was before, such as 1h."),
    ] = None,
) -> int:
    """Print what happened to sessions, and why, as lines of JSON."""
    from simbuilder.cli import render
    from simbuilder.cli.guard import guarded

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import Result, Status

        rooms.manager.reap()
        status = 0
        with closing(rooms.manager.journal.reader()) as reader:
            past = reader.new()
            wanted = _wanted(rooms, session, since, past)
            _print(past, wanted)
            if follow:
                try:
                    _follow(rooms, reader, wanted)
                except KeyboardInterrupt:  # how following ends, as a rule
                    status = _INTERRUPTED
        return Result(_COMMAND, Status.SUCCESS, exit_status=status)

    with render.progress(quiet=True) as view:
        result = guarded(_COMMAND, view, action)
    render.show(result, as_json=False)
    return result.exit_status


def _wanted(
    rooms: "Rooms", reference: str | None, since: str | None, past: Iterable[Entry]
) -> Wanted:
    """Return what tells the events that are asked for. Raises `SessionNotFoundError`."""
    from datetime import datetime

    from simbuilder.sessions import expiry

    begin = expiry.since(since, rooms.manager.now().at) if since is not None else None
    ids = {e["session"] for e in past if reference and e["session"].startswith(reference)}
    named = any(reference and e["name"] == reference for e in past)
    if reference is not None and not (ids or named):
        ids = {rooms.manager.finder.resolve(reference)}

    def wanted(entry: Entry) -> bool:
        if begin is not None and datetime.fromisoformat(entry["time"]) < begin:
            return False
        return reference is None or entry["session"] in ids or entry["name"] == reference

    return wanted


def _print(entries: Iterable[Entry], wanted: Wanted) -> None:
    from simbuilder.cli import streams

    for entry in entries:
        if wanted(entry):
            streams.line(json.dumps(entry))
    streams.flush()


def _follow(rooms: "Rooms", reader: "Reader", wanted: Wanted) -> None:
    """Print what commands write down, and what they do not know of: servers that end, or heal."""
    states: dict[str, State] = {}
    while True:
        began = time.monotonic()
        _look(rooms, states)
        now = time.monotonic()
        next_look = now + max(_LOOK_S, _LEISURE * (now - began))
        while time.monotonic() < next_look:
            _print(reader.new(), wanted)
            time.sleep(_TAIL_S)


def _look(rooms: "Rooms", states: "dict[str, State]") -> None:
    """Have each change since the last look written down."""
    from simbuilder.scaffolding.exceptions import SimBuilderError
    from simbuilder.sessions.model import State

    views, _ = rooms.manager.list_sessions()
    for view in views:
        known = states.get(view.session.id)
        if known is view.state:
            continue
        try:
            if known is not None and view.state is State.RUNNING:
                rooms.manager.status(view.session.id)  # only its servers can say that all is well
                noticed = True
            else:
                noticed = rooms.manager.notice(view)
        except SimBuilderError:  # it has gone meanwhile, say; the next look will tell
            continue
        if noticed:
            states[view.session.id] = view.state
