"""Where the facts of a new session come from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from simbuilder.scaffolding import machine

if TYPE_CHECKING:
    from simbuilder.sessions.expiry import Moment


@dataclass(frozen=True)
class Makers:
    """Owner, ids, times and secrets; tests hand in predictable ones."""

    owner: str
    session_id: Callable[[], str]
    now: Callable[[], str]
    secret: Callable[[str], str]
    uptime: Callable[[], tuple[str, float]] = machine.uptime

    def moment(self) -> "Moment":
        """Return now, by both clocks."""
        from simbuilder.sessions.expiry import Moment

        return Moment(datetime.fromisoformat(self.now()), *self.uptime())
