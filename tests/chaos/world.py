"""A user with two sessions: one that things happen to, and one that is nobody's business.

Judged by what the machine says (processes, containers, files), never by what a command says.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simbuilder.scaffolding import process
from tests.acceptance import clients
from tests.acceptance.conftest import Answer, Cli
from tests.acceptance.docker import left_of, neighbour
from tests.chaos.conftest import Judge

NATS = ("--services", "nats")
ROOT = Path(__file__).parents[2]


class World:
    """Runs commands on a victim, and knows what must not change meanwhile."""

    def __init__(self, cli: Cli, runtime: str, scenario: str) -> None:
        self.cli = cli
        self.runtime = runtime
        self.judge = Judge(runtime, scenario)
        self.other = neighbour(cli, "elsewhere")
        made = self.other("session", "create", "--start-containers", *NATS, "--json")
        assert made.status == 0, made.out
        self.bystander = made.data()["session"]["id"]
        self.other_env = self.other.variables()
        clients.bus_write(self.other_env, "acknowledged")
        self.precious = cli.folder / "precious"
        self.precious.write_text("mine")
        self.before = self._others()

    # --- doing things ----------------------------------------------------------------------

    def run(self, *args: str, env: dict[str, str] | None = None) -> Answer:
        """Run a command to its end, which must not be a traceback."""
        try:
            return self.cli(*args, env=env)
        except AssertionError as error:
            self.judge.expect("tracebacks", False, error)
            raise

    def dies(self, at: int, *args: str) -> bool:
        """Run a command that is killed at its `at`-th effect; False if it lived on to its end."""
        report = self.cli.home / "effects"
        report.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.launcher", str(at), str(report), *args],
            cwd=self.cli.folder,
            env=self.cli.env | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        self.judge.expect("tracebacks", "Traceback" not in done.stderr, done.stderr)
        return not report.exists()

    def effects(self, *args: str) -> int:
        """Return how many effects a command has that is left alone."""
        assert not self.dies(0, *args)
        return int((self.cli.home / "effects").read_text())

    def create(self, *options: str) -> str:
        """Make the victim and write something to it, if it runs."""
        made = self.run("session", "create", *NATS, *options, "--json")
        assert made.status == 0, made.out
        if options:
            clients.bus_write(self.cli.variables(), "acknowledged")
        return str(made.data()["session"]["id"])

    def victim_starts(self) -> bool:
        """True once something of another session than the bystander is started."""
        marks = [i.mark for i in process.marked() if f":{self.cli.state}/" in i.mark]
        return any(not mark.startswith(self.bystander) for mark in marks)

    # --- judging ---------------------------------------------------------------------------

    def sessions(self, whole: bool = True) -> list[dict[str, Any]]:
        """Return the victims, having checked that list and status tell the truth about all.

        Where servers may still be starting, `whole` is false: they do not serve yet.
        """
        if not whole:
            self.settle()
        listed = self.run("session", "list", "--json")
        self.judge.expect("lies", listed.status == 0, listed.out)
        found = listed.data()["sessions"]
        for session in found:
            running = len(self._runs(session["id"]))
            seen = {0: "stopped", len(session["services"]): "running"}.get(running, "degraded")
            said = {session["state"], self._status(session["id"])}
            fine = said <= {seen, "degraded"} if running and not whole else said == {seen}
            self.judge.expect("lies", fine or said == {"removing"}, (said, seen))
        ports = [e["port"] for s in found for v in s["services"].values() for e in endpoints_of(v)]
        self.judge.expect("collisions", len(ports) == len(set(ports)), ports)
        self.judge.expect("lies", set(self.ledger()) == {s["id"] for s in found}, self.ledger())
        return [session for session in found if session["id"] != self.bystander]

    def ledger(self) -> dict[str, Any]:
        path = self.cli.state / "ports.json"
        return dict(json.loads(path.read_text())["sessions"]) if path.exists() else {}

    def cleaned(self, whole: bool = True) -> None:
        """Clean up, twice, and check that nothing is left of the victims, and all of the rest."""
        for session in self.sessions(whole):
            done = self.run("session", "cleanup", session["id"], "--json")
            self.judge.expect("leaks", done.status == 0, done.out)
            again = self.run("session", "cleanup", session["id"], "--json")
            self.judge.expect("lies", again.status == 4, again.out)
            if self.runtime == "docker":
                self.judge.expect("leaks", not left_of(session["id"]), left_of(session["id"]))
        self.untouched()
        marks = [i.mark for i in process.marked() if f":{self.cli.state}/" in i.mark]
        strays = [mark for mark in marks if not mark.startswith(self.bystander)]
        self.judge.expect("leaks", not strays, strays)
        files = [str(path) for path in self._files() if self.bystander not in str(path)]
        expected = [str(self.cli.state / "ports.json")]
        self.judge.expect("leaks", files == expected, files)
        here = sorted(path.name for path in self.cli.folder.iterdir())
        self.judge.expect("leaks", here == [".git", "precious"], here)

    def untouched(self) -> None:
        """Check that the bystander, and what is the user's, is as it was."""
        now = self._others()
        self.judge.expect("foreign", now == self.before, (now, self.before))
        self.judge.expect("foreign", self.precious.read_text() == "mine", "a file of the user's")

    def kept(self) -> None:
        """Check that the bystander still has what it acknowledged."""
        found = clients.bus_read(self.other_env, f"reader{os.urandom(4).hex()}")
        self.judge.expect("lost writes", found == {"acknowledged"}, found)

    def verified(self) -> None:
        """Prove the victim isolated, and check that no canary is left, of whomever."""
        said = self.run("session", "verify", "--json")
        self.judge.expect("lies", said.status == 0, said.out)
        env = self.cli.variables()
        left = clients.bus_streams(env), clients.blob_containers(env)
        self.judge.expect("leaks", left == ([], []), left)

    def victim_kept(self) -> None:
        """Start the victim and check that it still has what it acknowledged."""
        done = self.run("session", "start", "--json")
        self.judge.expect("lies", done.status == 0, done.out)
        found = clients.bus_read(self.cli.variables(), f"reader{os.urandom(4).hex()}")
        self.judge.expect("lost writes", found == {"acknowledged"}, found)

    def settle(self) -> None:
        """Wait until nothing comes or goes any more of what a killed command had begun."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < 1:
            now = [i.pid for i in self._marked()], self._runs()
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.1)

    def _status(self, session_id: str) -> str:
        asked = self.run("session", "status", session_id, "--json")
        self.judge.expect("lies", asked.status in (0, 3), asked.out)
        return str(asked.data()["session"]["state"])

    def _others(self) -> dict[str, Any]:
        own = self.cli.state / "sessions" / self.bystander
        files = {path.name: path.read_bytes() for path in own.iterdir()}
        files["env"] = (self.other.folder / ".env.session").read_bytes()
        return files | {"runs": self._runs(self.bystander)}

    def _runs(self, session_id: str = "") -> list[str]:
        """Return the servers of a session, or of all of them, that run as the machine knows it."""
        if self.runtime == "docker":
            mine = f"session={session_id}" if session_id else f"owner={self.cli.owner}"
            argv = ["docker", "ps", "-q", "--filter", f"label=io.simbuilder.{mine}"]
            return subprocess.run(argv, capture_output=True, text=True).stdout.split()
        found = [i for i in self._marked() if i.mark.startswith(session_id)]
        return [f"{i.pid} {i.mark}" for i in found if i.pid != i.group]

    def _marked(self) -> list[process.Marked]:
        """Return the processes of this state folder: other tests run at the same time."""
        return [i for i in process.marked() if f":{self.cli.state}/" in i.mark]

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.cli.state.rglob("*")):
            if path.is_file() or path.is_symlink():
                yield path


def endpoints_of(service: dict[str, Any]) -> list[dict[str, Any]]:
    return list(service["endpoints"].values())
