"""The made-up tenant: the same everywhere, true to the schema, and with a way to the top."""

import gc
import json
import tracemalloc
from collections import Counter, deque
from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise
from time import process_time

import pytest

from simbuilder.graph.model import SCHEMA
from simbuilder.graph.preparing import Preparer
from simbuilder.graph.records import Listing, Node, Plane, Record, Relationship, Remark
from simbuilder.graph.synthetic import DEFAULT_NAME, MOST_USERS, tenant
from simbuilder.graph.synthetic.chance import Stream, Weighted, days_ago, days_ahead, long_tail
from simbuilder.graph.synthetic.facts import GLOBAL_ADMINISTRATOR
from simbuilder.graph.synthetic.names import person, plain
from simbuilder.graph.synthetic.sizes import sizes_of


def told(record: Record) -> list[object]:
    if isinstance(record, Node):
        own: list[object] = [record.kind, record.uid, dict(record.properties)]
    elif isinstance(record, Relationship):
        properties = dict(record.properties)
        own = [record.kind, record.start, record.end, properties, record.implied]
    else:
        assert isinstance(record, Listing)
        own = [record.collection, record.received, record.expected]
    return [*own, record.tenant_id, record.plane]


def digest(records: Iterable[Record]) -> str:
    hashed = blake2b(digest_size=16)
    for record in records:
        hashed.update(json.dumps(told(record)).encode())
    return hashed.hexdigest()


class Tenant:
    """A tenant read into memory, as only tests may."""

    def __init__(self, users: int, seed: int, plane: Plane = "observed") -> None:
        self.nodes: dict[str, Node] = {}
        self.ties: list[Relationship] = []
        self.listings: list[Listing] = []
        for record in tenant(users, seed, plane):
            if isinstance(record, Node):
                assert not self.ties, "nodes come first"
                assert record.uid not in self.nodes, record.uid
                self.nodes[record.uid] = record
            elif isinstance(record, Relationship):
                assert not self.listings, "listings come last"
                self.ties.append(record)
            else:
                self.listings.append(record)

    def of(self, kind: str) -> list[Relationship]:
        return [tie for tie in self.ties if tie.kind == kind]

    def kind(self, kind: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == kind]

    def degrees(self, kind: str, *, start: bool) -> Counter[str]:
        return Counter(tie.start if start else tie.end for tie in self.of(kind))


@pytest.fixture(scope="module")
def middling() -> Tenant:
    return Tenant(2_000, 3)


# --- the same everywhere --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("users", "seed", "expected"),
    [
        (200, 7, "0aba38f546bb48b1e63508c6925add22"),
        (1_500, 123_456_789, "6d573fe560ff5982af59c7981ac763bc"),
    ],
)
def test_the_same_users_and_seed_are_the_same_tenant(users: int, seed: int, expected: str) -> None:
    assert digest(tenant(users, seed)) == expected
    assert digest(tenant(users, seed)) == expected


def test_another_seed_size_or_name_is_another_tenant() -> None:
    several = (tenant(30, 1), tenant(30, 2), tenant(31, 1), tenant(30, 1, name="Adatum"))
    uids = [{each.uid for each in records if isinstance(each, Node)} for records in several]
    for place, mine in enumerate(uids):
        for other in uids[place + 1 :]:
            assert {uid for uid in mine & other if "http" not in uid} == set()


def test_the_name_is_told_and_makes_the_domain() -> None:
    top, usual = next(tenant(1, 1, name="Größe & Söhne")), next(tenant(1, 1))
    assert isinstance(top, Node)
    assert isinstance(usual, Node)
    assert top.properties["name"] == "Größe & Söhne"
    assert top.properties["default_domain"].startswith("grossesohne-")
    assert usual.properties["name"] == DEFAULT_NAME


@pytest.mark.parametrize("users", [0, -1, MOST_USERS + 1])
def test_a_number_of_users_it_cannot_have_is_refused_at_once(users: int) -> None:
    with pytest.raises(ValueError, match="1 to 100,000 users"):
        tenant(users, 1)


