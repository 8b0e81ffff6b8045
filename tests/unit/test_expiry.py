"""When sessions shall go: spans, two clocks, and why each goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.sessions import expiry
from simbuilder.sessions.expiry import Due, Facts, Moment, Why
from simbuilder.sessions.model import End, Session, from_record, to_record
from tests.support import session

NOW = Moment(datetime(2026, 1, 1, 12, tzinfo=UTC), "boot-1", 5000.0)
YEAR_S = 365 * 86400


def later(s: float, clock_s: float | None = None, boot: str = NOW.boot) -> Moment:
    """After `s` seconds; the clock may have been set meanwhile."""
    shown = timedelta(seconds=s if clock_s is None else clock_s)
    return Moment(NOW.at + shown, boot, NOW.up_s + s)


def lasting(ttl_s: int, number: int = 1) -> Session:
    made = replace(session(number), created_at=NOW.at.isoformat(), ttl_s=ttl_s)
    return expiry.begun(made, NOW)


@pytest.mark.parametrize(
    ("text", "s"),
    [("90s", 90), ("30m", 1800), ("8h", 28800), ("1h30m", 5400), ("2d", 172800), ("1D2h", 93600)],
)
def test_spans(text: str, s: int) -> None:
    assert expiry.seconds(text) == s


@pytest.mark.parametrize("text", ["", "0s", "8", "h", "-1h", "1.5h", "1m1h", "9999d", "8 h", "1w"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        expiry.seconds(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2030-01-31T18:00", datetime(2030, 1, 31, 18, tzinfo=UTC)),
        ("2030-01-31", datetime(2030, 1, 31, tzinfo=UTC)),
        ("2030-01-31T18:00+02:00", datetime(2030, 1, 31, 16, tzinfo=UTC)),
    ],
)
def test_moments(text: str, at: datetime) -> None:
    assert expiry.fixed(text, NOW) == at


@pytest.mark.parametrize("text", ["tomorrow", "", "2020-01-01", "18:00"])
def test_what_is_no_moment_to_come_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        expiry.fixed(text, NOW)


def test_a_session_expires_when_its_time_is_up_and_not_before() -> None:
    one = lasting(3600)
    assert one.expires_at == "2026-01-01T13:00:00.000+00:00"
    assert expiry.due([one], Facts(), later(3599)) == []
    assert expiry.due([one], Facts(), later(3600 + 7200)) == [
        Due(one.id, one.name, Why.EXPIRED, "expired 2 h ago")
    ]
    assert expiry.due([session(2)], Facts(), later(YEAR_S)) == []


@pytest.mark.parametrize("clock_s", [YEAR_S, -YEAR_S])
def test_a_clock_that_was_set_changes_nothing_within_a_boot(clock_s: int) -> None:
    one = lasting(3600)
    assert expiry.due([one], Facts(), later(60, clock_s)) == []
    assert expiry.due([one], Facts(), later(3601, clock_s)) != []


def test_after_another_boot_there_is_only_the_clock() -> None:
    one = lasting(3600)
    rebooted = later(-4990, clock_s=3590, boot="boot-2")
    assert expiry.due([one], Facts(), rebooted) == []
    assert expiry.due([one], Facts(), replace(rebooted, at=NOW.at + timedelta(hours=2))) != []


def test_more_time_counts_from_the_end_or_from_now_if_that_is_over() -> None:
    one = lasting(3600)
    assert expiry.extended(one, 0, later(1800)) == NOW.at + timedelta(hours=2)
    assert expiry.extended(one, 60, later(1800)) == NOW.at + timedelta(seconds=3660)
    assert expiry.extended(one, 0, later(7200)) == NOW.at + timedelta(hours=3)
    for by_s in (0, 60):
        with pytest.raises(UsageError, match="stays for ever"):
            expiry.extended(session(1), by_s, NOW)
    given = expiry.lasting(session(1), NOW.at + timedelta(minutes=1), NOW)
    assert expiry.extended(given, 0, NOW) == NOW.at + timedelta(minutes=61)
    extended = expiry.lasting(one, expiry.extended(one, 0, NOW), NOW)
    assert expiry.left_s(extended.end, later(60)) == 7140


def test_nothing_shortens_the_time_of_a_session_that_is_used_again() -> None:
    one = lasting(3600)
    assert expiry.renewed(one, NOW, ttl_s=60) == NOW.at + timedelta(hours=1)
    assert expiry.renewed(one, later(1800), ttl_s=3600) == NOW.at + timedelta(minutes=90)
    assert expiry.renewed(session(1), NOW, ttl_s=60) is None


def test_things_are_marked_with_what_was_agreed_first_whatever_comes_later() -> None:
    """Compose makes anew whatever gets another label: data would be at stake."""
    one = replace(lasting(3600), bound_to="4711:1:boot-1:1")
    assert one.mark == End("2026-01-01T13:00:00.000+00:00", "4711:1:boot-1:1")
    assert expiry.lasting(one, expiry.extended(one, 0, NOW), NOW).mark == one.mark
    assert expiry.lasting(one, None, NOW).mark == one.mark
    assert session(1).mark == End()


def test_each_goes_for_the_first_cause_there_is() -> None:
    named = replace(session(1), name="lab", bound_to="4711:99:boot-1:7")
    old = replace(session(2), created_at="2025-12-23T12:00:00+00:00")
    facts = Facts(ended=frozenset([named.id]), homeless=frozenset([named.id, old.id]))
    first, second = expiry.due([named, old, session(3)], facts, NOW)
    assert (first.why, str(first)) == (Why.ENDED, f"{named.short} (lab)")
    assert first.cause == "was bound to process 4711, which has ended"
    assert (second.why, second.cause) == (Why.ORPHANED, "its folder /nowhere is gone")
    (third,) = expiry.due([old], Facts(), NOW, older_than_s=7 * 86400)
    assert (third.why, third.cause, third.asks) == (Why.OLD, "made 9 d ago", True)
    assert [first.asks, second.asks] == [False, False]


def test_a_record_that_is_lost_leaves_the_mark() -> None:
    marks = {"b": End("2026-01-01T11:00:00+00:00"), "a": End(bound_to="1:2:3:4"), "c": End()}
    found = expiry.due_marks(marks, Facts(ended=frozenset("a")), NOW)
    assert [(one.id, one.why) for one in found] == [("a", Why.ENDED), ("b", Why.EXPIRED)]
    assert found[1].cause == "its record is lost, and it expired 1 h ago"


def test_silence_is_not_nobody() -> None:
    assert expiry.in_use({}) == ""
    assert expiry.in_use({"nats": 0, "neo4j": 0}) == ""
    assert expiry.in_use({"nats": 2, "azurite": None}) == (
        "nats has 2 client connections; whether azurite has clients cannot be told"
    )


def test_the_plan_says_what_goes_and_what_stays() -> None:
    one = Due("00000001-etc", "lab", Why.EXPIRED, "expired 2 h ago")
    two = Due("00000002-etc", None, Why.EXPIRED, "expired 1 s ago")
    assert str(expiry.plan([(one, ""), (two, "nats has 1 client connection")])) == (
        "remove 00000001 (lab): expired 2 h ago\n"
        "keep 00000002: expired 1 s ago, but nats has 1 client connection"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": "soon"},
        {"expires_at": "2026-01-01T00:00:00"},
        {"ttl_s": -1},
        {"ttl_s": 60, "created_at": "once"},
        {"deadline": "boot"},
        {"deadline": "boot:x"},
        {"bound_to": "1\n2"},
    ],
)
def test_a_record_whose_end_cannot_be_read_is_refused(change: dict[str, object]) -> None:
    data = to_record(lasting(60)) | change
    del data["seal"]
    with pytest.raises(ValueError, match=r"has no valid|control character"):
        from_record(data)


def test_records_of_older_versions_have_no_end() -> None:
    data = to_record(session(1))
    for key in ("seal", "expires_at", "bound_to", "ttl_s", "deadline", "mount"):
        del data[key]
    assert from_record(data) == session(1)
