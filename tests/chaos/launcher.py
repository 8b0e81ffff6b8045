"""Runs a command that kills itself at its n-th effect: `launcher.py N FILE session create ...`.

FILE receives the number of effects of a command that lives longer.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

from tests.chaos.fuse import on_effect

at, report = int(sys.argv[1]), Path(sys.argv[2])
sys.argv[1:] = sys.argv[3:]
effects = itertools.count(1)


def strike() -> None:
    if next(effects) == at:
        os.kill(os.getpid(), signal.SIGKILL)


from simbuilder.cli.app import main  # noqa: E402 - its imports are no effects of the command

on_effect(strike)
status = main()
report.write_text(str(next(effects) - 1))
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
