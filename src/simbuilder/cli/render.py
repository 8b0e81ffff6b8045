"""How results, and what happens on the way to them, are shown."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from simbuilder.cli.streams import flush, line, redraws, talk
from simbuilder.sessions.result import Event, EventSink, Problem, Result, failure

if TYPE_CHECKING:
    from simbuilder.sessions.outputs import Envelope

# --- results -------------------------------------------------------------------------------


def show(result: Result, as_json: bool) -> None:
    """Show a result as JSON for programs or as text for people."""
    if as_json:
        line(json.dumps(envelope(result), indent=1))
    elif "plan" in result.data:
        _show_plan(result.data)
    elif result.data:
        from simbuilder.cli.views import view_of

        view_of(result.command)(result.data)
    flush()
    if as_json:
        return
    for problem in result.problems:
        _show_problem(problem, "error" if result.exit_status and not problem.remark else "note")


def envelope(result: Result) -> "Envelope[dict[str, Any]]":
    """Return the versioned JSON object that every command prints with `--json`."""
    return {
        "version": 1,
        "command": result.command,
        "status": result.status,
        "data": dict(result.data),
        "problems": [
            {"code": p.code, "message": p.message, "hint": p.hint} for p in result.problems
        ],
    }


def command_of(arguments: Sequence[str]) -> str:
    """Return what results call the command with these arguments, such as `session list`."""
    words = [word for word in arguments if not word.startswith("-")]
    group = words[:1] in (["session"], ["graph"], ["bus"])
    subgroup = words[:2] in (["session", "snapshot"], ["bus", "dlq"])
    depth = 3 if subgroup else 2 if group else 1
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


@contextmanager
def redrawn() -> Iterator[Callable[[str], None]]:
    """Give what draws a text in place of the last one; for a terminal that `has_screen`."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        yield lambda text: live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)


# --- progress ------------------------------------------------------------------------------


@contextmanager
def progress(quiet: bool) -> Iterator[EventSink]:
    """Show events while a command runs: a live line per subject on a terminal, else plain lines.

    With `quiet` nothing is shown: the result will say it all.
    """
    if quiet:
        yield _ignore
    elif sys.stderr.isatty() and redraws():
        with _live() as sink:
            yield sink
    else:
        began = time.monotonic()

        def plain(event: Event) -> None:
            talk(f"[{time.monotonic() - began:5.1f}s] {event.subject}: {event.message}")

        yield plain


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
