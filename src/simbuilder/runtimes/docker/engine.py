"""One Docker engine, asked through the `docker` program, and its refusals in our words.

Questions do not go through python-on-whales: its import alone takes 0.4 s where `docker ps` takes
0.05, it lists containers with two processes instead of one, and it cannot give up on an engine that
does not answer (0.81).
"""

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simbuilder.runtimes import logs
from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import process_environment
from simbuilder.scaffolding.exceptions import (
    AddressPoolError,
    ComposeMissingError,
    DiskFullError,
    EngineError,
    EnginePermissionError,
    EngineUnreachableError,
    ImageUnavailableError,
    SimBuilderError,
)
from simbuilder.sessions import catalog

LOWEST_COMPOSE = (2, 23, 1)
"""The first that writes a config's `content` into containers (Compose release notes, 2023-11)."""

AUTO_TIMEOUT_S = 2.0
"""For an engine that nobody asked for: whoever has none must not wait long."""

LOOK_TIMEOUT_S = 5.0
"""For a question that an engine in order answers at once."""

PATIENCE_S = 20.0
"""For what may take a while: an engine far away or just starting, Compose making containers."""

LOCAL_HINT = "or run sessions without Docker: --runtime local"
_OURS = ("NEO4J_", "NATS_", "AZURITE_", "SIMBUILDER_", "COMPOSE_")
_COMMAND_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What answered, after how long, and where: see `Session` for what engine and host are."""

    engine: str
    host: str
    docker: str
    compose: str
    latency_ms: float

    def __str__(self) -> str:
        return f"Docker {self.docker} with Compose {self.compose} answers at {self.engine}"


class Engine:
    """The engine with a URL or a context's name; the one a `docker` command would take if empty.

    `mark` is put on the commands that are run, by which they are found if they outlive us.
    """

    def __init__(self, name: str = "", mark: str = "") -> None:
        self.name = name
        self.mark = mark

    def options(self) -> list[str]:
        """Return the options of `docker` that lead to this engine."""
        if not self.name:
            return []
        return ["--host" if "://" in self.name else "--context", self.name]

    def environment(self) -> dict[str, str]:
        """Return the user's environment less what would lead Docker elsewhere, or into our files.

        Whoever has sourced one session's variables must not start another session with them. And
        certificates for a remote engine make `docker` refuse to talk to a socket.
        """
        chosen = ["DOCKER_HOST", "DOCKER_CONTEXT"] if self.name else []
        if self.name and not self.name.startswith("tcp:"):
            chosen += ["DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"]
        kept = {
            key: value
            for key, value in process_environment().items()
            if not key.startswith(_OURS) and key not in chosen
        }
        return kept | ({process.MARK: self.mark} if self.mark else {})

    def installed(self) -> bool:
        """True if there is a `docker` command at all."""
        return shutil.which("docker") is not None

    def ask(self, *arguments: str, timeout_s: float = _COMMAND_TIMEOUT_S) -> str:
        """Run `docker` with `arguments` and return what it writes to stdout.

        Raises what `explain` makes of its refusal, and `EngineUnreachableError` after `timeout_s`.
        """
        return self._accepted(arguments, timeout_s).out

    def lines(self, *arguments: str, timeout_s: float = _COMMAND_TIMEOUT_S) -> list[str]:
        """Return what `ask` returns, line by line, without empty ones."""
        return [line for line in self.ask(*arguments, timeout_s=timeout_s).splitlines() if line]

    def log(self, container: str) -> tuple[str, ...]:
        """Return the tail of what a container wrote, its errors last."""
        done = self._accepted(("logs", "--tail", str(logs.READ), container), LOOK_TIMEOUT_S)
        return logs.tail(f"{done.out}\n{done.err}".splitlines())

    def _accepted(self, arguments: Sequence[str], timeout_s: float) -> process.Completed:
        done = self.attempt(arguments, timeout_s)
        if done.status != 0:
            raise self.explain(done.err or done.out)
        return done

    def attempt(self, arguments: Sequence[str], timeout_s: float) -> process.Completed:
        """Run `docker` to its end, whatever that is.

        Raises `EngineUnreachableError` if there is no `docker`, and after `timeout_s`.
        """
        argv = ["docker", *self.options(), *arguments]
        try:
            return process.run(argv, self.environment(), Path("/"), timeout_s)
        except FileNotFoundError:
            raise EngineUnreachableError(
                "the docker command is not installed", f"install Docker, {LOCAL_HINT}"
            ) from None
        except TimeoutError:
            raise EngineUnreachableError(
                f"the Docker engine{self.where} did not answer within {timeout_s:g} s",
                f"look at the engine, or restart it; {LOCAL_HINT}",
            ) from None
        except OSError as error:
            raise EngineUnreachableError(
                f"the docker command cannot be run: {error.strerror}", f"mend it, {LOCAL_HINT}"
            ) from None

    def answer(self, timeout_s: float = PATIENCE_S) -> Answer:
        """Ask for versions and the endpoint at the same time; for `timeout_s`, the engine itself.

        Raises `EngineUnreachableError`, `EnginePermissionError` or `ComposeMissingError`; the first
        of them also for what calls itself docker and leads to no engine.
        """
        endpoint = "{{.Name}} {{.Endpoints.docker.Host}}"
        questions = [
            partial(self.ask, "version", "--format", "{{.Server.Version}}", timeout_s=timeout_s),
            partial(self.ask, "compose", "version", "--short", timeout_s=PATIENCE_S),
            partial(self.ask, "context", "inspect", "--format", endpoint, timeout_s=PATIENCE_S),
        ]
        began = time.monotonic()
        try:
            docker, compose, context = process.together(questions)
        except EngineError as error:
            look = f"see what 'docker version' says, {LOCAL_HINT}"
            raise EngineUnreachableError(error.message, look) from None
        _check_compose(compose.strip())
        name, _, url = context.strip().partition(" ")
        engine = url if name == "default" else name
        latency_ms = round((time.monotonic() - began) * 1000, 1)
        return Answer(engine, _host(url), docker.strip(), compose.strip(), latency_ms)

    def explain(self, text: str) -> SimBuilderError:
        """Return what Docker or Compose says went wrong, and what to do about it.

        The last line counts first: before it, Compose reports what it gave up because of the cause.
        """
        answered = _ANSWERED in text  # then it is somebody else whom it could not reach
        for said in (last_line(text), text):
            for pattern, kind, message, hint in _REFUSALS:
                if answered and issubclass(kind, EngineUnreachableError):
                    continue
                if re.search(pattern, said, re.IGNORECASE):
                    return kind(message.format(where=self.where), hint)
        return EngineError(f"Docker says: {last_line(text)}")

    @property
    def where(self) -> str:
        """Where it is, as the end of a sentence; nothing for the one Docker takes by itself."""
        if self.name:
            return f" at {self.name}"
        given = process_environment()
        variable = next((v for v in ("DOCKER_HOST", "DOCKER_CONTEXT") if given.get(v)), None)
        return f" at {given[variable]} ({variable})" if variable else ""


def explain_pull(image: str, text: str, variables: Sequence[str]) -> ImageUnavailableError:
    """Return why an image could not be had; `variables` are the settings of all that are missing.

    The first of them is that of the image.
    """
    again = "a session keeps its images, so create one with {} set to images you have"
    if re.search("manifest|not found|does not exist|denied", text, re.IGNORECASE):
        return ImageUnavailableError(
            f"the image {image} does not exist, or may not be pulled: {last_line(text)}",
            f"sign in with 'docker login'; {again.format(variables[0])}, {LOCAL_HINT}",
        )
    return ImageUnavailableError(
        f"the image {image} could not be pulled: {last_line(text)}",
        "connect the engine to the registry and run the same command again; "
        f"{again.format(', '.join(variables))}, {LOCAL_HINT}",
    )


def ports_taken(text: str) -> set[int]:
    """Return the host ports that Docker says somebody else holds."""
    found: set[int] = set()
    for line in text.splitlines():
        if re.search("port is already allocated|address already in use", line):
            found |= {int(port) for port in re.findall(r"[\d.\]]:(\d{4,5})\b", line)}
    return found


def last_line(text: str) -> str:
    """Return the last thing Docker said, less its prefixes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("exit status ")] or lines
    return (
        re.sub(r"^(Error response from daemon|Error|docker):\s*", "", lines[-1])[:300]
        if lines
        else ""
    )


