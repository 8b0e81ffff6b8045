"""The data of docker sessions: held still, copied by their engine, replaced whole or not at all.

    <project>_<service>-data               the volume a server works on, as Compose calls it
    <project>_<service>-data/.copying      a copy that waits for `adopt`
    <project>_snapshot-<name>-<token>      a snapshot, with a folder per service
    <root>/<session id>/copying            there may be copies in its volumes, complete or not
    <root>/<session id>/swapping           they are complete, and take their places
    <root>/<session id>/snapshots/<name>   which volume holds the snapshot: complete, or not there

Who dies while copies are made has made none. Who dies while they take their places is finished by
the next start (`settle`), also if it is the engine that dies.
"""

import os
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from simbuilder.runtimes import probes
from simbuilder.runtimes.docker import holding, labels
from simbuilder.runtimes.docker.engine import Engine
from simbuilder.runtimes.docker.workers import Workers, kilobytes, labelled, marks_of, mount
from simbuilder.runtimes.users import USERS, forget_users
from simbuilder.scaffolding import process
from simbuilder.scaffolding.copying import bar, seal, size_of
from simbuilder.scaffolding.exceptions import EngineError, NotHeldError, SimBuilderError
from simbuilder.scaffolding.files import (
    make_private_folder,
    read_private,
    remove_if_empty,
    write_atomic,
)
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import Event, EventSink
from simbuilder.sessions.runtime import Data

SNAPSHOTS = "snapshots"
_COMPOSE = "com.docker.compose"
_COPYING, _SWAPPING = "copying", "swapping"
_SETTLE_S = 0.15
"""NATS (2.15) writes the position of a consumer at most ten times a second; messages at once."""

_TELL_EVERY_S = 1.0

_COPY = """
set -e
case $(cp --help 2>&1) in *--reflink*) share=--reflink=auto ;; esac
copy() {
    mkdir -p "$2"
    [ ! -d "$1" ] || cp -a $share "$1/." "$2"
}
for pair; do
    copy "${pair%:*}" "${pair#*:}" &
    copying="$copying $!"
done
for one in $copying; do wait "$one"; done
for pair; do du -sk "${pair#*:}"; done
"""
"""The shell is that of any image: BusyBox has no `--reflink`, or an older one has not."""

_SWAP = """
set -e
for volume; do
    cd "$volume"
    if [ -d .copying ]; then
        find . -mindepth 1 -maxdepth 1 ! -name .copying -exec rm -rf {} +
        chown "$(stat -c %u:%g .copying)" .
        chmod "$(stat -c %a .copying)" .
        mv .copying .moving
    fi
    [ -d .moving ] || continue
    find .moving -mindepth 1 -maxdepth 1 -exec mv {} . ';'
    rmdir .moving
done
"""
_LIST = """
for place; do
    [ ! -d "$place" ] || find "$place" -type d -print -o -type f -exec stat -c '%n %s' {} +
done
"""
_DISCARD = 'for volume; do rm -rf "$volume/.copying"; done'
_OWN = 'for volume; do chown -R "$(stat -c %u:%g "$volume")" "$volume/.copying"; done'


