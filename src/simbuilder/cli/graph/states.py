"""What changed: between planes or snapshots, and of one node."""

from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import Json, Reference, command_group
from simbuilder.cli.graph.desk import LONG_S, run
from simbuilder.cli.graph.options import NODE, planes

if TYPE_CHECKING:
    from simbuilder.cli.graph.desk import Desk
    from simbuilder.cli.graph.outputs import ChangeCounts, Compared, Remembered
    from simbuilder.graph.comparing import State
    from simbuilder.graph.service import GraphService
    from simbuilder.sessions.result import Result

app = command_group()


@app.command(
    epilog="Examples:  simbuilder graph diff planned observed  |  simbuilder graph diff 2  |  "
    "simbuilder graph diff 2 4 --limit 20 --json"
)
def diff(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A plane, or the number of a snapshot.", autocompletion=planes
        ),
    ],
    b: Annotated[
        str | None,
        typer.Argument(
            metavar="[B]",
            help="Another; the plane observed, or the graph as it is, if left out.",
            show_default=False,
            autocompletion=planes,
        ),
    ] = None,
    session: Reference = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="List so many; all are counted.")
    ] = 100,
    as_json: Json = False,
) -> int:
    """Compare two planes, or two snapshots."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        ends = _ends(a, b)
        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Compared":
            return await _compared(service, ends, limit)

        return success("graph diff", graph.run(work, LONG_S))

    return run("graph diff", as_json, action)


def _ends(a: str, b: str | None) -> tuple[str | int, str | int]:
    """Return what is compared. Raises `UsageError` for what is neither two planes nor snapshots."""
    from simbuilder.graph.comparing import NOW
    from simbuilder.graph.records import PLANES
    from simbuilder.scaffolding.exceptions import UsageError

    hint = f"planes are {', '.join(PLANES)}; 'simbuilder graph stats' lists snapshots"
    if a.isdecimal() and (b is None or b.isdecimal() or b == "now"):
        return int(a), int(b) if b and b != "now" else NOW
    for name in (a, b or "observed"):
        if name not in PLANES:
            both = f"{a!r} and {b!r} are not two planes or two snapshots"
            raise UsageError(both if b else f"{a!r} is no plane and no snapshot", hint)
    if a == (b or "observed"):
        raise UsageError(f"plane {a} does not differ from itself", hint)
    return a, b or "observed"


async def _compared(
    service: "GraphService", ends: tuple[str | int, str | int], limit: int
) -> "Compared":
    from simbuilder.graph.comparing import NOW
    from simbuilder.scaffolding.exceptions import UsageError

    numbers = [end for end in ends if isinstance(end, int) and end != NOW]
    known = {int(each["number"]) for each in await service.snapshots()} if numbers else set()
    for number in numbers:
        if number and number not in known:
            raise UsageError(
                f"there is no snapshot {number}", "'simbuilder graph stats' lists them; 0 is none"
            )
    kinds: dict[str, ChangeCounts] = {}
    data: Compared = {
        "a": ends[0],
        "b": "now" if ends[1] == NOW else ends[1],
        "counts": _none(),
        "kinds": kinds,
        "changes": [],
        "complete": True,
    }
    async for change in service.diff(*ends):
        for counts in (data["counts"], kinds.setdefault(change.kind, _none())):
            counts[change.what] += 1
        if len(data["changes"]) == limit:
            data["complete"] = False
            continue
        data["changes"].append(
            {
                "what": change.what,
                "element": change.element,
                "kind": change.kind,
                "key": change.key,
                "before": dict(change.before),
                "after": dict(change.after),
            }
        )
    data["kinds"] = dict(sorted(kinds.items()))
    return data


def _none() -> "ChangeCounts":
    return {"added": 0, "removed": 0, "changed": 0}


@app.command(
    epilog="Examples:  simbuilder graph history alice@contoso.com  |  "
    "simbuilder graph history 00000000-0000-0000-0000-000000000000 --json"
)
def history(
    node: Annotated[
        str, typer.Argument(metavar="NODE", help=f"{NODE} One that is gone has its uid only.")
    ],
    session: Reference = None,
    as_json: Json = False,
) -> int:
    """Show what a node was, and when."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Remembered":
            uid, states = await _states(service, node)
            return {
                "uid": uid,
                "states": [
                    {
                        "revision": state.revision,
                        "since": state.since,
                        "until": state.until,
                        "properties": dict(sorted(state.properties.items())),
                    }
                    for state in states
                ],
            }

        return success("graph history", graph.run(work))

    return run("graph history", as_json, action)


async def _states(service: "GraphService", reference: str) -> "tuple[str, list[State]]":
    from simbuilder.graph.errors import NoSuchNodeError
    from simbuilder.graph.records import fold

    try:
        uid = await service.resolve(reference)
    except NoSuchNodeError as error:
        try:
            return fold(reference), await service.history(reference)  # of one that is gone
        except NoSuchNodeError:
            raise error from None
    return uid, await service.history(uid)
