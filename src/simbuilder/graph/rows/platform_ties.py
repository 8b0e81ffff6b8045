# Generated from simbuilder.graph.model by `python3 tasks.py format`.
"""Rows of relationships of the family platform."""

from simbuilder.graph.rows.base import TieRow


class RunsAsTie(TieRow, total=False):
    """Can sign in as the managed identity, and so can whoever runs code there."""

    identity_type: str
    derived: bool
    rule: str
    via: list[str]


class InSubnetTie(TieRow, total=False):
    """Has an address in the subnet."""

    private_ips: list[str]


class ExposesTie(TieRow, total=False):
    """Makes it reachable from the internet."""

    ports: list[str]
    derived: bool
    rule: str
    via: list[str]


class RoutesToTie(TieRow, total=False):
    """Lets traffic through to it: peering, routes, balancers, private endpoints."""

    route_type: str
    derived: bool
    rule: str
    via: list[str]


class SendsLogsToTie(TieRow, total=False):
    """Has a diagnostic setting that sends logs there."""

    setting: str
    categories: list[str]
    sends_metrics: bool


class UnlocksTie(TieRow, total=False):
    """Is what signing in as it, or opening it, takes."""

    derived: bool
    rule: str
    via: list[str]


class CanGetSecretsTie(TieRow, total=False):
    """May read the secrets of the vault, by its access policies or by a role."""

    granted_by: str
    derived: bool
    rule: str
    via: list[str]


class CanGetKeysTie(TieRow, total=False):
    """May read the keys of the vault, by its access policies or by a role."""

    granted_by: str
    derived: bool
    rule: str
    via: list[str]


class CanGetCertificatesTie(TieRow, total=False):
    """May read the certificates of the vault, by its access policies or by a role."""

    granted_by: str
    derived: bool
    rule: str
    via: list[str]
