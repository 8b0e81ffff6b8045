"""The images a session needs: which the engine lacks, and pulling them, with progress.

Pulling goes through python-on-whales, which streams what the engine says.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from simbuilder.runtimes.docker.engine import Engine, explain_pull
from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import process_environment
from simbuilder.scaffolding.exceptions import EngineError
from simbuilder.sessions.result import Event, EventSink

if TYPE_CHECKING:
    from python_on_whales import DockerClient


def variable(service: str) -> str:
    """Return the setting that names the image of a service."""
    return f"{service.upper()}_IMAGE"


def pull_missing(engine: Engine, images: Mapping[str, str], emit: EventSink) -> None:
    """Pull the images, by service, that the engine does not have, at the same time.

    Raises `ImageUnavailableError`, or what the engine says of itself. The first that cannot be had
    ends the pulls of the others.
    """
    listed = engine.lines("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    missing = {s: i for s, i in images.items() if i not in listed and not _has(engine, i)}
    if missing:
        process.together([partial(_pull, engine, s, missing, emit) for s in missing])


def _has(engine: Engine, image: str) -> bool:
    """True if the engine knows the image by a name it does not list, such as a digest."""
    try:
        engine.ask("image", "inspect", "--format", "{{.Id}}", image)
    except EngineError:
        return False
    return True


def _pull(
    engine: Engine,
    service: str,
    missing: Mapping[str, str],
    emit: EventSink,
) -> None:
    from python_on_whales.exceptions import DockerException

    image = missing[service]
    emit(Event("begin", service, f"pulling {image}"))
    layers: dict[str, bool] = {}
    try:
        progress: Any = _client(engine).image.pull(image, stream_logs=True)
        for _, raw in progress:
            layer, _, doing = raw.decode(errors="replace").strip().partition(": ")
            finished = doing in ("Pull complete", "Already exists")
            if re.fullmatch("[0-9a-f]{12}", layer) and layers.get(layer) is not finished:
                layers[layer] = finished
                count = f"{sum(layers.values())} of {len(layers)} layers"
                emit(Event("begin", service, f"pulling {image}: {count}"))
    except DockerException as error:
        emit(Event("failed", service, "its image could not be pulled"))
        text = error.stderr or str(error)
        told = engine.explain(text)
        if isinstance(told, EngineError):
            others = [s for s in missing if s != service]
            told = explain_pull(image, text, _variables(service, *others))
        raise told from None
    emit(Event("done", service, f"pulled {image}"))


def _variables(*services: str) -> Sequence[str]:
    return [variable(service) for service in services]


def _client(engine: Engine) -> "DockerClient":
    """Return python-on-whales' client for this engine.

    It hands on our whole environment, in which variables of a session may have been exported: `env`
    takes them out on the way. What it puts in lets a pull be ended that nobody waits for any more.
    """
    from python_on_whales import DockerClient

    kept = engine.environment()
    drop = [f"--unset={name}" for name in process_environment() if name not in kept]
    crew = [f"{name}={value}" for name, value in process.crew().items()]
    name = engine.name
    return DockerClient(
        client_call=["env", *drop, *crew, "docker"],
        host=name if "://" in name else None,
        context=None if "://" in name or not name else name,
    )
