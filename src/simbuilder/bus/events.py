"""What travels on the bus: CloudEvents 1.0 with our extensions, and the types of its data. Pure.

`Event` is the CloudEvents library's own event. Ours are these extension attributes: `correlationid`
(the undertaking that it belongs to), `causationid` (the event that led to it), and from the
CloudEvents documents of extensions `partitionkey`, `traceparent`, `tracestate` and `dataref`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.v1.event import CloudEvent
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticSerializationError

from simbuilder.bus.errors import EventError
from simbuilder.bus.subjects import checked_type, partition_of

Json = dict[str, Any] | list[Any] | str | int | float | bool | None

KNOWN: "dict[str, type[EventData]]" = {}
"""Type -> the class of its data; filled by the classes themselves as they are declared."""

MAX_ID = 128
_FIELDS = "docs/bus-events.md lists what each type has"
D = TypeVar("D", bound="EventData")
Class = type[D]  # within `Event`, `type` is an attribute of events


class EventData(BaseModel):
    """The data of one type of events; the class's docstring says what such an event means.

    A type evolves by additions alone: a new field has a default, so that older events stay
    readable, and fields of newer ones that are unknown here are kept. What cannot be an addition
    is a new version, which is another type and another class.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    TYPE: ClassVar[str] = ""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.TYPE:
            KNOWN[checked_type(cls.TYPE)] = cls


