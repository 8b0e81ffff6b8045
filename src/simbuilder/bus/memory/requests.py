"""Requests and who answers them."""

import asyncio
from collections.abc import Callable

from simbuilder.bus import formats
from simbuilder.bus.errors import BusError, NoResponderError
from simbuilder.bus.events import Event
from simbuilder.bus.protocol import Responder
from simbuilder.bus.subjects import checked_request
from simbuilder.bus.words import said


class Desk:
    """One who answers the requests of a subject, several at once.

    `write` gives an answer's bytes, having stored what is too large for them.
    """

    def __init__(self, subject: str, responder: Responder, write: Callable[[Event], bytes]) -> None:
        self.subject = checked_request(subject)
        self._responder, self._write = responder, write
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, raw: bytes) -> "asyncio.Future[bytes]":
        """Return what will have the answer."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[bytes] = loop.create_future()
        task = loop.create_task(self._answer(raw, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return reply

    async def finish(self) -> None:
        """Wait until all who asked have their answers."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def vanish(self) -> None:
        """Stop at once, without an answer to whoever waits for one."""
        for task in self._tasks:
            task.cancel()

    async def _answer(self, raw: bytes, reply: "asyncio.Future[bytes]") -> None:
        try:
            answer = self._write(await self._responder(formats.read(raw)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked
            if not reply.done():
                reply.set_exception(BusError(f"{self.subject} failed: {said(error)}"))
        else:
            if not reply.done():
                reply.set_result(answer)


class Desks:
    """All who answer, by subject; those of one subject take turns."""

    def __init__(self) -> None:
        self._of: dict[str, list[Desk]] = {}

    def open(self, desk: Desk) -> None:
        """Let somebody answer from now on."""
        self._of.setdefault(desk.subject, []).append(desk)

    def shut(self, desk: Desk) -> None:
        """Ask somebody no more."""
        if desk in self._of.get(desk.subject, ()):
            self._of[desk.subject].remove(desk)

    def ask(self, subject: str, raw: bytes) -> "asyncio.Future[bytes]":
        """Ask whoever has his turn. Raises `NoResponderError`."""
        desks = self._of.get(subject)
        if not desks:
            raise NoResponderError(f"nobody answers {subject}", "is that service running?")
        desks.append(desks.pop(0))
        return desks[-1].ask(raw)
