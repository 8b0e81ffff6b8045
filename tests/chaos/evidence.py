"""Writes what a long run has shown into STATUS.md: `evidence.py REPORT SEED MINUTES`."""

import platform
import subprocess
import sys
import time
from pathlib import Path

from simbuilder.runtimes.docker.engine import Engine
from simbuilder.scaffolding.exceptions import SimBuilderError
from tests.chaos.tally import Tally

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- chaos: written by 'tasks.py chaos' -->", "<!-- /chaos -->"
SYSTEMS = {"Linux": "macOS, Windows", "Darwin": "Linux, Windows"}


def block(tally: Tally, seed: str, minutes: str) -> str:
    """Return the evidence as Markdown."""
    rows = tally.text_rows()
    command = f"python3 tasks.py chaos --minutes {minutes} --seed {seed}"
    untried = SYSTEMS.get(platform.system(), "other systems")
    lines = [
        BEGIN,
        f"`{command}` on {time.strftime('%Y-%m-%d')}, commit {commit()}, {machine()}:",
        "every test passed.",
        "",
        f"| {' | '.join(rows[0])} |",
        f"|{'---|' * 2}{'---:|' * (len(rows[0]) - 2)}",
        *(f"| {' | '.join(row)} |" for row in rows[1:]),
        "",
        f"Not tried: {untried}, and whatever is not named above.",
        END,
    ]
    return "\n".join(lines)


def commit() -> str:
    argv = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine() -> str:
    try:
        answer = Engine().answer()
        engine = f"Docker {answer.docker} with Compose {answer.compose}"
    except SimBuilderError:
        engine = "no Docker engine"
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{system}, Python {platform.python_version()}, {engine}"


def insert(text: str, evidence: str) -> str:
    """Put the evidence in the place of the last one."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + evidence + after


def main() -> None:
    report, seed, minutes = sys.argv[1:]
    tally = Tally()
    tally.add(Path(report))
    path = ROOT / "STATUS.md"
    path.write_text(insert(path.read_text(), block(tally, seed, minutes)))


if __name__ == "__main__":
    main()
