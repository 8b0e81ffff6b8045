"""A whole made-up tenant as a stream of records, the same for the same users, seed and name."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from simbuilder.graph.model import SCHEMA
from simbuilder.graph.records import PLANES, Listing, Node, Plane, Relationship, located
from simbuilder.graph.synthetic import (
    applications,
    cloud,
    groups,
    people,
    policies,
    powers,
    rbac,
    roles,
)
from simbuilder.graph.synthetic.facts import GRAPH_ROLES
from simbuilder.graph.synthetic.layout import PROVIDERS, Layout
from simbuilder.graph.synthetic.world import World

DEFAULT_NAME = "Northwind Traders"
"""A company of Microsoft's examples."""

_Source = Callable[[Layout], Iterable[Node]]
_Ties = Callable[[Layout], Iterable[Relationship]]


def tenant(
    users: int, seed: int, plane: Plane = "observed", name: str = DEFAULT_NAME
) -> Iterator[Node | Relationship | Listing]:
    """Yield the nodes of a tenant, then its relationships, then what makes each listing complete.

    `users` is how many it has in all, guests and administrators among them: 1 to 100,000. Raises
    `ValueError` at once for any other number, or a plane that there is not. Everything else is in
    proportion: some 250 nodes that each tenant has, and for each user about 2.3 nodes and 9.3
    relationships. Made as it is asked for, and not kept: memory does not grow with users.
    """
    if plane not in PLANES:
        raise ValueError(f"no plane is called {plane!r:.80}")
    return _records(World(users, seed, name), plane)


def _records(world: World, plane: Plane) -> Iterator[Node | Relationship | Listing]:
    layout = Layout(world)
    collections = {name: kind.collection for name, kind in SCHEMA.node_kinds.items()}
    counts: Counter[str] = Counter()
    for source in _NODES:
        for node in source(layout):
            counts[collections[node.kind]] += 1
            yield node if plane == "observed" else _moved_node(node, plane)
    for kind, ties in _TIES.items():
        count = 0
        for tie in ties(layout):
            count += 1
            yield tie if plane == "observed" else _moved_tie(tie, plane)
        counts[kind] = count
    for collection in _collections():
        received = counts[collection]
        yield Listing(world.tenant, plane, collection, received, received)


def _moved_node(node: Node, plane: Plane) -> Node:
    return replace(node, uid=located(node.uid, plane), plane=plane)


def _moved_tie(tie: Relationship, plane: Plane) -> Relationship:
    start, end = located(tie.start, plane), located(tie.end, plane)
    return replace(tie, start=start, end=end, plane=plane)


def _collections() -> list[str]:
    """Return every collection that any size of tenant may have, so that a small one empties it."""
    kinds = (*_KINDS, *PROVIDERS)
    return [*dict.fromkeys(SCHEMA.node_kinds[kind].collection for kind in kinds), *_TIES]


_NODES: tuple[_Source, ...] = (
    lambda layout: policies.tenant(layout.world),
    lambda layout: policies.domains(layout.world),
    lambda layout: people.users(layout.world),
    lambda layout: groups.nodes(layout.world),
    lambda layout: people.devices(layout.world),
    # from here on there are few enough to be made twice: as nodes, and for what contains them
    lambda layout: people.units(layout.world),
    lambda layout: applications.applications(layout.world),
    applications.principals,
    lambda layout: applications.credentials(layout.world),
    lambda layout: applications.federated(layout.world),
    lambda layout: applications.issuers(layout.world),
    lambda layout: applications.app_roles(layout.world),
    applications.grant_nodes,
    lambda layout: applications.consent_nodes(layout.world),
    lambda layout: roles.definitions(layout.world),
    lambda layout: roles.assignments(layout.world, eligible=False),
    lambda layout: roles.assignments(layout.world, eligible=True),
    lambda layout: roles.policies(layout.world),
    lambda layout: policies.settings(layout.world),
    lambda layout: policies.locations(layout.world),
    lambda layout: policies.conditional_access(layout.world),
    lambda layout: rbac.definitions(layout.world),
    cloud.scopes,
    cloud.resources,
    cloud.secrets,
    rbac.assignment_nodes,
    lambda layout: powers.hubs(layout.world),
)
"""Where nodes come from, in the order that they are told."""

_KINDS = (
    *("Tenant", "Domain", "EntraUser", "EntraGroup", "EntraDevice", "AdministrativeUnit"),
    *("EntraApplication", "EntraServicePrincipal", "Credential", "FederatedCredential"),
    *("ExternalIssuer", "AppRole", "AppRoleAssignment", "OAuth2PermissionGrant"),
    *("EntraRoleDefinition", "EntraRoleAssignment", "EntraRoleEligibility"),
    *("RoleManagementPolicy", "DirectoryPolicy", "NamedLocation", "ConditionalAccessPolicy"),
    *("AzureRoleDefinition", "ManagementGroup", "Subscription", "ResourceGroup", "SecretRef"),
    *("AzureRoleAssignment", "Capability"),
)


def _contained(layout: Layout) -> Iterator[Relationship]:
    """Yield that the tenant, or the scope it is in, contains each object."""
    world = layout.world
    own = world.tenant
    many = (
        (world.users, world.sizes.users),
        (world.groups, groups.numbers(world).total),
        (world.devices, world.sizes.devices),
    )
    for stream, count in many:
        for number in range(count):
            yield Relationship("CONTAINS", own, stream.guid(number), own, implied=True)
    few = (source(layout) for source in _NODES[_FEW:_AZURE])
    for node in chain(policies.domains(world), *few):
        yield Relationship("CONTAINS", own, node.uid, own, implied=True)
    for start, end in cloud.contained(layout):
        yield Relationship("CONTAINS", start, end, own, implied=True)
    for each in rbac.assignments(layout):
        yield Relationship("CONTAINS", each.scope, each.uid, own, implied=True)


