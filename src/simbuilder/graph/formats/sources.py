"""What a path holds, told by its content, and its records whatever the format.

Bundles of ours, AzureHound, BloodHound's OpenGraph, and answers of Microsoft Graph and Azure
Resource Manager; as a file, packed or not, a zip, or a folder.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path, PurePath

from simbuilder.graph.errors import GraphInputError
from simbuilder.graph.formats.answers_files import JSON_NAMES, files
from simbuilder.graph.formats.jsonstream import walk
from simbuilder.graph.formats.opening import Source as File
from simbuilder.graph.formats.opening import explained
from simbuilder.graph.records import Node, Plane, Record, Relationship, Remark, fold, located

BUNDLE, AZUREHOUND, BLOODHOUND, ANSWERS = "bundle", "azurehound", "bloodhound", "answers"

SUPPORTED = (
    "bundles of ours (.jsonl), AzureHound, BloodHound OpenGraph, and answers of Microsoft Graph "
    "or Azure Resource Manager; each as a file, .gz, .zip or folder"
)

_BLOCK = 1 << 20
_GLANCE = 64
"""Items of a file that are looked at before it counts as unknown."""

_LIKENESS = (
    (b"SQLite format 3\x00", "a SQLite database, such as ROADrecon's"),
    (b"PK\x03\x04", "a zip of something else"),
    (b"<?xml", "XML"),
    (b"<graphml", "GraphML, which is only written"),
    (b"%PDF", "a PDF"),
)


@dataclass(frozen=True)
class Source:
    """Something to read records from. `format` is one of bundle, azurehound, bloodhound, answers.

    `plane` is where what was observed goes; records of a bundle that say another plane keep it.
    """

    path: Path
    format: str
    tenant: str | None = None
    plane: Plane = "observed"

    def records(self) -> Iterator[Record]:
        """Yield every record, moved to the plane that was asked for.

        Raises:
            GraphInputError: As the reader of the format does; what was yielded before it is then
                not to be kept.
        """
        found = _READERS[self.format](self)
        return found if self.plane == "observed" else _moved(found, self.plane)

    def digest(self) -> str:
        """Return a hash of the names and the content of all files, read block by block.

        Raises:
            GraphInputError: A file cannot be read.
        """
        hashed = blake2b(digest_size=16)
        folder = self.path.is_dir()
        paths = sorted(self.path.rglob("*")) if folder else [self.path]
        named = {str(p.relative_to(self.path) if folder else p.name): p for p in paths}
        for name, path in sorted(named.items()):
            if path.is_file():
                # the length keeps the end of one file from passing for the start of the next
                with explained(name):
                    size = path.stat().st_size
                    encoded = name.encode("utf-8", "surrogateescape")
                    hashed.update(b"%d:%s%d:" % (len(encoded), encoded, size))
                    with path.open("rb") as stream:
                        while block := stream.read(_BLOCK):
                            hashed.update(block)
        return hashed.hexdigest()


def open_source(path: Path, tenant: str | None = None, plane: Plane = "observed") -> Source:
    """Recognise what a path holds.

    Raises:
        GraphInputError: It cannot be read, holds several formats at once, or nothing that is
            known; the message says what it looks like.
    """
    if not path.exists():
        raise GraphInputError(f"{path}: no such file or folder", "check the path")
    found: dict[str, str] = {}
    likeness = ""
    for file, place in files(path):
        if path.is_dir() and not place.name.lower().endswith(JSON_NAMES):
            continue
        kind, looks = _recognise(file)
        likeness = likeness or looks
        if kind:
            found.setdefault(kind, str(place))
    if len(found) > 1:
        said = " and ".join(f"{kind} ({name})" for kind, name in sorted(found.items()))
        raise GraphInputError(
            f"{path.name}: holds several formats: {said}", "keep each in a folder of its own"
        )
    if not found:
        looks = likeness or ("a folder without JSON files" if path.is_dir() else "nothing known")
        raise GraphInputError(f"{path.name}: looks like {looks}", f"can be read: {SUPPORTED}")
    return Source(path, next(iter(found)), tenant, plane)


# --- recognising ----------------------------------------------------------------------------


def _recognise(file: File) -> tuple[str, str]:
    """Return the format of a file, or nothing and what it looks like."""
    from simbuilder.graph.formats import bundle

    with explained(file.name), file.open() as stream:
        line = stream.readline(_BLOCK)
    if bundle.is_header(line):
        return BUNDLE, ""
    start = line.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, looks in _LIKENESS:
        if start.lower().startswith(mark.lower()):
            return "", looks
    if not start and not line:
        return "", "an empty file"
    if start and start[:1] not in b"{[" and start[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return "", _text_like(line, file.name)
    return _of_json(file)


def _text_like(line: bytes, name: str) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return f"no text ({name} begins with {line[:8]!r})"
    return "CSV" if text.count(",") > 1 else f"text that is no JSON: {text.strip():.40}"


def _of_json(file: File) -> tuple[str, str]:
    names: list[str] = []
    for item in islice(walk(file, ("graph", "data")), _GLANCE):
        held = item.value if isinstance(item.value, dict) else {}
        names.extend(item.path[:1] or sorted(map(str, held))[:4])
        if item.path and item.path[-1] in ("nodes", "edges"):
            return BLOODHOUND, ""
        named = str(held.get("kind", "")).startswith("AZ")
        if item.path in ((), ("data",)) and named and "data" in held:
            return AZUREHOUND, ""
        if item.path == ("meta",) and "type" in held:
            return _of_hound(held["type"])
    if "data" in names:
        for item in walk(file):  # `meta` may come after all that there is
            if item.path == ("meta",) and isinstance(item.value, dict) and "type" in item.value:
                return _of_hound(item.value["type"])
    return _of_answer(file, names)


def _of_hound(kind: object) -> tuple[str, str]:
    if kind == "azure":
        return AZUREHOUND, ""
    if str(kind).lower().startswith("az"):
        return "", f"{kind!s:.40} of AzureHound 1 of 2021: collect again with AzureHound 2 or later"
    return "", f"SharpHound's {kind!s:.40} of an Active Directory"


def _of_answer(file: File, names: Iterable[str]) -> tuple[str, str]:
    from simbuilder.graph.formats.answers import recognises

    if recognises(file):
        return ANSWERS, ""
    marks = {
        "terraform_version": "the state of Terraform",
        "$schema": "a template or JSON schema",
        "node": "a bundle without its header",
    }
    for name, looks in marks.items():
        if name in names:
            return "", looks
    said = ", ".join(list(dict.fromkeys(names))[:6])
    return "", f"JSON of another kind ({said})" if said else "JSON that holds nothing"


# --- reading --------------------------------------------------------------------------------


def _bundle(source: Source) -> Iterator[Record]:
    from simbuilder.graph.formats import bundle

    # each record of a bundle names its tenant
    return _each_file(source, BUNDLE, lambda file, _: bundle.read(file))


def _each_file(
    source: Source, wanted: str, read: Callable[[File, str | None], Iterator[Record]]
) -> Iterator[Record]:
    for file, place in files(source.path):
        if _is_read(source, place) and _recognise(file)[0] == wanted:
            yield from read(file, source.tenant)
            continue
        for _ in walk(file) if place.name.lower().endswith(JSON_NAMES) else ():
            pass  # what is no JSON at all is an error, whatever it was to be
        yield _not_read(str(place))


def _is_read(source: Source, place: PurePath) -> bool:
    return place.name.lower().endswith(JSON_NAMES) or not source.path.is_dir()


def _not_read(place: str) -> Remark:
    return Remark("unknown-format", place, "not of the format of the others; not read")


def _azurehound(source: Source) -> Iterator[Record]:
    from simbuilder.graph.formats import azurehound

    if source.tenant is None:
        named = {
            fold(azurehound.named_tenant(file))
            for file, place in files(source.path)
            if _is_read(source, place) and _recognise(file)[0] == AZUREHOUND
        } - {""}
        if len(named) == 1:  # files that name none belong to the others
            source = dataclasses.replace(source, tenant=named.pop())
    return _each_file(source, AZUREHOUND, azurehound.read)


def _bloodhound(source: Source) -> Iterator[Record]:
    from simbuilder.graph.formats import bloodhound

    return _each_file(source, BLOODHOUND, bloodhound.read)


def _answers(source: Source) -> Iterator[Record]:
    from simbuilder.graph.formats import answers

    return answers.read(source.path, source.tenant)


_READERS: dict[str, Callable[[Source], Iterator[Record]]] = {
    BUNDLE: _bundle,
    AZUREHOUND: _azurehound,
    BLOODHOUND: _bloodhound,
    ANSWERS: _answers,
}


def _moved(records: Iterable[Record], plane: Plane) -> Iterator[Record]:
    """Yield records with everything that was observed on another plane."""
    for record in records:
        if isinstance(record, Remark) or record.plane != "observed":
            yield record
        elif isinstance(record, Node):
            yield dataclasses.replace(record, uid=located(record.uid, plane), plane=plane)
        elif isinstance(record, Relationship):
            ends = {"start": located(record.start, plane), "end": located(record.end, plane)}
            yield dataclasses.replace(record, **ends, plane=plane)  # type: ignore[arg-type]
        else:
            yield dataclasses.replace(record, plane=plane)
