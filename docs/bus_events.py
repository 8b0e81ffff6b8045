"""The page about what travels on the bus, made from its catalogue and its declarations."""

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from simbuilder.bus import formats
from simbuilder.bus.declarations import DAY_S, MINUTE_S, PAYLOADS, Bucket, Declaration, Stream
from simbuilder.bus.events import Event, EventData
from simbuilder.bus.subjects import PARTITIONS, REQUESTS, RETRIED, ROOT, domain_of

Kind = type[EventData]

HEAD = """\
# The events of the bus

Written by `python3 tasks.py format` from `simbuilder.bus.catalogue` and
`simbuilder.bus.declarations`: {types} types of event, in {streams} streams.

**Events** are CloudEvents 1.0 as JSON. Beside the attributes of that standard they have
`correlationid`, the undertaking they belong to, and `causationid`, the id of the event that led to
them; `partitionkey` is their key, `dataref` says where data is that is too large for an event, and
`traceparent` and `tracestate` are a W3C trace context.

**Types and subjects.** A type is `{root}.<domain>.v<N>.<component>.<action>`, and the subject that
an event is published under is its type. An event with a key has the key's partition behind it,
`k00` to `k{last:02d}`: equal keys have equal partitions, and keep their order in a queue that is
ordered.
What one queue alone is to take again goes to `{root}.<domain>.v1.<queue>.{retried}`. No stream
keeps the domain `{requests}`, which is for requests and their replies.

**Growth.** A type grows by additions alone: a new field has a default, so older events stay
readable, and readers keep the fields that they do not know. To take a field away, to rename it, to
give it another type or to require it is a new version: another type, beside the old one.
"""

FULL = {"new": "refuses the new", "old": "forgets the oldest"}
EXAMPLE_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def page(catalogue: Iterable[Kind], declared: Declaration) -> str:
    """Return the whole page as Markdown."""
    domains: dict[str, list[Kind]] = {}
    for kind in catalogue:
        domains.setdefault(domain_of(kind.TYPE), []).append(kind)
    parts = [
        HEAD.format(
            types=sum(len(kinds) for kinds in domains.values()),
            streams=len(declared.streams),
            root=ROOT,
            last=PARTITIONS - 1,
            retried=RETRIED,
            requests=REQUESTS,
        ),
        "\n".join(_contents(domains)),
        "\n".join(_streams(declared.streams)),
        "\n".join(_buckets(declared)),
    ]
    for domain, kinds in domains.items():
        parts.append(f"## Domain: {domain}\n\n{_about(kinds[0])}")
        parts += ["\n".join(_type(kind)) for kind in kinds]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def json_type(field: Mapping[str, Any]) -> str:
    """Return in one line which values a field's JSON schema allows."""
    if "anyOf" in field:
        return " or ".join(json_type(each) for each in field["anyOf"])
    if "enum" in field:
        return ", ".join(f'"{each}"' for each in field["enum"])
    name = str(field.get("const", field.get("type", "anything")))
    if "items" in field:
        name = f"{name} of {json_type(field['items'])}"
    least = field.get("minimum")
    return name if least is None else f"{name}, at least {least:g}"


def example(kind: Kind) -> Event:
    """Return an event of a type, with the examples that its fields give."""
    schema = kind.model_json_schema()
    wanted = {
        name: _value(field)
        for name, field in schema["properties"].items()
        if name in schema.get("required", ()) or "examples" in field
    }
    return Event.of(
        kind.model_validate(wanted),
        id="0b9a1c52-6d0e-4f53-9d3b-0c4a3f6f2d11",
        time=EXAMPLE_AT,
        source="simbuilder/example",
        key=wanted.get("run"),
    )


def _value(field: Mapping[str, Any]) -> Any:
    if "examples" in field:
        return field["examples"][0]
    if "enum" in field:
        return field["enum"][0]
    return {"string": "...", "integer": int(field.get("minimum", 0))}[field["type"]]


def _contents(domains: Mapping[str, list[Kind]]) -> Iterator[str]:
    yield "* [Streams](#streams), [buckets](#buckets)"
    for domain, kinds in domains.items():
        names = (f"[{_short(kind)}](#{kind.TYPE.replace('.', '')})" for kind in kinds)
        yield f"* [{domain}](#domain-{domain}): {', '.join(names)}"


def _streams(streams: Iterable[Stream]) -> Iterator[str]:
    yield "## Streams\n"
    yield "| stream | what it keeps | subjects | kept for | at most | full, it | an id counts for |"
    yield "|---|---|---|---|---|---|---|"
    for each in streams:
        yield _row(
            (
                f"`{each.name}`",
                each.about.split(";")[0],
                ", ".join(f"`{subject}`" for subject in each.subjects),
                _span(each.max_age_s),
                f"{each.max_messages:,} events",
                FULL[each.discard],
                _span(each.duplicates_s),
            )
        )
    yield "\nAn event that is published again while its id counts is not stored again."


def _buckets(declared: Declaration) -> Iterator[str]:
    yield "## Buckets\n"
    yield "| bucket | what it keeps | kept for |"
    yield "|---|---|---|"
    large = Bucket(PAYLOADS, "data that is too large for an event", declared.payloads_max_age_s)
    for each in (*declared.buckets, large):
        kept = _span(each.max_age_s) if each.max_age_s else "until it is deleted"
        yield _row((f"`{each.name}`", each.about, kept))
    yield f"\n`{PAYLOADS}` is an object store, the others are key-value buckets."


def _type(kind: Kind) -> Iterator[str]:
    fields = kind.model_json_schema()["properties"]
    yield f"### {kind.TYPE}\n"
    yield f"{inspect.getdoc(kind)}\n"
    yield "| field | type | if left out | what it is |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        missing = f"`{json.dumps(field['default'])}`" if "default" in field else "(required)"
        yield _row((f"`{name}`", json_type(field), missing, field["description"]))
    said = json.loads(formats.write(example(kind)))
    yield f"\n```json\n{json.dumps(said, indent=2, ensure_ascii=False)}\n```"


def _about(kind: Kind) -> str:
    module = inspect.getmodule(kind)
    return inspect.getdoc(module) or ""


def _short(kind: Kind) -> str:
    return ".".join(kind.TYPE.split(".")[3:])


def _span(seconds: float) -> str:
    number, unit = seconds / MINUTE_S, "minute"
    if seconds >= DAY_S:
        number, unit = seconds / DAY_S, "day"
    return f"{number:g} {unit}{'' if number == 1 else 's'}"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
