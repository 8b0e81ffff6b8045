"""Small answers of Microsoft Graph and Azure Resource Manager, and what was read of them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simbuilder.graph.formats import answers
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.preparing import Preparer
from simbuilder.graph.records import Listing, Node, Record, Relationship, Remark

T = "11111111-1111-1111-1111-111111111111"
S = "22222222-2222-2222-2222-222222222222"
GRAPH = "https://graph.microsoft.com/v1.0/"
PROVIDERS = f"/subscriptions/{S}/resourceGroups/RG1/providers"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def guid(number: int) -> str:
    return f"aaaaaaaa-0000-0000-0000-{number:012d}"


U1, U2, U3, G1, G2, APP, CLIENT, SP1, SP2, DEV, AU = map(guid, range(1, 12))


def listing(context: str, *items: Any, link: str = "", count: int | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"@odata.context": f"{GRAPH}$metadata#{context}"}
    if count is not None:
        made["@odata.count"] = count
    if link:
        made["@odata.nextLink"] = link
    return {**made, "value": list(items)}


def arm(*items: Any, link: str = "") -> dict[str, Any]:
    return {"value": list(items), **({"nextLink": link} if link else {})}


def read(folder: Path, files: dict[str, Any], tenant: str | None = T) -> list[Record]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return list(answers.read(folder, tenant))


def nodes(records: Iterable[Record]) -> dict[str, Node]:
    return {each.uid: each for each in records if isinstance(each, Node)}


def ties(records: Iterable[Record], *kinds: str) -> set[tuple[str, str, str]]:
    return {
        (each.start, each.kind, each.end)
        for each in records
        if isinstance(each, Relationship) and (each.kind in kinds if kinds else not each.implied)
    }


def proofs(records: Iterable[Record]) -> dict[str, bool]:
    return {each.collection: each.complete for each in records if isinstance(each, Listing)}


def remarks(records: Iterable[Record], code: str = "") -> list[Remark]:
    found = [each for each in records if isinstance(each, Remark)]
    return [each for each in found if code in ("", each.code)]


def prepared(records: list[Record]) -> list[Remark]:
    """Return what the writer would say: kinds, properties and ends must be those of the model."""
    preparer, said, kinds = Preparer(SCHEMA), list[Remark](), dict[str, str]()
    for each in records:
        if isinstance(each, Node):
            preparer.node(each, said)
            kinds[each.uid] = each.kind
    for each in records:
        if isinstance(each, Relationship):
            preparer.relationship(each, said)
            kind = SCHEMA.relationship_kinds[each.kind]
            for uid, labels in ((each.start, kind.starts), (each.end, kind.ends)):
                allowed = {name for label in labels for name in SCHEMA.labels[label]}
                assert kinds.get(uid) in {None, *allowed}, each
    return said


USERS: list[dict[str, Any]] = [
    {"id": U1, "displayName": "Ana", "userPrincipalName": "ana@contoso.example", "mail": None},
    {"id": U2, "displayName": "Bo", "userPrincipalName": "bo@contoso.example", "jobTitle": "IT"},
]


def machine(**more: Any) -> dict[str, Any]:
    card = {"id": f"{PROVIDERS}/Microsoft.Network/networkInterfaces/nic1"}
    return {
        "id": f"{PROVIDERS}/Microsoft.Compute/virtualMachines/vm1",
        "name": "vm1",
        "identity": {"type": "SystemAssigned", "principalId": SP1},
        **more,
        "networkProfile": {"networkInterfaces": [card]},
    }


def disk(group: str, name: str) -> dict[str, Any]:
    place = f"/subscriptions/{S}/resourceGroups/{group}/providers/Microsoft.Compute/disks/{name}"
    return {"id": place, "name": name}
