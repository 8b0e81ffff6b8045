"""A made-up tenant of any size, the same for the same numbers on every machine."""

from simbuilder.graph.synthetic.sizes import MOST_USERS
from simbuilder.graph.synthetic.tenant import DEFAULT_NAME, tenant

__all__ = ["DEFAULT_NAME", "MOST_USERS", "tenant"]
