"""Kinds of node and relationship about simulations: what is meant, done, attacked and seen."""

from simbuilder.graph.model.words import (
    ANYTHING,
    CREATED,
    DESCRIPTION,
    LIFECYCLE,
    NAME,
    PRINCIPAL,
    UPDATED,
    count,
    document,
    flag,
    measure,
    moment,
    text,
    texts,
)
from simbuilder.graph.schema import NodeKind, Property, RelationshipKind

STATUS = text("status", "Where it is in its life")
SIMULATION_ID = text("simulation_id", "Uid of the simulation that it belongs to")
STEP, TECHNIQUE, OBJECTIVE = "AttackStep", "Technique", "Objective"


def kept(
    name: str, collection: str, about: str, *properties: Property, uid: str = "its own id"
) -> NodeKind:
    """Declare a kind that we keep ourselves."""
    return NodeKind(name, LIFECYCLE, collection, about, uid, (NAME, *properties))


NODES = (
    kept(
        "Simulation",
        "simulations",
        "An environment that somebody wants, from the wish to the end of it.",
        DESCRIPTION,
        STATUS,
        text("owner", "Who answers for it"),
        text("purpose", "What it is for"),
        moment("ttl_at", "When it is taken down"),
        measure("budget", "The most it may cost", "`currency`"),
        measure("spent", "What it has cost so far", "`currency`"),
        text("currency", "Three letters, such as EUR"),
        text("seed", "What made its chance, to make it again"),
        CREATED,
        UPDATED,
    ),
    kept(
        "Plan",
        "plans",
        "What a simulation is to consist of.",
        SIMULATION_ID,
        STATUS,
        count("plan_version", "Number of the plan in its simulation", "plans"),
        text("plan_hash", "Hash of what it says"),
        measure("estimated_cost", "What it should cost", "`currency`"),
        text("currency", "Three letters, such as EUR"),
        count("resource_count", "Resources planned", "resources"),
        document("spec", "The whole of it"),
        CREATED,
    ),
    kept(
        "PlannedResource",
        "plannedResources",
        "One thing that a plan wants to exist.",
        SIMULATION_ID,
        STATUS,
        text("logical_name", "Name within the plan"),
        text("target_kind", "Kind of node that it becomes"),
        text("resource_type", "Type, lower-case, such as microsoft.keyvault/vaults"),
        text("location", "Region"),
        text("spec_hash", "Hash of what it is to be like"),
        document("spec", "What it is to be like"),
    ),
    kept(
        "Deployment",
        "deployments",
        "One attempt to make a plan real, or to take it down.",
        SIMULATION_ID,
        STATUS,
        text("action", "apply or destroy"),
        text("tool", "What carried it out"),
        text("error", "Why it failed"),
        moment("began", "When it began"),
        moment("ended", "When it ended"),
    ),
    kept(
        "LedgerEntry",
        "ledger",
        "One change made to a tenant, kept so that it can be undone.",
        SIMULATION_ID,
        STATUS,
        text("action", "created, changed or deleted"),
        text("target_id", "Uid of what was changed"),
        text("target_kind", "Kind of node that it is"),
        text("actor", "Who made the change"),
        text("undo", "How it is undone"),
        flag("is_undone", "Whether it was undone"),
        text("entry_hash", "Hash of it and of the entry before"),
        moment("happened", "When it happened"),
    ),
    kept(
        "AttackPath",
        "attackPaths",
        "Steps that lead from a foothold to an objective.",
        DESCRIPTION,
        SIMULATION_ID,
        STATUS,
        text("attack_version", "Version of ATT&CK that its techniques are of"),
        text("verdict", "possible, blocked, proven or unknown"),
        text("difficulty", "easy, medium or hard"),
        measure("score", "How likely it is to succeed", "0 to 1"),
        count("step_count", "Steps", "steps"),
        CREATED,
    ),
    kept(
        STEP,
        "attackSteps",
        "One step of an attack path.",
        DESCRIPTION,
        count("position", "Place in its path", "from 1"),
        text("technique_id", "Technique that it uses"),
        text("relationship", "Type of the relationship that it follows"),
        text("verdict", "possible, blocked, proven or unknown"),
        text("command", "What carries it out"),
        texts("preconditions", "What must hold before"),
        texts("effects", "What holds afterwards"),
    ),
    kept(
        TECHNIQUE,
        "techniques",
        "A technique of MITRE ATT&CK.",
        DESCRIPTION,
        text("technique_id", "Id, such as T1098.001", "MITRE ATT&CK"),
        text("attack_version", "Version of ATT&CK"),
        texts("tactics", "Tactics that it serves"),
        texts("platforms", "Platforms that it works on"),
        flag("is_subtechnique", "Whether it is a finer case of another one"),
        uid="attack:{technique id}, lower-case",
    ),
    kept(
        OBJECTIVE,
        "objectives",
        "What an attacker is after.",
        DESCRIPTION,
        SIMULATION_ID,
        text("objective_type", "Such as exfiltration, persistence or impact"),
        text("verdict", "reached, missed or unknown"),
    ),
    kept(
        "TelemetryRule",
        "telemetryRules",
        "What should be seen in the logs when something happens.",
        DESCRIPTION,
        text("table_name", "Table that it asks"),
        texts("fields", "Columns that it needs"),
        text("query", "The question, in KQL"),
        text("severity", "informational, low, medium or high"),
        count("expected_latency", "How soon it should be seen", "seconds"),
        flag("is_enabled", "Whether it is in use"),
    ),
    kept(
        "LogTable",
        "logTables",
        "A table of logs.",
        DESCRIPTION,
        text("table_name", "Its name, such as SigninLogs", "Azure Monitor"),
        text("workspace_id", "GUID of its workspace"),
        text("table_plan", "Analytics, Basic or Auxiliary"),
        texts("fields", "Its columns"),
        count("retention", "How long logs are kept", "days"),
        count("expected_latency", "How soon events should be there", "seconds"),
        uid="{workspace ARM id}/tables/{name}, lower-case",
    ),
)


