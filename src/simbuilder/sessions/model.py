"""Sessions and what can be said of them. Pure and frozen."""

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from simbuilder.scaffolding.exceptions import UsageError
from simbuilder.sessions import catalog

RECORD_VERSION = 1
_ADDED = {
    "engine": "",
    "host": catalog.HOST,
    "published": catalog.HOST,
    "images": {},
    "owner": "",
    "reason": "",
    "expires_at": "",
    "bound_to": "",
    "ttl_s": 0,
    "deadline": "",
    "mount": "",
    "used_in": [],
}
"""What records of version 1 did not say at first: there was only one place for servers."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


class State(StrEnum):
    """What a session or a service is doing.

    `unknown` means the runtime could not say, `removing` that a cleanup of the session has begun.
    """

    RUNNING = "running"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    REMOVING = "removing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Session:
    """One isolated environment, as recorded.

    `ports` maps `service.endpoint` to a port, `secrets` maps a service to its password or key,
    `folder` is the canonical folder the session was created from and `created_at` is UTC in
    ISO 8601. Runtime, engine, host, images and owner are chosen once, for life.

    `engine` is what runs the servers: the URL or context of a Docker engine; for processes the
    folder of a Neo4j server, or nothing for the embedded graph database. `host` is where clients
    reach them, and `published` the address an engine binds their ports to. `images` maps a service
    to its image. `owner` says whose state folder holds the record, and `reason` why this runtime.

    `expires_at` is when the session may go (as `created_at`; empty: never), and `bound_to` the
    identity of a process whose end ends the session too. `deadline` is the moment of `expires_at`
    as `boot:seconds since that boot`, by a clock that nobody sets, and `ttl_s` how long the session
    was given first. `mount` is where the file system that `folder` lies on was mounted. `used_in`
    are other folders where it was made the current session, whose env files it answers for.
    """

    id: str
    name: str | None
    runtime: str
    folder: str
    created_at: str
    services: tuple[str, ...]
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = field(repr=False)
    engine: str = ""
    host: str = catalog.HOST
    published: str = catalog.HOST
    images: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    reason: str = ""
    expires_at: str = ""
    bound_to: str = ""
    ttl_s: int = 0
    deadline: str = ""
    mount: str = ""
    used_in: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[str, ...]:
        """Where an env file that names the session is no copy."""
        return (self.folder, *self.used_in)

    @property
    def end(self) -> "End":
        """When the session shall go, as of now."""
        return End(self.expires_at, self.bound_to, self.deadline)

    @property
    def mark(self) -> "End":
        """What was agreed first, with which all that the session owns is marked for life."""
        if not self.ttl_s:
            return End("", self.bound_to)
        expires_at = datetime.fromisoformat(self.created_at) + timedelta(seconds=self.ttl_s)
        return End(expires_at.isoformat(timespec="milliseconds"), self.bound_to)

    @property
    def subnet(self) -> str:
        """The sixteen addresses of the session's network, in CIDR notation.

        A million of them fit 10.0.0.0/8, and the random id chooses one, so that sessions of users
        who know nothing of each other hardly ever meet (30 sessions: once in 2,000 times).
        """
        number = zlib.crc32(self.id.encode()) >> 12
        return f"10.{number >> 12}.{number >> 4 & 255}.{(number & 15) << 4}/28"

    @property
    def short(self) -> str:
        """The first eight characters of the id."""
        return self.id[:8]

    @property
    def project(self) -> str:
        """The name of the session's project, as Docker Compose sees it."""
        return f"simbuilder-{self.short}"

    @property
    def label(self) -> str:
        """What people call it: the name, or the short id."""
        return self.name or self.short

    def port(self, key: str) -> int:
        """Return the port of a `service.endpoint`. Raises `KeyError`."""
        return self.ports[key]

    def urls(self, service: str) -> dict[str, str]:
        """Return endpoint -> URL, without credentials, for one of the session's services."""
        return {
            e.name: f"{e.scheme}://{self.host}:{self.port(f'{service}.{e.name}')}{e.path}"
            for e in catalog.service(service).endpoints
        }


