"""Which workers are alive, by the signs of life that they give.

No clock is compared with another's, and none is asked what day it is. Time counts only while our
own signs of life come back to us, so a server that was away, a machine that slept and a process
that was stopped let nobody appear dead.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from simbuilder.bus.declarations import WORKERS
from simbuilder.bus.errors import BusError
from simbuilder.bus.protocol import Bus, Entry, KeyValue

_SIGNS = 4
"""Signs of life within a lease."""

_TRY_AGAIN_S = 0.2


class Members:
    """The workers that give signs of life, as one of them sees it."""

    def __init__(self, bucket: KeyValue, me: str, lease_s: float) -> None:
        self._bucket, self._me, self._lease_s = bucket, me, lease_s
        self._every_s = lease_s / _SIGNS
        self._alive_s = 0.0
        self._mine: float | None = None
        self._heard: dict[str, float] = {}

    def gone(self, worker: str) -> bool:
        """Say whether a worker has given no sign of life for a lease."""
        if worker == self._me:
            return False
        return self._alive_s - self._heard.get(worker, 0.0) > self._lease_s

    async def beat(self) -> None:
        """Give signs of life, without an end."""
        number = 0
        while True:
            number += 1
            with suppress(BusError):  # the next one is due before anybody takes us for dead
                await self._bucket.put(self._me, str(number).encode())
            await asyncio.sleep(self._every_s)

    async def watch(self) -> None:
        """Hear the others', without an end."""
        while True:
            with suppress(BusError):  # the server is away, and time stands still meanwhile
                async with self._bucket.watch() as entries:
                    async for entry in entries:
                        self._hear(entry)
            await asyncio.sleep(_TRY_AGAIN_S)

    def _hear(self, entry: Entry) -> None:
        if entry.key == self._me:
            now = asyncio.get_running_loop().time()
            if self._mine is not None:
                self._alive_s += min(now - self._mine, 2 * self._every_s)
            self._mine = now
        elif entry.deleted:
            self._heard[entry.key] = float("-inf")  # it said goodbye
        else:
            self._heard[entry.key] = self._alive_s

    async def leave(self) -> None:
        """Say goodbye; whoever cannot is found to be gone after a lease."""
        with suppress(BusError, TimeoutError):
            async with asyncio.timeout(self._every_s):
                await self._bucket.delete(self._me)


@asynccontextmanager
async def membership(bus: Bus, me: str, lease_s: float) -> AsyncIterator[Members]:
    """Give signs of life, and hear those of others, for the block."""
    bucket = bus.bucket(WORKERS.name)
    await bucket.keys()  # whoever may not read them would take nobody for dead, and say nothing
    members = Members(bucket, me, lease_s)
    tasks = [asyncio.create_task(members.beat()), asyncio.create_task(members.watch())]
    try:
        yield members
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await members.leave()
