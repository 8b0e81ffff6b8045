"""Sessions for Python programs, in this very process and with real servers."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import simbuilder
from simbuilder.bus.catalogue.workflow import RunStarted
from simbuilder.bus.making import new_event
from simbuilder.composition import Rooms, rooms
from simbuilder.scaffolding import identity, process
from simbuilder.scaffolding.exceptions import NotReadyError, UsageError

pytestmark = pytest.mark.usefixtures("local_servers")


@pytest.fixture
def user(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:
    """The rooms of a user who has no sessions yet, and none any more at the end."""
    monkeypatch.setenv("SIMBUILDER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SIMBUILDER_RUNTIME", "local")
    made = rooms(lambda _event: None)
    yield made
    for session_id in made.manager.cleaner.targets():
        made.manager.cleaner.cleanup(session_id, 30)


def servers(user: Rooms) -> list[str]:
    """The marks of all that runs for the user."""
    return [item.mark for item in process.marked() if str(user.settings.state_dir) in item.mark]


def publish(s: simbuilder.LiveSession) -> int:
    """Publish to a stream and return how many messages there are in it now."""

    async def go() -> int:
        async with s.nats() as connection:
            stream = connection.jetstream()
            await stream.add_stream(name="news", subjects=["news"])
            return (await stream.publish("news", b"hello")).seq

    return asyncio.run(go())


async def announce(s: simbuilder.LiveSession) -> list[str]:
    """Publish an event on the bus and return the runs that its stream tells of."""
    async with s.bus() as bus:
        await bus.publish(new_event(RunStarted(run="run-1"), "/tests"))
        return [
            stored.event.data["run"] async for stored in bus.read("SIM_WORKFLOW") if stored.event
        ]


def test_a_session_serves_its_own_clients_and_is_gone_after_the_block(
    user: Rooms, project: Path
) -> None:
    with simbuilder.session() as s:
        driver = s.graph()
        records, _, _ = driver.execute_query("CREATE (p:Person {name: 'Ada'}) RETURN p.name AS n")
        assert [record["n"] for record in records] == ["Ada"]
        s.blobs().create_container("attic").upload_blob("chest", b"gold")
        assert s.blobs().get_blob_client("attic", "chest").download_blob().readall() == b"gold"
        assert publish(s) == 1
        assert asyncio.run(announce(s)) == ["run-1"]
        assert s.env["NEO4J_URI"] == f"bolt://127.0.0.1:{s.ports['neo4j.bolt']}"
        assert s.env["SIMBUILDER_SESSION_ID"] == s.id
        assert s.env["NEO4J_PASSWORD"] not in repr(s)
        assert len({mark.split(":")[1] for mark in servers(user)}) == 3
        assert not (project / ".env.session").exists()
    assert servers(user) == []
    assert not user.settings.state_dir.exists()
    with pytest.raises(Exception, match=r"(?i)closed"):
        driver.execute_query("RETURN 1")


def test_whatever_ends_the_block_ends_the_session(user: Rooms) -> None:
    def fail(error: BaseException) -> None:
        assert servers(user)
        raise error

    for error in (ValueError("ours"), KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)), simbuilder.session(services="nats"):
            fail(error)
        assert servers(user) == []
        assert user.store.ids() == []


def test_ctrl_c_while_servers_start_leaves_nothing(user: Rooms) -> None:
    armed = [True]

    def press(line: str) -> None:
        if line == "nats: starting" and armed:
            armed.pop()
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), simbuilder.session(services="nats", progress=press):
        pass
    assert not armed
    assert user.store.ids() == []
    with simbuilder.session(services="nats", progress=press) as s:
        armed.append(True)
        with pytest.raises(KeyboardInterrupt), s.fork():
            pass
        assert user.store.ids() == [s.id]
    assert servers(user) == []


def test_sigterm_ends_the_block_and_leaves_the_program_as_it_was(user: Rooms) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as ended, simbuilder.session(services="nats"):
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, own := lambda *_args: None)
        with simbuilder.session(services="nats"):
            assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert servers(user) == []


def test_a_thread_may_make_one_too(user: Rooms) -> None:
    seen: list[int] = []

    def work() -> None:
        with simbuilder.session(services=["nats"]) as s:
            seen.append(s.ports["nats.client"])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(seen) == 1
    assert servers(user) == []


def test_a_child_leaves_the_session_to_us(user: Rooms) -> None:
    with simbuilder.session(services="nats"):
        child = os.fork()
        if child:
            assert os.waitpid(child, 0) == (child, 0)
            assert servers(user)
    if not child:
        os._exit(0)
    assert servers(user) == []


def test_it_is_bound_to_us_unless_it_is_to_be_kept(user: Rooms) -> None:
    with simbuilder.session(services="nats") as s:
        assert user.store.load(s.id).bound_to == identity.of()
        with simbuilder.session(services="nats", reuse=True, ttl="8h") as kept:
            assert kept.id != s.id  # whoever reuses one could lose it any moment
            assert user.store.load(kept.id).bound_to == ""
            assert user.store.load(kept.id).ttl_s == 8 * 3600
    assert user.store.ids() == [kept.id]
    assert {mark.split(":")[0] for mark in servers(user)} == {kept.id}


def test_with_reuse_the_next_block_gets_it_again(user: Rooms, project: Path) -> None:
    with simbuilder.session("lab", "nats", reuse=True) as first:
        assert first.name == "lab"
    with simbuilder.session("lab", reuse=True) as second:
        assert second.id == first.id
        assert "NEO4J_URI" not in second.env
        with pytest.raises(UsageError, match="has no neo4j"):
            second.graph()
    user.manager.stop(first.id, 30)
    with simbuilder.session("lab", "nats", "local", reuse=True) as third:
        assert third.id == first.id
        assert publish(third) == 1
    with (
        pytest.raises(UsageError, match="has nats on the local runtime"),
        simbuilder.session("lab", "nats,azurite", reuse=True),
    ):
        pass
    assert not (project / ".env.session").exists()


def test_a_fork_has_all_that_is_in_the_session_and_goes_its_own_way(user: Rooms) -> None:
    with simbuilder.session(services="nats") as s:
        assert publish(s) == 1
        with s.fork() as one:
            assert one.env["NATS_PASSWORD"] != s.env["NATS_PASSWORD"]
            assert one.ports != s.ports
            assert user.store.load(one.id).bound_to == identity.of()
            assert [publish(each) for each in (one, one, s)] == [2, 3, 2]
        assert user.store.ids() == [s.id]
        s.stop()
        with pytest.raises(UsageError, match="was stopped"):
            publish(s)
        with s.fork(name="two") as two:
            assert two.name == "two"
            assert publish(two) == 3
        assert servers(user) == []
    assert user.store.ids() == []


def test_servers_that_do_not_get_ready_are_named_and_nothing_is_left(
    user: Rooms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEO4J_HOME", str(tmp_path))
    with pytest.raises(simbuilder.SimBuilderError) as refused, simbuilder.session():
        pass
    assert "NEO4J_HOME" in refused.value.message
    assert refused.value.__notes__ == [f"hint: {refused.value.hint}"]
    monkeypatch.delenv("NEO4J_HOME")
    with pytest.raises(NotReadyError, match="neo4j is not ready"), simbuilder.session(timeout=0.01):
        pass
    assert servers(user) == []
    assert user.store.ids() == []


def test_progress_is_told_and_nothing_is_printed(
    user: Rooms, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with simbuilder.session(services="nats", progress=said.append):
        pass
    assert any(line.startswith("nats: ready: NATS") for line in said)
    assert capfd.readouterr() == ("", "")


def test_settings_are_those_of_the_folder(
    user: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMBUILDER_STATE_DIR")
    other = tmp_path / "other"
    other.mkdir()
    (other / ".env").write_text("SIMBUILDER_STATE_DIR=here\n")
    with simbuilder.session(services="nats", folder=other) as s:
        assert (other / "here" / "sessions" / s.id).is_dir()


def test_only_what_is_public_can_be_had() -> None:
    assert simbuilder.__version__
    nothing: Any = simbuilder
    with pytest.raises(AttributeError, match="has no attribute 'sesion'"):
        _ = nothing.sesion
