"""A proxy between a client and its server: it can swallow what the server says, and cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from simbuilder.bus.address import Address
from tests.bus_servers import HOST

_CHUNK = 65536


@dataclass
class Proxy:
    """What clients connect to in place of the server at `port`."""

    port: int
    swallowed: int = 0
    """So many bytes of what the server said never arrived, since `swallow`."""

    _left: int | None = None
    _listening: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _pumps: set["asyncio.Task[None]"] = field(default_factory=set)

    def address(self, server: Address) -> Address:
        assert self._listening is not None
        port = self._listening.sockets[0].getsockname()[1]
        return replace(server, urls=(f"nats://{HOST}:{port}",))

    def swallow(self, after: int = 0) -> None:
        """Let so many bytes of the server's pass, and nothing behind them until `cut`."""
        self._left, self.swallowed = after, 0

    def cut(self) -> None:
        """Break all connections; those that are made from now on are whole."""
        for writer in tuple(self._writers):
            writer.transport.abort()
        self._left = None

    async def start(self) -> None:
        self._listening = await asyncio.start_server(self._connected, HOST, 0)

    async def end(self) -> None:
        assert self._listening is not None
        self._listening.close()
        self.cut()
        if self._pumps:
            await asyncio.wait(set(self._pumps))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError):
            from_server, to_server = await asyncio.open_connection(HOST, self.port)
            self._writers.add(to_server)
            self._pump(reader, to_server, swallows=False)
            self._pump(from_server, writer, swallows=True)

    def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, swallows: bool
    ) -> None:
        task = asyncio.create_task(self._pumping(reader, writer, swallows=swallows))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _pumping(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, swallows: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                writer.write(self._passed(data) if swallows else data)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)

    def _passed(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        passed, self._left = data[: self._left], max(0, self._left - len(data))
        self.swallowed += len(data) - len(passed)
        return passed


@asynccontextmanager
async def before(port: int) -> AsyncIterator[Proxy]:
    """Run a proxy before the server at a port for the block."""
    proxy = Proxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.end()
