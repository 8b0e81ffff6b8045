"""Folders of answers of Microsoft Graph and Azure Resource Manager, as people save them.

`users.json`, `users_2.json`, `groups/{id}/members.json`, what `az ... -o json` prints, with or
without the envelope that says what it holds, in the spelling of the services, of their libraries or
of PowerShell; also one object with a list for each topic: `{"users": [...], "groups": [...]}`.
Every item becomes records or a remark, with its file and line.

A listing is complete, so that `--prune` deletes what it lacks, only where its pages prove it: each
is an answer with `value`, the last one says of no page after it, none is missing between the
numbers of the files, no item is there twice, and what was counted is there. As a filter leaves no
trace in an answer, the file must also be called as the whole listing: `users.json` is all users,
`guests.json` may be some. An array by itself, as `az` and PowerShell print it, proves nothing.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats.answers_chains import Pages, arm_collections, chains, general
from simbuilder.graph.formats.answers_files import (
    JSON_NAMES,
    TENANT_NAMES,
    Answer,
    files,
    read_items,
    survey,
)
from simbuilder.graph.formats.answers_ids import GROUP, MANAGEMENT, SUBSCRIPTION
from simbuilder.graph.formats.answers_parts import malformed
from simbuilder.graph.formats.answers_policies import SETTINGS
from simbuilder.graph.formats.answers_run import Chain, Run, default_collection
from simbuilder.graph.formats.answers_topics import (
    ARM,
    DIRECTORY_OBJECTS,
    MAPPERS,
    TOPICS,
    TYPES,
    Topic,
    by_item,
    by_type,
)
from simbuilder.graph.formats.answers_values import GUID, Item, object_id, odata_type, word
from simbuilder.graph.formats.opening import Source
from simbuilder.graph.records import Listing, Record, Remark, fold

_MAPPED = {
    "organization": "Tenant",
    "domains": "Domain",
    "users": "EntraUser",
    "groups": "EntraGroup",
    "applications": "EntraApplication",
    "servicePrincipals": "EntraServicePrincipal",
    "devices": "EntraDevice",
    "administrativeUnits": "AdministrativeUnit",
    "roleDefinitions": "EntraRoleDefinition",
    "roleManagementPolicies": "RoleManagementPolicy",
    "conditionalAccessPolicies": "ConditionalAccessPolicy",
    "namedLocations": "NamedLocation",
}
"""The kind of node that a listing is of; its collection is the listing's."""

_COLLECTIONS = {"roleEligibilityScheduleInstances": "roleEligibilities"}
"""Collections that are called another name than their topic."""

_OWNERS = {
    "groups": ("groupId", "group_id"),
    "applications": ("applicationId", "application_id"),
    "servicePrincipals": ("servicePrincipalId", "service_principal_id"),
    "devices": ("deviceId", "device_id"),
    "administrativeUnits": ("administrativeUnitId", "unitId"),
    "directoryRoles": ("directoryRoleId", "roleId"),
    "users": ("userId", "user_id"),
}
"""How lists that are about several owners name the owner of each item."""

_SOME = 3
_REFUSED = ("bad-record", "unknown-kind")
_WITHOUT_ID = ("domains", "organization", "roleManagementPolicyAssignments")
_ARM = {
    SUBSCRIPTION: "subscriptions",
    MANAGEMENT: "managementGroups",
    GROUP: "resourceGroups",
    "microsoft.authorization/roledefinitions": "azureRoleDefinitions",
}
"""What ARM types are called among the topics that are present."""


def recognises(source: Source) -> bool:
    """Whether a file is an answer by its content: by its envelope, or by what its items are."""
    answers = survey(source, PurePosixPath(source.name), few=True)
    return len(answers) > 1 or bool(answers[0].member) or _is_answer(answers[0])


def _is_answer(answer: Answer) -> bool:
    # an envelope alone will do: it is an answer, though maybe about nothing that is known here
    if answer.context or answer.shape in ("list", "map", "error") or by_item(answer.first):
        return True
    return bool(answer.named and object_id(answer.first))


