"""The door to NATS: a connection that mends itself, JetStream's API, and errors in our words."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    Error,
    NoRespondersError,
    OutboundBufferLimitError,
)
from nats.errors import TimeoutError as NatsTimeoutError

from simbuilder.bus.address import Address, Tls
from simbuilder.bus.errors import (
    BusConflictError,
    BusConnectionError,
    BusCredentialsError,
    BusError,
    BusFullError,
    BusPermissionError,
    BusTimeoutError,
    EventError,
    NoStreamError,
)
from simbuilder.bus.protocol import DEADLINE_S

T = TypeVar("T")

API = "$JS.API."
STATUS, DESCRIPTION = "Status", "Description"
"""Headers by which the server says that a message is its own word, and what it means."""

_SLOWEST_RECONNECT_S = 2.0
_PING_S = 10.0
_TRY_AGAIN_S = 0.1
_LONGEST_PAUSE_S = 1.0
_ONE_REQUEST_S = 5.0

NOT_THERE = {10014, 10037, 10059}
"""No such consumer, message, stream (server/errors.json of nats-server 2.15)."""

_CONFLICT = {10071, 10164}
_FULL = {10023, 10047, 10077, 10122}
_TOO_LARGE = {10054}
_PASSING = {10004, 10008, 10009, 10118, 10158, 10167, 10194}
"""What a cluster says while it elects a leader, is not all there, has too much to do, or has the same
event on its way already (10158); a later try may succeed."""

UNSENT = (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    OutboundBufferLimitError,
)
"""What the driver raises for what it could not even begin to send."""


class Connection:
    """A connection to one of the address's servers. `listeners` hear that it was mended."""

    def __init__(self, client: Client, address: Address) -> None:
        self.client = client
        self._address = address
        self.mended: list[Callable[[], Awaitable[None]]] = []
        self.denied: list[Callable[[str], None]] = []
        """Called with what the server said when it refused a subject to us."""

        self.closed: list[Callable[[], None]] = []
        self._inbox = client.new_inbox()
        self._numbers = 0

    @property
    def where(self) -> str:
        """The servers, for people."""
        return ", ".join(self._address.urls)

    def inbox(self) -> str:
        """Return a subject of our own, which nobody had before."""
        self._numbers += 1
        return f"{self._inbox}.{self._numbers}"

    async def subscribe(
        self, subject: str, take: Callable[[Msg], Awaitable[None]], queue: str = ""
    ) -> Subscription:
        """Have `take` called with each message, one after the other.

        There is no limit on what waits for it: the driver would throw away what is beyond.
        """
        return await self.client.subscribe(
            subject, queue=queue, cb=take, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def leave(self, subscription: Subscription) -> None:
        """End a subscription, having taken all that the server had sent until then."""
        with suppress(Error):  # the connection is gone, and with it what the server knew of us
            async with asyncio.timeout(_ONE_REQUEST_S):
                await _untyped(subscription).drain()

    async def send(self, subject: str, payload: bytes = b"", reply: str = "") -> bool:
        """Send what nobody acknowledges; `False` if there is no connection to send it on."""
        if not self.client.is_connected:
            return False
        try:
            await self.client.publish(subject, payload, reply)
        except UNSENT:
            return False
        return True

    async def api(
        self,
        verb: str,
        body: Mapping[str, Any] | None = None,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> dict[str, Any]:
        """Ask JetStream, again and again while it could answer later, and return its answer.

        Raises `MissingError` for what is not there, and the errors of the bus.
        """

        def answered(message: Msg) -> dict[str, Any]:
            found: dict[str, Any] = orjson.loads(message.data)
            if (error := found.get("error")) is None:
                return found
            raise explained(error, verb)

        payload = orjson.dumps(body) if body else b""
        return await self._until_answered(API + verb, payload, deadline_s, answered)

    async def ask(self, subject: str, *, deadline_s: float = DEADLINE_S) -> Msg:
        """Ask for what is answered with a message itself, again and again, as `api` does."""
        return await self._until_answered(subject, b"", deadline_s, lambda message: message)

    async def _until_answered(
        self, subject: str, payload: bytes, deadline_s: float, answered: Callable[[Msg], T]
    ) -> T:
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + deadline_s, _TRY_AGAIN_S
        while True:
            try:
                return answered(await self._ask(subject, payload, until - loop.time()))
            except PassingError as error:
                if loop.time() + pause >= until:
                    raise BusTimeoutError(
                        f"the bus at {self.where} did not do '{subject}': {error.message}",
                        "it may be electing a leader; try again",
                    ) from None
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Msg:
        """Ask once. Raises what the driver does; `BusPermissionError` as soon as it is known."""
        refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def hear(said: str) -> None:
            if f'"{subject.lower()}"' in said and not refused.done():
                refused.set_result(said)

        self.denied.append(hear)
        asked: asyncio.Future[Any] = asyncio.ensure_future(
            self.client.request(subject, payload, timeout=timeout_s)
        )
        try:
            await asyncio.wait((asked, refused), return_when=asyncio.FIRST_COMPLETED)
            if refused.done():
                raise permission_error(refused.result())
            found: Msg = await asked
            return found
        finally:
            self.denied.remove(hear)
            refused.cancel()
            asked.cancel()

    async def _ask(self, subject: str, payload: bytes, left_s: float) -> Msg:
        try:
            timeout_s = max(0.05, min(left_s, _ONE_REQUEST_S))
            return await self.request(subject, payload, timeout_s)
        except ConnectionClosedError:
            raise closed_error(self.where) from None
        except NoRespondersError:
            raise PassingError("nobody answers for JetStream") from None
        except (NatsTimeoutError, *UNSENT):
            raise PassingError("no answer") from None


def _untyped(driver: Any) -> Any:
    """Return what the driver has no types for."""
    return driver


class MissingError(NoStreamError):
    """There is no such stream, consumer or message."""


class PassingError(BusError):
    """It failed for a reason that passes by itself."""


def explained(error: Mapping[str, Any], what: str) -> BusError:
    """Return what JetStream said as one of our errors; `what` was asked of it."""
    code, said = error.get("err_code", 0), str(error.get("description", "no reason given"))
    if code in NOT_THERE or (code == 0 and error.get("code") == 404):
        return MissingError(f"{said}: {what}", "'simbuilder bus ensure' makes what is declared")
    if code in _CONFLICT:
        return BusConflictError(f"somebody else wrote it first: {what}")
    if code in _TOO_LARGE:
        return EventError(f"larger than the stream takes: {what}")
    if code in _FULL or "no space" in said or "maximum" in said:
        return BusFullError(
            f"nothing more can be stored: {said}: {what}",
            "free some space, or drop what is no longer needed",
        )
    if code in _PASSING or error.get("code") == 503:
        return PassingError(said)
    return BusError(f"the bus refused: {said}: {what}")


def permission_error(said: str) -> BusPermissionError:
    """Return the server's refusal of a subject as our error."""
    return BusPermissionError(
        f"the server does not allow it: {said}", "docs/bus-permissions.md shows who needs what"
    )


def closed_error(where: str) -> BusConnectionError:
    """Return what there is to say once a connection is closed."""
    return BusConnectionError(f"the connection to {where} is closed")


# --- connecting ----------------------------------------------------------------------------


@asynccontextmanager
async def connected(address: Address, name: str, connect_s: float) -> AsyncIterator[Connection]:
    """Connect, and stay connected until the block ends.

    Raises `BusConnectionError` where nobody answers in time, and `BusCredentialsError`.
    """
    client = Client()
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
    }
    try:
        await _connect(client, options, refusal, last, ", ".join(address.urls), connect_s)
        connection.append(Connection(client, address))
        yield connection[0]
    finally:
        refusal.cancel()
        with suppress(Error, OSError):  # the server is gone: there is nothing left to say to it
            await client.close()


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
