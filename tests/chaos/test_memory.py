"""Every command dies at every effect it has, on servers that live in memory.

Fast, and therefore complete: the same is done to the real command, with real servers, elsewhere.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.sessions.model import Session, State
from tests.chaos.conftest import Judge
from tests.chaos.fuse import Died, Fuse
from tests.support import Bench

Act = Callable[[Bench, str], object]

ACTS: dict[str, tuple[bool, Act]] = {
    "create": (False, lambda bench, _: bench.create(name="victim")),
    "create --reuse": (True, lambda bench, _: bench.create(reuse=True)),
    "start": (False, lambda bench, one: bench.manager.start(one, 1)),
    "start, ports taken": (False, lambda bench, one: bench.manager.start(one, 1)),
    "stop": (True, lambda bench, one: bench.manager.stop(one, 1)),
    "cleanup": (True, lambda bench, one: bench.manager.cleaner.cleanup(one, 1)),
    "cleanup, stopped": (False, lambda bench, one: bench.manager.cleaner.cleanup(one, 1)),
}


class World:
    """A user with a session that is nobody's business, and one that things happen to."""

    def __init__(self, root: Path, act: str, fuse: Fuse) -> None:
        self.root = root
        self.folder = root / "project"
        (self.folder / ".git").mkdir(parents=True)
        elsewhere = root / "elsewhere"
        (elsewhere / ".git").mkdir(parents=True)
        self.taken: set[int] = set()
        self.runtime = MemoryRuntime(foreign=lambda port: port in self.taken, step=fuse.burn)
        self.bystander = Bench(root / "state", elsewhere, runtime=self.runtime).create(name="other")
        (self.folder / "precious").write_text("mine")
        self.victim = ""
        if not act.startswith("create") or "reuse" in act:
            self.victim = self.bench().create(start=ACTS[act][0])
        if "taken" in act:
            session = self.bench().store.load(self.victim)
            self.taken |= {session.port("nats.client"), session.port("neo4j.bolt")}

    def bench(self) -> Bench:
        """A command that begins now."""
        return Bench(self.root / "state", self.folder, runtime=self.runtime)

    def others(self) -> dict[str, bytes]:
        own = self.root / "state" / "sessions" / self.bystander
        files = {str(path): path.read_bytes() for path in own.iterdir()}
        env = self.root / "elsewhere" / ".env.session"
        return files | {"env": env.read_bytes(), "precious": b"mine"}


@pytest.mark.parametrize("act", ACTS)
def test_death_at_every_effect(tmp_path: Path, fuse: Fuse, act: str) -> None:
    judge = Judge("memory", f"killed at every step of {act}")
    at = 0
    lived = False
    while not lived:
        at += 1
        world = World(tmp_path / str(at), act, fuse)
        before = world.others()
        fuse.arm(at)
        with suppress(Died):
            ACTS[act][1](world.bench(), world.victim)
            lived = True
        fuse.disarm()
        judge.fault()
        aftermath(judge, world, before)
    assert at > 5


def aftermath(judge: Judge, world: World, before: dict[str, bytes]) -> None:
    """A later command tells the truth, a cleanup brings it to zero, and another is a no-op."""
    later = world.bench()
    later.manager.cleaner.reap()
    views, broken = later.manager.list_sessions()
    judge.expect("lies", not broken, broken)
    sessions = [view.session for view in views]
    ports = [port for session in sessions for port in session.ports.values()]
    judge.expect("collisions", len(ports) == len(set(ports)), ports)
    ledger = later.ports.reserved()
    judge.expect("lies", ledger == {s.id: s.ports for s in sessions}, ledger)
    for view in views:
        judge.expect("lies", truthful(world, view.session, view.state), view.state)
        kept = view.env_file.exists() or view.state is State.REMOVING
        judge.expect("lies", kept, "a session without its env file")
    judge.expect("leaks", not stray_files(world), stray_files(world))
    for session in sessions:
        if session.id != world.bystander:
            world.bench().manager.cleaner.cleanup(session.id, 1)
            world.bench().manager.cleaner.cleanup(session.id, 1)
    left = sorted(world.runtime.traces() - {world.bystander})
    judge.expect("leaks", not left, left)
    cache = world.root / "cache"  # what happened to sessions is told when they are gone, too
    files = [str(p) for p in world.root.rglob("*") if p.is_file() and cache not in p.parents]
    judge.expect("leaks", len(files) == len(before) + 1, files)  # and the ledger
    judge.expect("foreign", world.others() == before, "files of the other session")
    state = world.bench().manager.status(world.bystander).view.state
    judge.expect("foreign", state is State.RUNNING, state)
    judge.expect("foreign", (world.folder / "precious").read_text() == "mine", "a user's file")


def truthful(world: World, session: Session, state: State) -> bool:
    seen = world.runtime.observe([session.id]).get(session.id, {})
    running = sum(one.state is State.RUNNING for one in seen.values())
    expected = {0: State.STOPPED, len(session.services): State.RUNNING}
    return state in (expected.get(running, State.DEGRADED), State.REMOVING)


def stray_files(world: World) -> list[str]:
    return [str(path) for path in world.root.rglob("*.simbuilder-tmp")]
