"""Verifier: collects the facts that prove sessions isolated, and leaves nothing behind."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simbuilder.scaffolding import dotenv, threads
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

if TYPE_CHECKING:
    from simbuilder.sessions.outputs import VerifiedData

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

    def data(self) -> "VerifiedData":
        """Return it as JSON output shows it."""
        return {
            "id": self.session.id,
            "short": self.session.short,
            "name": self.session.name,
            "state": self.state,
            "proofs": [
                {"proof": v.proof, "outcome": v.outcome, "detail": v.detail} for v in self.verdicts
            ],
        }

    def problems(self) -> list[Problem]:
        """Return a problem for each proof that failed, or could not be made."""
        return [
            Problem(
                _PROBLEMS[verdict.outcome],
                f"session {self.session.label}: {verdict.proof}: {verdict.detail}",
                _hint(verdict),
            )
            for verdict in self.verdicts
            if verdict.outcome in _PROBLEMS
        ]


_PROBLEMS = {Outcome.BREACH: "breach", Outcome.UNPROVED: CanaryError.code}


def _hint(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.UNPROVED:
        return "'simbuilder session start' heals a session; then verify it again"
    if verdict.proof == "env files":
        return "'simbuilder session start' writes them anew; remove what does not belong there"
    return "remove the session ('simbuilder session cleanup') and create another one"


@dataclass
class _Subject:
    """A session, and what is learnt of it."""

    session: Session
    seen: Mapping[str, Observed]
    token: str
    written: list[str] = field(default_factory=list)
    found: dict[str, Tokens] = field(default_factory=dict)
    let_in: dict[str, list[str]] = field(default_factory=dict)
    advertised: dict[str, Sequence[str]] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(s for s, one in self.seen.items() if one.state is State.RUNNING)


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

        Nobody else can work on them meanwhile. One that is gone by the time it is free is left out.
        Raises `BusyError` after `timeout_s`, and whatever keeps a record from being loaded.
        """
        deadline = time.monotonic() + timeout_s
        with ExitStack() as held:
            for session_id in sorted(session_ids):  # everybody in the same order: no deadlock
                left_s = max(0.1, deadline - time.monotonic())
                held.enter_context(self._store.lock(session_id, left_s, self._emit))
            ids = [i for i in session_ids if self._store.recorded(i)]
            mine = self._subjects([self._store.load(session_id) for session_id in ids])
            known, broken = self._store.load_all()
            unlooked = [f"session {b.id[:8]} was not looked through: {b.reason}" for b in broken]
            others = self._subjects([session for session in known if session.id not in ids])
            try:
                self._ask("write canaries", mine, self._write)
                self._ask("look for canaries", mine + others, self._look)
                self._ask("try other credentials", mine, partial(self._knock, mine + others))
            finally:
                self._remove(mine)
            facts = self._facts(mine, others, unlooked)
        return [
            Verified(
                subject.session,
                overall({service: one.state for service, one in subject.seen.items()}),
                judge(facts[number], facts[:number] + facts[number + 1 :]),
            )
            for number, subject in enumerate(mine)
        ]

    def _subjects(self, sessions: Sequence[Session]) -> list[_Subject]:
        observed = self._runtimes.observe(sessions)
        return [
            _Subject(
                session,
                {s: observed[session.id].get(s, UNSEEN) for s in session.services},
                _mark(session) + self._token(),
            )
            for session in sessions
        ]

    # --- asking the servers ----------------------------------------------------------------

    def _write(self, subject: _Subject, service: str) -> None:
        self._canaries.write(subject.session, service, subject.token)
        subject.written.append(service)

    def _look(self, subject: _Subject, service: str) -> None:
        subject.found[service] = self._canaries.found(subject.session, service)

    def _knock(self, everybody: Sequence[_Subject], subject: _Subject, service: str) -> None:
        subject.let_in[service] = [
            label
            for label, secret in self._strangers(everybody, subject, service)
            if not self._canaries.refuses(subject.session, service, secret)
        ]
        subject.advertised[service] = self._canaries.advertised(subject.session, service)

    def _strangers(
        self, everybody: Sequence[_Subject], subject: _Subject, service: str
    ) -> Iterator[tuple[str, str]]:
        """Yield (whose, secret): a made-up one, and those of the next sessions in the list."""
        yield "a made-up secret", self._secret(service)
        place = everybody.index(subject)
        after = [one.session for one in [*everybody[place + 1 :], *everybody[:place]]]
        for other in [other for other in after if service in other.secrets][:STRANGERS]:
            yield f"session {other.label}", other.secrets[service]

    def _ask(
        self, what: str, subjects: Sequence[_Subject], question: Callable[[_Subject, str], None]
    ) -> None:
        """Put a question to every running service, some at a time; no answer is a fact too."""
        from concurrent.futures import ThreadPoolExecutor

        def put(subject: _Subject, service: str) -> None:
            try:
                question(subject, service)
            except CanaryError as error:
                subject.unanswered[f"{service}: {what}"] = error.message

        self._emit(Event("begin", what, f"{len(subjects)} session(s)"))
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            asked = [partial(put, one, service) for one in subjects for service in one.running]
            threads.settle(threads.begin(pool, asked))
        finally:
            pool.shutdown(cancel_futures=True)
        self._emit(Event("done", what, "done"))

    def _remove(self, mine: Sequence[_Subject]) -> None:
        """Remove the sessions' own canaries, half-written ones and those of a killed run too."""
        own = [_Subject(one.session, one.seen, one.token) for one in mine]

        def remove(subject: _Subject, service: str) -> None:
            self._canaries.remove(subject.session, service, _mark(subject.session))

        self._ask("remove canaries", own, remove)
        for subject in own:
            for why in subject.unanswered.values():
                message = f"canaries may be left in session {subject.session.label}: {why}"
                self._emit(Event("warning", CanaryError.code, message))

    # --- everything else -------------------------------------------------------------------

    def _facts(
        self, mine: Sequence[_Subject], others: Sequence[_Subject], unlooked: Sequence[str]
    ) -> list[Facts]:
        everybody = [*mine, *others]
        visible = [one.session for one in everybody if unseen_of(one.seen) is None]
        footprints = self._runtimes.footprints(visible)
        ledger = self._ports.reserved()
        folders = {Path(folder) for one in everybody for folder in one.session.folders}
        return [
            Facts(
                session=one.session,
                running=one.running,
                footprint=footprints.get(one.session.id, Footprint({}, frozenset())),
                ledger=ledger.get(one.session.id),
                token=one.token,
                written=one.written,
                found=one.found,
                let_in=one.let_in,
                advertised=one.advertised,
                files=list(self._files(one.session, folders)) if one in mine else (),
                unanswered=one.unanswered,
                unseen=unseen.problem if (unseen := unseen_of(one.seen)) else "",
                unlooked=unlooked,
            )
            for one in everybody
        ]

    def _files(self, session: Session, folders: Iterable[Path]) -> Iterator[str]:
        """Yield what is wrong with the files that hold the session's secrets."""
        own = self._store.env_file(session.id)
        yield from _not_private(own.parent / RECORD_FILE)
        yield from _not_as_written(own, session)
        for folder in sorted(folders):
            path = folder / current.FILE
            with suppress(PermissionError):  # what we cannot read holds no copy of ours
                if current.read(path) != session.id:
                    continue
                if str(folder) in session.folders:
                    yield from _not_as_written(path, session)
                else:
                    yield f"{path} is a copy of its env file"


def _mark(session: Session) -> str:
    """Return what the tokens of a session's canaries begin with."""
    return session.id.replace("-", "")


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
        found, bad = dotenv.parse(read_private(path))
    except FileNotFoundError:
        return
    except ValueError as error:
        yield f"{path} {error}"
        return
    if bad or found != envfile.variables(session):
        yield f"{path} does not say what was written"
