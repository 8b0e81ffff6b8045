"""A connection to NATS that mends itself: JetStream's API, and its errors in our words."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
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

from simbuilder.bus.address import Address
from simbuilder.bus.errors import (
    BusConflictError,
    BusConnectionError,
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

_TRY_AGAIN_S = 0.1
_LONGEST_PAUSE_S = 1.0
_ONE_REQUEST_S = 5.0

_NO_CONSUMER, _NO_MESSAGE, _NO_STREAM = 10014, 10037, 10059
"""JetStream's own codes (server/errors.json of nats-server 2.15)."""


_CONFLICT = {10071, 10164}
_FULL = {10023, 10047, 10077, 10122}
_TOO_LARGE = {10054}
_PASSING = {10004, 10008, 10009, 10118, 10158, 10167, 10194}
"""What a cluster says while it elects a leader, is not all there, has too much to do, or has the
same event on its way already (10158); a later try may succeed."""

UNSENT = (
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    OutboundBufferLimitError,
)
"""What the driver raises for what it could not even begin to send."""


class Connection:
    """A connection to one of the address's servers.

    Who is in `mended` hears that it was lost and is back.
    """

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
        known = _untyped(subscription)
        try:
            async with asyncio.timeout(_ONE_REQUEST_S):
                await known.drain()
        except (Error, TimeoutError):
            # the connection is gone, or the server is silent; the driver would have us back there
            # with the next connection, and goes on waiting for messages
            known._stop_processing()
            _untyped(self.client)._remove_sub(known._id)

    async def arrived(self) -> None:
        """Wait until the server has heard all that was sent so far; raises `BusTimeoutError`."""
        try:
            await self.client.flush(timeout=int(_ONE_REQUEST_S))
        except (Error, TimeoutError):
            raise BusTimeoutError(f"the bus at {self.where} does not answer", "try again") from None

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

    async def ask(self, subject: str, stream: str) -> Msg:
        """Ask for what a stream answers with a message itself, again and again, as `api` does."""
        try:
            return await self._ask(subject, b"", _ONE_REQUEST_S)
        except PassingError:
            await self.api(f"STREAM.INFO.{stream}")  # raises `MissingError` if that is why
        return await self._until_answered(subject, b"", DEADLINE_S, lambda message: message)

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
    if code in (_NO_CONSUMER, _NO_MESSAGE, _NO_STREAM) or (code == 0 and error.get("code") == 404):
        return MissingError(_missing(code, what), "'simbuilder bus ensure' makes what is declared")
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


def _missing(code: int, verb: str) -> str:
    """Say what is not there; verbs are such as `STREAM.INFO.X` and `CONSUMER.INFO.X.planner`."""
    parts = verb.split(".")
    stream = parts[2] if parts[0] == "CONSUMER" and len(parts) > 2 else parts[-1]
    if code == _NO_CONSUMER:
        return f"stream {stream} has no queue {parts[-1]}"
    if code == _NO_STREAM:
        return f"there is no stream {stream}"
    return f"stream {stream} has no such message"


def permission_error(said: str) -> BusPermissionError:
    """Return the server's refusal of a subject as our error."""
    return BusPermissionError(
        f"the server does not allow it: {said}", "docs/bus-permissions.md shows who needs what"
    )


def closed_error(where: str) -> BusConnectionError:
    """Return what there is to say once a connection is closed."""
    return BusConnectionError(f"the connection to {where} is closed")
