"""Copies of a session: fork it, keep and bring back states of it, carry it to another machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.common import Json, Session, Timeout, command_group, help_alone, run

if TYPE_CHECKING:
    from simbuilder.composition import Rooms
    from simbuilder.sessions.copier import Copied
    from simbuilder.sessions.outputs import (
        CopiedData,
        DeletedSnapshot,
        Exported,
        Saved,
        SnapshotList,
    )
    from simbuilder.sessions.result import Problem, Result
    from simbuilder.sessions.view import Report

app = command_group()
snapshot = typer.Typer(
    help="Keep states of a session under names, and go back to them.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
snapshot.callback()(help_alone)
app.add_typer(snapshot, name="snapshot")

Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="A unique name to call it by.")
]
SnapshotName = Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")]


def _meant(rooms: "Rooms", session: str | None, other: str, destructive: bool = False) -> str:
    """Return the id of the session meant; if it is `other` that names one, say so."""
    from simbuilder.scaffolding.exceptions import SessionNotFoundError, UsageError

    try:
        return rooms.manager.finder.resolve(session, destructive)
    except SessionNotFoundError:
        if session is not None and other in rooms.manager.finder.names().values():
            raise UsageError(
                f"there is no session {session!r}, but {other!r} is one",
                "the session comes last: see --help",
            ) from None
        raise


@app.command(
    epilog="Examples:  simbuilder session fork lab --name attempt  |  "
    "simbuilder session fork --json"
)
def fork(
    session: Session = None,
    name: Name = None,
    ttl: Annotated[
        str | None,
        typer.Option("--ttl", metavar="SPAN", help="Let the fork expire after 8h, 30m, 2d."),
    ] = None,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Make a second, separate session that holds all that this one holds now, and start it."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.cli.lifecycle import lifetime

        ttl_s = lifetime(ttl)
        session_id = rooms.manager.finder.resolve(session)
        forked = rooms.copier().fork(session_id, timeout, name, ttl_s)
        more = {"forked_from": forked.source.id}
        return _copied("session fork", forked.report, forked.copied, more)

    return run("session fork", as_json, action)


@snapshot.command("save", epilog="Example:  simbuilder session snapshot save before-attack")
def save(
    name: SnapshotName, session: Session = None, timeout: Timeout = 60, as_json: Json = False
) -> int:
    """Keep the present state of a session; it runs on."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import success

        session_id = _meant(rooms, session, name)
        made, copied = rooms.copier().save(session_id, name, timeout)
        data: Saved = {
            "session": session_id,
            "snapshot": made.data(),
            "pause_s": _rounded(copied.pause_s),
        }
        return success("session snapshot save", data)

    return run("session snapshot save", as_json, action)


@snapshot.command("list", epilog="Example:  simbuilder session snapshot list --json")
def list_(session: Session = None, as_json: Json = False) -> int:
    """List the snapshots of a session, oldest first."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import success

        session_id = rooms.manager.finder.resolve(session)
        known = rooms.copier().snapshots.all(session_id)
        data: SnapshotList = {"session": session_id, "snapshots": [one.data() for one in known]}
        return success("session snapshot list", data)

    return run("session snapshot list", as_json, action)


@snapshot.command("restore", epilog="Example:  simbuilder session snapshot restore before-attack")
def restore(
    name: SnapshotName, session: Session = None, timeout: Timeout = 60, as_json: Json = False
) -> int:
    """Go back to a snapshot; what was written since is lost. Ports and secrets stay."""

    def action(rooms: "Rooms") -> "Result":
        session_id = _meant(rooms, session, name, destructive=True)
        report, copied = rooms.copier().restore(session_id, name, timeout)
        return _copied("session snapshot restore", report, copied, {"snapshot": name})

    return run("session snapshot restore", as_json, action)


@snapshot.command("delete", epilog="Example:  simbuilder session snapshot delete before-attack")
def delete(
    name: SnapshotName, session: Session = None, timeout: Timeout = 60, as_json: Json = False
) -> int:
    """Delete a snapshot; the session stays as it is."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import success

        session_id = _meant(rooms, session, name, destructive=True)
        gone = rooms.copier().delete(session_id, name, timeout)
        data: DeletedSnapshot = {"session": session_id, "snapshot": gone.data()}
        return success("session snapshot delete", data)

    return run("session snapshot delete", as_json, action)


@app.command(epilog="Example:  simbuilder session export lab.simbuilder lab")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file.")],
    session: Session = None,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Write what a session holds to one file, for another machine; it runs on."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions.result import success

        session_id = _meant(rooms, session, str(file))
        _check_file(rooms, file)
        manifest, size, copied = rooms.exporter().export(session_id, file.absolute(), timeout)
        data: Exported = {
            "session": session_id,
            "file": str(file.absolute()),
            "bytes": size,
            "pause_s": _rounded(copied.pause_s),
            "runtime": manifest.runtime,
            "services": list(manifest.services),
        }
        return success("session export", data)

    return run("session export", as_json, action)


def _check_file(rooms: "Rooms", file: Path) -> None:
    """Raise `UsageError` for what hardly anybody means to be a file."""
    from simbuilder.scaffolding.exceptions import UsageError

    if str(file) == "-" or str(file) in rooms.manager.finder.names().values():
        what = "an archive goes to a file" if str(file) == "-" else f"{str(file)!r} is a session"
        raise UsageError(what, "as in: simbuilder session export lab.simbuilder lab")


@app.command("import", epilog="Example:  simbuilder session import lab.simbuilder --name lab2")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'export' wrote.")],
    name: Name = None,
    runtime: Annotated[
        str | None,
        typer.Option("--runtime", metavar="local|docker", help="Refuse a file of another one."),
    ] = None,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Make a session that holds what an exported one held, and start it."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.cli.lifecycle import check_runtime

        check_runtime(runtime)
        wanted = None if runtime == "auto" else runtime
        report, copied, remarks = rooms.exporter().import_(file.absolute(), wanted, name, timeout)
        return _copied("session import", report, copied, {"file": str(file.absolute())}, remarks)

    return run("session import", as_json, action)


def _copied(
    command: str,
    report: "Report",
    copied: "Copied",
    more: dict[str, str],
    remarks: "tuple[Problem, ...]" = (),
) -> "Result":
    from simbuilder.sessions.result import partial, success

    done: CopiedData = {"bytes": copied.bytes, "pause_s": _rounded(copied.pause_s)}
    data = {"session": report.view.data(), **more, **done}
    finish = partial if report.problems else success
    return finish(command, data, (*report.problems, *remarks))


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
