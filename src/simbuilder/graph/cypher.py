"""Every statement of the service, made from the schema. Pure.

Text of a statement holds names that the schema has checked and nothing else; values are
parameters. All run on Neo4j 5.26 and on ArcadeDB 26.10, whose planner needs some of them just so:
there `UNWIND` with `MATCH (:Entity {uid: row.uid})` uses the index and `IN [...]` does not, and
`MERGE` on several labels reads the whole graph.
"""

from simbuilder.graph.schema import ENTITY, NodeKind, RelationshipKind

DECLARATIONS = (
    f"CREATE CONSTRAINT entity_uid IF NOT EXISTS FOR (n:{ENTITY}) REQUIRE n.uid IS UNIQUE",
    "CREATE CONSTRAINT graph_name IF NOT EXISTS FOR (n:SimBuilderGraph) REQUIRE n.name IS UNIQUE",
    "CREATE CONSTRAINT pass_number IF NOT EXISTS FOR (n:Pass) REQUIRE n.number IS UNIQUE",
    "CREATE INDEX version_of IF NOT EXISTS FOR (n:Version) ON (n.of)",
)
"""Constraints and indexes. None on texts of the source: an index key of Neo4j ends at 8 kB."""

_LOCK_N = "SET n.touched = true REMOVE n.touched"
"""A change that leaves nothing behind, but that no two transactions can make at once."""

# --- the graph itself, and its passes ------------------------------------------------------

FOUND = "MERGE (g:SimBuilderGraph {name: 'graph'}) ON CREATE SET g.version = $version, g.last = 0"
GRAPH = "MATCH (g:SimBuilderGraph {name: 'graph'}) RETURN g.version AS version, g.last AS last"
MIGRATED = "MATCH (g:SimBuilderGraph {name: 'graph'}) SET g.version = $version"

NUMBERED = """\
MATCH (g:SimBuilderGraph {name: 'graph'}) SET g.last = g.last + 2 RETURN g.last AS number"""
"""Passes have even numbers, edits between them the odd one that follows."""

OPEN_PASSES = """\
MATCH (g:SimBuilderGraph {name: 'graph'}) \
MATCH (p:Pass {number: g.last, state: 'open', source: $source}) RETURN p.number AS number, \
p.renewed AS renewed, p.position AS position, p.started AS started"""
"""Only the last pass is taken up: an earlier one could not overwrite what later ones wrote."""
BEGUN = """\
CREATE (p:Pass {number: $number, state: 'open', source: $source, name: $name, owner: $owner, \
renewed: $renewed, position: 0, started: $at})"""
TAKEN = """\
MATCH (p:Pass {number: $number}) SET p.taken = $owner WITH p \
WHERE p.state = 'open' AND p.renewed = $before \
SET p.owner = $owner, p.renewed = $renewed RETURN p.position AS position"""
KEPT = """\
MATCH (p:Pass {number: $number}) SET p.renewed = $renewed WITH p, p.position AS done \
WHERE p.owner = $owner AND p.state = 'open' \
SET p.position = CASE WHEN done < $position THEN $position ELSE done END RETURN done"""
"""A batch whose position is done already was written, and only the answer got lost."""
ODD = "MATCH (p:Pass {number: $number}) SET p.odd = true"
STANDING = """\
MATCH (p:Pass {number: $number}) RETURN p.owner AS owner, coalesce(p.odd, false) AS odd"""
"""Whether a pass is still ours, and whether a batch of it, by whoever, met another kind."""
ENDED = """\
MATCH (p:Pass {number: $number}) SET p.state = $state, p.finished = $at, p.listings = $listings"""
RELEASED = """\
MATCH (p:Pass {number: $number}) WHERE p.owner = $owner AND p.state = 'open' SET p.renewed = 0.0"""
SUPERSEDE = """\
MATCH (p:Pass {source: $source}) WHERE p.state = 'open' AND p.renewed < $before \
SET p.state = 'abandoned'"""
PASSES = "MATCH (p:Pass) RETURN properties(p) AS p ORDER BY p.number"

# --- nodes in batches ----------------------------------------------------------------------

TOUCH_NODES = f"""\
UNWIND $rows AS row
MATCH (n:{ENTITY} {{uid: row.uid}})
WITH n, row, n.snapshot_id AS seen
SET n.last_seen = CASE WHEN seen < $pass THEN $at ELSE n.last_seen END, \
n.snapshot_id = CASE WHEN seen < $pass THEN $pass ELSE seen END
RETURN count(n) AS found, collect(CASE WHEN n.hash = row.hash AND seen < $pass THEN null \
ELSE {{seen: seen, was: properties(n)}} END) AS odd"""
"""Locks what exists, says that it was seen, and returns what is not as the rows have it."""


