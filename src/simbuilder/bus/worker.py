"""Workers: what runs a handler for the events of a queue, and answers for what becomes of each.

    async def plan(job: Job) -> None:
        ...

    async with open_bus(address) as bus:
        await Worker(bus, queue, plan).run()

Each event is settled in one of these ways, and in this order, so that whenever a worker is killed
another goes on: finished (the ledger says so, then it is acknowledged), to be tried again (the
ledger lets it go, then it is returned with a pause), or given up (its dead letter is stored, the
ledger says so, then it is taken from the queue). docs/bus.md says what follows from that.
"""

import asyncio
import os
import re
import socket
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from simbuilder.bus import attempts, deadletters
from simbuilder.bus.attempts import Ending, Handler
from simbuilder.bus.catalogue.deadletters import Cause
from simbuilder.bus.catalogue.health import WorkerStarted, WorkerStopped
from simbuilder.bus.declarations import WORK, Declaration, Queue
from simbuilder.bus.errors import (
    BusConnectionError,
    BusError,
    BusPermissionError,
    EventError,
    NoStreamError,
)
from simbuilder.bus.events import Event, EventData
from simbuilder.bus.gate import Gate
from simbuilder.bus.jobs import Job
from simbuilder.bus.ledger import Claim, Ledger, Record
from simbuilder.bus.making import new_event, new_id
from simbuilder.bus.members import membership
from simbuilder.bus.protocol import Bus, Deliveries, Delivery
from simbuilder.bus.words import kept

if TYPE_CHECKING:
    from simbuilder.bus.metrics import Metrics, Outcome

T = TypeVar("T")
CONCURRENCY = 8
_LAST_WORDS_S = 5.0
_FATAL = (BusConnectionError, BusPermissionError, NoStreamError)
"""What no later try can mend: it ends the worker, which says so."""

GRACE_S = 10.0
_BUSY_PAUSES = 8
"""How often, within the time that a worker may be silent, one looks whether it is gone."""

_TELL_S = 5.0
"""For so long one tries to say that a worker has started or stopped."""

_AFTER_TROUBLE_S = 1.0
"""When the bus itself fails, what could not be done is returned for so long."""


