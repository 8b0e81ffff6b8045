"""Records, ledger and env files that are damaged, replaced, or not ours."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding.exceptions import SimBuilderError
from simbuilder.sessions.model import State
from tests.acceptance.conftest import Cli
from tests.chaos.conftest import Amount, Judge
from tests.chaos.world import World
from tests.support import Bench

pytestmark = pytest.mark.timeout(3600)

Damage = Callable[[Path], None]


def cut(length: int) -> Damage:
    return lambda path: os.truncate(path, length)


def flip(byte: int, bit: int) -> Damage:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[byte % len(data)] ^= 1 << bit  # a path in it can be a letter shorter this time
        path.write_bytes(data)

    return damage


def become(make: Callable[[Path, Path], None]) -> Damage:
    """Put something else under the name; beside it lies a folder that is nobody's business."""

    def damage(path: Path) -> None:
        path.unlink()
        make(path, precious_of(path))

    return damage


def precious_of(path: Path) -> Path:
    root = next(parent for parent in path.parents if (parent / "precious").is_dir())
    return root / "precious"


def folder(path: Path, _precious: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("something")


def newer(path: Path) -> None:
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))


STRANGE: dict[str, Damage] = {
    "a folder": become(folder),
    "a link to a file": become(lambda path, precious: path.symlink_to(precious / "file")),
    "a link to a folder": become(lambda path, precious: path.symlink_to(precious)),
    "a link to nothing": become(lambda path, _: path.symlink_to("nowhere")),
    "a link to itself": become(lambda path, _: path.symlink_to(path.name)),
    "a pipe": become(lambda path, _: os.mkfifo(path)),
    "gone": Path.unlink,
    "another user's": lambda path: os.chown(path, 65534, 65534),
    "of a newer version": newer,
}
TARGETS = {
    "record": "state/sessions/{id}/session.json",
    "own env file": "state/sessions/{id}/.env.session",
    "env file": "project/.env.session",
    "ledger": "state/ports.json",
}


def damages(path: Path, rng: random.Random) -> Iterator[tuple[str, Damage]]:
    """Yield everything that can stand in its place, then cuts and flips of all bytes by chance."""
    if os.getuid() == 0:
        yield from STRANGE.items()
    else:
        yield from ((name, act) for name, act in STRANGE.items() if name != "another user's")
    size = path.stat().st_size
    for byte in rng.sample(range(size), size):
        yield f"cut at {byte}", cut(byte)
        bit = rng.randrange(8)
        yield f"bit {bit} of byte {byte} flipped", flip(byte, bit)