KINDS = f"MATCH (n:{ENTITY}) RETURN DISTINCT n.kind AS kind"

PRESENT = f"UNWIND $uids AS uid MATCH (n:{ENTITY} {{uid: uid}}) RETURN collect(n.uid) AS uids"

REPLACE_NODES = f"""\
UNWIND $rows AS row MATCH (n:{ENTITY} {{uid: row.uid}}) SET n = row"""

KEEP_VERSIONS = "UNWIND $rows AS row CREATE (v:Version) SET v = row"


def create_nodes(kind: NodeKind) -> str:
    """Return the statement that creates nodes of a kind which do not exist yet."""
    return f"""\
UNWIND $rows AS row
CREATE (n:{":".join(kind.labels)})
SET n = row, n.first_seen = $at, n.last_seen = $at, n.snapshot_id = $pass, n.since = $pass, \
n.revision = 1"""


# --- relationships in batches --------------------------------------------------------------


def merge_relationships(kind: RelationshipKind, *, from_end: bool, plain: bool) -> str:
    """Return the statement that creates what is missing and touches what exists.

    Whether the tie exists is looked up from one of its ends. ArcadeDB walks all ties of that end:
    `from_end` says which has fewer, or a tenant of 100,000 objects takes hours instead of seconds.
    With `plain` no row has properties, and none are looked for.
    """
    own = "" if plain else "r = row.p, "
    return f"""\
UNWIND $rows AS row
{_ends(from_end)}
MERGE {_tie(kind, from_end)}
ON CREATE SET {own}r.since = $pass
WITH row, r, coalesce(r.snapshot_id, -1) AS seen
SET r.snapshot_id = CASE WHEN seen < $pass THEN $pass ELSE seen END
RETURN count(r) AS found, sum(CASE WHEN seen < 0 THEN 1 ELSE 0 END) AS created, \
collect(CASE WHEN {_SAME} THEN null ELSE {_ODD_TIE} END) AS odd"""


def create_relationships(kind: RelationshipKind, *, from_end: bool, plain: bool) -> str:
    """Return a statement that does the same where two at once cannot create one tie.

    In ArcadeDB both would change the same pages, and the later one is told to do it again. There,
    setting a property of a tie that has just been created takes as long as creating it, so that
    all are given at once: that is a third faster than `MERGE`.
    """
    names = () if plain else (*(each.name for each in kind.properties), *_KEPT_OF_TIES)
    given = "".join(f"{name}: row.p.{name}, " for name in names)
    return f"""\
UNWIND $rows AS row
{_ends(from_end)}
OPTIONAL MATCH {_tie(kind, from_end)}
WITH row, a, b, r, coalesce(r.snapshot_id, -1) AS seen
FOREACH (_ IN CASE WHEN r IS NULL THEN [1] ELSE [] END | \
CREATE (a)-[:{kind.name} {{{given}since: $pass, snapshot_id: $pass}}]->(b))
FOREACH (_ IN CASE WHEN r IS NULL OR seen >= $pass THEN [] ELSE [1] END | SET r.snapshot_id = $pass)
RETURN count(row) AS found, sum(CASE WHEN r IS NULL THEN 1 ELSE 0 END) AS created, \
collect(CASE WHEN r IS NULL OR {_SAME} THEN null ELSE {_ODD_TIE} END) AS odd"""


_KEPT_OF_TIES = ("extra", "hash", "collection", "key")
_SAME = "coalesce(r.hash, '') = coalesce(row.hash, '') AND seen < $pass"
_ODD_TIE = """\
{start: row.start, end: row.end, key: coalesce(row.key, ''), seen: seen, was: properties(r)}"""


def replace_relationships(kind: RelationshipKind, from_end: bool) -> str:
    """Return the statement that sets the properties of ties which exist."""
    return f"""\
UNWIND $rows AS row
{_ends(from_end)}
MATCH {_tie(kind, from_end)}
SET r = row.p"""


def _ends(from_end: bool) -> str:
    start = f"MATCH (a:{ENTITY} {{uid: row.start}})"
    end = f"MATCH (b:{ENTITY} {{uid: row.end}})"
    return f"{end} {start}" if from_end else f"{start} {end}"


def _tie(kind: RelationshipKind, from_end: bool) -> str:
    tie = f"[r:{kind.name} {{key: row.key}}]" if kind.key else f"[r:{kind.name}]"
    return f"(b)<-{tie}-(a)" if from_end else f"(a)-{tie}->(b)"


# --- what vanished -------------------------------------------------------------------------

