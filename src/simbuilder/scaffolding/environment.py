"""Where settings come from: the real environment, then `.env`, then `.env.session`.

The first that names a variable wins, so a value the user wrote beats a generated one and an
exported one beats both. This is the only module that reads `os.environ`. It stays free of
pydantic, whose import (0.13 s) would double the time of `session list`; `CoreSettings` holds the
few values session commands need, and `config.Settings` types the rest on top of the same parsers.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from simbuilder.scaffolding import dotenv
from simbuilder.scaffolding.exceptions import ConfigurationError, UsageError

T = TypeVar("T")

ENV_FILE = ".env"
SESSION_FILE = ".env.session"
RUNTIMES = ("auto", "local", "docker")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MODES = ("development", "production")
DEFAULTS = {
    "ENVIRONMENT": "development",
    "LOG_LEVEL": "INFO",
    "SIMBUILDER_RUNTIME": "auto",
    "SIMBUILDER_PORT_RANGE_START": "30000",
    "SIMBUILDER_PORT_RANGE_END": "40000",
    "SIMBUILDER_PUBLISH_ADDRESS": "127.0.0.1",
}
"""Defaults that do not depend on the machine; the folders' defaults do."""

CONTAINERS = {
    "NEO4J_IMAGE": "neo4j:5.26.28-community",
    "NATS_IMAGE": "nats:2.15.1-alpine",
    "AZURITE_IMAGE": "mcr.microsoft.com/azure-storage/azurite:3.37.0",
    "NEO4J_HEAP_SIZE": "512m",
    "NEO4J_PAGE_CACHE_SIZE": "128m",
    "NEO4J_MEMORY_LIMIT": "1g",
    "NATS_MEMORY_LIMIT": "256m",
    "AZURITE_MEMORY_LIMIT": "512m",
}
"""The settings `docker-compose.yaml` takes, with the defaults it has itself (a test compares)."""
DEFAULTS |= CONTAINERS

LOWEST_PORT, HIGHEST_PORT = 1024, 65535
BLOCK_SIZE = 10
"""Ports one session takes; also the least a port range must hold."""


@dataclass(frozen=True)
class Value:
    """A raw setting and where it was found: `environment`, `.env`, `.env.session` or `default`.

    `base` is the folder a relative path in it starts from: that of the file, or the current one.
    """

    text: str
    source: str
    base: Path = Path()


class Environment:
    """The layered raw settings of one folder."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def get(self, name: str, default: str = "") -> Value:
        """Return the value; an empty one counts as not set, as it does for a shell's `${X:-}`."""
        found = self._values.get(name)
        return found if found is not None and found.text else Value(default, "default")

    def texts(self) -> dict[str, str]:
        """Return every non-empty variable as plain text."""
        return {name: value.text for name, value in self._values.items() if value.text}


def process_environment() -> dict[str, str]:
    """Return a copy of the real environment, for a tool that is run on the user's behalf."""
    return dict(os.environ)


def find_upward(folder: Path, name: str) -> Path | None:
    """Return the nearest `name` from `folder` up to the root of its checkout, which holds `.git`.

    Outside a checkout only `folder` itself counts, and folders of other users never do: settings
    say which programs run, so nobody's `/tmp/.env` may reach those who work below `/tmp`.
    """
    for place in _checkout(folder):
        if (place / name).exists():
            return place / name
    return None


def current_folder() -> Path:
    """Return the current folder. Raises `UsageError` if it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder was deleted", "change to another one") from None


def checkout_root(folder: Path) -> Path:
    """Return the last folder in which `find_upward` would look."""
    return _checkout(folder)[-1]


def _checkout(folder: Path) -> list[Path]:
    places = []
    for place in (folder, *folder.parents):
        if place.stat().st_uid != os.getuid():
            break
        places.append(place)
        if (place / ".git").exists():
            return places
    return [folder]


def read_environment(folder: Path) -> Environment:
    """Read the three layers for `folder`; the files are the nearest ones, see `find_upward`.

    Raises `ConfigurationError` for a `.env` that is unreadable or holds a line that is not
    `KEY=value`. A damaged `.env.session` is read as far as it goes: it is generated, and
    `session start` writes it anew.
    """
    values: dict[str, Value] = {}
    for name in (SESSION_FILE, ENV_FILE):
        path = find_upward(folder, name)
        if path is None:
            continue
        found, bad = _read_file(path)
        if bad and name == ENV_FILE:
            raise ConfigurationError(
                f"{path}: line {bad[0]} is not KEY=value", f"correct or remove line {bad[0]}"
            )
        values |= {key: Value(text, name, path.parent) for key, text in found.items() if text}
    values |= {k: Value(text, "environment", folder) for k, text in os.environ.items() if text}
    return Environment(values)


def _read_file(path: Path) -> tuple[dict[str, str], list[int]]:
    if not path.is_file():  # a FIFO would hang the reader, a directory would raise
        raise ConfigurationError(f"{path} is not a regular file", "move it away")
    damaged = "replace" if path.name == SESSION_FILE else "strict"
    try:
        return dotenv.parse(path.read_text(encoding="utf-8", errors=damaged))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text", "save it as UTF-8") from error


def parse_folder(text: str, base: Path) -> Path:
    """Return an absolute folder; `~` is expanded and a relative one starts from `base`.

    Raises `ValueError` for a control character.
    """
    if not text.isprintable():
        raise ValueError("is not a folder name")
    try:
        # resolved: the folder is part of each server's mark, and must have one spelling only
        return (base / Path(text).expanduser()).resolve()
    except RuntimeError:
        raise ValueError("names a home folder that does not exist") from None


def parse_port(text: str) -> int:
    """Return a port number a normal user may bind. Raises `ValueError` otherwise."""
    try:
        port = int(text)
    except ValueError:
        raise ValueError("is not a port number") from None
    if not LOWEST_PORT <= port <= HIGHEST_PORT:
        raise ValueError(f"is outside {LOWEST_PORT}-{HIGHEST_PORT}")
    return port


def parse_memory(text: str) -> str:
    """Return an amount of memory as Docker and Java write it, such as `512m`."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}[kmgKMG]", text):
        raise ValueError("is not an amount of memory such as 512m or 1g")
    return text


