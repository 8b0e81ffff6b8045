"""Chance that falls the same way everywhere: whole numbers only, and none of it remembered.

Each choice is a function of a stream (what it is about) and an index (which one), so any of them
can be made again later instead of being kept. The generator is SplitMix64 (Steele, Lea and Flood,
"Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), whose output function is a
bijection: two indexes of a stream never get the same number.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")

_ALL = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_ODD = 0xD1342543DE82EF95

TODAY = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
"""The day that every time in a synthetic tenant is counted back from."""

_DAY = 86_400
_DAYS_BACK = 3_700
_DATES = [(TODAY - timedelta(days=n)).strftime("%Y-%m-%dT") for n in range(_DAYS_BACK)]


def mixed(value: int) -> int:
    """Return the output of SplitMix64 for the state `value`: 64 bits."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _ALL
    return value ^ (value >> 31)


class Stream:
    """Numbers about one thing of one tenant: `bits(index)` is the same whenever it is asked."""

    __slots__ = ("_first", "_second")

    def __init__(self, seed: int, name: str) -> None:
        digest = blake2b(f"{seed}/{name}".encode(), digest_size=16).digest()
        self._first = int.from_bytes(digest[:8], "big")
        self._second = int.from_bytes(digest[8:], "big")

    def bits(self, index: int) -> int:
        """Return 64 bits that belong to `index`."""
        return mixed((self._first + index * _STEP) & _ALL)

    def below(self, index: int, limit: int) -> int:
        """Return a whole number from 0 to `limit` - 1, `limit` well under 2**32."""
        return (mixed((self._first + index * _STEP) & _ALL) >> 32) * limit >> 32

    def guid(self, index: int) -> str:
        """Return a lower-case id in the shape of a version 4 UUID (RFC 9562)."""
        high = mixed((self._first + index * _STEP) & _ALL)
        # the first half is unique already: the second only has to look as if it were chance
        low = (high * _ODD ^ self._second) & _ALL
        text = f"{high << 64 | low:032x}"
        variant = "89ab"[low >> 62]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


class Weighted(Generic[T]):
    """A choice among `(weight, value)` pairs, weights being whole numbers."""

    __slots__ = ("_bounds", "_total", "_values")

    def __init__(self, choices: Sequence[tuple[int, T]]) -> None:
        self._bounds = list(accumulate(weight for weight, _ in choices))
        self._total = self._bounds[-1]
        self._values = [value for _, value in choices]

    def pick(self, bits: int) -> T:
        """Return the value that the low 32 of `bits` fall on."""
        place = (bits & 0xFFFFFFFF) * self._total >> 32
        return self._values[bisect_right(self._bounds, place)]


def sliced(bits: int, limit: int) -> int:
    """Return a whole number from 0 to `limit` - 1 made of the low 16 of `bits`."""
    return (bits & 0xFFFF) * limit >> 16


def permille(bits: int, share: int) -> bool:
    """Return whether the low 16 of `bits` fall into `share` of a thousand."""
    return (bits & 0xFFFF) * 1000 >> 16 < share


def long_tail(bits: int, least: int, most: int) -> int:
    """Return a size from `least` to `most`; each doubling of it is half as likely.

    Every octave above `least` is chosen by counting ones at the low end of the bits, which is a
    geometric distribution without a logarithm, whose last bit could differ between machines.
    """
    octave = 0
    while bits >> octave & 1 and octave < 20:
        octave += 1
    low = least << octave
    return min(most, low + ((bits >> 24 & 0xFFFF) * low >> 16))


def days_ago(days: int, bits: int) -> str:
    """Return a time of day, taken from `bits`, so many days before `TODAY`, in ISO 8601."""
    second = (bits & 0xFFFF) * _DAY >> 16
    hour, rest = divmod(second, 3600)
    return f"{_DATES[min(days, _DAYS_BACK - 1)]}{hour:02}:{rest // 60:02}:{rest % 60:02}Z"


def days_ahead(days: int) -> str:
    """Return the time so many days after `TODAY`, negative ones before it, in ISO 8601."""
    return (TODAY + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
