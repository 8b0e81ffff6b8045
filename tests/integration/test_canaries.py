"""Canaries in real servers: what is written is found there and nowhere else, and leaves nothing."""

import asyncio
import contextlib
import json
import signal
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from nats.aio.client import Client
from nats.js import JetStreamContext
from neo4j import GraphDatabase

from simbuilder.runtimes.canaries import KINDS, RealCanaries
from simbuilder.runtimes.local import tools
from simbuilder.scaffolding.exceptions import CanaryError
from simbuilder.sessions import catalog, envfile
from simbuilder.sessions.model import Session
from tests.contract.test_runtime import Case, compose_case, free_blocks, local_case, start
from tests.support import session

SERVICES = tuple(KINDS)
ONE, TWO = "1" * 40, "2" * 40
WRONG = "d3Jvbmc="
canaries = RealCanaries()


@pytest.fixture(scope="module", params=["local", "docker"])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    root = tmp_path_factory.mktemp("canaries")
    if request.param == "local":
        made = local_case(root, request.getfixturevalue("local_servers"))
    else:
        made = compose_case(root, request.getfixturevalue("docker_images"))
    yield made
    for one in made.made:
        made.runtime.remove(one.id)


@pytest.fixture(scope="module")
def pair(case: Case) -> tuple[Session, Session]:
    """Two sessions whose secrets differ, running once for all tests."""
    others = {"neo4j": "other-graph-secret", "nats": "other-bus-secret", "azurite": "b3RoZXI="}
    one, two = case.session(), replace(case.session(), secrets=others)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: start(case, each), (one, two)))
    return one, two


def everywhere(found: Session) -> dict[str, frozenset[str]]:
    return {kind: tokens for s in SERVICES for kind, tokens in canaries.found(found, s).items()}


def all_kinds(*tokens: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys((kind for kinds in KINDS.values() for kind in kinds), frozenset(tokens))


def in_jetstream[T](one: Session, ask: Callable[[JetStreamContext], T]) -> T: ...


def left(one: Session) -> list[str]:
    """All that a session's servers hold, as anybody's client sees it."""
    return []
