"""`simbuilder session ...`: which module has which command.

Only the command that is called is loaded and built: typer takes a millisecond for each.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

PLACES = {
    "create": "lifecycle",
    "start": "lifecycle",
    "stop": "lifecycle",
    "list": "lifecycle",
    "status": "lifecycle",
    "cleanup": "lifecycle",
    "verify": "lifecycle",
}
"""Command -> the module of this room whose `app` has it, in the order of the help."""


class Commands(TyperGroup):
    """The commands of a session, each built when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Build a command; `None` if there is none of that name."""
        if cmd_name not in PLACES:
            return None
        module = import_module(f"simbuilder.cli.{PLACES[cmd_name]}")
        return get_group(module.app).commands[cmd_name]


app = typer.Typer(
    cls=Commands,
    help="Create, use, copy, watch and remove sessions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def group() -> None:
    """Make it a group, also for as long as typer sees no command in it."""
