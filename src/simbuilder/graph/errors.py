"""What can go wrong between a caller and the graph; none of it ever names a credential."""

from simbuilder.scaffolding.exceptions import SimBuilderError


class GraphError(SimBuilderError):
    """The graph could not do what was asked."""

    code = "graph"


class GraphConnectionError(GraphError):
    """The database does not answer, or stopped answering before the deadline."""

    code = "graph-connection"
    exit_status = 3


class GraphCredentialsError(GraphError):
    """The database refuses the user or the password."""

    code = "graph-credentials"


class GraphTimeoutError(GraphError):
    """The deadline passed while the database was at work."""

    code = "graph-timeout"
    exit_status = 3


class GraphSchemaError(GraphError):
    """The database holds no graph of ours, or one of a newer version."""

    code = "graph-schema"


class GraphConstraintError(GraphError):
    """What was to be written exists already, or breaks a rule of the schema."""

    code = "graph-constraint"


class GraphConflictError(GraphError):
    """Somebody else changed it first; nothing was written."""

    code = "graph-conflict"


class GraphQueryError(GraphError):
    """The database refused a statement, in its own words."""

    code = "graph-query"
    exit_status = 2


class GraphInputError(GraphError):
    """A file cannot be read as a graph; nothing was changed."""

    code = "graph-input"
    exit_status = 2


class NoSuchNodeError(GraphError):
    """The graph holds no node of that uid."""

    code = "no-such-node"
    exit_status = 4


def no_such_node(uid: str) -> NoSuchNodeError:
    """Return the error for a uid that the graph does not have."""
    return NoSuchNodeError(
        f"the graph has no node {uid!r:.120}", "'simbuilder graph query' finds nodes by a property"
    )


class IncompletePassError(GraphError):
    """A pass did not prove itself complete, so nothing that it lacks was deleted."""

    code = "incomplete-pass"
    exit_status = 3
