"""Pages that belong together, and what they prove: whether a listing was read to its end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from simbuilder.graph.formats.answers_files import Answer
from simbuilder.graph.formats.answers_ids import DESCENDANTS, GROUP, MANAGEMENT, SUBSCRIPTION
from simbuilder.graph.formats.answers_topics import ARM, TOPICS, WHOLE
from simbuilder.graph.formats.answers_values import GUID, find, word
from simbuilder.graph.records import Remark

_AUTHORIZATION = "microsoft.authorization/"
_ROLES = {
    f"{_AUTHORIZATION}roledefinitions": "roleDefinitions",
    f"{_AUTHORIZATION}roleassignments": "roleAssignments",
    f"{_AUTHORIZATION}roleeligibilityschedules": "roleEligibilities",
    f"{_AUTHORIZATION}roleeligibilityscheduleinstances": "roleEligibilities",
    f"{_AUTHORIZATION}denyassignments": "denyAssignments",
}
_SCOPES = {SUBSCRIPTION: "subscriptions", MANAGEMENT: "managementGroups"}
_UNPROVABLE = (f"{_AUTHORIZATION}roleassignmentscheduleinstances",)


@dataclass(slots=True)
class Pages:
    """The pages of one listing, in order, and why they do not prove it whole, if so.

    `silent` is set where nothing went wrong, but the form of the file proves nothing.
    """

    topic: str
    owner: str
    answers: list[Answer]
    fault: str = ""
    silent: bool = False
    met: set[str] = field(default_factory=set)
    refused: int = 0
    """Items that could not be read: whatever they are, they are there."""

    @property
    def received(self) -> int:
        """How many items all pages hold."""
        return sum(each.received for each in self.answers)

    @property
    def expected(self) -> int | None:
        """How many items there should be, `None` if nothing says so."""
        counts = [each.count for each in self.answers if each.count is not None]
        if self.refused:
            return None
        if counts and not self.silent:
            return None if self.fault and counts[0] == self.received else counts[0]
        return None if self.fault or self.silent else self.received

    @property
    def whole(self) -> bool:
        """Whether it is proved that nothing is missing."""
        return self.expected == self.received and not self.fault

    def meets(self, item: str) -> None:
        """Note an item by what tells it from others: a listing that has one twice lacks another."""
        if item in self.met and not self.fault:
            self.fault = "some of its items are in it more than once"
        self.met.add(item)

    def remarks(self) -> Iterator[Remark]:
        """Say why the listing is not whole."""
        if self.fault and not self.silent:
            yield Remark("incomplete", str(self.answers[-1].place), self.fault)


def chains(answers: Iterable[Answer]) -> list[Pages]:
    """Put pages together, in the order in which they are to be read."""
    found: dict[tuple[str, str, str, str], list[Answer]] = {}
    for each in answers:
        key = (each.topic, each.owner, str(each.place.parent), each.base)
        found.setdefault(key, []).append(each)
    listed = []
    for (topic, owner, _, _), pages in found.items():
        pages.sort(key=lambda each: -1 if each.number is None else each.number)
        one = Pages(topic, owner, pages)
        _judge(one)
        listed.append(one)
    return sorted(listed, key=_rank)


# --- what pages prove -----------------------------------------------------------------------


def _judge(pages: Pages) -> None:
    answers = pages.answers
    if any(each.shape == "error" for each in answers):
        pages.fault = _error(next(each for each in answers if each.shape == "error"))
    elif any(each.shape != "list" or "Count" in each.envelope for each in answers):
        # what `az` prints is whole, or what --query left of it: nothing in the file tells; nor
        # does what PowerShell 5 prints, which puts arrays into an object with `value` and `Count`
        pages.silent = True
        pages.fault = "its form does not say whether it is whole"
    elif any(each.topic != each.named for each in answers) and pages.topic in WHOLE:
        pages.fault = f"its name is not that of the whole listing of {pages.topic}"
    elif any(each.is_cast for each in answers):
        pages.fault = "it was asked for those of one type only"
    elif any(each.is_delta for each in answers):
        pages.fault = "it lists what changed, not what there is"
    elif any(each.filtered for each in answers):
        pages.fault = "it was asked for a part only ($filter or $search)"
    else:
        pages.fault = _gap(answers) or _link(answers) or _count(pages)


def _error(answer: Answer) -> str:
    code = word(find(answer.envelope, "error/code")) or "an error"
    said = word(find(answer.envelope, "error/message"))
    return f"the service answered {code}: {said:.200}" if said else f"the service answered {code}"


def _gap(answers: list[Answer]) -> str:
    numbers = [each.number for each in answers if each.number is not None]
    bare = len(answers) - len(numbers)
    if not numbers:
        return ""
    starts = (1, 2) if bare else (0, 1)
    if numbers[0] not in starts:
        return f"a page is missing before number {numbers[0]}"
    for one, other in pairwise(numbers):
        if other != one + 1:
            return f"a page is missing between numbers {one} and {other}"
    return ""


def _link(answers: list[Answer]) -> str:
    if answers[-1].next_link:
        return "its last page says that more follows"
    for each in answers[:-1]:
        if not each.next_link:
            return f"{each.place.name} says that nothing follows it, but something does"
    return ""


def _count(pages: Pages) -> str:
    counts = [each.count for each in pages.answers if each.count is not None]
    if counts and counts[0] != pages.received:
        return f"{counts[0]:,} items were announced, {pages.received:,} are there"
    return ""


# --- the order of reading -------------------------------------------------------------------

_LATE = (
    *("roleEligibilityScheduleInstances", "roleEligibilitySchedules"),
    *("roleAssignmentScheduleInstances", "roleAssignments", "conditionalAccessPolicies"),
)


def _rank(pages: Pages) -> tuple[int, int]:
    """Put first what others are told by: roles before assignments, objects before members."""
    if pages.topic == ARM:
        return 3, _arm_rank(pages)
    names = list(TOPICS)
    place = names.index(pages.topic) if pages.topic in TOPICS else len(names)
    if pages.topic in ("roleDefinitions", "directoryRoles", "organization"):
        return 0, place
    if pages.topic in _LATE:
        return 2, _LATE.index(pages.topic)
    owned = pages.topic in TOPICS and bool(TOPICS[pages.topic].tail)
    return (2 if owned else 1), place


def _arm_rank(pages: Pages) -> int:
    kinds = {kind for each in pages.answers for _, kind in each.arm}
    if f"{_AUTHORIZATION}roledefinitions" in kinds:
        return 0
    if kinds & {SUBSCRIPTION, MANAGEMENT, GROUP}:
        return 1
    if len(_tops(kinds)) > 1:
        return 4
    return 3 if any(kind.startswith(_AUTHORIZATION) for kind in kinds) else 2


def _tops(kinds: Iterable[str]) -> set[str]:
    """Return the types that are resources themselves, not parts of one nor roles."""
    scopes = (SUBSCRIPTION, MANAGEMENT, GROUP)
    return {
        kind
        for kind in kinds
        if kind.count("/") == 1 and kind not in scopes and not kind.startswith(_AUTHORIZATION)
    }


def general(all_pages: Iterable[Pages]) -> frozenset[str]:
    """Return the subscriptions of which some listing has resources of several types."""
    found: set[str] = set()
    for pages in all_pages:
        kinds = _by_subscription(pages)
        found |= {each for each, held in kinds.items() if len(_tops(held)) > 1}
    return frozenset(found)


def _by_subscription(pages: Pages) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for each in pages.answers:
        for subscription, kind in each.arm:
            kinds.setdefault(subscription, set()).add(kind)
    return kinds


def arm_collections(pages: Pages, tenant: str) -> Iterator[tuple[str, int, bool]]:
    """Yield the collections that a listing of Azure Resource Manager is of.

    With each, how many items are of it, and whether the listing proves that these are all.

    The envelope never says what was asked for. A listing of one resource group looks like one of a
    subscription; so one place is proof only if the path of the file or a link names the scope. What
    is below a management group is everything only for the root, which is called as the tenant.
    """
    for subscription, kinds in _by_subscription(pages).items():
        owner = f"subscriptions/{subscription}"
        if len(_tops(kinds)) > 1:
            proved = pages.whole and _widespread(pages, subscription, kinds)
            yield f"{owner}/resources", _held(pages, subscription, kinds), proved
            continue
        for kind in sorted(kinds):
            held = _held(pages, subscription, {kind})
            proved = pages.whole and kind not in _UNPROVABLE
            if kind == DESCENDANTS:
                above = {name for e in pages.answers for name in e.arm.get(("", kind), ())}
                yield DESCENDANTS, held, proved and tenant in above
            elif kind in (SUBSCRIPTION, MANAGEMENT):
                yield _SCOPES[kind], held, proved
            elif subscription and kind == GROUP:
                yield f"{owner}/resourceGroups", held, proved
            elif subscription:
                place = f"{owner}/{_ROLES.get(kind, kind)}"
                yield place, held, proved and _widespread(pages, subscription, {kind})


def _held(pages: Pages, subscription: str, kinds: set[str]) -> int:
    return sum(each.held.get((subscription, kind), 0) for each in pages.answers for kind in kinds)


def _widespread(pages: Pages, subscription: str, kinds: set[str]) -> bool:
    if any(_names_scope(each, subscription) for each in pages.answers):
        return True
    held = [each.arm.get((subscription, kind), set()) for each in pages.answers for kind in kinds]
    places = {place.partition(" ")[0] for found in held for place in found}
    holders = {place.partition(" ")[2] for found in held for place in found}
    assigned = any(kind.startswith(_AUTHORIZATION) for kind in kinds)
    return len(places) > 1 and (len(holders) > 1 or not assigned)


def _names_scope(answer: Answer, subscription: str) -> bool:
    """Whether a link, or the folders and the name of the file, name the subscription alone."""
    link, path = answer.next_link.lower(), str(answer.place).lower()
    if link:
        return f"/subscriptions/{subscription}/" in link and "/resourcegroups/" not in link
    named = GUID.findall(path)  # that of the tenant may come before
    return named[-1:] == [subscription] and "resourcegroups/" not in path
