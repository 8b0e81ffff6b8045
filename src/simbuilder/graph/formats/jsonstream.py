"""JSON files of any size, item by item in flat memory, with the line each item starts on.

For whoever reads a format:

* `sources(path)` yields a `Source` for each file inside `path`: one, or each member of a zip.
* `walk(source)` yields `Item(path, value, line)`:

  - members of the top-level object: `(("meta",), {...}, 1)`. One that is an array comes item by
    item, each under the array's path: `(("data",), {...}, 17)`, and once with the value `EMPTY`
    if it has none. Members of an object that is named in `into` come like that too, with a path
    of two names: `(("graph", "nodes"), {...}, 3)`. Everything else comes whole.
  - items of a top-level array, and the objects of a file with one on each line: path `()`.

* `head(source)` returns the first characters, decoded, to recognise a format by.

Encodings are recognised: UTF-8, UTF-16 and UTF-32, with or without a byte order mark. Everything
raises `GraphInputError` naming file, line and reason for what is truncated, no JSON, not text,
empty, nested too deep, too large in one piece, or no number (NaN, Infinity, 1e999). Items before
the bad place were yielded by then.
"""

import codecs
import json
import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats.opening import Source, explained, single, sources

__all__ = ["EMPTY", "Item", "Source", "head", "sources", "walk"]

EMPTY: tuple[()] = ()
"""The value that stands for an array without items; no item ever has it."""

MAX_DEPTH = 200
"""Levels of nesting within an item at most; what is stored as JSON cannot hold more than 254."""

MAX_ITEM = 64 << 20
"""Characters of one item at most: more is no object of a tenant, and would not fit memory."""

_CHUNK = 1 << 20
_PROBE = 1 << 20
"""Characters within which the first line must end for a file to be seen as one object a line."""

_LONGEST_TOKEN = 16
"""An error this close to the end of the buffer may only mean that a token is cut there."""

_SPACE = re.compile(r"[ \t\n\r]*")
_COLLECT = "The file may be cut short: copy or collect it again."
_REPAIR = "Correct the file, or collect it again."


class Item(NamedTuple):
    """One value, the names that lead to it, and the line it starts on."""

    path: tuple[str, ...]
    value: Any
    line: int


def walk(
    source: Source | Path, into: Collection[str] = (), *, chunk: int = _CHUNK
) -> Iterator[Item]:
    """Yield the items of a JSON file as they are read; see the module for what an item is.

    Members named in `into` are entered if they are objects. Raises `GraphInputError`; a zip with
    more than one file is refused too (use `sources`).
    """
    if isinstance(source, Path):
        source = single(source)
    with source.open() as stream, explained(source.name):
        text = _Text(source.name, stream, chunk)
        yield from _walk(text, into, source.name.endswith((".jsonl", ".ndjson")))


def head(source: Source | Path, limit: int = 1 << 16) -> str:
    """Return the first characters of a file, decoded; raises `GraphInputError` if it has none."""
    if isinstance(source, Path):
        source = single(source)
    with source.open() as stream, explained(source.name):
        text = _Text(source.name, stream, 4 * limit)  # bytes of a character at most
        text.more()
        return text.buffer[:limit]


def _not_a_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


_decode = json.JSONDecoder(parse_constant=_not_a_number, parse_float=_finite).raw_decode


