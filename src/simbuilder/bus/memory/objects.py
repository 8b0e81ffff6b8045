"""The object store as a server has it: data that is too large for events."""

from datetime import datetime, timedelta

from simbuilder.bus.declarations import PAYLOADS, Bucket
from simbuilder.bus.memory.streams import Now


class Payloads:
    """Data that is too large for events, by its name."""

    def __init__(self, now: Now) -> None:
        self.declared = Bucket(PAYLOADS, "")
        self._found: dict[str, tuple[bytes, datetime]] = {}
        self._now = now

    def put(self, name: str, data: bytes) -> None:
        """Keep data, from now on."""
        self._found[name] = (data, self._now())

    def get(self, name: str) -> bytes | None:
        """Return data, or `None` if it is gone."""
        data, stored = self._found.get(name, (None, self._now()))
        return data if self._lasts(stored, self.declared) else None

    def delete(self, name: str) -> None:
        """Keep data no longer."""
        self._found.pop(name, None)

    def would_lose(self, declared: Bucket) -> int:
        """Return how much would be deleted by such limits."""
        return sum(
            self._lasts(stored, self.declared) and not self._lasts(stored, declared)
            for _, stored in self._found.values()
        )

    def _lasts(self, stored: datetime, declared: Bucket) -> bool:
        limit = timedelta(seconds=declared.max_age_s)
        return declared.max_age_s <= 0 or self._now() - stored <= limit
