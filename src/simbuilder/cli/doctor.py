"""`simbuilder check --doctor`: what is wrong with this machine, and the command that mends it.

Nothing is changed, and nobody off this machine is asked (an engine elsewhere aside). It takes less
than 5 s, also where the engine and Java hang: all programs are asked at the same time, each for
`ANSWER_S` or `MEASURE_S` at most, and what runs has been looked at by `SEEN_BY_S`.
"""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from simbuilder.cli import headroom
from simbuilder.cli.headroom import Finding
from simbuilder.runtimes.docker import labels
from simbuilder.runtimes.docker.engine import AUTO_TIMEOUT_S, LOWEST_COMPOSE, Engine
from simbuilder.runtimes.local import tools
from simbuilder.scaffolding import machine, process
from simbuilder.scaffolding.exceptions import (
    ComposeMissingError,
    EnginePermissionError,
    SimBuilderError,
)
from simbuilder.sessions.model import State
from simbuilder.sessions.port_manager import system_range
from simbuilder.sessions.result import Event, success
from simbuilder.sessions.result import partial as unhealthy
from simbuilder.sessions.runtime import Runtime
from simbuilder.sessions.runtimes import Runtimes
from simbuilder.sessions.store import Broken
from simbuilder.sessions.view import SessionView

if TYPE_CHECKING:
    from simbuilder.composition import Rooms
    from simbuilder.sessions.outputs import Checks
    from simbuilder.sessions.result import Result

ANSWER_S = AUTO_TIMEOUT_S
MEASURE_S = 2.5
"""For `docker stats`, which measures for 1.5 s before it says anything (Docker 20.10)."""

SEEN_BY_S = 3.6
"""Seconds from the begin on, by when an engine that answered must have shown what it runs."""

HANGS_S = 600.0
"""A command older than this that still holds a lock is taken to hang: starts take a minute."""

_SYSTEM_S = ("", "unix:///var/run/docker.sock", "unix:///run/docker.sock")


@dataclass(frozen=True)
class Reply:
    """What a `docker` command said, or why it said nothing."""

    lines: Sequence[str]
    error: SimBuilderError | None
    latency_ms: float

    @property
    def text(self) -> str:
        """The first line, or nothing."""
        return self.lines[0].strip() if self.lines else ""


@dataclass(frozen=True)
class Programs:
    """What the programs said; `engines` are those of recorded sessions, "" is the one set now.

    `used` is session id -> bytes that containers use, `None` if they cannot be seen.
    """

    engines: Mapping[str, Reply]
    compose: Reply
    endpoint: Reply
    networks: Reply
    used: Mapping[str, int] | None
    tools: Sequence[tools.ToolCheck]


@dataclass(frozen=True)
class Seen:
    """What runs of sessions, what runs or is left without a record, and what was not looked at."""

    views: Sequence[SessionView]
    orphans: Sequence[str]
    unseen: Sequence[str]


def examine(rooms: "Rooms") -> "Result":
    """Look at everything and return it, with a problem for each finding that is not ok."""
    findings = Doctor(rooms).findings()
    data: Checks = {"session": None, "checks": [finding.row() for finding in findings]}
    problems = tuple(finding.problem() for finding in findings if not finding.ok)
    return unhealthy("check", data, problems) if problems else success("check", data)


