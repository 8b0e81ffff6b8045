"""What an event says about itself, and how its data may grow."""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from simbuilder.bus import events, formats
from simbuilder.bus.catalogue import CATALOGUE
from simbuilder.bus.catalogue.workflow import RunRequested, RunStarted, StepFailed
from simbuilder.bus.errors import BadNameError, EventError
from simbuilder.bus.events import KNOWN, Event, EventData, checked_data, named_data
from simbuilder.bus.making import following_id, new_event, new_named
from tests.unit.test_properties import SETTINGS

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "hunter2-and-more"
Given = dict[str, Any]


def named(type_: str = "com.example.thing", data: Any = None, **more: Any) -> Event:
    given: Given = {"id": "e-1", "time": AT, "source": "tests"} | more
    return Event.named(type_, data, **given)


def started(**more: Any) -> Event:
    given: Given = {"id": "e-1", "time": AT, "source": "tests"} | more
    return Event.of(RunStarted(run="run-1", steps=3), **given)


# --- what an event has ---------------------------------------------------------------------


def test_an_event_of_declared_data_has_its_type_and_its_data_as_json() -> None:
    event = started()
    assert event.type == "sim.workflow.v1.run.started"
    assert event.data == {"run": "run-1", "steps": 3}
    assert (event.id, event.source, event.time) == ("e-1", "tests", AT)
    assert event.get_specversion() == "1.0"
    assert event.get_datacontenttype() == "application/json"


def test_an_event_of_any_other_type_has_the_data_it_is_given() -> None:
    for data in ({"a": [1, None]}, [1], "text", 1, 1.5, True, None):
        assert named(data=data).data == data


def test_an_event_without_a_cause_begins_an_undertaking() -> None:
    event = started()
    assert event.correlation_id == event.id
    assert event.causation_id is None


def test_an_event_with_a_cause_belongs_to_the_same_undertaking() -> None:
    first = started()
    second = named(id="e-2", cause=first)
    third = named(id="e-3", cause=second)
    assert (second.causation_id, third.causation_id) == ("e-1", "e-2")
    assert first.correlation_id == second.correlation_id == third.correlation_id == "e-1"


def test_an_undertaking_that_is_named_goes_before_that_of_the_cause() -> None:
    event = named(id="e-2", cause=started(), correlation_id="mine")
    assert (event.correlation_id, event.causation_id) == ("mine", "e-1")
    assert named(id="e-3", cause=event).correlation_id == "mine"
    assert started(correlation_id="mine").correlation_id == "mine"


def test_an_event_without_an_undertaking_hands_none_on() -> None:
    foreign = Event({"id": "x", "source": "they", "type": "thing"})
    event = named(id="e-2", cause=foreign)
    assert foreign.correlation_id is None
    assert (event.correlation_id, event.causation_id) == ("e-2", "x")


def test_a_key_says_where_an_event_goes() -> None:
    assert started().key is None
    assert started().subject_for == "sim.workflow.v1.run.started"
    assert started(key="run-2").key == "run-2"
    assert started(key="run-2").subject_for == "sim.workflow.v1.run.started.k09"


def test_an_extension_that_is_no_text_is_read_as_text() -> None:
    event = Event({"id": "x", "source": "they", "type": "thing", "partitionkey": 7})
    assert event.key == "7"


def test_changing_an_event_makes_another() -> None:
    event = started(key="run-1")
    moved = event.with_(None, dataref="store/1", partitionkey=None)
    assert (moved.data, moved.data_ref, moved.key) == (None, "store/1", None)
    assert (event.data_ref, event.key) == (None, "run-1")
    assert event.data == {"run": "run-1", "steps": 3}
    assert (moved.id, moved.type, moved.time) == (event.id, event.type, event.time)


def test_an_event_shows_no_data_of_itself() -> None:
    assert repr(named(data=SECRET, key=SECRET)) == "<event com.example.thing e-1>"


@pytest.mark.parametrize("name", ["id", "source"])
def test_an_event_without_an_id_or_a_source_is_refused(name: str) -> None:
    with pytest.raises(EventError, match=name):
        started(**{name: ""})
    with pytest.raises(EventError, match=f"not CloudEvents 1.0: {name}: "):
        Event({"id": "x", "source": "they", "type": "thing", name: ""})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
MADE = st.fixed_dictionaries(
    {"id": TEXT, "source": TEXT, "time": st.datetimes(timezones=st.just(UTC))},
    optional={"key": TEXT, "correlation_id": TEXT, "cause": st.builds(started)},
)


@SETTINGS
@given(MADE, TEXT.filter(lambda type_: type_.isprintable() and not type_.startswith("sim.")))
def test_an_event_that_was_put_together_is_one_for_the_library_too(made: Given, type_: str) -> None:
    event = Event.named(type_, {"a": 1}, **made)
    assert CloudEvent(dict(event.get_attributes()), event.get_data()).get_id() == made["id"]
    read = formats.read(formats.write(event))
    assert (read.get_attributes(), read.data) == (event.get_attributes(), event.data)


def test_a_time_without_a_zone_is_refused_when_the_event_is_made() -> None:
    """It would be written, and nobody could read it."""
    with pytest.raises(EventError):
        started(time=AT.replace(tzinfo=None))


def test_an_attribute_that_is_no_name_is_refused() -> None:
    with pytest.raises(EventError, match="Some_Thing"):
        started().with_(None, Some_Thing="x")


@pytest.mark.parametrize("type_", ["", "sim.workflow.run", "sim.workflow.v1.run.requested.k00"])
def test_a_type_that_is_none_is_refused(type_: str) -> None:
    with pytest.raises(BadNameError):
        named(type_)


