"""The `simbuilder` command: its shape, and the last line of defence around it."""

import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Annotated, NoReturn

import typer

from simbuilder import __version__
from simbuilder.cli import check, info, session

app = typer.Typer(
    name="simbuilder",
    help="Build, run and take down realistic Azure / Entra simulation environments.\n\n"
    "Start here: simbuilder session create --start-containers",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich would double the time of --help
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(session.app, name="session")
app.command("check", epilog="Examples:  simbuilder check  |  simbuilder check demo --json")(
    check.check
)
app.command("info", epilog="Example:  simbuilder info --json")(info.info)
app.command("version", epilog="Example:  simbuilder version --json")(info.version)


def _print_version(wanted: bool) -> None:
    if wanted:
        from simbuilder.cli.render import line

        line(f"simbuilder {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options of the bare command."""


def main() -> int:
    """Run the command line and return its exit status; every way out leads through here."""
    from simbuilder.cli import render

    gc.disable()  # a command ends before its garbage matters; saves 20 ms of a session start
    render.prepare_streams()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        status = app(standalone_mode=False)
        return int(status or 0)
    except typer.TyperException as error:  # how typer says that the arguments are wrong
        return render.usage_error(error.format_message(), sys.argv[1:])
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except render.ReaderLeft:
        return 128 + signal.SIGPIPE


def entry() -> NoReturn:
    """Run the command line and end the process at once.

    Taking the interpreter apart would cost 40 ms more, half of what `session list` needs in all.
    """
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(status)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """Let `finally` blocks run when somebody ends us politely."""
    raise SystemExit(128 + signal.SIGTERM)