@dataclass(frozen=True)
class End:
    """When a session shall go: see `Session`. Without any of it, never."""

    expires_at: str = ""
    bound_to: str = ""
    deadline: str = ""


@dataclass(frozen=True)
class Observed:
    """A service as the runtime sees it, without asking the server itself.

    `exit_status` is how the server ended, where that is known (128 + n for signal n). `problem`
    says why a state is unknown, or why what runs cannot serve.
    """

    state: State
    exit_status: int | None = None
    problem: str = ""


@dataclass(frozen=True)
class Place:
    """Where a runtime puts new sessions, and from which images; see `Session`."""

    engine: str = ""
    host: str = catalog.HOST
    published: str = catalog.HOST
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Footprint:
    """What a session really holds where it runs, whatever its record says.

    `sockets` are the addresses and ports its servers listen on, by service; for containers those
    published on the engine's machine. `stores` are data folders (canonical) and volumes; `networks`
    maps the name of a network of its own to its subnet in CIDR notation.
    """

    sockets: Mapping[str, frozenset[tuple[str, int]]]
    stores: frozenset[str]
    networks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What a running service takes of its machine.

    `cpu` is a share of one core, over about the last second. `connections` are those of clients
    (TCP); `None` where they cannot be counted.
    """

    memory_bytes: int
    cpu: float
    connections: int | None = None


@dataclass(frozen=True)
class Health:
    """What a real client got from a service.

    `product` and `version` are the server's own words; `problem` says why it is not `ready`.
    """

    ready: bool
    product: str = ""
    version: str = ""
    latency_ms: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class StartOutcome:
    """How starting one service went; `taken` are its endpoints whose ports somebody else holds."""

    health: Health
    taken: tuple[str, ...] = ()
    log_tail: tuple[str, ...] = ()


def same_owner(one: str, two: str) -> bool:
    """True if two owners (`uid@host:state folder`) are the same but for the name of the machine.

    That changes with a rebuilt dev container, whose sessions stay its user's.
    """
    return _place_of(one) == _place_of(two)


def _place_of(owner: str) -> tuple[str, str]:
    user, _, rest = owner.partition("@")
    return user, rest.partition(":")[2]


def overall(states: Mapping[str, State], ready: Mapping[str, bool] | None = None) -> State:
    """Return the state of a session from those of its services (and who is ready, if asked)."""
    values = set(states.values())
    if State.UNKNOWN in values:
        return State.UNKNOWN
    if values == {State.RUNNING}:
        return State.RUNNING if ready is None or all(ready.values()) else State.DEGRADED
    return State.DEGRADED if State.RUNNING in values else State.STOPPED


def is_session_id(text: str) -> bool:
    """True for a canonical lower-case UUID4."""
    return _ID.fullmatch(text) is not None


def is_moment(text: str) -> bool:
    """True for a date and time with its offset from UTC, in ISO 8601."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def check_name(name: str) -> str:
    """Return `name` if it can name a session. Raises `UsageError`.

    A name must not look like a short id, or `cleanup deadbeef` could mean two sessions.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{_shown(name)} cannot be a name",
            "use 1 to 40 letters, digits, '-' and '_', starting with a letter",
        )
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]*)?", name):
        raise UsageError(
            f"{name!r} cannot be a name: it looks like an id",
            "use a name with a letter beyond f in it",
        )
    if name in {spec.name for spec in catalog.SERVICES}:
        raise UsageError(
            f"{name!r} cannot be a name: it is that of a service", f"use another, such as my-{name}"
        )
    return name


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


class NewerRecordError(ValueError):
    """The record was written by a newer version of SimBuilder."""


def to_record(session: Session) -> dict[str, Any]:
    """Return the session as JSON-ready data, secrets included.

    The seal over it shows a record that was damaged on the disk, down to a single bit. Whoever
    mends one by hand removes that line.
    """
    lists = {"services": list(session.services), "used_in": list(session.used_in)}
    data = {"version": RECORD_VERSION, **vars(session), **lists}
    return {**data, "seal": _seal(data)}


def _seal(data: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in data.items() if k != "seal"}, sort_keys=True)
    return f"{zlib.crc32(text.encode()):08x}"


def from_record(data: Any) -> Session:
    """Return the session a record describes.

    Raises `ValueError` saying what is wrong; a newer record version is refused, not guessed.
    """
    if not isinstance(data, dict):
        raise ValueError("is not a JSON object")
    version = data.get("version")
    if isinstance(version, int) and version > RECORD_VERSION:
        raise NewerRecordError(f"has version {version}; this SimBuilder knows {RECORD_VERSION}")
    if version != RECORD_VERSION:
        raise ValueError("has no valid version")
    if "seal" in data and data["seal"] != _seal(data):
        raise ValueError("is damaged: it is not as it was written")
    data = _ADDED | data
    for key, kind in _KINDS.items():
        if key not in data or not isinstance(data[key], kind):
            raise ValueError(f"has no valid {key!r}")
    _check_values(data)
    values = {key: data[key] for key in _KINDS}
    lists = {key: tuple(data[key]) for key in ("services", "used_in")}
    return Session(**values | lists)


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "name": (str, type(None)),
    "runtime": str,
    "folder": str,
    "created_at": str,
    "services": list,
    "ports": dict,
    "secrets": dict,
    "engine": str,
    "host": str,
    "published": str,
    "images": dict,
    "owner": str,
    "reason": str,
    "expires_at": str,
    "bound_to": str,
    "ttl_s": int,
    "deadline": str,
    "mount": str,
    "used_in": list,
}


_SHOWN = (
    *("name", "runtime", "created_at", "engine", "host", "published", "owner", "reason"),
    *("expires_at", "bound_to", "deadline"),
)


def _check_values(data: Mapping[str, Any]) -> None:
    if not is_session_id(data["id"]):
        raise ValueError("has no valid 'id'")
    known = {spec.name for spec in catalog.SERVICES}
    if not data["services"] or not all(isinstance(s, str) and s in known for s in data["services"]):
        raise ValueError("names an unknown service")
    ports = data["ports"]
    keys = catalog.endpoint_keys()
    numbers = [p for p in ports.values() if type(p) is int and 0 < p < 65536]
    if set(ports) != set(keys) or len(set(numbers)) != len(keys):
        raise ValueError("has no valid 'ports'")
    secrets = data["secrets"]
    texts_only = all(isinstance(secret, str) for secret in secrets.values())
    if not texts_only or not all(secrets.get(s) for s in data["services"]):
        raise ValueError("has no valid 'secrets'")
    if not all(isinstance(image, str) for image in data["images"].values()):
        raise ValueError("has no valid 'images'")
    if not all(isinstance(folder, str) for folder in data["used_in"]):
        raise ValueError("has no valid 'used_in'")
    _check_end(data)
    texts = [data[key] for key in _SHOWN if data[key] is not None]
    if not all(t.isprintable() for t in (*texts, *data["images"].values(), *secrets.values())):
        raise ValueError("holds a control character")


def _check_end(data: Mapping[str, Any]) -> None:
    if data["ttl_s"] < 0 or (data["ttl_s"] and not is_moment(data["created_at"])):
        raise ValueError("has no valid 'ttl_s'")
    if data["expires_at"] and not is_moment(data["expires_at"]):
        raise ValueError("has no valid 'expires_at'")
    if not re.fullmatch(r"([^:]+:\d+(\.\d+)?)?", data["deadline"]):
        raise ValueError("has no valid 'deadline'")
