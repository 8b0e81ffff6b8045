"""Files that commands write: new ones, whole or not at all, and in the format of their name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from simbuilder.scaffolding.exceptions import UsageError

FORMATS = ("bundle", "bloodhound", "graphml")
_SUFFIXES = {".jsonl": "bundle", ".json": "bloodhound", ".graphml": "graphml"}
_KNOWN = ", ".join(f"{suffix} ({name})" for suffix, name in _SUFFIXES.items())


def format_of(path: Path | None, name: str | None) -> str:
    """Return the format asked for by `name`, else by the ending of the file.

    Raises `UsageError` for one that there is not, and if neither says any.
    """
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"unknown format {name!r}", f"known: {', '.join(FORMATS)}")
        return name
    if path is None or str(path) == "-":
        return "bundle"
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    found = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise UsageError(
            f"{path.name} does not say its format", f"end it in {_KNOWN}, or give --format"
        )
    return found


def check_target(path: Path, force: bool) -> Path:
    """Return the absolute path of a file that can be written.

    Raises `UsageError` if there is one that may not be overwritten, or no folder to write it in.
    """
    target = path.absolute()
    if target.is_dir():
        raise UsageError(f"{target} is a folder", "name the file in it")
    if (target.exists() or target.is_symlink()) and not force:
        raise UsageError(
            f"{target} exists already", "choose another name, or overwrite it with --force"
        )
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder", "choose another place, or make it first")
    return target


@contextmanager
def new_file(target: Path) -> Iterator[BinaryIO]:
    """Give what writes the file, packed if its name ends in `.gz`; it appears when it is whole."""
    from simbuilder.graph.formats.files import packed
    from simbuilder.scaffolding.files import write_atomically

    with write_atomically(target) as file, packed(file, target) as out:
        yield out