LISTED_NODES = f"""\
MATCH (n:{ENTITY}) WHERE n.snapshot_id < $pass \
RETURN DISTINCT n.tenant_id AS tenant, n.plane AS plane, n.collection AS collection"""
LISTED_TIES = f"""\
MATCH (a:{ENTITY})-[r]->(:{ENTITY}) WHERE r.snapshot_id < $pass \
RETURN DISTINCT type(r) AS kind, a.tenant_id AS tenant, a.plane AS plane, \
coalesce(r.collection, type(r)) AS collection"""
"""Which listings hold anything that a pass has not seen, each found by one look at the graph."""

VANISHED_NODES = f"""\
MATCH (n:{ENTITY} {{tenant_id: $tenant, plane: $plane, collection: $collection}}) \
WHERE n.snapshot_id < $pass AND n.since <= $pass RETURN n.uid AS uid LIMIT $limit"""
"""What was edited while the pass ran is later than what it has read."""

LOCK_VANISHED = f"""\
UNWIND $uids AS uid MATCH (n:{ENTITY} {{uid: uid}}) {_LOCK_N} WITH n \
WHERE n.snapshot_id < $pass AND n.since <= $pass RETURN properties(n) AS was"""

TIES_OF = f"""\
UNWIND $uids AS uid MATCH (n:{ENTITY} {{uid: uid}})-[r]-(:{ENTITY}) \
RETURN DISTINCT r AS tie, type(r) AS kind, startNode(r).uid AS start, endNode(r).uid AS end, \
properties(r) AS was"""

DELETE_NODES = f"UNWIND $uids AS uid MATCH (n:{ENTITY} {{uid: uid}}) DETACH DELETE n"


def vanished_relationships(kind: RelationshipKind) -> str:
    """Return the statement that finds the ties of a listing which its pass did not see."""
    return f"""\
MATCH (a:{ENTITY})-[r:{kind.name}]->(b:{ENTITY}) WHERE r.snapshot_id < $pass \
AND a.tenant_id = $tenant AND a.plane = $plane \
AND coalesce(r.collection, type(r)) = $collection \
RETURN a.uid AS start, b.uid AS end, properties(r) AS was LIMIT $limit"""


def delete_relationships(kind: RelationshipKind, from_end: bool) -> str:
    """Return the statement that deletes ties, unless a later pass has seen them meanwhile.

    It returns those that it has deleted.
    """
    return f"""\
UNWIND $rows AS row
{_ends(from_end)}
MATCH {_tie(kind, from_end)}
SET r.touched = true REMOVE r.touched
WITH row, r, properties(r) AS was WHERE r.snapshot_id < $pass
DELETE r RETURN row.start AS start, row.end AS end, was"""


# --- one by one ----------------------------------------------------------------------------


def create_node(kind: NodeKind) -> str:
    """Return the statement that creates one node, as an edit between passes."""
    return f"""\
MATCH (g:SimBuilderGraph {{name: 'graph'}})
CREATE (n:{":".join(kind.labels)})
SET n = $p, n.first_seen = $at, n.last_seen = $at, n.snapshot_id = g.last, n.since = g.last + 1, \
n.revision = 1
RETURN properties(n) AS node"""


GET_NODE = f"MATCH (n:{ENTITY} {{uid: $uid}}) RETURN properties(n) AS node"

UPDATE_NODE = f"""\
MATCH (g:SimBuilderGraph {{name: 'graph'}}) MATCH (n:{ENTITY} {{uid: $uid}}) {_LOCK_N}
WITH g, n, n.revision = $revision AS current, properties(n) AS was
FOREACH (_ IN CASE WHEN current THEN [1] ELSE [] END |
  CREATE (v:Version) SET v = was, v.of = $uid, v.until = g.last + 1
  SET n += $p, n.revision = was.revision + 1, n.since = g.last + 1, n.last_seen = $at)
RETURN properties(n) AS node, current"""
"""Its revision is compared while nobody else is at work on it."""

DELETE_NODE = f"""\
MATCH (n:{ENTITY} {{uid: $uid}}) {_LOCK_N} WITH n \
WHERE n.revision = $revision RETURN properties(n) AS was"""


# --- taking it all away --------------------------------------------------------------------

WIPE_NODES = f"MATCH (n:{ENTITY}) WITH n LIMIT $limit DETACH DELETE n RETURN count(*) AS n"
WIPE = (
    f"MATCH (:{ENTITY})-[r]->() WITH r LIMIT $limit DELETE r RETURN count(*) AS n",
    WIPE_NODES,
    "MATCH (n:Version) WITH n LIMIT $limit DELETE n RETURN count(*) AS n",
    "MATCH (n:Pass) WITH n LIMIT $limit DELETE n RETURN count(*) AS n",
)
"""Each is repeated until it returns 0. Ties go first: all of a tenant's at once need more memory
than a small Neo4j has for a transaction."""
