#!/usr/bin/env python3
"""Everything a developer does here, on the standard library alone: `python3 tasks.py --help`.

Sets up its own `.venv` (with uv inside it) from the hashed `requirements.txt`. What is already done
is not done again: a stamp in `.venv` remembers what it was made from.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / ".simbuilder-stamp"
LOWEST_PYTHON = (3, 11)
ALONE = "tests/acceptance/test_docker_engine.py"
"""It takes network bridges that come while its own engine runs for that engine's."""

_MOVED = tuple(
    f"tests/acceptance/test_{name}.py"
    for name in ("docker_arguments", "docker_silence", "neo4j_home", "terminals")
)
LANES = (
    ("tests/acceptance", f"--ignore={ALONE}", *(f"--ignore={path}" for path in _MOVED)),
    ("tests/chaos",),
    ("tests/contract", "tests/integration", "tests/unit", *_MOVED),
)
"""What runs at the same time, each about as long; tests/support.py gives a lane its own ports."""

SOURCES = ("src", "tests", "benchmarks", "docs", "tasks.py")


def say(text):
    """Tell the user what is going on; stdout belongs to the tools."""
    print(text, file=sys.stderr, flush=True)


def tool(name):
    """Return the path of a program inside `.venv`."""
    return str(VENV / "bin" / name)


def run(*argv, **more):
    """Run a command in the project's folder and return its exit status."""
    return subprocess.run(argv, cwd=ROOT, check=False, **more).returncode


def step(title, *argv):
    """Run one step of the set-up; its output is shown only if it fails."""
    began = time.monotonic()
    print(f"{title} ... ", end="", file=sys.stderr, flush=True)
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        say("failed")
        say(done.stdout + done.stderr)
        say("hint: check the network and pip's proxy and registry settings, then run this again")
        raise SystemExit(1)
    say(f"{time.monotonic() - began:.1f} s")


def stamp():
    """Return what `.venv` must have been made from to be up to date."""
    digest = hashlib.sha256(sys.version.encode() + str(ROOT).encode())
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def bootstrap(_options=None):
    """Set up .venv with everything in it, if it is not up to date."""
    if STAMP.exists() and STAMP.read_text() == stamp():
        return 0
    # pip comes last: without it the making of .venv was interrupted
    if not Path(tool("pip")).exists() or not _same_python():
        shutil.rmtree(VENV, ignore_errors=True)
        step("creating .venv", sys.executable, "-m", "venv", str(VENV))
    if not Path(tool("uv")).exists():
        pins = (ROOT / "requirements.txt").read_text().splitlines()
        uv = next(line.split()[0] for line in pins if line.startswith("uv=="))
        step("installing uv", tool("python"), "-m", "pip", "install", "-q", uv)
    uv = (tool("uv"), "pip")
    into = ("--python", tool("python"), "--compile-bytecode")
    step(
        "installing packages",
        *(*uv, "sync", *into, "--require-hashes", "requirements.txt"),
    )
    step(
        "installing simbuilder",
        *(*uv, "install", *into, "--no-deps", "--no-build-isolation", "-e", "."),
    )
    compile_sources()
    STAMP.write_text(stamp())
    return 0


def compile_sources():
    """Compile our modules: with PYTHONDONTWRITEBYTECODE set, every start would do it again."""
    return run(tool("python"), "-m", "compileall", "-q", "src")


def _same_python():
    config = (VENV / "pyvenv.cfg").read_text()
    return f"version = {sys.version.split()[0]}" in config


def start(options):
    """Create or reuse a session, start it, prove it ready."""
    bootstrap()
    argv = ("session", "create", "--reuse", "--start-containers", *options.rest)
    status = run(tool("simbuilder"), *argv)
    if shutil.which("simbuilder") is None:
        say("to have simbuilder on your PATH:  . .venv/bin/activate")
    return status


def images(_options):
    """Build the images the docker tests run on, without an image registry."""
    bootstrap()
    return run(tool("python"), "-m", "tests.images.build")


def test(options):
    """Run the test suite; arguments go to pytest, such as --require docker.

    The whole of it runs in three lanes at once: mostly tests wait for servers.
    """
    bootstrap()
    pytest = (tool("python"), "-m", "pytest", *options.rest)
    if options.rest and not (options.rest[0] == "--require" and len(options.rest) == 2):
        return run(*pytest)
    alone = run(*pytest, ALONE)
    return _lanes((*pytest, "-p", "no:cacheprovider")) or alone


def _lanes(pytest):
    """Run all lanes at once; the first shows what it does, the others when it is done."""
    with contextlib.ExitStack() as stack:
        others = []
        for number, paths in enumerate(LANES[1:], 1):
            written = stack.enter_context(tempfile.TemporaryFile())
            env = {**os.environ, "SIMBUILDER_TEST_LANE": str(number)}
            more = {"env": env, "stdout": written, "stderr": subprocess.STDOUT}
            lane = subprocess.Popen([*pytest, *paths], cwd=ROOT, **more)
            stack.callback(_finish, lane, written)
            others.append(lane)
        status = run(*pytest, *LANES[0])
        say("and the other lanes, which ran at the same time ...")
        # all of them, so that all are waited for; one that a signal ended has a negative status
        statuses = [status, *[lane.wait() for lane in others]]
        return next((one for one in statuses if one), 0)