def read(path: Path, tenant: str | None = None) -> Iterator[Record]:
    """Read a file, or all files of a folder or zip; `at` is `folder/file.json:LINE`.

    Raises:
        GraphInputError: A file is no JSON or cut short; or no tenant is named by the answers nor
            by `tenant`, or they are of several.
    """
    answers: list[Answer] = []
    others: list[Remark] = []
    for source, place in files(path):
        if place.name.lower().endswith(JSON_NAMES):
            answers += survey(source, place)
        else:
            others.append(Remark("unknown-format", str(place), "not JSON by its name; not read"))
    if not answers:
        hint = "name a folder with the answers of Microsoft Graph or Azure Resource Manager"
        raise GraphInputError(f"{path.name}: no JSON file is in it", hint)
    pages = chains(answers)
    run = Run(_tenant(answers, tenant), present=_present(answers), general=general(pages))
    yield from others
    yield from _records(pages, run)


# --- the tenant -----------------------------------------------------------------------------


def _tenant(answers: list[Answer], asked: str | None) -> str:
    found = {each for answer in answers for each in answer.tenants}
    homes = {each.removeprefix("subscription ") for each in found if " " in each} - {""}
    named = {each for each in found if " " not in each}
    asked = fold(asked or "")
    if asked and not GUID.fullmatch(asked):
        hint = "give the id of the tenant, which is the id in organization.json"
        raise GraphInputError(f"{asked!r:.80} is not the id of a tenant", hint)
    if asked:
        if named and asked not in named:
            said = f"the answers are of tenant {_some(named)}, not {asked}"
            raise GraphInputError(said, "name the right tenant with --tenant, or leave it out")
        return asked
    known = named or homes
    if len(known) == 1:
        return known.pop()
    if known:
        said = f"the answers are of several tenants: {_some(known)}"
        raise GraphInputError(said, "keep each tenant in its own folder, or choose with --tenant")
    raise GraphInputError(
        "no answer says which tenant it is of", "name it with --tenant, or add organization.json"
    )


def _some(tenants: set[str]) -> str:
    more = ", ..." if len(tenants) > _SOME else ""
    return ", ".join(sorted(tenants)[:_SOME]) + more


def _present(answers: list[Answer]) -> frozenset[str]:
    kinds = {kind for each in answers for _, kind in each.arm}
    scopes = {name for kind, name in _ARM.items() if kind in kinds}
    return frozenset({each.topic for each in answers if each.received} | scopes)


# --- records and listings -------------------------------------------------------------------


def _records(all_pages: list[Pages], run: Run) -> Iterator[Record]:
    proofs: dict[str, Chain] = {}
    for run.listing, pages in enumerate(all_pages):
        for answer in pages.answers:
            for record in _answer(answer, run, pages):
                pages.refused += isinstance(record, Remark) and record.code in _REFUSED
                yield record
        pages.met.clear()
        yield from pages.remarks()
        topic = TOPICS.get(pages.topic)
        if topic and topic.tail:
            lone = pages.topic == "users/manager" and pages.answers[0].shape == "single"
            if (pages.whole or lone) and pages.owner:
                run.covers(topic.part, pages.owner)
        elif topic and pages.topic in _MAPPED:
            _prove(proofs, pages.topic, pages.received, pages.expected, pages.whole)
        elif topic and pages.topic not in SETTINGS:
            place = _COLLECTIONS.get(pages.topic, pages.topic)
            _prove(proofs, place, pages.received, pages.expected, not pages.owner)
        for collection, held, proved in arm_collections(pages, run.tenant):
            _prove(proofs, collection, held, held if proved else None, proved)
    for name, proof in proofs.items():
        collection = default_collection(_MAPPED[name]) if name in _MAPPED else name
        yield Listing(run.tenant, "observed", collection, proof.received, proof.expected)
    yield from run.parts(proofs)


def _prove(
    proofs: dict[str, Chain], collection: str, received: int, expected: int | None, proved: bool
) -> None:
    """Add what one listing proves of a collection to what others did: all must be whole."""
    if not proved and expected == received:
        expected = None
    known = proofs.get(collection)
    if known is None:
        proofs[collection] = Chain(collection, received, expected)
        return
    known.received += received
    together = known.expected is not None and expected is not None
    known.expected = (known.expected or 0) + (expected or 0) if together else None


