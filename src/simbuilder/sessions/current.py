"""Which session is the current one: the `.env.session` of a checkout, and keeping it honest."""

import os
from dataclasses import dataclass
from pathlib import Path

from simbuilder.scaffolding.environment import SESSION_FILE, checkout_root, find_upward
from simbuilder.scaffolding.files import read_private, sweep, vanished, write_atomic
from simbuilder.sessions import envfile
from simbuilder.sessions.model import Session, is_session_id

FILE = SESSION_FILE


@dataclass(frozen=True)
class Current:
    """The session a folder's env file names, and where that file lies."""

    session_id: str
    path: Path


def find(folder: Path) -> Current | None:
    """Return what the nearest `.env.session` names; see `find_upward` for how far that goes."""
    path = find_upward(folder, FILE)
    session_id = read(path) if path is not None else None
    return Current(session_id, path) if session_id is not None and path is not None else None


def place(folder: Path) -> Path:
    """Return where the `.env.session` that counts in `folder` is, or goes: its checkout's root."""
    path = find_upward(folder, FILE)
    return checkout_root(folder) if path is None else path.parent


def read(path: Path) -> str | None:
    """Return the id of the session an env file names.

    `None` if there is no such file, or it is not ours: another user's, or damaged.
    """
    try:
        found = envfile.session_id(read_private(Path(os.path.realpath(path))))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return found if found is not None and is_session_id(found) else None


def write(folder: Path, session: Session) -> Path | None:
    """Make `session` the current one of `folder`.

    A `.env.session` that is not ours is somebody's work: it is moved aside and its new path
    returned.
    """
    path = folder / FILE
    sweep(folder)
    aside = None
    if path.is_symlink() or (path.exists() and read(path) is None):
        aside = _free_name(path)
        path.rename(aside)
    write_atomic(path, envfile.render(session))
    return aside


def delete(folder: Path, session_id: str) -> bool:
    """Delete the folder's env file if it names this session; return whether it did."""
    path = folder / FILE
    sweep(folder)
    if path.is_symlink() or read(path) != session_id:
        return False
    path.unlink()
    return True


def orphaned(session: Session, owner: str) -> bool:
    """True if the folders that a session of this owner is used from are certainly gone."""
    # on another machine, or in another container, they may well be there
    return session.owner == owner and all(
        vanished(Path(folder), session.mount) for folder in session.folders
    )


def _free_name(path: Path) -> Path:
    for number in range(1, 1000):
        candidate = path.with_name(f"{path.name}.bak{number}")
        if not os.path.lexists(candidate):
            return candidate
    raise FileExistsError(f"{path} has a thousand backups already")
