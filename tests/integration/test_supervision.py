"""Devices that die and come back, read by the real collectors: tags bad at once, one alarm, a circuit.

The clock is turned by hand, a tenth of a second for each short turn of the loop, so that minutes pass in
seconds and a slow machine only turns it later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asyncua import ua

from alert_rules.device_rules import DeviceLost, with_devices
from alert_rules.evaluator import Evaluator
from alert_rules.lifecycle import Raised
from collectors.modbus import ModbusCollector
from collectors.opcua import OpcUaCollector
from collectors.runner import CollectorRunner
from collectors.sparkplug import SparkplugCollector
from hub.clock import SystemClock
from hub.model.batch import SampleBatch
from hub.model.circuit import State
from hub.model.device import devices_of
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.sample import BAD_NO_COMMUNICATION, Tag
from hub.model.words import Words
from hub.ports import Plant
from hub.supervisor import Supervisor
from hub.testing.clock import HandClock
from tests.simulators.devices import ModbusDevice, OpcUaPlant, RawServer
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.sparkplug.edge import EdgeNode
from tests.simulators.sparkplug.wire import Entry

pytestmark = pytest.mark.anyio

W = Words("", "")
LINE = "p1/a/l1"
TURN = 0.1  # seconds of the hand's clock
TURNS = 3_000  # at most, until something has to have happened


def tags_of(*names: str) -> dict[str, Tag]:
    return {
        f"{LINE}/{n}": Tag(i, f"{LINE}/{n}", W, stale_after=timedelta(seconds=5))
        for i, n in enumerate(names, 1)
    }


class House:
    """Collectors under the supervisor; their samples go straight to the rules."""

    def __init__(self, tags: Mapping[str, Tag], collectors: Mapping[str, Callable[[HandClock], Any]]) -> None:
        self.clock, self.tags = HandClock(SystemClock().now()), {t.number: t for t in tags.values()}
        self.status: dict[int, int] = {}
        self.said: list[tuple[str, bool]] = []
        self.supervisor = Supervisor(self.clock)
        devices = []
        for name, make in collectors.items():
            one = make(self.clock)
            told = getattr(one, "tells_who_is_gone", False)
            devices += devices_of(name, one.tag_numbers, getattr(one, "parts", {}), self.tags, told=told)
            runner = CollectorRunner(name, lambda m=make: m(self.clock), self, self.clock, self._state(name))  # type: ignore[misc]
            self.supervisor.watch(name, runner.run, outside=True)
        site = Equipment("p1", EquipmentLevel.SITE, W)
        rules = with_devices([], devices, DeviceLost(), [])
        self.evaluator = Evaluator(Plant(site, {"p1": site}, tags), rules, self.clock.now())

    def _state(self, name: str) -> Any:
        async def on_state(up: bool, error: str) -> None:
            if up:
                self.supervisor.proved(name)

        return on_state

    async def put(self, item: SampleBatch) -> None:
        self.status.update(zip(item.tags.tolist(), item.statuses.tolist(), strict=True))
        self._note(self.evaluator.take(item, self.clock.now()))

    def _note(self, happened: Any) -> None:
        self.said += [(rule.subject, isinstance(event, Raised)) for rule, event in happened.alarms]

    async def turn(self) -> None:
        self.clock.turn(TURN)
        await asyncio.sleep(0.004)
        self._note(self.evaluator.tick(self.clock.now()))

    async def until(self, true: Callable[[], bool], what: str) -> None:
        for _ in range(TURNS):
            if true():
                return
            await self.turn()
        raise AssertionError(f"did not happen: {what}; said {self.said}, status {self.status}")

    async def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TURN)):
            await self.turn()

    def all_are(self, status: int, numbers: Sequence[int] | None = None) -> bool:
        return all(self.status.get(n) == status for n in numbers or self.tags)

    def circuit(self, name: str) -> State:
        return next(p.circuit.state for p in self.supervisor.health() if p.name == name and p.circuit)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    task = asyncio.create_task(house.supervisor.run())
    try:
        yield house
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def modbus(
    tags: Mapping[str, Tag], port: int, units: Sequence[int]
) -> Callable[[HandClock], ModbusCollector]:
    points = [
        {"tag": path, "address": 0, "type": "uint16", "unit": unit}
        for path, unit in zip(tags, units, strict=True)
    ]
    config = ModbusCollector.Config.model_validate(
        {"host": "127.0.0.1", "port": port, "timeout": "100ms", "points": points}
    )
    return lambda clock: ModbusCollector(config, clock, tags, "gw")


async def test_a_controller_that_is_switched_off_is_one_alarm_and_over_when_it_is_back() -> None:
    tags = tags_of("m1/oil", "m1/force")
    async with (
        ModbusDevice({"holding": {0: 7}}) as device,
        running(House(tags, {"press": modbus(tags, device.port, (1, 1))})) as house,
    ):
        await house.until(lambda: house.all_are(0), "heard")
        assert house.circuit("press") is State.CLOSED
        await device.stop()
        await house.until(lambda: house.all_are(BAD_NO_COMMUNICATION), "all tags bad")
        assert house.said == [], "before anybody is told"
        await house.until(lambda: house.said == [("press", True)], "one alarm")
        await house.wait(30)
        assert house.said == [("press", True)] and house.circuit("press") is not State.CLOSED
        await device.start()
        await house.until(lambda: house.said[1:] == [("press", False)], "over")
        assert house.all_are(0) and house.circuit("press") is State.CLOSED
        await house.wait(20)
        assert house.said == [("press", True), ("press", False)]


async def test_a_gateways_units_are_told_one_by_one_and_a_gateway_that_is_gone_once() -> None:
    tags, away = tags_of("m1/oil", "m2/oil", "m3/oil"), set[int]()

    def answer(asked: bytes) -> bytes | None:
        if asked[6] in away:
            return None
        data = b"\x03\x02\x00\x07"
        return asked[:4] + (len(data) + 1).to_bytes(2, "big") + asked[6:7] + data

    async with (
        RawServer(answer) as server,
        running(House(tags, {"gw": modbus(tags, server.port, (11, 12, 13))})) as house,
    ):
        await house.until(lambda: house.all_are(0), "heard")
        away.add(12)
        await house.until(lambda: house.said == [("gw/unit 12", True)], "the unit's alarm")
        assert house.all_are(0, [1, 3]) and house.status[2] == BAD_NO_COMMUNICATION
        assert house.circuit("gw") is State.CLOSED
        away.clear()
        await house.until(lambda: house.said[1:] == [("gw/unit 12", False)], "the unit is back")
        away.update((11, 12, 13))
        await house.until(lambda: house.said[2:] == [("gw", True)], "the gateway's alarm")
        await house.wait(30)
        assert house.said[2:] == [("gw", True)] and house.all_are(BAD_NO_COMMUNICATION)
        away.clear()
        await house.until(lambda: house.said[3:] == [("gw", False)], "all is well")
        await house.until(lambda: house.all_are(0), "all are heard")


async def test_an_opcua_server_that_restarts_is_one_alarm_for_all_its_machines() -> None:
    names = ("m1/oil", "m1/force", "m2/oil")
    tags = tags_of(*names)
    variables = {n.replace("/", "-"): ua.Variant(1.0, ua.VariantType.Double) for n in names}
    async with OpcUaPlant(variables) as plant:
        nodes = [{"tag": path, "node": plant.node(v)} for path, v in zip(tags, variables, strict=True)]
        config = OpcUaCollector.Config.model_validate(
            {"endpoint": plant.endpoint, "security": "none", "interval": "20ms", "timeout": "2s",
             "keep_alive": "100ms", "nodes": nodes}
        )  # fmt: skip
        make = {"cell": lambda clock: OpcUaCollector(config, clock, tags, "cell")}
        async with running(House(tags, make)) as house:
            await house.until(lambda: house.all_are(0), "heard")
            await plant.stop()
            await house.until(lambda: house.all_are(BAD_NO_COMMUNICATION), "all tags bad")
            await house.until(lambda: house.said == [("cell", True)], "one alarm")
            await plant.start()
            await house.until(lambda: house.said[1:] == [("cell", False)], "over")
            assert house.all_are(0)


async def test_an_edge_node_and_each_device_behind_it_are_told_apart_by_their_deaths() -> None:
    tags = tags_of("n/oil", "d1/oil", "d2/oil")
    values = {device: {"Oil": Entry("Oil", n, value=20.0)} for n, device in enumerate(("", "d1", "d2"), 1)}
    metrics = [
        {"tag": path, "node": "Plant/Edge1", "device": device, "metric": "Oil"}
        for path, device in zip(tags, values, strict=True)
    ]
    async with MqttBroker() as broker:
        config = SparkplugCollector.Config.model_validate(
            {"broker": f"mqtt://127.0.0.1:{broker.port}", "security": "none", "metrics": metrics}
        )
        make = {"cells": lambda clock: SparkplugCollector(config, clock, tags, "cells")}
        house = House(tags, make)
        edge = EdgeNode(broker.port, house.clock.now, values)
        async with running(house):
            await edge.meet()
            await house.until(lambda: house.all_are(0), "heard")
            await edge.device_dies("d1")
            await house.until(lambda: house.all_are(BAD_NO_COMMUNICATION, [2]), "its tag is bad")
            await house.until(lambda: house.said == [("cells/Plant/Edge1/d1", True)], "one alarm for it")
            await edge.device_born("d1")
            await house.until(lambda: house.said[1:] == [("cells/Plant/Edge1/d1", False)], "over")
            await edge.die()
            await house.until(lambda: house.said[2:] == [("cells", True)], "one alarm for all that is there")
            await edge.meet()
            await house.until(lambda: house.said[3:] == [("cells", False)], "over")
            await house.wait(20)
            assert len(house.said) == 4 and house.all_are(0)
            await edge.stop()
