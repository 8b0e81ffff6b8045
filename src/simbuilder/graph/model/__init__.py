"""The model: every kind of node and relationship of a tenant, and of what is done to it."""

from simbuilder.graph.model import (
    authority,
    azure,
    azure_data,
    azure_ties,
    control,
    entra,
    entra_ties,
    lifecycle,
)
from simbuilder.graph.schema import Schema

SCHEMA = Schema(
    version=1,
    nodes=(
        *(*entra.NODES, *authority.NODES, *azure.NODES, *azure_data.NODES),
        *(*control.NODES, *lifecycle.NODES),
    ),
    relationships=(*entra_ties.TIES, *azure_ties.TIES, *control.TIES, *lifecycle.TIES),
)
"""What a graph may hold."""
