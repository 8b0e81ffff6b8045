"""Every suite of the seam is bound to the same runtimes."""

from tests.contract.test_runtime import case, real

__all__ = ["case", "real"]
