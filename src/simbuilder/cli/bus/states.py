"""What a bus has: what is declared and made, its streams, its queues."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.bus.desk import run
from simbuilder.cli.bus.options import StreamName
from simbuilder.cli.common import Json, Reference, command_group

if TYPE_CHECKING:
    from datetime import datetime

    from simbuilder.bus.protocol import Bus, Change, QueueState, StreamState
    from simbuilder.cli.bus.desk import Desk
    from simbuilder.cli.bus.outputs import (
        ChangeData,
        ConsumerData,
        Consumers,
        Ensured,
        StreamData,
        Streams,
    )
    from simbuilder.sessions.result import Result

app = command_group()


@app.command(epilog="Examples:  simbuilder bus ensure  |  simbuilder bus ensure --dry-run --json")
def ensure(
    session: Reference = None,
    replicas: Annotated[
        int, typer.Option("--replicas", min=1, max=5, metavar="N", help="Copies, in a cluster.")
    ] = 1,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Let it delete events, if it takes that.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be changed.")] = False,
    as_json: Json = False,
) -> int:
    """Make the declared streams and buckets; can be repeated.

    What differs from the declaration is changed, and what it does not name is left alone.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.bus.declarations import DECLARED
        from simbuilder.bus.errors import LossyChangeError
        from simbuilder.sessions.result import success

        server = desk.server(session)

        async def work(bus: "Bus") -> "tuple[Change, ...]":
            return await bus.ensure(
                DECLARED.replicated(replicas), allow_loss=allow_loss or dry_run, dry_run=dry_run
            )

        try:
            changes = server.run(work)
        except LossyChangeError as error:
            raise LossyChangeError(
                error.message, "--dry-run shows the changes, --allow-loss makes them"
            ) from None
        data: Ensured = {
            "session": server.session.short,
            "dry_run": dry_run,
            "changes": [_change(one) for one in changes],
        }
        return success("bus ensure", data)

    return run("bus ensure", as_json, action, "run it again: it does what is missing")


def _change(one: "Change") -> "ChangeData":
    return {
        "verb": one.verb,
        "kind": one.kind,
        "name": one.name,
        "what": one.what,
        "before": one.before,
        "after": one.after,
        "lossy": one.lossy,
    }


@app.command(epilog="Examples:  simbuilder bus streams  |  simbuilder bus streams --json")
def streams(session: Reference = None, as_json: Json = False) -> int:
    """Show the streams and what they hold."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.sessions.result import success

        server = desk.server(session)

        async def work(bus: "Bus") -> "list[StreamState]":
            return await bus.streams()

        found = sorted(server.run(work), key=lambda one: one.name)
        data: Streams = {
            "session": server.session.short,
            "streams": [_stream(one) for one in found],
        }
        return success("bus streams", data)

    return run("bus streams", as_json, action)


def _stream(one: "StreamState") -> "StreamData":
    return {
        "name": one.name,
        "about": one.about,
        "subjects": list(one.subjects),
        "messages": one.messages,
        "bytes": one.bytes,
        "first_sequence": one.first_sequence,
        "last_sequence": one.last_sequence,
        "first_time": _time(one.first_time),
        "last_time": _time(one.last_time),
        "consumers": one.consumers,
        "replicas": one.replicas,
        "leader": one.leader,
    }


def _time(moment: "datetime | None") -> str | None:
    return None if moment is None else moment.isoformat()


@app.command(
    epilog="Examples:  simbuilder bus consumers  |  "
    "simbuilder bus consumers --stream SIM_WORKFLOW --json"
)
def consumers(session: Reference = None, stream: StreamName = None, as_json: Json = False) -> int:
    """Show the queues and what waits in them."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.cli.bus.options import the_streams
        from simbuilder.sessions.result import success

        server = desk.server(session)

        async def work(bus: "Bus") -> "list[QueueState]":
            if stream is not None:
                await the_streams(bus, stream)
            return await bus.queues(stream)

        found = sorted(server.run(work), key=lambda one: (one.stream, one.name))
        data: Consumers = {
            "session": server.session.short,
            "consumers": [_consumer(one) for one in found],
        }
        return success("bus consumers", data)

    return run("bus consumers", as_json, action)


def _consumer(one: "QueueState") -> "ConsumerData":
    data: ConsumerData = asdict(one)  # type: ignore[assignment]
    return data
