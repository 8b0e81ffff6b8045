"""Names on the bus: `sim.<domain>.v<N>.<component>.<action>`, and what may follow. Pure.

An event with a key has one token more, its partition `k00` to `k15`: equal keys have equal
partitions, so a queue that promises order takes one event of each partition at a time.
"""

import re
from functools import lru_cache
from zlib import crc32

from simbuilder.bus.errors import BadNameError

ROOT = "sim"
PARTITIONS = 16
REQUESTS = "request"
"""The domain of requests, which no stream keeps: its acknowledgement would be taken for a reply."""

RETRIED = "retried"
"""The action under which an event is sent to one queue again."""

_TOKEN = r"[a-z0-9][a-z0-9_-]{0,62}"  # noqa: S105 - a part of a subject
_NAME = re.compile(rf"{ROOT}\.{_TOKEN}\.v[1-9][0-9]{{0,3}}\.{_TOKEN}\.{_TOKEN}")
_SUBJECT = re.compile(rf"{_NAME.pattern}(\.k(0[0-9]|1[0-5]))?")
NO_KEY = "-no-key"
"""The end of the consumer that takes, for an ordered queue, what has no key."""

_QUEUE = re.compile(rf"(?!.*-k[0-9]{{2}}$)(?!.*{NO_KEY}$){_TOKEN}")
_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*")
_PATTERN = re.compile(r"(?:[A-Za-z0-9_$-]+|\*)(?:\.(?:[A-Za-z0-9_$-]+|\*))*(?:\.>)?|>")


@lru_cache(maxsize=1024)
def checked_subject(subject: str) -> str:
    """Return a subject that events may have. Raises `BadNameError`."""
    if not _SUBJECT.fullmatch(subject):
        raise BadNameError(
            f"{subject!r} is no subject of an event",
            "as in sim.workflow.v1.run.requested: sim.<domain>.v1.<component>.<action>",
        )
    return subject


@lru_cache(maxsize=1024)
def checked_type(name: str) -> str:
    """Return the type of an event: ours has the form of a subject, others have their own.

    Raises `BadNameError` for one that begins like ours and goes on otherwise.
    """
    if not name or not name.isprintable() or (_is_ours(name) and not _NAME.fullmatch(name)):
        raise BadNameError(
            f"{name!r} is no type of an event",
            "as in sim.workflow.v1.run.requested: sim.<domain>.v1.<component>.<action>",
        )
    return name


def _is_ours(name: str) -> bool:
    return name.startswith(f"{ROOT}.")


def checked_request(subject: str) -> str:
    """Return a subject that requests may have. Raises `BadNameError`."""
    if domain_of(checked_subject(subject)) != REQUESTS:
        raise BadNameError(
            f"{subject} is not for requests", f"as in: {ROOT}.{REQUESTS}.v1.planner.estimate"
        )
    return subject


def checked_key(key: str) -> str:
    """Return what a value in a bucket can be kept under. Raises `BadNameError`."""
    if not _KEY.fullmatch(key):
        raise BadNameError(f"{key!r} is no key", "letters, digits and -_=/. as in: run.7f3a")
    return key


def checked_queue(name: str) -> str:
    """Return the name of a queue. Raises `BadNameError`."""
    if not _QUEUE.fullmatch(name):
        raise BadNameError(
            f"{name!r} is no name of a queue", "small letters, digits, '-' and '_', as in: planner"
        )
    return name


def checked_pattern(pattern: str) -> str:
    """Return a pattern of subjects: `*` is a token, `>` all that follow. Raises `BadNameError`."""
    if not _PATTERN.fullmatch(pattern):
        raise BadNameError(
            f"{pattern!r} is no pattern of subjects",
            "as in sim.workflow.> or sim.*.v1.run.failed",
        )
    return pattern


@lru_cache(maxsize=4096)
def partition_of(key: str) -> str:
    """Return the token of a key's partition, the same everywhere and for ever."""
    return f"k{crc32(key.encode()) % PARTITIONS:02d}"


def partitions() -> tuple[str, ...]:
    """Return the tokens of all partitions."""
    return tuple(f"k{number:02d}" for number in range(PARTITIONS))


def domain_of(subject: str) -> str:
    """Return the domain of a subject, or of a pattern that names one."""
    return subject.split(".")[1] if subject.count(".") else ""


def retry_subject(domain: str, queue: str, key: str | None) -> str:
    """Return where an event goes that one queue alone is to take again."""
    partition = f".{partition_of(key)}" if key is not None else ""
    return f"{ROOT}.{domain}.v1.{queue}.{RETRIED}{partition}"


def matches(pattern: str, subject: str) -> bool:
    """Say whether a pattern takes a subject, as a NATS server would."""
    wanted, given = pattern.split("."), subject.split(".")
    for place, part in enumerate(wanted):
        if part == ">":
            return len(given) > place
        if place >= len(given) or part not in ("*", given[place]):
            return False
    return len(wanted) == len(given)
