"""Kinds of relationship of Azure: identities, networks, logs and secrets of its resources."""

from simbuilder.graph.model.words import DERIVED, PRINCIPAL, RESOURCE, flag, text, texts
from simbuilder.graph.schema import RelationshipKind

PLATFORM = "platform"
SP, VAULT = "EntraServicePrincipal", "KeyVault"

IDENTITIES = (
    RelationshipKind(
        "RUNS_AS",
        PLATFORM,
        (RESOURCE,),
        (SP,),
        "Can sign in as the managed identity, and so can whoever runs code there.",
        (text("identity_type", "SystemAssigned or UserAssigned"), *DERIVED),
        attack=True,
        bloodhound=("AZManagedIdentity",),
    ),
    RelationshipKind(
        "IS_IDENTITY",
        PLATFORM,
        ("UserAssignedIdentity",),
        (SP,),
        "Is the service principal, seen as a resource; may be given to other resources.",
        attack=True,
    ),
    RelationshipKind(
        "RUNS_NODES_IN",
        PLATFORM,
        ("ManagedCluster",),
        ("ResourceGroup",),
        "Has its nodes in the resource group, and may change what is there.",
        attack=True,
        bloodhound=("AZNodeResourceGroup",),
    ),
)

NETWORKS = (
    RelationshipKind(
        "IN_SUBNET",
        PLATFORM,
        (RESOURCE,),
        ("Subnet",),
        "Has an address in the subnet.",
        (texts("private_ips", "Private addresses"),),
    ),
    RelationshipKind(
        "ATTACHED_TO",
        PLATFORM,
        (RESOURCE,),
        (RESOURCE,),
        "Is attached: a disk or network card to a machine, a security group to a subnet.",
    ),
    RelationshipKind(
        "EXPOSES",
        PLATFORM,
        (RESOURCE,),
        (RESOURCE,),
        "Makes it reachable from the internet.",
        (texts("ports", "Ports, each with its protocol, such as tcp/443"), *DERIVED),
    ),
    RelationshipKind(
        "ROUTES_TO",
        PLATFORM,
        (RESOURCE,),
        (RESOURCE,),
        "Lets traffic through to it: peering, routes, balancers, private endpoints.",
        (text("route_type", "peering, route, backend or private endpoint"), *DERIVED),
        key=("route_type",),
    ),
)

SECRETS_AND_LOGS = (
    RelationshipKind(
        "SENDS_LOGS_TO",
        PLATFORM,
        ("Tenant", "ManagementGroup", "Subscription", RESOURCE),
        ("LogAnalyticsWorkspace",),
        "Has a diagnostic setting that sends logs there.",
        (
            text("setting", "Name of the diagnostic setting"),
            texts("categories", "Categories of log that are sent"),
            flag("sends_metrics", "Whether metrics are sent too"),
        ),
        key=("setting",),
    ),
    RelationshipKind(
        "STORES",
        PLATFORM,
        (RESOURCE,),
        ("SecretRef",),
        "Keeps the secret, and gives it to whoever may read there.",
        attack=True,
    ),
    RelationshipKind(
        "UNLOCKS",
        PLATFORM,
        ("SecretRef",),
        ("Credential", "EntraUser", SP, RESOURCE),
        "Is what signing in as it, or opening it, takes.",
        DERIVED,
        attack=True,
    ),
    *(
        RelationshipKind(
            f"CAN_GET_{what.upper()}",
            PLATFORM,
            (PRINCIPAL,),
            (VAULT,),
            f"May read the {what} of the vault, by its access policies or by a role.",
            (text("granted_by", "policy or role"), *DERIVED),
            attack=True,
            bloodhound=(f"AZGet{what.capitalize()}",),
        )
        for what in ("secrets", "keys", "certificates")
    ),
)

TIES = (*IDENTITIES, *NETWORKS, *SECRETS_AND_LOGS)
