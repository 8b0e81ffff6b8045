import json
from dataclasses import replace
from typing import Any

import pytest

from simbuilder.scaffolding import dotenv
from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.sessions import envfile
from simbuilder.sessions.catalog import choose_services
from simbuilder.sessions.model import (
    NewerRecordError,
    State,
    check_name,
    from_record,
    overall,
    to_record,
)
from tests.support import session


def test_a_record_comes_back_as_it_was() -> None:
    one = replace(
        session(name="demo"),
        engine="unix:///x",
        host="192.0.2.7",
        published="0.0.0.0",
        images={"nats": "mirror/nats:1"},
        owner="me",
        reason="asked for",
    )
    assert from_record(json.loads(json.dumps(to_record(one)))) == one


def test_a_record_of_the_first_version_still_counts() -> None:
    record = to_record(session())
    for key in ("engine", "host", "published", "images", "owner", "reason", "seal"):
        del record[key]
    assert from_record(record) == session()


def test_a_newer_record_is_refused_not_guessed() -> None:
    with pytest.raises(NewerRecordError, match="version 2"):
        from_record(to_record(session()) | {"version": 2})


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1"},
        {"id": "../../etc"},
        {"name": 5},
        {"services": []},
        {"services": ["mail"]},
        {"ports": {}},
        {"ports": {"neo4j.bolt": "30000"}},
        {"secrets": {"neo4j": ""}},
        {"folder": None},
        {"images": {"nats": 5}},
    ],
)
def test_a_damaged_record_is_refused(change: dict[str, Any]) -> None:
    record = to_record(session()) | change
    with pytest.raises(ValueError, match=r"is damaged|has no valid"):
        from_record(record)
    del record["seal"]
    with pytest.raises(ValueError, match=r"has no valid|names an unknown"):
        from_record(record)
    others: list[Any] = [[], None, "x", 3]
    for other in others:
        with pytest.raises(ValueError, match="not a JSON object"):
            from_record(other)


def test_a_single_bit_is_enough_to_be_damaged() -> None:
    text = json.dumps(to_record(session())).encode()
    for number in range(8 * len(text)):
        data = bytearray(text)
        data[number // 8] ^= 1 << number % 8
        try:
            found = from_record(json.loads(data.decode()))
        except ValueError:
            continue
        assert found == session()  # what was hit is the name of the seal itself


@pytest.mark.parametrize("name", ["a", "demo", "My-Lab_2", "x" * 40, "decade", "cafe"])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "..", "/", "a/b", "a b", "a\nb", "x" * 300, "-x", "1x", "é", "deadbeef", "$(id)", "a\0"],
)
def test_bad_names_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 120


def test_no_secret_in_the_repr() -> None:
    assert "secret" not in repr(session())


COMPLETE = """
SIMBUILDER_SESSION_ID SIMBUILDER_SESSION_SHORT SIMBUILDER_SUBNET SIMBUILDER_OWNER
COMPOSE_PROJECT_NAME NEO4J_PORT NEO4J_HTTP_PORT NATS_PORT NATS_HTTP_PORT AZURITE_BLOB_PORT
AZURITE_QUEUE_PORT AZURITE_TABLE_PORT CORE_API_PORT API_GATEWAY_PORT NEO4J_URI NEO4J_USER
NEO4J_PASSWORD NEO4J_DATABASE NATS_USER NATS_PASSWORD NATS_URL SERVICE_BUS_URL AZURITE_ACCOUNTS
AZURE_STORAGE_CONNECTION_STRING CORE_API_URL API_GATEWAY_URL
"""

RUN, STOP, UNKNOWN = State.RUNNING, State.STOPPED, State.UNKNOWN


@pytest.mark.parametrize(
    ("states", "ready", "expected"),
    [
        ((RUN, RUN), None, State.RUNNING),
        ((RUN, RUN), (True, True), State.RUNNING),
        ((RUN, RUN), (True, False), State.DEGRADED),
        ((RUN, STOP), None, State.DEGRADED),
        ((STOP, STOP), None, State.STOPPED),
        ((STOP, STOP), (False, False), State.STOPPED),
        ((RUN, UNKNOWN), None, State.UNKNOWN),
    ],
)
def test_the_state_of_a_session(
    states: tuple[State, ...], ready: tuple[bool, ...] | None, expected: State
) -> None:
    named = dict(zip("ab", states, strict=True))
    asked = None if ready is None else dict(zip("ab", ready, strict=True))
    assert overall(named, asked) is expected


def test_the_env_file_is_complete() -> None:
    one = session()
    values = dotenv.parse(envfile.render(one))[0]
    assert values == envfile.variables(one)
    assert list(values) == COMPLETE.split()
    assert values["NEO4J_URI"] == "bolt://127.0.0.1:31000"
    assert values["NATS_URL"] == "nats://simbuilder:bus-secret@127.0.0.1:31002"
    assert values["COMPOSE_PROJECT_NAME"] == "simbuilder-00000001"
    assert values["API_GATEWAY_URL"] == "http://127.0.0.1:31009"
    assert envfile.session_id(envfile.render(one)) == one.id


def test_a_service_the_session_lacks_is_not_in_its_env_file() -> None:
    values = envfile.variables(replace(session(), services=("nats",)))
    assert "NEO4J_URI" not in values
    assert "NEO4J_PORT" not in values
    assert values["CORE_API_PORT"] == "31008"


def test_services_are_chosen_by_name_or_profile() -> None:
    assert choose_services(None, None) == ("neo4j", "nats", "azurite")
    assert choose_services("azurite, nats,nats", None) == ("nats", "azurite")
    for services, profile, word in (
        ("mail", None, "neo4j, nats, azurite"),
        (",", None, "neo4j, nats, azurite"),
        ("", None, "neo4j, nats, azurite"),
        (None, "huge", "default, full"),
        (None, "full", "leave --profile out"),
    ):
        with pytest.raises(UsageError) as caught:
            choose_services(services, profile)
        assert word in caught.value.hint
