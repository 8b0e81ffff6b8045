"""`simbuilder session watch`: a live view of all sessions, or a line for each change."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import command_group, finite

if TYPE_CHECKING:
    from simbuilder.composition import Rooms
    from simbuilder.sessions.lines import ChangeData
    from simbuilder.sessions.result import Result
    from simbuilder.sessions.watcher import Watcher
    from simbuilder.sessions.watching import Change

INTERRUPTED = 130
_COMMAND = "session watch"
_PATIENCE_S = 1.0
"""Until a Ctrl-C is noticed that came in the moment before Python began to wait for a lock."""

app = command_group()


@app.command(
    epilog="Examples:  simbuilder session watch  |  simbuilder session watch --json | jq .now"
)
def watch(
    interval: Annotated[
        float,
        typer.Option("--interval", callback=finite, metavar="S", help="Seconds between two looks."),
    ] = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each change as a line of JSON.")
    ] = False,
) -> int:
    """Watch all sessions live; where there is no terminal, print a line for each change.

    Keys start, stop, fork and clean up sessions, and follow their logs; ? shows them all.
    """
    import gc

    from simbuilder.cli import render, streams
    from simbuilder.cli.guard import explained, guarded
    from simbuilder.sessions.result import Result, Status

    gc.enable()  # other commands end before their garbage matters
    watchers: list[Watcher] = []

    def begin(rooms: "Rooms") -> "Result":
        rooms.manager.reap()
        watchers.append(rooms.watcher(interval))
        watchers[0].start()
        return Result(_COMMAND, Status.SUCCESS)

    def go_on() -> "Result":
        try:
            on_screen = streams.has_screen() and not as_json
            status = _on_screen(watchers[0]) if on_screen else _in_lines(watchers[0], as_json)
        except KeyboardInterrupt:  # how watching ends, as a rule
            status = INTERRUPTED
        return Result(_COMMAND, Status.SUCCESS, exit_status=status)

    with render.progress(quiet=as_json) as view:
        result = guarded(_COMMAND, view, begin)
    if result.problems and not (as_json and watchers):
        render.show(result, as_json)
    if watchers:
        result = explained(_COMMAND, go_on)
        watchers[0].stop()
        if result.problems:
            render.show(result, as_json)
    return result.exit_status


def _on_screen(watcher: "Watcher") -> int:
    from simbuilder.cli.watching.actions import act
    from simbuilder.cli.watching.app import WatchApp

    view = WatchApp(watcher, act)
    status = view.run()
    if view.defect is not None:
        raise view.defect
    return INTERRUPTED if status is None else status


def _in_lines(watcher: "Watcher", as_json: bool) -> int:
    from simbuilder.cli import streams
    from simbuilder.sessions.watching import Snapshot, changes

    before, version = Snapshot(), -1
    if watcher.snapshot() == before and not as_json:
        streams.talk("no sessions yet; 'simbuilder session create --start-containers' makes one")
    while True:
        version = watcher.wait(version, _PATIENCE_S)
        after = watcher.snapshot()
        at = watcher.now().at.isoformat(timespec="seconds")
        for change in changes(before, after):
            streams.line(json.dumps(_data(change, at)) if as_json else f"{at} {change.text()}")
        streams.flush()
        before = after


def _data(change: "Change", at: str) -> "ChangeData":
    return {
        "version": 1,
        "at": at,
        "session": change.session_id,
        "name": change.name,
        "service": change.service,
        "was": change.was,
        "now": change.now,
        "why": change.why,
    }
