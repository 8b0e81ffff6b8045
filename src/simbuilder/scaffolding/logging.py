"""Structured logging for components: readable lines in development, JSON lines in production.

Always to stderr, because stdout belongs to data. Values under keys that sound like secrets are
masked before any renderer sees them.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
import structlog.tracebacks

from simbuilder.scaffolding.config import get_settings

_SECRET = re.compile(
    r"password|secret|token|api_?key|account_?key|connection_string|credential", re.IGNORECASE
)


_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)")


def mask_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask values whose key names a secret, at any depth, and passwords in URLs (a processor)."""
    for key in event:
        event[key] = _masked(key, event[key])
    return event


def _masked(key: str, value: Any) -> Any:
    if _SECRET.search(key) and value is not None:
        return "***"
    if isinstance(value, dict):
        return {name: _masked(str(name), inner) for name, inner in value.items()}
    if isinstance(value, str):
        return _URL_PASSWORD.sub(r"\1***\2", value)
    return value


def setup_logging(level: str | None = None, environment: str | None = None) -> None:
    """Configure structlog and the standard library's root logger; the last call wins.

    What is not given comes from the settings LOG_LEVEL and ENVIRONMENT. Raises
    `ConfigurationError` if those are invalid and `ValueError` for an unknown `level`.
    """
    if level is None or environment is None:
        settings = get_settings()
        level = level or settings.log_level
        environment = environment or settings.environment
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"unknown log level {level!r}")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    renderer: list[structlog.typing.Processor]
    if environment == "production":
        # structlog's own defaults, here and below, show local variables, and with them secrets
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderer = [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    else:
        renderer = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)


class LoggingMixin:
    """Gives a class `self.logger`, bound to the class name."""

    @property
    def logger(self) -> Any:
        """A structlog logger that carries `logger=<class name>`."""
        return structlog.get_logger().bind(logger=type(self).__name__)
