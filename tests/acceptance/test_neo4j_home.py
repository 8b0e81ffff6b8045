"""A local session on a real Neo4j server: the one that the test image is made from."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from simbuilder.scaffolding import dotenv
from tests.acceptance import clients
from tests.acceptance.conftest import Cli
from tests.images import build
from tests.support import lacks

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Path:
    found = build.neo4j_home()
    if not (found.is_dir() and shutil.which("java")):
        reason = "no unpacked Neo4j server, or no Java: run python3 tasks.py images"
        lacks(request, "docker", reason)
    return found


def test_a_session_on_the_users_own_neo4j(cli: Cli, home: Path) -> None:
    own = {"NEO4J_HOME": str(home)}
    made = cli("session", "create", "--start-containers", "--services", "neo4j", "--json", env=own)
    assert made.status == 0, made.out
    session = made.data()["session"]
    assert (session["runtime"], session["engine"]) == ("local", str(home))
    graph = session["services"]["neo4j"]
    assert graph["product"] == "Neo4j"
    assert graph["version"].startswith("5.26.")
    env = cli.variables()
    clients.graph_write(env, "kept")
    assert clients.graph_address(env) == f"127.0.0.1:{env['NEO4J_PORT']}"
    assert clients.graph_refuses(env)
    listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True).stdout
    assert "CommunityEntryPoint" in listed
    assert env["NEO4J_PASSWORD"] not in listed

    # a fork has the data, and not the user: its password is its own
    forked = cli("session", "fork", "--json").data()["session"]
    other = dotenv.parse(Path(forked["env_file"]).read_text())[0]
    assert clients.graph_read(other) == {"kept"}
    assert clients.graph_refuses(other, env["NEO4J_PASSWORD"])
    assert cli("session", "cleanup", forked["id"]).status == 0

    # the session remembers its server: without the variable it does not turn into another product
    began = time.monotonic()
    assert cli("session", "stop").status == 0
    assert time.monotonic() - began < 5  # Neo4j left to its defaults waits longer for new clients
    assert cli("session", "start").status == 0
    assert clients.graph_read(env) == {"kept"}
    again = cli("session", "status", "--json").data()["session"]["services"]["neo4j"]
    assert again["product"] == "Neo4j"
    assert cli("session", "cleanup").status == 0
    assert cli.servers() == []
    assert not cli.state.exists()


def test_a_folder_that_is_no_server_is_named(cli: Cli, tmp_path: Path) -> None:
    said = cli(
        "session", "create", "--start-containers", "--json", env={"NEO4J_HOME": str(tmp_path)}
    )
    (problem,) = said.envelope()["problems"]
    assert (said.status, problem["code"]) == (1, "runtime-unavailable")
    assert f"NEO4J_HOME={tmp_path}" in problem["message"]
    assert not cli.state.exists()
