# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of relationships of the family control."""

from simbuilder.graph.rows.base import TieRow


class CanTie(TieRow, total=False):
    """Has the capability."""

    derived: bool
    rule: str
    via: list[str]


class OverTie(TieRow, total=False):
    """Is a capability over it."""

    derived: bool
    rule: str
    via: list[str]


class AdministersTie(TieRow, total=False):
    """Has an administrator's role over the whole of it."""

    bloodhound_kind: str
    derived: bool
    rule: str
    via: list[str]


class CanAddSecretTie(TieRow, total=False):
    """May add a credential to it and sign in as it."""

    bloodhound_kind: str
    derived: bool
    rule: str
    via: list[str]


class CanAddOwnerTie(TieRow, total=False):
    """May make anybody its owner."""

    bloodhound_kind: str
    derived: bool
    rule: str
    via: list[str]


class CanAddMemberTie(TieRow, total=False):
    """May make anybody its member."""

    bloodhound_kind: str
    derived: bool
    rule: str
    via: list[str]


class CanResetPasswordTie(TieRow, total=False):
    """May set its password."""

    derived: bool
    rule: str
    via: list[str]


class CanGrantRoleTie(TieRow, total=False):
    """May give roles there to anybody, or that role."""

    bloodhound_kind: str
    derived: bool
    rule: str
    via: list[str]


class CanGrantAppRoleTie(TieRow, total=False):
    """May give applications permissions of any kind, or of that service principal."""

    derived: bool
    rule: str
    via: list[str]


class CanExecuteOnTie(TieRow, total=False):
    """May run commands there."""

    derived: bool
    rule: str
    via: list[str]


class CanReadSecretTie(TieRow, total=False):
    """May read the secret, or all of it."""

    derived: bool
    rule: str
    via: list[str]


class CanElevateTie(TieRow, total=False):
    """May take more power there without anybody."""

    derived: bool
    rule: str
    via: list[str]


class CanApproveTie(TieRow, total=False):
    """May approve its activation, or that one's."""

    derived: bool
    rule: str
    via: list[str]


class SyncedToTie(TieRow, total=False):
    """Is synchronised to the other one: its password counts there too."""

    bloodhound_kind: str
    derived: bool
    rule: str
    via: list[str]
