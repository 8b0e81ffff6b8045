"""SimBuilder: build, run and take down realistic Azure / Entra simulation environments.

For programs: `with simbuilder.session() as s: s.env["NEO4J_URI"]`, see `simbuilder.api`. Importing
this package loads nothing else: every room is imported by whoever needs it.
"""

TYPE_CHECKING = False  # of `typing`, whose import is 3 ms in which Ctrl-C shows a traceback
if TYPE_CHECKING:
    from simbuilder.api import LiveSession, SimBuilderError, session

__version__ = "0.1.0"
__all__ = ["LiveSession", "SimBuilderError", "__version__", "session"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simbuilder import api

    found: object = getattr(api, name)
    return found
