"""What servers by others were seen to do, done again by servers of ours."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.internal_session import InternalSession
from asyncua.server.monitored_item_service import MonitoredItemService

from collectors.opcua import OpcUaCollector
from hub.clock import SystemClock
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.sample import Tag
from hub.model.words import Words
from tests.simulators.devices import Heard, OpcUaPlant, Proxy, RawServer

pytestmark = pytest.mark.anyio

TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, 5)}
NO_ROOM = ua.StatusCode(ua.UInt32(0x80DB0000))


def collector(endpoint: str, *names: str, **more: Any) -> OpcUaCollector:
    nodes = [
        {"tag": f"m/t{n}", "node": f"nsu={OpcUaPlant.NAMESPACE};s={name}"} for n, name in enumerate(names, 1)
    ]
    settings = {
        "endpoint": endpoint, "security": "none", "interval": "50ms", "keep_alive": "100ms", "timeout": "5s",
        "nodes": nodes, **more,
    }  # fmt: skip
    return OpcUaCollector(OpcUaCollector.Config.model_validate(settings), SystemClock(), TAGS, "cnc")


async def test_nodes_that_a_server_has_no_room_to_monitor_are_read_instead(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Small controllers monitor some hundred nodes; node-opcua and open62541 can be limited so."""
    made = MonitoredItemService._create_data_change_monitored_item

    async def two_at_most(service: MonitoredItemService, wish: Any) -> Any:
        if len(service._monitored_items) < 2:
            return await made(service, wish)
        refused = ua.MonitoredItemCreateResult()
        refused.StatusCode = NO_ROOM
        return refused

    monkeypatch.setattr(MonitoredItemService, "_create_data_change_monitored_item", two_at_most)
    variables = {name: ua.Variant(float(n), ua.VariantType.Double) for n, name in enumerate("abcd", 1)}
    async with OpcUaPlant(variables) as plant:
        sink = Heard()
        task = asyncio.create_task(collector(plant.endpoint, *"abcd").run(sink))
        for tag in (1, 2, 3, 4):
            assert (await sink.said(tag, float(tag))).status.is_good
        before = [len(sink.of(tag)) for tag in (3, 4)]
        at = SystemClock().now()
        await plant.show("c", ua.Variant(30.0, ua.VariantType.Double), at)
        assert (await sink.said(3, 30)).source_time == at
        await plant.show("d", None, at, 0x80310000)
        await sink.until(lambda: sink.last(4).status == 0x80310000)
        assert [len(sink.of(tag)) for tag in (3, 4)] == [
            n + 1 for n in before
        ]  # only what is other than before
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [r.message for r in caplog.records if "no room" in r.message] == [
        "cnc: the server has no room to monitor 2 nodes; they are read every 0.1 s instead"
    ]


def refusing(asked: bytes) -> bytes | None:
    """As node-opcua refuses a channel: by a ServiceFault in an OPN message."""
    if asked[:3] == b"HEL":
        return b"ACKF" + struct.pack("<I5I", 28, 0, 65_535, 65_535, 0, 0)
    if asked[:3] != b"OPN":
        return None
    policy = b"http://opcfoundation.org/UA/SecurityPolicy#None"
    fault = b"\x01\x00\x8d\x01" + struct.pack("<qIIBi", 0, 1, 0x80130000, 0, -1) + b"\x00\x00\x00"
    body = struct.pack("<II", 0, len(policy)) + policy + struct.pack("<iiII", -1, -1, 1, 1) + fault
    return b"OPNF" + struct.pack("<I", 8 + len(body)) + body


async def test_a_channel_that_is_refused_by_a_fault_is_refused_for_its_reason() -> None:
    async with RawServer(refusing) as server:
        with pytest.raises(SourceRefused, match="the server says BadSecurityChecksFailed"):
            await collector(f"opc.tcp://127.0.0.1:{server.port}", "a").run(Heard())


async def test_a_server_that_grants_a_short_session_is_asked_often_enough_to_keep_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """node-opcua ends it, though publish requests wait, when nothing is asked for as long as it granted."""
    create, read, asked = InternalSession.create_session, InternalSession.read, asyncio.Semaphore(0)

    async def shortly(session: InternalSession, wish: Any, *more: Any, **named: Any) -> Any:
        wish.RequestedSessionTimeout = 600.0
        return await create(session, wish, *more, **named)

    async def counted(session: InternalSession, wish: Any) -> Any:
        if any(n.NodeId == ua.NodeId(2259) for n in wish.NodesToRead):  # ServerStatus_State
            asked.release()
        return await read(session, wish)

    monkeypatch.setattr(InternalSession, "create_session", shortly)
    monkeypatch.setattr(InternalSession, "read", counted)
    async with OpcUaPlant({"a": ua.Variant(1.0, ua.VariantType.Double)}) as plant:
        sink = Heard()
        one = collector(plant.endpoint, "a", timeout="10min", interval="30s", keep_alive="30s")
        task = asyncio.create_task(one.run(sink))
        async with asyncio.timeout(20):
            for _ in range(2):
                await asked.acquire()
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_has_fallen_silent_is_not_waited_for_to_say_goodbye() -> None:
    """Its tags turn bad when the connection is given up, not a `timeout:` later."""
    async with OpcUaPlant({"a": ua.Variant(1.0, ua.VariantType.Double)}) as plant, Proxy(plant.port) as proxy:
        sink = Heard()
        endpoint = plant.endpoint.replace(str(plant.port), str(proxy.port))
        task = asyncio.create_task(collector(endpoint, "a", timeout="10min").run(sink))
        await sink.said(1, 1)
        proxy.hold()
        with pytest.raises(SourceUnavailable, match="nothing heard"):
            async with asyncio.timeout(60):
                await task
