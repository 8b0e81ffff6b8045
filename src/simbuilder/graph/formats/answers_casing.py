"""Items as other tools spell them, put into the spelling of the services.

PowerShell writes `UserPrincipalName`, its Az modules some fields under names of their own, and
dates as `/Date(1600000000000)/`; what a client library has no field for, it puts under
`AdditionalProperties` or `additional_data`.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from simbuilder.graph.formats.answers_topics import MARKS
from simbuilder.graph.formats.answers_values import EVERYWHERE, Item, camel, word
from simbuilder.graph.model import SCHEMA

_ANCHORS = (
    *("id", "objectId", "displayName", "userPrincipalName", "appId", "principalId", "resourceId"),
    "roleAssignmentId",
)
"""Fields of which one is in every item; another spelling of them tells a tool."""

_BY_LOWER = {
    name.lower(): name
    for name in (
        *(camel(each.name) for kind in SCHEMA.node_kinds.values() for each in kind.properties),
        *(name for _, names in MARKS for name in names),
        *EVERYWHERE,
        *_ANCHORS,
    )
}
_FOREIGN = {name.lower(): name for name in _ANCHORS}
_REST = ("AdditionalProperties", "additionalProperties", "additional_data", "additionalData")
_NAMED_BY_PEOPLE = ("tags", "userAssignedIdentities", "settings")
"""Objects whose keys are somebody's own: their spelling is kept."""

_DATE = re.compile(r"/Date\((-?\d{1,15})[^)]*\)/")


def spelled(item: Any) -> Any:
    """Return an item as the services spell it; the same one if it already is."""
    if not isinstance(item, dict):
        return item
    for name in _REST:
        more = item.get(name)
        if isinstance(more, dict):
            item = {**more, **{key: value for key, value in item.items() if key != name}}
    if not any(_is_foreign(key) for key in item):
        return item
    return _of_modules(_recased(item))


@cache
def _is_foreign(key: str) -> bool:
    return _FOREIGN.get(key.lower(), key) != key


@cache
def _wire(key: str) -> str:
    known = _BY_LOWER.get(key.lower())
    return known or key[:1].lower() + key[1:]


def _recased(value: Any) -> Any:
    if isinstance(value, list):
        return [_recased(each) for each in value]
    if isinstance(value, str):
        return _time(value)
    if not isinstance(value, dict):
        return value
    found: Item = {}
    for key, held in _exact_last(value):
        name = _wire(key)
        found[name] = held if name in _NAMED_BY_PEOPLE else _recased(held)
    return found


def _exact_last(value: Item) -> Iterable[tuple[str, Any]]:
    """Return the fields with those that are spelled right last: of two, that one counts."""
    return sorted(value.items(), key=lambda each: _wire(each[0]) == each[0])


def _time(text: str) -> str:
    found = _DATE.fullmatch(text)
    if not found:
        return text
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found[1]))
    except OverflowError:
        return text
    return at.isoformat().replace("+00:00", "Z")


def _of_modules(item: Item) -> Item:
    """Return an item of PowerShell's Az modules under the names of the service."""
    if word(item.get("roleAssignmentId")):
        names = {
            "roleAssignmentId": "id",
            "roleAssignmentName": "name",
            "objectId": "principalId",
            "objectType": "principalType",
            "displayName": "principalName",
        }
        return {names.get(key, key): value for key, value in item.items()}
    if "id" not in item and word(item.get("resourceId")).startswith("/"):
        named = {"name": item["resourceGroupName"]} if "resourceGroupName" in item else {}
        return {**named, **item, "id": item["resourceId"]}
    return item
