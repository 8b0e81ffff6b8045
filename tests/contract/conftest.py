"""Every suite of the seam is bound to the same runtimes, those of the graph to both databases."""

from collections.abc import Iterator

import pytest

from simbuilder.graph.database import Address
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
