"""The JSON schemas of what commands print, made from the types of their outputs."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import is_typeddict

from simbuilder.cli.bus import outputs as of_bus
from simbuilder.cli.graph import outputs as of_graph
from simbuilder.sessions import lines, outputs

OUTPUTS: Mapping[str, object] = {
    "session create": outputs.OneSession | outputs.Planned,
    "session start": outputs.OneSession | outputs.Planned,
    "session stop": outputs.OneSession | outputs.Planned,
    "session extend": outputs.OneSession,
    "session gc": outputs.Collection | outputs.Planned,
    "session list": outputs.Sessions,
    "session status": outputs.OneSession,
    "session cleanup": outputs.Removed | outputs.Planned,
    "session open": outputs.Pages,
    "session use": outputs.CurrentSession,
    "session current": outputs.CurrentSession,
    "session shell": outputs.Answered,
    "session verify": outputs.VerifiedSessions,
    "session fork": outputs.Forked,
    "session snapshot save": outputs.Saved,
    "session snapshot list": outputs.SnapshotList,
    "session snapshot restore": outputs.Restored,
    "session snapshot delete": outputs.DeletedSnapshot,
    "session export": outputs.Exported,
    "session import": outputs.Imported,
    "graph init": of_graph.Initialized,
    "graph load": of_graph.Loaded,
    "graph generate": of_graph.Generated,
    "graph stats": of_graph.Stats,
    "graph query": of_graph.Queried,
    "graph show": of_graph.Shown,
    "graph path": of_graph.Paths,
    "graph diff": of_graph.Compared,
    "graph history": of_graph.Remembered,
    "graph export": of_graph.Exported,
    "graph view": of_graph.Drawn,
    "graph wipe": of_graph.Wiped,
    "bus ensure": of_bus.Ensured,
    "bus streams": of_bus.Streams,
    "bus consumers": of_bus.Consumers,
    "bus publish": of_bus.Published,
    "bus request": of_bus.Replied,
    "bus dlq list": of_bus.Letters,
    "bus dlq show": of_bus.Letter,
    "bus dlq retry": of_bus.Retried,
    "bus dlq drop": of_bus.Dropped,
    "bus top": of_bus.Rates,
    "check": outputs.Checks,
    "info": outputs.Info,
    "version": outputs.Versions,
}
"""Command -> the `data` of its envelope."""

LINES: Mapping[str, object] = {
    "session logs": lines.LogLineData,
    "session events": lines.EventData,
    "session watch": lines.ChangeData,
    "bus tail": of_bus.EventLine,
    "bus replay": of_bus.EventLine | of_bus.SentLine,
}
"""Command -> each line of it: for those that go on and on, and print no envelope."""

DIALECT = GenerateJsonSchema.schema_dialect

RULES = [
    {
        "if": {"properties": {"status": {"const": "success"}}},
        "then": {"properties": {"data": {"minProperties": 1}}},
    },
    {
        "if": {"properties": {"status": {"const": "error"}}},
        "then": {"properties": {"data": {"maxProperties": 0}}},
    },
]
"""What types cannot say: when there is data, and when not."""


class _Schema(GenerateJsonSchema):
    """Without titles that only repeat the name of their property."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def texts() -> dict[str, str]:
    """Return the name of each schema file and its text."""
    for kind in (
        value for room in (outputs, of_graph, of_bus, lines) for value in vars(room).values()
    ):
        if is_typeddict(kind):
            # whatever is not in the type is a defect; and descriptions are the docstrings
            kind.__pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)
    found = {"envelope": _envelope("envelope", "any command --json", dict[str, object])}
    found |= {command: _result(command, data) for command, data in OUTPUTS.items()}
    found |= {command: _line(command, line) for command, line in LINES.items()}
    return {file_name(c): json.dumps(schema, indent=2) + "\n" for c, schema in found.items()}


def file_name(command: str) -> str:
    """Return the name of a command's schema file."""
    return f"{command.replace(' ', '-')}.json"


def _result(command: str, data: Any) -> dict[str, Any]:
    schema = _envelope(command, f"simbuilder {command} --json", data | outputs.NoData)
    schema["properties"]["command"] = {"const": command}
    return schema


def _envelope(name: str, title: str, data: Any) -> dict[str, Any]:
    return _schema(name, title, outputs.Envelope[data]) | {"allOf": RULES}


def _line(command: str, line: Any) -> dict[str, Any]:
    return _schema(command, f"a line of simbuilder {command}", line)


def _schema(name: str, title: str, kind: Any) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(schema_generator=_Schema)
    head = {"$schema": DIALECT, "$id": file_name(name), "title": title}
    parts = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}  # last, for the reader
    return {**head, **{k: v for k, v in schema.items() if k != "title"}, **parts}
