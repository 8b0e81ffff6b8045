"""What can go wrong on the bus; none of it ever names a credential. Pure."""

from simbuilder.scaffolding.exceptions import SimBuilderError


class BusError(SimBuilderError):
    """The bus could not do what was asked."""

    code = "bus"


class BusConnectionError(BusError):
    """No server answers, or none did before the deadline."""

    code = "bus-connection"
    exit_status = 3


class BusCredentialsError(BusError):
    """The server refuses the user, the password or the certificate."""

    code = "bus-credentials"


class BusPermissionError(BusError):
    """The server does not let this user publish or read there."""

    code = "bus-permission"


class BusTimeoutError(BusError):
    """The deadline passed without an answer: whether it happened is unknown, repeating it is safe.

    An event that is published again keeps its id, and the server stores an id once.
    """

    code = "bus-timeout"
    exit_status = 3


class BusFullError(BusError):
    """The stream, or the disk behind it, takes no more; nothing was stored."""

    code = "bus-full"


class BusConflictError(BusError):
    """Somebody else wrote the key since it was read; nothing was written."""

    code = "bus-conflict"


class NoStreamError(BusError):
    """No stream keeps events of that subject, or there is no stream or queue of that name."""

    code = "bus-no-stream"


class NoResponderError(BusError):
    """Nobody answers requests on that subject."""

    code = "bus-no-responder"
    exit_status = 3


class EventError(BusError):
    """It is no event: not CloudEvents 1.0, too large, or its data is not what its type says."""

    code = "bus-event"
    exit_status = 2


class BadNameError(BusError):
    """A subject, or the name of a queue, does not have the form it must have."""

    code = "bus-name"
    exit_status = 2


class LossyChangeError(BusError):
    """Bringing the server to the declaration would delete events, and nobody allowed that."""

    code = "bus-lossy"
