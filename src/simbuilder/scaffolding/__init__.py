"""Ground floor: settings, logging, files, processes. Knows nothing of sessions.

`from simbuilder.scaffolding import get_settings, setup_logging, LoggingMixin` is what components
are written against. The names are resolved on first use, because pydantic and structlog cost
0.25 s of imports that a session command never needs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simbuilder.scaffolding.config import get_settings
    from simbuilder.scaffolding.exceptions import SimBuilderError
    from simbuilder.scaffolding.logging import LoggingMixin, setup_logging

__all__ = ["LoggingMixin", "SimBuilderError", "get_settings", "setup_logging"]

_HOMES = {
    "get_settings": "config",
    "setup_logging": "logging",
    "LoggingMixin": "logging",
    "SimBuilderError": "exceptions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
