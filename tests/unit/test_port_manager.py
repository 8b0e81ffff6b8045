import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from simbuilder.scaffolding.exceptions import NewerStateError, PortsExhaustedError
from simbuilder.sessions.port_manager import (
    PortManager,
    PortRange,
    allocate,
    bindable,
    system_range,
)
from simbuilder.sessions.result import Event
from tests.support import session_id


def free(_port: int) -> bool:
    return False


def test_blocks_outside_the_ephemeral_range_come_first() -> None:
    ports = PortRange(30000, 30059, ephemeral=range(30015, 30041))
    assert ports.blocks() == [30000, 30050, 30010, 30020, 30030, 30040]
    usual = PortRange(30000, 40000, ephemeral=range(32768, 61000))
    assert (usual.blocks()[0], len(usual.blocks())) == (30000, 1000)


def test_a_block_with_a_busy_taken_or_reserved_port_is_stepped_over() -> None:
    ports = PortRange(30000, 30059, reserved=frozenset({30021}))
    assert allocate(ports, (), free) == 30000
    assert allocate(ports, {30009}, lambda port: port == 30010) == 30030


def test_a_range_with_no_free_block_is_exhausted() -> None:
    with pytest.raises(PortsExhaustedError, match="30000-30019"):
        allocate(PortRange(30000, 30019), {30005, 30015}, free)


def test_bindable_sees_listeners_on_any_address() -> None:
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as server:
            server.bind((address, 0))
            server.listen()
            assert not bindable(server.getsockname()[1])


def test_the_system_knows_its_ephemeral_range() -> None:
    ports = system_range(30000, 40000)
    assert 1024 <= ports.ephemeral.start < ports.ephemeral.stop <= 65536


class Ledger:
    def __init__(self, root: Path, ports: PortRange | None = None) -> None:
        self.records: dict[str, Mapping[str, int] | None] = {}
        self.events: list[Event] = []
        self.busy: set[int] = set()
        self.manager = PortManager(
            root,
            ports or PortRange(30000, 30099),
            lambda: self.records,
            self.events.append,
            self.busy.__contains__,
        )

    def reserve(self, number: int) -> Mapping[str, int]:
        with self.manager.transaction():
            self.records[session_id(number)] = self.manager.reserve(session_id(number))
        return self.manager.reserved()[session_id(number)]


def test_sessions_get_blocks_of_their_own(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first, second = ledger.reserve(1), ledger.reserve(2)
    assert first["neo4j.bolt"] == 30000
    assert first["neo4j.http"] == 30001
    assert first["nats.client"] == 30002
    assert first["nats.monitoring"] == 30003
    assert [first[f"azurite.{n}"] for n in ("blob", "queue", "table")] == [30005, 30006, 30007]
    assert first["core-api.http"] == 30008
    assert first["api-gateway.http"] == 30009
    assert set(first.values()).isdisjoint(second.values())


def test_released_ports_are_given_again_and_the_empty_ledger_goes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve(1)
    with ledger.manager.transaction():
        del ledger.records[session_id(1)]
        ledger.manager.release(session_id(1))
        ledger.manager.release(session_id(1))
    assert not tmp_path.exists()
    assert ledger.reserve(2)["neo4j.bolt"] == 30000


def test_what_a_crash_left_without_a_record_is_dropped(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.manager.transaction():
        ledger.manager.reserve(session_id(9))  # and no record follows
    assert ledger.reserve(1)["neo4j.bolt"] == 30000


def test_ports_of_an_unreadable_record_stay_taken(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve(1)
    ledger.records[session_id(1)] = None
    assert ledger.reserve(2)["neo4j.bolt"] == 30010


def test_a_replaced_port_keeps_its_last_digit_and_the_others_stay(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ports = ledger.reserve(1)
    ledger.busy.add(ports["nats.client"])
    with ledger.manager.transaction():
        changed = ledger.manager.replace(session_id(1), ports, ["nats.client"])
    assert changed == {**ports, "nats.client": 30012}
    ledger.records[session_id(1)] = changed
    assert ledger.reserve(2)["neo4j.bolt"] == 30020


def test_exhaustion_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, PortRange(30000, 30009))
    ledger.reserve(1)
    before = (tmp_path / "ports.json").read_text()
    with pytest.raises(PortsExhaustedError):
        ledger.reserve(2)
    assert (tmp_path / "ports.json").read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"version": "2", "sessions": {}}',
        '{"version": 1}',
        '{"version": 1, "sessions": {"a": 1}}',
        '{"version": 1, "sessions": {"a": {"b": "c"}}}',
    ],
)
def test_an_unreadable_ledger_is_kept_aside_and_written_anew(tmp_path: Path, text: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.reserve(1)
    (tmp_path / "ports.json").write_text(text)
    assert ledger.reserve(2)["neo4j.bolt"] == 30010
    aside = [path for path in tmp_path.iterdir() if "unreadable" in path.name]
    assert [path.read_text() for path in aside] == [text]
    assert aside[0].name in ledger.events[0].message
    assert ledger.events[0].kind == "warning"
    data = json.loads((tmp_path / "ports.json").read_text())
    assert set(data["sessions"]) == {session_id(1), session_id(2)}


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    newer = '{"version": 2, "sessions": {}}'
    (tmp_path / "ports.json").write_text(newer)
    with pytest.raises(NewerStateError, match="has version 2"):
        ledger.reserve(1)
    assert not ledger.manager.stale()
    assert [path.read_text() for path in tmp_path.iterdir()] == [newer]
