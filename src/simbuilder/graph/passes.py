"""A pass: one look at a source, written in batches, taken up again where it was interrupted.

Each pass has a number, which names the state of the graph after it: a snapshot. Each batch is one
transaction that also says how far the pass has come, so that a killed loader which begins anew with
the same source goes on after the last batch that was written. Two loaders never write one pass:
whoever takes it up becomes its owner, and the former one's next batch fails.
"""

import asyncio
import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from simbuilder.graph import cypher
from simbuilder.graph.batches import SIZE, Batch, Report, batches, together
from simbuilder.graph.database import Database, Transaction
from simbuilder.graph.errors import (
    GraphConflictError,
    GraphConstraintError,
    GraphError,
    GraphQueryError,
)
from simbuilder.graph.preparing import Preparer
from simbuilder.graph.pruning import prune
from simbuilder.graph.records import Listing, Node, Relationship, Remark
from simbuilder.graph.schema import Schema
from simbuilder.graph.writing import Moment, write

ABANDONED_S = 20.0
"""A pass whose owner has written nothing for so long can be taken up by another."""

_BATCH_DEADLINE_S = 120.0
_RELEASE_S = 2.0
_TRIES = 8


@dataclass(frozen=True)
class Progress:
    """How far a pass has come."""

    number: int
    kind: str
    """What its last batch was of."""
    records: int
    """Read so far in this pass, written or not."""


@dataclass(frozen=True)
class Listeners:
    """Who hears of a pass: how far it has come, and every remark once its batch is written."""

    tell: Callable[[Progress], None]
    hear: Callable[[Remark], None]


@dataclass(frozen=True)
class Finished:
    """How a pass ended. `complete` are the listings that proved themselves so, `lacking` others."""

    number: int
    report: Report
    complete: tuple[Listing, ...]
    lacking: tuple[Listing, ...]


class Pass:
    """A pass that has begun: `upsert` nodes, `link` them, then `finish`."""

    def __init__(
        self,
        database: Database,
        schema: Schema,
        now: Moment,
        owner: str,
        position: int,
        listeners: Listeners,
    ) -> None:
        self.number = now.number
        self.report = Report()
        self._database, self._schema, self._now = database, schema, now
        self._owner, self._resumed_after, self._listeners = owner, position, listeners
        self._position = 0
        self._known: set[str] | None = None
        """Kinds of which the graph may have nodes that are not of this pass; not asked for yet."""
        self._preparer = Preparer(schema)
        self._records = 0

    @property
    def resumed(self) -> bool:
        """Whether an interrupted pass left batches that need not be written again."""
        return self._resumed_after > 0

    async def upsert(self, nodes: Iterable[Node], size: int = SIZE) -> None:
        """Create the nodes that are new, replace those that changed, touch the rest.

        Raises a `GraphError` if a batch could not be written; all batches before it are.
        """
        await self._write_all(nodes, size)

    async def link(self, relationships: Iterable[Relationship], size: int = SIZE) -> None:
        """Do the same with relationships, whose nodes must be there by now.

        Those whose nodes are not are reported as dangling.
        """
        await self._write_all(relationships, size)

    def remark(self, remark: Remark) -> None:
        """Add to the report what was found before it became a record."""
        self.report.remark(remark)
        self._pass_on()

    def _pass_on(self) -> None:
        for remark in self.report.fresh:
            self._listeners.hear(remark)
        self.report.fresh.clear()

    async def finish(self, listings: Sequence[Listing] = (), *, vanished: bool = False) -> Finished:
        """End the pass; with `vanished`, delete what its complete listings no longer have.

        A listing is complete if its source said how much it holds and all of that was read, and
        no record of the pass had to be refused. Nothing of any other listing is deleted.
        """
        standing = (await self._database.read(cypher.STANDING, number=self.number))[0]
        if standing["owner"] != self._owner:
            raise self._lost()
        sound = not self.report.total("refused") and not standing["odd"]
        complete = tuple(each for each in listings if each.complete and sound)
        lacking = tuple(each for each in listings if each not in complete)
        if vanished:
            gone = await prune(self._database, self._schema, complete, self.number)
            self.report.deleted.update(gone)
        await self._database.write(
            cypher.ENDED,
            number=self.number,
            state="complete" if listings and not lacking else "unproven",
            at=moment(),
            listings=json.dumps([asdict(each) for each in listings]),
        )
        return Finished(self.number, self.report, complete, lacking)

    async def release(self) -> None:
        """Let another take the pass up at once, for one that cannot go on.

        Does nothing if the database does not answer soon: then it can be taken up a while later.
        """

        async def work(transaction: Transaction) -> None:
            await transaction.run(cypher.RELEASED, number=self.number, owner=self._owner)

        with suppress(GraphError):
            await self._database.writing(work, _RELEASE_S)

    async def _write_all(self, records: Iterable[Node | Relationship], size: int) -> None:
        stream = together(batches(records, self._preparer, size), size)
        while (some := await asyncio.to_thread(next, stream, None)) is not None:
            await self._write(some)
            self._records += sum(batch.read for batch in some)
            self._listeners.tell(Progress(self.number, some[-1].kind, self._records))
            del some  # before the next are made: they are most of the memory there is

    async def _write(self, some: Sequence[Batch]) -> None:
        report = Report()
        for batch in some:
            for remark in batch.remarks:
                report.remark(remark)
            report.count(batch.kind, "refused", batch.refused)
            report.count(batch.kind, "repeated", batch.read - batch.refused - len(batch.records))
        self._position += 1
        if self._position <= self._resumed_after:
            report.skipped = sum(len(batch.records) for batch in some)
        else:
            report.add(await self._persistently(some))
        self.report.add(report)
        self._pass_on()

    async def _persistently(self, some: Sequence[Batch]) -> Report:
        """Write batches; again if they met nodes they took for new, or that others just made."""
        if self._known is None:
            self._known = {row["kind"] for row in await self._database.read(cypher.KINDS)}
        known = self._known

        async def work(transaction: Transaction) -> Report:
            report = Report()  # of this attempt alone: the driver may need several
            if not await self._keep(transaction):
                report.skipped = sum(len(batch.records) for batch in some)
                return report
            for batch in some:
                fresh = batch.kind in self._schema.node_kinds and batch.kind not in known
                await write(self._schema, transaction, batch, self._now, report, fresh=fresh)
            if report.remarks["other-kind"]:
                await transaction.run(cypher.ODD, number=self.number)
            return report

        for attempt in range(_TRIES):
            try:
                return await self._database.writing(work, _BATCH_DEADLINE_S)
            except GraphConstraintError:
                known.update(batch.kind for batch in some)
                await _pause(attempt)
            except GraphQueryError:  # ArcadeDB, where two meet a kind for the first time
                if attempt == _TRIES // 2:
                    raise
                await _pause(attempt)
        return await self._database.writing(work, _BATCH_DEADLINE_S)

    def _lost(self) -> GraphConflictError:
        return GraphConflictError(
            f"another loader has taken up pass {self.number}",
            "let it finish, or run this one again afterwards",
        )

    async def _keep(self, transaction: Transaction) -> bool:
        """Say how far the pass has come; `False` if it had come so far already."""
        kept = await transaction.run(
            cypher.KEPT,
            number=self.number,
            owner=self._owner,
            renewed=time.time(),
            position=self._position,
        )
        if not kept:
            raise self._lost()
        return int(kept[0]["done"]) < self._position


