"""What the full-screen view writes, and where: words and numbers, without a screen. Pure.

No word depends on its colour: whoever sees none loses nothing.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from simbuilder.sessions.catalog import SERVICES
from simbuilder.sessions.expiry import Moment, left_s
from simbuilder.sessions.model import Session, State
from simbuilder.sessions.result import Problem
from simbuilder.sessions.watching import Condition, Fate, Snapshot, Watched

NAMES = tuple(spec.name for spec in SERVICES)
UNKNOWN = "-"
"""Stands for whatever is not known, or not there."""

_LEAST_NAME, _LEAST_LINE = 12, 24
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|.)")


class Tone(StrEnum):
    """How much a word wants to be noticed."""

    PLAIN = "plain"
    QUIET = "quiet"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    TITLE = "title"


@dataclass(frozen=True)
class Cell:
    """A piece of text and how it is to be drawn."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Cell, ...]
"""Pieces that follow each other on one line."""


@dataclass(frozen=True)
class Column:
    """A column of the table; numbers stand at its right side."""

    key: str
    title: str
    width: int
    right: bool = False


_SERVERS = tuple(Column(name, name.upper(), max(6, len(name)), right=True) for name in NAMES)
_FIXED = (
    Column("state", "STATE", 10),
    *_SERVERS,
    Column("memory", "MEM", 5, right=True),
    Column("cpu", "CPU", 4, right=True),
    Column("disk", "DISK", 5, right=True),
    Column("clients", "CONN", 4, right=True),
    Column("age", "AGE", 4, right=True),
    Column("left", "LEFT", 4, right=True),
)
_WIDE = (Column("ports", "PORTS", 11), Column("runtime", "RUNTIME", 7))
"""Columns for wider screens, in the order in which they find room."""


