"""A server that numbers its nodes at every start: paths find them, and a number that is another's is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from asyncua import Node, ua
from asyncua.server.server import Server

from collectors.opcua import BAD_NODE_UNKNOWN, OpcUaCollector
from hub.clock import SystemClock
from hub.model.sample import Tag
from hub.model.words import Words
from tests.ports import free_port
from tests.simulators.devices import Heard

pytestmark = pytest.mark.anyio

MAKER, PARTS = "urn:test:maker", "http://test/parts/"
TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, 6)}
LOAD = f"nsu={MAKER};path=Mill/nsu={PARTS};Axis &/ 1/Load"
NOWHERE = f"{LOAD}s"


class Mill:
    """Under Mill/"Axis / 1" a variable for each name, numbered as they come."""

    def __init__(self, server: Server, axis: Node, port: int) -> None:
        self._server, self._axis, self.port = server, axis, port

    async def load(self, *names: str) -> None:
        await self._server.delete_nodes(await self._axis.get_children())
        maker, parts = [await self._server.get_namespace_index(uri) for uri in (MAKER, PARTS)]
        for number, name in enumerate(names, 1000):
            node = ua.NodeId(number, maker)
            await self._axis.add_variable(node, ua.QualifiedName(name, parts), float(len(name)))


@pytest.fixture(scope="module")
async def mill() -> AsyncIterator[Mill]:
    server, port = Server(), free_port()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    maker, parts = [await server.register_namespace(uri) for uri in (MAKER, PARTS)]
    mill = await server.nodes.objects.add_object(maker, "Mill")
    axis = await mill.add_object(ua.NodeId(500, maker), ua.QualifiedName("Axis / 1", parts))
    async with server:
        yield Mill(server, axis, port)


def collector(port: int, *nodes: str) -> OpcUaCollector:
    settings = {
        "endpoint": f"opc.tcp://127.0.0.1:{port}", "security": "none", "interval": "50ms", "timeout": "3s",
        "nodes": [{"tag": f"m/t{n}", "node": node} for n, node in enumerate(nodes, 1)],
    }  # fmt: skip
    return OpcUaCollector(OpcUaCollector.Config.model_validate(settings), SystemClock(), TAGS, "cnc")


async def test_after_a_model_was_loaded_anew_paths_find_their_nodes_and_numbers_of_others_are_told(
    mill: Mill, caplog: pytest.LogCaptureFixture
) -> None:
    before = None
    for names in (["Load", "Speed"], ["New", "Load", "Speed"]):
        await mill.load(*names)
        sink, here = Heard(), collector(mill.port, f"nsu={MAKER};i=1000", LOAD, NOWHERE)
        if before is not None:
            here.follow(before, SystemClock().now())
        task = asyncio.create_task(here.run(sink))
        await sink.said(2, 4.0)
        await sink.until(lambda: bool(sink.of(1)) and bool(sink.of(3)))  # noqa: B023  ends within the loop
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert sink.last(3).status == BAD_NODE_UNKNOWN
        assert sink.last(1).status == (0 if before is None else BAD_NODE_UNKNOWN)
        before = here
    assert "i=1000 (m/t1): was 'Load' and is 'New' now, the server numbers its nodes anew" in caplog.text


async def test_a_probe_finds_a_path_and_names_the_one_that_leads_nowhere(mill: Mill) -> None:
    await mill.load("Load")
    found = await collector(mill.port, LOAD, NOWHERE).probe()
    assert found["server"] == "session opened, 1 of 2 nodes read"
    assert "no such namespace or path" in found[f"{NOWHERE} (m/t2)"]
