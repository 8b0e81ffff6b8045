"""Finding the session somebody means: by id, prefix, name, or because it is the current one."""

from collections.abc import Iterable
from pathlib import Path

from simbuilder.scaffolding.exceptions import SessionNotFoundError, UsageError
from simbuilder.sessions import current
from simbuilder.sessions.model import Session, is_session_id
from simbuilder.sessions.store import SessionStore


class Finder:
    """Looks sessions up on behalf of one (canonical) folder.

    For a program that runs `within` a session (`session run`), that one is the current one.
    """

    def __init__(self, store: SessionStore, folder: Path, within: str = "") -> None:
        self._store = store
        self._folder = folder
        self._within = within

    def resolve(self, reference: str | None, destructive: bool = False) -> str:
        """Return the id of the session meant by an id, a unique prefix of one, a name, or `None`.

        `None` is the current session. A `.env.session` that was copied from another folder does
        not count as current when the command is destructive. Raises `SessionNotFoundError` or,
        for an ambiguous prefix or a copied file, `UsageError`.
        """
        if reference is None:
            return self._current(destructive)
        known = self.names()
        by_name = [i for i, name in known.items() if name is not None and name == reference]
        if by_name:
            return by_name[0]
        matches = [i for i in known if reference and i.startswith(reference.lower())]
        if len(matches) > 1:
            shown = ", ".join(match[:13] for match in matches)
            raise UsageError(f"{reference!r} could be {shown}", "give more of the id")
        if not matches:
            shown = reference if len(reference) <= 40 else reference[:37] + "..."
            hint = "'simbuilder session list' shows the sessions"
            if near := _near(reference, known.values()):
                hint = f"did you mean {near}? {hint}"
            if is_session_id(reference):
                hint += ", 'simbuilder session cleanup --orphans' what those without a record left"
            raise SessionNotFoundError(f"there is no session {shown!r}", hint)
        return matches[0]

    def names(self) -> dict[str, str | None]:
        """Return session id -> name; broken records count, without a name."""
        sessions, broken = self._store.load_all()
        return {s.id: s.name for s in sessions} | {b.id: None for b in broken}

    def here(self, name: str | None) -> Session | None:
        """Return this folder's session: the current one if it is from here, else the newest.

        With `name`, only a session of that name. Never one that ends with a process.
        """
        sessions = [s for s in self._store.load_all()[0] if s.folder == str(self._folder)]
        sessions = [s for s in sessions if not s.bound_to and not self._store.removing(s.id)]
        if name is not None:
            sessions = [s for s in sessions if s.name == name]
        found = current.find(self._folder)
        for session in sessions:
            if found is not None and session.id == found.session_id:
                return session
        return sessions[-1] if sessions else None

    def _current(self, destructive: bool) -> str:
        if self._within:
            if not self._store.recorded(self._within):
                raise SessionNotFoundError(
                    f"session {self._within[:8]}, in which this runs, does not exist any more",
                    "name the session you mean; 'simbuilder session list' shows them",
                )
            return self._within
        found = current.find(self._folder)
        if found is None:
            raise SessionNotFoundError(
                "there is no current session here",
                "'simbuilder session create' makes one, 'simbuilder session list' shows all",
            )
        if not self._store.recorded(found.session_id):
            raise SessionNotFoundError(
                f"{found.path} names session {found.session_id[:8]!r}, which does not exist",
                "'simbuilder session cleanup --orphans' shows what it may have left; "
                "'simbuilder session create' makes a new one and replaces the file",
            )
        if destructive and (home := self._foreign_home(found)) is not None:
            raise UsageError(
                f"{found.path} is a copy: its session belongs to {home}",
                f"name the session if you mean it: {found.session_id[:8]}",
            )
        return found.session_id

    def _foreign_home(self, found: current.Current) -> Path | None:
        """Return the folder the session really belongs to if the file is a copy; moved is fine."""
        session = self._store.load(found.session_id)
        home = Path(session.folder)
        return home if str(found.path.parent) not in session.folders and home.exists() else None


def _near(reference: str, names: Iterable[str | None]) -> str:
    from difflib import get_close_matches  # which takes a moment to load

    return next(iter(get_close_matches(reference, [name for name in names if name], 1)), "")
