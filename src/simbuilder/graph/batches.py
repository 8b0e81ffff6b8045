"""From a stream of records to batches, and from what the graph had to what is to be done. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simbuilder.graph.preparing import Prepared, Preparer, Row, said
from simbuilder.graph.records import Node, Relationship, Remark

SIZE = 10_000
"""Records of a batch, which is one transaction."""

_EXAMPLES = 20


@dataclass
class Report:
    """What became of the records of one pass: every one of them is counted once.

    `counts` has created, updated, unchanged, repeated, dangling, outdated, refused by kind.
    `skipped` are those of batches that an interrupted pass had already written.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Remark]] = field(default_factory=dict)
    fresh: list[Remark] = field(default_factory=list)
    """Every remark since whoever reads them has cleared this."""
    skipped: int = 0
    deleted: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str, outcome: str, number: int = 1) -> None:
        """Count records of a kind that had an outcome."""
        if number:
            self.counts.setdefault(kind, Counter())[outcome] += number

    def remark(self, remark: Remark) -> None:
        """Count a remark, and keep it if it is among the first of its code."""
        self.remarks[remark.code] += 1
        self.fresh.append(remark)
        kept = self.examples.setdefault(remark.code, [])
        if len(kept) < _EXAMPLES:
            kept.append(remark)

    def add(self, other: "Report") -> None:
        """Add what another report has counted."""
        for kind, outcomes in other.counts.items():
            self.counts.setdefault(kind, Counter()).update(outcomes)
        self.remarks.update(other.remarks)
        for code, examples in other.examples.items():
            kept = self.examples.setdefault(code, [])
            kept += examples[: _EXAMPLES - len(kept)]
        self.fresh += other.fresh
        self.skipped += other.skipped
        self.deleted.update(other.deleted)

    def total(self, *outcomes: str) -> int:
        """Return how many records had one of the outcomes."""
        return sum(of[outcome] for of in self.counts.values() for outcome in outcomes)


@dataclass(frozen=True, slots=True)
class Batch:
    """Prepared records of one kind, no two of them the same, and remarks on those left out."""

    kind: str
    records: tuple[Prepared, ...]
    read: int
    """How many records were read for it, repeated and refused ones included."""
    refused: int
    remarks: tuple[Remark, ...] = ()


def batches(
    records: Iterable[Node | Relationship], preparer: Preparer, size: int = SIZE
) -> Iterator[Batch]:
    """Yield the records as batches of one kind each, in an order that depends on them alone.

    All that waits, of whatever kinds, is never more than a batch. Of two records for one thing the
    later counts.
    """
    waiting: dict[str, dict[str, Prepared]] = {}
    read: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    remarks: list[Remark] = []
    held = 0
    for record in records:
        prepared = (
            preparer.node(record, remarks)
            if isinstance(record, Node)
            else preparer.relationship(record, remarks)
        )
        read[record.kind] += 1
        if prepared is None:
            refused[record.kind] += 1
            continue
        of_kind = waiting.setdefault(prepared.kind, {})
        key = identity(prepared.row)
        known = of_kind.get(key)
        if known is not None:
            if not prepared.implied:
                remarks.append(_again(key, prepared, known.row["hash"]))
            del of_kind[key]
            held -= 1
        of_kind[key] = prepared
        held += 1
        if held >= size:
            kind = max(waiting, key=lambda name: len(waiting[name]))
            full = waiting.pop(kind)
            held -= len(full)
            yield _batch(kind, full, (read.pop(kind), refused.pop(kind, 0)), remarks)
            remarks = []
    for kind, rest in waiting.items():
        yield _batch(kind, rest, (read.pop(kind), refused.pop(kind, 0)), remarks)
        remarks = []
    for kind, number in read.items():  # of which none could be prepared
        yield _batch(kind, {}, (number, refused[kind]), remarks)
        remarks = []


