"""Data that is too large for an event, in JetStream's object store, under its hash.

It is stored anew each time, even if it is there: what an event refers to must last as long as the
event, and the store counts the age of what is in it from its writing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nats.errors import Error
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, BucketNotFoundError, NotFoundError, ObjectNotFoundError
from nats.js.errors import Error as JetStreamError

from simbuilder.bus.declarations import PAYLOADS
from simbuilder.bus.errors import BusError, BusTimeoutError, NoStreamError
from simbuilder.bus.jetstream.connection import Connection, PassingError, explained

T = TypeVar("T")

_ONE_TRY_S = 5.0
_PAUSE_S = 0.25


class PayloadStore:
    """Data by its hash."""

    def __init__(self, connection: Connection) -> None:
        self._context = JetStreamContext(connection.client, timeout=_ONE_TRY_S)

    async def put(self, name: str, payload: bytes, deadline_s: float) -> None:
        """Store data under its hash."""

        async def put() -> None:
            store = await self._context.object_store(PAYLOADS)
            await store.put(name, payload)

        await self._until_done(put, deadline_s)

    async def get(self, name: str, deadline_s: float) -> bytes | None:
        """Return what is stored under a hash, or `None`."""

        async def get() -> bytes | None:
            store = await self._context.object_store(PAYLOADS)
            try:
                async with asyncio.timeout(deadline_s):
                    return (await store.get(name)).data or b""
            except ObjectNotFoundError:
                return None

        return await self._until_done(get, deadline_s)

    async def _until_done(self, act: Callable[[], Awaitable[T]], deadline_s: float) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_s
        while True:
            try:
                return await act()
            except BucketNotFoundError:
                hint = "'simbuilder bus ensure' makes what is declared"
                raise NoStreamError("there is no store for large data", hint) from None
            except APIError as error:
                said = _explained(error)
                if not isinstance(said, PassingError):
                    raise said from None
            except (Error, JetStreamError, OSError, TimeoutError):
                said = PassingError("no answer")
            if loop.time() + _PAUSE_S >= until:
                raise BusTimeoutError(
                    f"large data could not be stored or fetched: {said.message}",
                    "publishing the event again is safe",
                )
            await asyncio.sleep(_PAUSE_S)


def _explained(error: APIError) -> BusError:
    if isinstance(error, NotFoundError):
        return PassingError("its parts are not all there")
    told = {
        "err_code": error.err_code,
        "code": error.code,
        "description": error.description,
    }
    return explained(told, "large data")