class Doctor:
    """Looks at the machine on behalf of one user."""

    def __init__(self, rooms: "Rooms") -> None:
        self._deadline = time.monotonic() + SEEN_BY_S
        self._local, self._docker = rooms.local(), rooms.docker()
        self._store, self._ports = rooms.store, rooms.ports
        self._owner = rooms.owner
        self._settings = settings = rooms.settings
        self._range = system_range(settings.port_start, settings.port_end)
        self._sessions, self._broken = self._store.load_all()
        recorded = {session.runtime for session in self._sessions}
        self._docker_matters = "docker" in {*recorded, settings.runtime}
        self._local_matters = "local" in {*recorded, settings.runtime}

    def findings(self) -> list[Finding]:
        """Return all rows; what cannot be looked at is a row that is not ok."""
        asked = self._ask()
        checks: dict[str, Callable[[], list[Finding]]] = {
            "disk": lambda: headroom.disk(self._settings, self._sessions),
            "memory": lambda: [self._memory(asked)],
            "ports": lambda: [self._free_ports()],
            "ephemeral": lambda: [headroom.ephemeral(self._range)],
            "networks": lambda: _networks(asked.networks),
            "locks": self._locks,
            "records": lambda: self._running(asked),
        }
        rows = [Finding("python", True, f"Python {sys.version.split()[0]}")]
        rows += [*self._engines(asked), self._compose(asked.compose), *self._tools(asked)]
        for name, check in checks.items():
            try:
                rows += check()
            except SimBuilderError as error:
                rows.append(Finding(name, False, error.message, hint=error.hint))
            except OSError as error:
                rows.append(Finding(name, False, f"cannot be looked at: {error}"))
        return rows

    # --- programs --------------------------------------------------------------------------

    def _ask(self) -> Programs:
        """Ask all programs at the same time; no call raises, for that would end the others."""
        here = Engine()
        names = sorted({"", *(s.engine for s in self._sessions if s.runtime == "docker")})
        bridges = f'{{{{.ID}}}}\t{{{{.Label "{labels.SESSION}"}}}}'
        calls: list[Callable[[], Any]] = [
            partial(_reply, here, "compose", "version", "--short"),
            partial(_reply, here, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"),
            partial(_reply, here, "network", "ls", "--filter=driver=bridge", "--format", bridges),
            partial(_used, here, self._owner),
            partial(tools.check, self._settings.cache_dir, ANSWER_S),
            *(partial(_reply, Engine(n), "version", "--format={{.Server.Version}}") for n in names),
        ]
        compose, endpoint, networks, used, found, *versions = process.together(calls)
        engines = dict(zip(names, versions, strict=True))
        return Programs(engines, compose, endpoint, networks, used, found)

    def _engines(self, asked: Programs) -> list[Finding]:
        """Return a row for the engine set now, and for each other one of a session.

        Without an engine sessions run as local processes, so that alone is no defect.
        """
        rows = []
        for name, reply in asked.engines.items():
            url = name or asked.endpoint.text
            theirs = [s for s in self._sessions if s.runtime == "docker" and s.engine == name]
            if reply.error is None:
                detail = f"Docker {reply.text} answers at {url}"
                rows.append(Finding("engine", True, detail, latency_ms=reply.latency_ms))
                continue
            ok = not theirs and (name == "" and self._settings.runtime != "docker")
            why = "sessions run as local processes" if ok else "SIMBUILDER_RUNTIME is docker"
            if theirs:
                why = f"session {', '.join(s.label for s in theirs)} is there"
            detail, mend = f"{reply.error.message}; {why}", _start_engine(url, reply)
            rows.append(Finding("engine", ok, detail, mend, reply.error.hint))
        return rows

    def _compose(self, reply: Reply) -> Finding:
        numbers = tuple(int(n) for n in re.findall(r"\d+", reply.text)[:3])
        error = reply.error
        if error is None and numbers < LOWEST_COMPOSE:
            lowest = ".".join(map(str, LOWEST_COMPOSE))
            error = ComposeMissingError(
                f"Docker Compose {reply.text} is too old: {lowest} is needed"
            )
        if error is None:
            detail = f"Docker Compose {reply.text}"
            return Finding("compose", True, detail, latency_ms=reply.latency_ms)
        missing = isinstance(error, ComposeMissingError)
        mend = "sudo apt-get install docker-compose-plugin" if missing else ""
        return Finding("compose", not self._docker_matters, error.message, mend, error.hint)

    def _tools(self, asked: Programs) -> list[Finding]:
        needed = self._local_matters or self._next_runtime(asked) == "local"
        install = "pip install --force-reinstall 'simbuilder[local]'"
        return [
            Finding(
                *(tool.name, tool.ok or not needed, tool.detail),
                mend="" if tool.ok else install,
                latency_ms=tool.latency_ms,
            )
            for tool in asked.tools
        ]

    def _next_runtime(self, asked: Programs) -> str:
        """Return where the next session would go."""
        if self._settings.runtime != "auto":
            return self._settings.runtime
        return "local" if asked.engines[""].error or asked.compose.error else "docker"

    # --- head-room -------------------------------------------------------------------------

    def _memory(self, asked: Programs) -> Finding:
        recorded = {session.id for session in self._sessions}
        containers = {i: n for i, n in (asked.used or {}).items() if i in recorded}
        root = self._settings.state_dir / "local"
        marked: dict[str, list[process.Marked]] = {}
        for item in process.marked():
            session_id = item.mark.partition(":")[0]
            if item.mark.endswith(f":{root}"):
                marked.setdefault(session_id, []).append(item)
        processes = {session_id: machine.resident(items) for session_id, items in marked.items()}
        used = {"local": processes, "docker": containers}
        row = headroom.memory(used, self._next_runtime(asked))
        if asked.used is None and self._docker_matters:
            row = replace(row, detail=f"{row.detail}; containers could not be measured in time")
        return row

    def _free_ports(self) -> Finding:
        try:
            ledger = self._ports.reserved()
        except ValueError as error:
            detail = f"the port ledger {error}; any session command writes it anew"
            return Finding("ports", False, detail, "simbuilder session list")
        taken = [port for held in ledger.values() for port in held.values()]
        return headroom.ports(self._range, taken, self._sessions)

    # --- what commands left ----------------------------------------------------------------

    def _locks(self) -> list[Finding]:
        cache, now = self._settings.cache_dir, time.time()
        folders = {self._store.folder(i): f"session {i[:8]}" for i in self._store.ids()}
        folders[self._settings.state_dir] = "the port ledger"
        folders[cache / "install.lock"] = "the installation of Azurite"
        folders[cache / "aot.lock"] = "the graph database's start-up cache"
        rows = [
            held(holder, what, now)
            for folder, what in folders.items()
            for holder in process.lock_holders(folder)
        ]
        return rows or [Finding("locks", True, "nobody holds one")]

    def _running(self, asked: Programs) -> list[Finding]:
        """Compare what runs with what is recorded."""
        silent = {name for name, reply in asked.engines.items() if reply.error}
        broken = [_broken(record) for record in self._broken]
        try:
            left_s = self._deadline - time.monotonic()
            seen = process.within(left_s, lambda: self._look(silent))
        except TimeoutError:
            unseen = "the engine answers, but did not show in time what it runs"
            mend = "systemctl restart docker"
            rows = [Finding(name, False, unseen, mend) for name in ("orphans", "records")]
            return [*rows, *broken]
        rows = broken + [row for view in seen.views if (row := self._record(view))]
        if not rows:
            unknown = len(self._sessions) - len(seen.views)
            detail = f"nothing wrong with {len(seen.views)} sessions"
            detail += f"; what runs of {unknown} is unknown" if unknown else ""
            rows = [Finding("records", True, detail)]
        return [_orphans(seen), *rows]

    def _look(self, silent: set[str]) -> Seen:
        known: dict[str, Runtime] = {"local": self._local, "docker": self._docker}
        told: list[Event] = []
        answering = [s for s in self._sessions if s.runtime != "docker" or s.engine not in silent]
        observed = Runtimes(known, told.append).observe(answering)
        views = [
            SessionView(s, self._store.env_file(s.id), observed[s.id], None, removing)
            for s in answering
            for removing in [self._store.removing(s.id)]
        ]
        if "" in silent:
            del known["docker"]
        traces = Runtimes(known, told.append).traces()
        orphans = sorted(i for i in traces if not self._store.recorded(i))
        return Seen(views, orphans, [event.message for event in told])

    def _record(self, view: SessionView) -> Finding | None:
        """Return what is wrong with a session, unless some command is just working on it."""
        session = view.session
        ended = {s: view.seen(s).exit_status for s in session.services}
        dead = [f"{s} (exit status {status})" for s, status in ended.items() if status is not None]
        mend = f"simbuilder session start {session.short}"
        if view.state is State.REMOVING:
            detail, mend = "is half removed", f"simbuilder session cleanup {session.short}"
        elif dead:
            detail = f"has servers that ended unasked: {', '.join(dead)}"
        elif view.state is State.DEGRADED:
            down = [s for s in session.services if view.seen(s).state is not State.RUNNING]
            detail = f"runs only in part: {', '.join(down) or 'a container'} does not"
        else:
            return None
        if process.lock_holders(self._store.folder(session.id)):
            return None
        return Finding("records", False, f"session {session.label} {detail}", mend)


def held(holder: process.Holder, what: str, now: float) -> Finding:
    """Return the row of a lock that is held; nothing is to be done about a young command.

    The kernel drops a lock with its holder, so only one that hangs can keep it for too long.
    """
    since = time.strftime("%H:%M:%S", time.localtime(holder.since))
    detail = f"pid {holder.pid}, '{holder.command}', since {since}, holds {what}"
    if holder.stopped:
        return Finding("locks", False, f"{detail} and is suspended", f"kill -CONT {holder.pid}")
    if now - holder.since > HANGS_S:
        return Finding("locks", False, f"{detail}: it hangs", f"kill {holder.pid}")
    return Finding("locks", True, detail)


def _broken(record: Broken) -> Finding:
    """Return the row of a record that cannot be used; only a damaged one is ours to remove."""
    mend = f"simbuilder session cleanup {record.id[:8]}"
    return Finding(
        "records", False, record.reason, mend if mend in record.hint else "", record.hint
    )


def _orphans(seen: Seen) -> Finding:
    detail = "; ".join(seen.unseen)
    if not seen.orphans:
        return Finding("orphans", not seen.unseen, detail or "nothing without a record")
    shown = ", ".join(session_id[:8] for session_id in seen.orphans)
    detail = "; ".join([f"servers or data of sessions without a record: {shown}", *seen.unseen])
    return Finding("orphans", False, detail, "simbuilder session cleanup --orphans --yes")


def _networks(reply: Reply) -> list[Finding]:
    if reply.error is not None:
        return [Finding("networks", True, "not looked at: no Docker engine answers")]
    bridges = (line.partition("\t") for line in reply.lines)
    return headroom.networks({name: session_id for name, _, session_id in bridges})


def _start_engine(url: str, reply: Reply) -> str:
    """Return the command that makes an engine answer; nothing where there is no `docker`."""
    if isinstance(reply.error, EnginePermissionError):
        return "sudo usermod -aG docker $USER"
    if not Engine().installed():
        return ""
    if url not in _SYSTEM_S:
        return "docker context ls"
    return f"systemctl {'restart' if reply.latency_ms >= ANSWER_S * 1000 else 'start'} docker"


def _reply(engine: Engine, *question: str) -> Reply:
    """Ask an engine; what it refuses, or does not say within `ANSWER_S`, is the reply's error."""
    began, lines, refusal = time.monotonic(), [], None
    try:
        lines = engine.lines(*question, timeout_s=ANSWER_S)
    except SimBuilderError as error:
        refusal = error
    return Reply(lines, refusal, round((time.monotonic() - began) * 1000, 1))


def _used(engine: Engine, owner: str) -> dict[str, int] | None:
    try:
        return labels.memory(engine, owner, MEASURE_S)
    except SimBuilderError:  # the engine's own row says why
        return None
