"""What every collector promises, tried on each of them before a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Protocol

import pytest
from asyncua import ua

from collectors.modbus import ModbusCollector
from collectors.mqtt import MqttCollector
from collectors.opcua import OpcUaCollector
from collectors.runner import CollectorRunner
from collectors.sparkplug import SparkplugCollector
from hub.clock import SystemClock
from hub.errors import ConfigError, SourceUnavailable
from hub.model.sample import BAD_NO_COMMUNICATION, Tag
from hub.model.words import Words
from hub.ports import Collector
from tests.simulators.devices import BACK, THERE, Heard, ModbusDevice, OpcUaPlant, Proxy
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice
from tests.simulators.sparkplug.edge import EdgeNode
from tests.simulators.sparkplug.wire import INT32, UINT32, Entry

pytestmark = pytest.mark.anyio

TAGS = {f"p1/a/l1/m/{n}": Tag(k, f"p1/a/l1/m/{n}", Words("", n)) for k, n in enumerate(("temp", "parts"), 1)}
TEMP, PARTS = 1, 2
BOUND = timedelta(seconds=10)


class Stand(Protocol):
    """A machine with an oil temperature and a counter, behind one protocol."""

    port: int

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def show(self, temp: float, parts: int) -> None: ...
    def collector(self, port: int, temp_tag: str = "p1/a/l1/m/temp") -> Collector: ...


class ModbusStand:
    def __init__(self) -> None:
        self._device = ModbusDevice({"holding": {0: 800, 1: 0, 2: 5}})
        self.port = 0

    async def start(self) -> None:
        await self._device.start()
        self.port = self._device.port

    async def stop(self) -> None:
        await self._device.stop()

    async def show(self, temp: float, parts: int) -> None:
        self._device.memory["holding"].update({0: round(temp * 10), 1: parts >> 16, 2: parts & 0xFFFF})

    def collector(self, port: int, temp_tag: str = "p1/a/l1/m/temp") -> Collector:
        settings = {
            "host": "127.0.0.1", "port": port, "every": "50ms", "timeout": "300ms",
            "points": [
                {"tag": temp_tag, "address": 0, "scale": 0.1},
                {"tag": "p1/a/l1/m/parts", "address": 1, "type": "uint32"},
            ],
        }  # fmt: skip
        return ModbusCollector(ModbusCollector.Config.model_validate(settings), SystemClock(), TAGS, "m")


class OpcUaStand:
    def __init__(self) -> None:
        temp, parts = ua.Variant(80.0, ua.VariantType.Double), ua.Variant(5, ua.VariantType.UInt32)
        self._plant = OpcUaPlant({"temp": temp, "parts": parts})
        self.port = self._plant.port

    async def start(self) -> None:
        await self._plant.start()

    async def stop(self) -> None:
        await self._plant.stop()

    async def show(self, temp: float, parts: int) -> None:
        now = SystemClock().now()
        await self._plant.show("temp", ua.Variant(temp, ua.VariantType.Double), now)
        await self._plant.show("parts", ua.Variant(parts, ua.VariantType.UInt32), now)

    def collector(self, port: int, temp_tag: str = "p1/a/l1/m/temp") -> Collector:
        settings = {
            "endpoint": f"opc.tcp://127.0.0.1:{port}/plant", "security": "none", "interval": "50ms",
            "timeout": "1s", "keep_alive": "200ms",
            "nodes": [
                {"tag": temp_tag, "node": self._plant.node("temp")},
                {"tag": "p1/a/l1/m/parts", "node": self._plant.node("parts")},
            ],
        }  # fmt: skip
        return OpcUaCollector(OpcUaCollector.Config.model_validate(settings), SystemClock(), TAGS, "m")


class MqttStand:
    """The broker is what comes and goes; it keeps the device's last words."""

    def __init__(self) -> None:
        self._broker = MqttBroker()
        self._device = MqttDevice(self._broker.port, "press")
        self.port = self._broker.port

    async def start(self) -> None:
        await self._broker.start()
        await self._device.start()

    async def stop(self) -> None:
        await self._device.stop()
        await self._broker.stop()

    async def show(self, temp: float, parts: int) -> None:
        at = SystemClock().now().timestamp() * 1000
        said = json.dumps({"ts": at, "temp": round(temp * 10), "count": {"parts": parts}})
        await self._device.say("plant/a/l1/m", said, retained=True)

    def collector(self, port: int, temp_tag: str = "p1/a/l1/m/temp") -> Collector:
        settings = {
            "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "keep_alive": "1s", "timeout": "2s",
            "topics": [
                {
                    "topic": "plant/a/l1/m", "payload": "json", "time": "ts",
                    "values": [
                        {"tag": temp_tag, "value": "temp", "scale": 0.1},
                        {"tag": "p1/a/l1/m/parts", "value": "count.parts"},
                    ],
                },
            ],
        }  # fmt: skip
        return MqttCollector(MqttCollector.Config.model_validate(settings), SystemClock(), TAGS, "m")


