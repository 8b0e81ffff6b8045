"""What rules conclude: who controls whom, directly or through the hub of a capability."""

from simbuilder.graph.model.words import (
    ANYTHING,
    CONTROL,
    DERIVED,
    NAME,
    ORIGIN,
    PRINCIPAL,
    RESOURCE,
    text,
)
from simbuilder.graph.schema import NodeKind, RelationshipKind

GROUP, APP, SP = "EntraGroup", "EntraApplication", "EntraServicePrincipal"
TENANT, ENTRA_ROLE = "Tenant", "EntraRoleDefinition"
SCOPES = ("ManagementGroup", "Subscription", "ResourceGroup", RESOURCE)

CAPABILITY = NodeKind(
    "Capability",
    CONTROL,
    "capabilities",
    "A power that many have over many, so that each is tied once and not to each other.",
    "capability:{name}@{tenant}",
    properties=(
        NAME,
        text("action", "What it lets one do, such as CAN_ADD_SECRET"),
        text("targets", "Whom it is over, in words, such as all applications"),
        *DERIVED,
    ),
)


def control(
    name: str, ends: tuple[str, ...], about: str, *bloodhound: str, starts: str = PRINCIPAL
) -> RelationshipKind:
    """Declare a kind of control; where BloodHound has several kinds of it, they stay apart."""
    several = len(bloodhound) > 1
    return RelationshipKind(
        name,
        "control",
        (starts,),
        ends,
        about,
        (ORIGIN, *DERIVED) if several else DERIVED,
        key=(ORIGIN.name,) if several else (),
        attack=True,
        bloodhound=bloodhound,
    )


NODES = (CAPABILITY,)

TIES = (
    control("CAN", ("Capability",), "Has the capability."),
    control("OVER", ANYTHING, "Is a capability over it.", starts="Capability"),
    control(
        "ADMINISTERS",
        (TENANT, APP, SP),
        "Has an administrator's role over the whole of it.",
        *("AZGlobalAdmin", "AZPrivilegedRoleAdmin", "AZPrivilegedAuthAdmin"),
        *("AZAppAdmin", "AZCloudAppAdmin"),
    ),
    control(
        "CAN_ADD_SECRET",
        (APP, SP, "UserAssignedIdentity"),
        "May add a credential to it and sign in as it.",
        *("AZAddSecret", "AZMGAddSecret"),
    ),
    control(
        "CAN_ADD_OWNER",
        (APP, SP, GROUP),
        "May make anybody its owner.",
        *("AZAddOwner", "AZMGAddOwner"),
    ),
    control(
        "CAN_ADD_MEMBER",
        (GROUP,),
        "May make anybody its member.",
        *("AZAddMembers", "AZMGAddMember"),
    ),
    control(
        "CAN_RESET_PASSWORD",
        ("EntraUser",),
        "May set its password.",
        "AZResetPassword",
    ),
    control(
        "CAN_GRANT_ROLE",
        (TENANT, ENTRA_ROLE, *SCOPES),
        "May give roles there to anybody, or that role.",
        *("AZGrant", "AZGrantSelf", "AZMGGrantRole"),
    ),
    control(
        "CAN_GRANT_APP_ROLE",
        (TENANT, SP),
        "May give applications permissions of any kind, or of that service principal.",
        "AZMGGrantAppRoles",
    ),
    control(
        "CAN_EXECUTE_ON",
        ("EntraDevice", *SCOPES),
        "May run commands there.",
        "AZExecuteCommand",
    ),
    control("CAN_READ_SECRET", ("SecretRef", RESOURCE), "May read the secret, or all of it."),
    control("CAN_ELEVATE", (ENTRA_ROLE, *SCOPES), "May take more power there without anybody."),
    control(
        "CAN_APPROVE",
        ("EntraRoleEligibility", "AzureRoleEligibility", PRINCIPAL),
        "May approve its activation, or that one's.",
    ),
    RelationshipKind(
        "SYNCED_TO",
        "control",
        ("EntraUser", "OnPremUser"),
        ("EntraUser", "OnPremUser"),
        "Is synchronised to the other one: its password counts there too.",
        (ORIGIN, *DERIVED),
        key=(ORIGIN.name,),
        attack=True,
        bloodhound=("SyncedToADUser", "SyncedToEntraUser"),
    ),
)
