"""Looking for ways through the graph, with what the database at hand can do."""

from collections.abc import AsyncIterator, Mapping, Sequence

from simbuilder.graph import cypher, paths
from simbuilder.graph.database import Database
from simbuilder.graph.errors import NoSuchNodeError, no_such_node
from simbuilder.graph.paths import Path


async def shortest(
    database: Database, allowed: Sequence[str], ends: Mapping[str, str], k: int, length: int
) -> list[Path]:
    """Return the `k` shortest paths between two `ends`, none longer than `length`.

    Raises `NoSuchNodeError` if one of the ends is not there.
    """
    rows = await database.read(paths.shortest(allowed, length), **ends)
    if not rows:
        raise await _lacking(database, ends)
    if rows[0]["ties"] is None:
        return []
    first = paths.read(rows[0])
    if k == 1:
        return [first]
    if database.capabilities.k_shortest:
        rows = await database.read(paths.k_shortest(allowed, length, k), **ends)
        return [paths.read(row) for row in rows]
    return await _length_by_length(database, allowed, ends, k, range(first.length, length + 1))


async def _lacking(database: Database, ends: Mapping[str, str]) -> NoSuchNodeError:
    known = (await database.read(cypher.PRESENT, uids=list(ends.values())))[0]["uids"]
    return no_such_node(next((uid for uid in ends.values() if uid not in known), "any more"))


async def _length_by_length(
    database: Database, allowed: Sequence[str], ends: Mapping[str, str], k: int, lengths: range
) -> list[Path]:
    found: list[Path] = []
    for at in lengths:
        statement = paths.of_length(allowed, at)
        rows = await database.read(statement, **ends, limit=k - len(found))
        found += map(paths.read, rows)
        if len(found) == k:
            break
    return found


async def every(
    database: Database, allowed: Sequence[str], ends: Mapping[str, str], length: int, limit: int
) -> AsyncIterator[Path]:
    """Yield the paths that visit no node twice, no longer than `length`, the short ones first.

    Raises `NoSuchNodeError` if one of the ends is not there.
    """
    if len((await database.read(cypher.PRESENT, uids=list(ends.values())))[0]["uids"]) < len(ends):
        raise await _lacking(database, ends)
    left = limit
    for at in range(1, length + 1):
        statement = paths.of_length(allowed, at)
        async for row in database.stream(statement, **ends, limit=left):
            yield paths.read(row)
            left -= 1
        if left <= 0:
            return
