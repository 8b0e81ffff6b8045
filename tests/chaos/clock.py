"""Runs a command while the clock of the machine jumps: `clock.py SEED session create ...`.

What the clock says, and when the machine was started according to it, changes with every question;
the monotonic clock goes on as it does on a real machine.
"""

import random
import sys
import time

import psutil._pslinux as machine

chance = random.Random(sys.argv.pop(1))
DAYS = 86400.0 * 30
real_time, real_boot = time.time, machine.boot_time

time.time = lambda: real_time() + chance.uniform(-DAYS, DAYS)
machine.boot_time = lambda: real_boot() + chance.uniform(-DAYS, DAYS)

from simbuilder.cli.app import entry  # noqa: E402 - it shall find the clock as it is now

entry()