def _check_compose(version: str) -> None:
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:3])
    if numbers < LOWEST_COMPOSE:
        lowest = ".".join(map(str, LOWEST_COMPOSE))
        raise ComposeMissingError(
            f"Docker Compose {version} is too old: {lowest} or newer is needed",
            f"update the Compose plug-in, {LOCAL_HINT}",
        )


def _host(url: str) -> str:
    """Return the host on which the engine at `url` publishes ports."""
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    return catalog.HOST if host in ("", "localhost") or url.startswith("npipe") else host


_ANSWERED = "Error response from daemon"
_START = f"start Docker and run the same command again, {LOCAL_HINT}"
_JOIN_GROUP = "join the group docker ('sudo usermod -aG docker $USER') and sign in again"
_PLUGIN = "install it (docker-compose-plugin of Docker's packages, docker-compose-v2 of Ubuntu's)"
_PRUNE = (
    "remove networks nobody uses ('docker network prune') and try again; if others took its very "
    "addresses, remove the session: a new one gets others"
)
_SILENT = (
    "connect to the docker|error during connect|connection (refused|reset)|no route to host|"
    "broken pipe|docker daemon running"
)
_REFUSALS: Sequence[tuple[str, type[SimBuilderError], str, str]] = (
    (
        r"permission denied.*(docker.sock|connect)|connect.*permission denied",
        EnginePermissionError,
        "no permission to talk to the Docker engine{where}",
        f"{_JOIN_GROUP}, {LOCAL_HINT}",
    ),
    (
        "is not a docker command|unknown command: docker compose|unknown (shorthand )?flag",
        ComposeMissingError,
        "Docker has no Compose plug-in",
        f"{_PLUGIN}, {LOCAL_HINT}",
    ),
    (
        "context .*not found",
        EngineUnreachableError,
        "there is no Docker context{where}",
        "'docker context ls' shows those there are",
    ),
    (
        _SILENT,
        EngineUnreachableError,
        "no Docker engine answers{where}",
        _START,
    ),
    (
        "non-overlapping|pool overlaps|address pools? ha(s|ve) been|conflicts with network",
        AddressPoolError,
        "the engine has no free addresses for the session's network",
        _PRUNE,
    ),
    (
        "no space left on device",
        DiskFullError,
        "the disk of the Docker engine is full",
        "free some space ('docker system df' shows what takes it) and run the same command again",
    ),
)
"""A pattern of what is said (Docker 20.10 to 28, Compose 2 and 5), and our words for it."""
