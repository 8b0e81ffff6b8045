"""The only module that prints. Data goes to stdout, talk to stderr.

Our own words are ASCII, and what is not (a user's folder) is escaped where the terminal cannot
show it, so no output ever fails for its characters.
"""

import io
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from simbuilder.sessions.result import (
    Event,
    EventSink,
    Problem,
    Result,
    failure,
)


class ReaderLeft(Exception):  # noqa: N818 - it is news, not an error
    """Whoever read our output has seen enough, as in `simbuilder session list | head -1`."""


def prepare_streams() -> None:
    """Let stdout and stderr escape what they cannot encode; whoever closed them wants silence."""
    silence = Path(os.devnull)
    sys.stdout = sys.stdout or silence.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or silence.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def line(text: str = "") -> None:
    """Write a line of data."""
    sys.stdout.write(text + "\n")


@contextmanager
def output() -> Iterator[None]:
    """Have the lines of data that are written within arrive, or end for want of a reader."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try, and complain, once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderLeft from None
    except OSError as error:  # a full disk behind a redirection, say
        talk(f"error: the output could not be written: {error.strerror}")
        raise SystemExit(1) from None


def talk(text: str) -> None:
    """Write a line to whoever watches."""
    with suppress(OSError):  # nobody listens, or a disk is full: no reason to stop the work
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def may_ask() -> bool:
    """True if a person is there to answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def in_colour() -> bool:
    """True if what is written to stdout may be coloured (https://no-color.org)."""
    from simbuilder.scaffolding.environment import process_environment

    return sys.stdout.isatty() and _redraws() and not process_environment().get("NO_COLOR")


def shown(text: str) -> str:
    """Return somebody else's text without what would command a terminal."""
    if text.isprintable():
        return text
    kept = (c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)
    return "".join(kept)


def may_show() -> bool:
    """True if a person is there who has a browser: a graphical one, or one of their choice."""
    from simbuilder.scaffolding.environment import process_environment

    known = process_environment()
    has_one = any(known.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    return has_one and sys.stdout.isatty()


def has_screen() -> bool:
    """True if a person sits at a terminal that can draw anywhere on its screen."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams) and _redraws()


# --- results -------------------------------------------------------------------------------


def show(result: Result, as_json: bool) -> None:
    """Show a result as JSON for programs or as text for people."""
    with output():
        if as_json:
            line(json.dumps(result.envelope(), indent=1))
        elif "plan" in result.data:
            _show_plan(result.data)
        elif result.data:
            from simbuilder.cli.views import VIEWS

            VIEWS[result.command](result.data)
    if as_json:
        return
    for problem in result.problems:
        _show_problem(problem, "error" if result.exit_status and not problem.remark else "note")


def command_of(arguments: Sequence[str]) -> str:
    """Return what results call the command with these arguments, such as `session list`."""
    words = [word for word in arguments if not word.startswith("-")]
    depth = 3 if words[:2] == ["session", "snapshot"] else 2 if words[:1] == ["session"] else 1
    return " ".join(words[:depth]) or "simbuilder"


def usage_error(path: str, message: str, as_json: bool) -> int:
    """Show what typer found wrong with the arguments of the command at `path`, the words so far.

    Returns the exit status.
    """
    from simbuilder.scaffolding.exceptions import UsageError

    error = UsageError(message, f"see '{path} --help'")
    result = failure(path.removeprefix("simbuilder "), error)
    show(result, as_json)
    return result.exit_status


def _show_problem(problem: Problem, kind: str) -> None:
    talk(f"{kind}: {problem.message}")
    if problem.hint:
        talk(f"hint: {problem.hint}")


def _show_plan(data: Mapping[str, Any]) -> None:
    for step in data["plan"]:
        line(f"{step['verb']} {step['target']}: {step['cause']}")
    if not data["plan"]:
        line("nothing to do")


# --- progress ------------------------------------------------------------------------------


@contextmanager
def progress(quiet: bool) -> Iterator[EventSink]:
    """Show events while a command runs: a live line per subject on a terminal, else plain lines.

    With `quiet` nothing is shown: the result will say it all.
    """
    if quiet:
        yield _ignore
    elif sys.stderr.isatty() and _redraws():
        with _live() as sink:
            yield sink
    else:
        began = time.monotonic()

        def plain(event: Event) -> None:
            talk(f"[{time.monotonic() - began:5.1f}s] {event.subject}: {event.message}")

        yield plain


def _redraws() -> bool:
    """True if the terminal can draw a line anew; on others rich shows nothing before the end."""
    from simbuilder.scaffolding.environment import process_environment

    return process_environment().get("TERM", "").lower() not in ("dumb", "unknown")


def _ignore(_event: Event) -> None:
    return None


@contextmanager
def _live() -> Iterator[EventSink]:
    """A spinner per subject while it is busy; rich is loaded at the first event, not before."""
    from threading import Lock

    bars: dict[str, Any] = {}
    view: list[Any] = []
    lock = Lock()

    def sink(event: Event) -> None:
        with lock:
            if not view:
                view.append(_progress_view())
                view[0].start()
            shown = view[0]
            if event.kind == "note":
                shown.console.print(f"note: {event.subject}: {event.message}", markup=False)
                return
            if event.subject not in bars:
                bars[event.subject] = shown.add_task(event.subject, total=1, message="")
            task = bars[event.subject]
            if event.kind == "begin":
                shown.reset(task, message=event.message)
            elif event.kind == "progress":
                shown.update(task, message=event.message)
            else:
                mark = "FAILED: " if event.kind == "failed" else ""
                shown.update(task, message=mark + event.message, completed=1)
                shown.stop_task(task)

    try:
        yield sink
    finally:
        if view:
            view[0].stop()


def _progress_view() -> Any:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    return Progress(
        SpinnerColumn("line", finished_text="*"),  # an ASCII spinner
        TextColumn("{task.description:<10}", markup=False),
        TextColumn("{task.elapsed:5.1f}s"),
        TextColumn("{task.fields[message]}", markup=False),
        console=Console(stderr=True, highlight=False),
    )
