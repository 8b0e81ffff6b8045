"""Loads a bundle with the driver alone: the script anybody would write, with the same batches.

It writes what the model wants of every node and relationship, and nothing that makes a load safe:
no hashes, no revisions, no history, no progress, no look at what is there.

Run as `python -m benchmarks.bare_load FILE`; where to is said by NEO4J_URI and NEO4J_PASSWORD.
"""

import os
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from neo4j import Driver, GraphDatabase

from simbuilder.graph.model import SCHEMA

BATCH = 10_000
NOW = datetime.now(UTC).isoformat(timespec="milliseconds")


def load(driver: Driver, file: str) -> None:
    """Read lines, gather rows by kind, write each ten thousand of a kind in one transaction."""
    waiting: dict[str, list[dict[str, Any]]] = {}
    last = "node"
    with open(file, "rb") as lines:  # noqa: PTH123 - as in a script
        for line in lines:
            for what, said in orjson.loads(line).items():
                if what not in ("node", "relationship"):
                    continue
                if what != last:
                    flush(driver, waiting)
                last = what
                rows = waiting.setdefault(said["kind"], [])
                rows.append(row(what, said))
                if len(rows) >= BATCH:
                    write(driver, said["kind"], waiting.pop(said["kind"]))
    flush(driver, waiting)


def row(what: str, said: dict[str, Any]) -> dict[str, Any]:
    """Return what is sent for one line."""
    if what == "relationship":
        own = said["properties"] | {"snapshot_id": 2}
        return {"start": said["from"], "end": said["to"], "p": own}
    own = {name: value for name, value in said["properties"].items() if type(value) is not dict}
    kind = SCHEMA.node_kinds[said["kind"]]
    own |= {"uid": said["uid"], "tenant_id": said["tenant"], "kind": kind.name}
    own |= {"plane": "observed", "collection": kind.collection, "objectid": said["uid"].upper()}
    return own | {"first_seen": NOW, "last_seen": NOW, "snapshot_id": 2}


def flush(driver: Driver, waiting: dict[str, list[dict[str, Any]]]) -> None:
    """Write what has gathered, and forget it."""
    for kind in list(waiting):
        write(driver, kind, waiting.pop(kind))


def write(driver: Driver, kind: str, rows: list[dict[str, Any]]) -> None:
    """Write one batch with `UNWIND`, and `MERGE` where that is not a search of the whole graph."""
    if kind in SCHEMA.node_kinds:
        labels = ":".join(SCHEMA.node_kinds[kind].labels)
        statement = (
            f"UNWIND $rows AS row MERGE (n:Entity {{uid: row.uid}}) SET n:{labels}, n += row"
        )
        if "ArcadeDB" in driver.get_server_info().agent:  # labels cannot be added there
            statement = f"UNWIND $rows AS row CREATE (n:{labels}) SET n = row"
    else:
        start, end = "(a:Entity {uid: row.start})", "(b:Entity {uid: row.end})"
        many_ends = len({each["end"] for each in rows}) > len({each["start"] for each in rows})
        ends, tie = f"MATCH {start} MATCH {end}", f"(a)-[r:{kind}]->(b)"
        if many_ends:  # from the other side a tenant's ties take hours in ArcadeDB
            ends, tie = f"MATCH {end} MATCH {start}", f"(b)<-[r:{kind}]-(a)"
        statement = f"UNWIND $rows AS row {ends} MERGE {tie} SET r += row.p"
    driver.execute_query(statement, {"rows": rows}, database_="neo4j")


def main() -> None:
    """Declare the one constraint that makes it fast, and load."""
    with GraphDatabase.driver(
        os.environ["NEO4J_URI"],
        auth=("neo4j", os.environ["NEO4J_PASSWORD"]),
        notifications_min_severity="OFF",
    ) as driver:
        driver.execute_query(
            "CREATE CONSTRAINT entity_uid IF NOT EXISTS FOR (n:Entity) REQUIRE n.uid IS UNIQUE",
            database_="neo4j",
        )
        load(driver, sys.argv[1])


if __name__ == "__main__":
    main()
