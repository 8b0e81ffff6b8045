"""Counts and times of what happens on the bus, for Prometheus.

It alone imports prometheus_client, and whoever wants no metrics never imports it. What it counts
belongs to this process; `text` is what a scraper reads.
"""

from functools import cache
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Outcome = Literal["done", "failed", "rejected", "timed-out", "skipped"]
"""How a worker fared with an event; `skipped`: it had been finished before."""

PUBLISH_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
HANDLER_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)


class Metrics:
    """What one process counts, in a registry of its own unless it is given one.

    A method takes less than 2 microseconds: looking a time series up by its labels costs as much as
    counting, so each is looked up once.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"simbuilder_bus_{name}", about, labels, registry=self.registry)

        def histogram(name: str, about: str, label: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"simbuilder_bus_{name}", about, (label,), registry=self.registry, buckets=buckets
            )

        self._published = cache(
            counter("published", "Events that a stream has acknowledged.", "stream").labels
        )
        self._publish_seconds = cache(
            histogram(
                "publish_seconds",
                "From submitting an event until it was acknowledged.",
                "stream",
                PUBLISH_S,
            ).labels
        )
        self._refused = cache(
            counter("refused", "Events that could not be published, by the error.", "code").labels
        )
        self._acked = cache(counter("acked", "Events that a queue is done with.", "queue").labels)
        self._redelivered = cache(
            counter("redelivered", "Deliveries of events delivered before.", "queue").labels
        )
        self._dead = cache(
            counter("dead_letters", "Events that a queue gave up on.", "queue", "cause").labels
        )
        self._handled = cache(
            counter("handled", "Attempts of a queue's handlers.", "queue", "outcome").labels
        )
        self._handler_seconds = cache(
            histogram(
                "handler_seconds", "How long a handler took for one attempt.", "queue", HANDLER_S
            ).labels
        )
        self._held = cache(
            Gauge(
                "simbuilder_bus_held",
                "Events that workers of this process have and have not settled.",
                ("queue",),
                registry=self.registry,
            ).labels
        )

    def published(self, stream: str, seconds: float) -> None:
        """Count an event that was acknowledged, so long after it was submitted."""
        self._published(stream).inc()
        self._publish_seconds(stream).observe(seconds)

    def refused(self, code: str) -> None:
        """Count an event that could not be published, by the `code` of the error."""
        self._refused(code).inc()

    def acked(self, queue: str) -> None:
        """Count an event that is done."""
        self._acked(queue).inc()

    def redelivered(self, queue: str) -> None:
        """Count a delivery that is not an event's first."""
        self._redelivered(queue).inc()

    def dead(self, queue: str, cause: str) -> None:
        """Count a dead letter, by its cause."""
        self._dead(queue, cause).inc()

    def handled(self, queue: str, outcome: Outcome, seconds: float) -> None:
        """Count an attempt and how long it took."""
        self._handled(queue, outcome).inc()
        self._handler_seconds(queue).observe(seconds)

    def held(self, queue: str, number: int) -> None:
        """Say how many events are with handlers now."""
        self._held(queue).set(number)

    def text(self) -> str:
        """Return all of it in the text format of Prometheus."""
        return generate_latest(self.registry).decode()
