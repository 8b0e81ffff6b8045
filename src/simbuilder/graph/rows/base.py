# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""What every row has, whatever it is about."""

from typing import Literal, TypedDict


class NodeRow(TypedDict, total=False):
    """What the service itself says about any node."""

    uid: str
    kind: str
    tenant_id: str
    plane: Literal["planned", "deployed", "observed"]
    collection: str
    objectid: str
    name: str
    extra: str
    hash: str
    first_seen: str
    """ISO 8601, of the pass or edit that created it; `last_seen` of the last one that saw it."""
    last_seen: str
    snapshot_id: int
    """The number of the last pass that saw it."""
    since: int
    """The number of the pass or edit that its present state began with."""
    revision: int


class TieRow(TypedDict, total=False):
    """What the service itself says about any relationship; the times are those of the passes."""

    collection: str
    """Its own kind, if it is missing."""
    key: str
    extra: str
    hash: str
    snapshot_id: int
    since: int


class ResourceRow(NodeRow, total=False):
    """What all kinds labelled Resource have."""

    resource_type: str
    location: str
    subscription_id: str
    resource_group: str
    sku: str
    resource_kind: str
    managed_by: str
    identity_type: str
    identity_principal_id: str
    identity_ids: list[str]
    provisioning_state: str
    tags: str
    created: str
    updated: str
