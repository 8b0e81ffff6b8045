"""`graph view`: a page that draws the graph, or the part of it that matters."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import Json, Reference, command_group
from simbuilder.cli.graph.desk import LONG_S, run
from simbuilder.cli.graph.options import PLANE, Force, checked_plane, kinds, planes

if TYPE_CHECKING:
    from simbuilder.cli.graph.desk import Desk
    from simbuilder.cli.graph.outputs import Drawn
    from simbuilder.graph.drawing import Drawing, Wanted
    from simbuilder.graph.service import GraphService
    from simbuilder.sessions.result import Problem, Result

NAME = "graph view"

app = command_group()


@app.command(
    epilog="Examples:  simbuilder graph view  |  simbuilder graph view -o alice.html "
    "--around alice@contoso.com --depth 3  |  "
    "simbuilder graph view --path alice@contoso.com 'Global Administrator' --kind Principal"
)
def view(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The new page.")
    ] = Path("graph.html"),
    around: Annotated[
        str | None,
        typer.Option("--around", metavar="NODE", help="Only what is near it.", show_default=False),
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", min=1, max=6, help="How near, with --around.")
    ] = 2,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Only nodes of this kind or label; can be repeated.",
            show_default=False,
            autocompletion=kinds,
        ),
    ] = None,
    plane: Annotated[
        str | None,
        typer.Option(
            "--plane",
            metavar=PLANE,
            help="Only this plane.",
            show_default=False,
            autocompletion=planes,
        ),
    ] = None,
    path: Annotated[
        tuple[str, str] | None,
        typer.Option("--path", metavar="FROM TO", help="Mark the shortest attack path."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=20_000, help="Nodes at most.")] = 2000,
    session: Reference = None,
    force: Force = False,
    as_json: Json = False,
) -> int:
    """Write a page that draws the graph.

    It is one file for a browser, and loads nothing else. Where there is too much to draw, it is
    what has most power over others, or others over it.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.graph.files import check_target
        from simbuilder.graph.drawing import Wanted
        from simbuilder.scaffolding.files import write_atomic
        from simbuilder.sessions.result import success

        on = None if plane is None else checked_plane(plane)
        target = check_target(output, force)
        graph = desk.graph(session)
        asked = Wanted(limit, tuple(kind or ()), on, around or "", depth)

        async def work(service: "GraphService") -> "tuple[Wanted, Drawing]":
            return await _drawn(service, asked, path)

        desk.begin("graph", "reading")
        wanted, drawing = graph.run(work, LONG_S)
        text = _page(f"Graph of session {graph.session.label}", wanted, drawing)
        write_atomic(target, text)
        shown = f"{len(drawing.nodes):,} nodes, {len(drawing.relationships):,} relationships"
        desk.done("graph", shown)
        data: Drawn = {
            "session": graph.session.short,
            "file": str(target),
            "bytes": target.stat().st_size,
            "nodes": len(drawing.nodes),
            "relationships": len(drawing.relationships),
            "of_nodes": drawing.of_nodes,
            "highlight": list(wanted.path),
        }
        return success(NAME, data, _remarks(wanted, drawing, path))

    return run(NAME, as_json, action, "no file was written")


async def _drawn(
    service: "GraphService", asked: "Wanted", ends: tuple[str, str] | None
) -> "tuple[Wanted, Drawing]":
    from dataclasses import replace

    from simbuilder.graph.drawing import draw

    if asked.around:
        asked = replace(asked, around=await service.resolve(asked.around))
    if ends is not None:
        first, last = await service.resolve(ends[0]), await service.resolve(ends[1])
        found = await service.paths(first, last)
        asked = replace(asked, path=[node["uid"] for one in found for node in one.nodes])
    return asked, await draw(service, asked)


def _page(title: str, wanted: "Wanted", drawing: "Drawing") -> str:
    from simbuilder.graph.view.page import page

    note = _part(wanted, drawing)
    return page(title, drawing.nodes, drawing.relationships, list(wanted.path), note)


def _part(wanted: "Wanted", drawing: "Drawing") -> str:
    """Return what to say of a drawing that is not of all."""
    if len(drawing.nodes) >= drawing.of_nodes:
        return ""
    why = "nearest to the node" if wanted.around else "with most power, or under most of it"
    return f"{len(drawing.nodes):,} of {drawing.of_nodes:,} nodes, those {why}"


def _remarks(
    wanted: "Wanted", drawing: "Drawing", ends: tuple[str, str] | None
) -> "tuple[Problem, ...]":
    from simbuilder.sessions.result import Problem

    found = []
    part = _part(wanted, drawing)
    if part:
        hint = "--limit draws more; --around, --kind and --plane draw another part"
        found.append(Problem("part", part, hint, remark=True))
    if ends is not None and not wanted.path:
        none = f"no attack path from {ends[0]!r:.120} to {ends[1]!r:.120}: nothing is marked"
        found.append(Problem("no-path", none, remark=True))
    if not drawing.nodes:
        found.append(Problem("no-graph", "there is nothing to draw", remark=True))
    return tuple(found)
