"""Canaries in Azurite: blobs, queue messages and table rows."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from simbuilder.runtimes.canaries.names import NAME, STUMBLES, TIMEOUT_S
from simbuilder.sessions.envfile import storage_connection_string
from simbuilder.sessions.model import Session

if TYPE_CHECKING:
    from azure.data.tables import TableServiceClient
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

_TABLE = "simbuildercanary"


class Storage:
    """Blobs, queue messages and table rows in Azurite, each in a place of its own."""

    def errors(self) -> tuple[type[Exception], ...]:
        from azure.core.exceptions import AzureError

        return (AzureError, *STUMBLES)

    def write(self, session: Session, token: str) -> None:
        with _blobs(session) as blobs:
            blobs.create_container(NAME + token).upload_blob("canary", token)
        with _queues(session) as queues:
            queues.create_queue(NAME + token).send_message(token)
        with _tables(session) as tables:
            row = {"PartitionKey": "canary", "RowKey": "canary", "token": token}
            tables.create_table(_TABLE + token).create_entity(row)

    def found(self, session: Session) -> tuple[frozenset[str], ...]:
        return tuple(look(session) for look in _LOOKS)

    def remove(self, session: Session, owner: str) -> None:
        with _blobs(session) as blobs, _queues(session) as queues, _tables(session) as tables:
            name, table = NAME + owner, _TABLE + owner
            _delete(blobs.delete_container, (c.name for c in blobs.list_containers(name)))
            _delete(queues.delete_queue, (q.name for q in queues.list_queues(name)))
            names = (t.name for t in tables.list_tables() if t.name.startswith(table))
            _delete(tables.delete_table, names)

    def refuses(self, session: Session) -> bool:
        return all(_forbidden(look, session) for look in _LOOKS)

    def advertised(self, session: Session) -> tuple[str, ...]:
        return ()  # clients of the storage protocols stay where they are


def _forbidden(look: Callable[[Session], object], session: Session) -> bool:
    from azure.core.exceptions import HttpResponseError

    try:
        look(session)
    except HttpResponseError as error:
        if error.status_code != 403:
            raise
        return True
    return False


def _blobs(session: Session) -> "BlobServiceClient":
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(storage_connection_string(session), **_ONE_TRY)


def _queues(session: Session) -> "QueueServiceClient":
    from azure.storage.queue import QueueServiceClient

    return QueueServiceClient.from_connection_string(storage_connection_string(session), **_ONE_TRY)


def _tables(session: Session) -> "TableServiceClient":
    from azure.data.tables import TableServiceClient

    return TableServiceClient.from_connection_string(storage_connection_string(session), **_ONE_TRY)


def _look_at_blobs(session: Session) -> frozenset[str]:
    with _blobs(session) as blobs:

        def read(name: str) -> list[object]:
            return [blobs.get_blob_client(name, "canary").download_blob().readall().decode()]

        return _confirmed((c.name for c in blobs.list_containers(NAME)), NAME, read)


def _look_at_queues(session: Session) -> frozenset[str]:
    with _queues(session) as queues:

        def read(name: str) -> list[object]:
            # peeked, not received, so that it stays for others to read
            return [message.content for message in queues.get_queue_client(name).peek_messages()]

        return _confirmed((q.name for q in queues.list_queues(NAME)), NAME, read)


def _look_at_tables(session: Session) -> frozenset[str]:
    with _tables(session) as tables:

        def read(name: str) -> list[object]:
            return [tables.get_table_client(name).get_entity("canary", "canary")["token"]]

        names = (t.name for t in tables.list_tables() if t.name.startswith(_TABLE))
        return _confirmed(names, _TABLE, read)


def _delete(delete: Callable[[str], Any], names: Iterable[str]) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    for name in list(names):
        with suppress(ResourceNotFoundError):  # another command was faster
            delete(name)


def _confirmed(names: Iterable[str], prefix: str, read: Callable[[str], Any]) -> frozenset[str]:
    """Return the tokens in these names that the content confirms."""
    from azure.core.exceptions import ResourceNotFoundError

    tokens = set()
    for name in names:
        token = name.removeprefix(prefix)
        # what another command removed since the listing is not there
        with suppress(ResourceNotFoundError):
            if read(name) == [token]:
                tokens.add(token)
    return frozenset(tokens)


_ONE_TRY: Mapping[str, Any] = {
    "connection_timeout": TIMEOUT_S,
    "read_timeout": TIMEOUT_S,
    "retry_total": 0,
    "use_env_settings": False,  # no proxy of the user's
}
_LOOKS = (_look_at_blobs, _look_at_queues, _look_at_tables)  # in the order of KINDS
