"""A worker in a process of its own: `python -m tests.bus_worker OPTIONS`, a JSON object.

Its handler appends `<event id> <attempt> <pid>` to the file of effects. The event's data may tell
it more: to sleep before that, or after it, to fail, to kill its process instead, or, at the first
attempt, to give no sign of life for a while and to reject the event.
"""

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from simbuilder.bus.address import Address
from simbuilder.bus.declarations import Queue
from simbuilder.bus.jobs import Job, Reject
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker


def say(words: str) -> None:
    os.write(sys.stdout.fileno(), f"{words}\n".encode())


def main() -> None:
    asyncio.run(work(json.loads(sys.argv[1])))


async def work(options: dict[str, Any]) -> None:
    address = Address(
        tuple(options["urls"]), os.environ["TESTS_BUS_USER"], os.environ["TESTS_BUS_PASSWORD"]
    )
    asked = options["queue"]
    queue = Queue(**{**asked, **{k: tuple(asked[k]) for k in ("subjects", "backoff_s")}})
    effects = os.open(options["effects"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    pid = os.getpid()

    async def handle(job: Job) -> None:
        told = job.event.data or {}
        if told.get("kill"):
            os.kill(pid, signal.SIGKILL)
        if told.get("stands_s") and job.attempt == 1:
            say("stands still")
            time.sleep(told["stands_s"])  # noqa: ASYNC251 - it gives no sign of life meanwhile
        await asyncio.sleep(told.get("before_s", 0.0))
        if told.get("rejects") and job.attempt == 1:
            say("rejects")
            raise Reject("as told")
        if job.attempt <= told.get("failures", 0):
            raise ZeroDivisionError("as told")
        os.write(effects, f"{job.event.id} {job.attempt} {pid}\n".encode())
        await asyncio.sleep(told.get("after_s", 0.0))

    async with open_bus(address, connect_s=30.0) as bus:
        worker = Worker(bus, queue, handle, **options.get("worker", {}))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        say(f"{pid} is ready")
        await worker.run()


if __name__ == "__main__":
    main()
