"""What a scraper reads is what happened."""

import re
import time
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from simbuilder.bus.metrics import Metrics

Call = Callable[[Metrics], None]


def samples(metrics: Metrics) -> dict[str, float]:
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(metrics.text())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


COUNTED: dict[str, tuple[Call, str]] = {
    "published": (
        lambda m: m.published("SIM_HEALTH", 0.002),
        "simbuilder_bus_published_total{'stream': 'SIM_HEALTH'}",
    ),
    "refused": (
        lambda m: m.refused("bus-full"),
        "simbuilder_bus_refused_total{'code': 'bus-full'}",
    ),
    "acked": (lambda m: m.acked("planner"), "simbuilder_bus_acked_total{'queue': 'planner'}"),
    "redelivered": (
        lambda m: m.redelivered("planner"),
        "simbuilder_bus_redelivered_total{'queue': 'planner'}",
    ),
    "dead": (
        lambda m: m.dead("planner", "timed-out"),
        "simbuilder_bus_dead_letters_total{'cause': 'timed-out', 'queue': 'planner'}",
    ),
    "handled": (
        lambda m: m.handled("planner", "done", 0.2),
        "simbuilder_bus_handled_total{'outcome': 'done', 'queue': 'planner'}",
    ),
}


@pytest.mark.parametrize(("call", "name"), COUNTED.values(), ids=COUNTED)
def test_each_call_counts_one_more(call: Call, name: str) -> None:
    metrics = Metrics()
    assert name not in samples(metrics)
    for number in (1, 2, 3):
        call(metrics)
        assert samples(metrics)[name] == number


def test_labels_are_counted_apart() -> None:
    metrics = Metrics()
    metrics.dead("planner", "failed")
    metrics.dead("planner", "rejected")
    metrics.dead("builder", "failed")
    counts = [v for name, v in samples(metrics).items() if "dead_letters_total" in name]
    assert counts == [1, 1, 1]


def test_times_are_summed_and_sorted_into_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.0004, 0.02, 60.0):
        metrics.published("SIM_HEALTH", seconds)
        metrics.handled("planner", "failed", seconds)
    found = samples(metrics)
    stream, queue = "{'stream': 'SIM_HEALTH'}", "{'queue': 'planner'}"
    assert found[f"simbuilder_bus_publish_seconds_count{stream}"] == 3
    assert found[f"simbuilder_bus_handler_seconds_sum{queue}"] == pytest.approx(60.0204)
    buckets = {
        float(le[1]): value
        for name, value in found.items()
        if name.startswith("simbuilder_bus_publish_seconds_bucket")
        and (le := re.search(r"'le': '([^']+)'", name))
    }
    assert buckets[0.0005] == 1
    assert buckets[0.025] == 2
    assert buckets[30] == 2
    assert buckets[float("inf")] == 3


def test_what_is_held_goes_up_and_down() -> None:
    metrics = Metrics()
    for number in (5, 2, 0):
        metrics.held("planner", number)
        assert samples(metrics)["simbuilder_bus_held{'queue': 'planner'}"] == number


def test_two_of_them_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.acked("planner")
    assert "planner" not in other.text()


def test_a_registry_of_somebody_else_has_ours_beside_theirs() -> None:
    registry = CollectorRegistry()
    Metrics(registry).acked("planner")
    assert registry.get_sample_value("simbuilder_bus_acked_total", {"queue": "planner"}) == 1


def test_counting_costs_less_than_publishing_can_notice() -> None:
    metrics = Metrics()

    def cost_us() -> float:
        began = time.perf_counter()
        for _ in range(2000):
            metrics.published("SIM_WORKFLOW", 0.0007)
        return (time.perf_counter() - began) / 2000 * 1e6

    # 1 us on an idle machine, and 2 us more without the cache; the bar leaves room for a busy one
    assert min(cost_us() for _ in range(20)) < 4
