"""What servers must have contradicts itself nowhere, and every event has a place."""

from itertools import combinations
from typing import Any

import pytest

from simbuilder.bus.catalogue import CATALOGUE
from simbuilder.bus.declarations import (
    DAY_S,
    DEADLETTERS,
    DECLARED,
    HEALTH,
    PAYLOADS,
    WORKFLOW,
    Declaration,
    Queue,
    Stream,
)
from simbuilder.bus.errors import BadNameError
from simbuilder.bus.events import EventData
from simbuilder.bus.subjects import REQUESTS, checked_pattern, matches, partitions, retry_subject

REQUESTED = "sim.workflow.v1.run.requested"
STEPS = "sim.workflow.v1.step.*"


def queue(*subjects: str, name: str = "planner", **more: Any) -> Queue:
    return Queue(name, "plans runs", "SIM_WORKFLOW", subjects, **more)


def overlap(one: str, other: str) -> bool:
    """Whether some subject is taken by both, which a server allows no two filters of a consumer."""
    pairs = zip(one.split("."), other.split("."), strict=False)
    for left, right in pairs:
        if ">" in (left, right):
            return True
        if "*" not in (left, right) and left != right:
            return False
    return one.count(".") == other.count(".")


# --- streams -----------------------------------------------------------------------------------


def test_no_two_streams_share_a_subject() -> None:
    taken = [(stream.name, subject) for stream in DECLARED.streams for subject in stream.subjects]
    for (_, one), (_, other) in combinations(taken, 2):
        assert not overlap(one, other), (one, other)


def test_overlapping_patterns_are_seen_to_overlap() -> None:
    """Without this the test above could not fail."""
    for one, other in (("a.>", "a.b"), ("a.*", "a.b"), ("*.b", "a.*"), ("a.b", "a.b"), (">", "a")):
        assert overlap(one, other)
        assert overlap(other, one)
    for one, other in (("a.b", "a.c"), ("a.*", "a.b.c"), ("a.>", "b.>"), ("a.b", "a")):
        assert not overlap(one, other)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.TYPE)
def test_a_stream_keeps_every_declared_type_with_or_without_a_key(kind: type[EventData]) -> None:
    kept = DECLARED.stream_of(kind.TYPE)
    assert kept is not None
    assert DECLARED.stream_of(f"{kind.TYPE}.k07") is kept


@pytest.mark.parametrize("stream", DECLARED.streams, ids=lambda stream: stream.name)
def test_a_stream_is_bounded_and_says_what_it_is(stream: Stream) -> None:
    assert stream.about
    assert stream.max_age_s > 0
    assert stream.max_messages > 0
    assert 0 < stream.duplicates_s < stream.max_age_s
    assert stream.replicas == 1
    for subject in stream.subjects:
        assert checked_pattern(subject) == subject


def test_names_are_declared_once() -> None:
    for things in (DECLARED.streams, DECLARED.buckets, CATALOGUE):
        names = [getattr(thing, "TYPE", "") or getattr(thing, "name", "") for thing in things]
        assert len(set(names)) == len(names) > 0
    assert PAYLOADS not in {bucket.name for bucket in DECLARED.buckets}


def test_nothing_that_was_asked_for_or_given_up_is_forgotten_to_make_room() -> None:
    assert (WORKFLOW.discard, DEADLETTERS.discard) == ("new", "new")


def test_data_that_is_stored_apart_lives_as_long_as_any_event_that_refers_to_it() -> None:
    assert DECLARED.payloads_max_age_s == max(stream.max_age_s for stream in DECLARED.streams)


def test_no_stream_keeps_requests_or_what_is_nobodys() -> None:
    for subject in (f"sim.{REQUESTS}.v1.run.asked", "sim.other.v1.a.b", "other", "sim", "$KV.a.b"):
        assert DECLARED.stream_of(subject) is None


def test_copies_are_asked_for_of_all_of_it() -> None:
    three = DECLARED.replicated(3)
    assert three.replicas == 3
    assert {stream.replicas for stream in three.streams} == {3}
    assert {bucket.replicas for bucket in three.buckets} == {3}
    assert [each.name for each in three.streams] == [each.name for each in DECLARED.streams]
    assert three.replicated(1) == DECLARED
    assert DECLARED.replicas == 1


def test_queues_are_added_to_those_that_are_there() -> None:
    one, other = queue(REQUESTED), queue(STEPS, name="builder")
    more = DECLARED.with_queues([one]).with_queues([other])
    assert more.queues == (one, other)
    assert more.streams == DECLARED.streams
    assert DECLARED.queues == ()


def test_a_declaration_of_nothing_keeps_nothing() -> None:
    assert Declaration(()).stream_of(REQUESTED) is None


# --- queues ------------------------------------------------------------------------------------


def test_a_queue_takes_its_subjects_with_any_key_and_what_it_is_to_take_again() -> None:
    again = "sim.workflow.v1.planner.retried"
    assert queue(REQUESTED).consumers() == {
        "planner": ((REQUESTED, again, f"{REQUESTED}.*", f"{again}.*"), 1000)
    }


