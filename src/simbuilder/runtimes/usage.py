"""How many clients the services of sessions have, whatever runs them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from simbuilder.scaffolding import machine
from simbuilder.sessions import catalog
from simbuilder.sessions.model import Session, Usage


def with_clients(
    sessions: Sequence[Session], used: Mapping[str, Mapping[str, Usage]]
) -> dict[str, dict[str, Usage]]:
    """Return what the sessions use, with the connections to those that are served from here."""
    here = {s.host for s in sessions if s.host in (catalog.HOST, s.published)}
    clients = {host: machine.clients(host) for host in here}

    def counted(session: Session, service: str, usage: Usage) -> Usage:
        if session.host not in clients:
            return usage
        ports = (session.port(f"{service}.{endpoint}") for endpoint in session.urls(service))
        return replace(usage, connections=sum(clients[session.host][port] for port in ports))

    return {
        s.id: {service: counted(s, service, one) for service, one in used.get(s.id, {}).items()}
        for s in sessions
    }