def columns(width: int) -> tuple[Column, ...]:
    """Return the columns for a table of that many characters, one of which parts two columns."""
    chosen = [Column("session", "SESSION", _LEAST_NAME), *_FIXED]
    room = width - sum(column.width + 1 for column in chosen)
    for column in _WIDE:
        if room > column.width + 8:
            chosen.append(column)
            room -= column.width + 1
    if room > _LEAST_LINE + 8:
        name = min(24, _LEAST_NAME + room // 4)
        line = room - (name - _LEAST_NAME) - 1
        chosen.append(Column("line", "LAST LINE OF A LOG", line))
    else:
        name = min(24, _LEAST_NAME + max(0, room))
    return (Column("session", "SESSION", name), *chosen[1:])


def header(layout: Sequence[Column]) -> str:
    """Return the titles of the columns."""
    return "".join(cell.text for cell in _line({c.key: Cell(c.title) for c in layout}, layout))


def lines(snapshot: Snapshot, now: Moment, layout: Sequence[Column]) -> dict[str, Line]:
    """Return session id -> its line of the table; records that cannot be used come last."""
    cells = {one.id: _row(one, now) for one in snapshot.sessions}
    cells |= {i: _unreadable(i, problem) for i, problem in snapshot.unreadable.items()}
    return {session_id: _line(row, layout) for session_id, row in cells.items()}


def _line(row: Mapping[str, Cell], layout: Sequence[Column]) -> Line:
    found = []
    for column in layout:
        cell = row[column.key]
        text = cut(cell.text, column.width)
        text = text.rjust(column.width) if column.right else text.ljust(column.width)
        found.append(Cell(f"{text} ", cell.tone))
    return tuple(found)


def cut(text: str, width: int) -> str:
    """Return the text, or as much as fits and a mark that it goes on."""
    return text if len(text) <= width else f"{text[: width - 1]}~"


def _row(one: Watched, now: Moment) -> dict[str, Cell]:
    session, state = one.view.session, one.view.state
    used = one.usage.values()
    known = bool(used)
    latest = f"{one.latest}: {plain(one.lines[one.latest])}" if one.latest in one.lines else ""
    ports = sorted(session.ports.values())
    return {
        "session": Cell(one.label),
        "state": Cell(state.value, _STATES[state]),
        **{name: _server(one, name) for name in NAMES},
        "memory": _number(short(sum(u.memory_bytes for u in used)) if known else None),
        "cpu": _number(f"{sum(u.cpu for u in used):.0%}" if known else None),
        "disk": _number(short(sum(one.stored.values())) if one.stored else None),
        "clients": _number(_clients(one)),
        "age": Cell(age(session, now)),
        "left": _left(session, now),
        "ports": Cell(f"{ports[0]}-{ports[-1]}"),
        "runtime": Cell(session.runtime),
        "line": Cell(latest or UNKNOWN, Tone.QUIET),
    }


def _unreadable(session_id: str, problem: Problem) -> dict[str, Cell]:
    return {
        **{column.key: Cell(UNKNOWN, Tone.QUIET) for column in (*_FIXED, *_WIDE)},
        "session": Cell(session_id[:8]),
        "state": Cell(Fate.UNREADABLE.value, Tone.BAD),
        "line": Cell(plain(problem.message), Tone.BAD),
    }


_STATES = {
    State.RUNNING: Tone.GOOD,
    State.DEGRADED: Tone.BAD,
    State.STOPPED: Tone.QUIET,
    State.REMOVING: Tone.WARNING,
    State.UNKNOWN: Tone.WARNING,
}
_CONDITIONS = {
    Condition.READY: Cell("ready", Tone.GOOD),
    Condition.RUNNING: Cell("...", Tone.QUIET),
    Condition.FAILING: Cell("fails", Tone.BAD),
    Condition.STOPPED: Cell("off", Tone.QUIET),
    Condition.ENDED: Cell("ended", Tone.BAD),
    Condition.UNKNOWN: Cell("?", Tone.WARNING),
}
LEGEND = (
    ("12 ms", "ready: a real client was served that fast"),
    ("...", "runs, and was not asked yet"),
    ("fails", "runs, and did not answer as it should"),
    ("off", "stopped"),
    ("ended", "stopped without being told to"),
    ("?", "unknown: what runs it does not answer"),
    (UNKNOWN, "not part of the session, or not known"),
)
"""What the words below the names of servers mean."""


def _server(one: Watched, name: str) -> Cell:
    if name not in one.view.session.services:
        return Cell(UNKNOWN, Tone.QUIET)
    condition = one.condition(name)
    latency = latency_of(one, name)
    if condition is Condition.READY and latency != UNKNOWN:
        return Cell(latency, Tone.GOOD)
    return _CONDITIONS[condition]


def latency_of(one: Watched, name: str) -> str:
    """Return how long a real client waited for a server's answer."""
    health = (one.view.health or {}).get(name)
    if health is None or not health.ready or health.latency_ms is None:
        return UNKNOWN
    if health.latency_ms >= 999.5:
        return f"{health.latency_ms / 1000:.1f} s"
    return f"{health.latency_ms:.0f} ms"


def _number(text: str | None) -> Cell:
    return Cell(UNKNOWN, Tone.QUIET) if text is None else Cell(text)


def _clients(one: Watched) -> str | None:
    counts = [usage.connections for usage in one.usage.values()]
    known = [count for count in counts if count is not None]
    return str(sum(known)) if known and len(known) == len(counts) else None


def age(session: Session, now: Moment) -> str:
    """Return for how long there has been a session."""
    try:
        created = datetime.fromisoformat(session.created_at)
        return span((now.at - created).total_seconds())
    except (ValueError, TypeError):  # a record that was mended by hand
        return UNKNOWN


def _left(session: Session, now: Moment) -> Cell:
    seconds = left_s(session.end, now)
    if seconds is None:
        return Cell(UNKNOWN, Tone.QUIET)
    if seconds <= 0:
        return Cell("over", Tone.WARNING)
    return Cell(span(seconds), Tone.WARNING if seconds < 600 else Tone.PLAIN)


def span(seconds: float) -> str:
    """Return a span of time in four characters, to the minute."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "<1m"


def short(size: int) -> str:
    """Return an amount of bytes in five characters; units are powers of 1024."""
    number = float(size)
    for unit in ("B", "K", "M", "G"):
        if number < 999.5:
            return f"{number:.1f}{unit}" if unit == "G" and number < 99.5 else f"{number:.0f}{unit}"
        number /= 1024
    return f"{number:.1f}T"


def plain(text: str) -> str:
    """Return text of somebody else's as one line that does nothing to a terminal."""
    seen = _ESCAPES.sub("", text)
    return "".join(letter if letter.isprintable() else " " for letter in seen).strip()


# --- beside the table ----------------------------------------------------------------------


def title(snapshot: Snapshot, width: int) -> str:
    """Return how many sessions do what, and what they take together, as far as there is room."""
    count = len(snapshot.sessions)
    states = Counter(one.view.state for one in snapshot.sessions)
    words = [f"{states[state]} {state.value}" for state in State if states[state]]
    words += [f"{len(snapshot.unreadable)} unreadable"] if snapshot.unreadable else []
    words += [f"{snapshot.pending} not looked at yet"] if snapshot.pending else []
    used = [usage for one in snapshot.sessions for usage in one.usage.values()]
    parts = ["simbuilder", f"{count} session{'' if count == 1 else 's'}", ", ".join(words)]
    if used:
        parts.append(f"{short(sum(u.memory_bytes for u in used))} memory")
        parts.append(f"{sum(u.cpu for u in used):.0%} of a core")
    while len(text := "   ".join(filter(None, parts))) > width and len(parts) > 1:
        parts.pop()
    return cut(text, width)


def details(one: Watched, now: Moment, width: int) -> list[Line]:
    """Return what there is to say of one session, line by line."""
    session = one.view.session
    ends = left_s(session.end, now)
    facts = [session.short, f"{session.runtime} runtime", session.folder]
    if ends is not None:
        facts.insert(2, f"expires in {span(ends)}" if ends > 0 else "expired")
    room = width - len(one.label)
    found: list[Line] = [
        (Cell(one.label, Tone.TITLE), Cell(cut("".join(f"   {fact}" for fact in facts), room)))
    ]
    found += _servers(one, width)
    for name in session.services:
        if one.condition(name) is not Condition.READY and (why := one.why(name)):
            found += wrapped(Cell(f"{name}: {why}", Tone.BAD), width)
    for name, line in one.lines.items():
        found.append((Cell(cut(f"{name:<8}| {plain(line)}", width), Tone.QUIET),))
    return found


def wrapped(cell: Cell, width: int) -> list[Line]:
    """Return a text of somebody else's on as many lines as it takes."""
    return [(Cell(line, cell.tone),) for line in textwrap.wrap(plain(cell.text), max(20, width))]


def _servers(one: Watched, width: int) -> list[Line]:
    """Return a table with all that there is room for."""
    for named, product in ((True, True), (True, False), (False, False)):
        rows = [_HEADERS, *(_details(one, name, named) for name in one.view.session.services)]
        table = aligned([row if product else row[:-1] for row in rows], right=(2, 3, 4, 5, 6))
        if sum(len(cell.text) for cell in table[0]) <= width:
            break
    return table


_HEADERS = tuple(
    Cell(text, Tone.QUIET)
    for text in (*("SERVER", "HEALTH", "LATENCY", "MEM", "CPU", "DISK", "CONN", "PORTS"), "PRODUCT")
)


def _details(one: Watched, name: str, named: bool) -> Line:
    session, condition, usage = one.view.session, one.condition(name), one.usage.get(name)
    ports = {endpoint: session.port(f"{name}.{endpoint}") for endpoint in session.urls(name)}
    names = ", ".join(f"{endpoint} {port}" for endpoint, port in ports.items())
    clients = None if usage is None or usage.connections is None else str(usage.connections)
    disk = short(one.stored[name]) if name in one.stored else None
    product = one.why(name) if condition is Condition.READY else ""
    return (
        Cell(name),
        Cell(condition.value, _CONDITIONS[condition].tone),
        Cell(latency_of(one, name)),
        _number(short(usage.memory_bytes) if usage else None),
        _number(f"{usage.cpu:.0%}" if usage else None),
        _number(disk),
        _number(clients),
        Cell(names if named else " ".join(map(str, ports.values()))),
        Cell(plain(product)),
    )


def aligned(table: Sequence[Line], right: Iterable[int]) -> list[Line]:
    """Return the rows of a table with cells as wide as the widest of their column."""
    widths = [max(len(row[i].text) for row in table) for i in range(len(table[0]))]
    found = []
    for row in table:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            text = cell.text.rjust(width) if i in right else cell.text.ljust(width)
            cells.append(Cell(text if i == len(row) - 1 else f"{text}  ", cell.tone))
        found.append(tuple(cells))
    return found
