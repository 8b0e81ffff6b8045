"""Getting to a server, and back to one: as whom, how long to wait, and what is said if it fails."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nats.aio.client import PING_PROTO, Client
from nats.errors import Error

from simbuilder.bus.address import Address, Tls
from simbuilder.bus.errors import BusConnectionError, BusCredentialsError
from simbuilder.bus.jetstream.connection import Connection

_TRY_AGAIN_S = 0.1
_SLOWEST_RECONNECT_S = 2.0
_PING_S = 5.0
_CLOSE_S = 2.0


class _Client(Client):
    """The driver (nats-py 2.16), but for what it does to a connection that goes wrong."""

    async def _send_ping(self, future: "asyncio.Future[Any] | None" = None) -> None:
        """Put the question behind what still waits to be written, so that its answer proves that.

        A future that somebody has given up would end the reading of the answer with an error.
        """
        heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if future is not None:
            heard.add_done_callback(lambda _: _answer(future))
        self._pongs.append(heard)
        await self._send_command(PING_PROTO)
        await self._flush_pending()

    async def _process_headers(self, headers: Any) -> dict[str, str] | None:
        """Take headers that are none for no headers: an error here would end all reading."""
        try:
            return await super()._process_headers(headers)
        except (IndexError, ValueError):
            return {}

    async def _process_err(self, err_msg: str) -> None:
        """Connect again after what the driver would take for the end, such as a late handshake."""
        known = ("permissions violation", "authorization violation", "stale connection")
        if self.is_connected and not any(each in err_msg for each in known):
            await self._process_op_err(Error(f"nats: {err_msg}"))
        else:
            await super()._process_err(err_msg)

    async def _connect_to_server(self, s: Any) -> None:
        """Drop what an attempt before this one left, which the driver would forget, open."""
        self.abort()
        await super()._connect_to_server(s)

    async def _attempt_reconnect(self) -> None:
        """Drop the old connection: closing it would wait for a server that reads no more."""
        self.abort()
        await super()._attempt_reconnect()

    def abort(self) -> None:
        """Drop the connection, with what waits to be written."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()


@asynccontextmanager
async def connected(address: Address, name: str, connect_s: float) -> AsyncIterator[Connection]:
    """Connect, and stay connected until the block ends.

    Raises `BusConnectionError` where nobody answers in time, and `BusCredentialsError`.
    """
    client = _Client()
    connection: list[Connection] = []
    refusal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    last: list[Exception] = []

    async def failed(error: Exception) -> None:
        last[:] = [error]
        said = str(error).lower()
        # while it connects, nats-py 2.16 has no class of its own for it
        if "authorization violation" in said and not refusal.done():
            refusal.set_result(None)
        if "permissions violation" in said:
            for hear in tuple(connection[0].denied if connection else ()):
                hear(said)

    async def mended() -> None:
        for hear in tuple(connection[0].mended):
            await hear()

    async def closed() -> None:
        for hear in tuple(connection[0].closed if connection else ()):
            hear()

    options = {
        **_identity(address),
        "servers": list(address.urls),
        "name": name,
        "error_cb": failed,
        "reconnected_cb": mended,
        "closed_cb": closed,
        "connect_timeout": 2,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": _TRY_AGAIN_S,
        "reconnect_to_server_handler": _in_turn,
        "ping_interval": _PING_S,
        "flusher_queue_size": 4096,
        "inbox_prefix": address.inbox_prefix,
        # else publishing would wait, without an end, for a server that reads no more
        "pending_size": 0,
    }
    try:
        await _connect(client, options, refusal, last, ", ".join(address.urls), connect_s)
        connection.append(Connection(client, address))
        yield connection[0]
    finally:
        refusal.cancel()
        await _closed(client)


def _answer(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_result(True)


async def _closed(client: _Client) -> None:
    """Close a connection, in time even if the server reads no more."""
    closing = asyncio.ensure_future(client.close())
    for _ in range(2):
        await asyncio.wait((closing,), timeout=_CLOSE_S)
        if closing.done():
            break
        client.abort()
    if closing.done() and not closing.cancelled():
        closing.exception()  # the server is gone: there is nothing left to say to it
    closing.cancel()


async def _connect(
    client: Client,
    options: dict[str, Any],
    refusal: "asyncio.Future[None]",
    last: list[Exception],
    where: str,
    connect_s: float,
) -> None:
    attempt = asyncio.ensure_future(client.connect(**options))
    try:
        done, _ = await asyncio.wait(
            {attempt, refusal}, timeout=connect_s, return_when=asyncio.FIRST_COMPLETED
        )
        if attempt in done:
            await attempt
            return
        reason = "nothing answers" if not last else _reason(last[0])
    except (OSError, Error, ValueError) as error:
        reason = _reason(error)
    finally:
        await _given_up(client, attempt)
    if refusal.done():
        raise BusCredentialsError(
            f"the bus at {where} refuses the credentials", "check the user and the password"
        )
    raise BusConnectionError(
        f"the bus at {where} does not answer: {reason}", "check that the server runs"
    )


async def _given_up(client: Client, attempt: "asyncio.Future[None]") -> None:
    """End an attempt to connect; the driver swallows a cancellation in some places, and goes on."""
    client.options["allow_reconnect"] = client.is_connected
    while not attempt.done():
        attempt.cancel()
        await asyncio.wait((attempt,), timeout=_TRY_AGAIN_S)
    if not attempt.cancelled():
        attempt.exception()  # it has been looked at


def _reason(error: Exception) -> str:
    """Return why one cannot connect, without an address, which may have a password in it."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'no handshake'}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__


def _in_turn(servers: list[Any], _info: dict[str, Any]) -> tuple[Any, float]:
    """Choose the server that failed least, after a pause that grows and is never twice the same."""
    chosen = min(servers, key=lambda server: (server.reconnects, random.random()))  # noqa: S311
    longest = min(_SLOWEST_RECONNECT_S, _TRY_AGAIN_S * 2 ** min(chosen.reconnects, 6))
    return chosen, longest * (0.5 + random.random() / 2)  # noqa: S311


def _identity(address: Address) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if address.user:
        found |= {"user": address.user, "password": address.password}
    if address.token:
        found["token"] = address.token
    if address.credentials_file:
        if find_spec("nkeys") is None:
            raise BusCredentialsError(
                "a credentials file needs a package that is not there", "pip install nkeys"
            )
        found["user_credentials"] = address.credentials_file
    if address.tls is not None:
        found["tls"] = _context(address.tls)
        if address.tls.hostname:
            found["tls_hostname"] = address.tls.hostname
    return found


def _context(tls: Tls) -> ssl.SSLContext:
    for name in (tls.ca_file, tls.cert_file, tls.key_file):
        try:
            if name is not None:
                Path(name).open("rb").close()  # what OpenSSL says has no name in it
        except OSError as error:
            raise BusCredentialsError(
                f"{name} cannot be read: {error.strerror}", "check the paths of the TLS files"
            ) from None
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except ssl.SSLError as error:
        raise BusCredentialsError(
            f"the TLS files cannot be used: {error.reason}", "they have to be PEM files"
        ) from None
    return context
