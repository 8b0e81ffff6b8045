"""`simbuilder session ...`: each command parses, makes one call, and shows the result."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simbuilder.cli.compose import Rooms
    from simbuilder.sessions.plan import Plan
    from simbuilder.sessions.result import Result
    from simbuilder.sessions.view import Report

app = typer.Typer(
    help="Create, start, inspect, stop and remove sessions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Session = Annotated[
    str | None,
    typer.Argument(
        metavar="[SESSION]",
        help="An id, the start of one, or a name; the current session if left out.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _finite(seconds: float) -> float:
    if not 1 <= seconds < 1e6:  # also refuses nan
        raise typer.BadParameter("give a number of seconds from 1 on")
    return seconds


Timeout = Annotated[
    float,
    typer.Option("--timeout", callback=_finite, metavar="S", help="Seconds to wait at most."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and why.")]


@app.command(
    epilog="Examples:  simbuilder session create --start-containers  |  "
    "simbuilder session create --name demo --services neo4j,nats"
)
def create(
    start_containers: Annotated[
        bool,
        typer.Option("--start-containers", help="Also start its servers and prove them ready."),
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", metavar="auto|local|docker", help="How to run its servers."),
    ] = None,
    services: Annotated[
        str | None, typer.Option("--services", metavar="A,B", help="Only these services.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="A named set of services.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="A unique name to call it by.")
    ] = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Take this folder's session if there is one.")
    ] = False,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Create a session and make it this folder's current one."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.cli.compose import runtime_name
        from simbuilder.scaffolding.environment import RUNTIMES
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.catalog import choose_services
        from simbuilder.sessions.manager import CreateRequest

        if runtime is not None and runtime not in RUNTIMES:
            raise UsageError(f"unknown runtime {runtime!r}", f"known: {', '.join(RUNTIMES)}")
        request = CreateRequest(
            services=choose_services(services, profile),
            runtime=runtime_name(runtime, rooms.settings),
            name=name,
            start=start_containers,
            reuse=reuse,
        )
        if dry_run:
            low, high = rooms.settings.port_start, rooms.settings.port_end
            return _planned("session create", rooms.manager.plan_create(request, (low, high)))
        report = rooms.manager.create(request, timeout)
        return _reported("session create", report)

    return _run("session create", as_json, action)


@app.command(epilog="Example:  simbuilder session start demo")
def start(
    session: Session = None,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Start what is not running; data and ports stay as they were."""

    def action(rooms: "Rooms") -> "Result":
        session_id = rooms.manager.finder.resolve(session)
        if dry_run:
            return _planned("session start", rooms.manager.plan_start(session_id))
        return _reported("session start", rooms.manager.start(session_id, timeout))

    return _run("session start", as_json, action)


@app.command(epilog="Example:  simbuilder session stop demo")
def stop(
    session: Session = None,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Stop the servers; data and ports are kept."""

    def action(rooms: "Rooms") -> "Result":
        session_id = rooms.manager.finder.resolve(session, destructive=True)
        if dry_run:
            return _planned("session stop", rooms.manager.plan_stop(session_id))
        return _reported("session stop", rooms.manager.stop(session_id, timeout))

    return _run("session stop", as_json, action)


@app.command("list", epilog="Example:  simbuilder session list --json")
def list_(as_json: Json = False) -> int:
    """List all sessions of this user, oldest first."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import Problem, partial, success

        views, broken = rooms.manager.list_sessions()
        data = {"sessions": [view.data() for view in views]}
        problems = tuple(Problem("state", b.reason, b.hint) for b in broken)
        return (partial if problems else success)("session list", data, problems)

    return _run("session list", as_json, action)


@app.command(epilog="Example:  simbuilder session status --json")
def status(session: Session = None, as_json: Json = False) -> int:
    """Show a session as its own servers describe it."""

    def action(rooms: "Rooms") -> "Result":
        session_id = rooms.manager.finder.resolve(session)
        return _reported("session status", rooms.manager.status(session_id))

    return _run("session status", as_json, action)


@app.command(
    epilog="Examples:  simbuilder session cleanup  |  simbuilder session cleanup --all --yes"
)
def cleanup(
    session: Session = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Remove all sessions and whatever lost ones left.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --all.")] = False,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Remove a session: servers, data, ports, env files, record."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.scaffolding.exceptions import UsageError

        if all_ and session is not None:
            raise UsageError("--all and a session contradict each other", "give one of them")
        if all_:
            targets = rooms.manager.cleanup_targets()
        else:
            targets = [rooms.manager.finder.resolve(session, destructive=True)]
        if dry_run:
            from simbuilder.sessions.plan import Plan

            steps = (s for target in targets for s in rooms.manager.plan_cleanup(target).steps)
            return _planned("session cleanup", Plan(tuple(steps)))
        if all_ and targets and not yes:
            _confirm(len(targets))
        return _cleaned(rooms, targets, timeout)

    return _run("session cleanup", as_json, action)


def _confirm(count: int) -> None:
    from simbuilder.cli import render
    from simbuilder.scaffolding.exceptions import SimBuilderError, UsageError

    if not render.may_ask():
        raise UsageError("--all needs --yes when nobody can be asked", "add --yes")
    if not typer.confirm(f"Remove {count} session(s) and all their data?", err=True):
        raise SimBuilderError("nothing was removed")


def _cleaned(rooms: "Rooms", targets: list[str], timeout_s: float) -> "Result":
    """Remove one session after the other; what one of them refuses does not stop the next."""
    from simbuilder.scaffolding.exceptions import SimBuilderError
    from simbuilder.sessions.result import Problem, partial, success

    removed: list[str] = []
    problems: list[Problem] = []
    for target in targets:
        try:
            rooms.manager.cleanup(target, timeout_s)
            removed.append(target)
        except SimBuilderError as error:
            if len(targets) == 1:
                raise
            problems.append(Problem.of(error))
        except OSError as error:
            hint = "its record is kept; mend the cause and run the same command again"
            message = f"session {target[:8]} is only partly removed: {error}"
            problems.append(Problem("partly-removed", message, hint))
    rooms.manager.tidy()
    data = {"removed": removed}
    if problems:
        return partial("session cleanup", data, tuple(problems))
    remarks = () if targets else (Problem("nothing-to-remove", "there is nothing to remove"),)
    return success("session cleanup", data, remarks)


def _reported(command: str, report: "Report") -> "Result":
    from simbuilder.sessions.result import partial, success

    data = {"session": report.view.data()}
    return partial(command, data, report.problems) if report.problems else success(command, data)


def _planned(command: str, plan: "Plan") -> "Result":
    from simbuilder.sessions.result import success

    steps = [{"verb": s.verb, "target": s.target, "cause": s.cause} for s in plan.steps]
    return success(command, {"plan": steps})


def _run(command: str, as_json: bool, action: Callable[["Rooms"], "Result"]) -> int:
    from simbuilder.cli import compose, render

    with render.progress(quiet=as_json) as view:
        result = compose.guarded(command, view, action)
    render.show(result, as_json)
    return result.exit_status
