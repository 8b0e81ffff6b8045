"""Which snapshots a session has: a file each, written when its data is complete."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding.exceptions import SessionNotFoundError, StateError, UsageError
from simbuilder.scaffolding.files import (
    make_private_folder,
    read_private,
    remove_if_empty,
    write_atomic,
)
from simbuilder.sessions.model import Session
from simbuilder.sessions.store import SessionStore

if TYPE_CHECKING:
    from simbuilder.sessions.outputs import SnapshotData

VERSION = 1


@dataclass(frozen=True)
class Snapshot:
    """A state of a session, kept under a name; `created_at` as in `Session`."""

    name: str
    created_at: str
    services: tuple[str, ...]
    bytes: int
    seal: str = ""
    """What `Copies.seal` said of its data then."""

    def data(self) -> "SnapshotData":
        """Return it as JSON output shows it."""
        return {
            "name": self.name,
            "created_at": self.created_at,
            "services": list(self.services),
            "bytes": self.bytes,
        }


class Snapshots:
    """What is known of the snapshots of all sessions; their data is a runtime's."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def all(self, session_id: str) -> list[Snapshot]:
        """Return a session's snapshots, oldest first. Raises `StateError` for a damaged one."""
        folder = self._store.snapshots(session_id)
        paths = folder.glob("*.json") if folder.is_dir() else ()
        return sorted(map(_read, paths), key=lambda s: (s.created_at, s.name))

    def names(self, session_id: str) -> set[str]:
        """Return the names of a session's snapshots, damaged ones too."""
        return {path.stem for path in self._store.snapshots(session_id).glob("*.json")}

    def find(self, session: Session, name: str) -> Snapshot:
        """Return a snapshot. Raises `SessionNotFoundError` if the session has none of that name."""
        known = {snapshot.name: snapshot for snapshot in self.all(session.id)}
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has no snapshots"
            raise SessionNotFoundError(
                f"session {session.label} has no snapshot {name!r}",
                has,
            )
        return known[name]

    def check_is_new(self, session: Session, name: str) -> None:
        """Raise `UsageError` if the session has a snapshot of that name."""
        if name in {snapshot.name for snapshot in self.all(session.id)}:
            raise UsageError(
                f"session {session.label} has a snapshot {name!r} already",
                f"choose another name, or 'simbuilder session snapshot delete {name} "
                f"{session.short}' first",
            )

    def check_is_whole(self, session: Session, snapshot: Snapshot, seal: str) -> None:
        """Raise `StateError` unless a snapshot's data is what it was when it was made."""
        if seal != snapshot.seal:
            raise StateError(
                f"the data of snapshot {snapshot.name} is damaged: files are missing or changed",
                f"the session is as it was; 'simbuilder session snapshot delete {snapshot.name} "
                f"{session.short}' removes what is left of it",
            )

    def add(self, session_id: str, snapshot: Snapshot) -> None:
        """Write down that there is a snapshot, whose data is complete."""
        path = make_private_folder(self._store.snapshots(session_id)) / f"{snapshot.name}.json"
        text = json.dumps({"version": VERSION, **snapshot.data(), "seal": snapshot.seal}, indent=1)
        write_atomic(path, text + "\n", durable=True)

    def forget(self, session_id: str, name: str) -> None:
        """Let there be no such snapshot; its data comes next."""
        folder = self._store.snapshots(session_id)
        (folder / f"{name}.json").unlink()
        remove_if_empty(folder)


def _read(path: Path) -> Snapshot:
    try:
        data = json.loads(read_private(path))
        if data["version"] != VERSION:
            raise ValueError(f"has version {data['version']}; this SimBuilder knows {VERSION}")
        texts = (str(data["name"]), str(data["created_at"]))
        services = tuple(map(str, data["services"]))
        return Snapshot(*texts, services, int(data["bytes"]), str(data["seal"]))
    except (KeyError, TypeError, json.JSONDecodeError, RecursionError):
        raise StateError(f"the snapshot {path} is damaged", "delete that file by hand") from None
    except ValueError as error:
        raise StateError(f"the snapshot {path} {error}", "delete that file by hand") from None
