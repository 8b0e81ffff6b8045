"""Verifier: collects the facts that prove sessions isolated, and leaves nothing behind."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simbuilder.scaffolding.exceptions import CanaryError
from simbuilder.scaffolding.files import read_private
from simbuilder.sessions import current, envfile
from simbuilder.sessions.model import Footprint, Observed, Session, State, overall
from simbuilder.sessions.plan import UNSEEN
from simbuilder.sessions.port_manager import PortManager
from simbuilder.sessions.proofs import Facts, Outcome, Tokens, Verdict, judge
from simbuilder.sessions.result import Event, EventSink, Problem
from simbuilder.sessions.runtime import Canaries
from simbuilder.sessions.runtimes import Runtimes, unseen_of
from simbuilder.sessions.store import RECORD_FILE, SessionStore

STRANGERS = 2
"""Secrets of others that each server is tried with, and a made-up one before them.

Servers that are tried too often lock everybody out for a while; see `canaries` for how often.
"""

_AT_ONCE = 8


@dataclass(frozen=True)
class Verified:
    """A session and the verdicts on it."""

    session: Session
    state: State
    verdicts: tuple[Verdict, ...]

    def data(self) -> dict[str, Any]:
        """Return it as JSON output shows it."""
        return {
            "id": self.session.id,
            "short": self.session.short,
            "name": self.session.name,
            "state": self.state.value,
            "proofs": [
                {"proof": v.proof, "outcome": v.outcome.value, "detail": v.detail}
                for v in self.verdicts
            ],
        }

    def problems(self) -> list[Problem]:
        """Return a problem for each proof that failed, or could not be made."""
        return [
            Problem(code, f"session {self.session.label}: {v.proof}: {v.detail}", hint)
            for v in self.verdicts
            for code, hint in filter(None, [_PROBLEMS.get(v.outcome)])
        ]


_PROBLEMS = {
    Outcome.BREACH: (
        "breach",
        "remove the session ('simbuilder session cleanup') and create another one",
    ),
    Outcome.UNPROVED: (
        CanaryError.code,
        "'simbuilder session start' heals a session; then verify it again",
    ),
}


@dataclass
class _Asked:
    """What the servers of one session said."""

    found: dict[str, Tokens] = field(default_factory=dict)
    let_in: dict[str, list[str]] = field(default_factory=dict)
    advertised: dict[str, Sequence[str]] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)


class Verifier:
    """Proves sessions of one user isolated from all others of that user.

    `token` makes the random half of a canary's token, `secret` a secret that nobody has.
    """

    def __init__(
        self,
        store: SessionStore,
        ports: PortManager,
        runtimes: Runtimes,
        canaries: Canaries,
        emit: EventSink,
        token: Callable[[], str],
        secret: Callable[[str], str],
    ) -> None:
        self._store = store
        self._ports = ports
        self._runtimes = runtimes
        self._canaries = canaries
        self._emit = emit
        self._token = token
        self._secret = secret

    def verify(self, session_ids: Sequence[str], timeout_s: float) -> list[Verified]:
        """Return the verdicts on these sessions, each compared with every other there is.

        Nobody else can work on them meanwhile. Raises `BusyError` after `timeout_s` if somebody
        does, and whatever keeps a record from being loaded.
        """
        with ExitStack() as held:
            for session_id in sorted(session_ids):  # everybody in the same order: no deadlock
                held.enter_context(self._store.lock(session_id, timeout_s, self._emit))
            mine = [self._store.load(session_id) for session_id in session_ids]
            known = self._store.load_all()[0]
            everybody = mine + [s for s in known if s.id not in session_ids]
            observed = self._runtimes.observe(everybody)
            seen = {s.id: {n: observed[s.id].get(n, UNSEEN) for n in s.services} for s in everybody}
            running = {key: _running(services) for key, services in seen.items()}
            tokens = {s.id: s.id.replace("-", "") + self._token() for s in everybody}
            asked: dict[str, _Asked] = {s.id: _Asked() for s in everybody}
            try:
                self._write(mine, running, tokens, asked)
                self._look(everybody, running, asked)
                self._knock(mine, everybody, running, asked)
            finally:
                self._remove(mine, running, tokens)
            facts = self._facts(everybody, seen, tokens, asked)
        return [
            Verified(
                session,
                overall({name: one.state for name, one in seen[session.id].items()}),
                judge(facts[session.id], [f for key, f in facts.items() if key != session.id]),
            )
            for session in mine
        ]

    # --- asking the servers ----------------------------------------------------------------

    def _write(
        self,
        mine: Sequence[Session],
        running: dict[str, tuple[str, ...]],
        tokens: dict[str, str],
        asked: dict[str, _Asked],
    ) -> None:
        def write(session: Session, service: str) -> None:
            self._canaries.write(session, service, tokens[session.id])

        self._ask("write canaries", mine, running, asked, write)

    def _look(
        self,
        everybody: Sequence[Session],
        running: dict[str, tuple[str, ...]],
        asked: dict[str, _Asked],
    ) -> None:
        def look(session: Session, service: str) -> None:
            asked[session.id].found[service] = self._canaries.found(session, service)

        self._ask("look for canaries", everybody, running, asked, look)

    def _knock(
        self,
        mine: Sequence[Session],
        everybody: Sequence[Session],
        running: dict[str, tuple[str, ...]],
        asked: dict[str, _Asked],
    ) -> None:
        def knock(session: Session, service: str) -> None:
            answers = asked[session.id]
            strangers = list(self._strangers(session, service, everybody))
            answers.let_in[service] = [
                label
                for label, secret in strangers
                if not self._canaries.refuses(session, service, secret)
            ]
            answers.advertised[service] = self._canaries.advertised(session, service)

        self._ask("try other credentials", mine, running, asked, knock)

    def _strangers(
        self, session: Session, service: str, everybody: Sequence[Session]
    ) -> Iterator[tuple[str, str]]:
        """Yield (whose, secret): a made-up one, and those of the next sessions in the list."""
        yield "a made-up secret", self._secret(service)
        place = everybody.index(session)
        after = [*everybody[place + 1 :], *everybody[:place]]
        for other in [other for other in after if service in other.secrets][:STRANGERS]:
            yield f"session {other.label}", other.secrets[service]

    def _ask(
        self,
        what: str,
        sessions: Sequence[Session],
        running: dict[str, tuple[str, ...]],
        asked: dict[str, _Asked],
        question: Callable[[Session, str], None],
    ) -> None:
        """Put a question to every running service, some at a time; no answer is a fact too."""
        from concurrent.futures import ThreadPoolExecutor

        def put(session: Session, service: str) -> None:
            try:
                question(session, service)
            except CanaryError as error:
                asked[session.id].unanswered[f"{service}: {what}"] = error.message

        self._emit(Event("begin", what, f"{len(sessions)} session(s)"))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            pending = [
                pool.submit(put, session, service)
                for session in sessions
                for service in running[session.id]
            ]
            for future in pending:
                future.result()
        self._emit(Event("done", what, "done"))

    def _remove(
        self,
        mine: Sequence[Session],
        running: dict[str, tuple[str, ...]],
        written: Mapping[str, str],
    ) -> None:
        """Remove the sessions' own canaries, half-written ones and those of a killed run too."""

        def remove(session: Session, service: str) -> None:
            own = session.id.replace("-", "")
            found = self._canaries.found(session, service).values()
            tokens = {t for kind in found for t in kind if t.startswith(own)}
            self._canaries.remove(session, service, tokens | {written[session.id]})

        self._ask("remove canaries", mine, running, {s.id: _Asked() for s in mine}, remove)

    # --- everything else -------------------------------------------------------------------

    def _facts(
        self,
        everybody: Sequence[Session],
        seen: Mapping[str, Mapping[str, Observed]],
        tokens: dict[str, str],
        asked: dict[str, _Asked],
    ) -> dict[str, Facts]:
        running = {key: _running(services) for key, services in seen.items()}
        footprints = self._runtimes.footprints([s for s in everybody if running[s.id]])
        ledger = self._ports.reserved()
        return {
            session.id: Facts(
                session=session,
                running=running[session.id],
                footprint=footprints.get(session.id, Footprint({}, frozenset())),
                unseen=unseen.problem if (unseen := unseen_of(seen[session.id])) else "",
                ledger=ledger.get(session.id),
                token=tokens[session.id],
                files=list(self._files(session, everybody)),
                **vars(asked[session.id]),
            )
            for session in everybody
        }

    def _files(self, session: Session, everybody: Iterable[Session]) -> Iterator[str]:
        """Yield what is wrong with the files that hold the session's secrets."""
        own = self._store.env_file(session.id)
        yield from _not_private(own.parent / RECORD_FILE)
        yield from _not_as_written(own, session)
        here = Path(session.folder) / current.FILE
        if current.read(here) == session.id:
            yield from _not_as_written(here, session)
        for other in everybody:
            path = Path(other.folder) / current.FILE
            if other.folder != session.folder and current.read(path) == session.id:
                yield f"{path} is a copy of its env file"


def _not_private(path: Path) -> Iterator[str]:
    try:
        mode = stat.S_IMODE(os.lstat(path).st_mode)
    except FileNotFoundError:
        yield f"{path} is missing"
        return
    if mode & 0o077:
        yield f"{path} can be used by others (mode {mode:04o})"


def _not_as_written(path: Path, session: Session) -> Iterator[str]:
    yield from _not_private(path)
    try:
        if read_private(path) != envfile.render(session):
            yield f"{path} is not as it was written"
    except FileNotFoundError:
        return
    except ValueError as error:
        yield f"{path} {error}"


def _running(seen: Mapping[str, Observed]) -> tuple[str, ...]:
    return tuple(service for service, one in seen.items() if one.state is State.RUNNING)
