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


def talk(text: str) -> None:
    """Write a line to whoever watches."""
    with suppress(OSError):  # nobody listens, or a disk is full: no reason to stop the work
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def may_ask() -> bool:
    """True if a person is there to answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


# --- results -------------------------------------------------------------------------------


def show(result: Result, as_json: bool) -> None:
    """Show a result as JSON for programs or as text for people."""
    try:
        if as_json:
            line(json.dumps(result.envelope(), indent=1))
        elif "plan" in result.data:
            _show_plan(result.data)
        elif result.data:
            _VIEWS[result.command](result.data)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would try, and complain, once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderLeft from None
    except OSError as error:  # a full disk behind a redirection, say
        talk(f"error: the output could not be written: {error.strerror}")
        raise SystemExit(1) from None
    if as_json:
        return
    for problem in result.problems:
        _show_problem(problem, "error" if result.exit_status and not problem.remark else "note")


def command_of(arguments: Sequence[str]) -> str:
    """Return what results call the command with these arguments, such as `session list`."""
    words = [word for word in arguments if not word.startswith("-")]
    return " ".join(words[: 2 if words[:1] == ["session"] else 1]) or "simbuilder"


def usage_error(message: str, arguments: Sequence[str]) -> int:
    """Show what typer found wrong with the arguments; return the exit status."""
    from simbuilder.scaffolding.exceptions import UsageError

    command = command_of(arguments)
    typed = "simbuilder" if command == "simbuilder" else f"simbuilder {command}"
    error = UsageError(message, f"see '{typed} --help'")
    result = failure(command, error)
    show(result, "--json" in arguments)
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


def _show_session(data: Mapping[str, Any]) -> None:
    session = data["session"]
    name = f" ({session['name']})" if session["name"] else ""
    line(f"session {session['short']}{name}: {session['state']}, {session['runtime']} runtime")
    line(f"  id        {session['id']}")
    why = f" ({session['runtime_reason']})" if session["runtime_reason"] else ""
    line(f"  runtime   {session['runtime']}{why}")
    if session["engine"]:
        line(f"  engine    {session['engine']}")
    line(f"  folder    {session['folder']}")
    line(f"  env file  {session['env_file']}")
    rows = []
    for service, facts in session["services"].items():
        state = facts["state"]
        if facts["ready"] is not None and state == "running":
            state = "ready" if facts["ready"] else "running, not ready"
        product = f"{facts['product']} {facts['version']}".strip()
        product += f" ({facts['note']})" if facts["note"] else ""
        for number, (endpoint, where) in enumerate(facts["endpoints"].items()):
            first = number == 0
            rows.append(
                (
                    f"  {service if first else ''}",
                    state if first else "",
                    endpoint,
                    where["url"],
                    product if first else "",
                )
            )
    _table(rows)


def _show_created(data: Mapping[str, Any]) -> None:
    _show_session(data)
    session = data["session"]
    line()
    line("use it:     set -a; . ./.env.session; set +a")
    if session["state"] == "stopped":
        line(f"start it:   simbuilder session start {session['short']}")
    else:
        line("look at it: simbuilder check")
    line(f"remove it:  simbuilder session cleanup {session['short']}")


def _show_list(data: Mapping[str, Any]) -> None:
    rows = [("SESSION", "NAME", "STATE", "RUNTIME", "CREATED", "FOLDER")]
    for session in data["sessions"]:
        created = session["created_at"][:16].replace("T", " ")
        name = session["name"] or "-"
        facts = (session["short"], name, session["state"], session["runtime"], created)
        rows.append((*facts, session["folder"]))
    if data["sessions"]:
        _table(rows)
    else:
        talk("no sessions; 'simbuilder session create --start-containers' makes one")


def _show_cleanup(data: Mapping[str, Any]) -> None:
    for session_id in data.get("orphans", ()):
        line(f"orphan {session_id}")
    for session_id in data["removed"]:
        line(f"removed {session_id[:8]}")


def _show_verified(data: Mapping[str, Any]) -> None:
    if not data["sessions"]:
        return
    proofs = [proof["proof"] for proof in data["sessions"][0]["proofs"]]
    rows = [("SESSION", "NAME", "STATE", *(proof.upper() for proof in proofs))]
    shown = {"ok": "ok", "breach": "BREACH", "unproved": "?", "none": "-"}
    for session in data["sessions"]:
        outcomes = [shown[proof["outcome"]] for proof in session["proofs"]]
        rows.append((session["short"], session["name"] or "-", session["state"], *outcomes))
    _table(rows)


def _show_checks(data: Mapping[str, Any]) -> None:
    rows = []
    for check in data["checks"]:
        latency = "" if check["latency_ms"] is None else f"{check['latency_ms']:.0f} ms"
        mend = check.get("mend")
        good = "note" if mend else "ok"
        rows.append((good if check["ok"] else "FAIL", check["name"], latency, check["detail"]))
        if mend:
            rows.append(("", "", "", f"mend: {mend}"))
    _table(rows)


def _show_info(data: Mapping[str, Any]) -> None:
    _table([(s["name"], s["value"] or "-", s["source"]) for s in data["settings"]])


def _show_version(data: Mapping[str, Any]) -> None:
    line(f"simbuilder {data['simbuilder']} (Python {data['python']})")


def _table(rows: Sequence[Sequence[str]]) -> None:
    """Write aligned columns; the last is never padded."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line("  ".join(cells).rstrip())


_VIEWS = {
    "session create": _show_created,
    "session start": _show_session,
    "session stop": _show_session,
    "session status": _show_session,
    "session list": _show_list,
    "session cleanup": _show_cleanup,
    "session verify": _show_verified,
    "check": _show_checks,
    "info": _show_info,
    "version": _show_version,
}


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
