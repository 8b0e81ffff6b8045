"""A graph is founded once, whoever is first, and one of a later version is left alone."""

import asyncio
from dataclasses import replace

import pytest

from simbuilder.graph.database import Address
from simbuilder.graph.errors import GraphSchemaError
from simbuilder.graph.model import SCHEMA
from simbuilder.graph.service import GraphService
from tests.graphs import numbers, on_empty, opened


def test_a_graph_is_founded_once_by_eight_at_the_same_time(address: Address) -> None:
    async def founding() -> list[int]:
        async with opened(address) as graph:
            await graph.query("MATCH (n) DETACH DELETE n", write=True)
            return await asyncio.gather(*(graph.initialize_schema() for _ in range(8)))

    async def found(graph: GraphService) -> None:
        assert await numbers(graph) == (1, 0)
        rules = await graph.query("SHOW CONSTRAINTS YIELD name RETURN name")
        assert await graph.initialize_schema() == SCHEMA.version
        assert await graph.query("SHOW CONSTRAINTS YIELD name RETURN name") == rules
        assert await numbers(graph) == (1, 0)

    assert asyncio.run(founding()) == [SCHEMA.version] * 8
    on_empty(address, found)


def test_a_graph_of_a_later_version_is_refused_and_left_as_it_is(address: Address) -> None:
    async def refused() -> None:
        later = replace(SCHEMA, version=SCHEMA.version + 1)
        async with opened(address) as graph:
            await graph.initialize_schema()
            move = "MATCH (g:SimBuilderGraph) SET g.version = $to"
            await graph.query(move, {"to": later.version}, write=True)
            try:
                with pytest.raises(GraphSchemaError, match=f"version {later.version}"):
                    await graph.initialize_schema()
                async with opened(address, schema=later) as newer:
                    assert await newer.initialize_schema() == later.version
            finally:
                await graph.query(move, {"to": SCHEMA.version}, write=True)
            assert await graph.initialize_schema() == SCHEMA.version

    asyncio.run(refused())
