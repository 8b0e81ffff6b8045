"""From what is wanted and what is seen to a list of steps, each with its cause. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simbuilder.sessions.model import Observed, Session, State

UNSEEN = Observed(State.STOPPED)


@dataclass(frozen=True)
class Step:
    """One action on one thing, and why."""

    verb: str
    target: str
    cause: str

    def __str__(self) -> str:
        return f"{self.verb} {self.target}: {self.cause}"


@dataclass(frozen=True)
class Plan:
    """Steps in the order they are carried out."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)

    def targets(self, verb: str) -> tuple[str, ...]:
        """Return the targets of all steps with `verb`."""
        return tuple(step.target for step in self.steps if step.verb == verb)


def plan_create(
    use: Step,
    services: Sequence[str],
    start: bool,
    port_range: tuple[int, int],
    replaced: str | None,
) -> Plan:
    """Return the steps that make a session.

    `use` is the choice of its runtime, `replaced` the session that stops being current.
    """
    low, high = port_range
    current = f"in place of that of {replaced}" if replaced else "no session is current"
    steps = [
        use,
        Step("reserve", "ports", f"a block of ten in {low}-{high}"),
        Step("write", "record", "new session"),
        Step("write", ".env.session", current),
    ]
    if start:
        steps += [Step("start", service, "new session") for service in services]
    return Plan(tuple(steps))


def plan_start(session: Session, observed: Mapping[str, Observed]) -> Plan:
    """Return the steps that bring back whatever of the session is not running, or hampered."""
    steps = []
    for service in session.services:
        seen = observed.get(service, UNSEEN)
        if seen.state is not State.RUNNING or seen.problem:
            steps.append(Step("start", service, _why_down(seen)))
    return Plan(tuple(steps))


def plan_stop(session: Session, observed: Mapping[str, Observed]) -> Plan:
    """Return the steps that stop whatever of the session is running."""
    return Plan(
        tuple(
            Step("stop", service, "running")
            for service in session.services
            if observed.get(service, UNSEEN).state is State.RUNNING
        )
    )


def plan_cleanup(label: str, running: Sequence[str], env_files: Sequence[str]) -> Plan:
    """Return the steps that remove a session; the record goes last, so a crash loses nothing."""
    cause = f"running: {', '.join(running)}" if running else "its data"
    steps = [Step("remove", label, cause)]
    steps += [Step("delete", path, "names this session") for path in env_files]
    steps += [
        Step("release", "ports", "nothing of the session is left"),
        Step("delete", "record", "last"),
    ]
    return Plan(tuple(steps))


def _why_down(seen: Observed) -> str:
    if seen.exit_status is not None:
        return f"ended with status {seen.exit_status}"
    return seen.problem or "not running"
