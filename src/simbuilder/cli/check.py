"""`simbuilder check`: are the tools there, and do the current session's servers answer?"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from simbuilder.cli.rooms import Rooms
    from simbuilder.sessions.result import Result


def check(
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="[SESSION]", help="The current session if left out.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Probe the tools, and the session's servers with real clients."""
    from simbuilder.cli import render
    from simbuilder.cli.rooms import guarded

    with render.progress(quiet=True) as view:
        result = guarded("check", view, lambda rooms: _check(rooms, session))
    render.show(result, as_json)
    return result.exit_status


def _check(rooms: "Rooms", reference: str | None) -> "Result":
    from simbuilder.runtimes.local import tools
    from simbuilder.scaffolding.exceptions import SessionNotFoundError
    from simbuilder.sessions.result import Problem, partial, success

    checks: list[dict[str, Any]] = [
        {"name": c.name, "ok": c.ok, "latency_ms": c.latency_ms, "detail": c.detail}
        for c in tools.check(rooms.settings.cache_dir)
    ]
    problems = [
        Problem("tool", f"{c['name']}: {c['detail']}", tools.EXTRA_HINT)
        for c in checks
        if not c["ok"]
    ]
    try:
        view = rooms.manager.status(rooms.manager.finder.resolve(reference)).view
    except SessionNotFoundError as error:
        if reference is not None:
            raise
        remark = Problem("no-session", error.message, error.hint)
        done = partial if problems else success
        return done("check", {"session": None, "checks": checks}, (*problems, remark))
    checks += [_service_check(service, data) for service, data in view.data()["services"].items()]
    if down := [c["name"] for c in checks if not c["ok"] and c["name"] in view.session.services]:
        message = f"session {view.session.label} does not serve {', '.join(down)}"
        hint = f"'simbuilder session start {view.session.short}' starts what is missing"
        problems.append(Problem("service-not-ready", message, hint))
    data = {"session": view.session.short, "checks": checks}
    return partial("check", data, tuple(problems)) if problems else success("check", data)


def _service_check(service: str, data: dict[str, Any]) -> dict[str, Any]:
    url = next(iter(data["endpoints"].values()))["url"]
    product = f"{data['product']} {data['version']}"
    note = f" ({data['note']})" if data["note"] else ""
    return {
        "name": service,
        "ok": bool(data["ready"]),
        "latency_ms": data["latency_ms"],
        "detail": f"{product} at {url}{note}" if data["ready"] else data["problem"],
    }
