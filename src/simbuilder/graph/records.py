"""Nodes and relationships as they are read and written: values, before any database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Plane = Literal["planned", "deployed", "observed"]

PLANES: tuple[Plane, ...] = ("planned", "deployed", "observed")
"""What somebody means to build, what was built, and what a look at the tenant found."""

MAX_UID = 2000
"""Characters of a uid at most: an index key of Neo4j 5 holds 8 kB (operations manual, indexes)."""

_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Node:
    """One object of a tenant. `at` says where it was read, for reports: `users.json:17`.

    `properties` may hold more than its kind declares: that is kept too, as JSON in `extra`.
    """

    kind: str
    uid: str
    tenant_id: str
    properties: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    plane: Plane = "observed"
    collection: str = ""
    """The listing it came with; that of its kind if empty."""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Relationship:
    """One tie between two objects, named by their uids.

    It belongs to the tenant and the plane of its start, and that is where the graph has them from.
    An `implied` one follows from something else that the source says, such as the tenant of each
    object: it repeats or dangles without a word in the report.
    """

    kind: str
    start: str
    end: str
    tenant_id: str
    properties: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    plane: Plane = "observed"
    collection: str = ""
    """The listing it came with; its own kind if empty."""
    at: str = ""
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What one collection should hold by the source's own word, and how much of it was read.

    `expected` is `None` where the source does not say: such a listing proves nothing.
    """

    tenant_id: str
    plane: Plane
    collection: str
    received: int
    expected: int | None = None

    @property
    def complete(self) -> bool:
        """Whether all of it was read, proved by numbers."""
        return self.expected is not None and self.expected == self.received


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in the input that did not become what it says, and why.

    `code` is one of: duplicate, dangling, unknown-kind, bad-record, other-kind, misfit, withheld,
    unknown-format, incomplete, outdated.
    """

    code: str
    at: str
    message: str


Record = Node | Relationship | Listing | Remark


def fold(uid: str) -> str:
    """Return an id as the graph has it: lower case, because tools disagree about ids' case."""
    return uid.strip().lower()


def located(uid: str, plane: Plane) -> str:
    """Return the uid that the object `uid` has on a plane: bare where it is observed."""
    bare = bare_uid(fold(uid))
    return bare if plane == "observed" else f"{plane}:{bare}"


def bare_uid(uid: str) -> str:
    """Return the uid without its plane, which is the same on all of them."""
    for plane in ("planned:", "deployed:"):
        if uid.startswith(plane):
            return uid[len(plane) :]
    return uid