def together(stream: Iterable[Batch], size: int = SIZE) -> Iterator[tuple[Batch, ...]]:
    """Yield batches that make one transaction: as many as come in a row and have room in `size`.

    A tenant has a hundred kinds, most of them few objects, and a transaction costs as much as a
    thousand of those.
    """
    held: list[Batch] = []
    room = size
    for batch in stream:
        if held and len(batch.records) > room:
            yield tuple(held)
            held, room = [], size
        held.append(batch)
        room -= len(batch.records)
    if held:
        yield tuple(held)


def identity(row: Row) -> str:
    """Return what tells a row from others of its kind."""
    if "uid" in row:
        return str(row["uid"])
    by = ("BY", row["key"]) if row["key"] else ()  # uids are lower case: no two ties read alike
    return "\n".join((row["start"], "TO", row["end"], *by))


def version_key(kind: str, row: Mapping[str, Any]) -> str:
    """Return by what the former states of a relationship are found, as a node's are by its uid."""
    start, end = (row[side].replace("|", "%7C") for side in ("start", "end"))
    return "|".join((start, kind, end, *([row["key"]] if row["key"] else ())))


def _batch(
    kind: str, of_kind: dict[str, Prepared], counts: tuple[int, int], remarks: list[Remark]
) -> Batch:
    # in one order everywhere, so that loaders at work on the same objects wait, not deadlock
    ordered = tuple(of_kind[key] for key in sorted(of_kind))
    return Batch(kind, ordered, *counts, tuple(remarks))


def _again(key: str, record: Prepared, former: str) -> Remark:
    differs = "" if record.row["hash"] == former else ", and it differs: the later counts"
    name = key.replace("\n", " ").strip()
    return Remark("duplicate", record.at, f"{record.kind} {name:.160} is there again{differs}")


def walks_from_end(rows: Iterable[Row]) -> bool:
    """Whether ties are looked up from their ends: from the side with more different nodes.

    Those have fewer ties each.
    """
    starts = {row["start"] for row in rows}
    ends = {row["end"] for row in rows}
    return len(ends) > len(starts)


# --- what to do about a record that the graph has otherwise ----------------------------------

Verdict = Literal["repeated", "updated", "mended", "outdated", "other-kind"]


def judge(record: Prepared, was: Mapping[str, Any], seen: int, number: int) -> Verdict:
    """Say what a record is to what the graph `was`, which pass `seen` saw last; ours is `number`.

    "mended" only loses the mark of an edit: the source says what the edit had said. An edit made
    after our pass began is later than what we have read.
    """
    own = record.row["p"]
    if "uid" in own and was.get("kind") != own["kind"]:
        return "other-kind"
    if seen > number or was.get("since", 0) > number:
        return "outdated"
    if seen == number:
        return "repeated"
    return "mended" if said(was) == said(own) else "updated"


def replacement(record: Prepared, was: Mapping[str, Any], number: int, at: str) -> Row:
    """Return the properties of a record that takes the place of what `was`, edit or not."""
    own = record.row["p"]
    changed = said(was) != said(own)
    row = {**own, "snapshot_id": number, "since": number if changed else was["since"]}
    if "uid" in own:
        row |= {"first_seen": was["first_seen"], "last_seen": at}
        row["revision"] = was["revision"] + changed
    return row


def version(of: str, was: Mapping[str, Any], until: int, **more: Any) -> Row:
    """Return the row that keeps a former state: what it was, and until which pass."""
    return {**was, **more, "of": of, "until": until}


def remark_on(verdict: Verdict, record: Prepared, was: Mapping[str, Any]) -> Remark | None:
    """Return what a report says about a record with this verdict, if anything."""
    if verdict == "repeated" and not record.implied:
        return _again(identity(record.row), record, was.get("hash", ""))
    name = identity(record.row).replace("\n", " ").strip()
    if verdict == "outdated":
        return Remark(
            "outdated", record.at, f"{name:.160}: a later pass has seen it, left as it is"
        )
    if verdict == "other-kind":
        said_kind = f"{name:.160} is a {was.get('kind')} in the graph, not a {record.kind}"
        return Remark("other-kind", record.at, said_kind)
    return None
