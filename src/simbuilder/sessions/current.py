"""Which session is the current one: the `.env.session` of a checkout, and keeping it honest."""

from dataclasses import dataclass
from pathlib import Path

from simbuilder.scaffolding.environment import SESSION_FILE, find_upward
from simbuilder.scaffolding.files import write_atomic
from simbuilder.sessions import envfile
from simbuilder.sessions.model import Session

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


def read(path: Path) -> str | None:
    """Return the id of the session an env file names; `None` if there is none or it is not ours."""
    if not path.is_file():
        return None
    return envfile.session_id(path.read_text(encoding="utf-8", errors="replace"))


def write(folder: Path, session: Session) -> Path | None:
    """Make `session` the current one of `folder`.

    A `.env.session` that is not ours is somebody's work: it is moved aside and its new path
    returned.
    """
    path = folder / FILE
    aside = None
    if path.is_symlink() or (path.exists() and read(path) is None):
        aside = _free_name(path)
        path.rename(aside)
    write_atomic(path, envfile.render(session))
    return aside


def delete(folder: Path, session_id: str) -> bool:
    """Delete the folder's env file if it names this session; return whether it did."""
    path = folder / FILE
    if path.is_symlink() or read(path) != session_id:
        return False
    path.unlink()
    return True


def _free_name(path: Path) -> Path:
    for number in range(1, 1000):
        candidate = path.with_name(f"{path.name}.bak{number}")
        if not candidate.exists() and not candidate.is_symlink():
            return candidate
    raise FileExistsError(f"{path} has a thousand backups already")
