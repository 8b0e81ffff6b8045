"""How BloodHound calls what the model has: kinds of node and edge, and properties."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from simbuilder.graph.formats.azurehound_names import APP_ROLES, BLOODHOUND_ROLES
from simbuilder.graph.model import SCHEMA

BASE = "AZBase"
"""The kind that every node of Azure has in BloodHound besides its own."""

PROPERTIES: Mapping[str, str] = {
    "name": "displayname",
    "description": "description",
    "account_enabled": "enabled",
    "activation_requires_approval": "enduserassignmentrequiresapproval",
    "activation_requires_auth_context": "enduserassignmentrequirescapauthenticationcontext",
    "activation_requires_justification": "enduserassignmentrequiresjustification",
    "activation_requires_mfa": "enduserassignmentrequiresmfa",
    "activation_requires_ticket": "enduserassignmentrequiresticketinformation",
    "app_display_name": "appdisplayname",
    "app_id": "appid",
    "app_owner_org_id": "appownerorganizationid",
    "created": "whencreated",
    "device_id": "deviceid",
    "group_approvers": "enduserassignmentgroupapprovers",
    "is_assignable_to_role": "isassignabletorole",
    "is_builtin": "isbuiltin",
    "is_enabled": "enabled",
    "job_title": "title",
    "login_url": "loginurl",
    "mail": "email",
    "node_resource_group": "noderesourcegroupid",
    "on_prem_sid": "onpremid",
    "on_prem_sync_enabled": "onpremsyncenabled",
    "operating_system": "operatingsystem",
    "operating_system_version": "operatingsystemversion",
    "password_last_changed": "pwdlastset",
    "publisher_domain": "publisherdomain",
    "rbac_authorization": "enablerbacauthorization",
    "security_enabled": "securityenabled",
    "security_identifier": "securityidentifier",
    "sign_in_audience": "signinaudience",
    "sp_names": "service_principal_names",
    "sp_type": "serviceprincipaltype",
    "template_id": "templateid",
    "trust_type": "trustype",
    "upn": "userprincipalname",
    "user_approvers": "enduserassignmentuserapprovers",
    "user_type": "usertype",
}
"""Names of properties here, and those of BloodHound (its `azure.cue`; `trustype` is its own)."""

BY_ROLE: Mapping[str, Mapping[str, str]] = {
    "HAS_RBAC": BLOODHOUND_ROLES,
    "HAS_APP_ROLE": {each: f"AZMG{each.replace('.', '_')}" for each in APP_ROLES.values()},
}
"""Kinds of relationship that BloodHound has an edge kind of for each role, by the role."""

ROLES: Mapping[str, str] = {
    "AZKeyVaultKVContributor": "Key Vault Contributor",
    **{edge: role for edges in BY_ROLE.values() for role, edge in edges.items()},
}
"""The role that an edge kind of BloodHound stands for."""

EDGE_KINDS: Mapping[str, str] = {
    edge: kind.name for kind in SCHEMA.relationships for edge in (*kind.bloodhound, kind.name)
}
"""Each edge kind, of BloodHound or ours, and the kind of relationship that it is."""

NODE_KINDS: Mapping[str, str] = {
    label: kind.name for kind in SCHEMA.nodes for label in (*kind.bloodhound, kind.name)
}
"""Each node kind, of BloodHound or ours, and the kind of node that it is."""


def labels(kind: str) -> list[str]:
    """Return the kinds that a node is exported with; at most three, BloodHound takes no more."""
    known = SCHEMA.node_kinds.get(kind)
    own = known.bloodhound if known else ()
    base = (BASE,) if known and BASE in known.labels else ()
    return list(dict.fromkeys((*own[:1], *base, kind)))


def edge_kind(kind: str, properties: Mapping[str, Any]) -> str:
    """Return the edge kind that a relationship is exported as: BloodHound's if it has one."""
    known = SCHEMA.relationship_kinds.get(kind)
    if known is None or not known.bloodhound:
        return kind
    said = properties.get("bloodhound_kind")
    if said in known.bloodhound:
        return str(said)
    if len(known.bloodhound) == 1:
        return known.bloodhound[0]
    return BY_ROLE.get(kind, {}).get(str(properties.get("role")), kind)


@cache
def node_properties(kind: str) -> Mapping[str, str]:
    """Return what BloodHound's names of properties are called on a kind of node."""
    declared = {each.name for each in SCHEMA.node_kinds[kind].properties}
    return {theirs: ours for ours, theirs in PROPERTIES.items() if ours in declared}
