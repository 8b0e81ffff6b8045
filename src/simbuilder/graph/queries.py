"""Questions with typed filters, made into statements. Pure."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from simbuilder.graph.errors import GraphQueryError
from simbuilder.graph.schema import BOOKKEEPING, ENTITY, Schema

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "starts", "ends", "in", "has"]

_CONDITIONS: Mapping[str, str] = {
    "=": "n.{name} = ${value}",
    "!=": "(n.{name} IS NULL OR n.{name} <> ${value})",
    "<": "n.{name} < ${value}",
    "<=": "n.{name} <= ${value}",
    ">": "n.{name} > ${value}",
    ">=": "n.{name} >= ${value}",
    "contains": "toLower(toString(n.{name})) CONTAINS toLower(${value})",
    "starts": "toLower(toString(n.{name})) STARTS WITH toLower(${value})",
    "ends": "toLower(toString(n.{name})) ENDS WITH toLower(${value})",
    "in": "${value} IN n.{name}",
    "has": "(n.{name} IS NOT NULL) = ${value}",
}
"""`in` asks whether a list holds the value, `has` (true or false) whether there is any value."""

OPERATORS: tuple[str, ...] = tuple(_CONDITIONS)


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a declared property, such as `Filter("upn", "ends", "@contoso.com")`."""

    property: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found, by uid; `cursor` asks for what follows, `None` at the end."""

    nodes: tuple[Mapping[str, Any], ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """Which nodes are looked for: of a kind or label, on a plane, of a tenant, and how many."""

    label: str = ENTITY
    filters: Sequence[Filter] = ()
    plane: str | None = None
    tenant_id: str | None = None
    limit: int = 100
    cursor: str | None = None


def statement(schema: Schema, question: Question) -> tuple[str, dict[str, Any]]:
    """Return the statement that answers a question, and its parameters.

    Raises `GraphQueryError` for labels, properties, operators and cursors that do not exist.
    """
    if question.label not in schema.labels:
        raise GraphQueryError(
            f"no node is a {question.label!r:.80}", "docs/graph-model.md lists kinds and labels"
        )
    if not 1 <= question.limit <= 10_000:
        raise GraphQueryError("a page holds 1 to 10,000 nodes", "ask for the next with its cursor")
    values: dict[str, Any] = {"limit": question.limit + 1}
    conditions = []
    for name, value in (("plane", question.plane), ("tenant_id", question.tenant_id)):
        if value is not None:
            conditions.append(f"n.{name} = ${name}")
            values[name] = value
    if question.cursor is not None:
        conditions.append("n.uid > $after")
        values["after"] = _after(question.cursor)
    for i, each in enumerate(question.filters):
        conditions.append(_condition(schema, each, f"f{i}"))
        values[f"f{i}"] = each.value
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    text = f"MATCH (n:{question.label}){where} RETURN properties(n) AS node"
    return f"{text} ORDER BY n.uid LIMIT $limit", values


def page(rows: Sequence[Mapping[str, Any]], limit: int) -> Page:
    """Return the rows of a statement that asked for one more than `limit`."""
    nodes = tuple(row["node"] for row in rows[:limit])
    more = len(rows) > limit
    return Page(nodes, _cursor(nodes[-1]["uid"]) if more else None)


def _condition(schema: Schema, each: Filter, value: str) -> str:
    if schema.property_type(each.property) is None and each.property not in BOOKKEEPING:
        raise GraphQueryError(
            f"no kind has a property {each.property!r:.80}", "docs/graph-model.md lists them"
        )
    condition = _CONDITIONS.get(each.operator)
    if condition is None:
        known = " ".join(OPERATORS)
        raise GraphQueryError(f"no filter is called {each.operator!r:.80}", f"there are {known}")
    return condition.format(name=each.property, value=value)


def _cursor(uid: str) -> str:
    return base64.urlsafe_b64encode(uid.encode()).decode()


def _after(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise GraphQueryError(
            f"{cursor!r:.80} is no cursor", "take it from the page before, unchanged"
        ) from None


# --- what a person typed ----------------------------------------------------------------------

_NO_WORDS = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`]|``)*`|//[^\n]*|/\*.*?\*/""", re.DOTALL
)
_WRITING = re.compile(
    r"(?<![.:$\w])(?:CREATE|MERGE|SET|DELETE|DETACH|REMOVE|DROP|ALTER|FOREACH|LOAD)(?!\w)",
    re.IGNORECASE,
)


def would_write(statement: str) -> bool:
    """Whether a statement has a word that writes, outside of texts, names in quotes and comments.

    In doubt it has: a variable called `set` can be put in backticks.
    """
    return _WRITING.search(_NO_WORDS.sub(" ", statement)) is not None


# --- what lies around a node, and the whole graph ---------------------------------------------

_TIE = """\
{kind: type(r), start: startNode(r).uid, end: endNode(r).uid, p: properties(r)}"""

AROUND = f"""\
UNWIND $uids AS uid MATCH (n:{ENTITY} {{uid: uid}})-[r]-(m:{ENTITY}) \
RETURN DISTINCT {_TIE} AS tie, properties(m) AS node LIMIT $limit"""

NODE_COUNTS = f"""\
MATCH (n:{ENTITY}) RETURN coalesce(n.kind, '') AS kind, coalesce(n.plane, '') AS plane, \
coalesce(n.tenant_id, '') AS tenant, count(*) AS n"""
TIE_COUNTS = f"""\
MATCH (a:{ENTITY})-[r]->(:{ENTITY}) \
RETURN type(r) AS kind, coalesce(a.plane, '') AS plane, coalesce(a.tenant_id, '') AS tenant, \
count(*) AS n"""

ALL_NODES = f"MATCH (n:{ENTITY}) RETURN properties(n) AS node"

BY_NAME = f"""\
MATCH (n:{ENTITY}) WHERE toLower(n.name) = $name OR toLower(n.upn) = $name \
RETURN n.uid AS uid, n.kind AS kind, n.name AS name ORDER BY uid LIMIT 6"""


def all_ties(kind: str) -> str:
    """Return the statement that reads all relationships of a kind, which the schema knows."""
    return f"""\
MATCH (a:{ENTITY})-[r:{kind}]->(b:{ENTITY}) \
RETURN a.uid AS start, b.uid AS end, a.tenant_id AS tenant, a.plane AS plane, \
properties(r) AS tie"""
