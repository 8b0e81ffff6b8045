"""Ids that are the same in every tenant, so that a made-up one can be asked real questions."""

MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
"""The tenant that Microsoft's own applications are registered in."""

GRAPH = "00000003-0000-0000-c000-000000000000"
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
PRIVILEGED_ROLE_ADMINISTRATOR = "e8611ab8-c189-46e8-94e1-60213ab1f814"
PRIVILEGED_AUTHENTICATION_ADMINISTRATOR = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
AUTHENTICATION_ADMINISTRATOR = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
CLOUD_APPLICATION_ADMINISTRATOR = "158c047a-c907-4556-b7ef-446551a6b5f7"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"
HELPDESK_ADMINISTRATOR = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
PASSWORD_ADMINISTRATOR = "966707d0-3269-4727-9be2-8c3a10f19b9d"  # noqa: S105 - a role's id
GROUPS_ADMINISTRATOR = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
INTUNE_ADMINISTRATOR = "3a2c62db-5318-420d-8d74-23affee5d9d5"
DIRECTORY_WRITERS = "9360feb5-f418-4baa-8175-e2a00bac4301"
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"

DIRECTORY_ROLES: tuple[tuple[str, str, bool], ...] = (
    (GLOBAL_ADMINISTRATOR, "Global Administrator", True),
    (PRIVILEGED_ROLE_ADMINISTRATOR, "Privileged Role Administrator", True),
    (PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, "Privileged Authentication Administrator", True),
    (AUTHENTICATION_ADMINISTRATOR, "Authentication Administrator", True),
    (APPLICATION_ADMINISTRATOR, "Application Administrator", True),
    (CLOUD_APPLICATION_ADMINISTRATOR, "Cloud Application Administrator", True),
    (USER_ADMINISTRATOR, "User Administrator", True),
    (HELPDESK_ADMINISTRATOR, "Helpdesk Administrator", True),
    (PASSWORD_ADMINISTRATOR, "Password Administrator", True),
    (GROUPS_ADMINISTRATOR, "Groups Administrator", False),
    (INTUNE_ADMINISTRATOR, "Intune Administrator", True),
    (DIRECTORY_WRITERS, "Directory Writers", True),
    (GLOBAL_READER, "Global Reader", True),
    ("cf1c38e5-3621-4004-a7cb-879624dced7c", "Application Developer", True),
    ("194ae4cb-b126-40b2-bd5b-6091b380977d", "Security Administrator", True),
    ("5f2222b1-57c3-48ba-8ad5-d4759f1fde6f", "Security Operator", True),
    ("5d6b6bb7-de71-4623-b4af-96380a352509", "Security Reader", True),
    ("b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator", True),
    ("8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "Hybrid Identity Administrator", True),
    ("7698a772-787b-4ac8-901f-60d6b08affd2", "Cloud Device Administrator", True),
    ("29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator", False),
    ("f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator", False),
    ("69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator", False),
    ("17315797-102d-40b4-93e0-432062caca18", "Compliance Administrator", False),
    ("b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator", False),
    ("4d6ac14f-3453-41d0-bef9-a3e0c569773a", "License Administrator", False),
    ("11648597-926c-4cf3-9c36-bcebb0ba8dcc", "Power Platform Administrator", False),
    ("f023fd81-a637-4b56-95fd-791ac0226033", "Service Support Administrator", False),
    ("95e79109-95c0-4d8e-aee3-d01accf2d47b", "Guest Inviter", False),
    ("4a5d8f65-41da-4de4-8968-e035b65339cf", "Reports Reader", False),
    ("790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", "Message Center Reader", False),
    ("88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers", False),
)
"""Template id, name and whether privileged: Microsoft Entra built-in roles reference."""

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
USER_ACCESS_ADMINISTRATOR = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
VAULT_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
MACHINE_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"

AZURE_ROLES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    OWNER: ("Owner", ("*",), ()),
    CONTRIBUTOR: ("Contributor", ("*",), ()),
    READER: ("Reader", ("*/read",), ()),
    USER_ACCESS_ADMINISTRATOR: (
        "User Access Administrator",
        ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
        (),
    ),
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": (
        "Role Based Access Control Administrator",
        ("Microsoft.Authorization/roleAssignments/write", "*/read"),
        (),
    ),
    VAULT_SECRETS_USER: (
        "Key Vault Secrets User",
        (),
        (
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ),
    ),
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": (
        "Key Vault Secrets Officer",
        (),
        ("Microsoft.KeyVault/vaults/secrets/*",),
    ),
    "21090545-7ca7-4776-b22c-e363652d74d2": (
        "Key Vault Reader",
        ("Microsoft.KeyVault/vaults/read",),
        ("Microsoft.KeyVault/vaults/*/read",),
    ),
    MACHINE_CONTRIBUTOR: (
        "Virtual Machine Contributor",
        ("Microsoft.Compute/virtualMachines/*", "Microsoft.Network/networkInterfaces/*"),
        (),
    ),
    "1c0163c0-47e6-4577-8991-ea5c82e286e4": (
        "Virtual Machine Administrator Login",
        ("Microsoft.Compute/virtualMachines/*/read",),
        ("Microsoft.Compute/virtualMachines/loginAsAdmin/action",),
    ),
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": (
        "Storage Blob Data Contributor",
        ("Microsoft.Storage/storageAccounts/blobServices/containers/write",),
        ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",),
    ),
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": (
        "Storage Blob Data Reader",
        ("Microsoft.Storage/storageAccounts/blobServices/containers/read",),
        ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",),
    ),
    "4d97b98b-1d4f-4787-a291-c67834d212e7": (
        "Network Contributor",
        ("Microsoft.Network/*",),
        (),
    ),
    "de139f84-1756-47ae-9be6-808fbbe84772": (
        "Website Contributor",
        ("Microsoft.Web/sites/*",),
        (),
    ),
    "43d0d8ad-25c7-4714-9337-8ba259a9fe05": ("Monitoring Reader", ("*/read",), ()),
    "92aaf0da-9dab-42b6-94a3-d43ce8d16293": (
        "Log Analytics Contributor",
        ("*/read", "Microsoft.OperationalInsights/*"),
        (),
    ),
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": (
        "AcrPull",
        ("Microsoft.ContainerRegistry/registries/pull/read",),
        (),
    ),
}
"""Id, name, actions and data actions, the telling ones: Azure built-in roles reference."""

