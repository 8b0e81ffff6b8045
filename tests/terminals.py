"""The terminals commands must put up with: what each changes in the environment."""

from collections.abc import Mapping

TERMINALS: Mapping[str, Mapping[str, str | None]] = {
    "plain": {},
    "C": {"LC_ALL": "C", "LANG": None},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "nocolor": {"NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
    "narrow": {"COLUMNS": "40"},
}


def at_terminal(name: str, env: Mapping[str, str]) -> dict[str, str]:
    changed = {**env, **TERMINALS[name]}
    return {key: value for key, value in changed.items() if value is not None}
