"""Env files in the hands of real shells, which know nothing of our parser."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from simbuilder.scaffolding import dotenv
from simbuilder.sessions import formats

PRINTABLE = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isprintable()]
MEANINGFUL = list(" \"'\\$`!#=~*?[]{}()<>|&;%^-")


def texts(count: int) -> list[str]:
    """Random ones, the same in every run; half of the characters mean something to a shell."""
    chance = random.Random(1)
    return [
        "".join(chance.choice(chance.choice((PRINTABLE, MEANINGFUL))) for _ in range(length % 25))
        for length in range(count)
    ]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_reads_exactly_what_was_written(tmp_path: Path, shell: str) -> None:
    values = {f"VALUE_{number}": text for number, text in enumerate(texts(400))}
    (tmp_path / "file").write_text(dotenv.render(values, "a comment"), encoding="utf-8")
    said = subprocess.run(
        [shell, "-c", "set -a; . ./file; set +a; exec env -0"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert said.stderr == b""
    found = dict(line.split("=", 1) for line in said.stdout.decode().rstrip("\0").split("\0"))
    assert {key: found.get(key) for key in values} == values


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_evaluates_what_is_written_for_it(tmp_path: Path, shell: str) -> None:
    values = {f"VALUE_{number}": text for number, text in enumerate([*texts(400), "two\nlines"])}
    (tmp_path / "file").write_text(formats.shell(values), encoding="utf-8")
    said = subprocess.run(
        [shell, "-c", 'eval "$(cat file)"; exec env -0'],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    assert said.stderr == b""
    found = dict(line.split("=", 1) for line in said.stdout.decode().rstrip("\0").split("\0"))
    assert {key: found.get(key) for key in values} == values
