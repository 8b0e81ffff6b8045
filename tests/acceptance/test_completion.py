"""What Tab offers, asked as bash asks: with the script that the command itself prints."""

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, Cli

ASK = """\
eval "$(simbuilder --show-completion)"
COMP_WORDS=(simbuilder "$@")
COMP_CWORD=$#
_simbuilder_completion simbuilder
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(cli: Cli, *words: str, **settings: str) -> list[str]:
    """What bash offers for the last word; nothing may be written over the user's line."""
    path = f"{Path(COMMAND).parent}:{cli.env['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", *words],
        cwd=cli.folder,
        env=cli.env | {"PATH": path} | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (["session", "sta"], ["start", "status"]),
        (["session", "create", "--runtime", ""], ["auto", "local", "docker"]),
        (["session", "create", "--runtime", "d"], ["docker"]),
        (["session", "create", "--services", "n"], ["neo4j", "nats"]),
        (["session", "create", "--services", "neo4j,"], ["neo4j,nats", "neo4j,azurite"]),
        (["session", "create", "--timeout", "never", "--na"], ["--name"]),
        (["session", "start", "--js"], ["--json"]),
        (["session", "start", ""], []),
        (["graph", "h"], ["history"]),
        (["graph", "diff", "pl"], ["planned"]),
        (["graph", "view", "--kind", "EntraU"], ["EntraUser"]),
        (["graph", "path", "a", "b", "--family", "att"], ["attack"]),
        (["graph", "export", "--format", "g"], ["graphml"]),
        (["bus", "dlq", "re"], ["retry"]),
        (["bus", "tail", "--stream", "SIM_E"], ["SIM_ERRORS"]),
        (["bus", "publish", "sim.errors"], ["sim.errors.v1.component.failed"]),
    ],
    ids=" ".join,
)
def test_words_of_the_command_line(cli: Cli, words: list[str], offers: list[str]) -> None:
    assert offered(cli, *words) == offers


def test_sessions_are_offered_by_name_or_id(cli: Cli) -> None:
    demo = cli("session", "create", "--name", "demo", "--json").data()["session"]["short"]
    other = cli("session", "create", "--json").data()["session"]["short"]
    for command in (["session", "start"], ["session", "verify", "demo"], ["check"]):
        assert offered(cli, *command, "") == ["demo", other]
    assert offered(cli, "session", "stop", "de") in (["demo"], ["demo", demo])
    assert offered(cli, "session", "stop", demo[:5]) == [demo]
    assert offered(cli, "session", "stop", "nobody") == []


@pytest.mark.parametrize(
    "settings", [{"SIMBUILDER_PORT_RANGE_START": "x"}, {"SIMBUILDER_STATE_DIR": "/dev/null"}]
)
def test_nothing_is_offered_where_nothing_can_be_read(cli: Cli, settings: dict[str, str]) -> None:
    assert offered(cli, "session", "start", "", **settings) == []
    record = cli("session", "create", "--json").data()["session"]["id"]
    (cli.state / "sessions" / record / "session.json").write_text("{")
    assert offered(cli, "session", "start", "") == []