_FEW = 5
_AZURE = _NODES.index(cloud.scopes)


def _assigned(layout: Layout) -> Iterator[Relationship]:
    world = layout.world
    for held in roles.holdings(world):
        yield world.tie("HAS_ASSIGNMENT", held.principal, held.uid)
    for each in rbac.assignments(layout):
        yield world.tie("HAS_ASSIGNMENT", each.principal, each.uid)
    for uid, holder, *_ in applications.grants(layout):
        yield world.tie("HAS_ASSIGNMENT", holder, uid)
    for uid, client, _ in applications.consents(world):
        yield world.tie("HAS_ASSIGNMENT", client, uid)


def _of_role(layout: Layout) -> Iterator[Relationship]:
    world = layout.world
    for held in roles.holdings(world):
        yield world.tie("OF_ROLE", held.uid, world.role(held.template))
    for each in rbac.assignments(layout):
        yield world.tie("OF_ROLE", each.uid, world.azure_role(each.role))
    for uid, _, _, permission, *_ in applications.grants(layout):
        yield world.tie("OF_ROLE", uid, permission)


def _scoped(layout: Layout) -> Iterator[Relationship]:
    for uid, scope in roles.scoped(layout.world):
        yield layout.world.tie("SCOPED_TO", uid, scope)
    for each in rbac.assignments(layout):
        yield layout.world.tie("SCOPED_TO", each.uid, each.scope)


def _granted(layout: Layout) -> Iterator[Relationship]:
    for uid, holder, _, permission, _, _ in applications.grants(layout):
        own = {"assignment_id": uid}
        yield layout.world.tie("GRANTED_APP_ROLE", holder, permission, own)


def _held(layout: Layout) -> Iterator[Relationship]:
    for uid, holder, _, _, resource, value in applications.grants(layout):
        own = {"role": value, "assignment_id": uid}
        yield layout.world.tie("HAS_APP_ROLE", holder, resource, own)


def _declared(layout: Layout) -> Iterator[Relationship]:
    world = layout.world
    for role, _ in GRAPH_ROLES:
        yield world.tie("ON", world.graph_role(role), world.graph)
    for uid in applications.own_roles(world):
        yield world.tie("ON", uid, uid.partition("/")[0])


def _owned(layout: Layout) -> Iterator[Relationship]:
    world = layout.world
    for owner, app in applications.owned(world):
        yield world.tie("OWNS", owner, app)
    yield from groups.owners(world)
    yield from people.device_owners(world)


def _own(kind: str) -> _Ties:
    return lambda layout: applications.own_ties(layout.world)[kind]


_TIES: dict[str, _Ties] = {
    "CONTAINS": _contained,
    "VERIFIES": lambda layout: policies.verified(layout.world),
    "MEMBER_OF": lambda layout: groups.members(layout.world),
    "IN_UNIT": lambda layout: people.in_units(layout.world),
    "REPORTS_TO": lambda layout: people.managers(layout.world),
    "OWNS": _owned,
    "RUNS": _own("RUNS"),
    "INSTANCE_OF": _own("INSTANCE_OF"),
    "HAS_CREDENTIAL": _own("HAS_CREDENTIAL"),
    "AUTHENTICATES_TO": _own("AUTHENTICATES_TO"),
    "TRUSTS_ISSUER": _own("TRUSTS_ISSUER"),
    "HAS_ASSIGNMENT": _assigned,
    "OF_ROLE": _of_role,
    "SCOPED_TO": _scoped,
    "HAS_ROLE": lambda layout: roles.collapsed(layout.world, eligible=False),
    "ELIGIBLE_FOR": lambda layout: roles.collapsed(layout.world, eligible=True),
    "GOVERNS": lambda layout: roles.governed(layout.world),
    "HAS_RBAC": lambda layout: rbac.collapsed(layout, "HAS_RBAC"),
    "VIEWS": lambda layout: rbac.collapsed(layout, "VIEWS"),
    "GRANTED_APP_ROLE": _granted,
    "HAS_APP_ROLE": _held,
    "ON": _declared,
    "DELEGATED": lambda layout: applications.delegated(layout.world),
    "APPLIES_TO": lambda layout: policies.applied(layout.world),
    "EXCLUDES": lambda layout: policies.excluded(layout.world),
    "RUNS_AS": cloud.identities,
    "IS_IDENTITY": cloud.shared_identities,
    "IN_SUBNET": cloud.networked,
    "ATTACHED_TO": cloud.attached,
    "EXPOSES": cloud.exposed,
    "SENDS_LOGS_TO": cloud.logged,
    "STORES": cloud.stored,
    "UNLOCKS": cloud.unlocked,
    "CAN_GET_SECRETS": rbac.may_read_secrets,
    "CAN_GRANT_ROLE": rbac.may_grant,
    "CAN_EXECUTE_ON": rbac.may_execute,
    "CAN": powers.capable,
    "OVER": lambda layout: powers.over(layout.world),
    "ADMINISTERS": lambda layout: powers.administered(layout.world),
    "CAN_ADD_SECRET": lambda layout: powers.secret_adders(layout.world),
    "CAN_ADD_MEMBER": lambda layout: powers.member_adders(layout.world),
}
"""Where relationships of each kind come from, in the order that they are told."""
