"""Using a session from elsewhere: its variables, its pages, and which session is meant at all."""

from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli import completion
from simbuilder.cli.common import Json, Session, Timeout, command_group, run

if TYPE_CHECKING:
    from pathlib import Path

    from simbuilder.cli.lookup import Records
    from simbuilder.composition import Rooms
    from simbuilder.sessions.model import Session as Recorded
    from simbuilder.sessions.outputs import CurrentData, CurrentSession, PageData, Pages
    from simbuilder.sessions.result import Problem, Result

app = command_group()

PAGES = {"neo4j": "http", "nats": "monitoring", "azurite": "blob"}
"""Service -> the endpoint that answers a browser."""

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SESSION] [SERVICE]",
        help="A session, the current one if left out, and one of its services.",
        show_default=False,
        autocompletion=completion.sessions_and_services,
    ),
]


@app.command(
    epilog='Examples:  eval "$(simbuilder session env --format shell)"  |  simbuilder session '
    'env --format github >> "$GITHUB_ENV"  |  simbuilder session env demo --only NEO4J_URI'
)
def env(
    session: Session = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="dotenv|shell|powershell|json|github",
            help="For a .env file, a shell's eval, programs, or the file $GITHUB_ENV.",
            autocompletion=completion.formats,
        ),
    ] = "dotenv",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="KEY", help="Only this variable; can be repeated, or A,B."),
    ] = None,
) -> int:
    """Print what clients of a session need, passwords included, and nothing else."""
    from simbuilder.cli.lookup import look

    def action(records: "Records") -> "Result":
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions import envfile, formats
        from simbuilder.sessions.result import success

        if format_ not in formats.FORMATS:
            raise UsageError(f"unknown format {format_!r}", f"known: {', '.join(formats.FORMATS)}")
        values = formats.only(envfile.variables(records.session(session)), only or ())
        return success("session env", {"text": formats.FORMATS[format_](values)})

    return look("session env", False, action)


@app.command(
    "open",
    epilog="Examples:  simbuilder session open neo4j  |  simbuilder session open demo nats --json",
)
def open_(words: Words = None, as_json: Json = False) -> int:
    """Print where a service can be looked at; show it in the browser, if there is one.

    Without a service, all of them are printed and none is shown.
    """
    from simbuilder.cli.lookup import look

    def action(records: "Records") -> "Result":
        from simbuilder.cli.words import chosen, told_apart
        from simbuilder.runtimes.probes import page_answers
        from simbuilder.sessions.result import success

        reference, services = told_apart(words or ())
        session = records.session(reference)
        urls = {s: session.urls(s)[PAGES[s]] for s in chosen(session, services)}
        pages: list[PageData] = [
            {"service": service, "url": url, "answers": page_answers(url)}
            for service, url in urls.items()
        ]
        opened = bool(services) and not as_json and _shown(pages)
        data: Pages = {"session": session.short, "pages": pages, "opened": opened}
        return success("session open", data, _remarks(session, pages))

    return look("session open", as_json, action)


def _shown(pages: "list[PageData]") -> bool:
    """Show the pages that answer, where there is somebody to look and something to look with."""
    from simbuilder.cli.streams import may_show
    from simbuilder.scaffolding.programs import open_page

    shown = [open_page(page["url"]) for page in pages if page["answers"]] if may_show() else []
    return any(shown)


def _remarks(session: "Recorded", pages: "list[PageData]") -> "tuple[Problem, ...]":
    from simbuilder.sessions.result import Problem

    silent = [page["service"] for page in pages if page["answers"] is None]
    blank = [page["service"] for page in pages if page["answers"] is False]
    remarks = []
    if silent:
        message = f"nothing answers at {', '.join(silent)}"
        hint = f"'simbuilder session start {session.short}' starts what is missing"
        remarks.append(Problem("service-not-ready", message, hint))
    if blank:
        message = f"no page for people, only for programs: {', '.join(blank)}"
        hint = "'simbuilder session shell neo4j' asks the graph database"
        remarks.append(Problem("no-page", message, hint if "neo4j" in blank else ""))
    return tuple(remarks)


@app.command(epilog="Example:  simbuilder session use demo")
def use(
    session: Annotated[
        str,
        typer.Argument(
            metavar="SESSION",
            help="An id, the start of one, or a name.",
            autocompletion=completion.sessions,
        ),
    ],
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Make a session the current one of this checkout; it keeps the folder it was created in."""

    def action(rooms: "Rooms") -> "Result":
        session_id = rooms.manager.finder.resolve(session)
        path = rooms.manager.use(session_id, timeout)
        return _current("session use", rooms.store.load(session_id), path)

    return run("session use", as_json, action)


@app.command(epilog="Example:  simbuilder session current --json")
def current(as_json: Json = False) -> int:
    """Show which session is the current one here, without asking its servers."""
    from simbuilder.cli.lookup import look

    def action(records: "Records") -> "Result":
        from simbuilder.sessions.current import FILE, place

        session = records.session(None)
        return _current("session current", session, place(records.folder) / FILE)

    return look("session current", as_json, action)


def _current(command: str, session: "Recorded", env_file: "Path") -> "Result":
    from simbuilder.sessions.result import success

    shown: CurrentData = {
        "id": session.id,
        "short": session.short,
        "name": session.name,
        "folder": session.folder,
        "env_file": str(env_file),
    }
    data: CurrentSession = {"session": shown}
    return success(command, data)
