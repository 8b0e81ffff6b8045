"""Events as bytes are those of the CloudEvents library, and no bytes whatever break a reader."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import example, given
from hypothesis import strategies as st

from simbuilder.bus import formats
from simbuilder.bus.errors import EventError
from simbuilder.bus.events import MAX_ID, Event
from tests.unit.test_properties import SETTINGS

THEIRS = JSONFormat()

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME = TEXT.filter(bool)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(timezones=st.just(UTC) | ZONES)
EXTENSIONS = st.dictionaries(
    st.from_regex(r"x[a-z0-9]{0,12}", fullmatch=True), SOME | st.booleans() | st.integers(0, 99)
)
STANDARD = st.fixed_dictionaries(
    {
        "specversion": st.just("1.0"),
        "id": SOME,
        "source": SOME,
        "type": SOME,
        "time": TIMES,
    },
    optional={
        "datacontenttype": st.sampled_from(["application/json", "text/json", "application/x+json"]),
        "dataschema": SOME,
        "subject": SOME,
        "correlationid": SOME,
        "causationid": SOME,
        "partitionkey": SOME,
    },
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    return Event(draw(EXTENSIONS) | draw(STANDARD), draw(JSON | st.binary(max_size=20)))


def said(event: BaseCloudEvent) -> tuple[dict[str, Any], Any]:
    return dict(event.get_attributes()), event.get_data()


# --- ours and the library's --------------------------------------------------------------------


@SETTINGS
@given(events())
def test_what_is_written_is_what_the_library_writes(event: Event) -> None:
    assert json.loads(formats.write(event)) == json.loads(THEIRS.write(event))


@SETTINGS
@given(events())
def test_the_library_reads_what_is_written(event: Event) -> None:
    assert said(THEIRS.read(CloudEvent, formats.write(event))) == said(event)


@SETTINGS
@given(events())
def test_what_the_library_writes_is_read(event: Event) -> None:
    assert said(formats.read(THEIRS.write(event))) == said(event)


@SETTINGS
@given(events())
def test_an_event_comes_back_as_it_went(event: Event) -> None:
    raw = formats.write(event)
    assert said(formats.read(raw)) == said(event)
    assert formats.write(formats.read(raw)) == raw


def test_both_name_the_same_type_of_content() -> None:
    assert THEIRS.get_content_type() == formats.CONTENT_TYPE


def test_an_event_of_another_zone_keeps_its_moment() -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    raw = formats.write(Event({"id": "a", "source": "s", "type": "t", "time": at}))
    assert json.loads(raw)["time"] == "2026-01-01T12:00:00+02:00"
    assert formats.read(raw).time == at


def test_times_of_other_languages_are_read() -> None:
    """Go writes nanoseconds, which are cut to what Python has."""
    found = formats.read(raw_of(time="2026-01-01T00:00:00.123456789Z"))
    assert found.time == datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)


# --- what is no event --------------------------------------------------------------------------

GIVEN = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "tests",
    "type": "com.example.thing",
    "time": "2026-01-01T00:00:00Z",
}


def raw_of(**change: Any) -> bytes:
    return json.dumps(GIVEN | change).encode()


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


GARBAGE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON"),
    "text": (b"hello", "not JSON"),
    "half of it": (raw_of()[:-1], "not JSON"),
    "two of them": (raw_of() * 2, "not JSON"),
    "not UTF-8": (b'{"id":"\xff"}', "not JSON"),
    "half a character": (b'{"id":"\\ud800"}', "not JSON"),
    "no number": (b'{"id":NaN}', "not JSON"),
    "too deep": (nested(100_000), "not JSON"),
    "a list": (b"[]", "not CloudEvents 1.0: no object"),
    "a number": (b"1", "not CloudEvents 1.0: no object"),
    "null": (b"null", "not CloudEvents 1.0: no object"),
    "no version": (b"{}", "not CloudEvents 1.0: specversion"),
    "another version": (raw_of(specversion="0.3"), "not CloudEvents 1.0: specversion"),
    "a version that is a number": (raw_of(specversion=1.0), "not CloudEvents 1.0: specversion"),
    "no source": (raw_of(source=""), "not CloudEvents 1.0: source: "),
    "an id that is a number": (raw_of(id=7), "not CloudEvents 1.0: id: "),
    "an empty id": (raw_of(id=""), "not CloudEvents 1.0: id: "),
    "a long id": (raw_of(id="x" * (MAX_ID + 1)), f"its id is longer than {MAX_ID} characters"),
    "no type": (raw_of(type=None), "not CloudEvents 1.0: type: "),
    "a type that is a list": (raw_of(type=["a"]), "not CloudEvents 1.0: type: "),
    "an attribute in capitals": (raw_of(Thing="x"), "not CloudEvents 1.0: Thing: "),
    "an attribute without a name": (raw_of(**{"": "x"}), "not CloudEvents 1.0: : "),
    "an empty subject": (raw_of(subject=""), "not CloudEvents 1.0: subject: "),
    "a time that is none": (raw_of(time="yesterday"), "time is not of RFC 3339"),
    "a time that is a number": (raw_of(time=1767225600), "time is not of RFC 3339"),
    "a time without a zone": (raw_of(time="2026-01-01T00:00:00"), "time: .* timezone aware"),
    "a time that is null": (raw_of(time=None), "not CloudEvents 1.0: time is not"),
    "base64 that is none": (raw_of(data_base64="?"), "data_base64 is not base64"),
    "base64 that is no text": (raw_of(data_base64=[1]), "data_base64 is not base64"),
    "base64 that is not ASCII": (raw_of(data_base64="ü"), "data_base64 is not base64"),
}


@pytest.mark.parametrize(("raw", "reason"), GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_event_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(EventError, match=reason) as caught:
        formats.read(raw)
    assert len(caught.value.message) < 300


def test_an_id_as_long_as_allowed_is_read() -> None:
    assert len(formats.read(raw_of(id="x" * MAX_ID)).id) == MAX_ID


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "subject", "data_base64"])
def test_no_reason_shows_what_an_event_holds(name: str) -> None:
    secret = "hunter2-and-more"
    with pytest.raises(EventError) as caught:
        formats.read(raw_of(**{"data": secret, "extra": secret, name: [secret]}))
    assert secret not in f"{caught.value.message}{caught.value.hint}"


def only_event_errors(raw: bytes) -> None:
    with suppress(EventError):
        formats.write(formats.read(raw))


ODD = JSON | st.sampled_from(["1.0", "2026-01-01T00:00:00Z", "AA==", 2**64, -(2**70), "\x00", ""])
NAMES = st.sampled_from([*GIVEN, "data", "data_base64", "subject", "dataschema", "x"]) | TEXT


@SETTINGS
@given(st.binary(max_size=200))
@example(nested(100_000))
@example(b'{"specversion":"1.0","data":' + nested(900) + b"}")
def test_arbitrary_bytes_are_an_event_or_an_event_error(raw: bytes) -> None:
    only_event_errors(raw)


@SETTINGS
@given(st.dictionaries(NAMES, ODD, max_size=6))
def test_objects_that_are_nearly_events_are_one_or_an_event_error(change: dict[str, Any]) -> None:
    only_event_errors(raw_of(**change))


@SETTINGS
@given(st.integers(0, 150), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_event_is_an_event_or_an_event_error(at: int, put: bytes, cut: int) -> None:
    raw = raw_of(data={"a": [1, "ü"]}, partitionkey="run-1")
    only_event_errors(raw[:at] + put + raw[at + cut :])


# --- what cannot be written --------------------------------------------------------------------

NO_JSON: dict[str, Any] = {
    "an object": object(),
    "half a character": "\ud800",
    "a number beyond 64 bits": 2**64,
    "a key that is no text": {1: 2},
    "a set": {1},
}


@pytest.mark.parametrize("data", NO_JSON.values(), ids=NO_JSON)
def test_what_json_cannot_say_is_not_written(data: Any) -> None:
    event = Event({"id": "a", "source": "s", "type": "t"}, data)
    with pytest.raises(EventError, match="no JSON"):
        formats.write(event)


# --- what the contract means and does not keep yet ----------------------------------------------


def test_a_version_that_is_deeper_than_python_goes_is_refused() -> None:
    with pytest.raises(EventError, match="specversion"):
        formats.read(b'{"specversion":' + nested(1000) + b"}")


def test_an_event_without_an_id_is_none() -> None:
    """The library makes up another one at each reading, which would be taken for another event."""
    raw = json.dumps({k: v for k, v in GIVEN.items() if k != "id"}).encode()
    with pytest.raises(EventError, match="id"):
        formats.read(raw)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_null(number: float) -> None:
    event = Event({"id": "a", "source": "s", "type": "t"}, {"a": number})
    assert formats.read(formats.write(event)).data == {"a": None}
