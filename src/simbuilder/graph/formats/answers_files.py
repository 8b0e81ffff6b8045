"""A first look at files of answers: what each is about, and which pages belong together."""

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from simbuilder.graph.formats.answers_casing import spelled
from simbuilder.graph.formats.answers_ids import (
    DESCENDANTS,
    SUBSCRIPTION,
    arm_id,
    group_of,
    is_descendant,
    subscription_of,
    type_of,
)
from simbuilder.graph.formats.answers_topics import (
    ARM,
    DIRECTORY_OBJECTS,
    TOPICS,
    TYPED,
    by_context,
    by_item,
    by_link,
    by_name,
    by_type,
)
from simbuilder.graph.formats.answers_unfolding import Unfolded, unfolded
from simbuilder.graph.formats.answers_values import GUID, Item, find, inner, word
from simbuilder.graph.formats.jsonstream import EMPTY, Source, sources, walk
from simbuilder.graph.formats.opening import explained
from simbuilder.graph.records import fold

JSON_NAMES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")

_LINKS = ("@odata.nextLink", "odata.nextLink", "nextLink")
_CONTEXTS = ("@odata.context", "odata.metadata")
_PAGE = re.compile(
    r"(?P<base>.*?)(?:[._\- ](?:page|part|p)?|(?:page|part))[._\- ]?(?P<number>\d{1,6})",
    re.IGNORECASE,
)
_TENANT = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/\$metadata", re.IGNORECASE)
_FILTER = re.compile(r"[?&](\$|%24)(filter|search)=", re.IGNORECASE)
_OF_OBJECTS = ("id", "Id", "objectId", "ObjectId", "displayName", "DisplayName", "error")
"""Members of an object that is itself an item, or an error; a file of several lists has none."""

TENANT_NAMES = (("tenantId",), ("tenant_id",), ("tenantID",))
"""Members that say whose the lists beside them are."""

_GLANCE = 64
_FEW = 2
"""Places or holders that are remembered of an answer: enough to know that there is not only one."""


@dataclass(slots=True)
class Answer:
    """One file: where it is, what its envelope says, and what its items are.

    `shape` is `list` (an answer with `value`), `items` (a bare array, or one object a line),
    `single` (one object), `map` (arrays by the id of their owner) or `error`. Of a file with a list
    for each topic, an answer is one `member`: its shape is `list` if it is itself an answer.
    """

    source: Source
    place: PurePosixPath
    shape: str = "single"
    member: tuple[str, ...] = ()
    topic: str = ""
    named: str = ""
    """The topic by the name alone, for items that do not tell themselves."""
    owner: str = ""
    base: str = ""
    number: int | None = None
    envelope: Item = field(default_factory=dict)
    received: int = 0
    first: Item = field(default_factory=dict)
    arm: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """For each subscription and type among its items, some of the places they are in."""
    held: dict[tuple[str, str], int] = field(default_factory=dict)
    """For each of these, how many items."""
    tenants: set[str] = field(default_factory=set)
    beside: tuple[str, ...] = ()
    """Other members than `value` that hold objects."""
    is_cast: bool = False
    """Whether a list of members or the like was asked for those of one type."""

    @property
    def next_link(self) -> str:
        """The address of the page after this one; empty for the last."""
        return next((word(self.envelope[n]) for n in _LINKS if self.envelope.get(n)), "")

    @property
    def context(self) -> str:
        """What the service says the answer holds."""
        return next((word(self.envelope[name]) for name in _CONTEXTS if name in self.envelope), "")

    @property
    def count(self) -> int | None:
        """How many items the whole listing has by the service's word."""
        found = self.envelope.get("@odata.count")
        return found if type(found) is int else None

    @property
    def filtered(self) -> bool:
        """Whether it was visibly asked for a part of what there is."""
        return bool(_FILTER.search(self.next_link))

    @property
    def is_delta(self) -> bool:
        """Whether it lists what changed rather than what there is."""
        return "@odata.deltaLink" in self.envelope or "/$delta" in self.context


def files(path: Path) -> Iterator[tuple[Source, PurePosixPath]]:
    """Yield the files of a folder, a zip or a single file, in the order of their names.

    Names of files in a folder begin with that of the folder.
    """
    if not path.is_dir():
        for source in sources(path):
            yield source, PurePosixPath(source.name)
        return
    for each in sorted(path.rglob("*")):
        if each.is_file():
            place = PurePosixPath(path.name or "answers", *each.relative_to(path).parts)
            if each.name.lower().endswith((*JSON_NAMES, ".zip")):
                for source in sources(each):
                    inside = place if source.name == each.name else place / source.name
                    yield dataclasses.replace(source, name=str(inside)), inside
            else:
                yield Source(str(place), lambda each=each: each.open("rb")), place  # type: ignore[misc]


