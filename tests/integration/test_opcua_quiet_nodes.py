"""Quiet nodes are read and compared, against a server whose reads carry both timestamps: most do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemService

from collectors.opcua import OpcUaCollector
from collectors.opcua_line import Line
from hub.clock import SystemClock
from hub.errors import SourceUnavailable
from hub.model.sample import Tag
from hub.model.words import Words
from tests.simulators.devices import Heard, OpcUaPlant

pytestmark = pytest.mark.anyio

T = ua.VariantType
TAGS = {f"m/{n}": Tag(i, f"m/{n}", Words("", n)) for i, n in enumerate(("mode", "word", "load", "speed"), 1)}


class Reads:
    """What asyncua's server leaves out is added here; `instead` is read where nothing was told of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        self.instead: ua.Variant | None = None
        read = Line.read

        async def both(line: Line, nodes: Sequence[ua.NodeId]) -> list[ua.DataValue]:
            self.looks += 1
            now = ua.DateTime.fromtimestamp(SystemClock().now().timestamp(), UTC).replace(tzinfo=None)
            return [
                ua.DataValue(
                    self.instead or told.Value,
                    told.StatusCode,
                    SourceTimestamp=now - timedelta(hours=1),
                    ServerTimestamp=now,
                )
                for told in await read(line, nodes)
            ]

        monkeypatch.setattr("collectors.opcua._ASK_AGAIN", 0.1)
        monkeypatch.setattr(Line, "read", both)

    async def some(self, task: asyncio.Task[None], more: int = 3) -> None:
        """Until there were some more of them, or the line has ended."""
        wanted = self.looks + more
        async with asyncio.timeout(20):
            while self.looks < wanted and not task.done():
                await asyncio.wait([task], timeout=0.02)


@pytest.fixture
async def plant() -> AsyncIterator[OpcUaPlant]:
    variables = {
        "mode": ua.Variant(1, T.Int32), "word": ua.Variant("RUN", T.String),
        "load": ua.Variant(10.0, T.Double), "speed": ua.Variant(3, T.Int16),
    }  # fmt: skip
    async with OpcUaPlant(variables) as one:
        yield one


def collector(plant: OpcUaPlant, **settings: Any) -> OpcUaCollector:
    more: dict[str, dict[str, Any]] = {
        "mode": {"codes": {"1": 5}},
        "word": {"codes": {"RUN": 7}},
        "load": {"deadband": 5},
    }
    nodes = [
        {"tag": f"m/{n}", "node": plant.node(n), **more.get(n, {})} for n in ("mode", "word", "load", "speed")
    ]
    given = {
        "endpoint": plant.endpoint,
        "security": "none",
        "interval": "50ms",
        "keep_alive": "200ms",
        "nodes": nodes,
        **settings,
    }
    return OpcUaCollector(OpcUaCollector.Config.model_validate(given), SystemClock(), TAGS, "cnc")


async def test_codes_and_a_value_within_its_deadband_are_no_change_that_was_not_told(
    plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, sink = Reads(monkeypatch), Heard()
    task = asyncio.create_task(collector(plant).run(sink))
    await sink.said(3, 10)
    await plant.show("load", ua.Variant(12.0, T.Double), SystemClock().now())
    await reads.some(task)
    assert not task.done()
    assert [sink.last(n).value for n in (1, 2, 3, 4)] == [5, 7, 10, 3]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_was_not_told_brings_one_new_subscription_and_not_one_after_the_other(
    plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, sink, first = Reads(monkeypatch), Heard(), collector(plant)
    task = asyncio.create_task(first.run(sink))
    await sink.said(4, 3)
    reads.instead = ua.Variant(4, T.Int16)
    with pytest.raises(SourceUnavailable, match="changed and nothing was told"):
        async with asyncio.timeout(20):
            await task
    for _ in range(3):  # of four nodes: each of them once
        follower = collector(plant)
        follower.follow(first, SystemClock().now())
        task = asyncio.create_task(follower.run(sink))
        await reads.some(task, 4)
        if not task.done():
            break
        await asyncio.gather(task, return_exceptions=True)
        first = follower
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_server_that_looks_at_its_nodes_seldom_is_waited_for_and_a_person_is_told(
    plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, wished = MonitoredItemService._create_data_change_monitored_item, []

    async def seldom(service: MonitoredItemService, wish: Any) -> Any:
        wished.append(wish.RequestedParameters.SamplingInterval)
        given = await made(service, wish)
        given.RevisedSamplingInterval = 7_200_000.0
        return given

    monkeypatch.setattr(MonitoredItemService, "_create_data_change_monitored_item", seldom)
    reads, sink = Reads(monkeypatch), Heard()
    task = asyncio.create_task(collector(plant, sampling="10ms").run(sink))
    await sink.said(4, 3)
    reads.instead = ua.Variant(4, T.Int16)
    await reads.some(task)
    assert not task.done(), "the change is an hour old, and the server looks every other hour"
    assert wished == [10.0] * 4
    assert "looks at 4 nodes more seldom than wished, at some only every 7200 s" in caplog.text
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