def test_a_plane_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no plane is called 'dreamt'"):
        tenant(1, 1, "dreamt")  # type: ignore[arg-type]


def test_splitmix64_gives_its_published_numbers() -> None:
    # the first outputs for the state 1234567, as in the test of its reference implementation
    stream = Stream(0, "")
    stream._first = 1_234_567
    assert [stream.bits(index) for index in (1, 2, 3)] == [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
    ]


def test_chance_is_about_as_likely_as_it_says() -> None:
    stream, choice = Stream(5, "test"), Weighted(((1, "a"), (2, "b"), (7, "c")))
    picked = Counter(choice.pick(stream.bits(index)) for index in range(20_000))
    assert 0.08 < picked["a"] / 20_000 < 0.12
    assert 0.67 < picked["c"] / 20_000 < 0.73
    sizes = [long_tail(stream.bits(index), 4, 500) for index in range(20_000)]
    assert min(sizes) == 4
    assert max(sizes) <= 500
    assert sorted(sizes)[10_000] < 10
    assert sum(size > 100 for size in sizes) > 100
    assert {stream.below(index, 7) for index in range(200)} == set(range(7))
    assert days_ago(0, 0) == "2026-01-15T00:00:00Z"
    assert days_ahead(1) == "2026-01-16T08:00:00Z"


def test_ids_look_like_random_ones() -> None:
    ids = [Stream(1, "x").guid(index) for index in range(1_000)]
    assert len(set(ids)) == 1_000
    for uid in ids:
        assert [len(part) for part in uid.split("-")] == [8, 4, 4, 4, 12]
        assert uid[14] == "4"
        assert uid[19] in "89ab"
        assert uid == uid.lower()


def test_people_are_told_apart_by_names_that_accounts_can_have() -> None:
    aliases = {person(index, 17)[3] for index in range(MOST_USERS)}
    assert len(aliases) == MOST_USERS
    assert all(alias.replace(".", "").isalnum() and alias.isascii() for alias in aliases)
    assert plain("Łukasz Sørensen-Groß") == "lukaszsorensengross"


# --- true to the schema ---------------------------------------------------------------------------


@pytest.mark.parametrize("users", [1, 2, 3, 9, 10, 19, 20, 21, 60, 399, 401, 2_000])
def test_every_record_is_one_the_schema_knows(users: int) -> None:
    made, preparer = Tenant(users, users), Preparer(SCHEMA)
    remarks: list[Remark] = []
    for node in made.nodes.values():
        prepared = preparer.node(node, remarks)
        assert prepared
        assert "extra" not in prepared.row["p"], prepared.row["p"]
        assert prepared.row["uid"] == node.uid
    seen: set[tuple[str, str, str, str]] = set()
    for tie in made.ties:
        prepared = preparer.relationship(tie, remarks)
        assert prepared
        assert "extra" not in prepared.row["p"], prepared.row["p"]
        name = (prepared.row["start"], tie.kind, prepared.row["end"], prepared.row["key"])
        assert name not in seen
        seen.add(name)
        kind = SCHEMA.relationship_kinds[tie.kind]
        assert labels(made, tie.start) & set(kind.starts), tie
        assert labels(made, tie.end) & set(kind.ends), tie
    assert remarks == []


def labels(made: Tenant, uid: str) -> set[str]:
    return set(SCHEMA.node_kinds[made.nodes[uid].kind].labels)


def test_records_of_a_kind_come_together(middling: Tenant) -> None:
    ties = [tie.kind for tie in middling.ties]
    changes = sum(one != other for one, other in pairwise(ties))
    assert changes + 1 == len(set(ties))


@pytest.mark.parametrize("users", [1, 300])
def test_listings_prove_every_collection_complete(users: int) -> None:
    made = Tenant(users, 5)
    counts = Counter(SCHEMA.node_kinds[node.kind].collection for node in made.nodes.values())
    counts.update(tie.kind for tie in made.ties)
    assert all(listing.complete for listing in made.listings)
    listed = {listing.collection: listing.received for listing in made.listings}
    assert len(listed) == len(made.listings)
    assert {name: count for name, count in listed.items() if count} == dict(counts)


