"""Events that were recorded once are read for ever, and types grow by additions alone."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from docs.bus_events import json_type
from simbuilder.bus import formats
from simbuilder.bus.catalogue import CATALOGUE
from simbuilder.bus.events import KNOWN, EventData

DATA = Path(__file__).parents[1] / "data" / "events"
RECORDED = sorted((DATA / "v1").glob("*.json"))
FIELDS: dict[str, Any] = json.loads((DATA / "required.json").read_text())

RULE = """
A type of event grows by additions alone: streams on disk hold older events, and readers of an older
version run beside this one. So a field that a type once had stays, keeps its type, and stays
required or optional; a new field has a default. What cannot be so is a new version: a class of its
own with TYPE sim.<domain>.v2..., beside the old one.
A new type is recorded: one event as bytes in tests/data/events/v1/<type>.json, and its fields in
tests/data/events/required.json. What is recorded there is never changed."""


def named(path: Path) -> str:
    return path.stem


def fields_of(kind: type[BaseModel]) -> dict[str, Any]:
    """What required.json has of a type."""
    schema = kind.model_json_schema()
    assert "$defs" not in schema, "what is inside of a field would grow unseen: use flat fields"
    return {
        "required": schema.get("required", []),
        "fields": {name: json_type(field) for name, field in schema["properties"].items()},
    }


def broken(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What an older event or an older reader would stumble over."""
    before, after = recorded["fields"], now["fields"]
    gone = [f"{name} is gone" for name in before if name not in after]
    other = [
        f"{name} was {before[name]!r}, is {after[name]!r}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    needed, needs = set(recorded["required"]), set(now["required"])
    more = [f"{name} is required now" for name in sorted(needs - needed)]
    less = [f"{name} is required no more" for name in sorted((needed - needs) & set(after))]
    return gone + other + more + less


# --- recorded events ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", RECORDED, ids=named)
def test_a_recorded_event_is_read_as_its_type(path: Path) -> None:
    event = formats.read(path.read_bytes())
    assert event.type == path.stem
    payload = event.payload()
    assert payload is not None, f"{event.type} is declared no more{RULE}"
    now = payload.model_dump(mode="json")
    lost = {name: value for name, value in event.data.items() if now.get(name, ...) != value}
    assert lost == {}, f"{event.type} reads older events as something else{RULE}"


@pytest.mark.parametrize("path", RECORDED, ids=named)
def test_a_recorded_event_keeps_what_it_says_about_itself(path: Path) -> None:
    raw = path.read_bytes()
    event = formats.read(raw)
    assert event.id.startswith("recorded-")
    assert event.source == "simbuilder/recorded"
    assert event.correlation_id == "recorded-1"
    assert event.key == event.data.get("run")
    assert json.loads(formats.write(event)) == json.loads(raw)


def test_every_declared_type_is_recorded_and_every_recorded_one_declared() -> None:
    declared = {kind.TYPE for kind in CATALOGUE}
    assert {path.stem for path in RECORDED} == declared, RULE
    assert set(FIELDS) == declared, RULE


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.TYPE)
def test_a_type_has_grown_by_additions_alone(kind: type[EventData]) -> None:
    found = broken(FIELDS[kind.TYPE], fields_of(kind))
    assert found == [], f"{kind.TYPE}: {'; '.join(found)}{RULE}"


def test_the_catalogue_has_every_type_that_the_package_declares() -> None:
    ours = {
        name for name, kind in KNOWN.items() if kind.__module__.startswith("simbuilder.bus.catal")
    }
    assert ours == {kind.TYPE for kind in CATALOGUE}


# --- the rule itself ---------------------------------------------------------------------------


class Was(BaseModel):
    run: str
    seconds: float = Field(default=0.0, ge=0)
    state: Literal["up", "down"] = "up"


class MoreOptional(Was):
    priority: int = 0


class MoreRequired(Was):
    priority: int


class Less(BaseModel):
    run: str
    seconds: float = Field(default=0.0, ge=0)


class Renamed(BaseModel):
    run_id: str
    seconds: float = Field(default=0.0, ge=0)
    state: Literal["up", "down"] = "up"


class OtherType(Was):
    run: int  # type: ignore[assignment]


class OtherValues(Was):
    state: Literal["up", "down", "lost"] = "up"  # type: ignore[assignment]


class OtherBound(Was):
    seconds: float = Field(default=1.0, ge=1)


class NowRequired(Was):
    seconds: float = Field(ge=0)


class NowOptional(Was):
    run: str = ""


GROWN: dict[type[BaseModel], list[str]] = {
    Was: [],
    MoreOptional: [],
    MoreRequired: ["priority is required now"],
    Less: ["state is gone"],
    Renamed: ["run is gone", "run_id is required now"],
    OtherType: ["run was 'string', is 'integer'"],
    OtherValues: ['state was \'"up", "down"\', is \'"up", "down", "lost"\''],
    OtherBound: ["seconds was 'number, at least 0', is 'number, at least 1'"],
    NowRequired: ["seconds is required now"],
    NowOptional: ["run is required no more"],
}
NAMES = [kind.__name__ for kind in GROWN]


@pytest.mark.parametrize(("now", "found"), GROWN.items(), ids=NAMES)
def test_only_additions_pass(now: type[BaseModel], found: list[str]) -> None:
    assert broken(fields_of(Was), fields_of(now)) == found
