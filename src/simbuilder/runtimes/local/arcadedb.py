"""The embedded graph database: ArcadeDB speaking Bolt, from the PyPI package `arcadedb-embedded`.

It is not Neo4j, and says so in `status`. Measured with 26.10.2 on Java 25:

* Users come from a file we write with hashed passwords, so no password is ever on a command line or
  in a configuration. Letting the server create the user instead means that an early client is
  refused, and after a few refusals the server locks that user out for 30 s.
* With its port taken it logs an error and stays alive without serving.
* Started with an ahead-of-time cache it is ready in 0.35 s, without in 0.95 s. Compiling with the
  first tier only (C1), and later, halves the processor time of a start.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from simbuilder.runtimes.local import aot, tools
from simbuilder.runtimes.local.server import Command, utc
from simbuilder.scaffolding.files import make_private_folder, write_atomic
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import EventSink

MAIN_CLASS = "com.arcadedb.server.ArcadeDBServer"
JVM_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:CompileThresholdScaling=4",  # compile what is hot in use, not what is hot in starting
    "-XX:-UsePerfData",  # or a killed JVM leaves a file in /tmp
    "-Xmx512m",
    "-Djava.net.preferIPv4Stack=true",
    # it speaks no TLS, but would read 140 certificates: a tenth of the processor time of a start
    "-Djavax.net.ssl.trustStore=NONE",
)
_HASH_ROUNDS = 1000
"""PBKDF2 rounds. Stretching protects guessable passwords; ours are 192 random bits."""

_LOGGED_AT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ")


class ArcadeServer:
    """Runs ArcadeDB with its Bolt plug-in and one database called `neo4j`."""

    service = "neo4j"
    port_taken = re.compile(r"Unable to listen (for BOLT connections|to a HTTP port)")

    def __init__(self, cache: Path) -> None:
        self._aot = aot.AotCache(cache, JVM_FLAGS, self._train)

    def prepare(self, emit: EventSink) -> None:
        """Find Java and the server, and build the start-up cache if there is none that fits."""
        self._aot.build(emit)

    def command(self, session: Session, folder: Path) -> Command:
        """Write users and arguments; the database is created at the first start."""
        _write_users(folder, session.secrets["neo4j"])
        bolt, http = session.port("neo4j.bolt"), session.port("neo4j.http")
        arguments = _write_arguments(folder, bolt, http)
        return Command(_java([*self._aot.flags(), f"@{arguments}"]), {})

    def logged_at(self, line: str) -> float | None:
        """Every entry begins with it; stack traces do not."""
        return utc(_LOGGED_AT, line)

    def recover(self) -> bool:
        """Give up the start-up cache, in case it was to blame; the next `prepare` rebuilds it."""
        return self._aot.discard()

    def _train(
        self, folder: Path, bolt: int, http: int, password: str, cache_file: Path
    ) -> Command:
        """Return a start that writes the start-up cache when it is stopped.

        No session is involved: while writing the cache, Java hands its settings on to a child in an
        environment variable.
        """
        _write_users(folder, password)
        arguments = _write_arguments(folder, bolt, http)
        return Command(_java([f"-XX:AOTCacheOutput={cache_file}", f"@{arguments}"]), {})


def _java(arguments: Sequence[str]) -> list[str]:
    java, _ = tools.arcadedb()
    return [str(java), *JVM_FLAGS, *arguments, MAIN_CLASS]


def _write_arguments(folder: Path, bolt: int, http: int) -> Path:
    _, jars = tools.arcadedb()
    settings = {
        "server.rootPath": folder,
        "server.databaseDirectory": folder / "data",
        "server.logsDirectory": folder / "events",
        "server.defaultDatabases": f"{catalog.NEO4J_DATABASE}[]",
        "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
        "server.mode": "development",  # in production it conceals what is wrong with a statement
        "serverMetrics": "false",
        "bolt.host": catalog.HOST,
        "bolt.port": bolt,
        "server.httpIncomingHost": catalog.HOST,
        "server.httpIncomingPort": http,
    }
    lines = [f"-Darcadedb.{key}={value}" for key, value in settings.items()]
    lines += [f"-Djava.io.tmpdir={make_private_folder(folder / 'tmp')}"]
    lines += ["-cp", ":".join(str(jar) for jar in jars)]
    path = folder / "java.args"
    write_atomic(path, "".join(f"{_quote(line)}\n" for line in lines))
    return path


def _quote(argument: str) -> str:
    """Quote for a Java argument file: in quotes, backslash escapes."""
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_users(folder: Path, password: str) -> None:
    """Write the users: ours, and the root user it insists on, whose password nobody knows."""
    users = (
        {
            "name": "root",
            "password": _hash(secrets.token_urlsafe(24)),
            "databases": {"*": ["admin"]},
        },
        {
            "name": catalog.NEO4J_USER,
            "password": _hash(password),
            "databases": {catalog.NEO4J_DATABASE: ["admin"]},
        },
    )
    path = make_private_folder(folder / "config") / "server-users.jsonl"
    write_atomic(path, "".join(json.dumps(user) + "\n" for user in users))


def _hash(password: str) -> str:
    """Return a password as ArcadeDB stores it; the salt is hashed as text, not decoded."""
    salt = base64.b64encode(secrets.token_bytes(32)).decode()
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), _HASH_ROUNDS, 32)
    return f"PBKDF2WithHmacSHA256${_HASH_ROUNDS}${salt}${base64.b64encode(key).decode()}"
