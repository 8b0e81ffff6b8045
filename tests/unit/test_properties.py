"""What holds for any input, tried with hundreds of them; the same ones in every run."""

import json
import shlex
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simbuilder.scaffolding import dotenv
from simbuilder.scaffolding.environment import BLOCK_SIZE
from simbuilder.scaffolding.exceptions import PortsExhaustedError, UsageError
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session, check_name, from_record, is_session_id, to_record
from simbuilder.sessions.port_manager import LEDGER_FILE, PortRange, allocate
from tests.support import session, session_id
from tests.unit.test_port_manager import Ledger

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    database=None,  # it would write outside the test's folder
    max_examples=100,
    # `tmp_path` serves all examples: each takes a folder of its own in it
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# --- ports ---------------------------------------------------------------------------------

PORTS = st.integers(1024, 65535)
NEARBY = st.sets(st.integers(30000, 30130), max_size=8).map(frozenset)


@st.composite
def ranges(draw: st.DrawFn) -> PortRange:
    start = draw(st.integers(30000, 30020))
    end = start + draw(st.integers(BLOCK_SIZE - 1, 100))
    low = draw(st.integers(start - 20, end))
    # no kernel has fewer ephemeral ports than a block
    ephemeral = range(low, low + draw(st.integers(BLOCK_SIZE, 60)))
    return PortRange(start, end, draw(st.sampled_from([ephemeral, range(0)])), draw(NEARBY))


def block(base: int) -> set[int]:
    return set(range(base, base + BLOCK_SIZE))


@SETTINGS
@given(ranges(), NEARBY, NEARBY)
def test_an_allocated_block_is_in_range_and_wholly_free(
    ports: PortRange, taken: frozenset[int], busy: frozenset[int]
) -> None:
    def usable(base: int) -> bool:
        return block(base).isdisjoint(taken | busy | ports.reserved)

    bases = range(ports.start, ports.end + 2 - BLOCK_SIZE, BLOCK_SIZE)
    free = [base for base in bases if usable(base)]
    if not free:
        with pytest.raises(PortsExhaustedError):
            allocate(ports, taken, busy.__contains__)
        return
    base = allocate(ports, taken, busy.__contains__)
    assert base in free
    assert block(base) <= set(range(ports.start, ports.end + 1))
    assert allocate(ports, taken, busy.__contains__) == base
    quiet = [base for base in free if block(base).isdisjoint(ports.ephemeral)]
    assert base == (quiet or free)[0]


@SETTINGS
@given(ranges(), NEARBY)
def test_no_port_is_allocated_twice_until_none_is_left(
    ports: PortRange, busy: frozenset[int]
) -> None:
    taken: set[int] = set()
    blocks = len(ports.blocks())
    for _ in range(blocks + 1):
        try:
            base = allocate(ports, taken, busy.__contains__)
        except PortsExhaustedError:
            return
        given_out = {base + offset for offset in catalog.endpoint_keys().values()}
        assert taken.isdisjoint(given_out)
        taken |= given_out
    pytest.fail(f"more than {blocks} blocks")


STEPS = st.tuples(
    st.sampled_from(["reserve", "replace", "release", "crash", "lose"]),
    st.integers(1, 4),
    st.sets(st.sampled_from(sorted(catalog.endpoint_keys())), min_size=1, max_size=3),
    NEARBY,
)


def step(ledger: Ledger, verb: str, one: str, keys: set[str]) -> None:
    """Do to the ledger and the records what a command does, or half of it."""
    manager, records = ledger.manager, ledger.records
    if verb == "reserve" and one not in records:
        records[one] = manager.reserve(one)
    elif verb == "replace" and one in records:
        before = records[one] or {}
        records[one] = after = manager.replace(one, before, sorted(keys))
        assert {key for key in before if before[key] != after[key]} == keys
    elif verb == "release":
        records.pop(one, None)
        manager.release(one)
    elif verb == "crash" and one not in records:
        manager.reserve(one)
    elif verb == "lose":
        records.pop(one, None)


def recorded(root: Path) -> Mapping[str, Mapping[str, int]]:
    file = root / LEDGER_FILE
    return json.loads(file.read_text())["sessions"] if file.exists() else {}


