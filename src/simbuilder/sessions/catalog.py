"""The services a session can have: their endpoints, their secrets, and where their ports lie.

Pure. A session owns a block of ten consecutive ports; an endpoint's port is the block's first plus
its offset. Offset 4 is kept free.
"""

from dataclasses import dataclass

from simbuilder.scaffolding.exceptions import UsageError

HOST = "127.0.0.1"
"""Never `localhost`: on many machines that is ::1 first, where nothing of ours listens."""

NEO4J_USER = "neo4j"
NEO4J_DATABASE = "neo4j"
NATS_USER = "simbuilder"
AZURITE_ACCOUNT = "simbuilder"


@dataclass(frozen=True)
class EndpointSpec:
    """One port of a service: `offset` in the block, `scheme` and `path` of its URL."""

    name: str
    offset: int
    scheme: str
    path: str = ""


@dataclass(frozen=True)
class ServiceSpec:
    """A server of a session and its endpoints; the first endpoint is the one clients use."""

    name: str
    endpoints: tuple[EndpointSpec, ...]


SERVICES: tuple[ServiceSpec, ...] = (
    ServiceSpec("neo4j", (EndpointSpec("bolt", 0, "bolt"), EndpointSpec("http", 1, "http"))),
    ServiceSpec("nats", (EndpointSpec("client", 2, "nats"), EndpointSpec("monitoring", 3, "http"))),
    ServiceSpec(
        "azurite",
        tuple(
            EndpointSpec(name, offset, "http", f"/{AZURITE_ACCOUNT}")
            for name, offset in (("blob", 5), ("queue", 6), ("table", 7))
        ),
    ),
)

RESERVED: tuple[ServiceSpec, ...] = (
    ServiceSpec("core-api", (EndpointSpec("http", 8, "http"),)),
    ServiceSpec("api-gateway", (EndpointSpec("http", 9, "http"),)),
)
"""Services whose ports every session already holds, but which do not exist yet."""

PROFILES = {"default": tuple(s.name for s in SERVICES)}
UNAVAILABLE_PROFILES = {"full": tuple(s.name for s in RESERVED)}


def service(name: str) -> ServiceSpec:
    """Return the service called `name`, reserved ones included. Raises `KeyError`."""
    return {spec.name: spec for spec in SERVICES + RESERVED}[name]


def endpoint_keys() -> dict[str, int]:
    """Return `service.endpoint` -> offset for every port a session holds."""
    return {
        f"{spec.name}.{endpoint.name}": endpoint.offset
        for spec in SERVICES + RESERVED
        for endpoint in spec.endpoints
    }


def choose_services(names: str | None, profile: str | None) -> tuple[str, ...]:
    """Return the services asked for, in catalogue order.

    `names` is comma separated; `None` takes the profile's. Raises `UsageError` for an unknown
    service or profile, listing the known ones, and for a profile whose servers do not exist yet.
    """
    if profile in UNAVAILABLE_PROFILES:
        missing = " and ".join(UNAVAILABLE_PROFILES[profile])
        raise UsageError(
            f"profile {profile!r} needs {missing}, which this version does not have yet",
            "leave --profile out to get neo4j, nats and azurite",
        )
    if profile is not None and profile not in PROFILES:
        known = ", ".join([*PROFILES, *UNAVAILABLE_PROFILES])
        raise UsageError(f"unknown profile {profile!r}", f"known profiles: {known}")
    if names is None:
        return PROFILES[profile or "default"]
    known_names = [spec.name for spec in SERVICES]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in known_names:
            raise UsageError(f"unknown service {name!r}", f"known: {', '.join(known_names)}")
    if not wanted:
        raise UsageError("--services names no service", f"known: {', '.join(known_names)}")
    return tuple(name for name in known_names if name in wanted)
