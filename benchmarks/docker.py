"""The Docker runtime against the same compose file brought up by hand."""

import os
import subprocess
import time
from pathlib import Path

from benchmarks.measure import Home, report, timed
from simbuilder.runtimes import probes
from simbuilder.runtimes.docker.project import COMPOSE_FILE
from simbuilder.sessions.model import Session
from simbuilder.sessions.store import SessionStore

ROUNDS = 5
MANY = 10


def bench_docker(home: Home, local: Home, images: dict[str, str]) -> list[bool]:
    """Compare create, list and cleanup; return which bars are kept."""
    home.env |= images
    return [*_bench_life(home), _bench_list(home, local)]


def _bench_life(home: Home) -> list[bool]:
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        create = timed(lambda: home.run("session", "create", "--start-containers"))
        mine = (create, timed(lambda: home.run("session", "cleanup")))
        hand = _by_hand(home)
        if number:  # the first round warms the disk cache for both sides
            ours.append(mine)
            theirs.append(hand)
    what = "docker: create / compose up -d and the same probes by hand"
    created = report(what, [c for c, _ in ours], [c for c, _ in theirs], 1.15)
    what = "docker: cleanup / compose down -v"
    return [created, report(what, [c for _, c in ours], [c for _, c in theirs], 1.2)]


def _by_hand(home: Home) -> tuple[float, float]:
    """Return the seconds of up and ready, and of down, for a session that is only recorded."""
    home.run("session", "create")
    session = _only_session(home)
    files = ("-f", str(COMPOSE_FILE), "--env-file", str(home.folder / ".env.session"))
    compose = ("docker", "compose", "-p", session.project, *files)

    def run(*argv: str) -> None:
        subprocess.run([*compose, *argv], env=home.env, check=True, capture_output=True)

    def up() -> None:
        run("up", "-d")
        for service in session.services:
            while not probes.probe(session, service, 2).ready:
                time.sleep(0.02)

    times = (timed(up), timed(lambda: run("down", "-v")))
    home.run("session", "cleanup")
    return times


def _only_session(home: Home) -> Session:
    (session,) = SessionStore(Path(home.env["SIMBUILDER_STATE_DIR"])).load_all()[0]
    return session


def _bench_list(home: Home, local: Home) -> bool:
    """Compare the list of ten running docker sessions with that of ten local ones, and `ps`."""
    for _ in range(MANY):
        home.run("session", "create", "--start-containers", "--services", "nats")
        local.run("session", "create")
    ours, theirs = [], []
    ps = ["docker", "ps", "--all"]
    for _ in range(2 * ROUNDS):
        ours.append(timed(lambda: home.run("session", "list")))
        listed = timed(lambda: local.run("session", "list"))
        asked = timed(lambda: subprocess.run(ps, check=True, capture_output=True, env=os.environ))
        theirs.append(listed + asked)
    for one in (home, local):
        one.run("session", "cleanup", "--all", "--yes")
    what = f"docker: list, {MANY} running sessions / local list and docker ps"
    return report(what, ours, theirs, 1.3)
