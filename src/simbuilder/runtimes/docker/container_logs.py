"""What containers log: the end of it, all of it, and what is still to come."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from simbuilder.runtimes import logs
from simbuilder.runtimes.docker.engine import Engine
from simbuilder.runtimes.docker.labels import Container
from simbuilder.scaffolding import programs
from simbuilder.scaffolding.exceptions import SimBuilderError
from simbuilder.sessions.runtime import Excerpt, LogLine

Look = Callable[[], Sequence[Container]]
"""Finds the containers whose logs are wanted; asked again and again, as they come and go."""

_READ_S = 60.0
_LOOK_AGAIN_S = 1.0


def tails(engine: Engine, look: Look, services: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return service -> the last lines of its log that say something; never raises."""
    found: dict[str, Sequence[str]] = {}
    try:
        for container in look():
            found[container.service] = engine.log(container.id)
    except SimBuilderError as error:  # gone since it was listed, say
        missing = (f"the log cannot be read: {error.message}",)
        return dict.fromkeys(services, missing) | found
    return found


@dataclass
class _Log:
    """One container's log: `at` is when its last line so far was written, as Docker says it.

    `known` is what `at` was when Docker was asked.
    """

    container: Container
    since: str
    tail: int | None
    at: str = ""
    known: str = ""

    def arguments(self, *more: str) -> list[str]:
        """Return what asks `docker` for the lines that are not known yet."""
        self.known = self.at
        tail = "all" if self.tail is None or self.at else str(self.tail)
        since = ["--since", self.at or self.since] if self.at or self.since else []
        return ["logs", "--timestamps", "--tail", tail, *since, *more, self.container.id]

    def line(self, text: str) -> LogLine | None:
        """Return a line unless it was returned already: `--since` includes its very moment."""
        at, _, said = text.partition(" ")
        try:
            moment = datetime.fromisoformat(at).timestamp()
        except ValueError:  # the engine itself says something
            return None
        if at <= self.known:
            return None
        self.at = at
        return LogLine(self.container.service, moment, said.rstrip("\r"))


def lines(engine: Engine, look: Look, wanted: Excerpt) -> Iterator[LogLine]:
    """Yield what `Runtime.log_lines` promises, of the containers that are found."""
    since = datetime.fromtimestamp(wanted.since, UTC).isoformat() if wanted.since else ""
    known: dict[str, _Log] = {}
    history = []
    for container in look():
        log = known[container.id] = _Log(container, since, wanted.tail)
        history.append(_written(engine, log))
    yield from logs.by_time(history)
    with programs.Readers() as readers:
        look_at = 0.0
        while wanted.going_on():
            if time.monotonic() >= look_at:
                for container in look():
                    log = known.setdefault(container.id, _Log(container, "", None))
                    if container.runs and container.id not in readers.running():
                        argv = ["docker", *engine.options(), *log.arguments("--follow")]
                        readers.start(container.id, argv, engine.environment())
                look_at = time.monotonic() + _LOOK_AGAIN_S
            came = readers.read(_LOOK_AGAIN_S)
            yield from _told((known[name], text) for name, text in came)


def _written(engine: Engine, log: _Log) -> Iterable[LogLine]:
    done = engine.attempt(log.arguments(), _READ_S)
    if done.status != 0:
        raise engine.explain(done.err or done.out)
    # two streams, each by time, whose lines are told apart by their moment
    texts = sorted(f"{done.out}\n{done.err}".split("\n"))
    return list(_told((log, text) for text in texts))


def _told(texts: Iterable[tuple[_Log, str]]) -> Iterator[LogLine]:
    for log, text in texts:
        if (line := log.line(text)) is not None:
            yield line
