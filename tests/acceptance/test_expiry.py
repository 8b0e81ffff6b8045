"""Sessions that go by themselves, on real servers, and the story that is told of them."""

import asyncio
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nats
import pytest
from neo4j import GraphDatabase

from tests.acceptance.conftest import Answer, Cli
from tests.acceptance.docker import NATS, left_of, neighbour, problem

pytestmark = pytest.mark.timeout(200)


def created(cli: Cli, *options: str) -> Any:
    said = cli("session", "create", "--start-containers", *NATS, *options, "--json")
    assert said.status == 0, said.err + said.out
    return said.data()["session"]


def listed(said: Answer) -> list[str]:
    return [session["id"] for session in said.data()["sessions"]]


def kept(said: Answer) -> dict[str, str]:
    """Session id -> what was against removing it."""
    assert said.status == 0
    return {one["id"]: one["kept"] for one in said.data()["sessions"]}


@contextmanager
def bus_client(env: dict[str, str]) -> Iterator[None]:
    """A client that stays connected and says nothing."""
    up, enough = threading.Event(), threading.Event()

    async def stay() -> None:
        connection = await nats.connect(env["NATS_URL"])
        up.set()
        await asyncio.to_thread(enough.wait)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(stay()))
    thread.start()
    try:
        assert up.wait(10)
        yield
    finally:
        enough.set()
        thread.join()


def test_what_has_expired_stays_while_a_client_is_connected_and_then_goes(cli: Cli) -> None:
    graph = ("--services", "neo4j", "--start-containers", "--name", "lab")
    said = cli("session", "create", *graph, "--ttl", "1s", "--json")
    session = said.data()["session"]
    env = cli.variables()
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        driver.verify_connectivity()
        time.sleep(1)
        for _ in range(2):
            assert listed(cli("session", "list", "--json")) == [session["id"]]
        assert kept(cli("session", "gc", "--json")) == {
            session["id"]: "neo4j has 1 client connection"
        }
        assert "keep" in cli("session", "gc", "--dry-run").out
        driver.verify_connectivity()
    gone = cli("session", "list")
    assert f"note: removed session {session['short']} (lab): it expired" in gone.err
    assert cli.servers() == []
    assert not cli.state.exists()
    assert not (cli.folder / ".env.session").exists()
    history = [json.loads(line) for line in cli("session", "events", "lab").out.splitlines()]
    assert [e["event"] for e in history] == ["created", "ready", "expired", "removed"]
    assert not any(env["NEO4J_PASSWORD"] in json.dumps(entry) for entry in history)


def test_a_session_is_extended_also_when_its_time_is_up(cli: Cli) -> None:
    session = created(cli, "--ttl", "1s", "--name", "lab")
    time.sleep(1)
    more = cli("session", "extend", "--by", "1h", "--json").data()["session"]
    assert more["expires_at"] > session["expires_at"]
    assert "EXPIRES" in cli("session", "list").out
    refused = cli("session", "extend", "--by", "soon", "--json")
    assert (refused.status, problem(refused)["code"]) == (2, "usage")
    assert cli("session", "extend", "--by", "1h", "--until", "2099-01-01").status == 2
    ever = cli("session", "extend", "lab", "--until", "never", "--json").data()["session"]
    assert ever["expires_at"] is None
    assert "EXPIRES" not in cli("session", "list").out
    assert cli("session", "create", "--ttl", "1 hour").status == 2
    assert cli("session", "cleanup").status == 0


@pytest.mark.parametrize("runtime", ["local", "docker"])
def test_a_session_ends_with_its_process_however_that_is_killed(
    request: pytest.FixtureRequest, runtime: str
) -> None:
    cli: Cli = request.getfixturevalue("docked" if runtime == "docker" else "cli")
    script = ("sh", "-c", "echo $SIMBUILDER_SESSION_ID; exec cat")
    argv = ("session", "run", "--ephemeral", *NATS, "--", *script)
    with cli.popen(*argv, stdin=subprocess.PIPE) as program:
        assert program.stdout is not None
        session_id = program.stdout.readline().strip()
        assert listed(cli("session", "list", "--json")) == [session_id]
        program.kill()
    said = cli("session", "list")
    assert f"removed session {session_id[:8]}: it was bound to process {program.pid}" in said.err
    assert cli.servers() == []
    assert not cli.state.exists()
    if runtime == "docker":
        assert left_of(session_id) == []


def test_containers_go_by_their_labels_and_never_under_a_client(docked: Cli) -> None:
    session = created(docked, "--ttl", "1s")
    with bus_client(docked.variables()):
        time.sleep(1)
        assert listed(docked("session", "list", "--json")) == [session["id"]]
        shutil.rmtree(docked.state / "sessions" / session["id"])
        against = "nats has 1 client connection"
        assert kept(docked("session", "gc", "--json")) == {session["id"]: against}
    (gone,) = docked("session", "gc", "--json").data()["sessions"]
    assert (gone["id"], gone["why"], gone["kept"]) == (session["id"], "expired", "")
    assert "its record is lost, and it expired" in gone["cause"]
    assert left_of(session["id"]) == []


def test_gc_takes_what_lost_its_folder_and_asks_about_what_is_merely_old(cli: Cli) -> None:
    other = neighbour(cli, "worktree")
    orphan, old = created(other), created(cli)
    time.sleep(1)  # for the younger one to be older than that, too
    assert cli("session", "gc").out == ""
    shutil.rmtree(other.folder)
    shown = cli("session", "list", "--json").data()["sessions"]
    assert [(one["id"], one["orphaned"]) for one in shown] == [
        (orphan["id"], True),
        (old["id"], False),
    ]
    assert f"{other.folder} (gone)" in cli("session", "list").out
    refused = cli("session", "gc", "--older-than", "1s", "--json")
    assert (refused.status, problem(refused)["code"]) == (2, "usage")
    assert len(listed(cli("session", "list", "--json"))) == 2
    plan = cli("session", "gc", "--dry-run").out
    assert plan == f"remove {orphan['short']}: its folder {other.folder} is gone\n"
    assert cli("session", "gc").out == plan.replace("remove", "removed", 1)
    assert kept(cli("session", "gc", "--older-than", "1s", "--yes", "--json")) == {old["id"]: ""}
    assert not cli.state.exists()


def test_what_happens_is_told_as_it_happens(cli: Cli) -> None:
    with cli.popen("session", "events", "--follow") as follower:
        assert follower.stdout is not None
        told = (json.loads(line) for line in follower.stdout)
        session = created(cli)
        assert [next(told)["event"] for _ in range(2)] == ["created", "ready"]
        time.sleep(1.2)  # it has to have seen the server run
        cli.server("nats").kill()
        degraded = next(told)
        assert degraded["event"] == "degraded"
        assert degraded["cause"] == "nats: it ended with exit status 137"
        assert cli("session", "start").status == 0
        assert next(told)["event"] == "healed"
        assert cli("session", "cleanup").status == 0
        assert next(told) | {"time": "", "state_folder": ""} == {
            "time": "",
            "event": "removed",
            "session": session["id"],
            "name": None,
            "runtime": "local",
            "cause": "asked for",
            "state_folder": "",
        }
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 130
    assert cli("session", "events", "--since", "2099-01-01").out == ""
    assert cli("session", "events", session["short"], "--since", "1h").out.count("\n") == 5
    assert cli("session", "events", "nobody").status == 4
