"""Every kind of result is what its schema says: `cli(...).envelope()` validates it."""

import os
import shutil
import signal
from typing import Any

from tests.acceptance.conftest import Cli
from tests.schemas import checked_lines


def test_plans_partial_results_and_errors_fit_their_schemas(cli: Cli) -> None:
    def told(*arguments: str, status: int = 0) -> Any:
        answer = cli(*arguments, "--json")
        assert answer.status == status
        envelope = answer.envelope()
        assert envelope["command"] == " ".join(arguments[: len(envelope["command"].split())])
        return envelope

    create = ("session", "create", "--services", "nats")
    assert told(*create, "--start-containers", "--dry-run")["data"]["plan"]
    made = told(*create, "--start-containers", "--name", "demo")["data"]["session"]
    for command in ("stop", "start", "cleanup"):
        assert "plan" in told("session", command, "--dry-run")["data"]
    assert told("session", "verify")["data"]["sessions"][0]["proofs"]
    os.kill(cli.server("nats").pid, signal.SIGKILL)
    assert told("session", "status", status=3)["data"]["session"]["services"]["nats"]["log_tail"]
    assert told("check", status=3)["data"]["checks"]
    assert told("session", "start")["data"]["session"]["state"] == "running"
    assert told("check", "--doctor", status=cli("check", "--doctor").status)["data"]["checks"]
    for arguments in (["session", "status", "nobody"], ["session", "verify", "nobody"]):
        failed = told(*arguments, status=4)
        assert (failed["status"], failed["data"]) == ("error", {})
    assert checked_lines("session logs", cli("session", "logs", "--json").out)
    assert checked_lines("session events", cli("session", "events").out)
    told("session", "stop", "--timeout", "soon", status=2)
    told("session", "logs", "--tail", "many", status=2)
    told("info", "more", status=2)
    shutil.rmtree(cli.state / "sessions" / made["id"])
    assert told("session", "cleanup", "--orphans")["data"]["orphans"] == [made["id"]]
    assert told("session", "cleanup", "--all", "--yes")["data"]["removed"] == [made["id"]]
    (cli.state / "sessions" / made["id"]).mkdir(parents=True)
    (cli.state / "sessions" / made["id"] / "session.json").write_text("{}")
    broken = told("session", "list", status=3)
    assert (broken["status"], broken["data"]) == ("partial", {"sessions": []})