def _finish(lane, written):
    lane.terminate()
    lane.wait()
    written.seek(0)
    print(written.read().decode(errors="replace"), end="", flush=True)


def coverage(options):
    """Run the test suite and measure how much of the code it runs; takes twice as long."""
    bootstrap()
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    measured = (tool("python"), "-m", "coverage")
    status = run(*measured, "run", "-m", "pytest", *options.rest)
    run(*measured, "combine", "-q")
    # where Docker's tests were skipped, its code is not covered
    bar = () if "docker" in " ".join(options.rest) else ("--fail-under=75",)
    return status or run(*measured, "report", *bar)


def chaos(options):
    """Throw faults at everything for --minutes N; --seed S replays a run.

    A whole run that is green writes its table into STATUS.md.
    """
    bootstrap()
    folder = ROOT / "chaos-artefacts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    report = folder / "report.json"
    say(f"seed {options.seed}; what fails is kept in {folder.name}/")
    arguments = ("--chaos-seed", options.seed, "--chaos-minutes", options.minutes)
    argv = (tool("python"), "-m", "pytest", "tests/chaos", "--require", "docker", *arguments)
    status = run(*argv, "--chaos-report", str(report), *options.rest)
    if status == 0 and not options.rest:
        evidence = (str(report), options.seed, options.minutes)
        status = run(tool("python"), "-m", "tests.chaos.evidence", *evidence)
        say("STATUS.md has the table now")
    return status


def lint(_options):
    """Check style, security, known vulnerabilities, and that what is generated is not stale."""
    bootstrap()
    return (
        run(tool("ruff"), "check", *SOURCES)
        or run(tool("ruff"), "format", "--check", *SOURCES)
        or run(tool("python"), "-m", "docs.generate", "--check")
        or audit()
    )


def audit():
    """Ask the advisory database about every pinned package; without a network nobody answers."""
    pins = ("--requirement", "requirements.txt", "--require-hashes", "--disable-pip")
    argv = (tool("pip-audit"), *pins, "--progress-spinner", "off", "--format", "json")
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        packages = []
    bad = [package for package in packages if package.get("vulns")]
    for package in bad:
        for found in package["vulns"]:
            say(f"{package['name']} {package['version']}: {found['id']}")
    asked = [package for package in packages if "skip_reason" not in package]
    say(f"dependencies: {len(asked)} of {len(packages)} audited, {len(bad)} with vulnerabilities")
    if not asked:
        say("note: no advisory database answers; run this again where there is a network")
    return 1 if bad else 0


def typecheck(_options):
    """Check types with mypy --strict."""
    bootstrap()
    return run(tool("mypy"))


def format_(_options):
    """Format the code, and renew requirements.txt and all that docs/generate.py makes."""
    bootstrap()
    return (
        run(tool("python"), "-m", "docs.generate")
        or run(
            *(tool("uv"), "pip", "compile", "-q", "--universal", "--generate-hashes"),
            *("--no-emit-index-url", "--no-header", "--no-annotate", "--python-version", "3.11"),
            *("--extra", "local", "--extra", "dev", "pyproject.toml", "-o", "requirements.txt"),
        )
        or run(tool("ruff"), "check", "-q", "--fix", *SOURCES)
        or run(tool("ruff"), "format", *SOURCES)
    )


def bench(options):
    """Measure speed and memory as ratios within one run."""
    bootstrap()
    compile_sources()
    return run(tool("python"), "-m", "benchmarks.bench", *options.rest)


def clean(_options):
    """Remove .venv and tool caches; sessions are left alone."""
    caches = (".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "chaos-artefacts")
    for name in (".venv", *caches):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for path in [*ROOT.glob(".coverage*"), *ROOT.rglob("__pycache__")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return 0


TASKS = {
    "bootstrap": bootstrap,
    "start": start,
    "images": images,
    "test": test,
    "coverage": coverage,
    "chaos": chaos,
    "lint": lint,
    "typecheck": typecheck,
    "format": format_,
    "bench": bench,
    "clean": clean,
}


def _summary(task):
    return task.__doc__.splitlines()[0]


def main():
    """Parse the command line and run the task."""
    if sys.version_info < LOWEST_PYTHON:
        say("error: Python 3.11 or newer is needed, this is " + sys.version.split()[0])
        say("hint: run tasks.py with a newer one, for example python3.12 tasks.py start")
        return 2
    parser = argparse.ArgumentParser(
        usage="python3 tasks.py TASK ...",
        description="Develop SimBuilder.",
        epilog="tasks:\n" + "\n".join(f"  {n:<10} {_summary(t)}" for n, t in TASKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="TASK", required=True)
    for name, task in TASKS.items():
        command = commands.add_parser(name, description=_summary(task))
        command.set_defaults(task=task)
        if task is chaos:
            command.add_argument("--minutes", default="10", help="how long, about")
            command.add_argument("--seed", default=str(int(time.time())), help="chance, to replay")
    options, rest = parser.parse_known_args()
    options.rest = rest
    if rest and options.task not in (start, test, coverage, chaos, bench):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    os.environ.pop("VIRTUAL_ENV", None)  # ours is .venv, whichever the caller has activated
    try:
        return options.task(options)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
