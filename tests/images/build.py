"""Build the images the tests run sessions on, without any image registry: `tasks.py images`.

A Debian base by debootstrap, then the real servers: Neo4j from Maven Central, NATS and Node.js from
the Python packages, Azurite as the local runtime installs it. An image's tag is a digest of all
that goes into it, so one that exists is up to date.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from simbuilder.runtimes.docker.engine import Engine
from simbuilder.runtimes.local import tools
from simbuilder.scaffolding.environment import core_settings, read_environment
from simbuilder.scaffolding.exceptions import RuntimeUnavailableError

HERE = Path(__file__).resolve().parent
REPOSITORY = "simbuilder-test"
PACKAGES = "busybox-static,openjdk-17-jre-headless"
SERVICES = ("neo4j", "nats", "azurite")
DEBIAN = "the images need a Debian-like machine: apt-get install docker.io debootstrap maven"
LEFT_OUT = (
    "./proc/*",
    "./sys/*",
    "./usr/share/doc/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./var/cache/*",
    "./var/lib/apt/lists/*",
)


def neo4j_home() -> Path:
    """Return where the unpacked Neo4j server is, or will be: a folder with `lib`."""
    return _cache() / f"neo4j-{_digest(HERE / 'pom.xml')}"


def base_image() -> str:
    """Return the image the others stand on: this machine's own suite of Debian."""
    return _tag("base", _suite(), PACKAGES, *LEFT_OUT)


def images() -> dict[str, str]:
    """Return service -> image, whether they are built or not."""
    base = base_image()
    lock = Path(tools.azurite_folder(_cache()).name)
    return {
        "neo4j": _tag("neo4j", base, HERE / "pom.xml", *_files("neo4j")),
        "nats": _tag("nats", base, tools.nats_server(), *_files("nats")),
        "azurite": _tag("azurite", base, lock, tools.node(), *_files("azurite")),
    }


def missing() -> list[str]:
    """Return the services whose image has to be built. Raises `OSError` without `docker`."""
    argv = ["docker", "image", "inspect"]
    return [
        service
        for service, image in images().items()
        if subprocess.run([*argv, image], capture_output=True, check=False).returncode != 0
    ]


def build() -> None:
    """Build what is missing and remove what it replaces."""
    todo = missing()
    if todo or not neo4j_home().is_dir():
        neo4j_server()
    if todo:
        base = base_image()
        _step("base image (debootstrap)", lambda: _base(base))
        contexts: Mapping[str, Callable[[Path], None]] = {
            "neo4j": lambda folder: _copy(neo4j_home() / "lib", folder / "lib"),
            "nats": lambda folder: _copy(tools.nats_server(), folder / "nats-server"),
            "azurite": _azurite_context,
        }
        for service in todo:
            _step(f"{service} image", partial(_image, service, base, contexts[service]))
    _remove_old({*images().values(), base_image()})


def neo4j_server() -> Path:
    """Assemble the Neo4j server from Maven Central, once; return its folder."""
    home = neo4j_home()
    if not home.is_dir():
        _step("Neo4j server (Maven Central)", lambda: _maven(home))
    return home


def _maven(home: Path) -> None:
    with _workplace(home.parent) as work:
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={work / 'new' / 'lib'}"]
        _run("mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), *goal, "-DincludeScope=runtime")
        (work / "new").rename(home)


def _base(tag: str) -> None:
    if _exists(tag):
        return
    with _workplace(None) as work:
        options = ["--variant=minbase", f"--include={PACKAGES}"]
        _run("debootstrap", *options, _suite(), str(work / "root"), _mirror())
        left_out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        _run("tar", "-C", str(work / "root"), *left_out, "-cf", str(work / "root.tar"), ".")
        _run("docker", "import", str(work / "root.tar"), tag)


def _image(service: str, base: str, fill: Callable[[Path], None]) -> None:
    with _workplace(None) as work:
        shutil.copytree(HERE / service, work, dirs_exist_ok=True)
        fill(work)
        argv = ["docker", "build", "-q", "--build-arg", f"BASE={base}"]
        # the builder that needs no plug-in, which Debian's engine does not bring
        env = {**os.environ, "DOCKER_BUILDKIT": "0"}
        _run(*argv, "-t", images()[service], str(work), env=env)


def _azurite_context(folder: Path) -> None:
    cache = core_settings(read_environment(HERE)).cache_dir
    tools.install_azurite(cache, lambda event: print(f"  {event.message}", file=sys.stderr))
    installed = tools.azurite_folder(cache)
    # one archive: Docker takes 85 s to copy its 32,000 files one by one, three times over
    left_out = [f"--exclude=*.{kind}" for kind in ("map", "ts", "md")]
    _run("tar", "-C", str(installed), *left_out, "-cf", str(folder / "azurite.tar"), "node_modules")
    _copy(tools.node(), folder / "node")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _mirror() -> str:
    """Return where this machine installs its own suite from, in either format of apt's sources."""
    suite = _suite()
    for path in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        text = "\n".join(line for line in lines if not line.startswith("#"))
        for stanza in text.split("\n\n") if path.suffix == ".sources" else text.splitlines():
            words = stanza.split()
            mirrors = [word for word in words if "://" in word]
            if suite in words and mirrors and words[0] in ("Types:", "deb"):
                return mirrors[0]
    raise RuntimeUnavailableError("no package mirror in /etc/apt", DEBIAN)


def _suite() -> str:
    release = Path("/etc/os-release")
    for line in release.read_text(encoding="utf-8").splitlines() if release.is_file() else ():
        key, _, value = line.partition("=")
        if key == "VERSION_CODENAME":
            return value.strip('"')
    raise RuntimeUnavailableError("/etc/os-release has no VERSION_CODENAME", DEBIAN)


def _exists(image: str) -> bool:
    argv = ["docker", "image", "inspect", image]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _remove_old(current: set[str]) -> None:
    listed = _run("docker", "images", f"{REPOSITORY}/*", "--format", "{{.Repository}}:{{.Tag}}")
    for image in sorted(set(listed.split()) - current, key=lambda name: "/base:" in name):
        subprocess.run(
            ["docker", "rmi", image], capture_output=True, check=False
        )  # or still in use


def _files(service: str) -> list[Path]:
    return sorted((HERE / service).iterdir())


def _tag(name: str, *inputs: Path | str) -> str:
    return f"{REPOSITORY}/{name}:{_digest(*inputs)}"


def _digest(*inputs: Path | str) -> str:
    digest = hashlib.sha256()
    for item in inputs:
        path = Path(item)
        digest.update(path.read_bytes() if path.is_file() else str(item).encode())
    return digest.hexdigest()[:12]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simbuilder-tests"


@contextmanager
def _workplace(parent: Path | None) -> Iterator[Path]:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        yield Path(name)


def _run(*argv: str, env: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    except FileNotFoundError:
        raise RuntimeUnavailableError(f"{argv[0]} is not installed", DEBIAN) from None
    if done.returncode != 0:
        raise RuntimeUnavailableError(f"{argv[0]} failed: {done.stdout}{done.stderr}", DEBIAN)
    return done.stdout


def _step(title: str, action: Callable[[], None]) -> None:
    began = time.monotonic()
    print(f"{title} ... ", end="", file=sys.stderr, flush=True)
    action()
    print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)


def main() -> int:
    """Build, and print the settings that make sessions use the images."""
    try:
        Engine().answer()
        build()
    except RuntimeUnavailableError as error:
        print(f"\nerror: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return 1
    for service, image in images().items():
        print(f"{service.upper()}_IMAGE={image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
