"""The data of local sessions: held still, copied, and replaced whole or not at all.

    <root>/<session id>/<service>/data              what the server works on
    <root>/<session id>/snapshots/<name>/<service>  a copy of that

A copy is made beside its place, `<place>.copying`, for all services, which changes nothing. Then
`adopt` writes a file `swapping`, which says that the copies are complete, and puts each in its
place: who dies meanwhile is finished by the next start (`settle`).
"""

import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simbuilder.runtimes import probes
from simbuilder.runtimes.local.azurite import HELD
from simbuilder.runtimes.users import forget_users
from simbuilder.scaffolding import freeze, machine, process, threads
from simbuilder.scaffolding.copying import Stamp, bar, copy_ahead, copy_tree, listing, seal, size_of
from simbuilder.scaffolding.exceptions import NotHeldError
from simbuilder.scaffolding.files import make_private_folder, remove_if_empty, remove_tree
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Data

SNAPSHOTS = "snapshots"
_SWAPPING = "swapping"
_SETTLE_S = 0.15
"""NATS (2.15) writes the position of a consumer at most ten times a second; messages at once."""

_HELD_WITHIN_S = 20.0  # it writes as much as it has
_POLL_S = 0.001
_TELL_EVERY_S = 1.0
_AGAIN = "nothing was copied; try again"


@dataclass(frozen=True)
class _Begun:
    """A copy of which a part was made ahead: that many bytes, and which files of each folder."""

    target: Data
    bytes: int
    seen: Mapping[Path, Mapping[Path, Stamp]]


