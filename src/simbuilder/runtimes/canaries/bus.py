"""Canaries in NATS: streams with one message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from simbuilder.runtimes.canaries.names import NAME, STUMBLES, TIMEOUT_S
from simbuilder.runtimes.probes import accepts
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext


class Bus:
    """Messages in JetStream, each in a stream of its own."""

    def errors(self) -> tuple[type[Exception], ...]:
        from nats.errors import Error

        return (Error, OSError, *STUMBLES)

    def write(self, session: Session, token: str) -> None:
        async def write() -> None:
            async with _connected(session) as client:
                stream = client.jetstream(timeout=TIMEOUT_S)
                await stream.add_stream(name=NAME + token, subjects=[NAME + token])
                await stream.publish(NAME + token, token.encode())

        asyncio.run(write())

    def found(self, session: Session) -> tuple[frozenset[str]]:
        return (frozenset(asyncio.run(self._found(session))),)

    async def _found(self, session: Session) -> set[str]:
        from nats.js.errors import NotFoundError

        tokens = set()
        async with _connected(session) as client:
            stream = client.jetstream(timeout=TIMEOUT_S)
            for name in await _streams(stream, NAME):
                token = name.removeprefix(NAME).encode()
                # what another command removed since the listing is not there
                with suppress(NotFoundError):
                    if (await stream.get_last_msg(name, name)).data == token:
                        tokens.add(token.decode())
        return tokens

    def remove(self, session: Session, owner: str) -> None:
        async def remove() -> None:
            from nats.js.errors import NotFoundError

            async with _connected(session) as client:
                stream = client.jetstream(timeout=TIMEOUT_S)
                for name in await _streams(stream, NAME + owner):
                    with suppress(NotFoundError):
                        await stream.delete_stream(name)

        asyncio.run(remove())

    def refuses(self, session: Session) -> bool:
        from nats.errors import Error

        try:
            self.advertised(session)
        except Error as error:
            if "authorization violation" not in str(error).lower():
                raise
            return True
        return False

    def advertised(self, session: Session) -> tuple[str, ...]:
        async def advertised() -> list[str]:
            async with _connected(session) as client:
                return [uri.netloc for uri in client.discovered_servers]

        return tuple(sorted(asyncio.run(advertised())))


async def _streams(stream: "JetStreamContext", prefix: str) -> list[str]:
    names: list[str] = []
    while page := await stream.streams_info(offset=len(names)):
        names += [info.config.name or "" for info in page]
    return [name for name in names if name.startswith(prefix)]


@asynccontextmanager
async def _connected(session: Session) -> AsyncIterator["Client"]:
    from nats.aio.client import Client

    port = session.port("nats.client")
    if not accepts(port, session.host):  # which nats tries again and again, even if told not to
        raise ConnectionRefusedError(f"nothing answers on {session.host}:{port}")

    # by default nats prints every error
    async def ignore(_: Exception) -> None:
        return None

    # not `nats.connect`: where it is refused, nobody is left to close its socket
    client = Client()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await client.connect(
                session.urls("nats")["client"],
                user=catalog.NATS_USER,
                password=session.secrets["nats"],
                allow_reconnect=False,
                connect_timeout=TIMEOUT_S,
                error_cb=ignore,
            )
            yield client
    finally:
        await client.close()
