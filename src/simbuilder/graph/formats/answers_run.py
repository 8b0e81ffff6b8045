"""One reading of a set of answers: where it stands, what was said before, and what proves it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simbuilder.graph.model import SCHEMA
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark


@dataclass(slots=True)
class Chain:
    """What the pages of one listing prove. `expected` is `None` if they prove nothing."""

    collection: str
    received: int
    expected: int | None


@dataclass(slots=True)
class Run:
    """What mappers need to know and to say while one answer after another is read.

    `owner` is the object whose members, owners or grants an answer lists; `at` where the item
    stands. Each mapper yields its records from `node`, `tie` and `remark`.
    """

    tenant: str
    at: str = ""
    owner: str = ""
    topic: str = ""
    asked: str = ""
    """The context of the answer."""
    listing: int = 0
    """Which of the listings is read, pages taken together."""
    flawed: bool = False
    """Whether a part of the item was no record: then the item does not say all there is."""
    place: str = ""
    """The collection that ties belong to where they name none."""
    general: frozenset[str] = frozenset()
    """Subscriptions of which some answer lists resources of all types."""
    present: frozenset[str] = frozenset()
    """The topics that there are answers about."""
    templates: dict[str, str] = field(default_factory=dict)
    """Role templates by what else their roles are known by."""
    custom_roles: dict[str, str] = field(default_factory=dict)
    """ARM ids of custom Azure roles by GUID."""
    role_names: dict[str, str] = field(default_factory=dict)
    """Names of Azure roles by GUID, of directory roles by template."""
    apps: dict[str, str] = field(default_factory=dict)
    """Client ids of applications by object id."""
    clients: dict[str, str] = field(default_factory=dict)
    """Service principals by client id, of applications that are registered elsewhere."""
    dynamic: set[str] = field(default_factory=set)
    """Groups and units whose members a rule decides."""
    _first: set[str] = field(default_factory=set)
    _met: dict[str, tuple[str, int]] = field(default_factory=dict)
    _ids: dict[str, set[str]] = field(default_factory=dict)
    _covered: dict[str, set[str]] = field(default_factory=dict)
    _held: dict[str, int] = field(default_factory=dict)

    def node(
        self, kind: str, uid: str, properties: Mapping[str, Any], collection: str = ""
    ) -> Node:
        """Make a node found at this place."""
        self._count(collection)
        return Node(kind, uid, self.tenant, properties, "observed", collection, self.at)

    def tie(
        self,
        kind: str,
        start: str,
        end: str,
        collection: str = "",
        implied: bool = False,
        **properties: Any,
    ) -> Relationship:
        """Make a relationship found at this place."""
        collection = collection or ("" if implied else self.place)
        self._count(collection or kind)
        said = {name: value for name, value in properties.items() if value not in (None, "")}
        place = ("observed", collection, self.at)
        return Relationship(kind, start, end, self.tenant, said, *place, implied)  # type: ignore[arg-type]

    def contained(self, uid: str) -> Relationship:
        """Make the tie from the tenant that every object of the directory has."""
        return self.tie("CONTAINS", self.tenant, uid, implied=True)

    def remark(self, code: str, message: str) -> Remark:
        """Make a remark about this place."""
        self.flawed = self.flawed or code == "bad-record"
        return Remark(code, self.at, message)

    def first(self, uid: str) -> bool:
        """Whether nothing was said of the object before; from now on something was."""
        if uid in self._first:
            return False
        self._first.add(uid)
        return True

    def again(self, uid: str, tie: Relationship, *, alike: bool = False) -> Record | None:
        """Return what accounts for an object that was read before; nothing for a new one.

        That is `tie` where several listings have it by nature, so that the loader counts it as
        repeated: what is `alike` everywhere, or is listed by both of its ends, or by each scope.
        """
        known = self._met.get(uid)
        if known is None:
            self._met[uid] = self.topic, self.listing
            return None
        topic, listing = known
        by_nature = topic != self.topic or (listing != self.listing and topic in SHARED)
        if alike or by_nature:
            return tie
        return self.remark("duplicate", f"{uid:.160} is listed again")

    def known(self, topic: str, uid: str) -> None:
        """Note an object whose parts other answers may list."""
        self._ids.setdefault(topic, set()).add(uid)

    def told(self, part: str, *topics: str) -> bool:
        """Whether other answers say the same: of the topics, or a part within another answer.

        What they say too is implied here. What only this answer says is not: it may dangle, and
        that is then to be heard of.
        """
        return part in self._covered or not self.present.isdisjoint(topics)

    def covers(self, part: str, uid: str) -> None:
        """Note that all that belongs to one object, such as its members, was read."""
        if self.flawed:
            return
        self._covered.setdefault(part, set()).add(uid)

    def _count(self, collection: str) -> None:
        self._held[collection] = self._held.get(collection, 0) + 1

    def parts(self, chains: Mapping[str, Chain]) -> Iterator[Listing]:
        """Yield a listing for what was read object by object.

        It is complete if the objects are known to be all, and each had its part read.
        """
        for part, topics in PARTS.items():
            ids = set().union(*(self._ids.get(topic, set()) for topic in topics))
            covered = self._covered.get(part, set())
            if not covered:
                continue
            proved = [topic in chains and _proved(chains[topic]) for topic in topics]
            held = self._held.get(part, 0)
            whole = all(proved) and ids <= covered
            yield Listing(self.tenant, "observed", part, held, held if whole else None)


SHARED = (
    *("arm", "oauth2PermissionGrants"),
    *("servicePrincipals/appRoleAssignedTo", "servicePrincipals/appRoleAssignments"),
)
"""Topics of which several listings have the same objects."""


def _proved(chain: Chain) -> bool:
    return chain.expected is not None and chain.expected == chain.received


PARTS: Mapping[str, tuple[str, ...]] = {
    "groupMembers": ("groups",),
    "groupOwners": ("groups",),
    "REPORTS_TO": ("users",),
    "IN_UNIT": ("administrativeUnits",),
    "directoryRoles/members": ("directoryRoles",),
    "applicationOwners": ("applications",),
    "servicePrincipalOwners": ("servicePrincipals",),
    "deviceOwners": ("devices",),
    "deviceUsers": ("devices",),
    "credentials": ("applications", "servicePrincipals"),
    "federatedCredentials": ("applications",),
    "servicePrincipals/appRoles": ("servicePrincipals",),
    "servicePrincipals/application": ("servicePrincipals",),
    "appRoleAssignments": ("servicePrincipals",),
}
"""Collections that are read object by object, and the listings that say which objects there are."""


def default_collection(kind: str) -> str:
    """Return the collection that nodes of a kind belong to unless something else is said."""
    return SCHEMA.node_kinds[kind].collection
