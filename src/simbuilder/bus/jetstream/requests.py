"""Requests and their replies, on plain NATS: nothing of them is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from simbuilder.bus import formats, payloads
from simbuilder.bus.errors import (
    BusConnectionError,
    BusError,
    BusTimeoutError,
    NoResponderError,
)
from simbuilder.bus.events import Event
from simbuilder.bus.jetstream.connection import UNSENT, Connection
from simbuilder.bus.jetstream.payloads import PayloadStore
from simbuilder.bus.protocol import Responder
from simbuilder.bus.subjects import checked_request
from simbuilder.bus.words import said

FAILED = "Sim-Error"
"""The header of a reply that says how the responder failed."""

_RESPONDERS = "responders"


class Requests:
    """Asking and answering on one connection."""

    def __init__(self, connection: Connection, store: PayloadStore) -> None:
        self._connection, self._store = connection, store

    async def ask(self, subject: str, event: Event, deadline_s: float) -> Event:
        """Ask; see `protocol.Bus.request`."""
        subject = checked_request(subject)
        raw = await self._raw(event)
        try:
            reply = await self._connection.request(subject, raw, deadline_s)
        except NoRespondersError:
            raise NoResponderError(f"nobody answers {subject}", "start what does") from None
        except NatsTimeoutError:
            raise BusTimeoutError(f"{subject} was not answered within {deadline_s:g} s") from None
        except UNSENT:
            raise BusConnectionError(
                f"the bus at {self._connection.where} does not answer", "try again"
            ) from None
        failed = (reply.headers or {}).get(FAILED)
        if failed is not None:
            raise BusError(f"{subject} failed: {failed}")
        return formats.read(reply.data)

    @asynccontextmanager
    async def answering(self, subject: str, responder: Responder) -> AsyncIterator[None]:
        """Answer for the block; see `protocol.Bus.respond`."""
        answers: set[asyncio.Task[None]] = set()

        async def take(message: Msg) -> None:
            task = asyncio.ensure_future(self._answer(message, responder))
            answers.add(task)
            task.add_done_callback(answers.discard)

        subscription = await self._connection.subscribe(
            checked_request(subject), take, queue=_RESPONDERS
        )
        try:
            await self._connection.arrived()  # from here on the server knows of us
            yield
        finally:
            await self._connection.leave(subscription)
            if answers:
                await asyncio.wait(set(answers))

    async def _answer(self, message: Msg, responder: Responder) -> None:
        headers = None
        try:
            raw = await self._raw(await responder(formats.read(message.data)))
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked has to hear it
            raw, headers = b"", {FAILED: said(error)}
        try:
            await self._connection.client.publish(message.reply, raw, headers=headers)
        except Error:
            return  # whoever asked hears nothing, as when the connection is lost a moment later

    async def _raw(self, event: Event) -> bytes:
        sent, raw, payload = payloads.what_to_send(event)
        name = payloads.name_of(sent)
        if payload is not None and name is not None:
            await self._store.put(name, payload, 30.0)
        return raw
