"""The page about what a graph may hold, made from the model."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from simbuilder.graph.schema import (
    BOOKKEEPING,
    ENTITY,
    NodeKind,
    Property,
    RelationshipKind,
    Schema,
)

HEAD = """\
# The model of a graph

Written by `python3 tasks.py format` from `simbuilder.graph.model`: {nodes} kinds of node and
{relationships} kinds of relationship, version {version}.

**Planes.** One graph holds a tenant three times: `planned` is what somebody means to build,
`deployed` what was built, `observed` what a look at the tenant found. `REALIZES` and `MATCHES` tie
the planes together.

**Uids.** Every node has the label `{entity}` and a `uid` of its own. Observed ones are the ids of
the source in lower case; on the other planes they begin with `planned:` or `deployed:`. BloodHound
writes its ids in capitals: where a kind has a BloodHound kind, `objectid` is the uid written so.

**Labels.** A node carries `{entity}`, the label of its family, that of its kind, and the kind that
BloodHound knows it by with `AZBase`, so that queries made for BloodHound find it here.

**Bookkeeping.** Of every node the service itself writes when it was first and last seen
(`first_seen`, `last_seen`), which pass saw it last (`snapshot_id`), which one its present state
began with (`since`), its `revision`, and its `collection`, the listing of the source that it came
with. Relationships have `snapshot_id` and `since` alone: the times are those of the passes, tenant
and plane those of the node they start at. All names that it writes, and no kind may declare:
{bookkeeping}.
What a source says and no kind declares is kept as JSON in `extra`. A value that is missing is a
property that is missing.

**Attack.** Relationships marked so give whoever holds the first node some power over the second:
attack paths follow those. What a rule concluded has `derived`, the `rule`, and in `via` what it
rests on.

**Types.** `time` is ISO 8601 text as the source wrote it, `texts` a list of texts, `document` JSON
as text; the others are what they are called.
"""

SHARED = ("Resource",)
"""Labels whose kinds are so much alike that what they share is told once."""

DERIVED = {"derived", "rule", "via"}
"""What whatever a rule may conclude has; the table says so in a column."""


def page(schema: Schema) -> str:
    """Return the whole page as Markdown."""
    families = list(dict.fromkeys(kind.family for kind in schema.nodes))
    tied = list(dict.fromkeys(kind.family for kind in schema.relationships))
    parts = [_head(schema)]
    parts += ["\n".join(_contents(families, tied))]
    for family in families:
        kinds = [kind for kind in schema.nodes if kind.family == family]
        parts.append("\n".join(_nodes(schema, family, kinds)))
    for family in tied:
        ties = [kind for kind in schema.relationships if kind.family == family]
        parts.append("\n".join(_relationships(family, ties)))
    parts.append("\n".join(_bloodhound(schema)))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def shared(schema: Schema, label: str) -> tuple[Property, ...]:
    """Return what all kinds with a label declare, in the order of the first of them."""
    kinds = [kind for kind in schema.nodes if label in kind.labels]
    first = kinds[0].properties if kinds else ()
    return tuple(each for each in first if all(each in kind.properties for kind in kinds))


def _head(schema: Schema) -> str:
    return HEAD.format(
        nodes=len(schema.nodes),
        relationships=len(schema.relationships),
        version=schema.version,
        entity=ENTITY,
        bookkeeping=textwrap.fill(_codes(BOOKKEEPING), 100),
    )


def _contents(families: list[str], tied: list[str]) -> Iterator[str]:
    nodes = (f"[{family}](#nodes-{family.lower()})" for family in families)
    ties = (f"[{family}](#relationships-{family})" for family in tied)
    yield f"* Nodes: {', '.join(nodes)}"
    yield f"* Relationships: {', '.join(ties)}"
    yield "* [BloodHound's names](#bloodhounds-names)"


def _nodes(schema: Schema, family: str, kinds: list[NodeKind]) -> Iterator[str]:
    yield f"## Nodes: {family}\n"
    yield "| kind | what it is | uid | other labels | Cartography | collection |"
    yield "|---|---|---|---|---|---|"
    for kind in kinds:
        labels = [each for each in kind.labels if each not in (ENTITY, family, kind.name)]
        cells = (
            *(f"[{kind.name}](#{kind.name.lower()})", kind.about, kind.uid_from),
            *(_codes(labels), _codes(kind.cartography), f"`{kind.collection}`"),
        )
        yield _row(cells)
    for label in SHARED:
        if any(label in kind.labels for kind in kinds):
            yield f"\n### {label}\n\nWhat every kind with this label has.\n"
            yield from _properties(shared(schema, label))
    for kind in kinds:
        label = next((each for each in SHARED if each in kind.labels), "")
        had = shared(schema, label)
        own = [each for each in kind.properties if each not in had]
        more = f" Has what every [{label}](#{label.lower()}) has." if label else ""
        yield f"\n### {kind.name}\n"
        yield f"{kind.about}{more}\n"
        yield from _properties(own)


def _relationships(family: str, ties: list[RelationshipKind]) -> Iterator[str]:
    yield f"## Relationships: {family}\n"
    yield "| kind | from | to | what it says | attack | derived | key | BloodHound |"
    yield "|---|---|---|---|---|---|---|---|"
    for tie in ties:
        derived = {each.name for each in tie.properties} >= DERIVED
        cells = (
            *(f"`{tie.name}`", ", ".join(tie.starts), ", ".join(tie.ends), tie.about),
            *("yes" if tie.attack else "", "may be" if derived else ""),
            *(_codes(tie.key), _codes(tie.bloodhound)),
        )
        yield _row(cells)
    yield "\n| kind | property | type | unit | what it is | source |"
    yield "|---|---|---|---|---|---|"
    for tie in ties:
        for each in tie.properties:
            if each.name not in DERIVED:
                yield _row((f"`{tie.name}`", *_cells(each)))


def _properties(properties: Sequence[Property]) -> Iterator[str]:
    if not properties:
        return
    yield "| property | type | unit | what it is | source |"
    yield "|---|---|---|---|---|"
    for each in properties:
        yield _row(_cells(each))


def _cells(each: Property) -> tuple[str, ...]:
    return f"`{each.name}`", each.type, each.unit, each.about, each.source


def _bloodhound(schema: Schema) -> Iterator[str]:
    yield "## BloodHound's names\n"
    yield "| BloodHound | here |"
    yield "|---|---|"
    named = {name: kind.name for kind in schema.nodes for name in kind.bloodhound}
    named |= {name: kind.name for kind in schema.relationships for name in kind.bloodhound}
    for name in sorted(named):
        yield _row((f"`{name}`", f"`{named[name]}`"))


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
