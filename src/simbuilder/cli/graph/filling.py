"""What fills and empties a graph, but for `graph load`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import Json, Reference, command_group
from simbuilder.cli.graph.desk import LONG_S, run
from simbuilder.cli.graph.options import Force, Plane, checked_plane

if TYPE_CHECKING:
    from simbuilder.cli.graph.desk import Desk, Graph
    from simbuilder.cli.graph.outputs import CountData, Generated, Initialized, PassData, Wiped
    from simbuilder.graph.passes import Finished
    from simbuilder.graph.records import Record
    from simbuilder.graph.service import Counts, GraphService
    from simbuilder.sessions.result import Result

app = command_group()


@app.command(epilog="Examples:  simbuilder graph init  |  simbuilder graph init --session lab")
def init(session: Reference = None, as_json: Json = False) -> int:
    """Make the database ready for a graph; can be repeated.

    Constraints and indexes are declared, and a graph of an older version is brought up to date.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Initialized":
            version = await service.initialize_schema()
            able = service.capabilities
            return {
                "session": graph.session.short,
                "database": f"{able.product} {able.version}",
                "schema_version": version,
            }

        return success("graph init", graph.run(work))

    return run("graph init", as_json, action, "run it again: it does what is missing")


# --- a tenant that nobody has -----------------------------------------------------------------


@app.command(
    epilog="Examples:  simbuilder graph generate --users 100  |  "
    "simbuilder graph generate --users 5000 --seed 7 -o tenant.jsonl.gz"
)
def generate(
    users: Annotated[
        int,
        typer.Option("--users", metavar="N", help="How many users it has in all, up to 100,000."),
    ],
    seed: Annotated[int, typer.Option("--seed", help="Another number, another tenant.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a bundle, needing no session."),
    ] = None,
    session: Reference = None,
    plane: Plane = "observed",
    force: Force = False,
    as_json: Json = False,
) -> int:
    """Make up a tenant of any size.

    It is the same for the same numbers, and ways to the top are hidden in it. Without -o it is
    loaded into the session's graph.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.graph.files import check_target
        from simbuilder.graph.synthetic import tenant
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import success

        on = checked_plane(plane)
        if output is not None and session is not None:
            raise UsageError("-o and --session contradict each other", "give one of them")
        try:
            seen = _Seen(tenant(users, seed, on))
        except ValueError as error:
            raise UsageError(str(error), "as in: --users 100") from None
        data: Generated = {
            "users": users,
            "seed": seed,
            "tenant": "",
            "plane": plane,
            "session": None,
            "file": None,
            "nodes": 0,
            "relationships": 0,
            "passes": [],
        }
        if output is not None:
            target = check_target(output, force)
            _to_file(seen, target)
            data["file"] = str(target)
        else:
            graph = desk.graph(session)
            data["session"] = graph.session.short
            data["passes"] = [_loaded(desk, graph, seen, f"{users} users, seed {seed}, {plane}")]
        data |= {"tenant": seen.tenant, "nodes": seen.nodes, "relationships": seen.relationships}
        return success("graph generate", data)

    hint = "run it again: what is in the graph is not written twice"
    return run("graph generate", as_json, action, "" if output else hint)


class _Seen:
    """Records as they go by, counted."""

    def __init__(self, records: "Iterable[Record]") -> None:
        self._records = records
        self.tenant, self.nodes, self.relationships = "", 0, 0

    def __iter__(self) -> "Iterator[Record]":
        from simbuilder.graph.records import Node, Relationship

        for record in self._records:
            if isinstance(record, Node):
                self.nodes += 1
                self.tenant = record.tenant_id
            elif isinstance(record, Relationship):
                self.relationships += 1
            yield record


def _to_file(records: "Iterable[Record]", target: Path) -> None:
    from simbuilder.cli.graph.files import new_file
    from simbuilder.graph.formats import bundle

    with new_file(target) as out:
        bundle.write(records, out)


def _loaded(desk: "Desk", graph: "Graph", records: "Iterable[Record]", what: str) -> "PassData":
    from simbuilder import __version__
    from simbuilder.cli.graph.reports import passed

    name = f"made up: {what}"

    async def work(service: "GraphService") -> "Finished":
        from simbuilder.graph.loading import load_ordered

        source = f"{what}, version {__version__}"
        tell = desk.tell("tenant")
        return await load_ordered(service, records, name=name, source=source, tell=tell)

    desk.begin("tenant", "making it up")
    one = passed(name, "synthetic", graph.run(work, LONG_S))
    desk.done("tenant", f"snapshot {one['number']}")
    return one


# --- all of it gone ---------------------------------------------------------------------------


@app.command(epilog="Examples:  simbuilder graph wipe  |  simbuilder graph wipe --yes --json")
def wipe(
    session: Reference = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> int:
    """Delete the graph, and its history.

    What others keep in the same database stays.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.streams import may_ask
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import success

        graph = desk.graph(session)
        if not yes and not may_ask():
            raise UsageError("wipe needs --yes when nobody can be asked", "add --yes")
        counts = graph.run(_counted, LONG_S)
        deleted: CountData = {
            "nodes": sum(counts.nodes.values()),
            "relationships": sum(counts.relationships.values()),
        }
        if not yes:
            _confirm(graph, deleted)
        tell = desk.tell("graph")

        async def work(service: "GraphService") -> int:
            return await service.wipe(lambda n: tell(f"{n:,} deleted"))

        desk.begin("graph", "deleting")
        graph.run(work, LONG_S)
        desk.done("graph", "deleted")
        data: Wiped = {"session": graph.session.short, "deleted": deleted}
        return success("graph wipe", data)

    again = "part of it may be gone; run it again to delete the rest"
    return run("graph wipe", as_json, action, again)


async def _counted(service: "GraphService") -> "Counts":
    return await service.counts()


def _confirm(graph: "Graph", counts: "CountData") -> None:
    from simbuilder.scaffolding.exceptions import SimBuilderError

    what = f"{counts['nodes']:,} nodes and {counts['relationships']:,} relationships"
    asked = f"Delete {what} of session {graph.session.label}, with their history?"
    if not typer.confirm(asked, err=True):
        raise SimBuilderError("nothing was deleted")