class SparkplugStand:
    """An edge node at a broker that forgets everything when it goes; births come when they are asked for."""

    def __init__(self) -> None:
        self._broker = MqttBroker()
        values = {"Temp": Entry("Temp", 1, INT32, 800), "Parts": Entry("Parts", 2, UINT32, 5)}
        self._edge = EdgeNode(self._broker.port, SystemClock().now, {"": values})
        self.port = self._broker.port

    async def start(self) -> None:
        await self._broker.start()
        await self._edge.start()

    async def stop(self) -> None:
        await self._edge.vanish()
        await self._broker.stop()

    async def show(self, temp: float, parts: int) -> None:
        await self._edge.show(Temp=round(temp * 10), Parts=parts)

    def collector(self, port: int, temp_tag: str = "p1/a/l1/m/temp") -> Collector:
        node = f"{self._edge.group}/{self._edge.name}"
        settings = {
            "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "keep_alive": "1s", "timeout": "2s",
            "ask_every": "1s", "reorder": "300ms",
            "metrics": [
                {"tag": temp_tag, "node": node, "metric": "Temp", "scale": 0.1},
                {"tag": "p1/a/l1/m/parts", "node": node, "metric": "Parts"},
            ],
        }  # fmt: skip
        return SparkplugCollector(
            SparkplugCollector.Config.model_validate(settings), SystemClock(), TAGS, "m"
        )


STANDS: dict[str, Callable[[], Stand]] = {
    "modbus": ModbusStand, "opcua": OpcUaStand, "mqtt": MqttStand, "sparkplug": SparkplugStand,
}  # fmt: skip


