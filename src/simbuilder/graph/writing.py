"""One batch, one transaction: what is new is created, what changed is kept and replaced."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simbuilder.graph import batches, cypher
from simbuilder.graph.batches import Batch, Report
from simbuilder.graph.database import Transaction
from simbuilder.graph.errors import GraphConstraintError
from simbuilder.graph.preparing import Prepared, Row
from simbuilder.graph.records import Remark
from simbuilder.graph.schema import Schema


@dataclass(frozen=True, slots=True)
class Moment:
    """The pass that writes, and the time that it gives to what it sees."""

    number: int
    at: str


async def write(
    schema: Schema,
    transaction: Transaction,
    batch: Batch,
    now: Moment,
    report: Report,
    *,
    fresh: bool,
) -> None:
    """Write a batch, and add what became of it to the report.

    Of a `fresh` kind no node is known to exist: they are created without a look, in two thirds of
    the time. If one does exist, all of it fails with a `GraphConstraintError`.
    """
    if not batch.records:
        return
    if fresh:
        await _create(schema, transaction, batch.kind, [r.row for r in batch.records], now)
        report.count(batch.kind, "created", len(batch.records))
    elif batch.kind in schema.node_kinds:
        await _write_nodes(schema, transaction, batch, now, report)
    else:
        await _write_relationships(schema, transaction, batch, now, report)


async def _write_nodes(
    schema: Schema, transaction: Transaction, batch: Batch, now: Moment, report: Report
) -> None:
    rows = [record.row for record in batch.records]
    touched = await transaction.run(
        cypher.TOUCH_NODES,
        rows=[{"uid": row["uid"], "hash": row["hash"]} for row in rows],
        **_moment(now),
    )
    found, odd = int(touched[0]["found"]), touched[0]["odd"]
    if found < len(rows):
        known: set[str] = set()
        if found:
            uids = [row["uid"] for row in rows]
            known = set((await transaction.run(cypher.PRESENT, uids=uids))[0]["uids"])
        missing = [row for row in rows if row["uid"] not in known]
        if found + len(missing) < len(rows):
            raise _meanwhile(batch)
        await _create(schema, transaction, batch.kind, missing, now)
        report.count(batch.kind, "created", len(missing))
    by_uid = {record.row["uid"]: record for record in batch.records}
    settled = _settle([(by_uid[each["was"]["uid"]], each) for each in odd], now, report)
    report.count(batch.kind, "unchanged", found - len(odd))
    if settled.replaced:
        await transaction.change(
            cypher.REPLACE_NODES, rows=[new for _record, new in settled.replaced]
        )
    if settled.versions:
        await transaction.change(cypher.KEEP_VERSIONS, rows=settled.versions)


async def _create(
    schema: Schema, transaction: Transaction, kind: str, rows: Sequence[Row], now: Moment
) -> None:
    statement = cypher.create_nodes(schema.node_kinds[kind])
    await transaction.change(statement, rows=[row["p"] for row in rows], **_moment(now))


async def _write_relationships(
    schema: Schema, transaction: Transaction, batch: Batch, now: Moment, report: Report
) -> None:
    kind = schema.relationship_kinds[batch.kind]
    rows = [record.row for record in batch.records]
    from_end, plain = batches.walks_from_end(rows), not any(row["p"] for row in rows)
    embedded = transaction.capabilities.embedded
    make = cypher.create_relationships if embedded else cypher.merge_relationships
    answer = await transaction.run(
        make(kind, from_end=from_end, plain=plain),
        rows=[{name: row[name] for name in row if row[name]} for row in rows] if plain else rows,
        **_moment(now),
    )
    found, created, odd = (answer[0][name] for name in ("found", "created", "odd"))
    report.count(batch.kind, "created", int(created))
    report.count(batch.kind, "unchanged", int(found) - int(created) - len(odd))
    by_ends = {batches.identity(row): batch.records[i] for i, row in enumerate(rows)} if odd else {}
    settled = _settle([(by_ends[batches.identity(each)], each) for each in odd], now, report)
    if settled.replaced:
        changed = [{**_ends(record), "p": new} for record, new in settled.replaced]
        await transaction.change(cypher.replace_relationships(kind, from_end), rows=changed)
    if settled.versions:
        await transaction.change(cypher.KEEP_VERSIONS, rows=settled.versions)
    if found < len(rows):
        await _report_dangling(transaction, batch, int(found), report)


async def _report_dangling(
    transaction: Transaction, batch: Batch, found: int, report: Report
) -> None:
    ends = {record.row[side] for record in batch.records for side in ("start", "end")}
    answer = await transaction.run(cypher.PRESENT, uids=sorted(ends))
    known = set(answer[0]["uids"])
    dangling = 0
    for record in batch.records:
        lacking = [record.row[side] for side in ("start", "end") if record.row[side] not in known]
        if not lacking:
            continue
        dangling += 1
        report.count(batch.kind, "elsewhere" if record.implied else "dangling")
        if not record.implied:
            there = f"{record.row['start']:.120} to {record.row['end']:.120}"
            text = f"{batch.kind} from {there}: the graph has no {lacking[0]:.120}"
            report.remark(Remark("dangling", record.at, text))
    if found + dangling < len(batch.records):
        raise _meanwhile(batch)


def _meanwhile(batch: Batch) -> GraphConstraintError:
    """Return what makes a batch be written again: its second look saw more than its first."""
    return GraphConstraintError(f"others kept creating nodes that {batch.kind} needs")


@dataclass(frozen=True)
class _Settled:
    replaced: list[tuple[Prepared, Row]]
    versions: list[Row]


def _settle(odd: Sequence[tuple[Prepared, Any]], now: Moment, report: Report) -> _Settled:
    """Decide about records that the graph has otherwise, and count them."""
    settled = _Settled([], [])
    for record, each in odd:
        was, seen = each["was"], int(each["seen"])
        verdict = batches.judge(record, was, seen, now.number)
        report.count(record.kind, "unchanged" if verdict == "mended" else verdict)
        remark = batches.remark_on(verdict, record, was)
        if remark:
            report.remark(remark)
        if verdict in ("updated", "mended", "repeated"):
            new = batches.replacement(record, was, now.number, now.at)
            settled.replaced.append((record, new))
            # what this pass itself has written is no former state
            if new["since"] != was["since"]:
                settled.versions.append(_version(record, was, now.number))
    return settled


def _version(record: Prepared, was: Row, until: int) -> Row:
    if "uid" in record.row:
        return batches.version(record.row["uid"], was, until)
    key = batches.version_key(record.kind, record.row)
    return batches.version(key, was, until, kind=record.kind, **_ends(record))


def _ends(record: Prepared) -> Row:
    return {name: record.row[name] for name in ("start", "end", "key")}


def _moment(now: Moment) -> dict[str, Any]:
    return {"pass": now.number, "at": now.at}
