"""What loading says about records: counts, remarks, and which of these mean that it is partial."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.graph.batches import Report, batches
from simbuilder.graph.errors import IncompletePassError
from simbuilder.graph.passes import Finished
from simbuilder.graph.preparing import Preparer
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark
from simbuilder.sessions.result import Problem

if TYPE_CHECKING:
    from simbuilder.cli.graph.outputs import ListingData, PassData, RemarkData
    from simbuilder.graph.loading import Hear

NOT_IN = {
    "dangling": "relationship(s) were left out: a node they tie is not in the graph",
    "unknown-kind": "record(s) were left out: the model has no such kind",
    "bad-record": "record(s) were left out: they are not what their format says",
    "other-kind": "node(s) were left out: the graph has that uid as another kind",
}
"""Remarks on what did not become part of the graph, and why; all others are mere remarks."""

_WHERE = "'--report FILE' writes them all down, docs/graph.md explains them"


def passed(source: str, form: str, finished: Finished) -> "PassData":
    """Return what became of a source."""
    report = finished.report
    return {
        "source": source,
        "format": form,
        "number": finished.number,
        "state": "complete" if finished.complete and not finished.lacking else "unproven",
        "resumed": report.skipped > 0,
        "skipped": report.skipped,
        "kinds": _kinds(report),
        "deleted": dict(sorted(report.deleted.items())),
        "remarks": _remarks(report),
        "complete": [_listing(each) for each in finished.complete],
        "lacking": [_listing(each) for each in finished.lacking],
    }


def looked_at(source: str, form: str, records: Iterable[Record], hear: "Hear") -> "PassData":
    """Read a source to its end and return what it holds; nothing is written."""
    from simbuilder.graph.model import SCHEMA

    report = Report()
    listings: list[Listing] = []

    def about_objects() -> Iterator[Node | Relationship]:
        for record in records:
            if isinstance(record, Listing):
                listings.append(record)
            elif isinstance(record, Remark):
                report.remark(record)
            else:
                yield record

    for batch in batches(about_objects(), Preparer(SCHEMA)):
        for remark in batch.remarks:
            report.remark(remark)
        report.count(batch.kind, "read", batch.read)
        report.count(batch.kind, "refused", batch.refused)
        report.count(batch.kind, "repeated", batch.read - batch.refused - len(batch.records))
        for remark in report.fresh:
            hear(remark)
        report.fresh.clear()
    return {
        "source": source,
        "format": form,
        "number": None,
        "state": "read",
        "resumed": False,
        "skipped": 0,
        "kinds": _kinds(report),
        "deleted": {},
        "remarks": _remarks(report),
        "complete": [_listing(each) for each in listings if each.complete],
        "lacking": [_listing(each) for each in listings if not each.complete],
    }


def problems(one: "PassData", prune: bool) -> tuple[Problem, ...]:
    """Return what of a source did not become part of the graph, or was not deleted from it."""
    found = [
        Problem(code, f"{one['source']}: {remarks['count']:,} {NOT_IN[code]}", _WHERE)
        for code, remarks in one["remarks"].items()
        if code in NOT_IN
    ]
    if prune and one["lacking"]:
        names = ", ".join(_short(each) for each in one["lacking"][:3])
        more = ", ..." if len(one["lacking"]) > 3 else ""
        found.append(_kept(f"{one['source']}: not provably complete: {names}{more}"))
    elif prune and not one["complete"]:
        found.append(_kept(f"{one['source']}: does not say how much there should be"))
    return tuple(found)


def _kept(why: str) -> Problem:
    hint = "so nothing of that was deleted; read the source again, whole and with its counts"
    return Problem.of(IncompletePassError(why, hint))


def _short(listing: "ListingData") -> str:
    of = "unknown" if listing["expected"] is None else f"{listing['expected']:,}"
    return f"{listing['collection']} ({listing['received']:,} of {of})"


def _kinds(report: Report) -> dict[str, dict[str, int]]:
    return {
        kind: {name: number for name, number in sorted(outcomes.items()) if number}
        for kind, outcomes in sorted(report.counts.items(), key=_nodes_first)
    }


def _nodes_first(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0].isupper(), item[0]


def _remarks(report: Report) -> "dict[str, RemarkData]":
    return {
        code: {
            "count": number,
            "examples": [{"at": r.at, "message": r.message} for r in report.examples[code]],
        }
        for code, number in sorted(report.remarks.items())
    }


def _listing(listing: Listing) -> "ListingData":
    return {
        "tenant": listing.tenant_id,
        "plane": listing.plane,
        "collection": listing.collection,
        "received": listing.received,
        "expected": listing.expected,
    }


@contextmanager
def written(target: Path | None) -> "Iterator[Hear]":
    """Give what writes each remark to the file, as a line of JSON; the file appears at the end."""
    if target is None:
        yield lambda _remark: None
        return
    from simbuilder.scaffolding.files import write_atomically

    with write_atomically(target) as out:

        def hear(remark: Remark) -> None:
            told = {"code": remark.code, "at": remark.at, "message": remark.message}
            out.write(json.dumps(told).encode() + b"\n")

        yield hear
