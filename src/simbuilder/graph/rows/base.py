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
    last_seen: str
    snapshot_id: str
    since: str
    revision: int


class TieRow(TypedDict, total=False):
    """What the service itself says about any relationship."""

    tenant_id: str
    plane: Literal["planned", "deployed", "observed"]
    collection: str
    key: str
    extra: str
    hash: str
    first_seen: str
    last_seen: str
    snapshot_id: str
    since: str
    revision: int


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
