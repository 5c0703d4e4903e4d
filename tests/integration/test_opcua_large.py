"""Servers that say more at once than we take: the line stands, and every value comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncua import ua

from collectors.opcua import OpcUaCollector
from hub.clock import SystemClock
from hub.model.sample import Tag
from hub.model.words import Words
from tests.simulators.devices import Heard, OpcUaPlant

pytestmark = pytest.mark.anyio

_MANY = 300
TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, _MANY + 1)}
LONG, LONGER = "x" * 400, "y" * 70_000


def collector(endpoint: str, names: list[str], **more: Any) -> OpcUaCollector:
    nodes = [
        {"tag": f"m/t{n}", "node": f"nsu={OpcUaPlant.NAMESPACE};s={name}", "codes": {LONG: n, "other": 0}}
        for n, name in enumerate(names, 1)
    ]
    block = {"endpoint": endpoint, "security": "none", "interval": "50ms", "keep_alive": "100ms",
             "timeout": "5s", "max_message": 65_536, "nodes": nodes, **more}  # fmt: skip
    return OpcUaCollector(OpcUaCollector.Config.model_validate(block), SystemClock(), TAGS, "cnc")


NAMES = [f"text{n}" for n in range(1, _MANY + 1)]


@pytest.fixture(scope="module")
async def plant() -> AsyncIterator[OpcUaPlant]:
    shown = {name: ua.Variant(LONG, ua.VariantType.String) for name in [*NAMES, "a", "b"]}
    async with OpcUaPlant(shown | {"longer": ua.Variant(LONGER, ua.VariantType.String)}) as found:
        yield found


async def test_a_server_that_tells_too_much_at_once_is_read_instead_and_goes_on(
    plant: OpcUaPlant, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncua's server puts all it has into one answer, whatever it is asked for."""
    sink, one = Heard(), collector(plant.endpoint, NAMES)
    task = asyncio.create_task(one.run(sink))
    for tag in range(1, _MANY + 1):
        assert (await sink.said(tag, tag)).status.is_good
    await plant.show("text8", ua.Variant("other", ua.VariantType.String), SystemClock().now())
    await sink.said(8, 0)
    assert one.gaps == 0, "what stands at the beginning is read; nothing is lost"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [r.message for r in caplog.records if "max_message" in r.message] == [
        f"cnc: the server told more at once than max_message (65536 bytes); {_MANY} values were read instead"
    ]


async def test_a_value_that_is_too_large_by_itself_is_bad_and_its_neighbours_go_on(
    plant: OpcUaPlant, caplog: pytest.LogCaptureFixture
) -> None:
    sink, one = Heard(), collector(plant.endpoint, ["a", "longer", "b"])
    task = asyncio.create_task(one.run(sink))
    await sink.said(1, 1)
    await sink.said(3, 3)
    await sink.until(lambda: bool(sink.of(2)) and sink.last(2).status == 0x80B90000)
    await plant.show("longer", ua.Variant(LONGER + "z", ua.VariantType.String), SystemClock().now())
    await plant.show("a", ua.Variant("other", ua.VariantType.String), SystemClock().now())
    await sink.said(1, 0)
    assert sink.last(2).status == 0x80B90000, "nobody looks at it any more"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "1 are larger than that by themselves: make max_message larger" in caplog.text


async def test_a_look_at_the_server_names_the_value_that_is_too_large(plant: OpcUaPlant) -> None:
    found = await collector(plant.endpoint, ["b", "longer", *NAMES[20:]]).probe()
    assert found["server"] == "session opened, 281 of 282 nodes read"
    assert found[f"nsu={OpcUaPlant.NAMESPACE};s=longer (m/t2)"] == (
        "✗ BadResponseTooLarge: its value is larger than max_message:; make that larger, or name another node"
    )


async def test_a_server_that_hangs_up_on_long_requests_is_looked_at_with_shorter_ones(
    plant: OpcUaPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small controllers take 8 KB at once."""
    assert plant._server is not None
    monkeypatch.setattr(plant._server.limits, "max_message_size", 8192)
    found = await collector(plant.endpoint, NAMES, max_message=1 << 20).probe()
    assert found["server"].startswith("session opened, ")
    assert not [told for told in found.values() if "large" in told]


def test_what_cost_a_line_is_not_asked_for_again_by_the_next_one() -> None:
    first, second, raised = (
        collector("opc.tcp://127.0.0.1:1", ["a"], max_message=size) for size in (65_536, 65_536, 131_072)
    )
    first._portions.too_large("read", 500, for_good=True)
    second.follow(first, SystemClock().now())
    raised.follow(first, SystemClock().now())
    assert second._portions.of("read", 500) == 250
    assert raised._portions.of("read", 500) == 500, "a person has made room"
