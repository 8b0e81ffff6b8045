"""Where Neo4j keeps its users, whom a copy for another session must not have."""

from pathlib import Path

from simbuilder.scaffolding.files import remove_tree

USERS = ("dbms", "databases/system", "transactions/system")
"""Below the data of Neo4j 5: without them it starts as if new, with the graph it has."""


def forget_users(folder: Path) -> None:
    """Let a copy of Neo4j's data start with its own session's password."""
    for name in USERS:
        remove_tree(folder / name)
