"""`simbuilder bus ...`: which module has which command."""

from simbuilder.cli.common import group_of

PLACES = {
    "ensure": "states",
    "streams": "states",
    "consumers": "states",
    "publish": "sending",
    "request": "sending",
    "tail": "tailing",
    "replay": "replaying",
    "dlq": "letters",
    "top": "top",
}
"""Command -> the module of this room whose `app` has it, in the order of the help."""

app = group_of("simbuilder.cli.bus", PLACES, "Send, follow and repeat the events of a session.")