class VolumeCopies:
    """Implements `sessions.runtime.Copies` on volumes; see `ComposeRuntime` for the parameters."""

    def __init__(self, engine: Engine, root: Path, settings: Mapping[str, str], owner: str) -> None:
        self._engine = engine
        self._root = root
        self._settings = settings
        self._owner = owner

    def lacks(self, session: Session, services: Sequence[str]) -> Sequence[str]:
        """Ask NATS, which can keep streams in memory."""
        return probes.kept_in_no_file(session, services)

    @contextmanager
    def held(self, session: Session, services: Sequence[str]) -> Iterator[float]:
        """Pause the containers (see `holding`)."""
        found = labels.containers(self._engine, self._owner, session.id)
        running = [c for c in found if c.runs and c.service in services]
        if any(c.paused and c.service == "azurite" for c in running):
            raise NotHeldError(
                "its Azurite is paused, and has in memory what is in no file",
                "'simbuilder session start' lets it go on; then try again",
            )
        moving = [c for c in running if not c.paused]
        if not moving:
            yield time.monotonic()
            return
        time.sleep(_SETTLE_S)
        with holding.held(self._marking(session), moving) as began:
            yield began

    def ahead(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> None:
        """Nothing: what has changed since could not be told without looking at every file."""

    def copy(self, source: Data, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """See `Copies.copy`."""
        self.settle(source.session)
        with self._filling(target, services) as copies:
            places = self._sources(source, services)
            script = _COPY
            if source.session.id != target.session.id and "neo4j" in services:
                gone = (f"{copies['neo4j']}/{name}" for name in USERS)
                script += f"rm -rf {' '.join(gone)}\n"
            mounts = [mount(volume, readonly=True) for volume in _volumes(places)]
            mounts += [mount(volume) for volume in _volumes(copies)]
            pairs = [f"{places.get(service, '')}:{copy}" for service, copy in copies.items()]
            workers = self._workers(target.session)
            with _telling(workers, [*places.values()], [*copies.values()], emit):
                return kilobytes(workers.run(mounts, script, *pairs))

    def pack(self, source: Data, services: Sequence[str], folder: Path, emit: EventSink) -> int:
        """See `Copies.pack`."""
        self.settle(source.session)
        folders = {service: make_private_folder(folder / service) for service in services}
        places = self._sources(source, services)
        mounts = [mount(volume, readonly=True) for volume in _volumes(places)]
        taken = {place: folders[service] for service, place in places.items()}
        self._workers(source.session).take(mounts, taken)
        forget_users(folder / "neo4j")
        return sum(map(size_of, folders.values()))

    def unpack(self, folder: Path, target: Data, services: Sequence[str], emit: EventSink) -> int:
        """Copy to a session's volumes, for the user whom the image of each server has for them."""
        workers = self._workers(target.session)
        with self._filling(target, services) as copies:
            for service in services:
                where = mount(_works_on(target.session, service), "/data")
                workers.put(folder / service, service, where, "/data/.copying")
            volumes = _volumes(copies)
            mounts = [mount(volume) for volume in volumes]
            workers.run(mounts, _OWN, *(f"/{volume}" for volume in volumes))
        return sum(size_of(folder / service) for service in services)

    def seal(self, snapshot: Data, services: Sequence[str]) -> str:
        """See `Copies.seal`."""
        places = self._sources(snapshot, services)
        mounts = [mount(volume, readonly=True) for volume in _volumes(places)]
        return seal(self._workers(snapshot.session).run(mounts, _LIST, *places.values()))

    def adopt(self, session: Session) -> None:
        """See `Copies.adopt`."""
        home = self._root / session.id
        if (home / _COPYING).exists():
            (home / _COPYING).rename(home / _SWAPPING)
        self.settle(session)

    def drop(self, data: Data) -> None:
        """See `Copies.drop`."""
        self._pointer(data).unlink(missing_ok=True)
        remove_if_empty(self._pointer(data).parent)
        self._sweep(data.session)

    def tidy(self, session: Session, snapshots: Collection[str]) -> None:
        """See `Copies.tidy`."""
        self.settle(session)
        folder = self._root / session.id / SNAPSHOTS
        for pointer in [*folder.iterdir()] if folder.is_dir() else ():
            if pointer.name not in snapshots:
                pointer.unlink()
        remove_if_empty(folder)
        self._sweep(session)

    def settle(self, session: Session) -> None:
        """Finish what `adopt` began, or discard copies that nobody will adopt any more."""
        home = self._root / session.id
        for mark, script in ((_SWAPPING, _SWAP), (_COPYING, _DISCARD)):
            if (home / mark).exists():
                volumes = _volumes(self._sources(Data(session), session.services))
                mounts = [mount(volume) for volume in volumes]
                self._workers(session).run(mounts, script, *(f"/{volume}" for volume in volumes))
                (home / mark).unlink()

    # --- where data is ---------------------------------------------------------------------

    def _sources(self, data: Data, services: Sequence[str]) -> dict[str, str]:
        """Return service -> where its data is for a worker, of those that ever were started."""
        there = self._there(data.session)
        if not data.snapshot:
            volumes = {service: _works_on(data.session, service) for service in services}
            return {s: f"/{volume}" for s, volume in volumes.items() if volume in there}
        pointer = self._pointer(data)
        volume = read_private(pointer) if pointer.exists() else ""
        if volume not in there:
            raise EngineError(
                f"the data of snapshot {data.snapshot} is gone: the engine has no such volume",
                "'docker volume prune' removes what no container uses; delete the snapshot",
            )
        return {service: f"/{volume}/{service}" for service in services}

    def _there(self, session: Session) -> list[str]:
        """Return the names of the session's volumes."""
        ours = f"label={labels.SESSION}={session.id}"
        return self._engine.lines("volume", "ls", "--filter", ours, "--format", "{{.Name}}")

    def _pointer(self, data: Data) -> Path:
        return self._root / data.session.id / SNAPSHOTS / data.snapshot

    @contextmanager
    def _filling(self, target: Data, services: Sequence[str]) -> Iterator[dict[str, str]]:
        """Make room for copies; yield service -> where, for a worker; discard what is not whole."""
        session = target.session
        self.settle(session)
        home = make_private_folder(self._root / session.id)
        if target.snapshot:
            volume = f"{_snapshots(session)}{target.snapshot}-{os.urandom(4).hex()}"
            self._create(session, {volume: ""})
            copies = {service: f"/{volume}/{service}" for service in services}
        else:
            (home / _COPYING).touch(0o600)
            self._create(session, {_works_on(session, s): f"{s}-data" for s in services})
            copies = {service: f"/{_works_on(session, service)}/.copying" for service in services}
        try:
            yield copies
            if target.snapshot:
                make_private_folder(home / SNAPSHOTS)
                write_atomic(self._pointer(target), volume, durable=True)
        except BaseException:
            with suppress(SimBuilderError):  # then whoever comes next does it
                self.settle(session)
            raise
        finally:
            if target.snapshot:
                self._sweep(session)

    def _create(self, session: Session, volumes: Mapping[str, str]) -> None:
        """Create volumes; one that the compose file has a name for is to Compose like its own."""
        questions = []
        for volume, name in volumes.items():
            wanted = marks_of(session)
            if name:
                wanted |= {f"{_COMPOSE}.project": session.project, f"{_COMPOSE}.volume": name}
            questions.append(("volume", "create", *labelled(wanted), volume))
        labels.together(self._marking(session), *questions)

    def _sweep(self, session: Session) -> None:
        """Remove the volumes of snapshots that were replaced, dropped, or never finished."""
        folder = self._root / session.id / SNAPSHOTS
        known = [read_private(path) for path in folder.iterdir()] if folder.is_dir() else []
        there = [v for v in self._there(session) if v.startswith(_snapshots(session))]
        if left := [volume for volume in there if volume not in known]:
            self._workers(session).end()  # of a command that was killed
            self._engine.ask("volume", "rm", *left)

    def _workers(self, session: Session) -> Workers:
        return Workers(self._marking(session), session, self._settings)

    def _marking(self, session: Session) -> Engine:
        """Return the engine whose commands are known as being about the session."""
        return Engine(self._engine.name, process.mark_of(session.id, "docker", self._root))


def _works_on(session: Session, service: str) -> str:
    return f"{session.project}_{service}-data"


def _snapshots(session: Session) -> str:
    return f"{session.project}_snapshot-"


def _volumes(places: Mapping[str, str]) -> list[str]:
    return sorted({place.split("/")[1] for place in places.values()})


@contextmanager
def _telling(
    workers: Workers, places: Sequence[str], copies: Sequence[str], emit: EventSink
) -> Iterator[None]:
    """Tell every second how far a copy is."""
    over = threading.Event()

    def tell() -> None:
        whole = 0
        with suppress(SimBuilderError):  # the copy itself will say it
            while not over.wait(_TELL_EVERY_S):
                whole = whole or workers.size(places)
                emit(Event("progress", "data", bar(workers.size(copies), max(1, whole))))

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