# --- new ones ------------------------------------------------------------------------------


def test_a_new_event_is_of_now_and_like_no_other() -> None:
    before = datetime.now(UTC)
    one, other = (new_event(RunStarted(run="r", steps=1), "tests") for _ in range(2))
    assert before <= one.time <= datetime.now(UTC)
    assert one.id != other.id
    assert new_named("com.example.thing", 1, "tests", id="mine").id == "mine"
    assert new_named("com.example.thing", 1, "tests", cause=one).causation_id == one.id


def test_an_id_that_follows_is_the_same_for_ever_and_for_nothing_else() -> None:
    assert following_id("planner", "e-1", "0") == "d4fc93ed-57db-563a-ad5f-8bf1e511bfdb"
    ids = {following_id(*parts) for parts in (("a", "b"), ("ab",), ("b", "a"), ("a",), ("a", "b"))}
    assert len(ids) == 4


# --- its data ------------------------------------------------------------------------------


@pytest.fixture
def own_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KNOWN", dict(KNOWN))


def test_the_payload_of_a_declared_type_is_typed() -> None:
    payload = formats.read(formats.write(started())).payload()
    assert isinstance(payload, RunStarted)
    assert (payload.run, payload.steps) == ("run-1", 3)


def test_a_type_that_nobody_declared_has_data_and_no_payload() -> None:
    event = named("sim.workflow.v2.run.started", {"anything": 1})
    assert event.payload() is None
    assert event.data == {"anything": 1}
    checked_data(event.type, event.data)


def test_a_declared_type_is_known_by_its_name(own_types: None) -> None:
    class Painted(EventData):
        """A fence was painted."""

        TYPE: ClassVar[str] = "sim.test.v1.fence.painted"

        colour: str

    made = named(Painted.TYPE, {"colour": "red"})
    assert isinstance(made.payload(), Painted)
    assert made.payload_as(Painted).colour == "red"


def test_a_type_that_has_no_good_name_cannot_be_declared(own_types: None) -> None:
    with pytest.raises(BadNameError):

        class Painted(EventData):
            TYPE: ClassVar[str] = "sim.fence.painted"


def test_data_of_a_class_without_a_type_makes_no_event() -> None:
    class Shared(EventData):
        """What several types have."""

    with pytest.raises(EventError, match="Shared is no type of event"):
        named_data(Shared())


def test_data_cannot_be_changed_once_it_is_made() -> None:
    data = RunStarted(run="run-1", steps=3)
    with pytest.raises(ValueError, match="frozen"):
        data.steps = 4


WRONG: dict[str, Given] = {
    "of another type": {"run": {"password": SECRET}, "steps": 1},
    "missing": {"steps": SECRET},
    "too small": {"run": SECRET, "steps": -1},
    "not of the class at all": {"run": [SECRET]},
}


@pytest.mark.parametrize("data", [*WRONG.values(), SECRET, [SECRET], None], ids=repr)
def test_data_that_is_wrong_is_refused_without_showing_it(data: Any) -> None:
    event = named(RunStarted.TYPE, data)
    for asked in (event.payload, lambda: checked_data(event.type, data)):
        with pytest.raises(EventError, match=f"not {re.escape(RunStarted.TYPE)}: ") as caught:
            asked()
        assert SECRET not in f"{caught.value.message}{caught.value.hint}"
        assert caught.value.__suppress_context__, "a traceback would show it"


def test_the_place_of_what_is_wrong_is_named() -> None:
    event = named(StepFailed.TYPE, {"run": "r", "step": "s", "reason": 5})
    with pytest.raises(EventError, match=r"reason: Input should be a valid string"):
        event.payload()


# --- how types grow ------------------------------------------------------------------------


class Older(EventData):
    """What a type was."""

    run: str


class Newer(EventData):
    """The same type, grown."""

    run: str
    priority: int = Field(default=5)
    labels: dict[str, Any] = Field(default={})


def test_what_an_older_event_lacks_has_its_default() -> None:
    older = named(data=Older(run="run-1").model_dump(mode="json"))
    newer = older.payload_as(Newer)
    assert (newer.run, newer.priority, newer.labels) == ("run-1", 5, {})


def test_what_a_newer_event_has_more_is_kept() -> None:
    said = Newer(run="run-1", priority=9, labels={"a": [1]}).model_dump(mode="json")
    older = named(data=said).payload_as(Older)
    assert older.run == "run-1"
    assert older.model_dump(mode="json") == said


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.TYPE)
def test_every_declared_type_keeps_what_it_does_not_know(kind: type[EventData]) -> None:
    assert kind.model_config["extra"] == "allow"
    assert kind.model_config["frozen"] is True
    assert KNOWN[kind.TYPE] is kind


def test_unknown_fields_go_through_an_event_of_a_declared_type() -> None:
    event = named(RunRequested.TYPE, {"run": "r", "plan": "p", "priority": 9})
    again = Event.of(event.payload_as(RunRequested), id="e-2", time=AT, source="tests")
    assert again.data == {"run": "r", "plan": "p", "inputs": {}, "priority": 9}


# --- what could not be read again --------------------------------------------------------------


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = {"a": found}
    return found


NO_JSON = {"an object": object(), "bytes that are no text": b"\xff", "too deep": deep(400)}


@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
def test_data_that_json_cannot_say_is_refused_when_the_event_is_made(value: Any) -> None:
    data = RunRequested(run="r", plan="p", inputs={"x": value})
    with pytest.raises(EventError):
        Event.of(data, id="e", time=AT, source="tests")


def test_a_key_that_utf_8_cannot_say_is_refused_when_the_event_is_made() -> None:
    with pytest.raises(EventError):
        named(key="\ud800")
