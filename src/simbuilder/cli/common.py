"""What commands share: their groups and options, and the way from a call to a result."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from simbuilder.cli import completion

if TYPE_CHECKING:
    from simbuilder.composition import Rooms
    from simbuilder.sessions.outputs import OneSession, Planned
    from simbuilder.sessions.plan import Plan
    from simbuilder.sessions.result import Result
    from simbuilder.sessions.view import Report

Session = Annotated[
    str | None,
    typer.Argument(
        metavar="[SESSION]",
        help="An id, the start of one, or a name; the current session if left out.",
        show_default=False,
        autocompletion=completion.sessions,
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="SESSION",
        help="An id, the start of one, or a name; the current session if left out.",
        show_default=False,
        autocompletion=completion.sessions,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def finite(seconds: float) -> float:
    """Return a number of seconds that can be waited for."""
    if not 1 <= seconds < 1e6:  # also refuses nan
        raise typer.BadParameter("give a number of seconds from 1 on")
    return seconds


Timeout = Annotated[
    float,
    typer.Option("--timeout", callback=finite, metavar="S", help="Seconds to wait at most."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and why.")]


def command_group() -> typer.Typer:
    """Return what a module's commands register with; its `group_of` says which module has which."""
    return typer.Typer(rich_markup_mode=None)  # rich would double the time of --help


def group_of(room: str, places: Mapping[str, str], about: str) -> typer.Typer:
    """Return a group of commands: `places` says which module of `room` has which in its `app`.

    Only the command that is called is loaded and built: typer takes a millisecond for each.
    """

    @cache
    def built(module: str) -> Any:
        return get_group(import_module(f"{room}.{module}").app).commands

    class Commands(TyperGroup):
        """The commands of the group, each built when it is asked for."""

        def __init__(self, **more: Any) -> None:
            super().__init__(**more)
            names: Any = dict.fromkeys(places)  # enough for the help, and to guess at a typo
            self.commands = names

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Build a command; `None` if there is none of that name."""
            return built(places[cmd_name])[cmd_name] if cmd_name in places else None

    app = typer.Typer(cls=Commands, help=about, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(help_alone)
    return app


def help_alone(ctx: typer.Context) -> None:
    """Answer a group that was called without a command: with its help."""
    if ctx.invoked_subcommand is None:
        from simbuilder.cli.streams import talk

        talk(ctx.get_help())
        raise typer.Exit(2)


def reported(command: str, report: "Report") -> "Result":
    """Return what a command did to a session as its result."""
    from simbuilder.sessions.result import partial, success

    data: OneSession = {"session": report.view.data()}
    return partial(command, data, report.problems) if report.problems else success(command, data)


def planned(command: str, plan: "Plan") -> "Result":
    """Return the steps of a dry run as its result."""
    from simbuilder.sessions.result import success

    data: Planned = {
        "plan": [{"verb": s.verb, "target": s.target, "cause": s.cause} for s in plan.steps]
    }
    return success(command, data)


def run(
    command: str, as_json: bool, action: Callable[["Rooms"], "Result"], reap: bool = True
) -> int:
    """Run `action`, show its result and return the exit status.

    Before it, unless told otherwise, a moment is spent on what interrupted commands left.
    """
    from simbuilder.cli import render
    from simbuilder.cli.guard import guarded

    def reaping(rooms: "Rooms") -> "Result":
        if reap:
            rooms.manager.reap()
        return action(rooms)

    with render.progress(quiet=as_json) as view:
        result = guarded(command, view, reaping)
    render.show(result, as_json)
    return result.exit_status