@SETTINGS
@given(st.lists(STEPS, max_size=12))
def test_the_ledger_is_the_union_of_the_records(
    tmp_path: Path, steps: list[tuple[str, int, set[str], frozenset[int]]]
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as name:
        root = Path(name) / "state"
        ledger = Ledger(root, PortRange(30000, 30059))
        for verb, number, keys, busy in steps:
            ledger.busy.clear()
            ledger.busy |= busy
            with ledger.manager.transaction():
                before = recorded(root)
                try:
                    step(ledger, verb, session_id(number), keys)
                except PortsExhaustedError:
                    assert recorded(root) == before
                ledger.manager.prune()
                held = [
                    port for ports in ledger.records.values() for port in (ports or {}).values()
                ]
                assert len(held) == len(set(held))
                assert recorded(root) == ledger.records


# --- text ----------------------------------------------------------------------------------

PRINTABLE = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "))
SPECIAL = st.text(st.sampled_from("aA1_=# \t\r\n\"'\\$`\x00\x0b\x1c\x85\u2028\ufeff\ud800"))
ANY_TEXT = st.text(st.characters()) | SPECIAL
KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)


@SETTINGS
@given(st.dictionaries(KEYS, PRINTABLE), ANY_TEXT)
def test_whatever_can_be_printed_survives_an_env_file(values: dict[str, str], comment: str) -> None:
    assert dotenv.parse(dotenv.render(values, comment)) == (values, [])


@SETTINGS
@given(ANY_TEXT | st.builds("A={}".format, SPECIAL))
def test_every_text_can_be_parsed(text: str) -> None:
    values, bad = dotenv.parse(text)
    assert all(key.isidentifier() and key.isascii() for key in values)
    assert set(bad) <= set(range(1, text.count("\n") + 2))


@SETTINGS
@given(ANY_TEXT | st.from_regex(r"[A-Za-z.-][A-Za-z0-9_./-]{0,45}\n?", fullmatch=True))
@example("..")
@example("a\n")
def test_an_accepted_name_is_one_safe_path_segment(name: str) -> None:
    try:
        check_name(name)
    except UsageError:
        return
    place = Path("/state") / name
    assert (place.resolve().parent, place.name) == (Path("/state"), name)
    assert len(name.encode()) <= 255
    assert shlex.quote(name) == name
    assert not name.startswith("-")
    assert not is_session_id(name)


# --- records -------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    services = draw(st.sets(st.sampled_from(catalog.PROFILES["default"]), min_size=1))
    keys = catalog.endpoint_keys()
    numbers = draw(st.sets(PORTS, min_size=len(keys), max_size=len(keys)))
    images = draw(st.dictionaries(st.sampled_from(sorted(services)), PRINTABLE))
    facts: dict[str, Any] = {
        key: draw(PRINTABLE)
        for key in ("runtime", "created_at", "engine", "host", "published", "owner", "reason")
    }
    if draw(st.booleans()):
        moments = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        facts |= {
            "created_at": draw(moments),
            "expires_at": draw(st.just("") | moments),
            "ttl_s": draw(st.integers(0, 10**8)),
            "deadline": draw(st.just("") | st.integers(0, 10**9).map("boot-id:{}.125".format)),
            "bound_to": draw(PRINTABLE),
            "mount": draw(ANY_TEXT),
        }
    return Session(
        id=str(draw(st.uuids(version=4))),
        name=draw(st.none() | PRINTABLE),
        folder=draw(ANY_TEXT),  # the one text that others choose
        services=tuple(sorted(services)),
        ports=dict(zip(keys, numbers, strict=True)),
        secrets={service: draw(PRINTABLE.filter(bool)) for service in sorted(services)},
        images=images,
        **facts,
    )


@SETTINGS
@given(sessions())
def test_every_session_survives_its_record(one: Session) -> None:
    assert from_record(json.loads(json.dumps(to_record(one)))) == one


def fails_as_promised(data: Any) -> None:
    with suppress(ValueError):
        from_record(json.loads(json.dumps(data)))


@SETTINGS
@given(JSON)
def test_whatever_a_record_holds_is_refused_in_words(data: Any) -> None:
    fails_as_promised(data)


RECORD = to_record(session())


@SETTINGS
@given(
    st.dictionaries(st.sampled_from(sorted(RECORD)), JSON, min_size=1, max_size=3),
    st.sets(st.sampled_from(sorted(RECORD)), max_size=2),
    st.booleans(),
)
def test_a_record_with_odd_fields_is_refused_in_words(
    change: dict[str, Any], lost: set[str], sealed: bool
) -> None:
    data = {key: value for key, value in (RECORD | change).items() if key not in lost}
    if not sealed:
        data.pop("seal", None)
    fails_as_promised(data)


@SETTINGS
@given(st.sampled_from(["ports", "secrets", "images", "services"]), st.text(), JSON)
def test_a_record_with_an_odd_entry_is_refused_in_words(field: str, key: str, value: Any) -> None:
    data = {k: v for k, v in RECORD.items() if k != "seal"}
    entries = data[field]
    if field == "services":
        fails_as_promised(data | {field: [value, *entries]})
        return
    for name in (key, next(iter(entries), "nats")):
        fails_as_promised(data | {field: {**entries, name: value}})
