"""Deadbands that a server keeps, refuses, or takes without keeping; answers that were lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.ua.status_codes import StatusCodes
from pydantic import ValidationError

from collectors.opcua import OpcUaCollector
from collectors.opcua_decode import Published
from collectors.opcua_line import Line
from hub import metrics
from hub.clock import SystemClock
from hub.model.sample import Tag
from hub.model.words import Words
from tests.simulators.devices import Heard, OpcUaPlant

pytestmark = pytest.mark.anyio

T = ua.VariantType
LONG = timedelta(minutes=5)  # nothing is repeated while a test looks
TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", ""), stale_after=LONG) for n in range(1, 4)}
RANGED = TAGS | {"m/t1": Tag(1, "m/t1", Words("", ""), stale_after=LONG, range=(0.0, 200.0))}


@pytest.fixture(scope="module")
async def plant() -> AsyncIterator[OpcUaPlant]:
    variables = {name: ua.Variant(100.0, T.Double) for name in ("oil", "force", "mark", "lost")}
    async with OpcUaPlant(variables, shift_namespaces=1) as made:
        assert made._server is not None
        node = made._server.get_node(made._ids["force"])
        told = ua.Range(0.0, 50.0)
        name = ua.NodeId.from_string("ns=1;s=force-range")
        await node.add_property(name, ua.QualifiedName("EURange", 0), ua.Variant(told, T.ExtensionObject))
        yield made


def node(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {"tag": f"m/t{number}", "node": f"nsu={OpcUaPlant.NAMESPACE};s={name}", **more}


def config(plant: OpcUaPlant, *nodes: dict[str, Any]) -> Any:
    settings = {"endpoint": plant.endpoint, "security": "none", "interval": "20ms", "timeout": "3s",
                "keep_alive": "100ms", "nodes": list(nodes)}  # fmt: skip
    return OpcUaCollector.Config.model_validate(settings)


@asynccontextmanager
async def listening(
    settings: Any, tags: dict[str, Tag] = TAGS
) -> AsyncIterator[tuple[Heard, OpcUaCollector]]:
    sink, one = Heard(), OpcUaCollector(settings, SystemClock(), tags, "cnc")
    task = asyncio.create_task(one.run(sink))
    try:
        yield sink, one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def steps(plant: OpcUaPlant, sink: Heard, name: str, *values: float) -> list[float | None]:
    """Each of them shown and, told or not, behind it a value of another node that is told: what was said."""
    for at, value in enumerate(values):
        await plant.show(name, ua.Variant(value, T.Double))
        await plant.show("mark", ua.Variant(1000.0 + at, T.Double))
        await sink.said(3, 1000.0 + at)
    return [s.value for s in sink.of(1)]


Refuse = Callable[[int], None]


@pytest.fixture
def filters(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the server was asked to monitor with, in order; those without a filter are left out."""
    asked: list[Any] = []
    make = MonitoredItemService._create_data_change_monitored_item

    async def watching(self: Any, params: Any) -> Any:
        asked.extend(_filters_of(params))
        return await make(self, params)

    monkeypatch.setattr(MonitoredItemService, "_create_data_change_monitored_item", watching)
    return asked


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """From now on the server has no filters, and says so with this code."""
    make = MonitoredItemService._create_data_change_monitored_item

    def begin(code: int) -> None:
        async def refusing(self: Any, params: Any) -> Any:
            if not _filters_of(params):
                return await make(self, params)
            refused = ua.MonitoredItemCreateResult()
            refused.StatusCode = ua.StatusCode(ua.UInt32(code))
            return refused

        monkeypatch.setattr(MonitoredItemService, "_create_data_change_monitored_item", refusing)

    return begin


def _filters_of(params: Any) -> list[Any]:
    """By name: the server's decoder makes classes of its own; no filter is an object without a body."""
    found = params.RequestedParameters.Filter
    return [found] if type(found).__name__ == "DataChangeFilter" else []


async def test_a_server_is_asked_to_leave_small_changes_out(plant: OpcUaPlant, filters: list[Any]) -> None:
    await plant.show("oil", ua.Variant(100.0, T.Double))
    async with listening(config(plant, node(1, "oil", deadband=5), node(3, "mark"))) as (sink, _):
        await sink.said(1, 100)
        assert await steps(plant, sink, "oil", 103.0, 109.0, 108.0) == [100, 109]
    [asked] = filters
    assert (asked.DeadbandType, asked.DeadbandValue) == (ua.DeadbandType.Absolute, 5)
    assert asked.Trigger == ua.DataChangeTrigger.StatusValue


async def test_per_cent_are_of_the_servers_own_range(plant: OpcUaPlant, filters: list[Any]) -> None:
    """This server takes the filter and does not keep it: ten per cent of 0 to 50 are kept here."""
    await plant.show("force", ua.Variant(20.0, T.Double))
    async with listening(config(plant, node(1, "force", deadband_percent=10), node(3, "mark"))) as (sink, _):
        await sink.said(1, 20)
        assert await steps(plant, sink, "force", 24.0, 16.0, 26.0, 22.0) == [20, 26]
    [asked] = filters
    assert (asked.DeadbandType, asked.DeadbandValue) == (ua.DeadbandType.Percent, 10)