def tie(
    name: str,
    starts: str | tuple[str, ...],
    ends: str | tuple[str, ...],
    about: str,
    *properties: Property,
    key: tuple[str, ...] = (),
) -> RelationshipKind:
    """Declare a relationship of ours; it gives nobody any power."""
    first = (starts,) if isinstance(starts, str) else starts
    second = (ends,) if isinstance(ends, str) else ends
    return RelationshipKind(name, "lifecycle", first, second, about, properties, key)


TIES = (
    tie("HAS_PLAN", "Simulation", "Plan", "Is to become what the plan says."),
    tie("PLANS", "Plan", "PlannedResource", "Wants it to exist."),
    tie("DEPENDS_ON", "PlannedResource", "PlannedResource", "Needs the other one first."),
    tie("HAS_DEPLOYMENT", "Simulation", "Deployment", "Was deployed or taken down by it."),
    tie("DEPLOYS", "Deployment", "Plan", "Makes the plan real, or takes it down."),
    tie("RECORDED", "Deployment", "LedgerEntry", "Made the change."),
    tie("CREATED", "LedgerEntry", ANYTHING, "Is the change that made it."),
    tie("REALIZES", "PlannedResource", ANYTHING, "Was made real as it."),
    tie(
        "MATCHES",
        ANYTHING,
        ANYTHING,
        "Seems to be the same on another plane, or in another pass.",
        measure("score", "How sure that is", "0 to 1"),
        text("method", "What it was told by"),
    ),
    tie("HAS_PATH", "Simulation", "AttackPath", "Lets the path be walked."),
    tie("PURSUES", ("Simulation", "AttackPath"), OBJECTIVE, "Is about reaching it."),
    tie("HAS_STEP", "AttackPath", STEP, "Consists of it and others."),
    tie("NEXT", STEP, STEP, "Comes before the other one."),
    tie("USES", STEP, TECHNIQUE, "Is a case of the technique."),
    tie("ACTS_AS", STEP, PRINCIPAL, "Is carried out as it."),
    tie("TARGETS", (STEP, OBJECTIVE), ANYTHING, "Is aimed at it."),
    tie("ACHIEVES", STEP, OBJECTIVE, "Reaches it."),
    tie("SUBTECHNIQUE_OF", TECHNIQUE, TECHNIQUE, "Is a finer case of the other one."),
    tie("DETECTS", "TelemetryRule", (STEP, TECHNIQUE), "Sees it happen."),
    tie("READS", "TelemetryRule", "LogTable", "Asks the table."),
    tie("TRACED_IN", STEP, "LogTable", "Leaves a trace there."),
    tie("HAS_TABLE", "LogAnalyticsWorkspace", "LogTable", "Keeps the table."),
)
