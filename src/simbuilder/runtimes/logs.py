"""What the end of a server's log has to say, in a few lines. Pure."""

from collections.abc import Iterable

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
