"""The life of a session: create, start, stop, look at, verify and remove it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli import completion
from simbuilder.cli.common import (
    DryRun,
    Json,
    Session,
    Timeout,
    command_group,
    planned,
    reported,
    run,
)

if TYPE_CHECKING:
    from simbuilder.composition import Choice, Rooms
    from simbuilder.sessions.manager import CreateRequest
    from simbuilder.sessions.outputs import Sessions, VerifiedSessions
    from simbuilder.sessions.result import Result
    from simbuilder.sessions.store import Broken
    from simbuilder.sessions.verifier import Verified
    from simbuilder.sessions.view import Report

app = command_group()


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
        typer.Option(
            "--runtime",
            metavar="auto|local|docker",
            help="How to run its servers.",
            autocompletion=completion.runtimes,
        ),
    ] = None,
    services: Annotated[
        str | None,
        typer.Option(
            "--services",
            metavar="A,B",
            help="Only these services.",
            autocompletion=completion.service_list,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="A named set of services.",
            autocompletion=completion.profiles,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="A unique name to call it by.")
    ] = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Take this folder's session if there is one.")
    ] = False,
    ttl: Annotated[
        str | None,
        typer.Option("--ttl", metavar="SPAN", help="Let it expire after 8h, 30m, 2d; else never."),
    ] = None,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Create a session and make it this folder's current one."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.composition import check_again

        ttl_s = lifetime(ttl)
        chosen_services, choice = chosen(rooms, runtime, services, profile)

        if reuse and (found := rooms.manager.finder.here(name)) is not None:
            check_again(found, chosen_services if services or profile else (), runtime)

        def request(choice: "Choice") -> "CreateRequest":
            from simbuilder.sessions.manager import CreateRequest

            return CreateRequest(
                services=chosen_services,
                runtime=choice.runtime,
                reason=choice.reason,
                name=name,
                start=start_containers,
                reuse=reuse,
                ttl_s=ttl_s,
            )

        if dry_run:
            ports = (rooms.settings.port_start, rooms.settings.port_end)
            return planned("session create", rooms.manager.plan_create(request(choice), ports))
        return reported("session create", make(rooms, choice, request, timeout))

    return run("session create", as_json, action, reap=not dry_run)


def lifetime(ttl: str | None) -> int:
    """Return how many seconds a new session is for; 0 for ever. Raises `UsageError`."""
    from simbuilder.sessions.expiry import seconds

    return 0 if ttl is None else seconds(ttl)


def check_runtime(name: str | None) -> None:
    """Raise `UsageError` for the name of a runtime that there is not."""
    from simbuilder.scaffolding.environment import RUNTIMES
    from simbuilder.scaffolding.exceptions import UsageError

    if name is not None and name not in RUNTIMES:
        raise UsageError(f"unknown runtime {name!r}", f"known: {', '.join(RUNTIMES)}")


def chosen(
    rooms: "Rooms", runtime: str | None, services: str | None, profile: str | None = None
) -> "tuple[tuple[str, ...], Choice]":
    """Return which services a new session has, and where it runs. Raises `UsageError`."""
    from simbuilder.composition import choose_runtime
    from simbuilder.sessions.catalog import choose_services

    check_runtime(runtime)
    return choose_services(services, profile), choose_runtime(runtime, rooms)


def make(
    rooms: "Rooms", choice: "Choice", request: "Callable[[Choice], CreateRequest]", timeout_s: float
) -> "Report":
    """Create a session; where nobody asked for Docker and it has no images, on the local runtime.

    Images are looked for before anything is written, so there is nothing to take back.
    """
    from simbuilder.composition import instead_of_docker
    from simbuilder.scaffolding.exceptions import ImageUnavailableError

    asked = request(choice)
    try:
        return rooms.manager.create(asked, timeout_s)
    except ImageUnavailableError as error:
        if asked.reuse and rooms.manager.finder.here(asked.name) is not None:
            raise
        local = instead_of_docker(error, choice, asked.services, rooms)
        return rooms.manager.create(request(local), timeout_s)


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
            return planned("session start", rooms.manager.plan_start(session_id))
        return reported("session start", rooms.manager.start(session_id, timeout))

    return run("session start", as_json, action, reap=not dry_run)


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
            return planned("session stop", rooms.manager.plan_stop(session_id))
        return reported("session stop", rooms.manager.stop(session_id, timeout))

    return run("session stop", as_json, action, reap=not dry_run)


@app.command("list", epilog="Example:  simbuilder session list --json")
def list_(as_json: Json = False) -> int:
    """List all sessions of this user, oldest first."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import Problem, partial, success
        from simbuilder.sessions.view import half_removed

        views, broken = rooms.manager.list_sessions()
        data: Sessions = {"sessions": [view.data() for view in views]}
        unreadable = tuple(Problem("state", b.reason, b.hint) for b in broken)
        half = tuple(half_removed(view.session) for view in views if view.removing)
        remarks = (*half, *dict.fromkeys(p for view in views for p in view.unseen()))
        finish = partial if unreadable else success
        return finish("session list", data, (*unreadable, *remarks))

    return run("session list", as_json, action)


