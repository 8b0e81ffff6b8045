"""Every suite of the seam is bound to the same runtimes, those of the graph to both databases.

Those of the bus are bound to the one in memory and to a server.
"""

from collections.abc import Iterator

import pytest

from simbuilder.bus.address import Address as BusAddress
from simbuilder.graph.database import Address
from tests.buses import BUSES, BusServer, JetStreamBuses, MemoryBuses, serving_nats
from tests.contract.test_runtime import case, real
from tests.graphs import DATABASES, GraphServer, serving

__all__ = ["case", "real"]


@pytest.fixture(scope="session", params=DATABASES)
def graph_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GraphServer]:
    """One server of each database for all tests of the graph."""
    with serving(request.param, request, tmp_path_factory.mktemp("graph") / "state") as server:
        yield server


@pytest.fixture(scope="session")
def address(graph_server: GraphServer) -> Address:
    """Where the graph is; each test empties it first."""
    return graph_server.address


@pytest.fixture(scope="session")
def nats_address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BusAddress]:
    """One server for all tests of the bus; each test empties it first."""
    with serving_nats(request, tmp_path_factory.mktemp("bus") / "state") as address:
        yield address


@pytest.fixture(params=BUSES)
def bus_server(request: pytest.FixtureRequest) -> BusServer:
    """What the tests of the bus connect to."""
    if request.param == "memory":
        return MemoryBuses()
    return JetStreamBuses(request.getfixturevalue("nats_address"))