class Place:
    """Two sessions in memory; the first will suffer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("project", "elsewhere"):
            (root / name / ".git").mkdir(parents=True)
        (root / "precious").mkdir()
        (root / "precious" / "file").write_text("mine")
        self.runtime = MemoryRuntime()
        self.victim = self.bench.create(name="victim")
        self.other = Bench(root / "state", root / "elsewhere", runtime=self.runtime)
        self.bystander = self.other.create(name="other")
        own = root / "state" / "sessions" / self.bystander
        self.others = [*own.iterdir(), root / "elsewhere" / ".env.session"]
        self.others += [root / "precious" / "file"]
        self.before = [path.read_bytes() for path in self.others]

    @property
    def bench(self) -> Bench:
        """A command that begins now."""
        return Bench(self.root / "state", self.root / "project", runtime=self.runtime)

    def target(self, name: str) -> Path:
        return self.root / TARGETS[name].format(id=self.victim)


@pytest.mark.parametrize("name", TARGETS)
def test_memory(tmp_path: Path, name: str, rng: random.Random, amount: Amount) -> None:
    judge = Judge("memory", f"{name} damaged or replaced")
    sample = Place(tmp_path / "sample")
    todo = enumerate(damages(sample.target(name), rng))
    for number, (what, damage) in amount.turns(todo, 300):
        place = Place(tmp_path / str(number))
        damage(place.target(name))
        judge.fault()
        live_on(judge, place, what)


def live_on(judge: Judge, place: Place, what: str) -> None:
    """Do everything one can with sessions; whatever is refused is refused in our words."""
    manager = place.bench.manager
    one = place.victim
    removed = False
    for act in (
        manager.cleaner.reap,
        manager.list_sessions,
        lambda: manager.finder.resolve(None, destructive=True),
        lambda: manager.status(one),
        lambda: manager.stop(one, 1),
        lambda: manager.start(one, 1),
        lambda: place.bench.create(reuse=True),
        lambda: manager.cleaner.cleanup(one, 1),
        manager.cleaner.tidy,
    ):
        try:
            act()
        except SimBuilderError:
            continue
        except (OSError, ValueError, TypeError, LookupError) as error:
            judge.expect("tracebacks", False, f"{what}: {error!r}")
    sessions, broken = place.bench.store.load_all()
    ports = [port for session in sessions for port in session.ports.values()]
    judge.expect("collisions", len(ports) == len(set(ports)), f"{what}: {ports}")
    removed = one not in [s.id for s in sessions] + [b.id for b in broken]
    refused = what in ("of a newer version", "another user's") or "flipped" in what
    judge.expect("leaks", removed or refused, f"{what}: not removed")
    if removed:
        left = [str(p) for p in (place.root / "state").rglob("*") if one in str(p)]
        judge.expect("leaks", not left, f"{what}: {left}")
        judge.expect("leaks", one not in place.bench.runtime.traces(), f"{what}: still runs")
    now = [path.read_bytes() for path in place.others]
    judge.expect("foreign", now == place.before, f"{what}: something else was touched")
    files = sorted(path.name for path in (place.root / "precious").iterdir())
    judge.expect("foreign", files == ["file"], f"{what}: {files}")
    view = place.other.manager.status(place.bystander).view
    judge.expect("foreign", view.state is State.RUNNING, f"{what}: {view.state}")


@pytest.mark.parametrize("name", TARGETS)
def test_local(cli: Cli, name: str, rng: random.Random, amount: Amount) -> None:
    world = World(cli, "local", f"{name} damaged or replaced")
    precious = cli.home.parent / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    one = world.create()
    places = {
        "record": cli.state / "sessions" / "{id}" / "session.json",
        "own env file": cli.state / "sessions" / "{id}" / ".env.session",
        "env file": cli.folder / ".env.session",
        "ledger": cli.state / "ports.json",
    }
    sample = Path(str(places[name]).format(id=one))
    todo = list(damages(sample, rng))
    assert world.run("session", "cleanup").status == 0
    for what, damage in amount.turns(todo, 10):
        one = world.create()
        path = Path(str(places[name]).format(id=one))
        whole = path.read_bytes()
        damage(path)
        world.judge.fault()
        for command in (
            ("session", "list"),
            ("session", "status", one, "--json"),
            ("session", "start", one),
            ("session", "stop"),
            ("session", "cleanup", one),
        ):
            said = world.run(*command)
            world.judge.expect("lies", said.status in (0, 1, 2, 3, 4), (what, said))
        restore(path, whole)
        if name == "record" and not path.parent.exists():
            path = sample
        if (cli.state / "sessions" / one).exists():  # it was refused, with reason
            assert world.run("session", "cleanup", one).status == 0, what
        for left in cli.folder.glob(".env.session*"):
            left.unlink()
        for left in cli.state.glob("ports.json.unreadable-*"):
            left.rename(precious.parent / left.name)
        judge_files(world, precious, what)
    world.kept()


def restore(path: Path, whole: bytes) -> None:
    """Put back what was refused, so that it can be removed; what has gone stays gone."""
    if not os.path.lexists(path) or not path.parent.exists():
        return
    if path.is_dir() and not path.is_symlink():
        (path / "inside").unlink()
        path.rmdir()
    else:
        path.unlink()
    path.write_bytes(whole)
    path.chmod(0o600)


def judge_files(world: World, precious: Path, what: str) -> None:
    names = [path.name for path in precious.iterdir()]
    world.judge.expect("foreign", names == ["file"], (what, names))
    world.judge.expect("foreign", (precious / "file").read_text() == "mine", what)
    world.cleaned()
