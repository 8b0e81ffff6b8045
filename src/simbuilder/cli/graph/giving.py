"""`graph export`: the whole graph in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from simbuilder.cli.common import Json, Reference, command_group
from simbuilder.cli.graph.desk import LONG_S, run
from simbuilder.cli.graph.options import Force, formats

if TYPE_CHECKING:
    from simbuilder.cli.graph.desk import Desk
    from simbuilder.cli.graph.outputs import Exported
    from simbuilder.graph.formats.files import Counts
    from simbuilder.graph.service import GraphService
    from simbuilder.graph.spool import Spool
    from simbuilder.sessions.result import Result

NAME = "graph export"

app = command_group()


@app.command(
    epilog="Examples:  simbuilder graph export -o tenant.jsonl.gz  |  simbuilder graph export "
    "-o for-bloodhound.json  |  simbuilder graph export | gzip > tenant.jsonl.gz"
)
def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The new file; - is stdout.")
    ] = Path("-"),
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="bundle|bloodhound|graphml",
            help="Else as the file ends: .jsonl, .json or .graphml, and .gz packs it.",
            show_default=False,
            autocompletion=formats,
        ),
    ] = None,
    session: Reference = None,
    force: Force = False,
    as_json: Json = False,
) -> int:
    """Write the whole graph to a file.

    A bundle can be loaded again; BloodHound takes the second format, drawing programs GraphML.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli import streams
        from simbuilder.cli.graph.files import check_target, format_of, new_file
        from simbuilder.graph.spool import spool
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import success

        form = format_of(output, format_)
        to_stdout = str(output) == "-"
        if to_stdout and as_json:
            raise UsageError("--json and a graph on stdout contradict each other", "give -o FILE")
        target = None if to_stdout else check_target(output, force)
        graph = desk.graph(session)
        with spool() as waiting:  # formats are written at once, and databases answer bit by bit

            async def work(service: "GraphService") -> None:
                await waiting.fill_from(service.nodes(), service.relationships())

            desk.begin("graph", "reading")
            graph.run(work, LONG_S)
            if target is None:
                with streams.bytes_out() as out:
                    counts = _write(form, waiting, out)
            else:
                with new_file(target) as out:
                    counts = _write(form, waiting, out)
            desk.done("graph", f"{counts.nodes:,} nodes, {counts.relationships:,} relationships")
        if target is None:
            return success(NAME, {})
        data: Exported = {
            "session": graph.session.short,
            "file": str(target),
            "format": form,
            "bytes": target.stat().st_size,
            "nodes": counts.nodes,
            "relationships": counts.relationships,
        }
        return success(NAME, data)

    return run(NAME, as_json, action, "no file was written")


def _write(form: str, waiting: "Spool", out: BinaryIO) -> "Counts":
    from itertools import chain

    from simbuilder.graph.formats import bloodhound, bundle, graphml

    if form == "bundle":
        return bundle.write(chain(waiting.nodes(), waiting.relationships(), waiting.listings), out)
    write = bloodhound.write if form == "bloodhound" else graphml.write
    return write(waiting.nodes(), waiting.relationships(), out)
