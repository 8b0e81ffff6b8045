"""Names of roles that AzureHound and BloodHound know by id or by kind.

Facts from Microsoft's "Azure built-in roles" and "Microsoft Graph permissions reference".
"""

from collections.abc import Mapping

AZURE_ROLES: Mapping[str, str] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": "Virtual Machine Contributor",
    "1c0163c0-47e6-4577-8991-ea5c82e286e4": "Virtual Machine Administrator Login",
    "fb879df8-f326-4884-b1cf-06f3ad86be52": "Virtual Machine User Login",
    "4f8fab4f-1852-4a58-a46a-8eaf358af14a": "Avere Contributor",
    "f25e0fa2-a7c8-4377-a976-54943a77a395": "Key Vault Contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8": "Azure Kubernetes Service Contributor Role",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
    "87a39d53-fc1b-424a-814c-f7e04687dc9e": "Logic App Contributor",
    "f353d9bd-d4a6-484e-a77a-8050b599b867": "Automation Contributor",
    "17d1049b-9a84-46fb-8f53-869881c3d3ab": "Storage Account Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59": "Managed Identity Contributor",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
}
"""Display names of built-in roles of Azure, by id."""

BLOODHOUND_ROLES: Mapping[str, str] = {
    "Owner": "AZOwner",
    "Contributor": "AZContributor",
    "User Access Administrator": "AZUserAccessAdministrator",
    "Virtual Machine Contributor": "AZVMContributor",
    "Virtual Machine Administrator Login": "AZVMAdminLogin",
    "Avere Contributor": "AZAvereContributor",
    "Key Vault Contributor": "AZKeyVaultContributor",
    "Azure Kubernetes Service Contributor Role": "AZAKSContributor",
    "Website Contributor": "AZWebsiteContributor",
    "Logic App Contributor": "AZLogicAppContributor",
    "Automation Contributor": "AZAutomationContributor",
}
"""The edge kind that BloodHound has for a role of Azure, by the role's name."""

APP_ROLES: Mapping[str, str] = {
    "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9": "Application.ReadWrite.All",
    "06b708a9-e830-4db3-a914-8e69da51d44f": "AppRoleAssignment.ReadWrite.All",
    "19dbc75e-c2e2-444c-a770-ec69d8559fc7": "Directory.ReadWrite.All",
    "62a82d76-70ea-41e2-9197-370581804d09": "Group.ReadWrite.All",
    "dbaae8cf-10b5-4b86-a4a1-f871c94c6695": "GroupMember.ReadWrite.All",
    "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8": "RoleManagement.ReadWrite.Directory",
    "89c8469c-83ad-45f7-8ff2-6e3d4285709e": "ServicePrincipalEndpoint.ReadWrite.All",
}
"""Permissions of Microsoft Graph that BloodHound has an edge kind for, by id."""
