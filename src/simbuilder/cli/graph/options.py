"""What the commands of a graph share: their options, and the words that are offered on Tab."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simbuilder.graph import records


def planes() -> list[str]:
    """Offer the planes there are."""
    from simbuilder.graph.records import PLANES

    return list(PLANES)


def kinds() -> list[str]:
    """Offer the kinds of node, and the labels that several of them share."""
    from simbuilder.graph.model import SCHEMA

    return list(SCHEMA.labels)


def families() -> list[str]:
    """Offer the families of relationships."""
    from simbuilder.graph.model import SCHEMA

    return list(SCHEMA.families)


def formats() -> list[str]:
    """Offer the formats a graph can be written in."""
    from simbuilder.cli.graph.files import FORMATS

    return list(FORMATS)


Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if there is one.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write every remark, as lines of JSON."),
]
PLANE = "planned|deployed|observed"
Plane = Annotated[
    str,
    typer.Option("--plane", metavar=PLANE, help="Where it belongs.", autocompletion=planes),
]
Families = Annotated[
    list[str] | None,
    typer.Option(
        "--family",
        metavar="FAMILY",
        help="Follow these relationships, or this type; can be repeated. Default: attack.",
        show_default=False,
        autocompletion=families,
    ),
]
NODE = "A uid, or a name or sign-in name that only one node has."


def checked_plane(name: str) -> "records.Plane":
    """Return the name of a plane. Raises `UsageError` for any other."""
    from simbuilder.graph.records import PLANES
    from simbuilder.scaffolding.exceptions import UsageError

    for plane in PLANES:
        if plane == name:
            return plane
    raise UsageError(f"unknown plane {name!r}", f"known: {', '.join(PLANES)}")
