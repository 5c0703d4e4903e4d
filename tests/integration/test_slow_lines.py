"""Half a second of delay, 64 kB a second, a cut about every three (F07): slow, but heard, and no storm.

The clock is turned by hand; devices, collectors and the line between them are real.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from collectors.modbus import ModbusCollector
from collectors.mqtt import MqttCollector
from collectors.runner import CollectorRunner
from hub.clock import SystemClock
from hub.model.batch import SampleBatch
from hub.model.sample import Tag
from hub.model.words import Words
from hub.supervisor import Supervisor
from hub.testing.clock import HandClock
from tests.simulators.devices import ModbusDevice
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice
from tests.simulators.slow_line import SlowLine

pytestmark = pytest.mark.anyio

DELAY, CUT = 0.5, 3.0
MINUTE = 60.0
TURN = 0.05  # seconds of the hand's clock
TAGS = {"p1/a/l1/m/oil": Tag(1, "p1/a/l1/m/oil", Words("", ""))}
Make = Callable[[int, HandClock], Any]


def modbus(port: int, clock: HandClock) -> ModbusCollector:
    """Its own timeout is long: it runs by the loop's clock, and the line's delay by the hand's."""
    points = [{"tag": "p1/a/l1/m/oil", "address": 0}]
    settings = {"host": "127.0.0.1", "port": port, "timeout": "30s", "every": "1s", "points": points}
    return ModbusCollector(ModbusCollector.Config.model_validate(settings), clock, TAGS, "press")


def mqtt(port: int, clock: HandClock) -> MqttCollector:
    topics = [{"topic": "oil", "values": [{"tag": "p1/a/l1/m/oil"}]}]
    settings = {
        "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "timeout": "30s", "keep_alive": "30s",
        "topics": topics,
    }  # fmt: skip
    return MqttCollector(MqttCollector.Config.model_validate(settings), clock, TAGS, "press")


class Plant:
    """One collector under the supervisor, behind a slow line."""

    def __init__(self, line: SlowLine, make: Make, clock: HandClock) -> None:
        self.line, self.clock, self.supervisor = line, clock, Supervisor(clock)
        self.said: list[tuple[float, float]] = []  # when, and what
        runner = CollectorRunner("press", lambda: make(line.port, clock), self, clock, self._state)
        self.supervisor.watch("press", runner.run, outside=True)

    async def _state(self, up: bool, error: str) -> None:
        if up:
            self.supervisor.proved("press")

    async def put(self, item: SampleBatch) -> None:
        good = item.values[item.statuses == 0]
        self.said += [(self.clock.monotonic(), float(value)) for value in good]

    async def turn(self, seconds: float) -> None:
        for _ in range(round(seconds / TURN)):
            self.clock.turn(TURN)
            await asyncio.sleep(0.002)  # the loop's: bytes need a moment on their way through real sockets


@asynccontextmanager
async def behind_a_slow_line(port: int, make: Make, cut: float = CUT) -> AsyncIterator[Plant]:
    clock = HandClock(SystemClock().now())
    async with SlowLine(port, clock, DELAY) as line:
        plant = Plant(line, make, clock)
        tasks = [
            asyncio.create_task(plant.supervisor.run()),
            asyncio.create_task(line.break_often(cut, random.Random(7))),
        ]
        try:
            yield plant
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def no_storm(line: SlowLine, cut: float = CUT) -> None:
    pauses = [after - before for before, after in pairwise(line.tries)]
    assert line.cuts > MINUTE / cut / 2 and len(pauses) > 5
    assert min(pauses) >= 2.0 - TURN, "one try in two seconds at most; test_circuit has how they are drawn"


async def test_a_device_behind_a_slow_line_that_breaks_is_heard_and_not_stormed() -> None:
    async with ModbusDevice({"holding": {0: 7}}) as device, behind_a_slow_line(device.port, modbus) as plant:
        for n in range(12):
            device.memory["holding"][0] = n
            await plant.turn(MINUTE / 12)
        no_storm(plant.line)
        assert len({value for _, value in plant.said}) > 6, "between the cuts it is heard"
        assert device.writes == 0


async def test_what_a_broker_tells_comes_late_by_the_lines_delay_and_no_more() -> None:
    """To greet and to subscribe takes two of the seconds between two cuts: they are further apart here."""
    async with (
        MqttBroker() as broker,
        MqttDevice(broker.port, "press") as press,
        behind_a_slow_line(broker.port, mqtt, 2 * CUT) as plant,
    ):
        told: dict[float, float] = {}
        for n in range(60):
            told[float(n)] = plant.clock.monotonic()
            await press.say("oil", str(n))
            await plant.turn(MINUTE / 60)
        no_storm(plant.line, 2 * CUT)
        late = [at - told[value] for at, value in plant.said]
        assert len(late) > 10 and max(late) <= DELAY + 2, "the rest was told while the line was down"