@app.command(epilog="Example:  simbuilder session status --json")
def status(session: Session = None, as_json: Json = False) -> int:
    """Show a session as its own servers describe it."""

    def action(rooms: "Rooms") -> "Result":
        session_id = rooms.manager.finder.resolve(session)
        return reported("session status", rooms.manager.status(session_id))

    return run("session status", as_json, action)


@app.command(
    epilog="Examples:  simbuilder session cleanup  |  simbuilder session cleanup --all --yes  |  "
    "simbuilder session cleanup --orphans"
)
def cleanup(
    session: Session = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Remove all sessions and whatever lost ones left.")
    ] = False,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="List what sessions without a record left; remove it.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before --all or --orphans.")
    ] = False,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Remove a session: servers, data, ports, env files, record."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.cli.removal import cleaned, confirm, listed, show_orphans
        from simbuilder.cli.streams import may_ask
        from simbuilder.scaffolding.exceptions import UsageError

        if [all_, orphans, session is not None].count(True) > 1:
            raise UsageError(
                "--all, --orphans and a session contradict each other", "give one of them"
            )
        if all_:
            targets = rooms.manager.cleaner.targets()
        elif orphans:
            targets = rooms.manager.cleaner.orphans()
        else:
            targets = [rooms.manager.finder.resolve(session, destructive=True)]
        if dry_run:
            from simbuilder.sessions.plan import Plan

            steps = (s for target in targets for s in rooms.manager.cleaner.plan(target).steps)
            return planned("session cleanup", Plan(tuple(steps)))
        if orphans and targets and not yes:
            if not may_ask():
                return listed(targets)
            show_orphans(rooms, targets)
        if (all_ or orphans) and targets and not yes:
            confirm(len(targets))
        return cleaned(rooms, targets, timeout)

    return run("session cleanup", as_json, action, reap=not dry_run)


@app.command(
    epilog="Examples:  simbuilder session verify  |  simbuilder session verify --all --json"
)
def verify(
    sessions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SESSION]...",
            help="Ids, starts of them, or names; the current session if left out.",
            show_default=False,
            autocompletion=completion.sessions,
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Verify all sessions.")] = False,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Prove sessions isolated: with canaries, other credentials, sockets, files and ports."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.scaffolding.exceptions import SessionNotFoundError, UsageError

        if all_ and sessions:
            raise UsageError("--all and a session contradict each other", "give one of them")
        resolve = rooms.manager.finder.resolve
        broken: list[Broken] = []
        if all_:
            known, broken = rooms.store.load_all()
            wanted = [session.id for session in known]
        else:
            wanted = [resolve(session) for session in sessions or (None,)]
        wanted = list(dict.fromkeys(wanted))
        verified = rooms.verifier().verify(wanted, timeout)
        if not all_ and len(verified) < len(wanted):
            raise SessionNotFoundError("a session was removed meanwhile")
        return _verified(verified, broken)

    # not before: what others left of the ledger is a fact too
    return run("session verify", as_json, action, reap=False)


def _verified(verified: "list[Verified]", broken: "list[Broken]") -> "Result":
    from simbuilder.sessions.model import State
    from simbuilder.sessions.result import Problem, partial, success

    data: VerifiedSessions = {"sessions": [one.data() for one in verified]}
    problems = [Problem("state", record.reason, record.hint) for record in broken]
    problems += [problem for one in verified for problem in one.problems()]
    if problems:
        return partial("session verify", data, tuple(problems))
    remarks = [
        Problem("stopped", f"session {one.session.label} does not run: nothing was asked of it")
        for one in verified
        if one.state is State.STOPPED
    ]
    if not verified:
        remarks = [Problem("nothing-to-verify", "there is no session")]
    return success("session verify", data, tuple(remarks))