ROLE_MANAGEMENT = "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"
APP_ROLE_ASSIGNMENT = "06b708a9-e830-4db3-a914-8e69da51d44f"
APPLICATION_WRITE = "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"
DIRECTORY_WRITE = "19dbc75e-c2e2-444c-a770-ec69d8559fc7"
GROUP_WRITE = "62a82d76-70ea-41e2-9197-370581804d09"

GRAPH_ROLES: tuple[tuple[str, str], ...] = (
    (ROLE_MANAGEMENT, "RoleManagement.ReadWrite.Directory"),
    (APP_ROLE_ASSIGNMENT, "AppRoleAssignment.ReadWrite.All"),
    (APPLICATION_WRITE, "Application.ReadWrite.All"),
    (DIRECTORY_WRITE, "Directory.ReadWrite.All"),
    (GROUP_WRITE, "Group.ReadWrite.All"),
    ("df021288-bdef-4463-88db-98f22de89214", "User.Read.All"),
    ("7ab1d382-f21e-4acd-a863-ba3e13f7da61", "Directory.Read.All"),
    ("5b567255-7703-4780-807c-7be8301ae99b", "Group.Read.All"),
    ("b633e1c5-b582-4048-a93e-9f11b44c7e96", "Mail.Send"),
    ("810c84a8-4a9e-49e6-bf7d-12d183f40d01", "Mail.Read"),
    ("332a536c-c7ef-4017-ab91-336970924f0d", "Sites.Read.All"),
    ("01d4889c-1287-42c6-ac1f-5d1e02578ef6", "Files.Read.All"),
    ("b0afded3-3588-46d8-8b3d-9842eff778da", "AuditLog.Read.All"),
    ("798ee544-9d2d-430c-a058-570e29e34338", "Calendars.Read"),
    ("9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "Application.Read.All"),
    ("bf394140-e372-4bf9-a898-299cfc7564e5", "SecurityEvents.Read.All"),
    ("1138cb37-bd11-4084-a2b7-9f71582aeddb", "Device.ReadWrite.All"),
    ("243333ab-4d21-40cb-a475-36241daa0842", "DeviceManagementManagedDevices.ReadWrite.All"),
)
"""Application permissions of Microsoft Graph: Microsoft Graph permissions reference."""

STRONG_GRAPH_ROLES = 5
"""The first so many of `GRAPH_ROLES` lead to the whole tenant."""

FIRST_PARTY: tuple[tuple[str, str], ...] = (
    (GRAPH, "Microsoft Graph"),
    (EXCHANGE, "Office 365 Exchange Online"),
    ("00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory"),
    ("00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"),
    ("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Azure Resource Manager"),
    ("c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"),
    ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"),
    ("1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell"),
    ("d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office"),
    ("1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"),
    ("cc15fd57-2c6c-4117-a88c-83b1d56b4bbe", "Microsoft Teams Services"),
    ("cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault"),
    ("e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage"),
    ("0000000a-0000-0000-c000-000000000000", "Microsoft Intune"),
    ("d4ebce55-015a-49b5-a083-c84d1797ae8c", "Microsoft Intune Enrollment"),
    ("00000009-0000-0000-c000-000000000000", "Power BI Service"),
    ("00000007-0000-0000-c000-000000000000", "Dataverse"),
    ("475226c6-020e-4fb2-8a90-7a972cbfc1d4", "PowerApps Service"),
    ("0000000c-0000-0000-c000-000000000000", "Microsoft App Access Panel"),
    ("2793995e-0a7d-40d7-bd35-6968ba142197", "My Apps"),
    ("022907d3-0f1b-48f7-badc-1ba6abab6d66", "Azure SQL Database"),
    ("ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", "Log Analytics API"),
    ("c5393580-f805-4401-95e8-94b7a6ef2fc2", "Office 365 Management APIs"),
)
"""Client id and name of applications of Microsoft found in most tenants."""
