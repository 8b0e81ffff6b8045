"""`graph path`: how one node leads to another."""

from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import Json, Reference, Timeout, command_group
from simbuilder.cli.graph.desk import run
from simbuilder.cli.graph.options import NODE, Families

if TYPE_CHECKING:
    from simbuilder.cli.graph.desk import Desk
    from simbuilder.cli.graph.outputs import Paths
    from simbuilder.graph.paths import Path
    from simbuilder.graph.service import GraphService
    from simbuilder.sessions.result import Result

_LONGEST_OF_ALL = 6
"""All ways are asked for at times, and there are more of them with each step than anybody reads."""
_MOST = 1000

app = command_group()


@app.command(
    epilog="Examples:  simbuilder graph path alice@contoso.com 'Global Administrator'  |  "
    "simbuilder graph path alice@contoso.com kv-payroll --k 3 --json  |  "
    "simbuilder graph path alice@contoso.com kv-payroll --family MEMBER_OF --family authority"
)
def path(
    start: Annotated[str, typer.Argument(metavar="FROM", help=NODE)],
    end: Annotated[str, typer.Argument(metavar="TO", help=NODE)],
    session: Reference = None,
    family: Families = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="How many, the shortest.")] = 1,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            metavar="N",
            help=f"Relationships of a path at most: 15, or {_LONGEST_OF_ALL} with --all.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All that visit no node twice, a thousand at most.")
    ] = False,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Find the shortest ways between two nodes.

    Unless told otherwise they lead along what gives somebody power over something.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.graph.elements import brief, way
        from simbuilder.graph.paths import MAX_LENGTH
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import Problem, success

        length = max_length if max_length is not None else _LONGEST_OF_ALL if every else MAX_LENGTH
        if not 1 <= length <= MAX_LENGTH:
            raise UsageError(f"--max-length {length} is not 1 to {MAX_LENGTH}", "give another one")
        if every and k != 1:
            raise UsageError("--all and --k contradict each other", "give one of them")
        families = list(family or ("attack",))
        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Paths":
            first, last = await service.resolve(start), await service.resolve(end)
            if every:
                more = service.all_paths(first, last, families=families, length=length)
                found: list[Path] = [one async for one in more]
            else:
                found = await service.paths(first, last, families=families, k=k, length=length)
            return {
                "start": brief(await service.get(first)),
                "end": brief(await service.get(last)),
                "families": families,
                "max_length": length,
                "paths": [way(one) for one in found],
                "complete": len(found) < (_MOST if every else k),
            }

        data = graph.run(work, timeout)
        steps = "step" if length == 1 else "steps"
        none = Problem(
            "no-path",
            f"no path of {', '.join(families)} within {length} {steps}",
            "docs/graph.md lists families; a path follows the direction of relationships",
            remark=True,
        )
        return success("graph path", data, () if data["paths"] else (none,))

    return run("graph path", as_json, action)
