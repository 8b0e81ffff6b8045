"""Large data apart from its event, and together again."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbuilder.bus import formats, payloads
from simbuilder.bus.errors import EventError
from simbuilder.bus.events import Event
from simbuilder.bus.payloads import INLINE, joined, name_of, split, too_large, what_to_send

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
DATA = (
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
    | st.binary()
)


def event(data: Any, **more: Any) -> Event:
    made = Event.named("sim.plans.v1.plan.made", None, id="1", time=AT, source="tests", key="a")
    return made.with_(data, **more)


def said(one: Event) -> tuple[dict[str, Any], Any]:
    return one.get_attributes(), one.data


@given(DATA)
def test_what_was_split_is_the_same_when_it_is_joined(data: Any) -> None:
    whole = event(data)
    apart, payload = split(whole, formats.write(whole))
    assert apart.data is None
    read = formats.read(formats.write(apart))
    assert name_of(read) == hashlib.sha256(payload).hexdigest()
    assert said(joined(read, payload)) == said(whole)


def test_an_event_without_its_data_says_where_that_is_and_what() -> None:
    apart, payload = split(event({"a": 1}), b"")
    assert payload == b'{"a":1}'
    digest = hashlib.sha256(payload).hexdigest()
    assert apart.data_ref == f"nats-object://sim_payloads/{digest}"
    assert (apart.get_extension("datasize"), apart.get_extension("datakind")) == ("7", "json")
    binary, payload = split(event(b"\x00\x01"), b"")
    assert payload == b"\x00\x01"
    assert (binary.get_extension("datasize"), binary.get_extension("datakind")) == ("2", "binary")


def test_an_event_is_split_from_one_byte_too_many_on() -> None:
    assert not too_large(b"x" * INLINE)
    assert too_large(b"x" * (INLINE + 1))
    room = INLINE - len(formats.write(event("")))
    fits = event("x" * room)
    assert what_to_send(fits) == (fits, formats.write(fits), None)
    sent, raw, payload = what_to_send(event("x" * (room + 1)))
    assert payload == b'"' + b"x" * (room + 1) + b'"'
    assert said(formats.read(raw)) == said(sent)
    assert sent.data is None


def test_what_is_not_what_was_stored_is_refused() -> None:
    apart, payload = split(event({"a": 1}), b"")
    for wrong in (None, b"", payload + b" ", payload[:-1]):
        with pytest.raises(EventError):
            joined(apart, wrong)
    nonsense = b"not json"
    lying = apart.with_(
        None, dataref=f"nats-object://sim_payloads/{hashlib.sha256(nonsense).hexdigest()}"
    )
    with pytest.raises(EventError):
        joined(lying, nonsense)


def test_an_event_that_has_its_data_refers_to_none() -> None:
    assert name_of(event({"a": 1})) is None
    assert name_of(event(None)) is None
    assert name_of(event({"a": 1}, dataref="https://example.com/")) is None


@pytest.mark.parametrize(
    "place", ["https://example.com/", "nats-object://other/abc", "nats-object://sim_payloads"]
)
def test_data_elsewhere_is_not_looked_for_here(place: str) -> None:
    with pytest.raises(EventError):
        name_of(event(None, dataref=place))


def test_what_is_too_large_all_the_same_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EventError):
        what_to_send(event(None, remark="x" * INLINE))
    with pytest.raises(EventError):
        what_to_send(event({"a": 1}, id="x" * 129))
    monkeypatch.setattr(payloads, "MAX_DATA", INLINE + 10)
    what_to_send(event(b"x" * (INLINE + 10)))
    with pytest.raises(EventError):
        what_to_send(event(b"x" * (INLINE + 11)))