def test_a_queue_of_a_whole_domain_takes_it_as_it_is() -> None:
    assert queue("sim.workflow.>").consumers() == {"planner": (("sim.workflow.>",), 1000)}


def test_what_a_queue_takes_again_is_not_named_twice() -> None:
    assert queue(STEPS, name="step").consumers() == {"step": ((STEPS, f"{STEPS}.*"), 1000)}


def test_an_ordered_queue_has_a_consumer_of_each_partition_and_one_of_what_has_no_key() -> None:
    consumers = queue(REQUESTED, ordered=True).consumers()
    assert list(consumers) == ["planner-no-key", *(f"planner-{part}" for part in partitions())]
    again = "sim.workflow.v1.planner.retried"
    assert consumers["planner-k09"] == ((f"{REQUESTED}.k09", f"{again}.k09"), 1)
    assert consumers["planner-no-key"] == ((REQUESTED, again), 1000)


QUEUES = [
    queue(REQUESTED),
    queue(REQUESTED, STEPS),
    queue("sim.workflow.v1.*.requested", name="all-requests"),
    queue("sim.workflow.*.run.*", "sim.workflow.v1.step.requested"),
    queue("sim.workflow.>"),
    queue("sim.workflow.v1.>"),
    queue("sim.workflow.v1.step.>", name="step"),
    queue(STEPS, name="step"),
    queue(REQUESTED, ordered=True),
    queue(REQUESTED, STEPS, ordered=True),
    queue(STEPS, name="step", ordered=True),
]


@pytest.mark.parametrize("each", QUEUES, ids=lambda each: f"{each.name} {each.subjects}")
def test_no_consumer_has_filters_that_a_server_would_refuse(each: Queue) -> None:
    """A server refuses filters of which two take the same subject."""
    for filters, _ in each.consumers().values():
        for one, other in combinations(filters, 2):
            assert not overlap(one, other)


@pytest.mark.parametrize("each", QUEUES, ids=lambda each: f"{each.name} {each.subjects}")
@pytest.mark.parametrize("key", ["run-2", "", None])
def test_one_consumer_takes_what_a_queue_is_to_take_again(each: Queue, key: str | None) -> None:
    again = retry_subject(each.domain, each.name, key)
    takers = [
        name
        for name, (filters, _) in each.consumers().items()
        if any(matches(pattern, again) for pattern in filters)
    ]
    stream = DECLARED.stream_of(again)
    assert stream is not None
    assert stream.name == each.stream
    assert len(takers) == 1


def test_queues_of_one_domain_take_nothing_of_what_another_is_to_take_again() -> None:
    planner, builder = queue(REQUESTED), queue(STEPS, name="builder")
    again = retry_subject("workflow", "builder", "run-2")
    ((filters, _),) = planner.consumers().values()
    assert not any(matches(pattern, again) for pattern in filters)
    ((filters, _),) = builder.consumers().values()
    assert any(matches(pattern, again) for pattern in filters)


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "a bad name": ((REQUESTED,), {"name": "Planner"}, "'Planner' is no name of a queue"),
    "no subject": ((), {}, "queue planner has no subject"),
    "a bad subject": (("sim..run",), {}, "'sim..run' is no pattern"),
    "several domains": ((REQUESTED, "sim.health.>"), {}, "several domains"),
    "any domain": (("sim.*.v1.run.failed", REQUESTED), {}, "no domain"),
    "every domain": (("sim.>",), {}, "no domain"),
    "too short": (("sim.workflow.v1.*",), {}, "no pattern of subjects of events"),
    "somebody else's": (("other.workflow.v1.a.b",), {}, "several domains"),
    "everything": ((">",), {}, "several domains"),
    "order in a whole domain": (("sim.workflow.>",), {"ordered": True}, "cannot end in '>'"),
}


@pytest.mark.parametrize(("subjects", "more", "why"), REFUSED.values(), ids=REFUSED)
def test_a_queue_that_cannot_be_is_refused(
    subjects: tuple[str, ...], more: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadNameError, match=why) as caught:
        queue(*subjects, **more)
    assert caught.value.hint


def test_what_attempts_publish_again_meets_the_memory_of_the_stream() -> None:
    made = queue(REQUESTED)
    pauses = sum(made.pause_s(attempts) for attempts in range(1, made.max_deliver))
    assert pauses < min(stream.duplicates_s for stream in DECLARED.streams)


def test_pauses_grow_and_the_last_one_stays() -> None:
    made = queue(REQUESTED, backoff_s=(1.0, 5.0))
    assert [made.pause_s(attempts) for attempts in (1, 2, 3, 50)] == [1.0, 5.0, 5.0, 5.0]
    assert queue(REQUESTED, backoff_s=()).pause_s(3) == 0.0


def test_an_event_that_fails_each_time_is_a_dead_letter_within_the_life_of_its_stream() -> None:
    made = queue(REQUESTED)
    waits = sum(made.pause_s(attempts) for attempts in range(1, made.max_deliver))
    assert waits + made.max_deliver * made.ack_wait_s < min(HEALTH.max_age_s, DAY_S)
