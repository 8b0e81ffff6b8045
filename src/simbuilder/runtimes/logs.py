"""What the logs of servers have to say: the end of one in a few lines, or all by time. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge

from simbuilder.sessions.runtime import LogLine

READ = 100
"""Lines to read for a `tail`: a Java server can end with a long stack trace."""

_SHOWN = 5
_FRAMES = ("at ", "... ")


def tail(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the last five lines that say something, each cut at 300 characters.

    Frames of stack traces, as Java and Node.js write them, do not: the cause stands before them.
    """
    said = [line.strip()[:300] for line in lines]
    return tuple(line for line in said if line and not line.startswith(_FRAMES))[-_SHOWN:]


def by_time(
    logs: Sequence[Iterable[LogLine]], since: float = 0, last: int | None = None
) -> Iterator[LogLine]:
    """Yield the lines of several logs in the order of their times, from `since` on.

    Of each log, which is in that order, the `last` ones or all.
    """
    recent = [(line for line in log if line.at >= since) for log in logs]
    wanted = recent if last is None else [deque(log, last) for log in recent]
    return merge(*wanted, key=lambda line: line.at)


def dated(
    lines: Iterable[tuple[float | None, str]], before: float, unsaid: Callable[[], float]
) -> Iterator[tuple[float, str]]:
    """Yield lines with when they were written, which some do not say.

    They were written with the line before them, at `before` for the first; if that is 0 with the
    first that says it, and if none does at `unsaid()`. No line was written before one that it
    follows, though its server's clock was set back.
    """
    waiting: list[str] = []
    at = before
    for said, text in lines:
        at = max(at, said or 0.0)
        if not at:
            waiting.append(text)
            continue
        yield from ((at, earlier) for earlier in waiting)
        waiting.clear()
        yield at, text
    if waiting:
        at = unsaid()
        yield from ((at, text) for text in waiting)
