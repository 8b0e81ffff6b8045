"""Session records on disk: a folder each, written atomically, refused when not understood."""

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simbuilder.scaffolding.exceptions import (
    ForeignStateError,
    MovedStateError,
    NewerStateError,
    StateError,
)
from simbuilder.scaffolding.files import (
    ForeignFileError,
    folder_lock,
    make_private_folder,
    read_private,
    remove_if_empty,
    remove_tree,
    sweep,
    write_atomic,
)
from simbuilder.sessions import envfile
from simbuilder.sessions.model import (
    NewerRecordError,
    Session,
    from_record,
    is_session_id,
    same_owner,
    to_record,
)
from simbuilder.sessions.result import Event, EventSink

RECORD_FILE = "session.json"
ENV_FILE = ".env.session"
REMOVING_FILE = "removing"
POSTPONED_FILE = "postponed"
COPYING_FILE = "copying"
PACKING_FOLDER = "packing"
SNAPSHOTS_FOLDER = "snapshots"


@dataclass(frozen=True)
class Broken:
    """A session folder whose record cannot be used, and why."""

    id: str
    reason: str
    hint: str


class SessionStore:
    """The records below `root`/sessions, one folder per session id.

    A record that cannot be read is reported and left where it is; the others go on working.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "sessions"

    def folder(self, session_id: str) -> Path:
        """Return the folder of a session. Raises `ValueError` if the id is not an id."""
        if not is_session_id(session_id):
            raise ValueError(f"{session_id!r} is not a session id")
        return self._folder / session_id

    def env_file(self, session_id: str) -> Path:
        """Return the session's own copy of its env file."""
        return self.folder(session_id) / ENV_FILE

    @contextmanager
    def lock(self, session_id: str, timeout_s: float, emit: EventSink) -> Iterator[None]:
        """Be the only one who works on the session; say so while another command does.

        Raises `BusyError`, which names that command, after `timeout_s`.
        """

        def waiting(who: str) -> None:
            emit(Event("note", "session", f"waiting for another command{who}"))

        label = f"session {session_id[:8]}"
        with folder_lock(self.folder(session_id), timeout_s, label, waiting):
            yield

    def save(self, session: Session) -> None:
        """Write the session's own env file and then the record, with which it comes to be.

        Raises `StateError` if something else stands in their place.
        """
        folder = make_private_folder(self.folder(session.id))
        self._write(folder / ENV_FILE, envfile.render(session))
        record = json.dumps(to_record(session), indent=1) + "\n"
        self._write(folder / RECORD_FILE, record, durable=True)

    def _write(self, path: Path, text: str, durable: bool = False) -> None:
        try:
            write_atomic(path, text, durable)
        except IsADirectoryError:
            raise StateError(f"{path} is a folder", "move it away, then try again") from None

    def load_own(self, session_id: str, owner: str) -> Session:
        """Return a session that something shall be done to.

        Raises like `load`, and `MovedStateError` for one that was made with another state folder.
        """
        session = self.load(session_id)
        if session.owner and not same_owner(session.owner, owner):
            _, _, place = session.owner.partition(":")
            raise MovedStateError(
                f"session {session.label} was made with another state folder, {place}",
                "move the folder back, or set SIMBUILDER_STATE_DIR to it; "
                f"if this is a copy, delete {self.folder(session_id)} by hand",
            )
        return session

    def load(self, session_id: str) -> Session:
        """Return a session. Raises `StateError` for a record that is missing or unusable."""
        path = self.folder(session_id) / RECORD_FILE
        try:
            session = from_record(json.loads(read_private(path)))
            if session.id != session_id:
                raise ValueError("belongs to another session")
        except FileNotFoundError:
            raise self._unusable(path, session_id, "is missing") from None
        except OSError as error:
            raise self._unusable(path, session_id, f"cannot be read: {error.strerror}") from None
        except ForeignFileError as error:
            raise ForeignStateError(
                f"the record {path} {error}", "ask who put it there; it is neither used nor removed"
            ) from None
        except (json.JSONDecodeError, RecursionError):
            raise self._unusable(path, session_id, "is not JSON") from None
        except NewerRecordError as error:
            raise NewerStateError(
                f"the record {path} {error}", "use the version of SimBuilder that wrote it"
            ) from None
        except ValueError as error:
            raise self._unusable(path, session_id, str(error)) from None
        return session

    def _unusable(self, path: Path, session_id: str, reason: str) -> StateError:
        return StateError(
            f"the record {path} {reason}",
            f"mend it, or remove what is left with 'simbuilder session cleanup {session_id[:8]}'",
        )

    def ids(self) -> list[str]:
        """Return the ids of all session folders, with a record or not, sorted."""
        try:
            return sorted(p.name for p in self._folder.iterdir() if is_session_id(p.name))
        except FileNotFoundError:
            return []

    def recorded(self, session_id: str) -> bool:
        """True if the session has a record; a folder without one is being made or removed."""
        return os.path.lexists(self.folder(session_id) / RECORD_FILE)

    def begin_removal(self, session_id: str) -> None:
        """Write down that the session shall go, before the first of it does."""
        try:
            write_atomic(self.folder(session_id) / REMOVING_FILE, "")
        except OSError as error:
            # the disk is full: to remove something is what helps
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def call_off_removal(self, session_id: str) -> None:
        """Let a session stay after all, of which nothing was removed yet."""
        (self.folder(session_id) / REMOVING_FILE).unlink(missing_ok=True)

    def removing(self, session_id: str) -> bool:
        """True if a removal of the session has begun; from then on it can only be finished."""
        return os.path.lexists(self.folder(session_id) / REMOVING_FILE)

    def packing(self, session_id: str) -> Path:
        """Return a folder for what is packed or unpacked; it goes when copying ends."""
        return self.folder(session_id) / PACKING_FOLDER

    def snapshots(self, session_id: str) -> Path:
        """Return the folder for what is known of a session's snapshots."""
        return self.folder(session_id) / SNAPSHOTS_FOLDER

    def begin_copying(self, session_id: str, into: Path | None = None) -> None:
        """Write down that copies of the session are made, and into which folder a file of them."""
        write_atomic(self.folder(session_id) / COPYING_FILE, json.dumps(str(into or "")))

    def end_copying(self, session_id: str) -> None:
        """Remove what was in between, and write down that no copies are made any more."""
        self.discard_packed(session_id)
        (self.folder(session_id) / COPYING_FILE).unlink(missing_ok=True)

    def discard_packed(self, session_id: str) -> None:
        """Remove what was in between; after a killed command also the file it began."""
        remove_tree(self.packing(session_id))
        if sweep(self.snapshots(session_id)):
            remove_if_empty(self.snapshots(session_id))
        with suppress(OSError, ValueError, TypeError):  # not there, or not written by us
            if into := json.loads(read_private(self.folder(session_id) / COPYING_FILE)):
                sweep(Path(into))

    def copying(self, session_id: str) -> bool:
        """True if copies of the session are made, or were when the command that did it died."""
        return os.path.lexists(self.folder(session_id) / COPYING_FILE)

    def postpone(self, session_id: str) -> None:
        """Write down that the session should go and could not, just now."""
        with suppress(OSError):  # a full disk, say: then it is tried again earlier
            write_atomic(self.folder(session_id) / POSTPONED_FILE, "")

    def postponed(self, session_id: str, for_s: float) -> bool:
        """True if that was less than `for_s` ago; a clock that was set makes it long ago."""
        try:
            written = (self.folder(session_id) / POSTPONED_FILE).stat().st_mtime
        except OSError:
            return False
        return abs(time.time() - written) < for_s

    def leftovers(self) -> list[str]:
        """Return the ids of folders that an interrupted command left: no record, or half gone.

        Or with half a copy. Those that a command is working on right now are among them.
        """
        left = (self.removing, self.copying)
        return [i for i in self.ids() if not self.recorded(i) or any(is_so(i) for is_so in left)]

    def load_all(self) -> tuple[list[Session], list[Broken]]:
        """Return the sessions, oldest first, and the records that cannot be used."""
        sessions, broken = [], []
        for session_id in filter(self.recorded, self.ids()):
            try:
                sessions.append(self.load(session_id))
            except StateError as error:
                broken.append(Broken(session_id, error.message, error.hint))
        return sorted(sessions, key=lambda s: (s.created_at, s.id)), broken

    def ports(self) -> dict[str, Mapping[str, int] | None]:
        """Return the ports of every recorded session, `None` where the record is unusable."""
        sessions, broken = self.load_all()
        ports: dict[str, Mapping[str, int] | None] = {s.id: s.ports for s in sessions}
        return ports | {b.id: None for b in broken}

    def forget(self, session_id: str) -> None:
        """Delete the record and the folder; the last act of a cleanup."""
        folder = self.folder(session_id)
        self.discard_packed(session_id)
        remove_tree(folder / RECORD_FILE)
        remove_tree(folder)
        self.tidy()

    def tidy(self) -> None:
        """Remove the state folder, and empty ones in it, if nothing is left there."""
        for place in self.root.iterdir() if self.root.is_dir() else ():
            if place.is_dir() and not place.is_symlink():
                remove_if_empty(place)
        remove_if_empty(self.root)

    def sweep(self) -> None:
        """Remove the temporary files of writers that were killed."""
        for folder in (self.root, *map(self.folder, self.ids())):
            sweep(folder)
