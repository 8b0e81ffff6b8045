"""`graph load`: from files into the graph, each in a pass of its own."""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import Json, Reference, command_group
from simbuilder.cli.graph.desk import LONG_S, run
from simbuilder.cli.graph.options import Force, Plane, Report, checked_plane

if TYPE_CHECKING:
    from simbuilder.cli.graph.desk import Desk, Graph
    from simbuilder.cli.graph.outputs import Loaded, PassData
    from simbuilder.graph.formats.sources import Source
    from simbuilder.graph.loading import Hear
    from simbuilder.graph.passes import Finished
    from simbuilder.graph.records import Record
    from simbuilder.graph.service import GraphService
    from simbuilder.sessions.result import Problem, Result

NAME = "graph load"
AGAIN = (
    "what was written stays, and is not written twice: run the same command again, and it goes on "
    "where this one ended"
)

app = command_group()


@app.command(
    epilog="Examples:  simbuilder graph load tenant.jsonl.gz  |  "
    "simbuilder graph load azurehound.json --prune --report remarks.jsonl  |  "
    "simbuilder graph load answers/ --tenant TENANT --dry-run"
)
def load(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files or folders, of any format that is known."),
    ],
    session: Reference = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", metavar="ID", help="Whose it is, where the files do not say."),
    ] = None,
    plane: Plane = "observed",
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete what a complete source no longer has.")
    ] = False,
    report: Report = None,
    force: Force = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read it and say what it holds; write nothing.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Load collected data, or bundles of ours.

    What is there already is updated, not repeated. A file is read to its end before any of it is
    written: one that is damaged changes nothing.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.graph.files import check_target
        from simbuilder.cli.graph.reports import written
        from simbuilder.graph.formats.sources import open_source
        from simbuilder.sessions.result import partial, success

        on = checked_plane(plane)
        target = check_target(report, force) if report else None
        graph = None if dry_run else desk.graph(session)
        sources = [open_source(path, tenant, on) for path in paths]
        with written(target) as hear:
            passes, problems = _all(desk, graph, sources, prune, hear)
        data: Loaded = {
            "session": graph.session.short if graph else None,
            "dry_run": dry_run,
            "passes": passes,
            "report": str(target) if target else None,
        }
        return partial(NAME, data, problems) if problems else success(NAME, data)

    return run(NAME, as_json, action, AGAIN)


def _all(
    desk: "Desk", graph: "Graph | None", sources: "list[Source]", prune: bool, hear: "Hear"
) -> "tuple[list[PassData], tuple[Problem, ...]]":
    """Load all sources; one that cannot be read does not stop the next. Raises if none can be."""
    from simbuilder.cli.graph.reports import problems
    from simbuilder.graph.errors import GraphInputError
    from simbuilder.sessions.result import Problem

    passes: list[PassData] = []
    unread: list[GraphInputError] = []
    for source in sources:
        try:
            passes.append(_one(desk, graph, source, prune, hear))
        except GraphInputError as error:
            unread.append(error)
    if not passes and unread:
        raise unread[0]
    found = [problem for one in passes for problem in problems(one, prune and graph is not None)]
    return passes, (*map(Problem.of, unread), *found)


def _one(
    desk: "Desk", graph: "Graph | None", source: "Source", prune: bool, hear: "Hear"
) -> "PassData":
    from simbuilder.cli.graph.reports import looked_at, passed

    name = source.path.name or str(source.path)
    desk.begin(name, f"reading ({source.format})")
    if graph is None:
        one = looked_at(str(source.path), source.format, source.records(), hear)
    else:
        one = passed(str(source.path), source.format, _written(desk, graph, source, prune, hear))
    desk.done(name, "read" if graph is None else f"snapshot {one['number']}")
    return one


def _written(
    desk: "Desk", graph: "Graph", source: "Source", prune: bool, hear: "Hear"
) -> "Finished":
    name = source.path.name or str(source.path)
    stop = threading.Event()

    async def work(service: "GraphService") -> "Finished":
        import asyncio

        from simbuilder.graph.loading import load

        try:
            digest = await asyncio.to_thread(source.digest)
            return await load(
                service,
                until(stop, source.records()),
                name=name,
                source=f"{digest}/{source.plane}/{source.tenant or ''}",
                vanished=prune,
                tell=desk.tell(name),
                hear=hear,
            )
        finally:
            stop.set()  # the thread that reads hears of no Ctrl-C

    return graph.run(work, LONG_S)


def until(stop: threading.Event, records: "Iterable[Record]") -> "Iterator[Record]":
    """Yield records until told to stop."""
    for record in records:
        if stop.is_set():
            return
        yield record
