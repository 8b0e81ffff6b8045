"""Clients as somebody else would write them: they know an env file and the vendors' libraries."""

import asyncio

import nats
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient
from nats.aio.client import Client
from nats.errors import Error as NatsError
from neo4j import GraphDatabase
from neo4j.exceptions import AuthError

Env = dict[str, str]


def graph_write(env: Env, value: str) -> None:
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        query = "MERGE (n:Canary {value: $value}) RETURN n.value AS value"
        records, _, _ = driver.execute_query(query, value=value, database_=env["NEO4J_DATABASE"])
        assert [record["value"] for record in records] == [value]


def graph_read(env: Env) -> set[str]:
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        query = "MATCH (n:Canary) RETURN n.value AS value"
        records, _, _ = driver.execute_query(query, database_=env["NEO4J_DATABASE"])
    return {record["value"] for record in records}


def graph_address(env: Env) -> str:
    """Where the server sends clients that ask for routing."""
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        query = "SHOW SETTINGS 'server.bolt.advertised_address' YIELD value"
        records, _, _ = driver.execute_query(query, database_=env["NEO4J_DATABASE"])
        return str(records[0]["value"])


def graph_refuses(env: Env, password: str = "wrong-password") -> bool:
    try:
        graph_read({**env, "NEO4J_PASSWORD": password})
    except AuthError:
        return True
    return False


async def _publish(env: Env, value: str) -> None:
    connection = await nats.connect(env["NATS_URL"], allow_reconnect=False)
    stream = connection.jetstream()
    await stream.add_stream(name="canary", subjects=["canary.>"])
    await stream.publish("canary.one", value.encode())
    await connection.close()


async def _consume(env: Env, durable: str) -> set[str]:
    connection = await nats.connect(env["NATS_URL"], allow_reconnect=False)
    stream = connection.jetstream()
    names = {info.config.name for info in await stream.streams_info()}
    found = set()
    if "canary" in names:
        subscription = await stream.pull_subscribe("canary.>", durable=durable)
        for message in await subscription.fetch(10, timeout=1):
            found.add(message.data.decode())
            await message.ack()
    await connection.close()
    return found


async def _ignore(_error: Exception) -> None:
    return None


async def _refused(url: str) -> bool:
    connection = Client()  # `nats.connect` would leave the socket of a refused connection open
    try:
        await connection.connect(url, allow_reconnect=False, error_cb=_ignore)
    except NatsError as error:
        return "authorization" in str(error).lower()
    finally:
        await connection.close()
    return False


def bus_write(env: Env, value: str) -> None:
    asyncio.run(_publish(env, value))


def bus_read(env: Env, durable: str) -> set[str]:
    return asyncio.run(_consume(env, durable))


def bus_refuses(env: Env, password: str = "wrong") -> bool:
    host = env["NATS_URL"].split("@")[1]
    urls = (f"nats://simbuilder:{password}@{host}", f"nats://{host}")
    return all(asyncio.run(_refused(url)) for url in urls)


def blob_write(env: Env, value: str) -> None:
    with BlobServiceClient.from_connection_string(env["AZURE_STORAGE_CONNECTION_STRING"]) as client:
        if not any(c.name == "canary" for c in client.list_containers()):
            client.create_container("canary")
        client.get_blob_client("canary", value).upload_blob(value.encode(), overwrite=True)


def blob_read(env: Env) -> set[str]:
    with BlobServiceClient.from_connection_string(env["AZURE_STORAGE_CONNECTION_STRING"]) as client:
        if not any(c.name == "canary" for c in client.list_containers()):
            return set()
        container = client.get_container_client("canary")
        names = list(container.list_blob_names())
        return {container.download_blob(name).readall().decode() for name in names}


def blob_key(env: Env) -> str:
    return env["AZURE_STORAGE_CONNECTION_STRING"].split("AccountKey=")[1].split(";")[0]


def blob_refuses(env: Env, key: str = "d3Jvbmc=") -> bool:
    text = env["AZURE_STORAGE_CONNECTION_STRING"]
    try:
        blob_read({"AZURE_STORAGE_CONNECTION_STRING": text.replace(blob_key(env), key)})
    except HttpResponseError as error:
        return error.status_code == 403
    return False


def graph_labels(env: Env) -> set[str]:
    auth = (env["NEO4J_USER"], env["NEO4J_PASSWORD"])
    with GraphDatabase.driver(env["NEO4J_URI"], auth=auth) as driver:
        query = "MATCH (n) UNWIND labels(n) AS label RETURN DISTINCT label"
        records, _, _ = driver.execute_query(query, database_=env["NEO4J_DATABASE"])
    return {record["label"] for record in records}


async def _streams(env: Env) -> list[str]:
    connection = await nats.connect(env["NATS_URL"], allow_reconnect=False)
    found = await connection.jetstream().streams_info()
    await connection.close()
    return [str(info.config.name) for info in found]


def bus_streams(env: Env) -> list[str]:
    return asyncio.run(_streams(env))


def blob_containers(env: Env) -> list[str]:
    with BlobServiceClient.from_connection_string(env["AZURE_STORAGE_CONNECTION_STRING"]) as client:
        return [container.name for container in client.list_containers()]
