"""Holding containers still for a moment, and letting go whatever becomes of us."""

import binascii
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simbuilder.runtimes.docker.engine import PATIENCE_S, Engine
from simbuilder.runtimes.docker.labels import Container
from simbuilder.scaffolding.exceptions import NotHeldError
from simbuilder.scaffolding.freeze import Shell

HOLD = Path(__file__).parents[1] / "azurite_hold.mjs"
"""What lets a running Azurite be copied, see there."""

_HELD = "/dev/shm/simbuilder-held"  # noqa: S108 - in Azurite's container; nothing stays of it
_NOT_LOADED = "its Azurite was started by an older version, or by hand, and cannot be held still"
_AGAIN = "nothing was copied; try again"

# the engine may be far away, where nobody sees its processes but from within a container; the first
# process is Azurite, or an init that hands signals on to it
_HOLD_AZURITE = f"""
case ${{NODE_OPTIONS-}} in *--import*) ;; *) echo {_NOT_LOADED}; exit 1 ;; esac
rm -f {_HELD}
echo stopping
kill -USR2 1
tries=0
until [ -e {_HELD} ]; do
    tries=$((tries + 1))
    [ $tries -lt 500 ] || {{ echo its Azurite does not stand still; exit 1; }}
    sleep 0.01
done
"""

_HOLD_ALL = """
trap '' INT PIPE
still() {
    if [ "$AZURITE" ]; then
        docker "$@" exec "$AZURITE" sh -c "$HOLD_AZURITE" || return
    else
        echo stopping
    fi
    docker "$@" pause $ALL >/dev/null
}
if still "$@"; then echo held; else echo refused; fi
read -r _
docker "$@" unpause $ALL >/dev/null
status=$?
[ -z "$AZURITE" ] || docker "$@" exec "$AZURITE" rm -f "$HELD" || status=$?
exit $status
"""
"""One shell both holds and lets go: a command that we began when we were killed cannot come after.

A paused Azurite waits for nobody, so that it does not give up waiting for us (a minute).
"""


def node_options() -> str:
    """Return the `NODE_OPTIONS` that load `HOLD` into Azurite, on whatever machine it runs."""
    script = f"process.env.SIMBUILDER_HELD = '{_HELD}'\n".encode() + HOLD.read_bytes()
    text = binascii.b2a_base64(script, newline=False).decode()
    return f"--import data:text/javascript;base64,{text}"


@contextmanager
def held(engine: Engine, running: Sequence[Container]) -> Iterator[float]:
    """Pause containers, and return since when (`time.monotonic`) they do not answer.

    Azurite first writes down what it has in memory. The others are stopped where they are: what
    they acknowledged, the kernel has by then. Raises `NotHeldError`, also in the end if one of them
    went on meanwhile.
    """
    given = {
        "ALL": " ".join(c.id for c in running),
        "AZURITE": "".join(c.id for c in running if c.service == "azurite"),
        "HOLD_AZURITE": _HOLD_AZURITE,
        "HELD": _HELD,
    }
    shell = Shell(_HOLD_ALL, engine.options(), engine.environment() | given)
    try:
        yield _since(engine, shell)
    finally:
        said = _let_go(shell)
    if shell.status != 0:
        problem = engine.explain(said).message
        raise NotHeldError(f"its servers did not stand still to the end: {problem}", _AGAIN)


def _since(engine: Engine, shell: Shell) -> float:
    try:
        shell.hear("stopping\n", "held\n", "refused\n", timeout_s=PATIENCE_S)
        since = time.monotonic()
        said = shell.hear("held\n", "refused\n", timeout_s=PATIENCE_S)
    except TimeoutError as error:
        raise NotHeldError(f"the engine does not hold its containers: {error}", _AGAIN) from None
    if _NOT_LOADED in said:
        raise NotHeldError(_NOT_LOADED, "stop the session and start it, then try again")
    if not said.endswith("held\n"):
        raise NotHeldError(engine.explain(said.removesuffix("refused\n")).message, _AGAIN)
    return since


def _let_go(shell: Shell) -> str:
    try:
        return shell.end(PATIENCE_S)
    except TimeoutError:
        raise NotHeldError(
            "the engine does not let its containers go on",
            "look at the engine; 'simbuilder session start' lets them go on too",
        ) from None
