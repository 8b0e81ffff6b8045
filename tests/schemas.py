"""What commands print with `--json`, held against its schema.

The schemas are made anew here; that the files in docs/schemas are the same is another test's.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from docs import schema


@cache
def validators() -> Mapping[str, Draft202012Validator]:
    """Return file name -> what validates it."""
    made = {name: json.loads(text) for name, text in schema.texts().items()}
    for one in made.values():
        Draft202012Validator.check_schema(one)
    return {name: Draft202012Validator(one) for name, one in made.items()}


def checked(envelope: Any) -> Any:
    """Return what a command printed if its schema allows it.

    Errors of commands that print lines, and of mere groups of commands, as that of `simbuilder
    session explode`, have no schema of their own.
    """
    validators()["envelope.json"].validate(envelope)
    command = envelope["command"]
    if command in schema.OUTPUTS or envelope["status"] != "error":
        assert command not in schema.LINES
        validators()[schema.file_name(command)].validate(envelope)
    return envelope


def checked_lines(command: str, text: str) -> list[Any]:
    """Return the lines that a command printed if its schema allows each."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        validators()[schema.file_name(command)].validate(line)
    return lines
