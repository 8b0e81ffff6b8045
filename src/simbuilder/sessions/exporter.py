"""Exporter: a session into a file, and a session out of it, here or on another machine."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from simbuilder import __version__
from simbuilder.scaffolding.exceptions import ArchiveError, UsageError
from simbuilder.scaffolding.files import make_private_folder, remove_tree
from simbuilder.sessions import archive
from simbuilder.sessions.archive import Manifest
from simbuilder.sessions.copier import Copied, Copier
from simbuilder.sessions.manager import CreateRequest, SessionManager
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import Event, EventSink, Problem
from simbuilder.sessions.runtime import Data
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.store import SessionStore
from simbuilder.sessions.view import Report


class Exporter:
    """Packs and unpacks by way of a folder beside the session's record, which goes with it."""

    def __init__(
        self,
        manager: SessionManager,
        copier: Copier,
        store: SessionStore,
        runtimes: Runtimes,
        now: Callable[[], str],
        emit: EventSink,
    ) -> None:
        self._manager = manager
        self._copier = copier
        self._store = store
        self._runtimes = runtimes
        self._now = now
        self._emit = emit

    def export(
        self, session_id: str, target: Path, timeout_s: float
    ) -> tuple[Manifest, int, Copied]:
        """Write a session to the new file `target`; return what is in it, its size, and the copy.

        Raises `UsageError` if there is something under that name, and `OSError`.
        """
        if target.exists() or target.is_symlink():
            raise UsageError(f"{target} exists already", "choose another name, or remove it first")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            there = "cannot be written to" if target.parent.is_dir() else "is no folder"
            raise UsageError(f"{target.parent} {there}", "nothing was copied; choose another place")
        with (
            self._manager.locked(session_id, timeout_s) as session,
            self._copier.copying(session, target.parent),
        ):
            work = make_private_folder(self._store.packing(session.id))
            running = self._copier.running(session)
            health = self._runtimes.of(session).probe(session, running, timeout_s)
            copied = self._copier.still(
                session,
                running,
                lambda: self._runtimes.of(session).copies.pack(
                    Data(session), session.services, work, self._emit
                ),
            )
            manifest = Manifest(
                simbuilder=__version__,
                runtime=session.runtime,
                graph=graph_of(session),
                name=session.name,
                created_at=self._now(),
                services=session.services,
                products={s: f"{h.product} {h.version}" for s, h in health.items() if h.ready},
                files={},
            )
            self._emit(Event("begin", "archive", f"writing {target.name}"))
            size = archive.write(target, work, manifest)
            self._emit(Event("done", "archive", f"wrote {size / 1e6:,.1f} MB"))
            return manifest, size, copied

    def import_(
        self, source: Path, runtime: str | None, name: str | None, timeout_s: float
    ) -> tuple[Report, Copied, tuple[Problem, ...]]:
        """Make and start a session from a file; return remarks on versions that differ, too.

        Raises `ArchiveError` for what cannot be opened here, or not on the runtime that is wanted,
        and leaves nothing then.
        """
        self._copier.check_new(name)
        known = archive.peek(source)
        if runtime not in (None, known.runtime):
            raise ArchiveError(
                f"{source} is of the {known.runtime} runtime, and cannot be opened on {runtime}",
                "leave --runtime out, on a machine that has that runtime",
            )
        request = CreateRequest(
            services=known.services,
            runtime=known.runtime,
            reason=f"import of {source.name}",
            name=name,
        )
        draft = self._manager.draft(request, self._runtimes.named(request.runtime).place())
        if known.graph != graph_of(draft):
            raise ArchiveError(
                f"{source} has a graph of {known.graph}, this machine has {graph_of(draft)}",
                "set NEO4J_HOME to an unpacked Neo4j 5, or unset it",
            )
        ours = self._runtimes.of(draft)
        ours.prepare(draft.services, draft.images, self._emit)
        with ExitStack() as held:

            def fill(session: Session) -> Copied:
                self._emit(Event("begin", "archive", f"reading {source.name}"))
                work = make_private_folder(self._store.packing(session.id))
                if archive.read(source, work) != known:
                    raise ArchiveError(f"{source} was changed meanwhile", "try again")
                number = ours.copies.unpack(work, Data(session), session.services, self._emit)
                remove_tree(work)
                copied = Copied(number, 0.0)
                self._emit(Event("done", "archive", str(copied)))
                return copied

            session, copied = self._copier.add(draft, fill, held)
            report = self._manager.bring_up(session, session.services, timeout_s)
        return report, copied, _differences(known, report)


def graph_of(session: Session) -> str:
    """Return what keeps the graph: files of one are nothing to the other."""
    if "neo4j" not in session.services:
        return ""
    return "Neo4j" if session.runtime == "docker" or session.engine else "ArcadeDB"


def _differences(known: Manifest, report: Report) -> tuple[Problem, ...]:
    health = report.view.health or {}
    here = {s: f"{h.product} {h.version}" for s, h in health.items() if h.ready}
    return tuple(
        Problem("version", f"{s} was {was} where this was exported, and is {here[s]}", remark=True)
        for s, was in known.products.items()
        if here.get(s, was) != was
    )
