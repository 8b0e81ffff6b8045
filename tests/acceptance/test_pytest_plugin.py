"""Projects of others that use the pytest plugin, run by the pytest they have installed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Cli
from tests.acceptance.docker import docker_that

DOCUMENT = Path(__file__).parents[2] / "docs" / "pytest.md"
# two plugins of ours that take longer to import than a session to start
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")

CONFTEST = """
import asyncio
import os
import pytest

def note(*words):
    with open(f"seen-{os.getpid()}", "a") as file:
        print(*words, file=file)

def publish(session):
    async def go():
        async with session.nats() as connection:
            stream = connection.jetstream()
            await stream.add_stream(name="news", subjects=["news"])
            return (await stream.publish("news", b"hello")).seq

    return asyncio.run(go())

@pytest.fixture(scope="session")
def simbuilder_template(simbuilder_template):
    assert publish(simbuilder_template) == 1
    note("template", simbuilder_template.id)
    return simbuilder_template
"""


def project(cli: Cli, **files: str) -> None:
    """Write a project whose sessions have NATS alone, which starts in a moment."""
    (cli.folder / "pytest.ini").write_text("[pytest]\nsimbuilder_services = nats\n")
    (cli.folder / "conftest.py").write_text(CONFTEST)
    for name, text in files.items():
        (cli.folder / f"{name}.py").write_text(text)


def environment(cli: Cli) -> dict[str, str]:
    """What a project has that is not itself run by pytest."""
    return {name: text for name, text in cli.env.items() if not name.startswith("PYTEST_")}


@contextmanager
def started(cli: Cli, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Give a run of pytest, in a process group of its own, that is over after the block."""
    running = subprocess.Popen(
        [*PYTEST, "-W", "error", *arguments],
        cwd=cli.folder,
        env=environment(cli),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def run(cli: Cli, *arguments: str) -> tuple[int, str]:
    with started(cli, *arguments) as running:
        out, _ = running.communicate(timeout=100)
        return running.returncode, out


def seen(cli: Cli, what: str = "") -> list[str]:
    """What the project's tests have noted, a line each, of lines that begin so."""
    lines = [line for path in cli.folder.glob("seen-*") for line in path.read_text().splitlines()]
    return [line for line in lines if line.startswith(what)]


def nothing_is_left(cli: Cli) -> bool:
    return not cli.servers() and not cli.state.exists()


def test_each_worker_has_a_session_and_each_test_a_fresh_one_if_it_wants(cli: Cli) -> None:
    shared = """
import asyncio
import pytest
from conftest import note

@pytest.mark.parametrize("number", range(6))
def test_shared(simbuilder_session, simbuilder_nats, number):
    async def ask():
        async with simbuilder_nats() as connection:
            return await connection.jetstream().streams_info()

    assert asyncio.run(ask()) == []
    note("shared", simbuilder_session.id)
    assert number != 3
"""
    fresh = """
import pytest
from conftest import note, publish

@pytest.mark.parametrize("number", range(3))
def test_fresh(simbuilder_fresh, number):
    assert publish(simbuilder_fresh) == 2
    note("fresh", simbuilder_fresh.id)
"""
    more = """
import pytest
from conftest import note, publish

@pytest.fixture(scope="module")
def simbuilder_template(simbuilder_template):
    with simbuilder_template.fork() as more:
        assert publish(more) == 2
        yield more

def test_fresh(simbuilder_fresh):
    assert publish(simbuilder_fresh) == 3
    note("fresh", simbuilder_fresh.id)
"""
    forgotten = """
import pytest

@pytest.fixture
def simbuilder_template(simbuilder_template):
    pass

def test_fresh(simbuilder_fresh):
    pass
"""
    project(cli, test_shared=shared, test_fresh=fresh, test_more=more, test_forgotten=forgotten)
    status, out = run(cli, "-n", "2", "--simbuilder-runtime", "local")
    assert status == 1
    assert "simbuilder: nats; local runtime" in out
    assert "1 failed, 9 passed, 1 error" in out
    assert "simbuilder_template has to return a session" in out
    assert 1 <= len(set(seen(cli, "shared"))) <= 2
    assert 1 <= len(seen(cli, "template")) <= 2
    assert len(set(seen(cli, "fresh"))) == 4
    assert not (cli.folder / ".env.session").exists()
    assert nothing_is_left(cli)


def test_reused_sessions_stay_for_the_next_run(cli: Cli) -> None:
    again = """
import sys
from conftest import note, publish

needless = {"neo4j", "nats", "azure", "psutil", "pydantic", "simbuilder.api"} & set(sys.modules)

def test_nothing_was_loaded_while_nobody_had_asked_for_a_session():
    assert not needless

def test_it(simbuilder_session):
    note(publish(simbuilder_session), simbuilder_session.name, simbuilder_session.id)
"""
    project(cli, test_one=again, test_two=again)
    for _ in range(2):
        status, out = run(cli, "-n", "2", "--dist", "loadfile", "--simbuilder-reuse")
        assert status == 0, out
    found = re.search(r"reusing (pytest-[0-9a-f]{8})-\*", out)
    assert found is not None
    names = {f"{found[1]}-gw0", f"{found[1]}-gw1"}
    numbered = [line.split(" ") for line in seen(cli)]
    assert sorted((number, name) for number, name, _ in numbered) == sorted(
        (number, name) for number in "12" for name in names
    )
    assert len({session_id for _, _, session_id in numbered}) == 2
    listed: Any = cli("session", "list", "--json").data()["sessions"]
    assert {(one["name"], one["state"]) for one in listed} == {(name, "running") for name in names}
    assert cli("session", "cleanup", "--all", "--yes").status == 0
    assert nothing_is_left(cli)


def test_what_cannot_be_had_is_an_error_and_never_a_skip(cli: Cli) -> None:
    project(cli, test_it="def test_it(simbuilder_session): pass")
    cli.env["DOCKER_HOST"] = "unix:///nowhere.sock"
    status, out = run(cli, "--simbuilder-runtime", "docker")
    assert status == 1
    assert "1 error" in out
    assert re.search(r"^(no Docker engine answers|the docker command).*\nhint: ", out, re.MULTILINE)
    assert "composition.py" not in out
    assert "unrecognized arguments: --simbuilder-runtime" in run(
        cli, "-p", "no:simbuilder", "--simbuilder-runtime", "docker"
    )[1]  # fmt: skip


def test_whatever_ends_it_nothing_is_left_at_the_latest_after_the_next_command(cli: Cli) -> None:
    waiting = """
import time
import pytest
from conftest import note

@pytest.mark.parametrize("number", range(2))
def test_it(simbuilder_session, number):
    note(simbuilder_session.short)
    time.sleep(60)
"""
    project(cli, test_it=waiting)
    for name in [name for name in cli.env if name.startswith("COVERAGE_")]:
        del cli.env[
            name
        ]  # it has an answer of its own to SIGTERM, which is then the one that counts
    with started(cli) as interrupted, started(cli) as terminated, started(cli, "-n", "2"):
        deadline = time.monotonic() + 60
        while len(seen(cli)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        listed = cli("session", "list", "--json").data()["sessions"]
        assert {(s["short"], s["state"]) for s in listed} == {(s, "running") for s in seen(cli)}
        interrupted.send_signal(signal.SIGINT)
        terminated.send_signal(signal.SIGTERM)
        assert "KeyboardInterrupt" in interrupted.communicate(timeout=30)[0]
        assert "signal 15" in terminated.communicate(timeout=30)[0]
        assert (interrupted.returncode, terminated.returncode) == (2, 2)
        assert len({process.environ()["SIMBUILDER_SERVER"] for process in cli.servers()}) == 2
    # the third was killed
    assert len({process.environ()["SIMBUILDER_SERVER"] for process in cli.servers()}) == 2
    assert cli("session", "list", "--json").data()["sessions"] == []
    assert nothing_is_left(cli)


def test_the_examples_of_the_page_work(cli: Cli) -> None:
    page = DOCUMENT.read_text()
    examples = re.findall(r"```(?:python|ini)\n# (\S+)\n(.*?)```", page, re.DOTALL)
    names = [name for name, _ in examples]
    assert names == ["pytest.ini", "test_people.py", "conftest.py", "test_fresh.py", "report.py"]
    for name, text in examples:
        (cli.folder / name).write_text(text)
    status, out = run(cli)
    assert status == 0, out
    assert script(cli, "report.py") == "1 person\n"
    assert nothing_is_left(cli)


def script(cli: Cli, name: str) -> str:
    """Run a program of the project and return what it says."""
    done = subprocess.run(
        [sys.executable, "-W", "error", name],
        cwd=cli.folder,
        env=environment(cli),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_sessions_of_programs_run_on_docker_or_where_it_lacks_images_as_processes(
    docked: Cli, tmp_path: Path
) -> None:
    program = """
import simbuilder

with simbuilder.session(services="nats") as s:
    print(s.runtime)
"""
    (docked.folder / "program.py").write_text(program)
    assert script(docked, "program.py") == "docker\n"
    for name in ("NEO4J_IMAGE", "NATS_IMAGE", "AZURITE_IMAGE"):
        del docked.env[name]
    docked.env["SIMBUILDER_RUNTIME"] = "auto"
    refusal = 'echo "Error response from daemon: dial tcp: no such host" >&2; exit 1'
    docker_that(tmp_path, docked, f'[ "$1 $2" = "image pull" ] && {{ {refusal}; }}')
    assert script(docked, "program.py") == "local\n"
    assert nothing_is_left(docked)