def test_every_size_lists_the_same_collections() -> None:
    small, large = Tenant(1, 1), Tenant(1_200, 1)
    assert [each.collection for each in small.listings] == [
        each.collection for each in large.listings
    ]


def test_everything_is_contained_but_the_tenant_and_hubs(middling: Tenant) -> None:
    within = middling.degrees("CONTAINS", start=False)
    for uid, node in middling.nodes.items():
        assert within[uid] == (0 if node.kind in {"Tenant", "Capability"} else 1), uid


def test_on_another_plane_it_is_the_same_tenant() -> None:
    observed, planned = Tenant(40, 2), Tenant(40, 2, "planned")
    assert set(planned.nodes) == {f"planned:{uid}" for uid in observed.nodes}
    assert {node.plane for node in planned.nodes.values()} == {"planned"}
    assert all(tie.start in planned.nodes and tie.end in planned.nodes for tie in planned.ties)
    assert {listing.plane for listing in planned.listings} == {"planned"}
    remarks: list[Remark] = []
    assert all(Preparer(SCHEMA).node(node, remarks) for node in planned.nodes.values())
    assert remarks == []


# --- believable -----------------------------------------------------------------------------------


def test_there_are_as_many_users_as_asked_for() -> None:
    for users in (1, 2, 3, 7, 10, 25, 333):
        made = Tenant(users, 1)
        people = made.kind("EntraUser")
        assert len(people) == users
        assert len({node.properties["upn"] for node in people}) == users
        assert all(node.properties["upn"].endswith(".example") for node in people)


def test_users_are_a_believable_mixture(middling: Tenant) -> None:
    people = [node.properties for node in middling.kind("EntraUser")]
    total = len(people)
    assert 0.05 <= sum(each["user_type"] == "Guest" for each in people) / total <= 0.10
    assert 0.02 <= sum(not each["account_enabled"] for each in people) / total <= 0.08
    assert 0.08 <= sum(not each["mfa_registered"] for each in people) / total <= 0.16
    assert 0.6 <= sum(bool(each.get("on_prem_sync_enabled")) for each in people) / total <= 0.9
    assert any(not each["name"].isascii() for each in people)
    assert len({each.get("job_title") for each in people}) > 40


