"""`simbuilder info` and `simbuilder version`: what holds here, and where it comes from."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simbuilder.sessions.outputs import Info, SettingData, Versions
    from simbuilder.sessions.result import Result

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def info(as_json: Json = False) -> int:
    """Show the configuration of this folder, secrets masked, and where each value comes from."""
    from simbuilder.cli import render
    from simbuilder.cli.guard import guarded

    with render.progress(quiet=True) as view:
        result = guarded("info", view, lambda _rooms: _info())
    render.show(result, as_json)
    return result.exit_status


def _info() -> "Result":
    from pathlib import Path

    from simbuilder import __version__
    from simbuilder.scaffolding.config import get_settings, known_settings
    from simbuilder.scaffolding.environment import core_settings, read_environment
    from simbuilder.sessions.result import success

    environment = read_environment(Path.cwd())
    get_settings()  # a value that cannot be used is an error here too
    effective = core_settings(environment).by_variable()
    settings: list[SettingData] = []
    for name, secret in known_settings():
        found = environment.get(name, str(effective.get(name, "")))
        shown = "***" if secret and found.text else found.text
        source = found.source if found.text else "not set"
        settings.append({"name": name, "value": shown, "source": source})
    data: Info = {"simbuilder": __version__, "settings": settings}
    return success("info", data)


def version(as_json: Json = False) -> int:
    """Show the versions of SimBuilder and Python."""
    import platform

    from simbuilder import __version__
    from simbuilder.cli import render
    from simbuilder.sessions.result import success

    data: Versions = {"simbuilder": __version__, "python": platform.python_version()}
    result = success("version", data)
    render.show(result, as_json)
    return result.exit_status