class _Text:
    """The decoded text of a stream: a buffer that slides over it, and the line it stands on."""

    def __init__(self, name: str, stream: BinaryIO, chunk: int) -> None:
        self.name = name
        self.buffer = ""
        self.at = 0
        self.line = 1
        self.ended = False
        self._stream = stream
        self._chunk = chunk
        start = stream.read(4)
        if not start:
            raise GraphInputError(f"{name}: is empty", _COLLECT)
        self._encoding = json.detect_encoding(start)
        self._decoder = codecs.getincrementaldecoder(self._encoding)()
        self._pending = start

    def more(self) -> bool:
        """Read on, twice as much for each time in vain; false if the file ended before that."""
        if self.ended:
            return False
        self.buffer = self.buffer[self.at :]
        self.at = 0
        wanted = max(self._chunk, len(self.buffer))
        data = self._pending + self._stream.read(wanted)
        self._pending = b""
        self.ended = not data
        try:
            self.buffer += self._decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            line = self.line + self.buffer.count("\n") + data[: error.start].count(b"\n")
            self.fail(f"is not text in {self._encoding.upper()}", line)
        return True

    def peek(self) -> str:
        """Skip blanks and return the next character; nothing at the end of the file."""
        while True:
            end = _SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]
            self.move(end)
            if end < len(self.buffer):
                return self.buffer[end]
            if not self.more():
                return ""

    def move(self, end: int) -> None:
        self.line += self.buffer.count("\n", self.at, end)
        self.at = end

    def take(self, wanted: str) -> None:
        """Skip one character that must be there."""
        found = self.peek()
        if found != wanted:
            self.unexpected(found, repr(wanted))
        self.at += 1

    def value(self) -> Any:
        """Read one whole value, however many chunks it takes."""
        if self.peek() == "":
            self.unexpected("", "a value")
        while True:
            value, end = self._try()
            if end:
                break
            if len(self.buffer) - self.at > MAX_ITEM:
                self.fail(f"an item of more than {MAX_ITEM >> 20} MiB", hint=_REPAIR)
            self.more()
        if _brackets(self.buffer, self.at, end) > MAX_DEPTH and _deeper(value, MAX_DEPTH):
            self.fail(f"nested deeper than {MAX_DEPTH} levels", hint=_REPAIR)
        self.move(end)
        return value

    def _try(self) -> tuple[Any, int]:
        """Return a value and where it ends, or 0 if the buffer may hold only a part of it."""
        try:
            value, end = _decode(self.buffer, self.at)
        except json.JSONDecodeError as error:
            self._refuse(error)
            return None, 0
        except RecursionError:
            self.fail(f"nested deeper than {MAX_DEPTH} levels", hint=_REPAIR)
        except ValueError as error:  # what the hooks above say, and integers without end
            self.fail(str(error), hint=_REPAIR)
        if not self.ended and end + 3 >= len(self.buffer) and isinstance(value, int | float):
            return None, 0  # digits may follow, also those of an exponent
        return value, end

    def _refuse(self, error: json.JSONDecodeError) -> None:
        """Fail unless more of the file could make it right."""
        cut = error.msg.startswith("Unterminated string")
        if self.ended or not (cut or error.pos + _LONGEST_TOKEN > len(self.buffer)):
            line = self.line + self.buffer.count("\n", self.at, error.pos)
            if cut or error.pos >= len(self.buffer):
                self.fail("ends in the middle of an item", line)
            self.fail(f"is no JSON ({error.msg.lower()})", line, _REPAIR)

    def unexpected(self, found: str, wanted: str) -> NoReturn:
        if not found:
            self.fail(f"ends where {wanted} should follow")
        self.fail(f"is no JSON ({wanted} expected, not {found!r})", hint=_REPAIR)

    def fail(self, reason: str, line: int = 0, hint: str = _COLLECT) -> NoReturn:
        raise GraphInputError(f"{self.name}, line {line or self.line}: {reason}", hint)


def _brackets(text: str, start: int, end: int) -> int:
    return text.count("[", start, end) + text.count("{", start, end)


def _deeper(value: Any, levels: int) -> bool:
    """Tell whether a value is nested deeper, without recursing into it."""
    level = [value]
    for _ in range(levels):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    return any(isinstance(each, dict | list) for each in level)


def _walk(text: _Text, into: Collection[str], lines: bool) -> Iterator[Item]:
    first = text.peek()
    if first == "[":
        yield from _array(text, ())
    elif first == "{" and (lines or _one_a_line(text)):
        while text.peek():
            line = text.line
            yield Item((), text.value(), line)
    elif first == "{":
        yield from _object(text, (), into)
    else:
        text.fail("is blank" if not first else "is no JSON: neither { nor [ comes first")
    rest = text.peek()
    if rest:
        text.unexpected(rest, "the end")


def _one_a_line(text: _Text) -> bool:
    """Tell whether the first line is a whole object and others follow: JSON Lines."""
    while "\n" not in text.buffer[text.at :] and len(text.buffer) < _PROBE and text.more():
        pass
    first, newline, rest = text.buffer[text.at :].partition("\n")
    if not newline or len(first) > _PROBE:
        return False
    try:
        end = _decode(first)[1]
    except (ValueError, RecursionError):
        return False
    if first[end:].strip():
        return False
    while not rest.strip() and text.more():
        rest = text.buffer[text.at :].partition("\n")[2]
    return bool(rest.strip())


def _object(text: _Text, path: tuple[str, ...], into: Collection[str]) -> Iterator[Item]:
    text.take("{")
    if text.peek() == "}":
        text.take("}")
        return
    while True:
        if text.peek() != '"':
            text.unexpected(text.peek(), "the name of a member")
        inner = (*path, text.value())
        text.take(":")
        found = text.peek()
        if found == "[":
            yield from _array(text, inner)
        elif found == "{" and inner[-1] in into and not path:
            yield from _object(text, inner, into)
        else:
            line = text.line
            yield Item(inner, text.value(), line)
        if text.peek() != ",":
            break
        text.take(",")
    text.take("}")


def _array(text: _Text, path: tuple[str, ...]) -> Iterator[Item]:
    line = text.line
    text.take("[")
    if text.peek() == "]":
        yield Item(path, EMPTY, line)
        text.take("]")
        return
    while True:
        text.peek()
        line = text.line
        yield Item(path, text.value(), line)
        if text.peek() != ",":
            break
        text.take(",")
    text.take("]")