class LocalCopies:
    """Implements `sessions.runtime.Copies` on folders below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._begun: _Begun | None = None

    def lacks(self, session: Session, services: Sequence[str]) -> Sequence[str]:
        """Ask NATS, which can keep streams in memory."""
        return probes.kept_in_no_file(session, services)

    @contextmanager
    def held(self, session: Session, services: Sequence[str]) -> Iterator[float]:
        """Let Azurite write down what it has in memory and wait (see `azurite_hold.mjs`).

        Then all are stopped where they are: what the others acknowledged, the system has by then.
        Raises `NotHeldError` in the end, too, if somebody let one of them go on meanwhile.
        """
        marks = {process.mark_of(session.id, service, self._root): service for service in services}
        running = [item for item in process.marked() if item.mark in marks]
        ours = [item for item in running if marks[item.mark] == "azurite"]
        azurite = [item for item in ours if item.pid != item.group]
        told = {machine.variable_of(item, "SIMBUILDER_HELD") for item in azurite}
        if "" in told:
            raise NotHeldError(
                "its Azurite was started by an older version, and cannot be held still",
                "stop the session and start it, then try again",
            )
        held = Path(told.pop()) if told else self._root / HELD
        held.unlink(missing_ok=True)
        if len(ours) < len(running):
            time.sleep(_SETTLE_S)
        with freeze.released_at_the_end(sorted({item.group for item in running}), held):
            began = time.monotonic()
            try:
                freeze.nudge(azurite, signal.SIGUSR2)
                _wait_for(held if azurite else None)
                freeze.freeze(running)
            except TimeoutError as error:
                raise NotHeldError(f"{error}", _AGAIN) from None
            yield began
            if not freeze.still(running):
                raise NotHeldError("somebody let a server go on while it was copied", _AGAIN)

    def ahead(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> None:
        """See `Copies.ahead`."""
        self.settle(source.session)
        self.settle(target.session)
        copies = self._room(target, services)
        seen: dict[Path, Mapping[Path, Stamp]] = {}

        def copy(place: Path, into: Path, copied: Callable[[int], None]) -> None:
            seen[into] = copy_ahead(place, into, copied)

        try:
            pairs = [(self._place(source, s), into) for s, into in copies.items()]
            self._begun = _Begun(target, _copy_all(pairs, emit, copy), seen)
        except BaseException:
            self.settle(target.session)
            raise

    def copy(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """See `Copies.copy`."""
        if self._begun is None or self._begun.target != target:
            self.settle(source.session)
        places = {s: self._place(source, s) for s in services}
        return self._fill(places, target, source.session.id != target.session.id, emit)

    def pack(self, source: Data, services: Sequence[str], folder: Path, emit: EventSink) -> int:
        """See `Copies.pack`."""
        self.settle(source.session)
        pairs = [(self._place(source, s), folder / s) for s in services]
        done = _copy_all(pairs, emit)
        for _, copy in pairs:
            forget_users(copy)
        return done

    def unpack(self, folder: Path, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """See `Copies.unpack`."""
        return self._fill({s: folder / s for s in services}, target, False, emit)

    def seal(self, snapshot: Data, services: Sequence[str]) -> str:
        """See `Copies.seal`."""
        places = ((s, self._place(snapshot, s)) for s in services)
        return seal(f"{s}/{line}" for s, place in places for line in listing(place))

    def adopt(self, session: Session) -> None:
        """See `Copies.adopt`."""
        (self._root / session.id / _SWAPPING).touch(0o600)
        self.settle(session)

    def drop(self, data: Data) -> None:
        """See `Copies.drop`."""
        folder = self._root / data.session.id / SNAPSHOTS
        remove_tree(folder / data.snapshot)
        remove_if_empty(folder)

    def tidy(self, session: Session, snapshots: Collection[str]) -> None:
        """See `Copies.tidy`."""
        self.settle(session)
        folder = self._root / session.id / SNAPSHOTS
        for place in [*folder.iterdir()] if folder.is_dir() else ():
            if place.name not in snapshots:
                remove_tree(place)
        remove_if_empty(folder)

    def settle(self, session: Session) -> None:
        """Finish what `adopt` began; remove what else a command that died has left."""
        home = self._root / session.id
        swapping = home / _SWAPPING
        if swapping.exists():
            for copy in sorted(home.glob("*/data.copying")):
                remove_tree(copy.with_suffix(""))
                copy.rename(copy.with_suffix(""))
            swapping.unlink()
        for left in [*home.glob("*/data.copying"), *home.glob(f"{SNAPSHOTS}/*.copying")]:
            remove_tree(left)

    def _place(self, data: Data, service: str) -> Path:
        home = self._root / data.session.id
        if data.snapshot:
            return home / SNAPSHOTS / data.snapshot / service
        return home / service / "data"

    def _fill(
        self, places: Mapping[str, Path], target: Data, foreign: bool, emit: EventSink
    ) -> int:
        begun, self._begun = self._begun, None
        if begun is None or begun.target != target:
            self.settle(target.session)
            begun = _Begun(target, 0, {})
        copies = self._room(target, [*places])

        def copy(place: Path, into: Path, copied: Callable[[int], None]) -> None:
            copy_tree(place, into, copied, begun.seen.get(into))

        try:
            done = _copy_all([(place, copies[s]) for s, place in places.items()], emit, copy)
            if foreign:
                for into in copies.values():
                    forget_users(into)
            if target.snapshot:
                whole = self._whole(target)
                remove_tree(whole.with_suffix(""))
                whole.rename(whole.with_suffix(""))
        except BaseException:
            self.settle(target.session)
            raise
        return begun.bytes + done

    def _room(self, target: Data, services: Sequence[str]) -> dict[str, Path]:
        """Return service -> where its copy is made, for which there is a folder."""
        if target.snapshot:
            whole = make_private_folder(self._whole(target))
            return {s: whole / s for s in services}
        home = self._root / target.session.id
        return {s: make_private_folder(home / s) / "data.copying" for s in services}

    def _whole(self, target: Data) -> Path:
        return self._root / target.session.id / SNAPSHOTS / f"{target.snapshot}.copying"


def _wait_for(held: Path | None) -> None:
    deadline = time.monotonic() + _HELD_WITHIN_S
    while held is not None and not held.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("Azurite does not stand still")
        time.sleep(_POLL_S)


def _copy_all(
    pairs: Sequence[tuple[Path, Path]],
    emit: EventSink,
    how: Callable[[Path, Path, Callable[[int], None]], None] = copy_tree,
) -> int:
    """Copy each (from, to) at the same time, and tell how far it is every second."""
    whole = max(1, sum(size_of(source) for source, _ in pairs))
    told = time.monotonic()
    done = 0

    stopped = threading.Event()

    def copied(number: int) -> None:
        nonlocal done, told
        if stopped.is_set():
            raise InterruptedError("nobody waits for it any more")
        done += number
        if time.monotonic() - told > _TELL_EVERY_S:
            told = time.monotonic()
            emit(Event("progress", "data", bar(done, whole)))

    def copy(source: Path, target: Path) -> None:
        if source.is_dir():
            how(source, target, copied)
        else:  # of a server that was never started
            target.mkdir(0o700, exist_ok=True)

    with threads.at_work([partial(copy, *pair) for pair in pairs], stopped) as pending:
        threads.settle(pending)
    return done
