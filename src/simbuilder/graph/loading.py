"""From sources into the graph: all of a source is read and understood before any is written."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from simbuilder.graph.batches import SIZE
from simbuilder.graph.passes import Finished, Progress
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark
from simbuilder.graph.service import GraphService
from simbuilder.graph.spool import Stream, spool

Tell = Callable[[str], None]
Hear = Callable[[Remark], None]


class _Ready(Protocol):
    listings: list[Listing]
    remarks: list[Remark]

    def nodes(self) -> Iterable[Node]: ...

    def relationships(self) -> Iterable[Relationship]: ...


async def load(
    graph: GraphService,
    records: Iterable[Record],
    *,
    name: str,
    source: str,
    vanished: bool,
    tell: Tell,
    hear: Hear = lambda _remark: None,
) -> Finished:
    """Load records in one pass, in whatever order they come.

    `source` is a digest of what they come from, `name` says for people what that is. Raises
    `GraphInputError` if it cannot be read to its end: then nothing has been written. `vanished`
    deletes what its complete listings no longer have, see `passes.Pass.finish`. `hear` is given
    every remark, of which the report only keeps the first.
    """
    with spool() as waiting:

        def read() -> None:
            for number in waiting.fill(records):
                if number % 10_000 == 0:
                    tell(f"{number:,} records read")

        await asyncio.to_thread(read)
        return await _write(graph, waiting, (name, source), vanished, tell, hear)


async def load_ordered(
    graph: GraphService, records: Iterable[Record], *, name: str, source: str, tell: Tell
) -> Finished:
    """Load records of our own making, nodes first, as they come."""
    return await _write(
        graph, Stream(records), (name, source), vanished=False, tell=tell, hear=lambda _remark: None
    )


async def _write(
    graph: GraphService,
    ready: _Ready,
    named: tuple[str, str],
    vanished: bool,
    tell: Tell,
    hear: Hear,
) -> Finished:
    def progress(progress: Progress) -> None:
        tell(f"{progress.records:,} records written, last {progress.kind}")

    await graph.initialize_schema()
    name, source = named
    # how far an interrupted pass has come is counted in batches: those of another size are others
    current = await graph.begin(name, f"{source} by {SIZE}" if source else "", progress, hear)
    if current.resumed:
        tell(f"goes on with pass {current.number}, which was interrupted")
    try:
        for remark in ready.remarks:
            current.remark(remark)
        await current.upsert(ready.nodes())
        await current.link(ready.relationships())
        return await current.finish(ready.listings, vanished=vanished)
    except BaseException:  # Ctrl-C as well
        await current.release()
        raise
