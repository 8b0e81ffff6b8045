"""The only module that writes to the terminal. Data goes to stdout, talk to stderr.

Our own words are ASCII, and what is not (a user's folder) is escaped where the terminal cannot
show it, so no output ever fails for its characters.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


class ReaderLeft(Exception):  # noqa: N818 - it is news, not an error
    """Whoever read our output has seen enough, as in `simbuilder session list | head -1`."""


def prepare_streams() -> None:
    """Let stdout and stderr escape what they cannot encode; whoever closed them wants silence."""
    silence = Path(os.devnull)
    sys.stdout = sys.stdout or silence.open("w", encoding="utf-8")
    sys.stderr = sys.stderr or silence.open("w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def line(text: str = "") -> None:
    """Write a line of data, which arrives with the next `flush`."""
    with _writing():
        sys.stdout.write(text + "\n")


def flush() -> None:
    """Have the lines of data arrive; raises `ReaderLeft` for want of a reader, as `line` does."""
    with _writing():
        sys.stdout.flush()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        # Python would try, and complain, once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderLeft from None
    except OSError as error:  # a full disk behind a redirection, say
        talk(f"error: the output could not be written: {error.strerror}")
        raise SystemExit(1) from None


@contextmanager
def bytes_out() -> Iterator[BinaryIO]:
    """Give what writes bytes of data, such as a file for a pipe; they have arrived at the end."""
    with _writing():
        yield sys.stdout.buffer
        sys.stdout.flush()


def talk(text: str) -> None:
    """Write a line to whoever watches."""
    with suppress(OSError):  # nobody listens, or a disk is full: no reason to stop the work
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def may_ask() -> bool:
    """True if a person is there to answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def in_colour() -> bool:
    """True if what is written to stdout may be coloured (https://no-color.org)."""
    from simbuilder.scaffolding.environment import process_environment

    return sys.stdout.isatty() and redraws() and not process_environment().get("NO_COLOR")


def shown(text: str) -> str:
    """Return somebody else's text without what would command a terminal."""
    from simbuilder.scaffolding.text import printable

    return printable(text, kept="\t")


def may_show() -> bool:
    """True if a person is there who has a browser: a graphical one, or one of their choice."""
    from simbuilder.scaffolding.environment import process_environment

    known = process_environment()
    has_one = any(known.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    return has_one and sys.stdout.isatty()


def has_screen() -> bool:
    """True if a person sits at a terminal that can draw anywhere on its screen."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams) and redraws()


def redraws() -> bool:
    """True if the terminal can draw a line anew; on others rich shows nothing before the end."""
    from simbuilder.scaffolding.environment import process_environment

    return process_environment().get("TERM", "").lower() not in ("dumb", "unknown")
