"""A bus behind TLS: who is recognised by what, and what is said where that fails."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from simbuilder.bus.address import Address, Tls
from simbuilder.bus.catalogue.workflow import RunStarted
from simbuilder.bus.declarations import DECLARED
from simbuilder.bus.errors import BusConnectionError, BusError
from simbuilder.bus.making import new_event
from simbuilder.bus.service import open_bus
from simbuilder.runtimes.local.tools import nats_server
from tests.bus_ports import address_of

USER, PASSWORD = "tls-user", "tls-secret"


@dataclass(frozen=True)
class Served:
    url: str
    folder: Path

    def file(self, name: str) -> str:
        return str(self.folder / name)


class Authority:
    """Signs certificates, and writes them with their keys into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.write(name, self.name, self.key, authority=True)

    def issue(self, name: str) -> None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.write(name, subject, ec.generate_private_key(ec.SECP256R1()), authority=False)

    def write(
        self, name: str, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool
    ) -> None:
        now = datetime.now(UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (self.folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / f"{name}.key").write_bytes(private)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder, "authority")
    authority.issue("server")
    authority.issue("client")
    Authority(folder, "stranger").issue("intruder")
    config = {
        "jetstream": {"store_dir": str(folder / "data")},
        "authorization": {"user": USER, "password": PASSWORD},
        "tls": {
            "cert_file": str(folder / "server.pem"),
            "key_file": str(folder / "server.key"),
            "ca_file": str(folder / "authority.pem"),
            "verify": True,
        },
    }
    (folder / "nats.conf").write_text(json.dumps({"listen": "127.0.0.1:-1", **config}))
    config_file = str(folder / "nats.conf")
    command = [str(nats_server()), "--config", config_file, "--ports_file_dir", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env={"PATH": os.defpath}, stdout=log, stderr=log)
    try:
        yield Served(address_of(server, folder).replace("tls://", "nats://"), folder)
    finally:
        server.terminate()
        server.wait(timeout=10)


def address(served: Served, authority: str = "authority", client: str | None = "client") -> Address:
    tls = Tls(
        served.file(f"{authority}.pem"),
        served.file(f"{client}.pem") if client else None,
        served.file(f"{client}.key") if client else None,
    )
    return Address((served.url,), USER, PASSWORD, tls=tls)


async def publish(at: Address) -> int:
    async with open_bus(at, connect_s=3) as bus:
        await bus.ensure(DECLARED)
        return (await bus.publish(new_event(RunStarted(run="run-1"), "/tests"))).sequence


def test_events_travel_between_those_who_recognise_each_other(served: Served) -> None:
    assert asyncio.run(publish(address(served))) > 0


@pytest.mark.parametrize(
    ("authority", "client"),
    [("stranger", "client"), ("authority", "intruder"), ("authority", None)],
    ids=["a server that nobody vouches for", "a stranger's certificate", "no certificate"],
)
def test_whoever_is_not_recognised_hears_so_in_time(
    served: Served, authority: str, client: str | None
) -> None:
    began = time.monotonic()
    with pytest.raises(BusConnectionError) as refused:
        asyncio.run(publish(address(served, authority, client)))
    assert time.monotonic() - began < 10
    assert PASSWORD not in str(refused.value)


def test_a_certificate_that_is_not_there_is_named(served: Served) -> None:
    with pytest.raises(BusError, match="nowhere") as missing:
        asyncio.run(publish(address(served, "nowhere")))
    assert missing.value.hint