def _answer(answer: Answer, run: Run, pages: Pages) -> Iterator[Record]:
    name = answer.source.name
    run.at = name
    if answer.shape == "error":
        return
    if not answer.topic and not answer.first and not answer.received:
        yield run.remark("unknown-format", "empty, and nothing says what it would hold")
        return
    for other in answer.beside:
        yield run.remark("unknown-kind", f"{other}: objects beside the items of an answer")
    run.asked = answer.context
    foreign = _foreign(answer)
    if foreign and not answer.received:
        yield run.remark("unknown-kind", foreign)
    owned = answer.topic in TOPICS and bool(TOPICS[answer.topic].tail)
    for item, line, owner in read_items(answer):
        run.at, run.flawed = f"{name}:{line}", False
        if foreign:
            yield run.remark("unknown-kind", foreign)
        elif not isinstance(item, dict):
            if answer.member[-1:] not in TENANT_NAMES:
                yield _no_object(item, answer, run)
        else:
            run.owner = owner or answer.owner
            if object_id(item) and (run.owner or not owned):
                pages.meets(f"{run.owner} {object_id(item)}")
            yield from _item(item, answer, run)


def _no_object(item: Any, answer: Answer, run: Run) -> Record:
    if answer.member and not answer.topic:
        return run.remark("unknown-kind", f"{'.'.join(answer.member)}: no list of objects")
    return run.remark("bad-record", f"not an object: {item!r:.80}")


def _foreign(answer: Answer) -> str:
    """Return why nothing that an answer holds is a part of the graph, if so."""
    if "transitive" in str(answer.place).lower():
        return "members of members follow from the direct ones"
    told = by_item if DIRECTORY_OBJECTS in answer.context.lower() else by_type
    if answer.context and not answer.topic and not told(answer.first):
        return f"one of {answer.context:.200}: not a part of the graph"
    return ""


def _item(item: Item, answer: Answer, run: Run) -> Iterator[Record]:
    topic = _topic(item, answer)
    if not topic:
        said = ", ".join(sorted(item)[:8])
        yield run.remark("unknown-kind", f"nothing known has the fields {said:.200}")
        return
    if item.get("@removed") or item.get("deletedDateTime"):
        said = f"{object_id(item) or '?'}: was deleted before this was read"
        yield run.remark("outdated", said)
        return
    run.topic = topic
    if topic in TOPICS and TOPICS[topic].tail:
        yield from _owned(item, TOPICS[topic], run)
    elif topic == ARM or topic in _WITHOUT_ID or "Policy" in topic or object_id(item):
        yield from malformed(item, run)
        yield from MAPPERS[topic](item, run)
    else:
        yield run.remark("bad-record", f"an item of {topic} without an id")


def _topic(item: Item, answer: Answer) -> str:
    """Return what one item is; what it says of itself counts more than the name of its file."""
    if answer.topic in TOPICS and TOPICS[answer.topic].tail:
        return answer.topic
    if answer.context and answer.topic and odata_type(item) not in TYPES:
        return answer.topic
    return by_item(item, answer.topic or answer.named) or answer.topic


def _owned(item: Item, topic: Topic, run: Run) -> Iterator[Record]:
    """Read an item of a list that is about an owner, or that names the owner of each item."""
    names = _OWNERS[topic.name.partition("/")[0]]
    named = next((word(item[name]) for name in names if word(item.get(name))), "")
    nested = item.get(topic.tail, item.get("value"))
    if isinstance(nested, list):
        run.owner = fold(named) or object_id(item)
        for each in nested:
            one = {"id": each} if isinstance(each, str) else each
            yield from _one_owned(one, topic, run)
    else:
        run.owner = fold(named) or run.owner
        yield from _one_owned(item, topic, run)


def _one_owned(item: Any, topic: Topic, run: Run) -> Iterator[Record]:
    if not isinstance(item, dict):
        yield run.remark("bad-record", f"not an object: {item!r:.80}")
    elif not run.owner and "appRole" not in topic.tail:  # those name both ends themselves
        yield run.remark("bad-record", f"one of {topic.tail}, but nothing says whose")
    elif not object_id(item) and not word(item.get("memberId") or item.get("principalId")):
        yield run.remark("bad-record", f"one of {topic.tail} without an id")
    else:
        yield from topic.mapper(item, run)
