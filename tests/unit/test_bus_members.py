"""Who is alive: signs of life replayed, on a clock that only this test moves.

Members ask no wall clock at all, so no jump of one can matter; what counts is the loop's time, and
that only between two of our own signs of life.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from simbuilder.bus.members import Members
from simbuilder.bus.memory.bus import MemoryBus, MemoryServer
from simbuilder.bus.protocol import Entry

LEASE_S = 4.0
BEAT_S = LEASE_S / 4
ME, OTHER = "me", "other"


class World:
    """One worker's view of another, and the time as its loop has it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 0.0
        loop.time = lambda: self.now  # type: ignore[method-assign]
        self.loop = loop
        self.members = Members(MemoryBus(MemoryServer()).bucket("unused"), ME, LEASE_S)

    def hear(self, worker: str, *, deleted: bool = False, day: int = 1) -> None:
        at = datetime(2026, 1, day, tzinfo=UTC)

        async def heard() -> None:
            self.members._hear(Entry(worker, b"1", 1, at, deleted))

        self.loop.run_until_complete(heard())

    def both(self, beats: int) -> None:
        for _ in range(beats):
            self.now += BEAT_S
            self.hear(ME)
            self.hear(OTHER)

    def alone(self, beats: int) -> None:
        for _ in range(beats):
            self.now += BEAT_S
            self.hear(ME)

    @property
    def gone(self) -> bool:
        return self.members.gone(OTHER)


@contextmanager
def world() -> Iterator[World]:
    loop = asyncio.new_event_loop()
    try:
        yield World(loop)
    finally:
        loop.close()


def test_whoever_gives_no_sign_of_life_for_a_lease_is_gone() -> None:
    with world() as one:
        one.both(3)
        one.alone(4)
        assert not one.gone
        one.alone(1)
        assert one.gone


def test_whoever_is_heard_again_was_not_gone() -> None:
    with world() as one:
        one.both(3)
        one.alone(10)
        one.hear(OTHER)
        assert not one.gone


def test_whoever_was_never_heard_has_a_lease_from_when_we_began() -> None:
    with world() as one:
        one.hear(ME)
        one.alone(4)
        assert not one.gone
        one.alone(1)
        assert one.gone


def test_whoever_says_goodbye_is_gone_at_once() -> None:
    with world() as one:
        one.both(3)
        one.hear(OTHER, deleted=True)
        assert one.gone


def test_we_ourselves_are_never_gone() -> None:
    with world() as one:
        one.alone(100)
        assert not one.members.gone(ME)


@pytest.mark.parametrize("away_s", [10.0, 3600.0, 30 * 86400.0])
def test_a_server_that_was_away_or_a_machine_that_slept_lets_nobody_appear_dead(
    away_s: float,
) -> None:
    with world() as one:
        one.both(3)
        one.now += away_s
        one.hear(ME)  # ours come back first, the other's a moment later
        assert not one.gone
        one.alone(1)
        assert not one.gone
        one.both(5)
        assert not one.gone


def test_no_wall_clock_counts() -> None:
    """What a server writes as the time of an entry may be anything."""
    chance = random.Random(3)
    with world() as one:
        one.hear(ME)
        for _ in range(100):
            one.now += BEAT_S
            one.hear(ME, day=chance.randint(1, 28))
            one.hear(OTHER, day=chance.randint(1, 28))
            assert not one.gone


@pytest.mark.parametrize("seed", range(5))
def test_nobody_who_is_heard_within_half_a_lease_of_our_time_is_gone(seed: int) -> None:
    """Whatever the outages; each adds half a lease at most."""
    chance = random.Random(seed)
    with world() as one:
        one.both(2)
        steps: list[Callable[[], None]] = [lambda: one.alone(1), lambda: None]
        for _ in range(300):
            one.now += chance.choice((0.0, 0.0, 5.0, 1e6))
            chance.choice(steps)()
            one.hear(OTHER)
            one.now += BEAT_S
            one.hear(ME)
            assert not one.gone
