"""Any order of commands, crashes and strangers: the ledger is the union of the records."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from simbuilder.runtimes.memory import MemoryRuntime
from simbuilder.scaffolding.exceptions import SimBuilderError
from simbuilder.sessions.port_manager import PortRange
from tests.chaos.conftest import Amount, Judge
from tests.chaos.fuse import Died, Fuse
from tests.support import Bench

pytestmark = pytest.mark.timeout(3600)

FEW_PORTS = PortRange(31000, 31049)
PORTS = st.integers(FEW_PORTS.start, FEW_PORTS.end)
WHICH = st.integers(0, 9)
ALIVE = 10**9


class Sessions(RuleBasedStateMachine):
    """Commands of one user on five blocks of ports, strangers among them."""

    fuse: Fuse
    judge: Judge

    @initialize()
    def begin(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.root = Path(self.temporary.name)
        (self.root / "project" / ".git").mkdir(parents=True)
        self.strangers: set[int] = set()
        self.made = 0
        self.unreaped = False
        self.runtime = MemoryRuntime(foreign=self.taken, step=self.fuse.burn)

    def teardown(self) -> None:
        self.fuse.disarm()
        if hasattr(self, "temporary"):
            self.temporary.cleanup()

    def taken(self, port: int) -> bool:
        return port in self.strangers

    def bench(self) -> Bench:
        self.made += 1
        return Bench(
            self.root / "state",
            self.root / "project",
            busy=self.taken,
            runtime=self.runtime,
            ports=FEW_PORTS,
            first=1000 * self.made,
        )

    def ids(self) -> list[str]:
        return self.bench().store.ids()

    def do(self, act: Any, dies_at: int) -> None:
        """Run a command that may be refused, or die."""
        self.judge.fault()
        self.fuse.arm(dies_at)
        try:
            with suppress(SimBuilderError):
                act()
        except Died:
            self.unreaped = True
        finally:
            self.fuse.disarm()

    dying = st.one_of(st.just(ALIVE), st.integers(1, 40))

    @rule(dies_at=dying, start=st.booleans(), reuse=st.booleans())
    def create(self, dies_at: int, start: bool, reuse: bool) -> None:
        bench = self.bench()
        self.do(lambda: bench.create(start=start, reuse=reuse), dies_at)

    @precondition(lambda self: self.ids())
    @rule(dies_at=dying, which=WHICH, act=st.sampled_from(["start", "stop", "cleanup", "status"]))
    def command(self, dies_at: int, which: int, act: str) -> None:
        one = self.ids()[which % len(self.ids())]
        manager = self.bench().manager
        acts = {
            "start": lambda: manager.start(one, 0.1),
            "stop": lambda: manager.stop(one, 0.1),
            "cleanup": lambda: manager.cleaner.cleanup(one, 0.1),
            "status": lambda: manager.status(one),
        }
        self.do(acts[act], dies_at)

    @rule(port=PORTS)
    def stranger_comes(self, port: int) -> None:
        self.judge.fault()
        self.strangers.add(port)

    @precondition(lambda self: self.strangers)
    @rule(which=WHICH)
    def stranger_goes(self, which: int) -> None:
        self.strangers.discard(sorted(self.strangers)[which % len(self.strangers)])

    @rule(which=WHICH, service=st.sampled_from(["neo4j", "nats", "azurite"]))
    def server_dies(self, which: int, service: str) -> None:
        running = sorted(self.runtime.traces())
        if running:
            self.judge.fault()
            self.runtime.kill(running[which % len(running)], service)

    @rule(dies_at=dying)
    def reap(self, dies_at: int) -> None:
        before, self.unreaped = self.unreaped, False
        self.do(self.bench().manager.cleaner.reap, dies_at)
        self.unreaped = self.unreaped or (before and dies_at < ALIVE)

    @invariant()
    def ledger_is_the_union_of_the_records(self) -> None:
        bench = self.bench()
        sessions, broken = bench.store.load_all()
        self.judge.expect("lies", not broken, broken)
        ports = [port for session in sessions for port in session.ports.values()]
        self.judge.expect("collisions", len(ports) == len(set(ports)), ports)
        ledger = bench.ports.reserved()
        if not self.unreaped:
            self.judge.expect("lies", ledger == {s.id: s.ports for s in sessions}, ledger)
        held = [port for one in ledger.values() for port in one.values()]
        self.judge.expect("collisions", len(held) == len(set(held)), ledger)
        unknown = self.runtime.traces() - {s.id for s in sessions}
        self.judge.expect("leaks", not unknown, unknown)


def test_memory(fuse: Fuse, amount: Amount, request: pytest.FixtureRequest) -> None:
    Sessions.fuse = fuse
    Sessions.judge = Judge("memory", "any order of commands, deaths, strangers")
    chosen = settings(
        max_examples=150,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    start = int(request.config.getoption("--chaos-seed"))
    for turn in amount.turns(range(1000), 1):
        run_machine(seed(start + turn)(Sessions), settings=chosen)
