"""What is in a graph: counts, a node and what lies around it, and statements of one's own."""

import json
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simbuilder.cli.common import Json, Reference, Timeout, command_group
from simbuilder.cli.graph.desk import LONG_S, run
from simbuilder.cli.graph.options import NODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simbuilder.cli.graph.desk import Desk
    from simbuilder.cli.graph.outputs import CountData, Queried, Shown, SnapshotData, Stats
    from simbuilder.graph.service import Around, Counts, GraphService
    from simbuilder.runtimes.cypher import Answer
    from simbuilder.sessions.result import Problem, Result

_INT64 = 2**63
_DEEPEST = 6

app = command_group()


@app.command(epilog="Examples:  simbuilder graph stats  |  simbuilder graph stats --json")
def stats(session: Reference = None, as_json: Json = False) -> int:
    """Count what there is, and list the snapshots."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Stats":
            version, able = await service.version(), service.capabilities
            counts = await service.counts()
            return {
                "session": graph.session.short,
                "database": f"{able.product} {able.version}",
                "schema_version": version,
                "nodes": counts.by_kind(counts.nodes),
                "relationships": counts.by_kind(counts.relationships),
                "planes": _by(counts, 1),
                "tenants": _by(counts, 2),
                "snapshots": [_snapshot(each) for each in await service.snapshots()],
            }

        data = graph.run(work, LONG_S)
        return success("graph stats", data, () if data["schema_version"] else (_no_graph(),))

    return run("graph stats", as_json, action)


def _by(counts: "Counts", place: int) -> "dict[str, CountData]":
    found: dict[str, CountData] = {}
    for key, number in counts.nodes.items():
        found.setdefault(key[place], {"nodes": 0, "relationships": 0})["nodes"] += number
    for key, number in counts.relationships.items():
        found.setdefault(key[place], {"nodes": 0, "relationships": 0})["relationships"] += number
    return dict(sorted(found.items()))


def _snapshot(known: "Mapping[str, Any]") -> "SnapshotData":
    return {
        "number": int(known["number"]),
        "name": str(known["name"]),
        "state": str(known["state"]),
        "started": str(known["started"]),
        "finished": known.get("finished"),
    }


def _no_graph() -> "Problem":
    from simbuilder.sessions.result import Problem

    hint = "'simbuilder graph load' and 'simbuilder graph generate' begin one"
    return Problem("no-graph", "the database holds no graph yet", hint, remark=True)


# --- one node ---------------------------------------------------------------------------------


@app.command(
    epilog="Examples:  simbuilder graph show alice@contoso.com  |  "
    "simbuilder graph show 'Global Administrator' --depth 2 --json"
)
def show(
    node: Annotated[str, typer.Argument(metavar="NODE", help=NODE)],
    session: Reference = None,
    depth: Annotated[
        int, typer.Option("--depth", min=0, max=_DEEPEST, help="How many steps around it.")
    ] = 1,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100_000, help="Relationships at most.")
    ] = 500,
    as_json: Json = False,
) -> int:
    """Show a node and what it is tied to."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Shown":
            uid = await service.resolve(node)
            return _shown(await service.neighbourhood(uid, depth, limit))

        return success("graph show", graph.run(work))

    return run("graph show", as_json, action)


def _shown(around: "Around") -> "Shown":
    from simbuilder.cli.graph.elements import brief, tie
    from simbuilder.graph.model import SCHEMA
    from simbuilder.graph.preparing import said
    from simbuilder.graph.schema import ENTITY

    row, *others = around.nodes
    shown = brief(row)
    kind = SCHEMA.node_kinds.get(shown["kind"])
    return {
        **shown,
        "labels": list(kind.labels) if kind else [ENTITY],
        "plane": str(row.get("plane", "")),
        "tenant": str(row.get("tenant_id", "")),
        "properties": dict(sorted(said(row).items())),
        "first_seen": str(row.get("first_seen", "")),
        "last_seen": str(row.get("last_seen", "")),
        "snapshot": int(row.get("snapshot_id", 0)),
        "revision": int(row.get("revision", 0)),
        "neighbours": [brief(each) for each in others],
        "relationships": [tie(each) for each in around.ties],
        "complete": around.complete,
    }


# --- statements -------------------------------------------------------------------------------


@app.command(
    epilog="Examples:  simbuilder graph query 'MATCH (u:AZUser) RETURN count(u)'  |  simbuilder "
    "graph query 'MATCH (u:EntraUser {upn: $upn}) RETURN u.uid' --param upn=alice@contoso.com  |  "
    "simbuilder graph query - < statement.cypher"
)
def query(
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One statement of Cypher; - reads stdin.")
    ],
    session: Reference = None,
    params: Annotated[
        list[str] | None,
        typer.Option(
            "--param", metavar="NAME=VALUE", help="JSON, or else text, for $NAME; can be repeated."
        ),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Let it change the graph.")] = False,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Run a statement of Cypher.

    It changes nothing unless --write lets it.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.runtimes.cypher import Answer
        from simbuilder.sessions.result import success

        parameters = dict(_parameter(each) for each in params or ())
        text = _statement(statement)
        graph = desk.graph(session)

        async def work(service: "GraphService") -> "Answer":
            columns, rows, changed = await service.query(text, parameters, write=write)
            return Answer(columns, tuple(rows), changed, 0.0)

        answer = graph.run(work, timeout)
        if not as_json:
            from simbuilder.cli.shell import show as tabulate

            tabulate(answer)
            return success("graph query", {})
        data: Queried = {
            "columns": list(answer.columns),
            "rows": answer.data(),
            "changed": dict(answer.counters),
        }
        return success("graph query", data)

    hint = "ArcadeDB works on a statement to its end; Neo4j has given it up"
    return run("graph query", as_json, action, hint)


def _statement(given: str) -> str:
    """Return the statement itself. Raises `UsageError` if there is none."""
    from simbuilder.scaffolding.exceptions import UsageError

    try:
        text = sys.stdin.read() if given == "-" else given
    except UnicodeDecodeError as error:
        raise UsageError(f"what is on stdin is no text: {error}", "write it in UTF-8") from None
    text = text.strip().removesuffix(";")
    if not text.strip():
        raise UsageError("there is no statement", "as in: simbuilder graph query 'RETURN 1'")
    return text


def _parameter(given: str) -> tuple[str, Any]:
    """Return name and value. Raises `UsageError` for what is neither JSON nor text."""
    from simbuilder.scaffolding.exceptions import UsageError

    name, equals, text = given.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise UsageError(f"--param {given!r:.80} is not NAME=VALUE", "as in: --param upn=alice")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if any(not -_INT64 <= number < _INT64 for number in _integers(value)):
        raise UsageError(f"--param {name}: a number of more than 64 bits", "give it in quotes")
    return name, value


def _integers(value: Any) -> "Iterable[int]":
    if isinstance(value, int):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _integers(each)
