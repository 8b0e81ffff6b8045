"""The local runtime: real servers as detached processes of the user, no Docker involved."""

from simbuilder.runtimes.local.runtime import Graph, LocalRuntime

__all__ = ["Graph", "LocalRuntime"]
