"""From records to rows that the database takes: checked, folded and hashed. Pure.

A row of a node is `{"uid", "hash", "p"}`, one of a relationship `{"start", "end", "key", "hash",
"p"}`, where `p` is what its properties are set to. The hash covers what a record says, and nothing
of when it was seen: two rows with one hash say the same.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from simbuilder.graph.records import MAX_UID, PLANES, Node, Relationship, Remark, fold
from simbuilder.graph.schema import BOOKKEEPING, Schema, Type

Row = dict[str, Any]

_SECRETS = frozenset(
    (
        *("secrettext", "passwordprofile", "password", "adminpassword", "clientsecret"),
        *("privatekey", "primarykey", "secondarykey", "accesskey", "sharedkey", "sastoken"),
        *("connectionstring", "primaryconnectionstring", "secondaryconnectionstring"),
        *("administratorloginpassword", "accesstoken", "refreshtoken"),
    )
)
"""Names whose values are secrets wherever they appear: a graph of a tenant never holds any."""

_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record that can be written. `kind` says with which statement; `at` where it was read."""

    kind: str
    row: Row
    at: str
    implied: bool = False


class Preparer:
    """Prepares records of one schema; knows of each kind what its properties must be."""

    def __init__(self, schema: Schema) -> None:
        self._kinds = {
            kind.name: {each.name: _CHECKS[each.type] for each in kind.properties}
            for kind in schema.kinds
        }
        self._types = {n: c for checks in self._kinds.values() for n, c in checks.items()}
        self._nodes = schema.node_kinds
        self._relationships = schema.relationship_kinds

    def fits(self, name: str, value: Any) -> bool:
        """Whether a value is of the type that the kinds declare for this property."""
        return self._types[name](value) is not None

    def node(self, node: Node, remarks: list[Remark]) -> Prepared | None:
        """Return the row of a node, or `None` with the reason among the `remarks`."""
        kind = self._nodes.get(node.kind)
        if kind is None:
            remarks.append(Remark("unknown-kind", node.at, f"no node is a {node.kind!r:.80}"))
            return None
        uid = fold(node.uid)
        problem = _bad_place(node) or _bad_uid(uid, node.plane)
        if problem:
            remarks.append(Remark("bad-record", node.at, problem))
            return None
        own = self._own(node, uid, remarks)
        hashed = _hash(node.kind, node.tenant_id, own)
        if hashed is None or not _is_text(uid):
            remarks.append(Remark("bad-record", node.at, f"{uid!r:.80}: not text in Unicode"))
            return None
        own |= {"uid": uid, "kind": node.kind, "plane": node.plane, "hash": hashed}
        own["tenant_id"] = fold(node.tenant_id)
        own["collection"] = node.collection or kind.collection
        if kind.bloodhound:
            own["objectid"] = uid.upper()
        own = dict(own)  # one that has grown keeps room for as much again: half of all memory
        return Prepared(node.kind, {"uid": uid, "hash": hashed, "p": own}, node.at)

    def relationship(self, tie: Relationship, remarks: list[Remark]) -> Prepared | None:
        """Return the row of a relationship, or `None` with the reason among the `remarks`."""
        kind = self._relationships.get(tie.kind)
        if kind is None:
            remarks.append(Remark("unknown-kind", tie.at, f"no relationship is a {tie.kind!r:.80}"))
            return None
        start, end = fold(tie.start), fold(tie.end)
        problem = _bad_place(tie) or _bad_uid(start) or _bad_uid(end)
        if problem:
            remarks.append(Remark("bad-record", tie.at, problem))
            return None
        own = self._own(tie, f"{start} {tie.kind} {end}", remarks)
        # most have no properties: nothing is stored that says nothing
        hashed = _hash(tie.kind, "", own) if own else ""
        if hashed is None or not _is_text(start + end):
            remarks.append(Remark("bad-record", tie.at, f"{tie.kind}: not text in Unicode"))
            return None
        key = "\n".join(str(own.get(name, "")) for name in kind.key) if kind.key else ""
        if own:
            own["hash"] = hashed
        if tie.collection not in ("", tie.kind):
            own["collection"] = tie.collection
        if kind.key:
            own["key"] = key
        row = {"start": start, "end": end, "key": key, "hash": hashed, "p": own}
        return Prepared(tie.kind, row, tie.at, tie.implied)

    def _own(self, record: Node | Relationship, name: str, remarks: list[Remark]) -> Row:
        """Return what a record says of itself: what its kind declares, and the rest in `extra`."""
        own: Row = {}
        extra: Row = {}
        checks = self._kinds[record.kind]
        for key, value in record.properties.items():
            if value is None:
                continue
            check = checks.get(key)
            checked = check(value) if check else None
            if checked is not None:
                own[key] = checked
            elif _withheld(key):
                remarks.append(Remark("withheld", record.at, f"{name:.80}: {key} is a secret"))
            elif check:
                extra[key] = value
                remarks.append(Remark("misfit", record.at, _misfit(name, key, value)))
            elif key not in BOOKKEEPING:
                extra[key] = _without_secrets(value)
        if extra:
            own["extra"] = _document(extra)
            if own["extra"] is None:
                own["extra"] = str(extra)
        return own


