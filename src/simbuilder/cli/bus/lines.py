"""Messages of streams as lines: JSON for programs, or text for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simbuilder.bus.protocol import Stored
    from simbuilder.cli.bus.outputs import EventLine

_LONGEST = 400
"""Characters of data that are shown; `--json` has all of it."""
_WIDEST = 48
"""So far subjects move the column that follows them."""
_COLOURS = {"workflow": 36, "health": 32, "errors": 31, "deadletters": 35}
"""Domain -> the colour of its subjects: cyan, green, red, magenta (ECMA-48, 8.3.117)."""
_QUIET, _LOUD = 2, 31


class Printer:
    """Writes messages one after the other."""

    def __init__(self, as_json: bool) -> None:
        from simbuilder.cli.streams import in_colour

        self._as_json = as_json
        self._coloured = not as_json and in_colour()
        self._width = 0

    def __call__(self, stored: "Stored") -> None:
        """Write a line. Raises `ReaderLeft`, as `streams.line` does."""
        import json

        from simbuilder.cli.streams import line

        line(json.dumps(event_line(stored)) if self._as_json else self._text(stored))

    def _text(self, stored: "Stored") -> str:
        from simbuilder.bus.subjects import domain_of
        from simbuilder.cli.streams import shown

        at = stored.time.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        subject = shown(stored.subject)
        self._width = max(self._width, min(len(subject), _WIDEST))
        padded = subject.ljust(self._width)
        if self._coloured:
            at = _in(_QUIET, at)
            padded = _in(_COLOURS.get(domain_of(stored.subject), 0), padded)
        return f"{at}  {padded}  {self._rest(stored)}"

    def _rest(self, stored: "Stored") -> str:
        from simbuilder.cli.streams import shown

        event = stored.event
        if event is None:
            problem = f"no event: {stored.problem}: "
            said = _in(_LOUD, shown(problem)) if self._coloured else shown(problem)
            return said + shown(_cut(_raw(stored.raw)))
        return "  ".join([shown(event.key or "-"), shown(event.id), shown(_cut(brief(stored)))])


def _in(colour: int, text: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def brief(stored: "Stored") -> str:
    """Return the data of an event on one line."""
    import json

    if stored.event is None:
        return ""
    if stored.event.data_ref:
        return f"(large: {stored.event.data_ref})"
    data = stored.event.data
    if isinstance(data, bytes):
        return f"({len(data):,} bytes)"
    return json.dumps(data, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _raw(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def event_line(stored: "Stored") -> "EventLine":
    """Return a message as programs get it."""
    import json

    from simbuilder.bus import formats

    event = stored.event
    return {
        "stream": stored.stream,
        "sequence": stored.sequence,
        "time": stored.time.isoformat(),
        "subject": stored.subject,
        "event": None if event is None else json.loads(formats.write(event)),
        "problem": stored.problem or None,
        "raw": _raw(stored.raw) if event is None else None,
    }