def memory_bytes(text: str) -> int:
    """Return an amount that `parse_memory` accepts in bytes; k, m and g are powers of 1024."""
    return int(text[:-1]) << {"k": 10, "m": 20, "g": 30}[text[-1].lower()]


def parse_image(text: str) -> str:
    """Return the name of a container image."""
    if not re.fullmatch(r"[A-Za-z0-9][\w./:@-]*", text):
        raise ValueError("is not the name of an image")
    return text


def parse_address(text: str) -> str:
    """Return an IPv4 address. Raises `ValueError`."""
    if text == DEFAULTS["SIMBUILDER_PUBLISH_ADDRESS"]:
        return text
    import ipaddress  # 4 ms, and hardly anybody sets an address

    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("is not an IPv4 address") from None


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a parser of one of `choices`; it ignores case and returns the choice as spelt."""

    def parse(text: str) -> str:
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ValueError(f"is not one of {', '.join(choices)}")

    return parse


def check_port_range(start: int, end: int) -> None:
    """Raise `ValueError` unless the range holds at least one block of ten ports."""
    if end < start:
        raise ValueError(f"the range {start}-{end} is reversed")
    if end - start + 1 < BLOCK_SIZE:
        raise ValueError(f"the range {start}-{end} holds fewer than {BLOCK_SIZE} ports")


@dataclass(frozen=True)
class CoreSettings:
    """What a session command needs to know, checked; `port_end` is inclusive."""

    state_dir: Path
    cache_dir: Path
    runtime: str
    port_start: int
    port_end: int
    log_level: str
    environment: str
    neo4j_home: str
    publish_address: str
    containers: Mapping[str, str]

    def by_variable(self) -> dict[str, Any]:
        """Return the values under the names of the variables they are set with."""
        return {
            "SIMBUILDER_STATE_DIR": self.state_dir,
            "SIMBUILDER_CACHE_DIR": self.cache_dir,
            "SIMBUILDER_RUNTIME": self.runtime,
            "SIMBUILDER_PORT_RANGE_START": self.port_start,
            "SIMBUILDER_PORT_RANGE_END": self.port_end,
            "LOG_LEVEL": self.log_level,
            "ENVIRONMENT": self.environment,
            "NEO4J_HOME": self.neo4j_home,
            "SIMBUILDER_PUBLISH_ADDRESS": self.publish_address,
            **self.containers,
        }


def core_settings(environment: Environment) -> CoreSettings:
    """Check and return the core settings.

    Raises `ConfigurationError` that names the variable, its value and where it came from.
    """
    from platformdirs import user_cache_dir, user_state_dir

    defaults = DEFAULTS | {
        "NEO4J_HOME": "",
        "SIMBUILDER_STATE_DIR": user_state_dir("simbuilder", appauthor=False),
        "SIMBUILDER_CACHE_DIR": user_cache_dir("simbuilder", appauthor=False),
    }

    def read_folder(name: str) -> Path:
        return read(name, lambda text: parse_folder(text, environment.get(name).base))

    def read(name: str, parse: Callable[[str], T]) -> T:
        value = environment.get(name, defaults[name])
        try:
            return parse(value.text)
        except ValueError as error:
            raise ConfigurationError(
                f"{name}={value.text!r} (from {value.source}) {error}",
                f"correct {name} in {value.source}, or remove it to use {defaults[name]}",
            ) from None

    settings = CoreSettings(
        state_dir=read_folder("SIMBUILDER_STATE_DIR"),
        cache_dir=read_folder("SIMBUILDER_CACHE_DIR"),
        runtime=read("SIMBUILDER_RUNTIME", one_of(RUNTIMES)),
        port_start=read("SIMBUILDER_PORT_RANGE_START", parse_port),
        port_end=read("SIMBUILDER_PORT_RANGE_END", parse_port),
        log_level=read("LOG_LEVEL", one_of(LOG_LEVELS)),
        environment=read("ENVIRONMENT", one_of(MODES)),
        neo4j_home=str(read_folder("NEO4J_HOME")) if environment.get("NEO4J_HOME").text else "",
        publish_address=read("SIMBUILDER_PUBLISH_ADDRESS", parse_address),
        containers={
            name: read(name, parse_image if name.endswith("_IMAGE") else parse_memory)
            for name in CONTAINERS
        },
    )
    try:
        check_port_range(settings.port_start, settings.port_end)
    except ValueError as error:
        sources = [
            f"{name} from {environment.get(name).source}"
            for name in ("SIMBUILDER_PORT_RANGE_START", "SIMBUILDER_PORT_RANGE_END")
        ]
        raise ConfigurationError(
            f"SIMBUILDER_PORT_RANGE_START/_END: {error} ({', '.join(sources)})",
            "give a start below the end, for example 30000 and 40000",
        ) from None
    return settings