def said(row: Mapping[str, Any]) -> Row:
    """Return the properties of a record, `extra` unfolded, from those of its row."""
    own = {name: value for name, value in row.items() if name not in BOOKKEEPING}
    extra = row.get("extra")
    if isinstance(extra, str):
        try:
            own |= orjson.loads(extra)
        except orjson.JSONDecodeError:  # what JSON could not hold was kept as text
            own["extra_text"] = extra
    return own


def _misfit(name: str, key: str, value: Any) -> str:
    return f"{name:.80}: {key} is {type(value).__name__}, kept as it is in extra"


def _bad_place(record: Node | Relationship) -> str:
    if record.plane not in PLANES:
        return f"no plane is called {record.plane!r:.80}"
    if not record.tenant_id.strip():
        return f"{record.kind}: of no tenant"
    return ""


def _bad_uid(uid: str, plane: str = "") -> str:
    if not uid:
        return "the uid is empty"
    if len(uid) > MAX_UID:
        return f"uid {uid[:40]!r}... has {len(uid):,} characters, {MAX_UID:,} are allowed"
    if plane:
        planned, deployed = uid.startswith("planned:"), uid.startswith("deployed:")
        mine = "planned" if planned else "deployed" if deployed else "observed"
        if mine != plane:
            return f"uid {uid[:80]!r} belongs to plane {mine}, not {plane}"
    return ""


def state_of(row: Mapping[str, Any]) -> str:
    """Return the hash of what a stored row says, also where an edit has left it without one."""
    known = row.get("hash")
    if isinstance(known, str):
        return known
    own = {name: value for name, value in row.items() if name not in BOOKKEEPING}
    if "extra" in row:
        own["extra"] = row["extra"]
    return _hash(row["kind"], row.get("tenant_id", ""), own) or ""


def _hash(kind: str, tenant_id: str, own: Mapping[str, Any]) -> str | None:
    """Return the hash of what is said, `None` if any of it is no text in Unicode."""
    try:
        text = orjson.dumps([kind, fold(tenant_id), own], option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    return blake2b(text, digest_size=12).hexdigest()


def _is_text(uid: str) -> bool:
    try:
        uid.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


def _withheld(name: str) -> bool:
    return name.replace("_", "").lower() in _SECRETS


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_secrets(v) for k, v in value.items() if not _withheld(str(k))}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return value


# --- what a value must be: the value to store, or None if it is not of that type ------------


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> Any:
    fits = isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64
    return value if fits else None


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _texts(value: Any) -> Any:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        return None
    return list(value)


def _document(value: Any) -> Any:
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(_without_secrets(value), option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return None


_CHECKS: Mapping[Type, Callable[[Any], Any]] = {
    Type.TEXT: _text,
    Type.INTEGER: _integer,
    Type.NUMBER: _number,
    Type.BOOLEAN: _boolean,
    Type.TIME: _text,
    Type.TEXTS: _texts,
    Type.DOCUMENT: _document,
}
