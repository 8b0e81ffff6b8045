"""A million events of many keys, through four worker processes: all there, once, in order, flat.

`python -m benchmarks.bus_million FILE` is one of the workers: it writes when it handled which
event into the file, in 16 bytes, and on SIGTERM finishes what it holds.
"""

import asyncio
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.measure import PYTHON
from simbuilder.bus.address import Address
from simbuilder.bus.catalogue.workflow import StepStarted
from simbuilder.bus.declarations import DECLARED, WORKFLOW, Queue
from simbuilder.bus.jobs import Job
from simbuilder.bus.making import new_event
from simbuilder.bus.protocol import Ack, Bus
from simbuilder.bus.service import open_bus
from simbuilder.bus.worker import Worker

EVENTS, KEYS, WORKERS = 1_000_000, 1_000, 4
GROWTH_MIB = 30
LONGEST_S = 900
_ROW = struct.Struct("<QII")
QUEUE = Queue("million", "a benchmark", WORKFLOW.name, (StepStarted.TYPE,), ordered=True)


def bench(address: Address) -> list[bool]:
    """Run it, and return which bars are kept."""
    return asyncio.run(_bench(address))


async def _bench(address: Address) -> list[bool]:
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name) / f"worker-{number}" for number in range(WORKERS)]
        environment = {
            **os.environ,
            "NATS_URL": address.urls[0],
            "NATS_USER": address.user,
            "NATS_PASSWORD": address.password,
        }
        async with open_bus(address) as bus:
            await bus.ensure(DECLARED.with_queues([QUEUE]))
            workers = [_started(file, environment) for file in files]
            try:
                began = time.perf_counter()
                early, late = await _run(bus, files, workers)
                seconds = time.perf_counter() - began
            finally:
                for worker in workers:
                    worker.terminate()
                for worker in workers:
                    worker.wait()
        return _verdicts(files, early, late, seconds)


def _started(file: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [PYTHON, "-m", "benchmarks.bus_million", str(file)]
    return subprocess.Popen(command, env=environment)


async def _run(
    bus: Bus, files: list[Path], workers: "list[subprocess.Popen[bytes]]"
) -> tuple[float, float]:
    """Publish, wait for the last; return the workers' MiB after a fifth and at the end."""
    publishing = asyncio.create_task(_publish(bus))
    early, until = 0.0, time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        done = sum(file.stat().st_size for file in files if file.exists()) // _ROW.size
        if not early and done >= EVENTS // 5:
            early = _resident(workers)
        if done >= EVENTS:
            break
        if publishing.done():
            await publishing
        await asyncio.sleep(0.2)
    await publishing
    return early, _resident(workers)


def _resident(workers: "list[subprocess.Popen[bytes]]") -> float:
    return sum(psutil.Process(each.pid).memory_info().rss for each in workers) / 2**20


async def _publish(bus: Bus) -> None:
    window: asyncio.Queue[asyncio.Future[Ack]] = asyncio.Queue()

    async def acknowledged() -> None:
        for _ in range(EVENTS):
            await (await window.get())

    checking = asyncio.create_task(acknowledged())
    for number in range(EVENTS):
        key = number % KEYS
        data = StepStarted(run=str(key), step=str(number // KEYS))
        window.put_nowait(await bus.submit(new_event(data, "/benchmark", key=str(key))))
    await checking


def _verdicts(files: list[Path], early: float, late: float, seconds: float) -> list[bool]:
    rows = sorted(row for file in files for row in _ROW.iter_unpack(file.read_bytes()))
    last: dict[int, int] = {}
    misplaced = 0
    for _, key, step in rows:
        misplaced += step <= last.get(key, -1)
        last[key] = max(step, last.get(key, -1))
    lost = EVENTS - len({(key, step) for _, key, step in rows})
    twice = len(rows) - (EVENTS - lost)
    rate = EVENTS / seconds
    print(f"bus: {EVENTS:,} events, {WORKERS} workers, ordered, once: {rate:,.0f}/s, all told")
    print(f"  lost {lost}, twice {twice}, out of order within their key {misplaced} (none)")
    print(f"  workers' memory: {early:.0f} MiB after a fifth, {late:.0f} MiB at the end")
    return [lost == 0, twice == 0, misplaced == 0, late - early <= WORKERS * GROWTH_MIB]


async def _work(file: Path) -> None:
    url, user = os.environ["NATS_URL"], os.environ["NATS_USER"]
    address = Address((url,), user, os.environ["NATS_PASSWORD"])
    with file.open("ab") as out:

        async def handle(job: Job) -> None:
            data = job.data
            out.write(_ROW.pack(time.monotonic_ns(), int(data.run), int(data.step)))
            out.flush()

        async with open_bus(address) as bus:
            worker = Worker(bus, QUEUE, handle, concurrency=32)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
            await worker.run()


if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1])))
