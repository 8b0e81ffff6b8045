"""What only a real server process can show, with the server's own program in other hands."""

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from simbuilder.runtimes.local import LocalRuntime, ends
from simbuilder.runtimes.local.nats import NatsServer
from simbuilder.runtimes.local.server import Command, LocalServer
from simbuilder.scaffolding import identity
from simbuilder.scaffolding.files import write_atomic
from simbuilder.sessions.model import Session, State
from simbuilder.sessions.result import Event, EventSink
from tests.contract.test_runtime import local_case


class Stubborn:
    """A NATS server that runs another program instead, until somebody mends it."""

    service = "nats"
    port_taken = re.compile("never says so")

    def __init__(self, script: str, mendable: bool = False) -> None:
        self._script: str | None = script
        self._mendable = mendable

    def prepare(self, emit: EventSink) -> None:
        """Nothing is needed."""

    def command(self, session: Session, folder: Path) -> Command:
        if self._script is None:
            return NatsServer().command(session, folder)
        return Command(["/bin/sh", "-c", self._script], {})

    def logged_at(self, line: str) -> float | None:
        return None

    def recover(self) -> bool:
        if self._mendable:
            self._script = None
        return self._mendable


class Altered(LocalRuntime):
    """A local runtime whose NATS is a stubborn one."""

    def __init__(self, root: Path, cache: Path, nats: Stubborn) -> None:
        super().__init__(root, cache)
        self._nats = nats

    @cached_property
    def servers(self) -> Mapping[str, LocalServer]:
        return {"nats": self._nats}


def bring_up(
    tmp_path: Path, nats: Stubborn, timeout_s: float, one: Session
) -> tuple[LocalRuntime, list[Event], str]:
    runtime = Altered(tmp_path / "local", tmp_path, nats)
    events: list[Event] = []
    outcome = runtime.start(one, ("nats",), timeout_s, events.append)["nats"]
    return runtime, events, "ready" if outcome.health.ready else outcome.health.problem


def new_session(tmp_path: Path) -> Session:
    return local_case(tmp_path / "local", tmp_path).session()


def test_a_server_that_can_be_mended_gets_a_second_try(tmp_path: Path) -> None:
    one = new_session(tmp_path)
    nats = Stubborn("echo cache is broken; exit 3", mendable=True)
    runtime, events, said = bring_up(tmp_path, nats, 20, one)
    try:
        assert said == "ready"
        assert any("once more" in event.message for event in events)
    finally:
        runtime.remove(one.id)


def test_a_server_that_ends_at_once_is_reported_with_status_and_words(tmp_path: Path) -> None:
    one = new_session(tmp_path)
    runtime, _, said = bring_up(tmp_path, Stubborn("echo last words; exit 3"), 20, one)
    assert said == "it ended with exit status 3"
    seen = runtime.observe([one.id])[one.id]["nats"]
    assert (seen.state, seen.exit_status) == (State.STOPPED, 3)
    assert runtime.log_tails(one.id, ["nats"]) == {"nats": ("last words",)}
    runtime.remove(one.id)


def test_a_server_that_never_serves_is_stopped_at_its_deadline(tmp_path: Path) -> None:
    one = new_session(tmp_path)
    runtime, _, said = bring_up(tmp_path, Stubborn("sleep 60"), 1, one)
    assert said.startswith("not ready in time: nothing answers")
    assert runtime.observe([one.id])[one.id]["nats"].state is State.STOPPED
    runtime.remove(one.id)


def test_a_port_grabbed_after_the_launch_is_noticed(tmp_path: Path) -> None:
    """Somebody takes the port between our look and the server's bind; the server just waits."""
    one = new_session(tmp_path)
    script = "sleep 60"
    port = one.port("nats.client")
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        class Grabbed(Stubborn):
            def command(self, session: Session, folder: Path) -> Command:
                foreign.bind(("127.0.0.1", port))
                foreign.listen()
                return super().command(session, folder)

        runtime = Altered(tmp_path / "local", tmp_path, Grabbed(script))
        outcome = runtime.start(one, ("nats",), 20, print)["nats"]
    assert outcome.taken == ("client",)
    assert runtime.observe([one.id])[one.id]["nats"].state is State.STOPPED
    runtime.remove(one.id)


def test_of_servers_in_another_container_nothing_can_be_told(tmp_path: Path) -> None:
    runtime = LocalRuntime(tmp_path / "local", tmp_path)
    one = replace(new_session(tmp_path), bound_to=identity.of())
    mark = tmp_path / "local" / one.id / ends.FILE
    ends.write(mark.parent, one)
    assert runtime.clients(one.id) == {}
    ours = f"{identity.boot_id()}:{identity.pids_of()}"
    for started_in, clients in (
        (f"{identity.boot_id()}:1", {"any server": None}),
        ("another-boot:1", {}),  # nothing of it can run any more
        (ours, {}),
    ):
        write_atomic(mark, json.dumps(json.loads(mark.read_text()) | {"started_in": started_in}))
        assert runtime.clients(one.id) == clients
