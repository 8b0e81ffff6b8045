"""How commands end early: Ctrl-C before they have begun, and defects of our own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simbuilder.sessions import store
from tests.acceptance.conftest import Answer, Cli, before_us


@pytest.mark.parametrize("arguments", [["session", "list"], ["--help"]], ids=repr)
def test_ctrl_c_while_the_command_is_loaded(cli: Cli, arguments: list[str]) -> None:
    for moment in range(0, 85, 5):
        running = cli.popen(*arguments)
        time.sleep(moment / 1000)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
        if not before_us(err):
            assert "Traceback" not in err
            assert running.returncode in (0, 130, -signal.SIGINT), err


def test_a_background_job_stays_deaf_to_ctrl_c(cli: Cli) -> None:
    arguments = ("session", "create", "--start-containers", "--services", "nats")
    running = cli.popen(*arguments, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    while running.poll() is None:
        running.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, err = running.communicate()
    assert running.returncode == 0, err


def launch(cli: Cli, change: str, *arguments: str, env: dict[str, str] | None = None) -> Answer:
    """Run a command in which `change` was made to our code."""
    script = cli.home / "launch.py"
    script.write_text(f"{change}\nfrom simbuilder.cli.app import entry\nentry()\n")
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=cli.folder,
        env=cli.env | (env or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


LOST_CTRL_C = """
import signal, time, weakref
from simbuilder.sessions import store

class Module: pass

def interrupted(*_):
    one = Module()
    watch = weakref.ref(one, lambda _: signal.raise_signal(signal.SIGINT))
    del one
    time.sleep(20)

store.SessionStore.load_all = interrupted
"""


def test_ctrl_c_that_meets_a_callback_is_not_lost(cli: Cli) -> None:
    said = launch(cli, LOST_CTRL_C, "session", "list")
    assert (said.status, said.err.splitlines()[0]) == (130, "error: interrupted")
    assert "Traceback" not in said.err


CTRL_C_IN_A_CLASS = """
from simbuilder.sessions import store

class Field:
    def __set_name__(self, owner, name): raise KeyboardInterrupt

def interrupted(*_):
    class Record:
        field = Field()

store.SessionStore.load_all = interrupted
"""


def test_ctrl_c_while_a_class_is_made_is_no_defect(cli: Cli) -> None:
    said = launch(cli, CTRL_C_IN_A_CLASS, "session", "list")
    assert said.status == 130
    assert "internal" not in said.err


DEFECT = """
from simbuilder.sessions import store

def broken(_record):
    password = "-".join(["very", "secret"])
    raise KeyError("one\\ntwo")

store.from_record = broken
"""


def place() -> str:
    """Where the code that runs into DEFECT stands."""
    lines = Path(store.__file__).read_text().splitlines()
    return (
        f"(sessions/store.py line {1 + [' = from_record(' in line for line in lines].index(True)})"
    )


def test_a_defect_of_ours_is_one_sentence_and_where_it_happened(cli: Cli) -> None:
    assert cli("session", "create").status == 0
    said = launch(cli, DEFECT, "session", "list")
    assert (said.status, said.out) == (1, "")
    error, hint = said.err.splitlines()
    assert error == f"error: internal error: KeyError: 'one\\ntwo' {place()}"
    assert hint.startswith("hint: this is a defect of SimBuilder")
    told = launch(cli, DEFECT, "session", "list", "--json")
    assert (told.status, told.err) == (1, "")
    assert told.envelope()["command"] == "session list"
    assert told.envelope()["status"] == "error"
    assert [p["code"] for p in told.envelope()["problems"]] == ["internal"]


def test_a_defect_shows_its_traceback_on_demand_without_local_variables(cli: Cli) -> None:
    assert cli("session", "create").status == 0
    said = launch(cli, DEFECT, "session", "status", "--json", env={"LOG_LEVEL": "debug"})
    assert said.status == 1
    assert said.envelope()["problems"][0]["message"].endswith(place())
    assert said.err.startswith("Traceback (most recent call last):")
    assert 'raise KeyError("one' in said.err
    assert "very-secret" not in said.err


def test_a_long_complaint_is_shortened(cli: Cli) -> None:
    change = DEFECT.replace('"one\\ntwo"', '"x" * 5000')
    assert cli("session", "create").status == 0
    assert len(launch(cli, change, "session", "list").err) < 500


def test_defects_are_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
    assert "| `internal` |" in page.read_text()


def test_a_command_that_was_told_to_end_does_not_hang(cli: Cli) -> None:
    script = cli.home / "stuck.py"
    script.write_text(
        "import time\n"
        "from simbuilder.cli import app\n"
        "from simbuilder.sessions.manager import SessionManager\n"
        "app.LAST_WORDS_S = 0.5\n"
        "def stuck(self):\n"
        "    while True:\n"
        "        try:\n"
        "            print('stuck', flush=True)\n"
        "            time.sleep(60)\n"
        "        except SystemExit:\n"
        "            pass\n"
        "SessionManager.list_sessions = stuck\n"
        "app.entry()\n"
    )
    argv = [sys.executable, str(script), "session", "list"]
    with subprocess.Popen(argv, cwd=cli.folder, env=cli.env, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"stuck\n"
        running.terminate()
        assert running.wait(5) == 128 + signal.SIGTERM
