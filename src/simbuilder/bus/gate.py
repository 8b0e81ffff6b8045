"""Many at once, or one alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Lets any number through together, but one that must be alone only when nobody else is in."""

    def __init__(self) -> None:
        self._within = 0
        self._alone = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def through(self, *, alone: bool) -> AsyncIterator[None]:
        """Be within for the block. Those who want to be alone go first."""
        async with self._changed:
            if alone:
                self._alone += 1
                try:
                    await self._changed.wait_for(lambda: self._within == 0)
                except BaseException:
                    self._alone -= 1
                    self._changed.notify_all()
                    raise
            else:
                await self._changed.wait_for(lambda: self._alone == 0)
            self._within += 1
        try:
            yield
        finally:
            self._within -= 1
            self._alone -= alone
            async with self._changed:
                self._changed.notify_all()
