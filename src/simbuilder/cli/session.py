"""`simbuilder session ...`: which module has which command.

Only the command that is called is loaded and built: typer takes a millisecond for each.
"""

from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from simbuilder.cli.common import help_alone

PLACES = {
    "create": "lifecycle",
    "start": "lifecycle",
    "stop": "lifecycle",
    "list": "lifecycle",
    "status": "lifecycle",
    "cleanup": "lifecycle",
    "verify": "lifecycle",
    "extend": "expiry",
    "gc": "expiry",
    "events": "events",
    "watch": "watch",
    "run": "running",
    "logs": "logs",
    "shell": "shell",
    "env": "use",
    "open": "use",
    "use": "use",
    "current": "use",
    "fork": "copies",
    "snapshot": "copies",
    "export": "copies",
    "import": "copies",
}
"""Command -> the module of this room whose `app` has it, in the order of the help."""


class Commands(TyperGroup):
    """The commands of a session, each built when it is asked for."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        names: Any = dict.fromkeys(PLACES)  # enough for the help, and to guess what a typo means
        self.commands = names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Build a command; `None` if there is none of that name."""
        if cmd_name not in PLACES:
            return None
        return _commands(PLACES[cmd_name])[cmd_name]


@cache
def _commands(module: str) -> Any:
    """Build the commands of a module, which the help asks for one by one."""
    return get_group(import_module(f"simbuilder.cli.{module}").app).commands


app = typer.Typer(
    cls=Commands,
    help="Create, use, copy, watch and remove sessions.",
    rich_markup_mode=None,
)
app.callback(invoke_without_command=True)(help_alone)
