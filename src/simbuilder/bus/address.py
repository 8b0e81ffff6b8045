"""Where a bus is, and as whom to go there. No secret appears in any text of it. Pure."""

from dataclasses import dataclass, field
from urllib.parse import unquote


@dataclass(frozen=True)
class Tls:
    """How the server is recognised, and what the server recognises us by: paths of PEM files."""

    ca_file: str | None = None
    """Who signed the server's certificate; the system's authorities if left out."""

    cert_file: str | None = None
    key_file: str | None = None
    hostname: str | None = None
    """The name in the server's certificate, if it is not the one in the address."""


@dataclass(frozen=True)
class Address:
    """One server or several of a cluster, such as `nats://127.0.0.1:4222`, and who we are there.

    A user and a password in a URL, as in a session's `NATS_URL`, are taken out of it.
    """

    urls: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials_file: str | None = None
    """A file of JWT and seed, as `nsc` writes them."""

    tls: Tls | None = None
    inbox_prefix: str = "_INBOX"
    """Below this come all answers to us; users with one of their own cannot hear each other's."""

    def __post_init__(self) -> None:
        for url in self.urls:
            identity, at, _ = url.rpartition("://")[2].rpartition("@")
            if at and not self.user:
                user, _, password = identity.partition(":")
                self._set("user", unquote(user))
                self._set("password", unquote(password))
        self._set("urls", tuple(_without_identity(url) for url in self.urls))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _without_identity(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
