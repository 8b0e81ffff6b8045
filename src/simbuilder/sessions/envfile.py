"""A session as environment variables, and as the text of `.env.session`. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from simbuilder.scaffolding import dotenv
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session

SESSION_KEY = "SIMBUILDER_SESSION_ID"

_PORT_VARIABLES = {
    "NEO4J_PORT": "neo4j.bolt",
    "NEO4J_HTTP_PORT": "neo4j.http",
    "NATS_PORT": "nats.client",
    "NATS_HTTP_PORT": "nats.monitoring",
    "AZURITE_BLOB_PORT": "azurite.blob",
    "AZURITE_QUEUE_PORT": "azurite.queue",
    "AZURITE_TABLE_PORT": "azurite.table",
    "CORE_API_PORT": "core-api.http",
    "API_GATEWAY_PORT": "api-gateway.http",
}


def variables(session: Session) -> dict[str, str]:
    """Return the variables that name the session and let any client use its services.

    A service the session does not have contributes none, so that nobody connects to a port where
    nothing of the session listens. The reserved ports are always there.
    """
    values = {
        SESSION_KEY: session.id,
        "SIMBUILDER_SESSION_SHORT": session.short,
        "SIMBUILDER_SUBNET": session.subnet,
        "SIMBUILDER_OWNER": session.owner,
        "COMPOSE_PROJECT_NAME": session.project,
    }
    if (session.host, session.published) != (catalog.HOST, catalog.HOST):
        values |= {"SIMBUILDER_HOST": session.host, "SIMBUILDER_PUBLISHED_ON": session.published}
    for variable, key in _PORT_VARIABLES.items():
        name = key.split(".")[0]
        if name in session.services or name in {spec.name for spec in catalog.RESERVED}:
            values[variable] = str(session.port(key))
    if "neo4j" in session.services:
        values |= {
            "NEO4J_URI": session.urls("neo4j")["bolt"],
            "NEO4J_USER": catalog.NEO4J_USER,
            "NEO4J_PASSWORD": session.secrets["neo4j"],
            "NEO4J_DATABASE": catalog.NEO4J_DATABASE,
        }
    if "nats" in session.services:
        values |= {
            "NATS_USER": catalog.NATS_USER,
            "NATS_PASSWORD": session.secrets["nats"],
            "NATS_URL": nats_url(session),
            "SERVICE_BUS_URL": nats_url(session),
        }
    if "azurite" in session.services:
        values["AZURITE_ACCOUNTS"] = azurite_accounts(session)
        values["AZURE_STORAGE_CONNECTION_STRING"] = storage_connection_string(session)
    values["CORE_API_URL"] = session.urls("core-api")["http"]
    values["API_GATEWAY_URL"] = session.urls("api-gateway")["http"]
    return values


def nats_url(session: Session) -> str:
    """Return the NATS URL with credentials; the password is URL-safe by construction."""
    port = session.port("nats.client")
    return f"nats://{catalog.NATS_USER}:{session.secrets['nats']}@{session.host}:{port}"


def azurite_accounts(session: Session) -> str:
    """Return the account and its key as Azurite reads them from its environment."""
    return f"{catalog.AZURITE_ACCOUNT}:{session.secrets['azurite']}"


def storage_connection_string(session: Session) -> str:
    """Return the connection string every Azure storage SDK understands."""
    urls = session.urls("azurite")
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": catalog.AZURITE_ACCOUNT,
        "AccountKey": session.secrets["azurite"],
        "BlobEndpoint": urls["blob"],
        "QueueEndpoint": urls["queue"],
        "TableEndpoint": urls["table"],
    }
    return ";".join(f"{key}={value}" for key, value in parts.items())


def render(session: Session) -> str:
    """Return the text of the session's env file."""
    return dotenv.render(
        variables(session),
        f"SimBuilder session {session.label}; written by simbuilder, edits will be lost.\n"
        "It holds passwords. Load it with: set -a; . ./.env.session; set +a",
    )


def session_id(text: str) -> str | None:
    """Return the id of the session an env file belongs to, or `None` if it is not one of ours."""
    return dotenv.parse(text)[0].get(SESSION_KEY)


WITHIN_KEY = "SIMBUILDER_WITHIN"
"""In a program's environment: the session it runs in, which is the current one for our commands.

`SIMBUILDER_SESSION_ID` does not count as such: people load it into shells, and go on elsewhere.
"""


def injected(session: Session, environment: Mapping[str, str]) -> dict[str, str]:
    """Return a program's environment: the session's variables hold, and no other session's do.

    Where variables of a session were loaded before, this one may have fewer services than that.
    """
    own = variables(session)
    if SESSION_KEY in environment:
        all_there_are = replace(
            session,
            host="",
            services=tuple(spec.name for spec in catalog.SERVICES),
            secrets={spec.name: "" for spec in catalog.SERVICES},
        )
        stale = variables(all_there_are).keys() - own.keys()
        environment = {k: value for k, value in environment.items() if k not in stale}
    return {**environment, **own, WITHIN_KEY: session.id}