# --- one file -------------------------------------------------------------------------------


def survey(source: Source, place: PurePosixPath, *, few: bool = False) -> list[Answer]:
    """Read a file once for what it is, or only its beginning if a `few` items will do.

    It is one answer, or one for each list that it holds by name. Raises `GraphInputError` if it is
    no JSON or cut short.
    """
    answer = Answer(source, place)
    members: dict[tuple[str, ...], Answer] = {}
    for path, value, _ in islice(walk(source), _GLANCE if few else None):
        if path in ((), ("value",)):
            answer.shape = "items" if not path else "list"
            _add(answer, value)
        else:
            answer.envelope.setdefault(path[0], value)
            for part in unfolded(path, value):
                _add(members.setdefault(part.path, Answer(source, place, "items", part.path)), part)
    found = [answer]
    if answer.shape == "list":
        answer.beside = tuple(".".join(name) for name, each in members.items() if each.first)
    if answer.shape == "single":
        found = _several(answer, members) or found
    for each in found:
        if each.shape == "single":
            _single(each)
        _name(each)
        _settle(each)
        _tenants(each)
    return found


def _add(answer: Answer, value: Any) -> None:
    held = value
    if isinstance(value, Unfolded):
        held = value.value
        if value.envelope is not None and value.envelope is not answer.envelope:
            answer.shape = "list" if not answer.envelope else "items"  # of one page, or of several
            answer.envelope = value.envelope
    if held is EMPTY:
        return
    answer.received += 1
    if isinstance(held, dict):
        _note(answer, spelled(held))


def _several(answer: Answer, members: dict[tuple[str, ...], Answer]) -> list[Answer]:
    """Return the answers that one object holds by name; none if it is itself one."""
    held = answer.envelope
    named = by_name(*answer.place.parts[:-1], _stem(answer.place))
    if _has_owner(named) or any(name in held for name in (*_CONTEXTS, *_OF_OBJECTS)):
        return []
    if not any(_is_topic(path) or by_item(each.first) for path, each in members.items()):
        return []
    for (name,) in TENANT_NAMES:
        if GUID.fullmatch(word(held.get(name))):
            members[next(iter(members))].tenants.add(fold(held[name]))
    return list(members.values())


def _single(answer: Answer) -> None:
    """Tell an object from an error, and from a map of arrays by owner."""
    held = answer.envelope
    by_owner = _has_owner(by_name(*answer.place.parts[:-1], _stem(answer.place)))
    of_lists = by_owner and not any(name in held for name in _OF_OBJECTS)
    if isinstance(held.get("error"), dict) and not held.get("id"):
        answer.shape = "error"
    elif held and (of_lists or all(GUID.fullmatch(name) for name in held)):
        answer.shape = "map"
    else:
        answer.received = 1
        _note(answer, spelled(held))
        return
    for each in walk(answer.source) if answer.shape == "map" else ():
        for one in () if each.value is EMPTY else inner(each.value).get("value", [each.value]):
            answer.received += 1
            answer.first = answer.first or inner(one)


def _note(answer: Answer, item: Item) -> None:
    if not answer.first:
        answer.first = item
    uid = arm_id(item)
    if not uid:
        if "verifiedDomains" in item and GUID.fullmatch(word(item.get("id"))):
            answer.tenants.add(fold(word(item["id"])))
        return
    kind = type_of(uid)
    if is_descendant(item, kind):
        above = word(find(item, "properties/parent/id")).rpartition("/")[2]
        if GUID.fullmatch(above):  # as the root is called
            answer.arm.setdefault(("", DESCENDANTS), set()).add(fold(above))
        answer.held["", DESCENDANTS] = answer.held.get(("", DESCENDANTS), 0) + 1
        return
    place = subscription_of(uid), kind
    answer.held[place] = answer.held.get(place, 0) + 1
    found = answer.arm.setdefault(place, set())
    if len(found) < _FEW:
        found.add(f"{group_of(uid)} {word(find(item, 'properties/principalId'))}")
    if kind == SUBSCRIPTION:
        answer.tenants.add("subscription " + fold(word(find(item, "tenantId"))))


