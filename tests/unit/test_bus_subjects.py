"""Names on the bus, and which pattern takes which, held to how a NATS server reads them."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbuilder.bus.errors import BadNameError
from simbuilder.bus.subjects import (
    PARTITIONS,
    checked_pattern,
    checked_queue,
    checked_subject,
    checked_type,
    domain_of,
    matches,
    partition_of,
    partitions,
    retry_subject,
)
from tests.unit.test_properties import SETTINGS

Check = Callable[[str], str]

NAME = "sim.workflow.v1.run.requested"
LONG = "a" * 63

GOOD: dict[Check, list[str]] = {
    checked_subject: [
        NAME,
        f"{NAME}.k00",
        f"{NAME}.k15",
        "sim.workflow.v9999.run.requested",
        f"sim.{LONG}.v1.{LONG}.{LONG}",
        "sim.a-b.v1.c_d.0",
    ],
    checked_type: [NAME, "com.example.thing", "simple.thing", "Microsoft.Resources.Write", "a b"],
    checked_queue: ["planner", "a", "0", "plan-ner_2", LONG],
    checked_pattern: [
        ">",
        "*",
        "sim.>",
        "sim.*.v1.run.failed",
        f"{NAME}.*",
        "$KV.sim_work.>",
        "*.*.>",
    ],
}
BAD: dict[Check, list[str]] = {
    checked_subject: [
        "",
        "sim",
        "sim.workflow.run.requested",
        "sim.workflow.v0.run.requested",
        "sim.workflow.v01.run.requested",
        "sim.workflow.v10000.run.requested",
        "sim.workflow.1.run.requested",
        "sim.workflow.v1.run",
        "sim.workflow.v1.run.requested.more",
        f"{NAME}.k1",
        f"{NAME}.k000",
        f"{NAME}.k00.k00",
        "sim.Workflow.v1.run.requested",
        "sim.workflow.v1.*.requested",
        "sim.workflow.v1.run.>",
        "sim.workflow.v1..requested",
        "sim.workflow.v1.run.-requested",
        f"sim.workflow.v1.{LONG}a.requested",
        "other.workflow.v1.run.requested",
        f" {NAME}",
        f"{NAME}\n",
        "sim.workflow.v1.run.zürich",
    ],
    checked_type: [
        "",
        "sim.run",
        f"{NAME}.k00",
        f"{NAME}.more",
        "sim.workflow.v1.Run.requested",
        "sim.",
        "a\nb",
        "a\x00b",
    ],
    checked_queue: ["", "Planner", "-planner", "_planner", "a.b", "a b", "a*", ">", f"{LONG}a"],
    checked_pattern: [
        "",
        ".",
        "sim.",
        ".sim",
        "sim..run",
        "sim.>.run",
        ">.run",
        "sim.r*n",
        "sim.run>",
        "sim run",
        "sim.\n",
        ">\n",
    ],
}


def cases(names: dict[Check, list[str]]) -> list[tuple[Check, str]]:
    return [(check, name) for check, some in names.items() for name in some]


@pytest.mark.parametrize(("check", "name"), cases(GOOD))
def test_a_good_name_is_returned_as_it_is(check: Check, name: str) -> None:
    assert check(name) == name


@pytest.mark.parametrize(("check", "name"), cases(BAD))
def test_a_bad_name_is_refused_with_an_example(check: Check, name: str) -> None:
    with pytest.raises(BadNameError) as caught:
        check(name)
    assert repr(name) in caught.value.message
    assert caught.value.hint


TOKENS = st.sampled_from(["sim", "run", "v1", "k00", "*x", "$JS"])
SUBJECTS = st.lists(TOKENS, min_size=1, max_size=5).map(".".join)
PATTERNS = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(TOKENS | st.just("*"), min_size=1, max_size=4),
    st.sampled_from([[], [">"]]),
) | st.just(">")


def as_expression(pattern: str) -> str:
    """`*` is one token and `>` one or more, at the end: so says the documentation of NATS."""
    return r"\.".join(
        {"*": r"[^.]+", ">": r".+"}.get(part, re.escape(part)) for part in pattern.split(".")
    )


@SETTINGS
@given(PATTERNS, SUBJECTS)
def test_a_pattern_takes_what_a_server_would_let_it_take(pattern: str, subject: str) -> None:
    assert matches(pattern, subject) == bool(re.fullmatch(as_expression(pattern), subject))


@SETTINGS
@given(SUBJECTS, st.data())
def test_a_pattern_made_from_a_subject_takes_it(subject: str, data: st.DataObject) -> None:
    parts = subject.split(".")
    star = data.draw(st.integers(0, len(parts) - 1))
    cut = data.draw(st.integers(0, len(parts) - 1))
    assert matches(subject, subject)
    assert matches(".".join([*parts[:star], "*", *parts[star + 1 :]]), subject)
    assert matches(".".join([*parts[:cut], ">"]), subject)
    assert not matches(f"{subject}.>", subject)
    assert not matches(f"{subject}.*", subject)


TAKES = [
    ("sim.>", "sim", False),
    ("sim.>", "sim.a", True),
    ("sim.>", "sim.a.b.c", True),
    ("sim.>", "simple.a", False),
    ("sim.*", "sim.a.b", False),
    ("sim.*.v1", "sim.a.v1", True),
    ("sim.*.v1", "sim.a.v2", False),
    ("*.*.>", "a.b", False),
    ("*.*.>", "a.b.c", True),
    ("sim.a", "sim.A", False),
    (">", "a", True),
]


@pytest.mark.parametrize(("pattern", "subject", "taken"), TAKES)
def test_stars_and_arrows_mean_what_they_mean_on_a_server(
    pattern: str, subject: str, taken: bool
) -> None:
    assert matches(pattern, subject) is taken


FOR_EVER = {
    "": "k00",
    "a": "k03",
    "run-1": "k03",
    "run-2": "k09",
    "run-7f3a": "k03",
    "Zürich": "k14",
    "日本": "k12",
    "x" * 1000: "k06",
    "00000000-0000-4000-8000-000000000000": "k07",
}


@pytest.mark.parametrize(("key", "partition"), FOR_EVER.items())
def test_a_key_never_moves_to_another_partition(key: str, partition: str) -> None:
    """Streams on disk hold events under these: to move a key is to break the order of its events.

    Whoever turns this red needs new subjects, not new values here.
    """
    assert partition_of(key) == partition


def test_there_are_sixteen_partitions_for_ever() -> None:
    assert PARTITIONS == 16
    assert partitions()[:2] == ("k00", "k01")
    assert partitions()[-1] == "k15"
    assert len(set(partitions())) == 16


def test_keys_spread_over_all_partitions() -> None:
    counts = Counter(partition_of(f"run-{number}") for number in range(1600))
    assert set(counts) == set(partitions())
    assert max(counts.values()) < 2 * min(counts.values())


@SETTINGS
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_the_key_its_subject_is_a_good_one(key: str) -> None:
    assert partition_of(key) in partitions()
    again = retry_subject("workflow", "planner", key)
    assert checked_subject(again) == again


def test_what_one_queue_takes_again_has_a_subject_of_its_own() -> None:
    assert retry_subject("workflow", "planner", None) == "sim.workflow.v1.planner.retried"
    assert retry_subject("health", "a-b", "run-2") == "sim.health.v1.a-b.retried.k09"


def test_a_key_that_is_empty_is_a_key() -> None:
    assert retry_subject("workflow", "planner", "") == "sim.workflow.v1.planner.retried.k00"


def test_the_domain_is_the_second_token() -> None:
    assert domain_of(NAME) == "workflow"
    assert domain_of("sim.*.v1.run.failed") == "*"
    assert domain_of("sim.workflow.>") == "workflow"
    assert domain_of(">") == ""
    assert domain_of("sim") == ""
