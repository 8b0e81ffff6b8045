"""One real session whose bus the tests of a module share."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from simbuilder.bus.address import Address
from simbuilder.bus.declarations import DECLARED, Queue
from simbuilder.bus.jobs import Job, Reject
from simbuilder.bus.protocol import Bus
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker
from tests.acceptance.conftest import Answer, Cli
from tests.schemas import checked_lines
from tests.support import PORT_RANGE

T = TypeVar("T")
RUN = '{"run": "run-1", "plan": "golden-saml"}'
REQUESTED = "sim.workflow.v1.run.requested"
SOON_S = 20.0


class Lab(Cli):
    """Runs commands in the folder of the session, and keeps all that they said."""

    said = ""
    """The password must not be anywhere in it."""

    def __call__(self, *args: str, env: dict[str, str] | None = None) -> Answer:
        answer = super().__call__(*args, env=env)
        self.said += answer.out + answer.err
        return answer

    def told(self, *args: str, status: int = 0) -> Any:
        """The envelope of `bus ... --json`, held against its schema."""
        answer = self("bus", *args, "--json")
        assert answer.status == status, answer.err + answer.out
        return answer.envelope()

    def data(self, *args: str, status: int = 0) -> Any:
        return self.told(*args, status=status)["data"]

    def refused(self, *args: str, status: int = 2) -> dict[str, str]:
        envelope = self.told(*args, status=status)
        assert envelope["data"] == {}
        (problem,) = envelope["problems"]
        return dict(problem)

    def lines(self, *args: str) -> list[Any]:
        """The lines of `bus tail` or `bus replay`, each held against its schema."""
        answer = self("bus", *args, "--json")
        assert (answer.status, answer.err) == (0, ""), answer.err
        return checked_lines(" ".join(["bus", args[0]]), answer.out)

    def address(self) -> Address:
        known = self.variables()
        url = f"nats://127.0.0.1:{known['NATS_PORT']}"
        return Address((url,), known["NATS_USER"], known["NATS_PASSWORD"])

    def do(self, work: Callable[[Bus], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with asyncio.timeout(60), open_bus(self.address()) as bus:
                return await work(bus)

        return asyncio.run(whole())

    def work(self, queue: Queue, number: int, reject: bool = False) -> list[Job]:
        """Have a worker take so many events of a queue; return what it took."""
        taken: list[Job] = []

        async def work(bus: Bus) -> None:
            await bus.ensure(DECLARED.with_queues([queue]))

            async def handle(job: Job) -> None:
                taken.append(job)
                if len(taken) == number:
                    worker.stop()
                if reject:
                    raise Reject("not today")

            worker = Worker(bus, queue, handle)
            await worker.run()

        self.do(work)
        return taken


@contextmanager
def a_lab(
    local_servers: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    base = tmp_path_factory.mktemp("bus")
    home, folder = base / "home", base / "project"
    home.mkdir()
    (folder / ".git").mkdir(parents=True)
    lab = Lab(home, folder, request.config.getoption("--terminal"))
    for name in [n for n in lab.env if n.startswith(("SIMBUILDER_", "NEO4J_", "NATS_", "AZUR"))]:
        del lab.env[name]
    lab.env |= {
        "SIMBUILDER_RUNTIME": "local",
        "SIMBUILDER_CACHE_DIR": str(local_servers),
        "SIMBUILDER_PORT_RANGE_START": str(PORT_RANGE[0]),
        "SIMBUILDER_PORT_RANGE_END": str(PORT_RANGE[1]),
    }
    try:
        made = lab("session", "create", "--start-containers", "--services", "nats", "--name", "lab")
        assert made.status == 0, made.err
        missing = lab.refused("publish", REQUESTED, "--data", RUN, status=1)
        assert (missing["code"], "bus ensure" in missing["hint"]) == ("bus-no-stream", True)
        assert lab("bus", "ensure").status == 0
        yield lab
        assert lab.variables()["NATS_PASSWORD"] not in lab.said
    finally:
        for server in lab.servers():
            os.kill(server.pid, signal.SIGKILL)
