"""Writes whatever of the documents can be read from the code, so that it is never out of date.

`python -m docs.generate` writes what is stale. With `--check` it writes nothing, and its exit
status is 1 if something is stale.
"""

import sys
from pathlib import Path

from docs import bus_events, graph_model, graph_rows, reference, schema
from simbuilder.bus.catalogue import CATALOGUE
from simbuilder.bus.declarations import DECLARED
from simbuilder.graph.model import SCHEMA
from simbuilder.scaffolding.config import env_template

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "docs" / "schemas"
ROWS = ROOT / "src" / "simbuilder" / "graph" / "rows"


def documents() -> dict[Path, str]:
    """Return every generated file and what it has to say."""
    return {
        ROOT / ".env.template": env_template(),
        ROOT / "docs" / "bus-events.md": bus_events.page(CATALOGUE, DECLARED),
        ROOT / "docs" / "cli.md": reference.text(),
        ROOT / "docs" / "graph-model.md": graph_model.page(SCHEMA),
        **{SCHEMAS / name: text for name, text in schema.texts().items()},
        **{ROWS / name: text for name, text in graph_rows.modules(SCHEMA).items()},
    }


def stale() -> dict[Path, str | None]:
    """Return the files that do not say what they should; `None` for one that should not be."""
    wanted = documents()
    present = {*SCHEMAS.glob("*"), *ROWS.glob("*.py")}
    found: dict[Path, str | None] = dict.fromkeys(present - set(wanted))
    return found | {
        path: text
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main() -> int:
    """Write, or check, all of it."""
    check = "--check" in sys.argv[1:]
    found = stale()
    for path, text in found.items():
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is stale: 'python3 tasks.py format' writes it anew", file=sys.stderr)
        elif text is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
