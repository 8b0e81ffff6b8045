"""The local runtime: real servers as detached processes of the user, no Docker involved."""

from simbuilder.runtimes.local.runtime import LocalRuntime
from simbuilder.runtimes.local.server import Graph

__all__ = ["Graph", "LocalRuntime"]
