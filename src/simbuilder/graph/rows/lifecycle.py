# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of nodes of the family lifecycle."""

from simbuilder.graph.rows.base import NodeRow


class SimulationRow(NodeRow, total=False):
    """An environment that somebody wants, from the wish to the end of it."""

    description: str
    status: str
    owner: str
    purpose: str
    ttl_at: str
    budget: float
    spent: float
    currency: str
    seed: str
    created: str
    updated: str


class PlanRow(NodeRow, total=False):
    """What a simulation is to consist of."""

    simulation_id: str
    status: str
    plan_version: int
    plan_hash: str
    estimated_cost: float
    currency: str
    resource_count: int
    spec: str
    created: str


class PlannedResourceRow(NodeRow, total=False):
    """One thing that a plan wants to exist."""

    simulation_id: str
    status: str
    logical_name: str
    target_kind: str
    resource_type: str
    location: str
    spec_hash: str
    spec: str


class DeploymentRow(NodeRow, total=False):
    """One attempt to make a plan real, or to take it down."""

    simulation_id: str
    status: str
    action: str
    tool: str
    error: str
    began: str
    ended: str


class LedgerEntryRow(NodeRow, total=False):
    """One change made to a tenant, kept so that it can be undone."""

    simulation_id: str
    status: str
    action: str
    target_id: str
    target_kind: str
    actor: str
    undo: str
    is_undone: bool
    entry_hash: str
    happened: str


class AttackPathRow(NodeRow, total=False):
    """Steps that lead from a foothold to an objective."""

    description: str
    simulation_id: str
    status: str
    attack_version: str
    verdict: str
    difficulty: str
    score: float
    step_count: int
    created: str


class AttackStepRow(NodeRow, total=False):
    """One step of an attack path."""

    description: str
    position: int
    technique_id: str
    relationship: str
    verdict: str
    command: str
    preconditions: list[str]
    effects: list[str]


class TechniqueRow(NodeRow, total=False):
    """A technique of MITRE ATT&CK."""

    description: str
    technique_id: str
    attack_version: str
    tactics: list[str]
    platforms: list[str]
    is_subtechnique: bool


class ObjectiveRow(NodeRow, total=False):
    """What an attacker is after."""

    description: str
    simulation_id: str
    objective_type: str
    verdict: str


class TelemetryRuleRow(NodeRow, total=False):
    """What should be seen in the logs when something happens."""

    description: str
    table_name: str
    fields: list[str]
    query: str
    severity: str
    expected_latency: int
    is_enabled: bool


class LogTableRow(NodeRow, total=False):
    """A table of logs."""

    description: str
    table_name: str
    workspace_id: str
    table_plan: str
    fields: list[str]
    retention: int
    expected_latency: int
