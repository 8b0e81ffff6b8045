"""`simbuilder graph ...`: which module has which command."""

from simbuilder.cli.common import group_of

PLACES = {
    "init": "filling",
    "load": "loading",
    "generate": "filling",
    "stats": "asking",
    "query": "asking",
    "show": "asking",
    "path": "ways",
    "diff": "states",
    "history": "states",
    "export": "giving",
    "view": "drawing",
    "wipe": "filling",
}
"""Command -> the module of this room whose `app` has it, in the order of the help."""

app = group_of("simbuilder.cli.graph", PLACES, "Fill and question the graph of a session.")
