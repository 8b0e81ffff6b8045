"""Files that hold several lists by name, such as `{"users": [...], "groups": {"value": [...]}}`."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from simbuilder.graph.formats.answers_topics import by_name
from simbuilder.graph.formats.answers_values import GUID, Item, inner
from simbuilder.graph.formats.jsonstream import EMPTY
from simbuilder.graph.records import fold


class Unfolded(NamedTuple):
    """An item of a named list, the names that lead to it, and whose it is if that is said.

    `envelope` is what else the list says where it is an answer with `value`. A list without items
    has the one value `EMPTY`.
    """

    path: tuple[str, ...]
    value: Any
    owner: str = ""
    envelope: Item | None = None


def unfolded(path: tuple[str, ...], value: Any) -> Iterator[Unfolded]:
    """Yield the items that a member of an object holds: a list, an answer, or lists by owner.

    A member of an unknown name that holds lists of objects is entered, such as
    `{"directory": {"users": [{}]}}`.
    """
    held = inner(value)
    listed = held.get("value")
    if isinstance(listed, list):
        envelope = {name: each for name, each in held.items() if name != "value"}
        for each in listed or (EMPTY,):
            yield Unfolded(path, each, "", envelope)
    elif held and all(GUID.fullmatch(name) for name in held):
        for owner, owned in held.items():
            for each in _many(inner(owned).get("value", owned)):
                yield Unfolded(path, each, fold(owner))
    elif len(path) == 1 and _is_folder(path[0], held):
        for name, inside in held.items():
            for each in inside or (EMPTY,) if isinstance(inside, list) else (inside,):
                yield from unfolded((*path, name), each)
    elif value is not None:
        yield Unfolded(path, value)


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_folder(name: str, held: Item) -> bool:
    if by_name(name) or "id" in held:
        return False
    lists = [each for each in held.values() if isinstance(each, list)]
    return any(isinstance(each, dict) for many in lists for each in many[:1])
