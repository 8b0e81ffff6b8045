"""Traces that go on through the bus: W3C trace contexts in events, as OpenTelemetry reads them.

Nothing happens in a process that has not imported OpenTelemetry's tracing: nobody can have begun a
span there, and importing it to find that out would take longer than publishing a hundred events.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from simbuilder.bus.events import Event

_PARENT, _STATE = "traceparent", "tracestate"


def outgoing(event: Event) -> Event:
    """Return an event with the context of the current span, if there is one.

    An event that has a context keeps it: CloudEvents has it name the trace that the event began
    in, wherever else it is sent.
    """
    if not _in_use() or event.get_extension(_PARENT) is not None:
        return event
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    found: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(found)
    if not found:
        return event
    context = {name: found.get(name) for name in (_PARENT, _STATE)}
    return event.with_(event.data, **context)


@contextmanager
def handling(event: Event, queue: str) -> Iterator[None]:
    """Have a span for the block, a child of the one that the event was published in.

    Of an event without a context it begins a trace. What the block raises is recorded, and raised.
    """
    if not _in_use():
        yield
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carried = {name: event.get_extension(name) for name in (_PARENT, _STATE)}
    context = TraceContextTextMapPropagator().extract(
        {name: str(value) for name, value in carried.items() if value is not None}
    )
    tracer = trace.get_tracer("simbuilder.bus")
    with tracer.start_as_current_span(
        f"process {queue}",
        context=context,
        kind=trace.SpanKind.CONSUMER,
        attributes={
            "messaging.system": "nats",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.subscription.name": queue,
            "messaging.message.id": event.id,
            "cloudevents.event_type": event.type,
            "cloudevents.event_source": event.source,
        },
    ):
        yield


def _in_use() -> bool:
    return "opentelemetry.trace" in sys.modules
