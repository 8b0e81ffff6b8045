"""The way to a bus: `async with open_bus(address) as bus: ...`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from simbuilder.bus.address import Address
from simbuilder.bus.jetstream.bus import JetStreamBus
from simbuilder.bus.jetstream.connecting import connected
from simbuilder.bus.protocol import WINDOW

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics

CONNECT_S = 5.0


@asynccontextmanager
async def open_bus(
    address: Address,
    *,
    name: str = "simbuilder",
    window: int = WINDOW,
    connect_s: float = CONNECT_S,
    metrics: "Metrics | None" = None,
) -> AsyncIterator[JetStreamBus]:
    """Connect, and stay connected for the block, whatever the server does meanwhile.

    `name` is what the server lists us as. At the end of the block what is on its way is waited for,
    unless an error ended it. Raises `BusConnectionError` if no server answers within `connect_s`,
    and `BusCredentialsError`.
    """
    async with connected(address, name, connect_s) as connection:
        bus = JetStreamBus(connection, window, metrics)
        await bus.start()
        yield bus
        await bus.finish()
