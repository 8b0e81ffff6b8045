"""Deleting what a complete listing no longer has; its last state is kept as history."""

from collections import Counter
from collections.abc import Iterable

from simbuilder.graph import cypher
from simbuilder.graph.batches import version, version_key, walks_from_end
from simbuilder.graph.database import Database, Transaction
from simbuilder.graph.preparing import Row
from simbuilder.graph.records import Listing, fold
from simbuilder.graph.schema import RelationshipKind, Schema

_AT_ONCE = 2_000


async def prune(
    database: Database, schema: Schema, listings: Iterable[Listing], number: int
) -> "Counter[str]":
    """Delete what listings held before pass `number` and what that pass did not see.

    Nothing outside their tenants, planes and collections is deleted, except the ties of deleted
    nodes. Returns how much was deleted of each kind. The caller has seen that all are complete.
    """
    deleted: Counter[str] = Counter()
    complete = {(fold(each.tenant_id), each.plane, each.collection) for each in listings}
    for row in await database.read(cypher.LISTED_NODES, **{"pass": number}):
        if (row["tenant"], row["plane"], row["collection"]) in complete:
            deleted.update(await _prune_nodes(database, {**row, "limit": _AT_ONCE}, number))
    for row in await database.read(cypher.LISTED_TIES, **{"pass": number}):
        kind = schema.relationship_kinds.get(row["kind"])
        if kind and (row["tenant"], row["plane"], row["collection"]) in complete:
            where = {**row, "pass": number, "limit": _AT_ONCE}
            deleted.update(await _prune_ties(database, kind, where, number))
    return deleted


async def _prune_nodes(database: Database, where: Row, number: int) -> "Counter[str]":
    deleted: Counter[str] = Counter()
    while found := await database.read(cypher.VANISHED_NODES, **where, **{"pass": number}):
        deleted.update(await delete_nodes(database, [row["uid"] for row in found], number))
    return deleted


async def delete_nodes(database: Database, uids: list[str], number: int) -> "Counter[str]":
    """Delete nodes that pass `number` has not seen, and their ties, all in one transaction."""

    async def work(transaction: Transaction) -> Counter[str]:
        deleted: Counter[str] = Counter()
        locked = await transaction.run(cypher.LOCK_VANISHED, uids=uids, **{"pass": number})
        gone = [row["was"] for row in locked]
        ties = await transaction.run(cypher.TIES_OF, uids=[was["uid"] for was in gone])
        deleted.update(was["kind"] for was in gone)
        deleted.update(tie["kind"] for tie in ties)
        kept = [version(was["uid"], was, number) for was in gone]
        kept += [tie_version(tie["kind"], tie, number) for tie in ties]
        await transaction.change(cypher.KEEP_VERSIONS, rows=kept)
        await transaction.change(cypher.DELETE_NODES, uids=[was["uid"] for was in gone])
        return deleted

    return await database.writing(work)


def tie_version(kind: str, tie: Row, until: int) -> Row:
    """Return the row that keeps the last state of a tie, from its ends and what it `was`."""
    ends = {"start": tie["start"], "end": tie["end"], "key": tie["was"].get("key", "")}
    return version(version_key(kind, ends), tie["was"], until, kind=kind, **ends)


async def _prune_ties(
    database: Database, kind: RelationshipKind, where: Row, number: int
) -> "Counter[str]":
    deleted: Counter[str] = Counter()
    while found := await database.read(cypher.vanished_relationships(kind), **where):
        rows = [
            {"start": tie["start"], "end": tie["end"], "key": tie["was"].get("key", "")}
            for tie in found
        ]

        async def work(transaction: Transaction, rows: list[Row] = rows) -> int:
            statement = cypher.delete_relationships(kind, walks_from_end(rows))
            gone = await transaction.run(statement, rows=rows, **{"pass": number})
            kept = [tie_version(kind.name, tie, number) for tie in gone]
            await transaction.change(cypher.KEEP_VERSIONS, rows=kept)
            return len(gone)

        deleted[kind.name] += await database.writing(work)
    return deleted
