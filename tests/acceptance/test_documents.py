"""The documents say what is true: their examples are run, their tables are compared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simbuilder.graph import errors
from simbuilder.graph.model import SCHEMA
from simbuilder.scaffolding.exceptions import SimBuilderError
from tests.acceptance.conftest import COMMAND, Cli
from tests.chaos.tally import WRONGS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SESSIONS = (ROOT / "docs" / "sessions.md").read_text()
GRAPH = (ROOT / "docs" / "graph.md").read_text()
BUS = (ROOT / "docs" / "bus.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_readme_examples_run_as_they_stand(cli: Cli) -> None:
    use, tenant, bus, day = blocks(README, "console")[1:]
    (program,) = blocks(README, "python")
    script = cli.folder / "example.py"
    script.write_text(program)
    lines = [line for line in use.splitlines() if "activate" not in line]
    shell = "\n".join(["set -eu", *lines, f"{sys.executable} example.py", tenant, bus, day])
    assert cli("session", "create", "--start-containers").status == 0
    path = f"{Path(COMMAND).parent}{os.pathsep}{cli.env['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", shell],
        cwd=cli.folder,
        env=cli.env | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "['alice']" in done.stdout
    assert (cli.folder / "tenant.html").exists()
    assert (cli.folder / "tenant.jsonl").exists()
    assert "golden-saml" in done.stdout
    assert "removed" in done.stdout
    assert cli.servers() == []
    assert not cli.state.exists()


def test_the_first_page_names_the_two_commands_that_ci_runs() -> None:
    assert "python3 tasks.py start " in blocks(README, "console")[0]
    assert "python3 tasks.py test " in blocks(README, "console")[0]
    assert "python3 tasks.py test --require" in (ROOT / ".ci" / "run").read_text()


DOCUMENTED = re.findall(r"^\| `simbuilder ([a-z ]+)` \|", SESSIONS + GRAPH + BUS, re.MULTILINE)
GROUPS = {"session", "graph", "bus"}


@pytest.mark.parametrize("command", DOCUMENTED)
def test_every_documented_command_exists(cli: Cli, command: str) -> None:
    assert cli(*command.split(), "--help").status == 0


def test_every_command_is_documented(cli: Cli) -> None:
    for group in ("", *GROUPS):
        shown = cli(*group.split(), "--help").out.split("Commands:")[1]
        names = set(re.findall(r"^  ([a-z]+)", shown, re.MULTILINE)) - GROUPS
        assert {f"{group} {name}".strip() for name in names} <= set(DOCUMENTED)


def test_every_option_named_in_the_documents_exists() -> None:
    known = (ROOT / "docs" / "cli.md").read_text()  # held to the commands by a test of its own
    for option in set(re.findall(r"`(--[a-z-]+)", SESSIONS + GRAPH + BUS + README)):
        assert option in known, option


def test_tasks_are_listed_one_line_each() -> None:
    argv = [sys.executable, "tasks.py", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in [
        "bootstrap",
        "start",
        "images",
        "test",
        "coverage",
        "chaos",
        "lint",
        "typecheck",
        "format",
        "bench",
        "clean",
    ]:
        assert len(re.findall(rf"^  {name} +\S", done.stdout, re.MULTILINE)) == 1
    unknown = subprocess.run([*argv[:2], "explode"], cwd=ROOT, capture_output=True, text=True)
    assert unknown.returncode == 2


def test_nothing_in_the_lock_files_names_an_address() -> None:
    assert "://" not in (ROOT / "requirements.txt").read_text()
    lock = ROOT / "src" / "simbuilder" / "runtimes" / "local" / "azurite_package"
    assert '"resolved"' not in (lock / "package-lock.json").read_text()


def every_code(kind: type[SimBuilderError]) -> set[str]:
    return {kind.code}.union(*(every_code(child) for child in kind.__subclasses__()))


def test_every_error_has_an_entry_under_troubleshooting() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    assert errors.GraphError.code in every_code(SimBuilderError)
    for code in every_code(SimBuilderError) - {SimBuilderError.code}:
        assert f"| `{code}` |" in page, code


def texts_of(file: str) -> list[str]:
    """The tests of that name, of which each folder has one at most."""
    return [path.read_text() for path in (ROOT / "tests").glob(f"*/{file}")]


def test_every_guarantee_of_the_bus_is_shown_by_tests_that_are_there() -> None:
    rows = re.findall(r"^\| \*\*[^|]+\|([^|]+)\|$", BUS, re.MULTILINE)
    assert len(rows) >= 8
    for row in rows:
        shown = re.findall(r"`(test_bus_\w+\.py)`: `(test_\w+)`", row)
        assert shown, row
        for file, name in shown:
            assert any(f"def {name}(" in text for text in texts_of(file)), name


def test_names_of_bloodhound_are_translated_as_the_model_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", GRAPH, re.MULTILINE)
    theirs = {name: kind.name for kind in SCHEMA.kinds for name in kind.bloodhound}
    told = [(name, ours) for name, ours in rows if name.startswith("AZ")]
    assert len(told) >= 20
    assert [pair for pair in told if theirs.get(pair[0]) != pair[1]] == []


def test_the_status_names_only_tests_that_are_there() -> None:
    there = [path.as_posix() for path in Path(__file__).parents[1].rglob("*.py")]
    named = re.findall(r"`([\w/]+\.py)`", (ROOT / "STATUS.md").read_text())
    assert len(named) >= 30
    assert not [name for name in named if not any(p.endswith(f"/{name}") for p in there)]


def test_the_status_shows_what_chaos_did_and_that_nothing_came_of_it() -> None:
    evidence = (ROOT / "STATUS.md").read_text().split("<!-- chaos: ")[1].split("<!-- /chaos")[0]
    assert "every test passed" in evidence
    assert "-dirty" not in evidence
    rows = [line.strip("| ").split(" | ") for line in evidence.splitlines() if line[:2] == "| "]
    heads, total = rows[0], [cell.strip() for cell in rows[-1]]
    assert heads[3:] == list(WRONGS)
    assert int(total[2]) >= 2000
    assert total[3:] == ["0"] * len(WRONGS)
    assert {row[0].strip() for row in rows[1:-1]} == {"memory", "local", "docker"}
