"""A loader in a process of its own, to be killed or measured: `python -m tests.graph_loader`.

It is told by its environment where the graph is, how much to load and in batches of what size.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

from simbuilder.graph.database import Address
from simbuilder.graph.records import Node, Relationship
from simbuilder.graph.service import open_graph
from tests.graphs import group, tie, user

SOURCE = "the same to the last byte"


def nodes(number: int) -> Iterator[Node]:
    for i in range(number):
        yield user(f"u{i}", name=f"User {i}", mail=f"u{i}@x", account_enabled=i % 2 == 0)
        if i % 10 == 0:
            yield group(f"g{i}", name=f"Group {i}", nested={"i": i})


def ties(number: int) -> Iterator[Relationship]:
    for i in range(number):
        yield tie("MEMBER_OF", f"u{i}", f"g{i // 10 * 10}")
        if i % 3 == 0:
            yield tie("OWNS", f"u{i}", f"g{i // 20 * 20}", derived=True)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def run(address: Address, told: dict[str, Any]) -> dict[str, Any]:
    number, size = int(told["number"]), int(told["size"])
    async with open_graph(address, deadline_s=60) as graph:
        await graph.initialize_schema()
        current = await graph.begin("loader", told.get("source", SOURCE))
        before = peak_bytes()
        await current.upsert(nodes(number), size)
        await current.link(ties(number if told.get("ties", True) else 0), size)
        await current.finish()
        grown = peak_bytes() - before
    report = current.report
    return {
        "number": current.number,
        "skipped": report.skipped,
        "grown": grown,
        "counted": {kind: dict(of) for kind, of in report.counts.items()},
    }


def main() -> None:
    told = json.loads(os.environ["GRAPH_LOADER"])
    address = Address(told["uri"], told["user"], told["password"])
    sys.stdout.write(json.dumps(asyncio.run(run(address, told))))


if __name__ == "__main__":
    main()
