"""The page that draws a graph: one file, which loads nothing and sends nothing."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
SCRIPTS = (
    *(f"vendor/{name}.min.js" for name in ("d3-dispatch", "d3-quadtree", "d3-timer", "d3-force")),
    "vendor/cytoscape.min.js",
    *("model.js", "layout.js", "looks.js", "canvas.js"),
    *("elements.js", "filters.js", "search.js", "panel.js", "view.js"),
)
"""In the order in which they need each other."""


def page(
    title: str,
    nodes: Sequence[Mapping[str, object]],
    relationships: Sequence[Mapping[str, object]],
    highlight: Sequence[str] = (),
    note: str = "",
) -> str:
    """Return the page; whatever names and properties hold, a browser takes none of it for markup.

    Args:
        title: Of the page.
        nodes: Each with `uid`, `kind`, `family`, `name`, `plane` and `properties`.
        relationships: Each with `kind`, `from` and `to` (a uid), `attack` and `properties`; those
            with an end that is not among the nodes are not drawn.
        highlight: The uids along a path that is marked from the start.
        note: What to say beside the title, such as how much of the graph this is.
    """
    scripts = [_read(name) for name in SCRIPTS]
    data = {"nodes": nodes, "relationships": relationships, "highlight": highlight}
    return Template(_read("page.html")).substitute(
        title=html.escape(title),
        note=html.escape(note),
        licence=_read("vendor/LICENSE.d3"),
        css=_read("view.css"),
        hashes=" ".join(_hash(script) for script in scripts),
        data=_embedded(data),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _read(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _hash(script: str) -> str:
    """Return what the page's policy calls a script that may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embedded(data: object) -> str:
    """Return JSON that cannot end the element around it."""
    text = json.dumps(data, default=str)
    if "NaN" in text or "Infinity" in text:  # Python writes these numbers, no browser reads them
        text = json.dumps(json.loads(text, parse_constant=str))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
