"""The exception tree: every failure a user can meet has a code, an exit status and a hint.

Exit statuses of the command line: 0 done, 1 failed, 2 usage, 3 partial or unhealthy,
4 no such session, 130 interrupted.
"""


class SimBuilderError(Exception):
    """A failure explained to the user in one sentence, with a hint that says what to do next.

    `code` is stable and machine readable (it appears in JSON output); `exit_status` is what the
    command line exits with when this error ends a command.
    """

    code = "error"
    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # for the tracebacks of programs


class UsageError(SimBuilderError):
    """What was asked for cannot be meant: an unknown service, a bad name, an ambiguous id."""

    code = "usage"
    exit_status = 2


class ConfigurationError(SimBuilderError):
    """A setting holds a value that cannot be used; names the variable, the value and its source."""

    code = "configuration"
    exit_status = 2


class SessionNotFoundError(SimBuilderError):
    """No session answers to the given id, prefix or name."""

    code = "session-not-found"
    exit_status = 4


class StateError(SimBuilderError):
    """A record or ledger on disk cannot be read: corrupt, or written by a newer version."""

    code = "state"


class NewerStateError(StateError):
    """A record or ledger was written by a newer version: refused, not guessed, never deleted."""

    code = "newer-state"


class ForeignStateError(StateError):
    """A record belongs to another user of the machine: neither believed nor deleted."""

    code = "foreign-state"


class MovedStateError(StateError):
    """A record was made with another state folder: that was moved, or this is a copy of it.

    What runs carries the old folder's mark; to work on it from here could hit somebody else's.
    """

    code = "moved-state"


class HalfRemovedError(SimBuilderError):
    """A cleanup of the session has begun and was interrupted: it can only be finished."""

    code = "half-removed"
    exit_status = 3


class BusyError(SimBuilderError):
    """Another command holds the lock and did not let go within the time allowed."""

    code = "busy"


class PortsExhaustedError(SimBuilderError):
    """No block of free ports is left in the configured range; nothing was reserved."""

    code = "ports-exhausted"


class RuntimeUnavailableError(SimBuilderError):
    """The runtime cannot run anything here: a tool is missing or could not be fetched."""

    code = "runtime-unavailable"


class EngineUnreachableError(RuntimeUnavailableError):
    """No Docker engine answers where one is expected, or there is no `docker` to ask it with."""

    code = "engine-unreachable"


class EnginePermissionError(EngineUnreachableError):
    """The Docker engine is there, but this user may not talk to it."""

    code = "engine-permission"


class ComposeMissingError(RuntimeUnavailableError):
    """Docker has no Compose plug-in, or one that is too old for the compose file."""

    code = "compose-missing"


class ImageUnavailableError(RuntimeUnavailableError):
    """An image is not on the engine and could not be pulled."""

    code = "image-unavailable"


class AddressPoolError(SimBuilderError):
    """The engine has no addresses for the session's network, or others took them."""

    code = "address-pool"


class DiskFullError(SimBuilderError):
    """The engine's disk is full."""

    code = "disk-full"


class EngineError(SimBuilderError):
    """The engine refused, in its own words."""

    code = "engine"


class UnknownStateError(SimBuilderError):
    """What runs cannot be seen, so nothing that depends on it was done."""

    code = "unknown"
    exit_status = 3


class StillRunningError(SimBuilderError):
    """Servers survived being stopped, so nothing that depends on their absence was done."""

    code = "still-running"
    exit_status = 3


class NotHeldError(SimBuilderError):
    """A server could not be held still while its data is copied, so nothing was."""

    code = "not-held"


class ArchiveError(SimBuilderError):
    """An archive cannot be imported here: damaged, of a newer version, or of another runtime."""

    code = "archive"


class NotReadyError(SimBuilderError):
    """Servers of a session are not ready; the message has each one's reason and last lines."""

    code = "service-not-ready"
    exit_status = 3


class NoSuchProgramError(SimBuilderError):
    """The program that a session was wanted for is not there. Exit status as a shell's."""

    code = "no-such-program"
    exit_status = 127


class UnusableProgramError(SimBuilderError):
    """The program that a session was wanted for is there, but cannot be run."""

    code = "unusable-program"
    exit_status = 126


class StatementError(SimBuilderError):
    """The graph database refused a statement, in its own words."""

    code = "statement"


class CanaryError(SimBuilderError):
    """A server gave no usable answer about its canaries, so its isolation is not proved."""

    code = "not-proved"
    exit_status = 3
