"""What commands print with `--json`: an envelope and its `data`. Pure: types alone.

The code that builds the data is held to these types by mypy, the schemas in `docs/schemas` are made
from them, and their docstrings are the descriptions there. Nothing of it is needed while a command
runs, so others import it under `TYPE_CHECKING` only.
"""

from typing import Generic, Literal, NotRequired, TypeVar

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from simbuilder.sessions.expiry import Why
from simbuilder.sessions.model import State
from simbuilder.sessions.proofs import Outcome
from simbuilder.sessions.result import Status

D = TypeVar("D")


class ProblemData(TypedDict):
    """Something the user should know about. With status `success` it is a mere remark."""

    code: str
    """Stable; docs/troubleshooting.md lists them."""
    message: str
    """One sentence for people."""
    hint: str
    """What to do about it; may be empty."""


class Envelope(TypedDict, Generic[D]):
    """The one JSON object that the command prints on stdout."""

    version: Literal[1]
    """Changes when something here changes or goes; what is added does not change it."""
    command: str
    status: Status
    data: D
    """Empty if an error ended the command, and never if its status is `success`."""
    problems: list[ProblemData]


class NoData(TypedDict):
    """An error ended the command."""


# --- sessions ------------------------------------------------------------------------------


class EndpointData(TypedDict):
    """Where clients reach one port of a server."""

    host: str
    port: int
    url: str
    """Without credentials."""


class ServiceData(TypedDict):
    """One server of a session."""

    state: State
    ready: bool | None
    """Whether a real client was served; null if nobody asked, or nobody can tell."""
    product: str
    """The server's own word for itself; empty if it was not asked."""
    version: str
    note: str
    """Said where one product could be taken for another."""
    latency_ms: float | None
    problem: str
    """Why it is not ready, or its state unknown; else empty."""
    exit_status: int | None
    """How it ended, where it ended unasked and that is known: 128 + n for signal n."""
    log_tail: list[str]
    """The last lines of its log, if it did not start or ended unasked."""
    endpoints: dict[str, EndpointData]
    """By name; the first is the one that clients use."""


class SessionData(TypedDict):
    """A session, without its secrets: those are in its env file."""

    id: str
    short: str
    """The first eight characters of the id."""
    name: str | None
    runtime: str
    runtime_reason: str
    """Why it runs there."""
    engine: str
    """The URL or context of its Docker engine, or the folder of its Neo4j server; may be empty."""
    project: str
    """The name of its project, as Docker Compose sees it."""
    created_at: str
    """UTC, in ISO 8601."""
    expires_at: str | None
    """From when on it may be removed (UTC, in ISO 8601); null: never."""
    bound_to: str | None
    """The process whose end ends it too, as `pid:start:boot:namespace`; null: none."""
    folder: str
    """Where it was created."""
    orphaned: bool
    """True if that folder is gone."""
    state: State
    env_file: str
    """The path of the file that holds what clients need, secrets included."""
    services: dict[str, ServiceData]
    """By name."""


class OneSession(TypedDict):
    """A session after what was done to it."""

    session: SessionData


class Sessions(TypedDict):
    """Sessions, oldest first."""

    sessions: list[SessionData]


class CurrentData(TypedDict):
    """The current session, without a look at its servers."""

    id: str
    short: str
    """The first eight characters of the id."""
    name: str | None
    folder: str
    """Where it was created."""
    env_file: str
    """The path of the file that makes it the current one; secrets are in it."""


class CurrentSession(TypedDict):
    """Which session is the current one of the checkout."""

    session: CurrentData


class PageData(TypedDict):
    """Where a service can be looked at."""

    service: str
    url: str
    """Without credentials."""
    answers: bool | None
    """Whether there is a page for people; null if nobody answers."""


class Pages(TypedDict):
    """Where services can be looked at."""

    session: str
    """The first eight characters of its id."""
    pages: list[PageData]
    opened: bool
    """Whether a browser was started."""


class StepData(TypedDict):
    """One action on one thing, and why."""

    verb: str
    target: str
    cause: str