def test_departments_and_groups_have_a_long_tail(middling: Tenant) -> None:
    departments = Counter(node.properties.get("department") for node in middling.kind("EntraUser"))
    del departments[None]
    sizes = sorted(departments.values(), reverse=True)
    assert len(sizes) >= 8
    assert sizes[0] > 3 * sizes[len(sizes) // 2]
    groups = sorted(middling.degrees("MEMBER_OF", start=False).values(), reverse=True)
    assert groups[0] > 1_500
    assert groups[len(groups) // 2] <= 12
    memberships = middling.degrees("MEMBER_OF", start=True)
    assert max(memberships.values()) >= 5


def test_managers_make_one_tree(middling: Tenant) -> None:
    above = {tie.start: tie.end for tie in middling.of("REPORTS_TO")}
    assert len(above) == len(middling.of("REPORTS_TO"))
    (top,) = set(above.values()) - set(above)
    for uid in above:
        steps, place = 0, uid
        while place != top:
            place, steps = above[place], steps + 1
            assert steps < 12
    reports = Counter(above.values())
    assert 5 <= sum(reports.values()) / len(reports) <= 10


def test_groups_are_nested_at_most_four_deep_and_in_no_circle(middling: Tenant) -> None:
    groups = {node.uid for node in middling.kind("EntraGroup")}
    above: dict[str, list[str]] = {}
    for tie in middling.of("MEMBER_OF"):
        if tie.start in groups:
            above.setdefault(tie.start, []).append(tie.end)

    def depth(uid: str, seen: tuple[str, ...]) -> int:
        assert uid not in seen
        return max((1 + depth(each, (*seen, uid)) for each in above.get(uid, [])), default=0)

    assert 2 <= max(depth(uid, ()) for uid in groups) <= 4


def test_few_are_global_administrators(middling: Tenant) -> None:
    role = next(uid for uid in middling.nodes if uid.startswith(GLOBAL_ADMINISTRATOR))
    assert 1 <= sum(tie.end == role for tie in middling.of("HAS_ROLE")) <= 5


def test_every_typed_kind_of_resource_is_somewhere() -> None:
    made = Tenant(12_000, 9)
    kinds = {node.kind for node in made.nodes.values()}
    platform = {kind.name for kind in SCHEMA.nodes if kind.family == "Platform"}
    assert platform <= kinds


@pytest.mark.parametrize(("users", "nodes", "ties"), [(5_000, 12_000, 45_000)])
def test_it_is_about_as_large_as_promised(users: int, nodes: int, ties: int) -> None:
    made = Tenant(users, 4)
    assert 0.85 * nodes < len(made.nodes) < 1.15 * nodes
    assert 0.85 * ties < len(made.ties) < 1.15 * ties


# --- a way to the top -----------------------------------------------------------------------------


def shortest(made: Tenant) -> dict[str, list[str]]:
    """Return, for ordinary users who can sign in, the kinds on their shortest way to the top."""
    attack = set(SCHEMA.families["attack"])
    into: dict[str, list[Relationship]] = {}
    for tie in made.ties:
        if tie.kind in attack:
            into.setdefault(tie.end, []).append(tie)
    goal = next(uid for uid in made.nodes if uid.startswith(GLOBAL_ADMINISTRATOR))
    onward: dict[str, list[str]] = {goal: []}
    waiting = deque([goal])
    while waiting:
        place = waiting.popleft()
        for tie in into.get(place, []):
            if tie.start not in onward:
                onward[tie.start] = [tie.kind, *onward[place]]
                waiting.append(tie.start)
    privileged = {tie.start for tie in made.ties if tie.kind in {"HAS_ROLE", "ELIGIBLE_FOR"}}
    privileged |= {tie.start for tie in made.of("MEMBER_OF") if tie.end in privileged}
    return {
        node.uid: onward[node.uid]
        for node in made.kind("EntraUser")
        if node.uid in onward
        and node.uid not in privileged
        and node.properties["account_enabled"]
        and node.properties["user_type"] == "Member"
    }


@pytest.mark.parametrize("users", [1, 2, 3, 4, 5, 9, 10, 13, 20, 50, 200, 700])
def test_an_ordinary_user_can_become_global_administrator(users: int) -> None:
    for seed in range(25 if users <= 50 else 4):
        ways = shortest(Tenant(users, seed))
        assert ways, (users, seed)
        hops = [len(way) for way in ways.values()]
        assert min(hops) >= 4, (users, seed, min(ways.values(), key=len))
        assert min(hops) <= 7
        assert any(4 <= len(way) <= 7 and len(set(way)) >= 4 for way in ways.values())


def test_a_large_tenant_has_several_ways_and_is_made_in_bounded_time() -> None:
    began = process_time()
    made = Tenant(5_000, 11)
    assert process_time() - began < 20
    ways = shortest(made)
    assert len(ways) >= 4
    assert len({tuple(way) for way in ways.values()}) >= 3
    assert len(ways) < 0.2 * 5_000


def test_sizes_add_up_for_every_small_number_of_users() -> None:
    for users in [*range(1, 1_200), 43_000, MOST_USERS]:
        sizes = sizes_of(users, users)
        assert sizes.ordinary + sizes.admins + sizes.guests == users
        assert sum(each.size for each in sizes.departments) == sizes.ordinary
        assert all(each.size > 0 for each in sizes.departments)
        assert sizes.ordinary > 0


def test_memory_stays_flat_while_a_large_tenant_streams() -> None:
    deque(tenant(50, 1), maxlen=0)
    gc.collect()
    tracemalloc.start()
    try:
        deque(tenant(8_000, 1), maxlen=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
