"""Reading a stream from any place in it."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from simbuilder.bus.memory.streams import Log, Message, stored, takes
from simbuilder.bus.protocol import Start, Stored


async def reading(
    log: Log, pattern: str, start: Start, *, follow: bool, check: Callable[[], object]
) -> AsyncGenerator[Stored, None]:
    """Go through what is there and, with `follow`, what comes; `check` raises to end it."""
    patterns = (pattern,)
    there = [message.sequence for message in present(log, patterns, start)]
    end = max(log.last, start.sequence - 1 if start.where == "sequence" else 0)
    for sequence in there:
        await asyncio.sleep(0)  # others have their turn, as they have where there is a server
        check()
        if (found := log.get(sequence)) is not None:
            yield stored(log.declared.name, found)
    while follow:
        check()
        if log.last <= end:
            await log.bell.wait()
            continue
        before, end = end, log.last
        for message in log.behind(before):
            if takes(patterns, message.subject):
                await asyncio.sleep(0)
                check()
                yield stored(log.declared.name, message)


def present(log: Log, patterns: tuple[str, ...], start: Start) -> list[Message]:
    """Return what a reader gets of what is there, in order."""
    found = [message for message in log.behind(0) if takes(patterns, message.subject)]
    match start.where:
        case "first":
            return found
        case "last":
            return found[-1:]
        case "new":
            return []
        case "sequence":
            return [message for message in found if message.sequence >= start.sequence]
        case "time":
            if start.time is None:
                raise ValueError("Start('time') needs a time")
            return [message for message in found if message.time >= start.time]
        case "last-per-subject":
            last = {message.subject: message for message in found}
            return sorted(last.values(), key=lambda message: message.sequence)
