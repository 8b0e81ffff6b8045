"""ARM ids, which say what a resource is, where it is, and what is above it.

The form is that of the REST reference: `/subscriptions/{id}/resourceGroups/{name}/providers/
{namespace}/{type}/{name}`, types and names alternating below that.
"""

from simbuilder.graph.formats.answers_values import GUID, Item, find, word
from simbuilder.graph.records import fold

SUBSCRIPTION = "microsoft.resources/subscriptions"
GROUP = "microsoft.resources/subscriptions/resourcegroups"
MANAGEMENT = "microsoft.management/managementgroups"
DESCENDANTS = "managementGroupDescendants"


def arm_id(item: Item) -> str:
    """Return the folded ARM id of an item; subscriptions are known by their GUID to `az`."""
    found = fold(word(item.get("id"))).rstrip("/")
    if GUID.fullmatch(found) and find(item, "tenantId") is not None:
        return f"/subscriptions/{found}"
    return found if found.startswith("/") else ""


def type_of(uid: str) -> str:
    """Return the type that a folded ARM id is of, such as `microsoft.keyvault/vaults`."""
    _, found, tail = uid.rpartition("/providers/")
    names = tail.split("/")
    if found:
        return "/".join((names[0], *names[1::2]))
    names = uid.split("/")[1:]
    if names[:1] != ["subscriptions"] or len(names) < 2:
        return ""
    return SUBSCRIPTION if len(names) == 2 else GROUP if names[2:3] == ["resourcegroups"] else ""


def parent_of(uid: str) -> str:
    """Return the ARM id that a folded ARM id is directly below; empty at the top."""
    scope, found, tail = uid.rpartition("/providers/")
    if not found:
        return uid.rpartition("/resourcegroups/")[0]
    return uid.rsplit("/", 2)[0] if tail.count("/") > 2 else scope


def subscription_of(uid: str) -> str:
    """Return the GUID of the subscription that an ARM id is in; empty if in none."""
    names = uid.split("/")
    return names[2] if names[1:2] == ["subscriptions"] and len(names) > 2 else ""


def group_of(uid: str) -> str:
    """Return the name of the resource group that an ARM id is in; empty if in none."""
    names = uid.split("/")
    return names[4] if names[3:4] == ["resourcegroups"] and len(names) > 4 else ""


def is_descendant(item: Item, kind: str) -> bool:
    """Whether an item says where a scope is, rather than what: `descendants` lists such."""
    return kind in (SUBSCRIPTION, MANAGEMENT) and bool(word(find(item, "properties/parent/id")))
