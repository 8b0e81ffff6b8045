"""What sends: an event into its stream, or a request to whoever answers."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from simbuilder.cli.bus.desk import run
from simbuilder.cli.bus.options import types
from simbuilder.cli.common import Json, Reference, Timeout, command_group

if TYPE_CHECKING:
    from simbuilder.bus.events import Event
    from simbuilder.bus.events import Json as JsonData
    from simbuilder.bus.protocol import Ack, Bus
    from simbuilder.cli.bus.desk import Desk
    from simbuilder.cli.bus.outputs import Published, Replied
    from simbuilder.sessions.result import Result

SOURCE = "/simbuilder/cli"

app = command_group()

Data = Annotated[
    str,
    typer.Option(
        "--data", metavar="JSON|-|@FILE", help="The data: as JSON, from stdin, or in a file."
    ),
]
Source = Annotated[str, typer.Option("--source", metavar="S", help="Who says it.")]


@app.command(
    epilog="Examples:  simbuilder bus publish sim.workflow.v1.run.requested --key run-1 "
    '--data \'{"run": "run-1", "plan": "golden-saml"}\'  |  '
    "simbuilder bus publish sim.workflow.v1.inventory.taken --data @inventory.json  |  "
    "jq .answer reply.json | simbuilder bus publish sim.workflow.v1.answer.given --data -"
)
def publish(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT", help="sim.<domain>.v1.<component>.<action>.", autocompletion=types
        ),
    ],
    session: Reference = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="T", help="Its type, if that is not the subject."),
    ] = None,
    data: Data = "{}",
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="K", help="Events of one key keep their order."),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Its id: what has been stored is not again."),
    ] = None,
    source: Source = SOURCE,
    correlation: Annotated[
        str | None,
        typer.Option("--correlation", metavar="ID", help="The undertaking that it belongs to."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Publish an event, and wait until it is stored.

    Data of a declared type must be what the type says; that of any other may be anything.
    """

    def action(desk: "Desk") -> "Result":
        from simbuilder.bus.errors import NoStreamError
        from simbuilder.bus.making import new_named
        from simbuilder.bus.subjects import checked_subject
        from simbuilder.sessions.result import success

        checked_subject(subject)
        content = _content(data)
        _check(type_ or subject, content)
        event = new_named(
            type_ or subject, content, source, id=id_, correlation_id=correlation, key=key
        )
        target = _target(event, subject)
        server = desk.server(session)

        async def work(bus: "Bus") -> "Ack":
            return await bus.publish(event, subject=target)

        try:
            ack = server.run(work)
        except NoStreamError as error:
            raise NoStreamError(error.message, _whither(target)) from None
        sent: Published = {
            "id": event.id,
            "type": event.type,
            "subject": target,
            "stream": ack.stream,
            "sequence": ack.sequence,
            "duplicate": ack.duplicate,
        }
        return success("bus publish", sent)

    again = "whether it was stored is unknown; with the same --id it can be sent again"
    return run("bus publish", as_json, action, again)


def _content(given: str) -> "JsonData":
    """Return the data that is meant. Raises `UsageError` for what is no JSON."""
    import orjson

    from simbuilder.scaffolding.exceptions import UsageError

    try:
        content: JsonData = orjson.loads(_text(given))
    except orjson.JSONDecodeError as error:
        raise UsageError(
            f"the data is no JSON: {error}", """as in: --data '{"run": "run-1"}'"""
        ) from None
    return content


def _text(given: str) -> str | bytes:
    from pathlib import Path

    from simbuilder.scaffolding.exceptions import UsageError

    if given == "-":
        return sys.stdin.buffer.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise UsageError(f"{given[1:]!r} cannot be read: {why}", "name a file of JSON") from None


def _check(type_: str, content: "JsonData") -> None:
    """Raise `EventError` if the data is not what its declared type says."""
    import simbuilder.bus.catalogue  # noqa: F401 - it declares them
    from simbuilder.bus.events import checked_data

    checked_data(type_, content)


def _target(event: "Event", subject: str) -> str:
    """Return the subject with the partition of the event's key."""
    from simbuilder.bus.subjects import partition_of

    return subject if event.key is None else f"{subject}.{partition_of(event.key)}"


def _whither(subject: str) -> str:
    from simbuilder.bus.declarations import DECLARED
    from simbuilder.bus.subjects import REQUESTS, domain_of

    if DECLARED.stream_of(subject):
        return "'simbuilder bus ensure' makes the declared streams"
    if domain_of(subject) == REQUESTS:
        return "'simbuilder bus request' asks whoever answers it"
    domains = ", ".join(domain_of(s) for stream in DECLARED.streams for s in stream.subjects)
    return f"the declared domains are {domains}"


# --- requests ---------------------------------------------------------------------------------


@app.command(
    epilog="Examples:  simbuilder bus request sim.request.v1.planner.plan "
    '--data \'{"plan": "golden-saml"}\'  |  '
    "simbuilder bus request sim.request.v1.planner.ping --timeout 2 --json"
)
def request(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="sim.request.v1.<component>.<action>.")
    ],
    session: Reference = None,
    data: Data = "{}",
    source: Source = SOURCE,
    timeout: Timeout = 30,
    as_json: Json = False,
) -> int:
    """Ask something, and print the data of the reply."""

    def action(desk: "Desk") -> "Result":
        from simbuilder.bus.making import new_named
        from simbuilder.bus.subjects import REQUESTS, checked_subject, domain_of
        from simbuilder.scaffolding.exceptions import UsageError
        from simbuilder.sessions.result import success

        if domain_of(checked_subject(subject)) != REQUESTS:
            raise UsageError(
                f"{subject} is no subject of requests", "as in: sim.request.v1.planner.plan"
            )
        content = _content(data)
        _check(subject, content)
        event = new_named(subject, content, source)
        server = desk.server(session)

        async def work(bus: "Bus") -> "Event":
            return await bus.whole(await bus.request(subject, event, deadline_s=timeout))

        reply = server.run(work)
        answer: Replied = {
            "id": reply.id,
            "type": reply.type,
            "source": reply.source,
            "data": _plain(reply.data),
        }
        return success("bus request", answer)

    return run("bus request", as_json, action, "whether somebody has worked on it is unknown")


def _plain(data: object) -> object:
    """Return data as JSON can have it."""
    import base64

    return base64.b64encode(data).decode() if isinstance(data, bytes) else data
