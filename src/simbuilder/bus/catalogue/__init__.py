"""Every type of event there is; importing it declares them all. Pure."""

from simbuilder.bus.catalogue import deadletters, errors, health, workflow
from simbuilder.bus.events import EventData

__all__ = ["CATALOGUE"]

CATALOGUE: tuple[type[EventData], ...] = tuple(
    kind
    for module in (workflow, health, errors, deadletters)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, EventData) and kind.TYPE
)
"""The classes of data, in the order in which the documents list them."""