async def begin(
    database: Database,
    schema: Schema,
    source: str,
    name: str,
    listeners: Listeners,
) -> Pass:
    """Begin a pass, or take up the one that was interrupted over the same `source`.

    `source` is a digest of all that will be read: only what is the same to the last byte comes in
    the same batches. `name` is for people. An empty `source` is never taken up.
    """
    owner = uuid.uuid4().hex

    async def work(transaction: Transaction) -> tuple[int, int, str]:
        if source:
            for row in await transaction.run(cypher.OPEN_PASSES, source=source):
                if time.time() - row["renewed"] < ABANDONED_S:
                    continue
                number, renewed = int(row["number"]), time.time()
                taken = await transaction.run(
                    cypher.TAKEN,
                    number=number,
                    owner=owner,
                    before=row["renewed"],
                    renewed=renewed,
                )
                if taken:
                    return number, int(taken[0]["position"]), str(row["started"])
        number, at = int((await transaction.run(cypher.NUMBERED))[0]["number"]), moment()
        about = {"number": number, "source": source, "name": name, "owner": owner}
        await transaction.run(cypher.BEGUN, **about, renewed=time.time(), at=at)
        if source:
            stale = time.time() - ABANDONED_S
            await transaction.run(cypher.SUPERSEDE, source=source, before=stale)
        return number, 0, at

    for attempt in range(_TRIES):
        try:
            number, position, at = await database.writing(work)
            break
        except GraphConstraintError:  # another has begun with the same number
            if attempt == _TRIES - 1:
                raise
            await _pause(attempt)
    return Pass(database, schema, Moment(number, at), owner, position, listeners)


async def _pause(attempt: int) -> None:
    """Wait longer each time, and not as long as others do; the first time not at all."""
    if attempt:
        await asyncio.sleep(random.uniform(0.5, 1.5) * 0.05 * 2**attempt)  # noqa: S311


def moment() -> str:
    """Return the present time, as ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
