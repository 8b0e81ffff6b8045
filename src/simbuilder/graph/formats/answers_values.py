"""What an item of an answer says, whatever tool saved it: wire names, flattened or in snake case.

Services write `userPrincipalName` and keep what matters under `properties`; the Azure command line
flattens that; the Python libraries write `user_principal_name`. All three are read.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from simbuilder.graph.model import SCHEMA
from simbuilder.graph.records import fold

Item = dict[str, Any]
Reading = str | tuple[str, Callable[[Any], Any]]
"""Where a property is found: a path such as `properties/sku/name`, and what is made of it.

What is made of a value that is not as it should be is that value: it is then kept as a misfit.
"""

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
NO_GUID = "00000000-0000-0000-0000-000000000000"

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNDERSCORE = re.compile(r"_([a-z0-9])")


@cache
def snake(name: str) -> str:
    """Return a wire name in snake case: `appRoleAssignmentRequired` is split at its humps."""
    return _HUMP.sub("_", name).lower()


@cache
def camel(name: str) -> str:
    """Return the wire name of one in snake case."""
    return _UNDERSCORE.sub(lambda match: match.group(1).upper(), name)


def word(value: Any) -> str:
    """Return a value that is text, and nothing for any other."""
    return value if isinstance(value, str) else ""


def items(value: Any) -> list[Item]:
    """Return the objects of a list, and nothing if it is none; tools print one as it is."""
    if isinstance(value, dict):
        return [value] if value else []
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def words(value: Any) -> list[str]:
    """Return the texts of a list, or the one text there is."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def split(value: Any) -> list[str] | None:
    """Return the words of a text such as `A, B`; also of one such as `a b`."""
    return re.split(r"[,\s]+", value.strip()) if isinstance(value, str) and value.strip() else None


def folded(value: Any) -> Any:
    """Return a text as the graph has ids, and anything else as it is."""
    return fold(value) if isinstance(value, str) else value


def inner(value: Any) -> Item:
    """Return a value that is an object, and an empty one for any other."""
    return value if isinstance(value, dict) else {}


def find(item: Mapping[str, Any], path: str) -> Any:
    """Return what a path leads to, `None` if nothing; `properties` may be flattened away."""
    names = path.split("/")
    found = _follow(item, names)
    if found is None and names[0] == "properties":
        found = _follow(item, names[1:])
    return found


def _follow(value: Any, names: Iterable[str]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        held = value.get(name)
        value = value.get(snake(name)) if held is None else held
    return value


def read(item: Mapping[str, Any], table: Mapping[str, Reading]) -> Item:
    """Return the properties that a table names, where the item has them."""
    found: Item = {}
    for name, reading in table.items():
        path, make = (reading, None) if isinstance(reading, str) else reading
        value = find(item, path)
        if value is not None and make:
            value = make(value)
        if value is not None:
            found[name] = value
    return found


def own(item: Mapping[str, Any], kind: str, names: Mapping[str, str], used: Iterable[str]) -> Item:
    """Return what a directory object says of itself, by the names of its kind.

    `names` are wire names that the model has another name for; a name that is declared in snake
    case becomes that; every other keeps its name. What is in `used` was read in another way.
    """
    declared = _declared(kind)
    found: Item = {}
    for wire, value in item.items():
        if value is None or "@odata." in wire or wire in used:
            continue
        known = camel(wire) if "_" in wire else wire
        if known in used or known in _NEVER:
            continue
        ours = names.get(known) or EVERYWHERE.get(known) or snake(wire)
        found[ours if ours in declared else wire] = value
    return found


def rest(item: Item, used: Iterable[str], table: Mapping[str, Reading], place: str) -> Item:
    """Return what no table names of an ARM item, under the names that it came with.

    What its `properties` hold more goes under `place`, or `properties` if that is empty.
    """
    direct = {_path(each).rpartition("properties/")[2] for each in table.values()}
    skipped = {*used, *map(snake, used), *direct, *map(snake, direct)}
    found = {name: value for name, value in item.items() if name not in skipped}
    held = inner(item.get("properties"))
    kept = {name: v for name, v in held.items() if name not in direct and v is not None}
    kept.pop("provisioningState", None)
    if kept:
        found[place or "properties"] = kept
    return found


def _path(reading: Reading) -> str:
    return reading if isinstance(reading, str) else reading[0]


@cache
def _declared(kind: str) -> frozenset[str]:
    return frozenset(each.name for each in SCHEMA.node_kinds[kind].properties)


_NEVER = frozenset(("id", "objectId", "odataType", "additionalData"))
EVERYWHERE = {
    "displayName": "name",
    "createdDateTime": "created",
    "modifiedDateTime": "updated",
    "lastModifiedDateTime": "updated",
    "onPremisesSyncEnabled": "on_prem_sync_enabled",
    "onPremisesSecurityIdentifier": "on_prem_sid",
    "onPremisesLastSyncDateTime": "on_prem_last_sync",
    "onPremisesSamAccountName": "on_prem_sam_account_name",
    "onPremisesDistinguishedName": "on_prem_distinguished_name",
    "onPremisesImmutableId": "on_prem_immutable_id",
    "startDateTime": "start_at",
    "endDateTime": "end_at",
}
"""Wire names that the model has another name for, whatever the kind."""


def object_id(item: Mapping[str, Any]) -> str:
    """Return the folded id of a directory object; older tools call it objectId."""
    return fold(word(item.get("id")) or word(item.get("objectId")) or word(item.get("object_id")))


def odata_type(item: Mapping[str, Any]) -> str:
    """Return the type that an item says it is of: `user`, or nothing."""
    said = item.get("@odata.type") or item.get("odata_type") or item.get("odata.type")
    return word(said).rpartition(".")[2].lower()