def _name(answer: Answer) -> None:
    """Take the name of a file apart: the topic, its owner, and the number of the page."""
    stem = _stem(answer.place)
    found = _PAGE.fullmatch(stem) if not GUID.search(stem[-36:]) else None
    if stem.isdigit():
        answer.number, stem = int(stem), ""
    elif found and not found["base"][-1:].isdigit():  # that would be a date
        answer.number, stem = int(found["number"]), found["base"]
    answer.base = stem.lower()
    folders = (*answer.place.parts[:-1], *((stem, *answer.member) if answer.member else ()))
    if answer.member:
        answer.base, stem = "/".join((answer.base, *answer.member)), ""
    answer.named = by_name(*folders, stem)
    owners = GUID.findall("/".join((*folders, stem)))
    answer.owner = fold(owners[-1]) if owners else ""


def _stem(place: PurePosixPath) -> str:
    """Return the name of a file without its endings."""
    name = place.name
    ending = next((each for each in JSON_NAMES if name.lower().endswith(each)), "")
    return name[: len(name) - len(ending)]


def _is_topic(path: tuple[str, ...]) -> bool:
    return bool(by_name(path[-1]))


def _settle(answer: Answer) -> None:
    """Decide what an answer is about: its context, then its items, then its name."""
    topic, owner = by_context(answer.context)
    link_topic, link_owner = by_link(answer.next_link)
    if topic == DIRECTORY_OBJECTS:
        found = link_topic if _has_owner(link_topic) else answer.named
        topic = found if _has_owner(found) else ""
    elif topic in TYPED and _has_owner(answer.named) and answer.owner:
        # the members of a group that are users are said to be users
        topic, owner = answer.named, answer.owner
        answer.is_cast = True
    elif not topic and answer.first:
        # what a context calls by an unknown name is something else, whatever fields it has
        of_item = by_item(answer.first, answer.named)
        told = by_type(answer.first) if answer.context and of_item != ARM else of_item
        # an entity with a type, in a list whose name says it is a list of members
        listed = _has_owner(answer.named) and told != ARM and "/" not in told
        topic = answer.named if listed or not told else told
    elif not topic:
        topic = link_topic or answer.named
    answer.topic = topic
    # a GUID in the path is that of an owner only where there is to be one: it may be the tenant's
    by_path = answer.owner if _has_owner(topic) or _is_below_owner(answer) else ""
    answer.owner = owner or link_owner or by_path


def _has_owner(topic: str) -> bool:
    return topic in TOPICS and bool(TOPICS[topic].tail)


def _is_below_owner(answer: Answer) -> bool:
    """Whether a path is such as `servicePrincipals/{id}/oauth2PermissionGrants.json`."""
    folders = answer.place.parts[-3:-1]
    return len(folders) == 2 and bool(by_name(folders[0]) and GUID.fullmatch(folders[1]))


def _tenants(answer: Answer) -> None:
    found = _TENANT.search(answer.context)
    if found:
        answer.tenants.add(fold(found[1]))


# --- the items of a file --------------------------------------------------------------------


def read_items(answer: Answer) -> Iterator[tuple[Any, int, str]]:
    """Yield each item, the line it starts on, and its owner where the file itself names one."""
    if answer.shape == "single":
        # a walk cannot tell an array of one from its item; an object by itself is small
        with answer.source.open() as stream, explained(answer.source.name):
            yield spelled(json.loads(stream.read())), 1, ""
        return
    read = _by_owner if answer.shape == "map" else _of_member if answer.member else _listed
    for value, line, owner in read(answer):
        if value is not EMPTY:
            yield spelled(value), line, owner


def _listed(answer: Answer) -> Iterator[tuple[Any, int, str]]:
    wanted = ("value",) if answer.shape == "list" else ()
    for path, value, line in walk(answer.source):
        if path == wanted:
            yield value, line, ""


def _by_owner(answer: Answer) -> Iterator[tuple[Any, int, str]]:
    for path, value, line in walk(answer.source):
        for each in () if value is EMPTY else inner(value).get("value", [value]):
            yield each, line, fold(path[0])


def _of_member(answer: Answer) -> Iterator[tuple[Any, int, str]]:
    for path, value, line in walk(answer.source):
        for each in unfolded(path, value) if path[:1] == answer.member[:1] else ():
            if each.path == answer.member:
                yield each.value, line, each.owner