@pytest.mark.parametrize(
    "code",
    [
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadDeadbandFilterInvalid,
        StatusCodes.BadFilterNotAllowed,
    ],
)
async def test_a_server_that_has_no_such_filter_is_heard_without_and_the_deadband_is_kept_here(
    plant: OpcUaPlant, refuse: Refuse, code: int
) -> None:
    refuse(code)
    await plant.show("oil", ua.Variant(100.0, T.Double))
    nodes = (node(1, "oil", deadband_percent=5), node(3, "mark"))
    async with listening(config(plant, *nodes), RANGED) as (sink, _):
        await sink.said(1, 100)
        assert await steps(plant, sink, "oil", 108.0, 95.0, 111.0) == [100, 111], "5 % of the tag's 0 to 200"


async def test_a_slow_drift_is_told_and_so_is_another_status(plant: OpcUaPlant, refuse: Refuse) -> None:
    refuse(StatusCodes.BadMonitoredItemFilterUnsupported)
    await plant.show("oil", ua.Variant(100.0, T.Double))
    async with listening(config(plant, node(1, "oil", deadband=5), node(3, "mark"))) as (sink, _):
        await sink.said(1, 100)
        assert await steps(plant, sink, "oil", 103.0, 106.0, 109.0, 112.0) == [100, 106, 112]
        await plant.show("oil", ua.Variant(113.0, T.Double), None, 0x40900000)
        await sink.until(lambda: sink.last(1).status == 0x40900000)
        assert sink.last(1).value == 113


async def test_a_percentage_of_what_nobody_knows_is_said_once_and_every_change_told(
    plant: OpcUaPlant, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(StatusCodes.BadDeadbandFilterInvalid)
    await plant.show("oil", ua.Variant(100.0, T.Double))
    async with listening(config(plant, node(1, "oil", deadband_percent=5), node(3, "mark"))) as (sink, _):
        await sink.said(1, 100)
        assert await steps(plant, sink, "oil", 101.0) == [100, 101]
    assert caplog.text.count("m/t1: deadband_percent: nobody knows its range; give the tag range:") == 1


@pytest.mark.parametrize(
    "more",
    [
        {"deadband": 1, "deadband_percent": 1}, {"deadband": 1, "codes": {"RUN": 1}},
        {"deadband_percent": 1, "item": "[2]"}, {"deadband_percent": 101}, {"deadband": -1},
    ],
)  # fmt: skip
def test_a_deadband_that_means_nothing_is_refused(plant: OpcUaPlant, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="deadband"):
        config(plant, node(1, "oil", **more))


# ------------------------------------------------------------------ what is lost on the way
class Losing:
    """Stands in the way of publish answers: those with data that it is told to lose never arrive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lose, self.asked, self.forgotten = 0, list[int](), False
        self.lost = asyncio.Event()
        publish, again = Line._publish, Line.again

        async def losing(line: Line) -> Published:
            while True:
                heard = await publish(line)
                if not (self.lose and heard.changes):
                    return heard
                self.lose -= 1
                self.lost.set()

        async def asking(line: Line, sequence: int) -> Published | None:
            self.asked.append(sequence)
            return None if self.forgotten else await again(line, sequence)

        monkeypatch.setattr(Line, "_publish", losing)
        monkeypatch.setattr(Line, "again", asking)


async def test_an_answer_that_was_lost_is_asked_for_again(
    plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Losing(monkeypatch)
    async with listening(config(plant, node(1, "lost"), node(3, "mark"))) as (sink, one):
        await sink.until(lambda: bool(sink.of(1)))
        way.lose = 1
        await plant.show("lost", ua.Variant(7.5, T.Double))
        async with asyncio.timeout(30):
            await way.lost.wait()
        await plant.show("mark", ua.Variant(-1.0, T.Double))
        await sink.said(1, 7.5)
        await sink.said(3, -1)
    assert way.asked and one.gaps == 0


async def test_what_the_server_has_no_longer_is_counted_as_a_gap(
    plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    way = Losing(monkeypatch)
    way.forgotten = True
    labels = {"source": "cnc", "why": "notification"}
    before = metrics.value("andon_source_gaps_total", **labels) or 0
    async with listening(config(plant, node(1, "lost"), node(3, "mark"))) as (sink, one):
        await sink.until(lambda: bool(sink.of(1)))
        way.lose = 1
        await plant.show("lost", ua.Variant(8.5, T.Double))
        async with asyncio.timeout(30):
            await way.lost.wait()
        await plant.show("mark", ua.Variant(-2.0, T.Double))
        await sink.said(3, -2)
        assert one.gaps == 1
    assert metrics.value("andon_source_gaps_total", **labels) == before + 1
    assert "is lost for good" in caplog.text


async def test_a_queue_that_ran_over_is_counted_as_a_gap(plant: OpcUaPlant) -> None:
    labels = {"source": "cnc", "why": "overflow"}
    before = metrics.value("andon_source_gaps_total", **labels) or 0
    async with listening(config(plant, node(1, "oil"))) as (sink, one):
        await sink.until(lambda: bool(sink.of(1)))
        await plant.show("oil", ua.Variant(55.0, T.Double), None, 0x0480)
        await sink.said(1, 55)
        await sink.until(lambda: one.overflows == 1)
    assert metrics.value("andon_source_gaps_total", **labels) == before + 1
