"""A trace goes on through an event; without OpenTelemetry nothing of it is loaded."""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags, Tracer, TraceState

from simbuilder.bus import formats
from simbuilder.bus.catalogue.workflow import RunStarted
from simbuilder.bus.events import Event
from simbuilder.bus.tracing import handling, outgoing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def an_event(**attributes: str) -> Event:
    made = Event.of(
        RunStarted(run="run-1", steps=2),
        id="e-1",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        source="tests",
    )
    return made.with_(made.data, **attributes)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # OpenTelemetry lets nobody take its own global provider back
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Tracer:
    return trace.get_tracer("tests")


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def context_of(span: ReadableSpan) -> SpanContext:
    found: SpanContext | None = span.context
    assert found is not None
    return found


def test_a_trace_goes_on_behind_an_event_that_was_bytes(
    exporter: InMemorySpanExporter, tracer: Tracer
) -> None:
    with tracer.start_as_current_span("publishing"):
        raw = formats.write(outgoing(an_event()))
    with handling(formats.read(raw), "planner"), tracer.start_as_current_span("inside"):
        pass
    publishing, inside, processing = exporter.get_finished_spans()
    assert [publishing.name, inside.name] == ["publishing", "inside"]
    assert processing.name == "process planner"
    assert processing.kind is SpanKind.CONSUMER
    assert processing.parent is not None
    assert processing.parent.span_id == context_of(publishing).span_id
    assert processing.parent.is_remote
    assert inside.parent == processing.context
    assert len({context_of(span).trace_id for span in (publishing, inside, processing)}) == 1


def test_a_span_says_which_event_it_was(exporter: InMemorySpanExporter) -> None:
    with handling(an_event(), "planner"):
        pass
    said = dict(only(exporter).attributes or {})
    assert said["messaging.message.id"] == "e-1"
    assert said["messaging.destination.subscription.name"] == "planner"
    assert said["cloudevents.event_type"] == RunStarted.TYPE


def test_only_the_context_is_added_to_an_event(tracer: Tracer) -> None:
    event = an_event()
    with tracer.start_as_current_span("publishing"):
        sent = outgoing(event)
    assert sent.data == event.data
    added = sent.get_attributes().keys() - event.get_attributes().keys()
    assert added == {"traceparent"}
    assert event.get_extension("traceparent") is None


def test_the_state_of_a_trace_goes_with_it(exporter: InMemorySpanExporter) -> None:
    state = TraceState([("vendor", "seven")])
    here = SpanContext(7, 8, False, TraceFlags(TraceFlags.SAMPLED), state)
    with trace.use_span(trace.NonRecordingSpan(here)):
        sent = outgoing(an_event())
    assert sent.get_extension("tracestate") == "vendor=seven"
    with handling(sent, "planner"):
        pass
    assert context_of(only(exporter)).trace_state == state


def test_an_event_without_a_span_is_the_same_event() -> None:
    event = an_event()
    assert outgoing(event) is event


def test_an_event_keeps_the_context_that_it_has(tracer: Tracer) -> None:
    event = an_event(traceparent=PARENT)
    with tracer.start_as_current_span("sending it again"):
        assert outgoing(event) is event


@pytest.mark.parametrize("parent", ["", "nonsense", f"{PARENT}-more", "00-0-0-01", "\x00"])
def test_an_event_without_a_proper_context_begins_a_trace(
    parent: str, exporter: InMemorySpanExporter, tracer: Tracer
) -> None:
    with (
        tracer.start_as_current_span("the worker's own"),
        handling(an_event(traceparent=parent), "planner"),
    ):
        pass
    processing, around = exporter.get_finished_spans()
    assert processing.parent is None
    assert context_of(processing).trace_id != context_of(around).trace_id


def test_a_context_that_is_no_text_begins_a_trace(exporter: InMemorySpanExporter) -> None:
    raw = formats.write(an_event()).replace(b'"type"', b'"traceparent":7,"type"')
    with handling(formats.read(raw), "planner"):
        pass
    assert only(exporter).parent is None


def test_what_a_handler_raises_is_recorded_and_raised(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="no plan"), handling(an_event(), "planner"):
        raise ValueError("no plan")
    assert only(exporter).status.status_code is StatusCode.ERROR
    assert [event.name for event in only(exporter).events] == ["exception"]


def test_without_opentelemetry_nothing_is_added_and_nothing_of_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    spec = importlib.util.find_spec("simbuilder.bus.tracing")
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    event = an_event(traceparent=PARENT)
    assert fresh.outgoing(event) is event
    with fresh.handling(event, "planner"):
        pass
    assert [name for name in sys.modules if name.split(".")[0] == "opentelemetry"] == []
