"""What the broker tells twice is stored once, wherever anything tells that it is the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from collectors.mqtt import MqttCollector
from collectors.runner import CollectorRunner
from collectors.source_times import UNCERTAIN_LAST_USABLE
from hub.clock import SystemClock
from hub.errors import ConfigError, SourceRefused, SourceUnavailable
from hub.model.recent import Recent
from tests.integration.test_collector_mqtt import STATE, TAGS, TEMP, config, listening, told, topic
from tests.simulators.devices import Heard, Proxy, RawServer
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def broker() -> AsyncIterator[MqttBroker]:
    async with MqttBroker() as one:
        yield one


def runner_of(settings: list[Any], sink: Any, states: list[bool]) -> CollectorRunner:
    """One connection for each of the settings."""

    async def on_state(up: bool, error: str) -> None:
        states.append(up)

    def made() -> MqttCollector:
        return MqttCollector(settings.pop(0), SystemClock(), TAGS, "line")

    return CollectorRunner("line", made, sink, SystemClock(), on_state)


@asynccontextmanager
async def living(runner: CollectorRunner) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_the_broker_keeps_with_its_own_time_is_stored_once_over_connections_and_restarts(
    broker: MqttBroker,
) -> None:
    async with MqttDevice(broker.port, "device") as device:
        await stored_once(broker, device)


async def stored_once(broker: MqttBroker, device: MqttDevice) -> None:
    await device.say("t11", '{"v": 5, "ts": 1790000000}', retained=True)
    sink, states = Heard(), list[bool]()
    where = topic("t11", payload="json", value="v", time="ts", time_unit="s")
    async with Proxy(broker.port) as proxy:
        runner = runner_of([config(proxy.port, where), config(broker.port, where)], sink, states)
        life = asyncio.create_task(runner.run())
        await sink.said(TEMP, 5)
    with pytest.raises(SourceUnavailable):
        await life
    assert sink.last(TEMP).value is None, "the line is lost"
    async with living(runner):
        again = await sink.said(TEMP, 5)
    assert again.status == UNCERTAIN_LAST_USABLE, "it still holds: told at the time of the connection"
    assert again.source_time > sink.of(TEMP)[1].source_time
    assert [s.value for s in sink.of(TEMP)] == [5, None, 5]

    class Restarted(Heard):
        async def recall(self, source: str) -> Recent:
            kept = [b.recent for b in sink.batches if b.recent is not None]
            return Recent(b"".join(r.readings for r in kept))

    then = Restarted()
    async with living(runner_of([config(broker.port, where)], then, states)):
        await then.until(lambda: bool(then.batches))
        await device.say("t11", '{"v": 6, "ts": 1790000001}')
        await then.said(TEMP, 6)
    assert [s.value for s in then.of(TEMP)] == [6]
    assert states == [True, False, True, True]
    await device.say("t11", "", retained=True)


async def test_of_topics_that_overlap_in_part_each_message_is_stored_once_where_the_broker_can_tell(
    broker: MqttBroker,
) -> None:
    line, one = topic("t12/+/temp"), topic("t12/l1/+", "p1/a/l1/m/state")
    settings = config(broker.port5, line, one, version="5")
    async with MqttDevice(broker.port5, "five12", "5") as device, listening(settings) as sink:
        await told(device, sink, "t12/l1/temp", "0", TEMP, 0)
        for value in "123":
            await device.say("t12/l1/temp", value)
        await device.say("t12/l1/other", "9")  # behind all copies for the second topic
        await sink.until(lambda: {3, 9} <= {s.value for s in sink.of(STATE)})
    assert [s.value for s in sink.of(TEMP) if s.value] == [1, 2, 3]
    assert sorted(s.value for s in sink.of(STATE) if s.value) == [1, 2, 3, 9]


async def test_overlapping_topics_whose_copies_nobody_can_tell_are_refused_with_the_remedy() -> None:
    line, one = topic("t13/+/temp"), topic("t13/l1/+", "p1/a/l1/m/state")
    with pytest.raises(ConfigError, match=r'topics: t13/\+/temp and t13/l1/\+ overlap.*version: "5"'):
        MqttCollector(config(1883, line, one), SystemClock(), TAGS, "line")
    timed = {"payload": "json", "value": "v", "time": "at"}
    both_timed = [topic("t13/+/temp", **timed), topic("t13/l1/+", "p1/a/l1/m/state", **timed)]
    apart = [topic("t13/{line}/temp", "p1/a/{line}/m/temp"), topic("t13/m/+", "p1/a/l1/m/state", **timed)]
    for allowed in (both_timed, apart, [topic("t13/#"), line, one]):
        MqttCollector(config(1883, *allowed), SystemClock(), TAGS, "line")
    MqttCollector(config(1883, line, one, sends_once=True), SystemClock(), TAGS, "line")

    def unable(data: bytes) -> bytes | None:
        return b"\x20\x05\x00\x00\x02\x29\x00" if data[:1] == b"\x10" else None

    async with RawServer(unable) as server:
        settings = config(server.port, line, one, version="5")
        with pytest.raises(SourceRefused, match="tell a copy: t13"):
            await MqttCollector(settings, SystemClock(), TAGS, "line").run(Heard())
