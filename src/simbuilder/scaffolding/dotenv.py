"""The one `.env` dialect, as text in and text out.

Shared by user files (`.env`) and generated ones (`.env.session`). What is written here is read
back identically by this parser, by POSIX shells (`set -a; . ./.env.session`), by Docker Compose
and by python-dotenv; a unit test proves the first two. The exception is a backtick: see
`for_compose`.
"""

import re
from collections.abc import Mapping

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_ESCAPED = re.compile(r'([\\"$`])')
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"\s*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?")


def parse(text: str) -> tuple[dict[str, str], list[int]]:
    r"""Return the variables and the numbers (from 1) of the lines that are not `KEY=value`.

    Blank lines and lines starting with `#` are comments; `export` before a key is allowed. Values
    may stand bare (a ` #` ends them), in single quotes (verbatim) or in double quotes (backslash
    escapes the next character, `\n` is a newline).
    """
    values: dict[str, str] = {}
    bad: list[int] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        value = _unquote(match.group(2)) if match else None
        if match is None or value is None:
            bad.append(number)
        else:
            values[match.group(1)] = value
    return values, bad


def _unquote(raw: str) -> str | None:
    if raw.startswith('"'):
        match = _DOUBLE.fullmatch(raw)
        if match is None:
            return None
        return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match.group(1))
    if raw.startswith("'"):
        match = _SINGLE.fullmatch(raw)
        return match.group(1) if match else None
    return re.split(r"(?:^|\s+)#", raw, maxsplit=1)[0]


def render(values: Mapping[str, str], comment: str = "") -> str:
    """Return `values` as lines in the given order, quoting only where a shell would need it.

    Raises `ValueError` for a value with a control character: no setting of ours has one, and
    shells and Compose disagree about what it would mean.
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    for key, value in values.items():
        if not value.isprintable():
            raise ValueError(f"{key} holds a control character")
        quoted = value if _SAFE.fullmatch(value) else '"' + _ESCAPED.sub(r"\\\1", value) + '"'
        lines.append(f"{key}={quoted}")
    return "\n".join(lines) + "\n"


def for_compose(text: str) -> str:
    """Return rendered lines for Docker Compose alone.

    It takes the backslash for a part of the value (5.6) that shells want before a backtick. A label
    with an owner that is not ours is the mark of a stranger, whose containers we leave alone.
    """
    return text.replace("\\`", "`")
