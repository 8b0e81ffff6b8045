"""How long sessions stay: giving them more time, and removing those that are over."""

from typing import TYPE_CHECKING, Annotated

import typer

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
    from datetime import datetime

    from simbuilder.composition import Rooms
    from simbuilder.sessions.collector import Collected
    from simbuilder.sessions.expiry import Due, Moment
    from simbuilder.sessions.model import Session as Recorded
    from simbuilder.sessions.outputs import CollectedData, Collection
    from simbuilder.sessions.result import Result

app = command_group()


@app.command(
    epilog="Examples:  simbuilder session extend  |  simbuilder session extend demo --by 4h  |  "
    "simbuilder session extend demo --until never"
)
def extend(
    session: Session = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="SPAN", help="How much more, such as 4h; left out: as at first."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Until then (ISO 8601, UTC), or 'never'."),
    ] = None,
    timeout: Timeout = 60,
    as_json: Json = False,
) -> int:
    """Let a session expire later, or never; one that is over but still there counts too."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions import expiry

        if by is not None and until is not None:
            raise UsageError("--by and --until contradict each other", "give one of them")
        by_s = expiry.seconds(by) if by is not None else 0

        def end(session: "Recorded", now: "Moment") -> "datetime | None":
            if until is None:
                return expiry.extended(session, by_s, now)
            return expiry.fixed(until, now)

        session_id = rooms.manager.finder.resolve(session)
        return reported("session extend", rooms.manager.extend(session_id, end, timeout))

    # not before: it may be about the very session that would be removed
    return run("session extend", as_json, action, reap=False)


@app.command(
    epilog="Examples:  simbuilder session gc --dry-run  |  simbuilder session gc --older-than 7d"
)
def gc(
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="SPAN", help="Also those made longer ago, as in 7d."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that clients are connected to.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask about those of --older-than.")
    ] = False,
    timeout: Timeout = 60,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> int:
    """Remove sessions that are over: expired, or their process or folder is gone."""

    def action(rooms: "Rooms") -> "Result":
        from simbuilder.sessions import expiry

        collector = rooms.manager.collector
        found = collector.due(expiry.seconds(older_than) if older_than is not None else None)
        verdicts = collector.weigh(found, force)
        if dry_run:
            return planned("session gc", expiry.plan(verdicts))
        _confirm([one for one, against in verdicts if one.asks and not (against or yes)])
        return _collected(collector.collect(verdicts, timeout, force))

    return run("session gc", as_json, action, reap=False)


def _confirm(asked: "list[Due]") -> None:
    """Ask before anything goes that has not ended by itself; raises unless somebody agrees."""
    from simbuilder.cli import streams
    from simbuilder.scaffolding.exceptions import SimBuilderError, UsageError

    if not asked:
        return
    if not streams.may_ask():
        raise UsageError(
            "--older-than needs --yes when nobody can be asked",
            "add --yes; --dry-run shows what would go",
        )
    for one in asked:
        streams.talk(f"{one}: {one.cause}")
    if not typer.confirm(f"Remove {len(asked)} session(s) and all their data?", err=True):
        raise SimBuilderError("nothing was removed")


def _collected(done: "Collected") -> "Result":
    from simbuilder.sessions.result import Problem, partial, success

    def row(one: "Due", against: str = "") -> "CollectedData":
        return {
            "id": one.id,
            "short": one.id[:8],
            "name": one.name,
            "why": one.why,
            "cause": one.cause,
            "kept": against,
        }

    rows = [row(one) for one in done.removed] + [row(one, why) for one, why in done.kept]
    data: Collection = {"sessions": rows}
    if done.problems:
        return partial("session gc", data, done.problems)
    nothing = Problem("nothing-to-remove", "there is nothing to remove")
    return success("session gc", data, () if rows else (nothing,))
