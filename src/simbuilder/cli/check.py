"""`simbuilder check`: are the tools there, and do the current session's servers answer?"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli import completion

if TYPE_CHECKING:
    from simbuilder.composition import Choice, Rooms
    from simbuilder.sessions.outputs import CheckData, Checks, ServiceData
    from simbuilder.sessions.result import Problem, Result


def check(
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="[SESSION]",
            help="The current session if left out.",
            show_default=False,
            autocompletion=completion.sessions,
        ),
    ] = None,
    doctor: Annotated[
        bool,
        typer.Option("--doctor", help="Look at this machine instead, and say what mends it."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Probe the tools, and the session's servers with real clients."""
    from simbuilder.cli import render
    from simbuilder.cli.guard import guarded

    examine = _doctor if doctor else _check
    with render.progress(quiet=True) as view:
        result = guarded("check", view, lambda rooms: examine(rooms, session))
    render.show(result, as_json)
    return result.exit_status


def _doctor(rooms: "Rooms", reference: str | None) -> "Result":
    from simbuilder.cli.doctor import examine
    from simbuilder.scaffolding.exceptions import UsageError

    if reference is not None:
        raise UsageError(
            "--doctor looks at the whole machine, not at one session",
            f"leave one of them out: 'check {reference}' or 'check --doctor'",
        )
    return examine(rooms)


def _check(rooms: "Rooms", reference: str | None) -> "Result":
    from simbuilder.composition import Choice, choose_runtime
    from simbuilder.scaffolding.exceptions import SessionNotFoundError
    from simbuilder.sessions.result import Problem, partial, success

    remarks: list[Problem] = []
    try:
        view = rooms.manager.status(rooms.manager.finder.resolve(reference)).view
        one = view.session
        choice = Choice(one.runtime, one.reason)
        services = view.data()["services"]
    except SessionNotFoundError as error:
        if reference is not None:
            raise
        view, services, choice = None, {}, choose_runtime(None, rooms)
        remarks.append(Problem("no-session", error.message, error.hint))
    checks, problems = _tools(rooms, choice, view.session.engine if view else "")
    checks += [_service_check(service, data) for service, data in services.items()]
    down = [c["name"] for c in checks if not c["ok"] and c["name"] in services]
    if view and (unknown := view.unseen()):
        problems += () if problems else unknown  # that the engine is silent has been said
    elif view and down:
        message = f"session {view.session.label} does not serve {', '.join(down)}"
        hint = f"'simbuilder session start {view.session.short}' starts what is missing"
        problems.append(Problem("service-not-ready", message, hint))
    data: Checks = {"session": view.session.short if view else None, "checks": checks}
    finish = partial if problems else success
    return finish("check", data, (*problems, *remarks))


def _tools(
    rooms: "Rooms", choice: "Choice", engine: str
) -> "tuple[list[CheckData], list[Problem]]":
    """Check what the runtime in use needs; the engine, for sessions on Docker."""
    from simbuilder.runtimes.docker.engine import LOOK_TIMEOUT_S
    from simbuilder.runtimes.local import tools
    from simbuilder.scaffolding.exceptions import SimBuilderError
    from simbuilder.sessions.result import Problem

    checks = [_row("python", True, None, f"Python {sys.version.split()[0]}")]
    why = f" ({choice.reason})" if choice.reason else ""
    checks.append(_row("runtime", True, None, f"{choice.runtime}{why}"))
    if choice.runtime == "docker":
        try:
            answer = rooms.docker().at(engine).answer(LOOK_TIMEOUT_S)
        except SimBuilderError as error:
            checks.append(_row("docker", False, None, error.message))
            return checks, [Problem.of(error)]
        checks.append(_row("docker", True, answer.latency_ms, str(answer)))
        return checks, []
    found = tools.check(rooms.settings.cache_dir)
    checks += [_row(c.name, c.ok, c.latency_ms, c.detail) for c in found]
    lacking = [c for c in found if not c.ok]
    return checks, [Problem("tool", f"{c.name}: {c.detail}", tools.EXTRA_HINT) for c in lacking]


def _row(name: str, ok: bool, latency_ms: float | None, detail: str) -> "CheckData":
    return {"name": name, "ok": ok, "latency_ms": latency_ms, "detail": detail}


def _service_check(service: str, data: "ServiceData") -> "CheckData":
    url = next(iter(data["endpoints"].values()))["url"]
    product = f"{data['product']} {data['version']}"
    note = f" ({data['note']})" if data["note"] else ""
    detail = f"{product} at {url}{note}" if data["ready"] else data["problem"]
    return _row(service, bool(data["ready"]), data["latency_ms"], detail)
