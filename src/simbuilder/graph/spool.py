"""Records on disk between their source and their destination: read whole before any is written."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from heapq import merge
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import orjson

from simbuilder.graph.records import Listing, Node, Plane, Record, Relationship, Remark

PIECE = 20_000
"""Lines that are sorted in memory at once."""


class Spool:
    """Records that wait in a temporary folder; however many, they take no memory."""

    def __init__(self, folder: Path) -> None:
        self._nodes, self._ties = folder / "nodes", folder / "relationships"
        self.listings: list[Listing] = []
        self.remarks: list[Remark] = []

    def fill(self, records: Iterable[Record]) -> Iterator[int]:
        """Take in all records; yield how many there are so far, every thousand."""
        with self._nodes.open("wb") as nodes, self._ties.open("wb") as ties:
            for number, record in enumerate(records, 1):
                if isinstance(record, Node):
                    _put(nodes, record)
                elif isinstance(record, Relationship):
                    _put(ties, record)
                else:
                    self._note(record)
                if number % 1000 == 0:
                    yield number

    async def fill_from(
        self, nodes: AsyncIterator[Node], relationships: AsyncIterator[Relationship]
    ) -> None:
        """Take in all nodes, then all relationships, in order: by kind, then by uids.

        Databases are not asked for that: they would sort in memory, and ArcadeDB refuses to. What
        a whole graph has of each collection, it has all of: the `listings` say so.
        """
        counts: Counter[tuple[str, Plane, str]] = Counter()
        for path, records in ((self._nodes, nodes), (self._ties, relationships)):
            lines = _Sorted(path)
            async for record in records:
                collection = record.collection or record.kind
                counts[record.tenant_id, record.plane, collection] += 1
                lines.put(_line(record, orjson.OPT_SORT_KEYS))
            lines.finish()
        self.listings = [Listing(*where, n, n) for where, n in sorted(counts.items())]

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes, in the order in which they came, or were put."""
        with self._nodes.open("rb") as file:
            for line in file:
                yield Node(*orjson.loads(line))

    def relationships(self) -> Iterator[Relationship]:
        """Yield the relationships, likewise."""
        with self._ties.open("rb") as file:
            for line in file:
                yield Relationship(*orjson.loads(line))

    def _note(self, record: Listing | Remark) -> None:
        if isinstance(record, Listing):
            self.listings.append(record)
        else:
            self.remarks.append(record)


class _Sorted:
    """A file of lines in order: sorted on disk, piece by piece, then merged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: list[bytes] = []
        self._pieces: list[Path] = []

    def put(self, line: bytes) -> None:
        self._held.append(line)
        if len(self._held) == PIECE:
            piece = self._path.with_name(f"{self._path.name}-{len(self._pieces)}")
            with piece.open("wb") as file:
                file.writelines(sorted(self._held))
            self._pieces.append(piece)
            self._held.clear()

    def finish(self) -> None:
        with ExitStack() as stack:
            pieces = [stack.enter_context(piece.open("rb")) for piece in self._pieces]
            file = stack.enter_context(self._path.open("wb"))
            file.writelines(merge(*pieces, sorted(self._held)))


class Stream:
    """The same for records that come in the right order: nodes first, read once as they come."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = iter(records)
        self._held: Record | None = None
        self.listings: list[Listing] = []
        self.remarks: list[Remark] = []

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes, up to the first relationship."""
        for record in self._records:
            if isinstance(record, Node):
                yield record
            elif isinstance(record, Relationship):
                self._held = record
                return
            elif isinstance(record, Listing):
                self.listings.append(record)

    def relationships(self) -> Iterator[Relationship]:
        """Yield the relationships, once the nodes have been read."""
        if isinstance(self._held, Relationship):
            yield self._held
        for record in self._records:
            if isinstance(record, Relationship):
                yield record
            elif isinstance(record, Listing):
                self.listings.append(record)


@contextmanager
def spool() -> Iterator[Spool]:
    """Keep a spool for as long as the block lasts."""
    with TemporaryDirectory(prefix="simbuilder-graph-") as folder:
        yield Spool(Path(folder))


def _put(file: BinaryIO, record: Node | Relationship) -> None:
    file.write(_line(record))


def _line(record: Node | Relationship, option: int = 0) -> bytes:
    row: list[object]
    if isinstance(record, Node):
        row = [record.kind, record.uid, record.tenant_id, record.properties]
        row += [record.plane, record.collection, record.at]
    else:
        row = [record.kind, record.start, record.end, record.tenant_id, record.properties]
        row += [record.plane, record.collection, record.at]
        row.append(record.implied)
    return orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE | option)
