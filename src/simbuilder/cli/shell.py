"""`simbuilder session shell`: statements for the graph database of a session."""

import json
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli import completion
from simbuilder.cli.common import command_group

if TYPE_CHECKING:
    from pathlib import Path

    from simbuilder.cli.lookup import Records
    from simbuilder.runtimes.cypher import Answer, Graph
    from simbuilder.sessions.model import Session
    from simbuilder.sessions.outputs import Answered
    from simbuilder.sessions.result import Result

NAME = "session shell"
HISTORY = "statements"
"""The file in the session's own folder that remembers what was typed; it goes with the session."""

_LEAVE = (":quit", ":exit", "quit", "exit")
_HISTORY_BYTES = 1 << 18
_HELP = """\
A statement may take many lines, and ends with ';'.
:help    this text
:quit    leave, as Ctrl-D does
Ctrl-C   give up the statement that is typed, or runs
Up       what was typed before
"""

app = command_group()


@app.command(
    epilog="Examples:  simbuilder session shell neo4j  |  simbuilder session shell demo neo4j -c "
    "'MATCH (n) RETURN count(n)'  |  simbuilder session shell neo4j < statements.cypher"
)
def shell(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SESSION] [neo4j]",
            help="A session, the current one if left out, and its graph database.",
            show_default=False,
            autocompletion=completion.sessions_and_services,
        ),
    ] = None,
    statement: Annotated[
        str | None,
        typer.Option("--command", "-c", metavar="STATEMENT", help="Run this one, and leave."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what -c returns as JSON.")] = False,
) -> int:
    """Run Cypher statements: typed at a prompt, read from stdin, or one with -c."""
    from simbuilder.cli.lookup import look

    def action(records: "Records") -> "Result":
        from simbuilder.runtimes.cypher import Graph
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import success

        if as_json and statement is None:
            raise UsageError("--json is for the answer to one statement", "give it with -c")
        session = _session(records, words or ())
        with Graph(session) as graph:
            if statement is not None and not statement.strip("; \n"):
                raise UsageError("there is no statement", "as in: -c 'RETURN 1'")
            if as_json:
                return success(NAME, _answered(graph.run(statement or "")))
            if statement is not None:
                show(graph.run(statement))
            elif sys.stdin.isatty() and sys.stdout.isatty():
                _converse(graph, session, records.store.folder(session.id) / HISTORY)
            else:
                _run_all(graph, statements(sys.stdin))
        return success(NAME, {})

    return look(NAME, as_json, action)


def _session(records: "Records", words: Iterable[str]) -> "Session":
    from simbuilder.cli.words import chosen, told_apart
    from simbuilder.scaffolding.exceptions import UsageError

    reference, services = told_apart(tuple(words))
    if services not in ((), ("neo4j",)):
        raise UsageError("there is a shell for neo4j alone", "as in: session shell neo4j")
    session = records.session(reference)
    chosen(session, ("neo4j",))
    return session


_WHOLE = re.compile(
    r"""'(?:\\.|[^'\\])*(?:'|\Z) | "(?:\\.|[^"\\])*(?:"|\Z) | `[^`]*(?:`|\Z)
        | //[^\n]* | /\*.*?(?:\*/|\Z) | ;""",
    re.DOTALL | re.VERBOSE,
)
"""What is whole in Cypher: texts, quoted names, comments; a `;` outside them ends a statement."""


def statements(lines: Iterable[str]) -> Iterator[str]:
    """Yield the statements in a text: each ends with `;`, or with the text."""
    text = ""
    for line in lines:
        text += line
        start = 0
        for found in _WHOLE.finditer(text):
            if found[0] == ";":
                yield text[start : found.end()]
                start = found.end()
        text = text[start:]
    if text.strip():
        yield text


def _run_all(graph: "Graph", those: Iterable[str]) -> None:
    from simbuilder.scaffolding.exceptions import StatementError

    for number, one in enumerate(those, 1):
        try:
            show(graph.run(one))
        except StatementError as error:
            raise StatementError(f"statement {number}: {error.message}", error.hint) from None


# --- answers -------------------------------------------------------------------------------


def _answered(answer: "Answer") -> "Answered":
    return {
        "columns": list(answer.columns),
        "rows": answer.data(),
        "counters": dict(answer.counters),
    }


def show(answer: "Answer") -> None:
    """Write the rows as a table, and to stderr what was changed."""
    import shutil

    from simbuilder.cli.streams import flush, line, shown, talk
    from simbuilder.cli.tabular import table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    if answer.columns:
        for text in table(answer.columns, answer.texts(), width):
            line(shown(text))
    flush()
    changes = [f"{name.replace('_', ' ')}: {n}" for name, n in answer.counters.items()]
    if changes:
        talk(", ".join(changes))


# --- the prompt ----------------------------------------------------------------------------


def _converse(graph: "Graph", session: "Session", history: "Path") -> None:
    """Ask for statements and answer them, until whoever types has had enough."""
    from simbuilder.cli.streams import talk
    from simbuilder.scaffolding.exceptions import SimBuilderError

    prompt = _prompt(f"{session.label}> ", history)
    talk(f"neo4j of session {session.label}; ':help' helps")
    while True:
        try:
            # it reads Ctrl-C as a key; as a signal that would hit asyncio while it is being set up
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            typed = prompt().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if typed.rstrip(";") in _LEAVE:
                return
            if typed.startswith(":"):
                talk(_HELP if typed == ":help" else f"there is no {typed}; ':help' shows what is")
            elif typed.strip("; \n"):
                answer = graph.run(typed)
                show(answer)
                talk(f"{len(answer.rows)} row(s), {answer.elapsed_ms:.0f} ms")
        except SimBuilderError as error:
            talk(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
        except KeyboardInterrupt:
            talk("interrupted")


def _prompt(text: str, path: "Path") -> Callable[[], str]:
    """Return what reads a statement: Enter ends it after `;`, and begins a new line before."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    from simbuilder.scaffolding.files import append_line, read_private

    class Statements(History):
        """What was typed in earlier sessions of the shell, one JSON text a line."""

        def load_history_strings(self) -> Iterable[str]:
            try:
                known = read_private(path).splitlines()
                return [json.loads(line) for line in reversed(known)]
            except (OSError, ValueError):  # none yet, or not as we write it
                return []

        def store_string(self, string: str) -> None:
            with suppress(OSError, ValueError):  # the session was removed, or the disk is full
                append_line(path, json.dumps(string), _HISTORY_BYTES)

    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        typed = buffer.text.strip()
        if not typed or typed.startswith(":") or typed.endswith(";") or typed in _LEAVE:
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=False)

    session: PromptSession[str] = PromptSession(
        text,
        multiline=True,
        prompt_continuation=lambda width, _line, _wrapped: "> ".rjust(width, "."),
        key_bindings=keys,
        history=Statements(),
        reserve_space_for_menu=0,
    )
    return session.prompt
