"""`simbuilder session run`: a program of the user's with a session's variables."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from simbuilder.cli import completion
from simbuilder.cli.common import Session, Timeout, command_group

if TYPE_CHECKING:
    from simbuilder.cli.lookup import Records
    from simbuilder.composition import Choice, Rooms
    from simbuilder.scaffolding.exceptions import SimBuilderError
    from simbuilder.sessions.model import Session as Recorded
    from simbuilder.sessions.result import Result
    from simbuilder.sessions.view import Report

NAME = "session run"
app = command_group()


class AfterDashes(TyperCommand):
    """Leaves whatever stands after `--` alone: it is for the program, options and all."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse our part; without `--` nothing can be told to be ours but the wish for help."""
        if "--" in args:
            at = args.index("--")
            ctx.obj = args[at + 1 :]
            return list(super().parse_args(ctx, args[:at]))
        ctx.obj = []
        return list(super().parse_args(ctx, [arg for arg in args if arg in ("-h", "--help")]))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Show where the program goes."""
        return [*super().collect_usage_pieces(ctx), "--", "COMMAND..."]


@dataclass(frozen=True)
class _Wish:
    """What a session that is made for the program is to be like: the options of `create`."""

    runtime: str | None
    services: str | None
    name: str | None
    ttl: str | None
    timeout_s: float


@app.command(
    cls=AfterDashes,
    epilog="Examples:  simbuilder session run -- pytest -q  |  simbuilder session run demo -- bash"
    "  |  simbuilder session run --ephemeral --services nats -- ./check",
)
def run(
    ctx: typer.Context,
    session: Session = None,
    new: Annotated[
        bool, typer.Option("--new", help="Create and start a session for it, which stays.")
    ] = False,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="The same, and remove it when COMMAND has ended.")
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            metavar="auto|local|docker",
            help="How to run the servers of a new one.",
            autocompletion=completion.runtimes,
        ),
    ] = None,
    services: Annotated[
        str | None,
        typer.Option(
            "--services",
            metavar="A,B",
            help="Only these services in a new one.",
            autocompletion=completion.service_list,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="A unique name for a new one.")
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option("--ttl", metavar="SPAN", help="Let a new one expire after 8h, 30m, 2d."),
    ] = None,
    timeout: Timeout = 60,
) -> int:
    """Run COMMAND with the variables of a session; its exit status and signals are its own.

    An ephemeral session is never the current one of its folder. It also goes where COMMAND is
    interrupted, or we are told to end; after kill -9 the next command removes it.
    """
    argv: Sequence[str] = ctx.obj
    wish = _Wish(runtime, services, name, ttl, timeout)
    about_new = [option for option in (runtime, services, name, ttl) if option is not None]
    if not argv:
        hint = "as in: simbuilder session run -- pytest -q, or: session run lab -- pytest -q"
        return _misused("the command to run stands after '--'", hint)
    if [new, ephemeral, session is not None].count(True) > 1:
        return _misused("--new, --ephemeral and a session contradict each other", "give one")
    if about_new and not (new or ephemeral):
        return _misused("these options are for a new session", "add --ephemeral, or --new")
    if ephemeral:
        return _ephemeral(argv, wish)
    env: dict[str, str] = {}
    status = _new(argv, wish, env) if new else _existing(argv, session, env)
    return status or _become(argv, env)


def _misused(message: str, hint: str) -> int:
    from simbuilder.scaffolding.exceptions import UsageError

    return _failed(UsageError(message, hint))


def _failed(error: "SimBuilderError") -> int:
    from simbuilder.cli.render import show
    from simbuilder.sessions.result import failure

    result = failure(NAME, error)
    show(result, as_json=False)
    return result.exit_status


# --- which session -------------------------------------------------------------------------


def _existing(argv: Sequence[str], reference: str | None, env: dict[str, str]) -> int:
    """Fill `env` for a session there is; return the exit status if it cannot be used."""
    from simbuilder.cli.lookup import look

    def action(records: "Records") -> "Result":
        from simbuilder.sessions.result import success

        _check_program(argv[0])
        session = records.session(reference)
        _check_serves(session)
        env.update(_environment(session))
        return success(NAME, {})

    return look(NAME, False, action)


def _check_serves(session: "Recorded") -> None:
    """Raise if a server does not even accept connections, which takes no time to ask."""
    from simbuilder.runtimes.probes import accepts
    from simbuilder.scaffolding.exceptions import NotReadyError
    from simbuilder.sessions.catalog import service

    ports = {s: session.port(f"{s}.{service(s).endpoints[0].name}") for s in session.services}
    if down := [s for s, port in ports.items() if not accepts(port, session.host)]:
        all_down = len(down) == len(session.services)
        what = "does not run" if all_down else f"does not serve {', '.join(down)}"
        raise NotReadyError(
            f"session {session.label} {what}",
            f"'simbuilder session start {session.short}' starts what is missing",
        )


def _new(argv: Sequence[str], wish: _Wish, env: dict[str, str], bound_to: str = "") -> int:
    """Make a session, start it and fill `env`; return the exit status if that fails."""
    from simbuilder.cli.common import run as act

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.cli.guard import StoppedByUserError
        from simbuilder.sessions.result import partial, success

        _check_program(argv[0])
        try:
            report = _made(rooms, wish, bound_to)
        except KeyboardInterrupt:
            if not bound_to:
                raise
            raise StoppedByUserError("interrupted", "its session is removed") from None
        session = report.view.session
        if report.problems:
            return partial(NAME, {}, report.problems)
        if not bound_to:
            rooms.tell(f"{session.label} stays; 'session cleanup {session.short}' removes it")
        env.update(_environment(session))
        return success(NAME, {})

    return act(NAME, False, action)


def _made(rooms: "Rooms", wish: _Wish, bound_to: str) -> "Report":
    from simbuilder.cli.lifecycle import chosen, lifetime, make
    from simbuilder.sessions.manager import CreateRequest

    ttl_s = lifetime(wish.ttl)
    services, choice = chosen(rooms, wish.runtime, wish.services)

    def request(choice: "Choice") -> CreateRequest:
        return CreateRequest(
            services=services,
            runtime=choice.runtime,
            reason=choice.reason,
            name=wish.name,
            start=True,
            ttl_s=ttl_s,
            bound_to=bound_to,
            current=not bound_to,
        )

    return make(rooms, choice, request, wish.timeout_s)


def _environment(session: "Recorded") -> dict[str, str]:
    from simbuilder.scaffolding.environment import process_environment
    from simbuilder.sessions.envfile import injected

    return injected(session, process_environment())


def _ephemeral(argv: Sequence[str], wish: _Wish) -> int:
    """Make a session for the program, and remove it whatever ends the two of us."""
    from simbuilder.cli.common import run as act
    from simbuilder.scaffolding import identity

    bound_to = identity.of()

    def remove(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import success

        for session in rooms.store.load_all()[0]:
            if session.bound_to == bound_to:
                rooms.manager.cleaner.cleanup(session.id, wish.timeout_s)
        return success(NAME, {})

    hangup = signal.getsignal(signal.SIGHUP)
    if hangup is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    env: dict[str, str] = {}
    left = 0
    try:
        status = _new(argv, wish, env, bound_to) or _attend(argv, env)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that is closed says so twice
        left = act(NAME, False, remove, reap=False)
    return status or left


# --- the program ---------------------------------------------------------------------------


def _check_program(name: str) -> None:
    from simbuilder.scaffolding import programs
    from simbuilder.scaffolding.environment import process_environment

    try:
        programs.check(name, process_environment())
    except OSError as error:
        raise _not_run(name, error) from None


def _become(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Let the program take our place; return the exit status only if it cannot."""
    from simbuilder.scaffolding import programs

    try:
        programs.replace(argv, env)
    except OSError as error:
        return _failed(_not_run(argv[0], error))


def _attend(argv: Sequence[str], env: Mapping[str, str]) -> int:
    from simbuilder.scaffolding import programs

    try:
        return programs.attend(argv, env)
    except OSError as error:
        return _failed(_not_run(argv[0], error))


def _not_run(name: str, error: OSError) -> "SimBuilderError":
    from simbuilder.scaffolding.exceptions import NoSuchProgramError, UnusableProgramError

    if isinstance(error, FileNotFoundError):
        return NoSuchProgramError(f"there is no program {name!r}", "look at its name, and at PATH")
    why = (error.strerror or "it may not be run").lower()
    return UnusableProgramError(f"{name!r} cannot be run: {why}")
