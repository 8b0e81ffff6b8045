"""SimBuilder: build, run and take down realistic Azure / Entra simulation environments.

Importing this package loads nothing else: every room is imported by whoever needs it.
"""

__version__ = "0.1.0"