class Planned(TypedDict):
    """With `--dry-run`: what would be done, in that order."""

    plan: list[StepData]


class Removed(TypedDict):
    """What a cleanup did."""

    removed: list[str]
    """Ids of the sessions that are gone."""
    orphans: NotRequired[list[str]]
    """Ids of sessions without a record that left something, where they were only listed."""


class ProofData(TypedDict):
    """What became of one proof."""

    proof: str
    outcome: Outcome
    detail: str
    """Why it is a breach, or could not be proved; else empty."""


class VerifiedData(TypedDict):
    """A session and the proofs that it is isolated."""

    id: str
    short: str
    name: str | None
    state: State
    proofs: list[ProofData]


class VerifiedSessions(TypedDict):
    """The sessions that were verified."""

    sessions: list[VerifiedData]


# --- copies --------------------------------------------------------------------------------


class CopiedData(TypedDict):
    """What copying took."""

    bytes: int
    """Copied in all."""
    pause_s: float
    """For how many seconds the source answered nobody."""


class Forked(CopiedData):
    """A new session that holds what another one held."""

    session: SessionData
    forked_from: str
    """The other one's id."""


class SnapshotData(TypedDict):
    """A state of a session, kept under a name."""

    name: str
    created_at: str
    """UTC, in ISO 8601."""
    services: list[str]
    bytes: int


class Saved(TypedDict):
    """A new snapshot."""

    session: str
    """The session's id."""
    snapshot: SnapshotData
    pause_s: float
    """For how many seconds the session answered nobody."""


class SnapshotList(TypedDict):
    """The snapshots of a session, oldest first."""

    session: str
    """The session's id."""
    snapshots: list[SnapshotData]


class Restored(CopiedData):
    """A session that went back to a snapshot."""

    session: SessionData
    snapshot: str
    """The name of the snapshot."""


class DeletedSnapshot(TypedDict):
    """A snapshot that is gone."""

    session: str
    """The session's id."""
    snapshot: SnapshotData


class Exported(TypedDict):
    """A session in a file."""

    session: str
    """The session's id."""
    file: str
    """The path of the file."""
    bytes: int
    """The size of the file."""
    pause_s: float
    """For how many seconds the session answered nobody."""
    runtime: str
    services: list[str]


class Imported(CopiedData):
    """A new session that holds what an exported one held."""

    session: SessionData
    file: str
    """The path of the file."""


# --- the machine ---------------------------------------------------------------------------


class CheckData(TypedDict):
    """One thing that was looked at."""

    name: str
    ok: bool
    latency_ms: float | None
    detail: str
    mend: NotRequired[str]
    """With `--doctor`: the command that mends it; may be empty."""


class Checks(TypedDict):
    """What was looked at."""

    session: str | None
    """The first eight characters of the session's id; null without one, and with `--doctor`."""
    checks: list[CheckData]


class SettingData(TypedDict):
    """One setting."""

    name: str
    value: str
    """`***` for a secret; empty if it is not set."""
    source: str
    """Where the value comes from."""


class Info(TypedDict):
    """What holds in this folder."""

    simbuilder: str
    """The version of SimBuilder."""
    settings: list[SettingData]


class Versions(TypedDict):
    """Versions of SimBuilder and Python."""

    simbuilder: str
    python: str


class CollectedData(TypedDict):
    """A session whose time is up."""

    id: str
    short: str
    """The first eight characters of the id."""
    name: str | None
    why: Why
    cause: str
    """Why, in words."""
    kept: str
    """What was against removing it; empty if it was removed."""


class Collection(TypedDict):
    """What became of the sessions that are over."""

    sessions: list[CollectedData]


class Answered(TypedDict):
    """What a statement returned, and what it changed."""

    columns: list[str]
    rows: list[list[object]]
    """A value for each column. A node has `labels` and `properties`, a relationship `type` and
    `properties`, a path `nodes` and `relationships`; dates and the like are text."""
    counters: dict[str, int]
    """Such as `nodes_created`; none of them is 0."""