class Worker:
    """Runs `handler` for the events of a queue, `concurrency` of them at once.

    With `once` a ledger sees to it that an event whose handler has returned is never handled again.
    Without it an event may be, for example after the server was killed, but takes half the time, as
    nothing is written for it. A handler that takes longer than `timeout_s` is interrupted. At the
    end what runs has `grace_s` to finish.
    """

    def __init__(
        self,
        bus: Bus,
        queue: Queue,
        handler: Handler,
        *,
        concurrency: int = CONCURRENCY,
        once: bool = True,
        timeout_s: float | None = None,
        grace_s: float = GRACE_S,
        source: str | None = None,
        metrics: "Metrics | None" = None,
    ) -> None:
        host = re.sub("[^a-zA-Z0-9-]", "-", socket.gethostname())
        self.id = f"{queue.name}.{host}-{os.getpid()}-{new_id()[:8]}"
        self.done = 0
        self._bus, self._queue, self._handler = bus, queue, handler
        self._concurrency, self._once, self._timeout_s = concurrency, once, timeout_s
        self._grace_s, self._metrics = grace_s, metrics
        self._source = source or f"/simbuilder/{queue.name}"
        self._ledger: Ledger | None = None
        self._gate = Gate()
        self._stopped = asyncio.Event()
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None

    def stop(self) -> None:
        """Take nothing more, finish what runs, return the rest; `run` ends when that is done."""
        self._stopped.set()

    async def run(self) -> None:
        """Work until `stop` is called; the queue is made first, if it is not there.

        Cancelled, it returns what runs to the queue without waiting for it. Raises what ends the
        connection, and `NoStreamError` where the queue's stream or the ledger is not declared.
        """
        await self._bus.ensure(Declaration(queues=(self._queue,)))
        async with AsyncExitStack() as stack:
            if self._once:
                members = await stack.enter_async_context(
                    membership(self._bus, self.id, self._queue.ack_wait_s)
                )
                bucket = self._bus.bucket(WORK.name)
                self._ledger = Ledger(bucket, self._queue.name, self.id, members)
            deliveries = await stack.enter_async_context(
                self._bus.pull(self._queue, batch=self._concurrency)
            )
            await self._tell(WorkerStarted(worker=self.id, queue=self._queue.name))
            reading = asyncio.create_task(self._reading(deliveries))
            try:
                await _either(reading, self._stopped)
                reading.cancel()
                await asyncio.wait((reading,))
                await deliveries.finish()
                await self._finish()
            finally:
                reading.cancel()
                await self._cancel_all()
            if not reading.cancelled():
                await reading
        if self._failed is not None:
            raise self._failed
        await self._tell(WorkerStopped(worker=self.id, queue=self._queue.name, done=self.done))

    async def _tell(self, data: EventData) -> None:
        try:
            await self._bus.publish(new_event(data, self._source), deadline_s=_TELL_S)
        except BusError:
            return  # nobody keeps it, or cannot just now: the work does not depend on it

    async def _reading(self, deliveries: Deliveries) -> None:
        async for delivery in deliveries:
            try:
                await self._slots.acquire()
            except asyncio.CancelledError:
                await delivery.nak()
                raise
            self._begin(delivery)

    def _begin(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._take(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = self._failed or error
            self._stopped.set()

    async def _finish(self) -> None:
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._grace_s)

    async def _cancel_all(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- one delivery ----------------------------------------------------------------------

    async def _take(self, delivery: Delivery) -> None:
        if self._metrics is not None:
            self._metrics.held(self._queue.name, len(self._tasks))
        try:
            await self._settle(delivery)
        except BusError as error:
            # nothing was finished or given up, or the ledger would know; somebody tries again
            await delivery.nak(_AFTER_TROUBLE_S)
            if isinstance(error, _FATAL):
                raise

    async def _settle(self, delivery: Delivery) -> None:
        message = delivery.message
        wanted = message.headers.get(deadletters.QUEUE, self._queue.name)
        if wanted != self._queue.name:
            await delivery.ack()  # sent to another queue alone; ours takes all subjects of a stream
            return
        if message.event is None:
            await self._give_up(delivery, "malformed", message.problem, delivery.attempt)
            await delivery.term("malformed")
            return
        key = message.event.identity
        if (run := message.headers.get(deadletters.RUN)) is not None:
            key = f"{key}~{run}"
        claim = await self._claim(delivery, key)
        if claim is None:
            return
        try:
            await self._work_on(delivery, claim, f"{self._queue.name}/{key}", message.event)
        except (BusError, asyncio.CancelledError) as error:
            if claim.record.state == "taken":  # it did not end: whoever has it next begins anew
                with suppress(TimeoutError):  # who cannot say so is found to be gone after a lease
                    async with asyncio.timeout(_LAST_WORDS_S):
                        await self._write(claim, replace(claim.record, state="free"))
            await delivery.nak(_AFTER_TROUBLE_S if isinstance(error, BusError) else 0.0)
            raise

    async def _claim(self, delivery: Delivery, key: str) -> Claim | None:
        """Take an event up; `None` if that is not for us to do, and the delivery is settled."""
        if self._ledger is None:
            before = delivery.attempt - 1
            record = Record("taken", self.id, before, before, delivery.attempt)
            return Claim("", replace(record, error="it was never settled"), 0, "ours")
        while True:
            claim = await self._ledger.claim(key)
            if claim.verdict == "ours":
                return claim
            if claim.verdict != "busy":
                await delivery.ack()
                self._count("skipped", 0.0)
                return None
            # its worker may be gone, or may finish: the delivery is kept alive until one is known
            self._slots.release()
            try:
                async with asyncio.timeout(self._queue.ack_wait_s / _BUSY_PAUSES):
                    await self._stopped.wait()
                await delivery.nak()
                return None
            except TimeoutError:
                continue
            finally:
                await self._slots.acquire()

    async def _work_on(self, delivery: Delivery, claim: Claim, key: str, event: Event) -> None:
        record, most = claim.record, self._queue.max_deliver
        if record.crashes >= most and record.cause is None:
            record = replace(record, cause="crashed", attempts=record.attempts - 1)
        if record.cause is None:
            began = asyncio.get_running_loop().time()
            ending = await self._attempt(delivery, claim, key, event)
            self._count(ending.outcome, began)
            if ending.outcome == "done":
                written = await _surely(self._write(claim, replace(record, state="done")))
                self.done += written  # in one step: others count meanwhile
                await (delivery.ack() if written else delivery.nak())
                return
            failures = record.failures + 1
            given_up = ending.final or failures >= most
            record = replace(
                record,
                state="free",
                failures=failures,
                error=kept(ending.problem),
                cause=ending.cause if given_up else None,
            )
            if not await self._write(claim, record):
                await delivery.nak()  # another has taken it over: what it finds is what counts
                return
            if not given_up:
                pause = self._queue.pause_s(failures) if ending.pause_s is None else ending.pause_s
                await delivery.nak(pause)
                return
        cause = record.cause or "failed"
        await self._give_up(delivery, cause, record.error, record.attempts)
        await self._write(claim, replace(record, state="dead"))
        await delivery.term(cause)

    async def _attempt(self, delivery: Delivery, claim: Claim, key: str, event: Event) -> Ending:
        """Run the handler, and say how that ended. Raises `BusError` if it could not begin."""
        try:
            event = await self._bus.whole(event)
        except EventError as error:
            return Ending("failed", "malformed", error.message, final=True)
        data, unfit = attempts.data_of(event)
        if unfit is not None:
            return unfit
        tries, message = claim.record.attempts, delivery.message
        job = Job(event, data, tries, key, message, self._bus, self._source)
        async with self._gate.through(alone=claim.record.suspect):
            if not await self._alone(claim):
                return Ending("skipped")
            return await attempts.run(self._handler, job, self._queue.name, self._timeout_s)

    async def _give_up(self, delivery: Delivery, cause: Cause, problem: str, tries: int) -> None:
        queue = self._queue.name
        await deadletters.bury(self._bus, queue, delivery.message, cause, problem, tries)
        if self._metrics is not None:
            self._metrics.dead(queue, cause)

    async def _alone(self, claim: Claim) -> bool:
        """Note that a suspect is handled alone from now on; `False` if another has taken it over.

        Only then does a death count against it: those that wait for their turn did nothing.
        """
        if self._ledger is None or not claim.record.suspect:
            return True
        return await self._ledger.note(claim, replace(claim.record, alone=True))

    async def _write(self, claim: Claim, record: Record) -> bool:
        return self._ledger is None or await self._ledger.finish(claim, record)

    def _count(self, outcome: "Outcome", began: float) -> None:
        if self._metrics is not None:
            seconds = asyncio.get_running_loop().time() - began if began else 0.0
            self._metrics.handled(self._queue.name, outcome, seconds)


async def _surely(work: Coroutine[Any, Any, T]) -> T:
    """Do what must be done even if we are cancelled meanwhile: an effect that is to be recorded."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,), timeout=_LAST_WORDS_S)
        task.cancel()
        raise


async def _either(task: "asyncio.Task[None]", event: asyncio.Event) -> None:
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
