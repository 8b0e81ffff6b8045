"""The `simbuilder` command: its shape, and the last line of defence around it."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Annotated, NoReturn

import typer

from simbuilder import __version__
from simbuilder.cli import bus, check, graph, info, session
from simbuilder.cli.common import help_alone

app = typer.Typer(
    name="simbuilder",
    help="Build, run and take down realistic Azure / Entra simulation environments.\n\n"
    "Start here: simbuilder session create --start-containers",
    rich_markup_mode=None,  # rich would double the time of --help
    pretty_exceptions_enable=False,  # they print local variables, and with them secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(session.app, name="session")
app.add_typer(graph.app, name="graph")
app.add_typer(bus.app, name="bus")
app.command("check", epilog="Examples:  simbuilder check  |  simbuilder check demo --json")(
    check.check
)
app.command("info", epilog="Example:  simbuilder info --json")(info.info)
app.command("version", epilog="Example:  simbuilder version --json")(info.version)


LAST_WORDS_S = 10.0
"""How long a command may take to end once it was told to."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from simbuilder.cli.streams import line

        line(f"simbuilder {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options of the bare command."""
    help_alone(ctx)


def main() -> int:
    """Run the command line and return its exit status; every way out leads through here.

    SIGINT raises `KeyboardInterrupt` in here only: before and after nothing could answer it.
    """
    from simbuilder.cli import streams

    gc.disable()  # a command ends before its garbage matters; saves 20 ms of a session start
    streams.prepare_streams()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with _ctrl_c():
            return _answer(sys.argv[1:])
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except (streams.ReaderLeft, BrokenPipeError):
        return 128 + signal.SIGPIPE
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # how typer ends a help nobody reads
            return 128 + signal.SIGPIPE
        return ended.code if isinstance(ended.code, int) else 1


def _answer(arguments: list[str]) -> int:
    from simbuilder.cli import render, streams

    try:
        status = int(app(arguments, prog_name="simbuilder", standalone_mode=False) or 0)
        sys.stdout.flush()  # the help, say; results have seen to that themselves
        return status
    except typer.TyperException as error:  # how typer says that the arguments are wrong
        place = getattr(error, "ctx", None)
        path = place.command_path if place else "simbuilder"
        return render.usage_error(path, error.format_message(), "--json" in arguments)
    except (typer.Abort, streams.ReaderLeft, BrokenPipeError):
        raise
    except OSError as error:  # a full disk behind the help; commands explain their own
        streams.talk(f"error: the output could not be written: {error.strerror}")
        return 1
    except Exception as error:  # noqa: BLE001 - what is left is a defect of ours, and says so
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python 3.11, while it makes a class
            return 130
        from simbuilder.cli.defect import confess

        return confess(error, arguments)


@contextmanager
def _ctrl_c() -> Iterator[None]:
    """Let SIGINT interrupt what runs within, unless it is ignored as in a background job."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    sys.unraisablehook = _press_again
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _press_again(lost: "sys.UnraisableHookArgs") -> None:
    """Repeat in a millisecond a Ctrl-C that met a callback, out of which Python raises nothing.

    Most callbacks run when a module has been imported.
    """
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001)


def entry() -> NoReturn:
    """Run the command line and end the process at once.

    Taking the interpreter apart would cost 40 ms more, half of what `session list` needs in all.
    """
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever cannot be told has been answered by the exit status
            stream.flush()
    os._exit(status)


def _terminate(number: int, _frame: FrameType | None) -> None:
    """Let `finally` blocks run when somebody ends us politely, but not for ever.

    What they leave undone is what a killed command leaves: any later one finishes it.
    """
    signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
    signal.setitimer(signal.ITIMER_REAL, LAST_WORDS_S)
    raise SystemExit(128 + number)
