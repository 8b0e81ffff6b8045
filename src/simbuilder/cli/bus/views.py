"""How the data of each command's result looks as text, one function each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simbuilder.cli.streams import line, shown, talk
from simbuilder.cli.tabular import table as rows_of

_LONGEST = 100
"""Characters of an error that a table shows; `dlq show` and `--json` have all of it."""

Data = Mapping[str, Any]


def _show_ensured(data: Data) -> None:
    for one in data["changes"]:
        what = f": {one['what']} {one['before']} -> {one['after']}" if one["what"] else ""
        lossy = ", which deletes events" if one["lossy"] else ""
        line(shown(f"{one['verb']} {one['kind']} {one['name']}{what}{lossy}"))
    if not data["changes"]:
        line("nothing to do")


def _show_streams(data: Data) -> None:
    if not data["streams"]:
        talk("no streams; 'simbuilder bus ensure' makes the declared ones")
        return
    clustered = any(one["leader"] for one in data["streams"])
    columns = ("STREAM", "MESSAGES", "SIZE", "FIRST", "LAST", "AT", "QUEUES", "SUBJECTS")
    rows = [
        (
            one["name"],
            f"{one['messages']:,}",
            _size(one["bytes"]),
            str(one["first_sequence"]),
            str(one["last_sequence"]),
            _second(one["last_time"] if one["messages"] else None),
            str(one["consumers"]),
            *((f"{one['replicas']}", one["leader"] or "-") if clustered else ()),
            ", ".join(one["subjects"]),
        )
        for one in data["streams"]
    ]
    _table((*columns[:-1], *(("COPIES", "LEADER") if clustered else ()), columns[-1]), rows)


def _show_consumers(data: Data) -> None:
    if not data["consumers"]:
        talk("no queues; the programs that work on them make them")
        return
    rows = [
        (
            one["name"],
            one["stream"],
            "by key" if one["ordered"] else "any",
            f"{one['lag']:,}",
            f"{one['pending']:,}",
            f"{one['redelivered']:,}",
            str(one["settled"]),
            str(one["waiting"]),
        )
        for one in data["consumers"]
    ]
    heads = ("QUEUE", "STREAM", "ORDER", "LAG", "PENDING", "AGAIN", "SETTLED", "WAITING")
    _table(heads, rows)


def _show_published(data: Data) -> None:
    again = ", which it had already" if data["duplicate"] else ""
    line(shown(f"{data['id']} is {data['stream']} {data['sequence']}{again}"))


def _show_replied(data: Data) -> None:
    _document(data["data"])


def _document(content: object) -> None:
    for text in json.dumps(content, indent=2, ensure_ascii=False).splitlines():
        line(shown(text))


# --- dead letters -----------------------------------------------------------------------------


def _show_letters(data: Data) -> None:
    if not data["messages"]:
        talk("no dead letters")
        return
    rows = [
        (
            str(one["sequence"]),
            _second(one["time"]),
            one["queue"],
            one["cause"],
            str(one["attempts"]),
            one["type"] or one["subject"],
            one["event"] or "-",
            _cut(one["error"]),
        )
        for one in data["messages"]
    ]
    _table(("SEQ", "TIME", "QUEUE", "CAUSE", "TRIES", "TYPE", "EVENT", "ERROR"), rows)
    if data["total"] > len(rows):
        line(f"... and {data['total'] - len(rows):,} older; --limit shows more")


def _show_letter(data: Data) -> None:
    facts = {
        "queue": data["queue"],
        "cause": data["cause"],
        "error": data["error"],
        "attempts": data["attempts"],
        "time": _second(data["time"]),
        "was": f"{data['stream']} {data['stream_sequence']}",
        "subject": data["subject"],
        "event": data["event"] or "-",
        "type": data["type"] or "-",
        "key": data["key"] or "-",
    }
    line(f"dead letter {data['sequence']}")
    for name, value in facts.items():
        line(shown(f"  {name:<8}  {' '.join(str(value).split())}"))
    line()
    try:
        _document(json.loads(data["original"] or ""))
    except (ValueError, RecursionError):
        line(shown(data["original"] or f"base64: {data['original_base64'] or ''}"))


def _show_retried(data: Data) -> None:
    for one in data["retried"]:
        what = one["event"] or "the message"
        line(shown(f"{one['letter']}: {what} is {one['stream']} {one['sequence']}"))
    number = len(data["retried"])
    line(f"sent {number:,} {'message' if number == 1 else 'messages'} again")


def _show_dropped(data: Data) -> None:
    number = len(data["dropped"])
    line(f"deleted {number:,} {'dead letter' if number == 1 else 'dead letters'}")


# --- rates ------------------------------------------------------------------------------------


def _show_rates(data: Data) -> None:
    for text in drawn(data):
        line(text)


def drawn(data: Data) -> list[str]:
    """Return what a bus does as two tables."""
    streams = [
        (one["name"], f"{one['messages']:,}", f"{one['in_per_s']:,.1f}") for one in data["streams"]
    ]
    queues = [
        (
            one["name"],
            one["stream"],
            f"{one['lag']:,}",
            f"{one['pending']:,}",
            f"{one['redelivered']:,}",
            f"{one['out_per_s']:,.1f}",
        )
        for one in data["queues"]
    ]
    heads = ("QUEUE", "STREAM", "LAG", "PENDING", "AGAIN", "OUT/S")
    return [
        *_lines(("STREAM", "MESSAGES", "IN/S"), streams),
        *(("", *_lines(heads, queues)) if queues else ()),
    ]


# --- words ------------------------------------------------------------------------------------


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for text in _lines(columns, rows):
        line(text)


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table whose numbers are aligned at their ends."""
    columns = list(columns)
    cells = [[shown(cell) for cell in row] for row in rows]
    for place, column in enumerate(columns):
        if column in _NUMBERS:
            width = max(len(column), *(len(row[place]) for row in cells), 0)
            columns[place] = column.rjust(width)
            for row in cells:
                row[place] = row[place].rjust(width)
    yield from rows_of(columns, cells)


_NUMBERS = {"MESSAGES", "SIZE", "FIRST", "LAST", "QUEUES", "LAG", "PENDING", "AGAIN", "SETTLED"}
_NUMBERS |= {"WAITING", "SEQ", "TRIES", "IN/S", "OUT/S", "COPIES"}


def _second(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "-"


def _size(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 1e5 else f"{number / 1e3:,.1f} kB"


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 3]}..."


VIEWS = {
    "bus ensure": _show_ensured,
    "bus streams": _show_streams,
    "bus consumers": _show_consumers,
    "bus publish": _show_published,
    "bus request": _show_replied,
    "bus dlq list": _show_letters,
    "bus dlq show": _show_letter,
    "bus dlq retry": _show_retried,
    "bus dlq drop": _show_dropped,
    "bus top": _show_rates,
}
