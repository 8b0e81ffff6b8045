"""What every format needs of files: streams seen through gzip, blocks of lines, counts."""

import gzip
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats.opening import Source, explained, single

_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 20
_LINES = 2000


@dataclass(frozen=True, slots=True)
class Counts:
    """How many nodes and relationships a file was given."""

    nodes: int
    relationships: int


@contextmanager
def opened(source: Path | Source | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Open a file, or take a stream such as standard input; gzip is unpacked by its magic.

    A stream is left open.

    Raises:
        GraphInputError: The file cannot be read, or its compression is damaged; also for what
            goes wrong while the body of the `with` reads.
    """
    with explained(name):
        if isinstance(source, Path | Source):
            file = single(source) if isinstance(source, Path) else source
            with file.open() as stream:
                yield stream
            return
        peekable = io.BufferedReader(cast(io.RawIOBase, source), _BLOCK)
        try:
            yield _unpacked(peekable)
        finally:
            peekable.detach()  # or it would close what is not ours


def _unpacked(stream: "io.BufferedReader[io.RawIOBase]") -> BinaryIO:
    if stream.peek(2)[:2] != _GZIP:
        return cast(BinaryIO, stream)
    return cast(BinaryIO, io.BufferedReader(gzip.GzipFile(fileobj=stream, mode="rb"), _BLOCK))


def truncated(name: str, why: str) -> GraphInputError:
    """Return the error of a file that is not whole."""
    hint = "copy or export it again; nothing was loaded"
    return GraphInputError(f"{name}: truncated: {why}", hint)


@contextmanager
def packed(out: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Give a stream that writes to `out`, through gzip if `path` ends in `.gz`.

    The same content makes the same bytes: neither name nor time goes into the gzip header.
    """
    if path.suffix != ".gz":
        yield out
        return
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=6, mtime=0) as squeezed:
        yield cast(BinaryIO, squeezed)


def write_lines(lines: Iterable[bytes], out: BinaryIO) -> None:
    """Write lines in large blocks: a call for each would cost more than the line itself."""
    block: list[bytes] = []
    for line in lines:
        block.append(line)
        if len(block) >= _LINES:
            out.write(b"".join(block))
            block.clear()
    out.write(b"".join(block))
