# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of relationships of the family authority."""

from simbuilder.graph.rows.base import TieRow


class DeniedByTie(TieRow, total=False):
    """Is whom it denies, whatever roles say."""

    is_excluded: bool


class HasRoleTie(TieRow, total=False):
    """Has the directory role now."""

    scope: str
    assignment_type: str
    assignment_id: str
    start_at: str
    end_at: str
    derived: bool
    rule: str
    via: list[str]


class EligibleForTie(TieRow, total=False):
    """May activate the directory role, or the membership or ownership of the group."""

    scope: str
    access: str
    assignment_id: str
    start_at: str
    end_at: str
    derived: bool
    rule: str
    via: list[str]


class HasRbacTie(TieRow, total=False):
    """Has an Azure role that gives power at this scope; on the tenant, that is the scope `/`."""

    role: str
    bloodhound_kind: str
    role_definition_id: str
    assignment_id: str
    condition: str
    derived: bool
    rule: str
    via: list[str]


class ViewsTie(TieRow, total=False):
    """Has an Azure role at this scope that only looks, such as Reader; no attack path uses it."""

    role: str
    role_definition_id: str
    assignment_id: str
    condition: str
    derived: bool
    rule: str
    via: list[str]


class EligibleForRbacTie(TieRow, total=False):
    """May activate the Azure role at this scope."""

    role: str
    role_definition_id: str
    assignment_id: str
    start_at: str
    end_at: str
    derived: bool
    rule: str
    via: list[str]


class GrantedAppRoleTie(TieRow, total=False):
    """Holds the permission."""

    assignment_id: str
    derived: bool
    rule: str
    via: list[str]


class HasAppRoleTie(TieRow, total=False):
    """Holds a permission of the other one, whose name is `role`."""

    role: str
    bloodhound_kind: str
    assignment_id: str
    derived: bool
    rule: str
    via: list[str]


class DelegatedTie(TieRow, total=False):
    """May use the other one for a user, within the scopes."""

    scopes: list[str]
    consent_type: str
    principal_id: str
    start_at: str
    end_at: str


class AppliesToTie(TieRow, total=False):
    """Is about it; on the tenant, about all."""

    aspect: str


class ExcludesTie(TieRow, total=False):
    """Spares it."""

    aspect: str


class GovernsTie(TieRow, total=False):
    """Says what assigning and activating it takes."""

    scope: str


class ApprovesTie(TieRow, total=False):
    """Approves its activation."""

    scope: str
    derived: bool
    rule: str
    via: list[str]
