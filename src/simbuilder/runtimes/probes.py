"""Readiness over the real protocols, with each service's own client and credentials.

The only module that imports database and broker drivers. Every probe makes one attempt,
ends within its timeout, and never raises for a server that is absent, foreign or not ready yet.
"""

import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from simbuilder.scaffolding.text import bolt_product
from simbuilder.sessions import catalog, envfile
from simbuilder.sessions.model import Health, Session


def accepts(port: int, host: str = catalog.HOST) -> bool:
    """True if something accepts TCP connections on the port; a fraction of a millisecond.

    In the ephemeral range the kernel may give our own end the very port we ask for, and TCP then
    connects the socket to itself; that is nobody's answer.
    """
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            return bool(connection.getsockname() != connection.getpeername())
    except OSError:
        return False


def probe(session: Session, service: str, timeout_s: float) -> Health:
    """Ask `service` of `session` once. Raises `KeyError` for a service nobody can probe."""
    for endpoint in catalog.service(service).endpoints:
        port = session.port(f"{service}.{endpoint.name}")
        if not accepts(port, session.host):
            return Health(False, problem=f"nothing answers on {session.host}:{port}")
    return _PROBES[service](session, timeout_s)


def probe_all(session: Session, services: Sequence[str], timeout_s: float) -> Mapping[str, Health]:
    """Ask several services at the same time, each like `probe`."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(1, len(services))) as pool:
        answers = pool.map(lambda service: probe(session, service, timeout_s), services)
        return dict(zip(services, answers, strict=True))


def page_answers(url: str) -> bool | None:
    """True if a browser would be shown something at `url`; `None` if nobody answers there."""
    import http.client
    from urllib.parse import urlsplit

    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=2)
    try:
        connection.request("GET", place.path or "/", headers={"Accept": "text/html"})
        return connection.getresponse().status < 400
    except (http.client.HTTPException, OSError):
        return None
    finally:
        connection.close()


def _bolt(session: Session, timeout_s: float) -> Health:
    """One query over Bolt in the session's database, signed in with the session's password."""
    from neo4j import GraphDatabase
    from neo4j.exceptions import DriverError, Neo4jError

    auth = (catalog.NEO4J_USER, session.secrets["neo4j"])
    began = time.monotonic()
    try:
        with GraphDatabase.driver(
            session.urls("neo4j")["bolt"],
            auth=auth,
            connection_timeout=timeout_s,
            connection_acquisition_timeout=timeout_s,
            max_transaction_retry_time=0,
            telemetry_disabled=True,
        ) as driver:
            summary = driver.execute_query(
                "RETURN 1 AS one", database_=catalog.NEO4J_DATABASE
            ).summary
    except (DriverError, Neo4jError, OSError) as error:
        return Health(False, problem=reason(error))
    product, version = bolt_product(summary.server.agent)
    return Health(True, product, version, _since(began))


def warm_bolt(port: int, password: str) -> bool:
    """Run a few ordinary statements, so that a recording of the server's start covers them.

    Returns whether all of them worked.
    """
    import logging

    from neo4j import GraphDatabase
    from neo4j.exceptions import DriverError, Neo4jError

    statements = (
        "RETURN 1 AS one",
        "CREATE CONSTRAINT warm IF NOT EXISTS FOR (n:Warm) REQUIRE n.id IS UNIQUE",
        "UNWIND [1, 2, 3] AS i MERGE (:Warm {id: i})",
        "MATCH (a:Warm), (b:Warm) WHERE b.id = a.id + 1 MERGE (a)-[:TO]->(b)",
        "MATCH p = (a:Warm {id: 1})-[:TO*1..3]->(b) RETURN length(p), b.id ORDER BY b.id",
        "MATCH (n:Warm) DETACH DELETE n",
    )
    # a database that is still being made is asked again by the driver, which would tell the user
    logging.getLogger("neo4j").addHandler(logging.NullHandler())
    auth = (catalog.NEO4J_USER, password)
    try:
        with GraphDatabase.driver(
            f"bolt://{catalog.HOST}:{port}", auth=auth, max_transaction_retry_time=3
        ) as driver:
            for statement in statements:
                driver.execute_query(statement, database_=catalog.NEO4J_DATABASE)
    except (DriverError, Neo4jError, OSError):
        return False
    return True


def _nats(session: Session, timeout_s: float) -> Health:
    """JetStream's account information, signed in with the session's password."""
    import asyncio

    from nats.aio.client import Client
    from nats.errors import Error

    async def ask() -> Health:
        # by default nats prints every error and reconnects for minutes
        async def ignore(_: Exception) -> None:
            return None

        began = time.monotonic()
        # not `nats.connect`: where it is refused, nobody is left to close its socket
        connection = Client()
        try:
            await connection.connect(
                envfile.nats_url(session),
                allow_reconnect=False,
                connect_timeout=math.ceil(timeout_s),
                error_cb=ignore,
            )
            await connection.jetstream(timeout=timeout_s).account_info()
            version = connection.connected_server_version
            number = f"{version.major}.{version.minor}.{version.patch}"
            return Health(True, "NATS", number, _since(began))
        finally:
            await connection.close()

    try:
        return asyncio.run(asyncio.wait_for(ask(), timeout_s))
    except (Error, OSError, TimeoutError, ValueError, AttributeError, TypeError) as error:
        # the last two are nats-py's answer to a server that speaks another protocol
        return Health(False, problem=reason(error))


def _azurite(session: Session, timeout_s: float) -> Health:
    """The blob account's properties, signed with the session's key.

    Signed here and sent with the standard library: importing the Azure SDK for this one request
    costs 0.15 s, a sixth of a whole session start. Tests use the SDK on the same server.
    """
    import http.client

    port = session.port("azurite.blob")
    path = f"/{catalog.AZURITE_ACCOUNT}"
    query = {"comp": "properties", "restype": "account"}
    connection = http.client.HTTPConnection(session.host, port, timeout=timeout_s)
    began = time.monotonic()
    try:
        connection.request(
            "GET",
            f"{path}?{'&'.join(f'{key}={value}' for key, value in query.items())}",
            headers=shared_key_headers(session.secrets["azurite"], path, query, formatdate()),
        )
        response = connection.getresponse()
        response.read()
    except (http.client.HTTPException, OSError) as error:
        return Health(False, problem=reason(error))
    finally:
        connection.close()
    if response.status != 200:
        return Health(False, problem=f"blob service answers {response.status} {response.reason}")
    product, _, version = response.getheader("server", "").partition("/")
    if not product.startswith("Azurite"):
        return Health(False, problem="what answers is not Azurite")
    return Health(True, product.removesuffix("-Blob"), version, _since(began))


def kept_in_no_file(session: Session, services: Sequence[str]) -> list[str]:
    """Return what of running services is in no file, and so in no copy of their data."""
    if "nats" not in services:
        return []
    try:
        return [f"stream {name}, which is in memory only" for name in _memory_streams(session)]
    except (OSError, ValueError, LookupError, TypeError) as error:
        return [f"what NATS has in memory only, if anything: it did not tell ({reason(error)})"]


def _memory_streams(session: Session) -> list[str]:
    """Ask the monitoring endpoint of NATS (2.15, `/jsz`), which every session has."""
    import http.client
    import json

    port = session.port("nats.monitoring")
    connection = http.client.HTTPConnection(session.host, port, timeout=2)
    try:
        connection.request("GET", "/jsz?accounts=true&streams=true&config=true")
        told = json.loads(connection.getresponse().read())
    except http.client.HTTPException as error:
        raise OSError(reason(error)) from None
    finally:
        connection.close()
    accounts = told.get("account_details", ())
    streams = [stream for one in accounts for stream in one.get("stream_detail", ())]
    return sorted(s["name"] for s in streams if s["config"]["storage"] == "memory")


def shared_key_headers(key: str, path: str, query: dict[str, str], date: str) -> dict[str, str]:
    """Return the headers that sign a GET without a body, by the Shared Key scheme of 2015-02-21.

    `query` must be in alphabetical order. (Microsoft Learn, "Authorize with Shared Key".)
    """
    import base64
    import hashlib
    import hmac

    headers = {"x-ms-date": date, "x-ms-version": "2021-12-02"}
    text = "GET" + "\n" * 12
    text += "".join(f"{name}:{value}\n" for name, value in headers.items())
    text += f"/{catalog.AZURITE_ACCOUNT}{path}"
    text += "".join(f"\n{name}:{value}" for name, value in query.items())
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    return headers | {"Authorization": f"SharedKey {catalog.AZURITE_ACCOUNT}:{signature}"}


def formatdate() -> str:
    """Return the current time as HTTP wants it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def reason(error: BaseException) -> str:
    """Return the first line of what a driver says, and the next one where that ends in a colon.

    The error's type where it says nothing.
    """
    text = str(error).strip().splitlines()
    said = " ".join(text[:2]) if text and text[0].endswith(":") else "".join(text[:1])
    return said[:200] or type(error).__name__


_PROBES: dict[str, Callable[[Session, float], Health]] = {
    "neo4j": _bolt,
    "nats": _nats,
    "azurite": _azurite,
}
