"""What Docker Compose is given for a session: files, variables, and a name."""

from collections.abc import Mapping
from pathlib import Path

from simbuilder.runtimes.docker.holding import node_options
from simbuilder.runtimes.docker.images import variable
from simbuilder.scaffolding import dotenv
from simbuilder.scaffolding.environment import memory_bytes
from simbuilder.scaffolding.exceptions import ConfigurationError
from simbuilder.scaffolding.files import make_private_folder, write_atomic
from simbuilder.sessions import envfile
from simbuilder.sessions.model import End, Session

COMPOSE_FILE = Path(__file__).with_name("docker-compose.yaml")
ENDS_FILE = Path(__file__).with_name("docker-compose.ends.yaml")


def arguments(folder: Path, session: Session, settings: Mapping[str, str]) -> list[str]:
    """Write the variables into `folder` and return how `docker` is told of the project.

    Labels are added for a session that has an end only: Compose makes anew what gets another label.
    """
    chosen = {variable(service): image for service, image in session.images.items()}
    mark = {"SIMBUILDER_EXPIRES": session.mark.expires_at, "SIMBUILDER_BOUND_TO": session.bound_to}
    variables = {**envfile.variables(session), **settings, **chosen, **mark}
    variables["SIMBUILDER_NODE_OPTIONS"] = node_options()
    path = make_private_folder(folder) / "compose.env"
    write_atomic(path, dotenv.for_compose(dotenv.render(variables)))
    files = [COMPOSE_FILE, *([ENDS_FILE] if session.mark != End() else [])]
    given = [word for file in files for word in ("--file", str(file))]
    return ["compose", *given, "--env-file", str(path), "--project-name", session.project]


def check_memory(settings: Mapping[str, str]) -> None:
    """Raise `ConfigurationError` where Neo4j would not fit its memory."""
    names = ("NEO4J_HEAP_SIZE", "NEO4J_PAGE_CACHE_SIZE", "NEO4J_MEMORY_LIMIT")
    heap, cache, limit = (memory_bytes(settings[name]) for name in names)
    if heap + cache > limit:
        shown = ", ".join(f"{name}={settings[name]}" for name in names)
        raise ConfigurationError(
            f"Neo4j does not fit its memory limit: {shown}",
            "raise NEO4J_MEMORY_LIMIT above the sum of the others, or lower one of them",
        )
