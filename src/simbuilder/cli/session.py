"""`simbuilder session ...`: which module has which command."""

from simbuilder.cli.common import group_of

PLACES = {
    "create": "lifecycle",
    "start": "lifecycle",
    "stop": "lifecycle",
    "list": "lifecycle",
    "status": "lifecycle",
    "cleanup": "lifecycle",
    "verify": "lifecycle",
    "extend": "expiry",
    "gc": "expiry",
    "events": "events",
    "watch": "watch",
    "run": "running",
    "logs": "logs",
    "shell": "shell",
    "env": "use",
    "open": "use",
    "use": "use",
    "current": "use",
    "fork": "copies",
    "snapshot": "copies",
    "export": "copies",
    "import": "copies",
}
"""Command -> the module of this room whose `app` has it, in the order of the help."""

app = group_of("simbuilder.cli", PLACES, "Create, use, copy, watch and remove sessions.")
