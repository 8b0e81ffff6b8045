"""The tours, run as they are written; and every command line in the documents exists."""

import os
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, Cli

DOCS = Path(__file__).parents[2] / "docs"
TOUR = (DOCS / "tour.md").read_text()


def blocks(text: str) -> list[str]:
    return re.findall(r"```console\n(.*?)```", text, re.DOTALL)


def taken(cli: Cli, tour: str) -> str:
    """What a tour says, typed as it stands; it leaves nothing."""
    _setting_up, *steps = blocks(tour)
    script = "\n".join(["set -eu", *steps])
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=cli.folder,
        env=cli.env | {"PATH": f"{Path(COMMAND).parent}{os.pathsep}{cli.env['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert cli.servers() == []
    assert not cli.state.exists()
    assert sorted(path.name for path in cli.folder.iterdir()) == [".git"]
    return done.stdout


def test_the_tour(cli: Cli) -> None:
    said = taken(cli, TOUR)
    assert "the graph is at bolt://127.0.0.1:" in said
    assert re.search(r"neo4j at bolt://127.0.0.1:\d+", said)
    assert re.search(r'user +group\n"alice" +"Admins"', said)
    assert said.count('user\n"alice"\n') == 2, "gone back to, and imported"
    assert "users\n1\n" in said, "what the fork was told is not in the source"
    assert re.search(r"on port \d+, for now", said)
    assert '"event": "forked"' in said
    assert "BREACH" not in said


def test_the_tour_of_graphs(cli: Cli) -> None:
    said = taken(cli, (DOCS / "graph-tour.md").read_text())
    way = "-CAN_ADD_SECRET-> reporting-dev-0004 -RUNS-> reporting-dev-0004 -CAN-> Northwind Traders"
    found, planned = said.split("planned -> observed: 2 added, 0 removed, 0 changed")
    assert way in found
    assert "reporting-dev-0004" not in planned
    assert "-MEMBER_OF-> Azure payroll 1 Contributors -HAS_RBAC->" in planned
    assert re.search(r'"Global Administrator" +"Tier 0 Administrators"', said)
    assert re.search(r"observed +524 +1,532\n", planned)


def test_the_tour_of_the_bus(cli: Cli) -> None:
    said = taken(cli, (DOCS / "bus-tour.md").read_text())
    first, failed, again, replayed = re.split(
        r"^dead letter 1$|^sent 1 message again$|^sent 2 events of SIM_WORKFLOW to planner again$",
        said,
        flags=re.MULTILINE,
    )
    assert "planning run-1: golden-saml\n" in first
    assert '"causationid"' in first
    assert re.search(r"^ +1 .* planner +rejected +1 ", first, re.MULTILINE)
    assert "no plan is called kerberoast" in failed
    assert "planning run-2: kerberoast\n" in again
    assert "planning run-1" not in again, "it was done, and is not done again"
    assert "planning run-1: golden-saml\n" in replayed
    assert "planning run-2: kerberoast\n" in replayed


def test_the_tour_names_the_pictures_there_are() -> None:
    for name in re.findall(r"\]\((pictures/[a-z]+\.svg)\)", TOUR):
        assert (DOCS / name).is_file()


LINES = sorted(
    {
        line.strip()
        for path in (*DOCS.glob("*.md"), DOCS.parent / "README.md")
        if path.name != "cli.md"  # generated from the commands
        for line in path.read_text().splitlines()
        if line.strip().startswith("simbuilder ")
    }
)


@cache
def help_of(command: tuple[str, ...]) -> str:
    argv = [COMMAND, *command, "--help"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("line", LINES)
def test_command_lines_in_the_documents_exist(line: str) -> None:
    words = shlex.split(line.partition(" -- ")[0], comments=True)[1:]
    subgroup = words[1:2] in (["snapshot"], ["dlq"])
    depth = 3 if subgroup else 2 if words[0] in ("session", "graph", "bus") else 1
    shown = help_of(tuple(words[:depth]))
    for option in words[depth:]:
        if option.startswith("-"):
            assert re.search(rf"(^|[ ,]){re.escape(option)}\b", shown, re.MULTILINE), option