class Event(CloudEvent):
    """An event; immutable by agreement. `EventError` says why something is none."""

    def __init__(self, attributes: dict[str, Any], data: Any = None) -> None:
        try:
            super().__init__(attributes, data)
        except CloudEventValidationError as error:
            raise EventError(_said(error)) from None

    @classmethod
    def of(
        cls,
        data: EventData,
        *,
        id: str,  # noqa: A002 - the name that CloudEvents gives it
        time: datetime,
        source: str,
        cause: "Event | None" = None,
        correlation_id: str | None = None,
        key: str | None = None,
    ) -> "Event":
        """Return an event with data of a declared type.

        With a `cause` it belongs to that event's undertaking, and without one it begins its own,
        unless `correlation_id` names another. Events of equal `key` keep their order.
        """
        named = named_data(data)
        return cls.named(
            data.TYPE,
            named,
            id=id,
            time=time,
            source=source,
            cause=cause,
            correlation_id=correlation_id,
            key=key,
        )

    @classmethod
    def named(
        cls,
        type: str,  # noqa: A002 - the name that CloudEvents gives it
        data: Json,
        *,
        id: str,  # noqa: A002
        time: datetime,
        source: str,
        cause: "Event | None" = None,
        correlation_id: str | None = None,
        key: str | None = None,
    ) -> "Event":
        """Return an event of whatever type. Raises `EventError`; `BadNameError` for the type.

        What is put together here is an event by construction: the library, which would look at
        every attribute again, is not asked (a test is), since that is a tenth of publishing one.
        """
        for what, given in (("id", id), ("source", source), ("key", key)):
            if given == "" or (given is not None and not _is_text(given)):
                raise EventError(
                    f"the {what} of an event must be text", "give one, or leave it out"
                )
        if time.tzinfo is None:
            raise EventError("the time of an event needs its zone")
        attributes: dict[str, Any] = {
            "specversion": "1.0",
            "id": id,
            "source": source,
            "type": checked_type(type),
            "time": time,
            "datacontenttype": "application/json",
            "correlationid": correlation_id or (cause.correlation_id if cause else None) or id,
        }
        if cause is not None:
            attributes["causationid"] = cause.id
        if key is not None:
            attributes["partitionkey"] = key
        event = cls.__new__(cls)
        event._attributes = attributes
        event._data = data  # type: ignore[assignment]  # the library means JSON objects only
        return event

    # CloudEvents' own attributes, by their names

    @property
    def id(self) -> str:
        """Unique among the events of its source; what is published twice with it is stored once."""
        return str(self._attributes["id"])

    @property
    def identity(self) -> str:
        """What no other event has: two sources may use the same id, and either may hold spaces."""
        source = self._attributes["source"]
        return f"{len(source)} {source} {self._attributes['id']}"

    @property
    def type(self) -> str:
        """What happened, with a version in it."""
        return str(self._attributes["type"])

    @property
    def source(self) -> str:
        """Who says so."""
        return str(self._attributes["source"])

    @property
    def time(self) -> datetime:
        """When it happened, by the clock of its source; 1970 for one that does not say."""
        found = self._attributes.get("time")
        return found if isinstance(found, datetime) else datetime.fromtimestamp(0, UTC)

    @property
    def data(self) -> Any:
        """What JSON has it as; `payload` is the same as an object of its declared class."""
        return self._data

    @property
    def correlation_id(self) -> str | None:
        """The undertaking it belongs to: the id of what began it, or what it was given."""
        return self._extension("correlationid")

    @property
    def causation_id(self) -> str | None:
        """The id of the event that led to it."""
        return self._extension("causationid")

    @property
    def key(self) -> str | None:
        """What keeps its order with others of the same."""
        return self._extension("partitionkey")

    @property
    def data_ref(self) -> str | None:
        """Where its data is kept, if it is too large for an event."""
        return self._extension("dataref")

    def _extension(self, name: str) -> str | None:
        found = self._attributes.get(name)
        return None if found is None else str(found)

    @property
    def subject_for(self) -> str:
        """The subject it is published under unless another is asked for: its type."""
        key = self.key
        return self.type if key is None else f"{self.type}.{partition_of(key)}"

    def payload(self) -> EventData | None:
        """Return the data as its declared class, or `None` for a type that is not declared.

        Raises `EventError` if the data is not what the type says.
        """
        kind = KNOWN.get(self.type)
        return None if kind is None else self.payload_as(kind)

    def payload_as(self, kind: Class[D]) -> D:
        """Return the data as an object of a class. Raises `EventError` if it is not that."""
        try:
            return kind.model_validate(self.data)
        except ValidationError as error:
            raise EventError(f"not {self.type}: {first_of(error)}", _FIELDS) from None

    def with_(self, data: Any = None, **attributes: Any) -> "Event":
        """Return the same event with other data and attributes; what is `None` is left out."""
        known = {k: v for k, v in (self._attributes | attributes).items() if v is not None}
        return Event(known, data)

    def __repr__(self) -> str:
        return f"<event {self.type} {self.id}>"


def named_data(data: EventData) -> Any:
    """Return what JSON has data as.

    Raises `EventError` for a class without a type, and for what JSON cannot say.
    """
    if not data.TYPE:
        raise EventError(f"{type(data).__name__} is no type of event", "give the class a TYPE")
    try:
        return data.model_dump(mode="json")
    except (PydanticSerializationError, ValueError) as error:
        raise EventError(f"{data.TYPE}: its data is no JSON: {type(error).__name__}") from None


def _is_text(given: str) -> bool:
    """Say whether it has characters only: half of a pair of surrogates is none."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_data(type_: str, data: Json) -> None:
    """Raise `EventError` if data is not what its declared type says; others may be anything."""
    kind = KNOWN.get(type_)
    if kind is not None:
        try:
            kind.model_validate(data)
        except ValidationError as error:
            raise EventError(f"not {type_}: {first_of(error)}", _FIELDS) from None


def first_of(error: ValidationError) -> str:
    """Return the first thing that is wrong: its place, not its value, which may be secret."""
    found = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    return f"{place}: {found['msg']}" if place else str(found["msg"])


def _said(error: CloudEventValidationError) -> str:
    wrong: Mapping[str, list[Any]] = error.errors
    name, found = next(iter(wrong.items()))
    return f"not CloudEvents 1.0: {name}: {found[0]}"
