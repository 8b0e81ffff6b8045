"""How the data of each command's result looks as text, one function each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simbuilder.cli.streams import line, shown
from simbuilder.cli.tabular import measure
from simbuilder.cli.tabular import table as rows_of

_EXAMPLES = 3
_NEIGHBOURS = 12
_LONGEST = 120
"""Characters of a value that are shown; `--json` has all of it."""


def _show_initialized(data: Mapping[str, Any]) -> None:
    line(f"graph of version {data['schema_version']} in {data['database']}")


# --- loading ----------------------------------------------------------------------------------


def _show_loaded(data: Mapping[str, Any]) -> None:
    for number, one in enumerate(data["passes"]):
        if number:
            line()
        _show_pass(one)
    if data["report"]:
        line(f"wrote {data['report']}")


def _show_pass(one: Mapping[str, Any]) -> None:
    done = "read, nothing was written" if one["number"] is None else f"snapshot {one['number']}"
    again = ", which had been interrupted" if one["resumed"] else ""
    line(shown(f"{one['source']} ({one['format']}): {done}{again}"))
    outcomes = list(dict.fromkeys(name for of in one["kinds"].values() for name in of))
    ordered = sorted(outcomes, key=_ORDER.index)
    _numbers(one["kinds"], ordered)
    if one["skipped"]:
        line(f"{one['skipped']:,} record(s) had been written before")
    if one["deleted"]:
        line("deleted: " + ", ".join(f"{n:,} {kind}" for kind, n in one["deleted"].items()))
    proved, lacking = len(one["complete"]), len(one["lacking"])
    if proved or lacking:
        line(f"listings: {proved} complete, {lacking} not provably so")
    for code, remarks in one["remarks"].items():
        line(f"{code}: {remarks['count']:,}")
        for example in remarks["examples"][:_EXAMPLES]:
            where = f"{example['at']}: " if example["at"] else ""
            line(shown(_cut(f"  {where}{example['message']}")))


_ORDER = (
    *("read", "created", "updated", "unchanged", "repeated"),
    *("dangling", "elsewhere", "outdated", "other-kind", "refused"),
)


def _numbers(kinds: Mapping[str, Mapping[str, int]], columns: Sequence[str]) -> None:
    """Write a table of numbers, aligned at their ends."""
    if not kinds:
        return
    rows = [
        [f"{of.get(name, 0):,}" if of.get(name) else "" for name in columns]
        for of in kinds.values()
    ]
    heads = [name.upper() for name in columns]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    names = max(len("KIND"), *map(len, kinds))
    for kind, cells in zip(("KIND", *kinds), (heads, *rows), strict=True):
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        line("  ".join([kind.ljust(names), *padded]).rstrip())


def _show_generated(data: Mapping[str, Any]) -> None:
    for one in data["passes"]:
        _show_pass(one)
    size = f"{data['nodes']:,} nodes, {data['relationships']:,} relationships"
    line(f"tenant {data['tenant']}: {data['users']:,} users, {size}")
    if data["file"]:
        line(f"wrote {data['file']}")


def _show_wiped(data: Mapping[str, Any]) -> None:
    gone = data["deleted"]
    line(f"deleted {gone['nodes']:,} nodes and {gone['relationships']:,} relationships")


# --- asking -----------------------------------------------------------------------------------


def _show_stats(data: Mapping[str, Any]) -> None:
    line(f"{data['database']}, graph of version {data['schema_version']}")
    for what in ("nodes", "relationships"):
        counts = data[what]
        line()
        line(f"{sum(counts.values()):,} {what}")
        _numbers({kind: {"count": number} for kind, number in counts.items()}, ("count",))
    for what in ("planes", "tenants"):
        if data[what]:
            line()
            _table(
                (what[:-1].upper(), "NODES", "RELATIONSHIPS"),
                [(n, f"{c['nodes']:,}", f"{c['relationships']:,}") for n, c in data[what].items()],
            )
    if data["snapshots"]:
        line()
        rows = [
            (
                str(s["number"]),
                s["state"],
                _second(s["started"]),
                _second(s["finished"]),
                s["name"],
            )
            for s in data["snapshots"]
        ]
        _table(("SNAPSHOT", "STATE", "STARTED", "FINISHED", "NAME"), rows)


def _show_node(data: Mapping[str, Any]) -> None:
    line(shown(f"{data['kind']} {data['name']}"))
    facts = {
        "uid": data["uid"],
        "labels": ", ".join(data["labels"]),
        "plane": data["plane"],
        "tenant": data["tenant"],
        "seen": f"{_second(data['first_seen'])} to {_second(data['last_seen'])}",
        "revision": f"{data['revision']}, snapshot {data['snapshot']}",
    }
    width = max(map(len, (*facts, *data["properties"])))
    for name, value in facts.items():
        line(shown(f"  {name.ljust(width)}  {value}"))
    line()
    for name, value in data["properties"].items():
        line(shown(f"  {name.ljust(width)}  {_cut(_value(value))}"))
    names = {each["uid"]: each for each in (data, *data["neighbours"])}
    for head, ties in _grouped(data, names).items():
        line()
        line(f"{head} ({len(ties):,})")
        for text in ties[:_NEIGHBOURS]:
            line(shown(f"  {_cut(text)}"))
        if len(ties) > _NEIGHBOURS:
            line(f"  ... and {len(ties) - _NEIGHBOURS:,} more; --json has them")
    if not data["complete"]:
        line()
        line("there is more around it; --limit shows more")


def _grouped(data: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what leads from the node, to it, and between others, by relationship."""
    found: dict[str, list[str]] = {}
    for tie in data["relationships"]:
        start, end = _called(names, tie["start"]), _called(names, tie["end"])
        if tie["start"] == data["uid"]:
            found.setdefault(f"-{tie['kind']}->", []).append(end)
        elif tie["end"] == data["uid"]:
            found.setdefault(f"<-{tie['kind']}-", []).append(start)
        else:
            found.setdefault(f"{tie['kind']}, around it", []).append(f"{start} -> {end}")
    return dict(sorted(found.items()))


