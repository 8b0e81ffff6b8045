"""What the commands of a graph print with `--json`, as `sessions.outputs` does. Pure: types alone.

Properties are as docs/graph-model.md says for the kind.
"""

from typing import Literal

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12


class NodeData(TypedDict):
    """A node, in short."""

    uid: str
    kind: str
    name: str
    """What people call it; its uid if it has no name."""


class TieData(TypedDict):
    """A relationship."""

    kind: str
    start: str
    """The uid of the node it leads from."""
    end: str
    """The uid of the node it leads to."""
    properties: dict[str, object]


class Initialized(TypedDict):
    """A graph that can be filled."""

    session: str
    """The first eight characters of its id."""
    database: str
    """Product and version of the database."""
    schema_version: int


class ExampleData(TypedDict):
    """Something in the input that did not become what it says."""

    at: str
    """Where it was read, such as `users.json:17`."""
    message: str


class RemarkData(TypedDict):
    """Remarks of one sort."""

    count: int
    examples: list[ExampleData]
    """The first of them."""


class ListingData(TypedDict):
    """What one collection should hold by the source's own word, and how much of it was read."""

    tenant: str
    plane: str
    collection: str
    received: int
    expected: int | None
    """Null if the source does not say: such a listing proves nothing."""


class PassData(TypedDict):
    """What became of the records of one source."""

    source: str
    """The path, or what it was made of."""
    format: str
    number: int | None
    """The number of the snapshot; null if nothing was written."""
    state: Literal["complete", "unproven", "read"]
    """Complete if the source proves that it was all read; read with `--dry-run`."""
    resumed: bool
    """Whether it went on with a pass that was interrupted."""
    skipped: int
    """Records that the interrupted pass had already written."""
    kinds: dict[str, dict[str, int]]
    """By kind, how many records were created, updated, unchanged, repeated, dangling, outdated,
    other-kind or refused; elsewhere: implied by the source, but with an end that is not there. With
    `--dry-run` how many were read, repeated or refused. None of the numbers is 0."""
    deleted: dict[str, int]
    """By kind, what the source no longer has (`--prune`)."""
    remarks: dict[str, RemarkData]
    """By their code; docs/graph.md lists them."""
    complete: list[ListingData]
    lacking: list[ListingData]
    """Listings of which not all was read, or not provably: nothing of these was deleted."""


class Loaded(TypedDict):
    """What was loaded, each source in a pass of its own."""

    session: str | None
    """The first eight characters of its id; null with `--dry-run`."""
    dry_run: bool
    passes: list[PassData]
    report: str | None
    """The path of the file with every remark."""


class Generated(TypedDict):
    """A tenant that was made up."""

    users: int
    seed: int
    tenant: str
    """Its id."""
    plane: str
    session: str | None
    """The first eight characters of its id; null if it went to a file."""
    file: str | None
    """The path of the file; null if it went to a session."""
    nodes: int
    relationships: int
    passes: list[PassData]
    """How it was loaded; empty if it went to a file."""


class CountData(TypedDict):
    """How much there is."""

    nodes: int
    relationships: int


class SnapshotData(TypedDict):
    """A pass, and the state of the graph after it."""

    number: int
    name: str
    state: str
    """complete, unproven, open (at work, or interrupted) or abandoned."""
    started: str
    """UTC, in ISO 8601."""
    finished: str | None


class Stats(TypedDict):
    """What a graph holds."""

    session: str
    """The first eight characters of its id."""
    database: str
    """Product and version of the database."""
    schema_version: int
    """0 if the database holds no graph yet."""
    nodes: dict[str, int]
    """By kind."""
    relationships: dict[str, int]
    """By kind."""
    planes: dict[str, CountData]
    tenants: dict[str, CountData]
    snapshots: list[SnapshotData]
    """The oldest first."""


class Queried(TypedDict):
    """What a statement returned, and what it changed."""

    columns: list[str]
    rows: list[list[object]]
    """A value for each column, as in `session shell`."""
    changed: dict[str, int]
    """Such as `nodes_created`; none of them is 0."""


class Shown(TypedDict):
    """A node and what lies around it."""

    uid: str
    kind: str
    name: str
    labels: list[str]
    plane: str
    tenant: str
    properties: dict[str, object]
    first_seen: str
    last_seen: str
    snapshot: int
    """The last pass that has seen it."""
    revision: int
    neighbours: list[NodeData]
    relationships: list[TieData]
    complete: bool
    """False if there is more around it than `--limit` shows."""


class StepData(TypedDict):
    """One step of a path."""

    kind: str
    start: str
    end: str
    through: str
    """The uid of the hub it leads through, which stands for many relationships; may be empty."""
    properties: dict[str, object]


class PathData(TypedDict):
    """A way from one node to another."""

    length: int
    """How many relationships it has, a hub counting as two."""
    nodes: list[NodeData]
    """In order, hubs included."""
    steps: list[StepData]


class Paths(TypedDict):
    """The ways from one node to another; none if there is none."""

    start: NodeData
    end: NodeData
    families: list[str]
    max_length: int
    paths: list[PathData]
    """The shortest first."""
    complete: bool
    """False if there may be more than were asked for."""


class ChangeData(TypedDict):
    """One difference."""

    what: Literal["added", "removed", "changed"]
    element: Literal["node", "relationship"]
    kind: str
    key: str
    """The uid of a node; start, type and end of a relationship."""
    before: dict[str, object]
    after: dict[str, object]
    """Of what was changed, the properties that differ; else all of them."""


class ChangeCounts(TypedDict):
    """How many differences there are."""

    added: int
    removed: int
    changed: int


class Compared(TypedDict):
    """What differs between two planes or snapshots."""

    a: str | int
    b: str | int
    """A plane, the number of a snapshot, or `now`."""
    counts: ChangeCounts
    kinds: dict[str, ChangeCounts]
    changes: list[ChangeData]
    complete: bool
    """False if there are more than `--limit`; they are counted all the same."""


class StateData(TypedDict):
    """What a node was for a while."""

    revision: int
    since: int
    """The pass from which on."""
    until: int | None
    """The pass that ended it; null for the present state."""
    properties: dict[str, object]


class Remembered(TypedDict):
    """The states of a node, the oldest first."""

    uid: str
    states: list[StateData]


class Exported(TypedDict):
    """A graph in a file."""

    session: str
    """The first eight characters of its id."""
    file: str
    """The path of the file."""
    format: str
    bytes: int
    """The size of the file."""
    nodes: int
    relationships: int


class Drawn(TypedDict):
    """A page that draws a graph."""

    session: str
    """The first eight characters of its id."""
    file: str
    """The path of the page."""
    bytes: int
    nodes: int
    relationships: int
    of_nodes: int
    """How many there were to choose from."""
    highlight: list[str]
    """The uids along the path that is marked."""


class Wiped(TypedDict):
    """A graph that is empty now."""

    session: str
    """The first eight characters of its id."""
    deleted: CountData
    """Its history went with it."""