@pytest.fixture(params=list(STANDS.values()), ids=list(STANDS), scope="module")
async def machine(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    """Made once: an OPC UA server takes its seconds to fill its address space."""
    one: Stand = request.param()
    yield one
    await one.stop()


@pytest.fixture
async def stand(machine: Stand) -> AsyncIterator[Stand]:
    await machine.stop()
    await machine.start()
    await machine.show(80.0, 5)
    yield machine


class States:
    def __init__(self) -> None:
        self.told: list[tuple[bool, str]] = []

    async def __call__(self, up: bool, error: str) -> None:
        self.told.append((up, error))


@asynccontextmanager
async def running(run: Callable[[], Any]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def kept(run: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """As its supervisor does: where the whole machine stands still for a moment, it begins anew."""

    async def lives() -> None:
        while True:
            with suppress(SourceUnavailable):
                await run()
            await asyncio.sleep(0.1)

    return lives


async def lost(task: asyncio.Task[None]) -> str:
    with pytest.raises(SourceUnavailable) as caught:
        async with asyncio.timeout(10):
            await task
    return str(caught.value)


async def test_values_come_scaled_good_and_with_a_fresh_source_time(stand: Stand) -> None:
    sink, began = Heard(), SystemClock().now()
    one = stand.collector(stand.port)
    async with running(lambda: one.run(sink)):
        await sink.said(PARTS, 5)
        await stand.show(81.5, 70_000)
        parts, temp = await sink.said(PARTS, 70_000), await sink.said(TEMP, 81.5)
    assert parts.status.is_good
    assert temp.status.is_good
    assert began <= parts.source_time <= SystemClock().now()
    assert sink.batches[0].source == "m"
    assert sorted(one.tag_numbers) == [TEMP, PARTS]


async def test_a_killed_device_turns_all_its_tags_bad_and_a_restarted_one_speaks_again(stand: Stand) -> None:
    sink, states = Heard(), States()
    runner = CollectorRunner("m", lambda: stand.collector(stand.port), sink, SystemClock(), states)
    async with running(runner.run) as task:
        await sink.said(PARTS, 5)
        await stand.stop()
        reason = await lost(task)
    for tag in (TEMP, PARTS):
        assert (sink.last(tag).value, sink.last(tag).status) == (None, BAD_NO_COMMUNICATION)
        assert sink.last(tag).source_time > sink.of(tag)[-2].source_time
    assert states.told == [(True, ""), (False, reason)]
    await stand.start()
    await stand.show(60.0, 6)
    async with running(kept(runner.run)):
        assert (await sink.said(PARTS, 6)).status.is_good
        assert (await sink.said(TEMP, 60.0)).status.is_good
    assert states.told[-1] == (True, "")
    times = [s.source_time for s in sink.of(PARTS)]
    assert times == sorted(times)


async def test_a_device_that_stays_away_is_reported_once(stand: Stand) -> None:
    sink, states = Heard(), States()
    runner = CollectorRunner("m", lambda: stand.collector(stand.port), sink, SystemClock(), states)
    await stand.stop()
    for _ in range(3):
        async with running(runner.run) as task:
            await lost(task)
    assert len(states.told) == 1
    assert [len(b) for b in sink.batches] == [2]
    assert all(s.status == BAD_NO_COMMUNICATION for s in sink.of(TEMP))


async def test_a_line_on_which_nothing_moves_any_more_is_noticed(stand: Stand) -> None:
    sink = Heard()
    async with Proxy(stand.port) as proxy, running(lambda: stand.collector(proxy.port).run(sink)) as task:
        await sink.said(PARTS, 5)
        proxy.hold()
        assert await lost(task)


def test_whoever_says_nothing_is_given_up_within_ten_seconds_unless_configured_otherwise() -> None:
    modbus = ModbusCollector.Config.model_fields["timeout"].default
    opcua, mqtt = OpcUaCollector.Config.model_fields, MqttCollector.Config.model_fields
    assert modbus <= BOUND
    assert 3 * opcua["keep_alive"].default <= BOUND and opcua["timeout"].default <= BOUND
    for one in (mqtt, SparkplugCollector.Config.model_fields):
        assert 2 * one["keep_alive"].default <= BOUND and one["timeout"].default <= BOUND


async def test_a_line_that_passes_one_way_only_is_noticed(stand: Stand) -> None:
    """Our questions vanish, or their answers: two lines, so that one waits while the other does."""

    async def half(way: str) -> str:
        sink = Heard()
        async with Proxy(stand.port) as proxy, running(lambda: stand.collector(proxy.port).run(sink)) as task:
            await sink.said(PARTS, 5)
            proxy.lose(way)
            return await lost(task)

    assert all(await asyncio.gather(half(THERE), half(BACK)))


async def test_a_cut_line_is_noticed(stand: Stand) -> None:
    sink = Heard()
    async with Proxy(stand.port) as proxy, running(lambda: stand.collector(proxy.port).run(sink)) as task:
        await sink.said(PARTS, 5)
        proxy.cut()
        assert await lost(task)


async def test_cancelling_leaves_nothing_running(stand: Stand) -> None:
    sink, before = Heard(), asyncio.all_tasks()
    async with Proxy(stand.port) as proxy:
        task = asyncio.create_task(stand.collector(proxy.port).run(sink))
        await sink.said(PARTS, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
    async with asyncio.timeout(5):  # the server's side ends in its own time
        while left := {
            t for t in asyncio.all_tasks() - before if "collectors" in repr(t) or "Client" in repr(t)
        }:
            await asyncio.wait(left)


async def test_cancelling_before_anybody_answers_is_clean(stand: Stand) -> None:
    async with Proxy(stand.port) as proxy:
        proxy.hold()
        task = asyncio.create_task(stand.collector(proxy.port).run(Heard()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_full_house_makes_the_collector_wait_and_loses_nothing(stand: Stand) -> None:
    """While `put` does not return there is no second one, and the value of afterwards still comes."""
    gate, heard = asyncio.Event(), Heard()
    waiting = 0

    class Narrow:
        async def put(self, item: Any) -> None:
            nonlocal waiting
            waiting += 1
            assert waiting == 1
            await heard.put(item)
            await gate.wait()
            waiting -= 1

    async with running(lambda: stand.collector(stand.port).run(Narrow())):
        await heard.until(lambda: bool(heard.batches))
        await stand.show(90.0, 9)
        gate.set()
        await heard.said(PARTS, 9)


async def test_a_tag_the_plant_does_not_have_is_refused_with_a_near_one(stand: Stand) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'p1/a/l1/m/temp'"):
        stand.collector(stand.port, temp_tag="p1/a/l1/m/tenp")
