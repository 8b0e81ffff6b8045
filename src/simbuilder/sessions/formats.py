"""Variables as text for whoever shall have them: shells, programs, CI. Pure."""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches

from simbuilder.scaffolding import dotenv
from simbuilder.scaffolding.exceptions import UsageError

Variables = Mapping[str, str]


def shell(values: Variables) -> str:
    """Return what sh, bash and zsh `eval`: `export KEY='value'`."""
    return _lines(f"export {key}={shlex.quote(value)}" for key, value in values.items())


def powershell(values: Variables) -> str:
    """Return what PowerShell's `Invoke-Expression` takes: `$env:KEY = 'value'`.

    It takes typographic quotes for plain ones, and two of either for one.
    """
    quoted = {key: re.sub("(['\u2018-\u201b])", r"\1\1", text) for key, text in values.items()}
    return _lines(f"$env:{key} = '{value}'" for key, value in quoted.items())


def github(values: Variables) -> str:
    """Return lines for the file `$GITHUB_ENV`, in the form that takes any value.

    (GitHub Docs, "Workflow commands", multiline strings: `KEY<<DELIMITER`, value, `DELIMITER`.)
    """
    end = "SIMBUILDER_END"
    while any(end in value for value in values.values()):
        end += "_"
    return _lines(f"{key}<<{end}\n{value}\n{end}" for key, value in values.items())


def as_json(values: Variables) -> str:
    """Return one JSON object."""
    return json.dumps(values, indent=1) + "\n"


FORMATS: Mapping[str, Callable[[Variables], str]] = {
    "dotenv": dotenv.render,
    "shell": shell,
    "powershell": powershell,
    "json": as_json,
    "github": github,
}


def only(values: Variables, wanted: Sequence[str]) -> Variables:
    """Return the variables that are wanted, in that order; all if none is named.

    A name may be several, with commas between. Raises `UsageError` for one there is not.
    """
    names = [name.strip() for text in wanted for name in text.split(",") if name.strip()]
    for name in names:
        if name not in values:
            near = get_close_matches(name.upper(), values, 3, 0.5) or values
            raise UsageError(f"the session has no variable {name!r}", f"it has {', '.join(near)}")
    return {name: values[name] for name in names} if wanted else values


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
