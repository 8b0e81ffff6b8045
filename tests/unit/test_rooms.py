"""Who may know whom, read from the code's own imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
MODULES = sorted(SOURCE.rglob("*.py"))

FORBIDDEN = {
    "simbuilder.scaffolding": ("simbuilder.sessions", "simbuilder.runtimes", "simbuilder.cli"),
    "simbuilder.sessions": (
        "simbuilder.runtimes",
        "simbuilder.cli",
        "simbuilder.graph",
        "simbuilder.bus",
    ),
    "simbuilder.graph": (
        "simbuilder.sessions",
        "simbuilder.runtimes",
        "simbuilder.cli",
        "simbuilder.bus",
    ),
    "simbuilder.bus": (
        "simbuilder.sessions",
        "simbuilder.runtimes",
        "simbuilder.cli",
        "simbuilder.graph",
    ),
    "simbuilder.runtimes": (
        "simbuilder.graph",
        "simbuilder.bus",
        "simbuilder.cli",
        "simbuilder.sessions.manager",
        "simbuilder.sessions.store",
        "simbuilder.sessions.finder",
        "simbuilder.sessions.current",
    ),
}
PURE = (
    {
        f"simbuilder.sessions.{name}"
        for name in (
            "model",
            "catalog",
            "envfile",
            "plan",
            "proofs",
            "result",
            "runtime",
            "view",
            "expiry",
            "outputs",
            "lines",
            "watching",
        )
    }
    | {
        f"simbuilder.graph.{name}"
        for name in (
            "schema",
            "model",
            "records",
            "preparing",
            "batches",
            "cypher",
            "queries",
            "paths",
            "errors",
            "synthetic",
            "view",
        )
    }
    | {
        f"simbuilder.bus.{name}"
        for name in (
            "address",
            "catalogue",
            "declarations",
            "errors",
            "events",
            "formats",
            "payloads",
            "subjects",
            "words",
        )
    }
    | {
        "simbuilder.scaffolding.dotenv",
        "simbuilder.scaffolding.exceptions",
        "simbuilder.scaffolding.text",
        "simbuilder.runtimes.logs",
    }
)
IMPURE_LIBRARY = {"os", "time", "uuid", "random", "secrets", "socket", "subprocess", "threading"}
PROGRAMS = {"simbuilder.api", "simbuilder.pytest_plugin"}
"""For Python programs, which get clients of all servers."""
WATCHING = {f"simbuilder.cli.watching.{name}" for name in ("app", "screens", "table")}
EVENTS = ("workflow", "health", "errors", "deadletters")
DOORS = {
    "subprocess": {"simbuilder.scaffolding.process", "simbuilder.scaffolding.programs"},
    "psutil": {"simbuilder.scaffolding.process", "simbuilder.scaffolding.machine"},
    "fcntl": {"simbuilder.scaffolding.files", "simbuilder.scaffolding.copying"},
    "neo4j": {
        "simbuilder.api",
        "simbuilder.graph.database",
        "simbuilder.pytest_plugin",
        "simbuilder.runtimes.cypher",
        "simbuilder.runtimes.probes",
        "simbuilder.runtimes.canaries.graph",
    },
    "nats": PROGRAMS
    | {"simbuilder.runtimes.probes", "simbuilder.runtimes.canaries.bus"}
    | {
        f"simbuilder.bus.jetstream.{name}"
        for name in (
            "connecting",
            "connection",
            "payloads",
            "publishing",
            "pulling",
            "queues",
            "reading",
            "requests",
            "stored",
        )
    },
    "cloudevents": {"simbuilder.bus.events", "simbuilder.bus.formats"},
    "prometheus_client": {"simbuilder.bus.metrics"},
    "opentelemetry": {"simbuilder.bus.tracing"},
    "azure": PROGRAMS | {"simbuilder.runtimes.canaries.storage"},
    "structlog": {"simbuilder.scaffolding.logging"},
    "pydantic": {
        "simbuilder.scaffolding.config",
        "simbuilder.bus.events",
        *(f"simbuilder.bus.catalogue.{name}" for name in EVENTS),
    },
    "pydantic_settings": {"simbuilder.scaffolding.config"},
    "python_on_whales": {"simbuilder.runtimes.docker.images"},
    "rich": {"simbuilder.cli.render", *WATCHING},
    "textual": {*WATCHING},
}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_room_may_know(path: Path) -> None:
    module = name_of(path)
    for found in imports(path):
        for room, forbidden in FORBIDDEN.items():
            if within(module, room):
                assert not any(within(found, other) for other in forbidden), found
        if any(within(module, pure) for pure in PURE):
            assert found.split(".")[0] not in IMPURE_LIBRARY, found
            if within(found, "simbuilder"):
                assert any(within(found, pure) for pure in PURE) or found in (
                    "simbuilder.bus",
                    "simbuilder.graph",
                    "simbuilder.scaffolding",
                    "simbuilder.sessions",
                ), found
        for library, doors in DOORS.items():
            assert not within(found, library) or module in doors, found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_doors_of_the_language_stay_shut(path: Path) -> None:
    module = name_of(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            assert owner != "os" or module == "simbuilder.scaffolding.environment"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", "printing belongs to cli.streams"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
