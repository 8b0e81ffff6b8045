"""The reference of the command line, read from the commands themselves."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from docs.schema import LINES, OUTPUTS, file_name
from simbuilder.cli.app import app

HEAD = """\
# The command line

Written by `python3 tasks.py format` from the commands' own help. [Sessions](sessions.md),
[graphs](graph.md) and [the bus](bus.md) explain what they are about.

`-h` and `--help` show the help of any command. `SESSION` is an id, the start of one, or a name. How
commands end is [at the end](#exit-statuses), what their problems mean under
[troubleshooting](troubleshooting.md).
"""

EXITS = {
    0: "done",
    1: "failed",
    2: "the arguments or settings cannot be meant",
    3: "partly done, or not healthy",
    4: "no such session, node or dead letter",
    126: "`session run`: its program cannot be started",
    127: "`session run`: there is no such program",
    130: "interrupted",
}


def text() -> str:
    """Return the whole page."""
    found = list(commands())
    links = [_link(path, command) for path, command, _ in found]
    sections = [_section(path, command, context) for path, command, context in found]
    return "\n".join([HEAD, "\n".join(links) + "\n", *sections, _exits()])


def commands() -> Iterator[tuple[str, Any, typer.Context]]:
    """Yield each command's path, such as `session list`, itself and a context, as the help does.

    The path of the bare command is empty.
    """
    root = get_command(app)
    yield from _below("", root, typer.Context(root, info_name="simbuilder"))


def _below(path: str, command: Any, context: typer.Context) -> Iterator[tuple[str, Any, Any]]:
    yield path, command, context
    for name in command.list_commands(context) if isinstance(command, TyperGroup) else ():
        child = command.get_command(context, name)
        if not child.hidden:
            below = typer.Context(child, info_name=name, parent=context)
            yield from _below(f"{path} {name}".strip(), child, below)


def _link(path: str, command: Any) -> str:
    name = f"simbuilder {path}".strip()
    return f"* [{name}](#{name.replace(' ', '-')}): {_help(command).splitlines()[0]}"


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help)


def _section(path: str, command: Any, context: typer.Context) -> str:
    name = f"simbuilder {path}".strip()
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"## {name}\n", f"    {usage}\n", f"{_help(command)}\n"]
    parameters = [p for p in command.get_params(context) if p.name != "help" and not p.hidden]
    if parameters:
        parts.append("\n".join(_parameter(p, context) for p in parameters) + "\n")
    if path in {*OUTPUTS, *LINES}:
        what = "JSON" if path in OUTPUTS else "Each line of JSON"
        parts.append(f"{what} is as [its schema](schemas/{file_name(path)}) says.\n")
    if command.epilog:
        parts.append(_examples(command.epilog))
    return "\n".join(parts)


def _parameter(parameter: Any, context: typer.Context) -> str:
    name, said = parameter.get_help_record(context)
    return f"* `{name}`: {' '.join(said.split())}"


def _examples(epilog: str) -> str:
    """Return the lines of an epilog, which are set apart by a bar between two spaces."""
    title, _, rest = epilog.partition(":  ")
    return "\n".join([f"{title}:\n", *(f"    {line}" for line in rest.split("  |  "))]) + "\n"


def _exits() -> str:
    rows = [f"| {status} | {meaning} |" for status, meaning in EXITS.items()]
    return "\n".join(["## Exit statuses\n", "| | |", "|---|---|", *rows]) + "\n"