def _called(names: Mapping[str, Any], uid: str) -> str:
    node = names.get(uid)
    return f"{node['name']} ({node['kind']})" if node else uid


# --- ways and states --------------------------------------------------------------------------


def _show_paths(data: Mapping[str, Any]) -> None:
    for number, path in enumerate(data["paths"], 1):
        if number > 1:
            line()
        names = {node["uid"]: node for node in path["nodes"]}
        chain = names[path["steps"][0]["start"]]["name"]
        for step in path["steps"]:
            chain += f" -{step['kind']}-> {names[step['end']]['name']}"
        line(shown(chain))
        _table(
            ("", "FROM", "RELATIONSHIP", "TO"),
            [
                (
                    f"{i}",
                    _called(names, step["start"]),
                    _kind(names, step),
                    _called(names, step["end"]),
                )
                for i, step in enumerate(path["steps"], 1)
            ],
        )


def _kind(names: Mapping[str, Any], step: Mapping[str, Any]) -> str:
    through = names.get(step["through"])
    role = step["properties"].get("role")
    more = through["name"] if through else role if isinstance(role, str) else ""
    return f"{step['kind']} ({more})" if more else step["kind"]


_MARKS = {"added": "+", "removed": "-", "changed": "~"}


def _show_compared(data: Mapping[str, Any]) -> None:
    for change in data["changes"]:
        name = (change["after"] or change["before"]).get("name")
        said = f" ({name})" if isinstance(name, str) and change["what"] != "changed" else ""
        line(shown(f"{_MARKS[change['what']]} {change['kind']} {change['key']}{said}"))
        if change["what"] == "changed":
            for text in _differences(change["before"], change["after"]):
                line(shown(f"    {text}"))
    counts = data["counts"]
    left = sum(counts.values()) - len(data["changes"])
    if left:
        line(f"... and {left:,} more; --limit shows more")
    words = [f"{counts[what]:,} {what}" for what in _MARKS]
    line(f"{data['a']} -> {data['b']}: {', '.join(words)}")


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            old, new = (_value(of[name]) if name in of else "none" for of in (before, after))
            yield f"{name}: {_cut(old)} -> {_cut(new)}"


def _show_remembered(data: Mapping[str, Any]) -> None:
    line(shown(data["uid"]))
    before: Mapping[str, Any] | None = None
    for state in data["states"]:
        until = "now" if state["until"] is None else f"snapshot {state['until']}"
        line(f"revision {state['revision']}: snapshot {state['since']} to {until}")
        after = state["properties"]
        texts = (
            _differences(before, after)
            if before is not None
            else (f"{name}: {_cut(_value(value))}" for name, value in after.items())
        )
        for text in texts:
            line(shown(f"    {text}"))
        before = after
    if data["states"][-1]["until"] is not None:
        line("it is gone")


# --- files ------------------------------------------------------------------------------------


def _show_exported(data: Mapping[str, Any]) -> None:
    size = f"{data['nodes']:,} nodes, {data['relationships']:,} relationships"
    line(f"wrote {data['file']}: {data['format']}, {size}")


def _show_drawn(data: Mapping[str, Any]) -> None:
    line(data["file"])


# --- words ------------------------------------------------------------------------------------


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for text in rows_of(columns, rows):
        line(shown(text))


def _second(moment: str | None) -> str:
    return moment[:19].replace("T", " ") if moment else "-"


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    """Return a text on one line, and not all of it if it is long."""
    flat = " ".join(text.split()) if "\n" in text else text
    return flat if measure(flat) <= _LONGEST else f"{flat[: _LONGEST - 3]}..."


VIEWS = {
    "graph init": _show_initialized,
    "graph load": _show_loaded,
    "graph generate": _show_generated,
    "graph stats": _show_stats,
    "graph show": _show_node,
    "graph path": _show_paths,
    "graph diff": _show_compared,
    "graph history": _show_remembered,
    "graph export": _show_exported,
    "graph view": _show_drawn,
    "graph wipe": _show_wiped,
}
