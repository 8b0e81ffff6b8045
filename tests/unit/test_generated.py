"""What is generated says what the code says, and every JSON output has a schema that means it."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from docs import generate, reference, schema
from simbuilder.cli import render
from simbuilder.scaffolding.exceptions import SimBuilderError
from simbuilder.sessions.result import Problem, partial, success
from simbuilder.sessions.view import SessionView
from tests import support
from tests.schemas import checked, validators

SOURCE = Path(__file__).parents[2] / "src"
TYPES = (
    "simbuilder.sessions.outputs",
    "simbuilder.sessions.lines",
    "simbuilder.cli.graph.outputs",
    "simbuilder.cli.bus.outputs",
)


def test_nothing_generated_is_stale() -> None:
    names = [path.name for path in generate.stale()]
    assert names == [], "run: python3 tasks.py format"


def test_every_json_output_has_a_schema_and_every_schema_an_output() -> None:
    printing = {
        path
        for path, command, context in reference.commands()
        if any("--json" in parameter.opts for parameter in command.get_params(context))
    }
    printing.add("session events")  # nothing else can be had of it
    assert printing == {*schema.OUTPUTS, *schema.LINES}, "see 'A new command' in CONTRIBUTING.md"


def test_every_error_ends_with_a_documented_exit_status() -> None:
    kinds: set[type[SimBuilderError]] = {SimBuilderError, *SimBuilderError.__subclasses__()}
    assert {kind.exit_status for kind in kinds} <= set(reference.EXITS)


def test_schemas_name_no_place_but_their_dialect() -> None:
    for text in schema.texts().values():
        assert text.replace(schema.DIALECT, "").count("://") == 0


def envelope() -> dict[str, Any]:
    view = SessionView(support.session(name="demo"), Path("/nowhere/.env.session"), {}, None)
    result = success("session status", {"session": view.data()})
    return checked(dict(render.envelope(result)))  # type: ignore[no-any-return]


DRIFTS: dict[str, Callable[[Any], object]] = {
    "a field more": lambda e: e["data"]["session"].update(colour="red"),
    "a field less": lambda e: e["data"]["session"].pop("folder"),
    "a field more in a service": lambda e: e["data"]["session"]["services"]["nats"].update(x=1),
    "an unknown state": lambda e: e["data"]["session"].update(state="dancing"),
    "a number as text": lambda e: e["data"]["session"]["services"]["nats"].update(latency_ms="1"),
    "another version": lambda e: e.update(version=2),
    "success without data": lambda e: e.update(data={}),
    "an error with data": lambda e: e.update(status="error"),
    "the data of another command": lambda e: e.update(data={"sessions": []}),
    "another command": lambda e: e.update(command="session teleport"),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_a_schema_refuses_what_its_types_do_not_say(drift: Callable[[Any], object]) -> None:
    drifted = envelope()
    drift(drifted)
    with pytest.raises((ValidationError, KeyError)):
        checked(drifted)


def test_a_schema_is_that_of_one_command() -> None:
    validator = validators()["session-status.json"]
    assert validator.is_valid(envelope())
    assert not validator.is_valid(envelope() | {"command": "session start"})


def test_what_ended_half_way_has_data_or_not() -> None:
    problem = (Problem("unknown", "nobody knows"),)
    checked(dict(render.envelope(partial("session status", {}, problem))))
    checked(dict(render.envelope(partial("session status", envelope()["data"], problem))))


def test_the_types_of_outputs_cost_a_command_nothing() -> None:
    """Their library takes a tenth of a `session list` to load."""
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        guarded = {
            node
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in TYPES:
                assert node in guarded, path
