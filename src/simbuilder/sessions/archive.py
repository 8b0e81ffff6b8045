"""A session in one file: what its servers keep, with checksums and versions.

A gzipped tar. Its first member is `simbuilder.json`, which says what the others are: each file's
size and SHA-256. Nothing in it is a credential: whoever opens it makes a session with its own.
"""

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from simbuilder.scaffolding.exceptions import ArchiveError
from simbuilder.scaffolding.files import write_atomically
from simbuilder.sessions import catalog

FORMAT = 1
MANIFEST = "simbuilder.json"
_LARGEST_MANIFEST = 64 << 20
_PIECE = 1 << 20
_HINT = "get the file anew, or export the session once more"
_DAMAGE = (
    *(tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError),
    *(ValueError, LookupError, TypeError, AttributeError, RecursionError),
)
"""What reading raises if the file, or the manifest in it, is not as it was written."""


@dataclass(frozen=True)
class Manifest:
    """What an archive holds: a session's data as of `created_at`, and how to know it is all there.

    `graph` is the kind of graph database, `products` service -> product and version as the running
    server said, where it ran, and `files` path -> (bytes, SHA-256).
    """

    simbuilder: str
    runtime: str
    graph: str
    name: str | None
    created_at: str
    services: tuple[str, ...]
    products: Mapping[str, str]
    files: Mapping[str, tuple[int, str]]


def write(archive: Path, folder: Path, manifest: Manifest) -> int:
    """Write what is in `folder` to the new file `archive`, mode 0600; return its size.

    The files of the manifest are filled in. The archive is there whole or not at all.
    """
    files = {str(path.relative_to(folder)): path for path in _files(folder)}
    sums = {name: (path.stat().st_size, _sum(path)) for name, path in files.items()}
    described = {**asdict(manifest), "files": sums, "format": FORMAT}
    with (
        write_atomically(archive) as stream,
        tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar,
    ):
        text = json.dumps(described, indent=1).encode()
        tar.addfile(_member(MANIFEST, len(text)), BytesIO(text))
        for path in _folders(folder):
            entry = _member(str(path.relative_to(folder)), 0)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(entry)
        for name, path in files.items():
            with path.open("rb") as file:
                tar.addfile(_member(name, sums[name][0]), file)
    return archive.stat().st_size


def read(archive: Path, folder: Path) -> Manifest:
    """Unpack an archive into the empty `folder`, and return what it says of itself.

    Raises `ArchiveError` if it is no archive, damaged, or of a newer version, and `OSError`.
    """
    with _opened(archive) as (stream, tar):
        manifest = _manifest(archive, tar)
        seen = set(_unpack(archive, tar, folder, manifest))
        _copy(stream, None)  # to the end, where its own checksum is, which covers the manifest too
    if missing := sorted(set(manifest.files) - seen):
        raise ArchiveError(f"{archive} is damaged: it lacks {missing[0]}", _HINT)
    return manifest


def peek(archive: Path) -> Manifest:
    """Return what an archive says of itself, without unpacking it. Raises like `read`."""
    with _opened(archive) as (_, tar):
        return _manifest(archive, tar)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[BinaryIO, tarfile.TarFile]]:
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            yield stream, tar  # type: ignore[misc]
    except _DAMAGE as error:
        raise ArchiveError(f"{archive} is no archive of a session, or damaged", _HINT) from error


def _manifest(archive: Path, tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    stream = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
    if first is None or stream is None or first.size > _LARGEST_MANIFEST:
        raise ArchiveError(f"{archive} is no archive of a session", _HINT)
    data: dict[str, Any] = json.loads(stream.read())
    number = data.pop("format")
    if number != FORMAT:
        raise ArchiveError(
            f"{archive} has format {number}; this SimBuilder knows {FORMAT}",
            "use the version of SimBuilder that wrote it, or a newer one",
        )
    files = {str(name): (int(size), str(sum_)) for name, (size, sum_) in data.pop("files").items()}
    services = tuple(data.pop("services"))
    if not services or not set(services) <= {spec.name for spec in catalog.SERVICES}:
        raise ValueError("unknown services")
    texts = [data[key] for key in ("simbuilder", "runtime", "graph", "created_at")]
    texts += [data["name"] or "", *data["products"].values()]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise ValueError("what is said of it is no text")  # and may end up on a terminal
    products = {str(service): str(what) for service, what in data.pop("products").items()}
    return Manifest(**data, services=services, products=products, files=files)


def _unpack(archive: Path, tar: tarfile.TarFile, folder: Path, manifest: Manifest) -> Iterator[str]:
    """Write each file that is as the manifest says; yield its name."""
    for member in tar:
        if member.name == MANIFEST:
            continue
        path = PurePosixPath(member.name)
        if ".." in path.parts or "".join(path.parts[:1]) not in manifest.services:
            raise ArchiveError(f"{archive} holds {member.name!r}, which is no service's", _HINT)
        try:
            if member.isdir():
                (folder / path).mkdir(0o700, parents=True, exist_ok=True)
                continue
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is None or member.name not in manifest.files:
                raise ArchiveError(
                    f"{archive} holds {member.name!r}, of which it does not tell", _HINT
                )
            found = (member.size, "")
            if member.size == manifest.files[member.name][0]:  # else it may fill the disk
                with (folder / path).open("xb") as file:
                    found = _copy(stream, file)  # type: ignore[arg-type]
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            raise ArchiveError(f"{archive} holds {member.name!r} twice, or astray", _HINT) from None
        if found != manifest.files[member.name]:
            raise ArchiveError(f"{archive} is damaged: {member.name} is not as written", _HINT)
        yield member.name


def _copy(source: BinaryIO, target: BinaryIO | None) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while piece := source.read(_PIECE):
        size += len(piece)
        digest.update(piece)
        if target is not None:
            target.write(piece)
    return size, digest.hexdigest()


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return _copy(file, None)[1]


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Return an entry without the user's name or id: it is opened elsewhere."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_dir() and not p.is_symlink())
