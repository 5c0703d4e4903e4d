"""A hostile MQTT broker, and a hostile Sparkplug node behind one: a real broker's packets, spoilt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from collectors.mqtt import MqttCollector
from collectors.sparkplug import SparkplugCollector
from hub.clock import SystemClock
from hub.model.sample import Tag
from hub.model.words import Words
from tests.fuzz.mutations import mutated
from tests.fuzz.stand import Answer, Outcome, Recorder, Shelf, luck, many, messages, playing
from tests.simulators.devices import Heard
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice
from tests.simulators.sparkplug.edge import EdgeNode
from tests.simulators.sparkplug.wire import INT16, STRING, Entry

TAGS = {f"p/{n}": Tag(n, f"p/{n}", Words("", f"t{n}")) for n in range(1, 6)}
KNOWN = {t.number for t in TAGS.values()}
POISON = 987654.25
_CONNECT, _SUBSCRIBE, _PUBLISH = 0x10, 0x80, 0x30
_AT_ONCE = 32
Make = Callable[[int], Any]


def cut(held: bytes) -> int:
    size = shift = 0
    for at, byte in enumerate(held[1:5], 2):
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return at + size if len(held) >= at + size else 0
    return 0


def _plain(port: int, version: str = "3.1.1") -> MqttCollector:
    topics = [
        {"topic": "a/number", "qos": 2, "values": [{"tag": "p/1"}]},
        {"topic": "a/+/json", "payload": "json", "time": "ts", "values": [
            {"tag": "p/2", "value": "v"}, {"tag": "p/3", "value": "state", "codes": {"RUN": 1}},
            {"tag": "p/4", "value": "list[1].x", "scale": 0.1}]},
        {"topic": "a/each", "payload": "json", "each": "rows", "values": [{"tag": "p/5", "value": "n"}]},
    ]  # fmt: skip
    block = {"broker": f"mqtt://127.0.0.1:{port}", "security": "none", "timeout": "500ms", "version": version,
             "topics": topics}  # fmt: skip
    return MqttCollector(MqttCollector.Config.model_validate(block), SystemClock(), TAGS, "line")


def _sparkplug(port: int) -> SparkplugCollector:
    metrics = [
        {"tag": "p/1", "node": "G/E", "metric": "Oil/Temp"},
        {"tag": "p/2", "node": "G/E", "metric": "State", "codes": {"RUN": 1}},
        {"tag": "p/3", "node": "G/E", "device": "press", "metric": "Parts"},
    ]
    block = {"broker": f"mqtt://127.0.0.1:{port}", "security": "none", "timeout": "500ms", "host_id": "",
             "metrics": metrics}  # fmt: skip
    return SparkplugCollector(SparkplugCollector.Config.model_validate(block), SystemClock(), TAGS, "edge")


async def _recorded(port: int, make: Make, talk: Callable[[Heard], Any]) -> dict[int, list[bytes]]:
    """What the broker said, by the packet it answered to: a connect, a subscribe."""
    async with Recorder(port) as between:
        sink = Heard()
        task = asyncio.create_task(make(between.port).run(sink))
        await talk(sink)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        told = messages(between.talks[0], "server", cut)
    return {_CONNECT: told[:1], _SUBSCRIBE: told[1:]}


async def _say(device: MqttDevice, sink: Heard) -> None:
    while not sink.batches:  # the subscription may not stand yet
        await device.say("a/number", "11", qos=0)
        await asyncio.sleep(0.05)
    now = int(SystemClock().now().timestamp() * 1000)
    for qos, topic, body in (
        (2, "a/number", "12.5"), (0, "a/number", "13"), (1, "a/number", "14.5"),
        (1, "a/x/json", f'{{"ts": {now}, "v": 7.25, "state": "RUN", "list": [0, {{"x": 30}}]}}'),
        (1, "a/each", '{"rows": [{"n": 1}, {"n": 2.5}]}'), (2, "a/number", "15"),
    ):  # fmt: skip
        heard = len(sink.batches)
        await device.say(topic, body, qos=qos)
        await sink.until(lambda before=heard: len(sink.batches) > before)  # type: ignore[misc]


def _wrong_topic(packet: bytes) -> bytes:
    """The same length, another topic, a value that nobody has."""
    return packet.replace(b"a/number", b"b/number").replace(b"12.5", b"8642").replace(b"14.5", b"8642")


def answers(number: int, seed: int, told: dict[int, list[bytes]]) -> Answer:
    rng = luck(seed, number)
    early = rng.random() < 0.2
    spoilt = rng.randrange(len(told[_SUBSCRIBE]))

    def reply(packet: bytes) -> bytes | None:
        match packet[0] & 0xF0:
            case 0x10:
                said = told[_CONNECT][0]
                return mutated(rng, said) if early else said
            case 0x80:
                packets = list(told[_SUBSCRIBE])
                packets[spoilt] = mutated(rng, packets[spoilt], text=rng.random() < 0.5)
                if rng.random() < 0.1:
                    packets[spoilt] = _endless(packets[spoilt])
                packets.insert(rng.randrange(len(packets)), _wrong_topic(rng.choice(told[_SUBSCRIBE])))
                return b"".join(packets) + b"\xd0\x00"
            case 0xC0 | 0xE0:
                return None
            case _:
                return b""

    return reply


def _endless(packet: bytes) -> bytes:
    """It announces 256 MB, and a part of them comes."""
    return packet[:1] + b"\xff\xff\xff\x7f" + packet[2:] * 400


async def _against(
    out: Outcome, count: int, seed: int, make: Make, told: dict[int, list[bytes]], name: str
) -> None:
    async def one(number: int) -> str:
        shelf = Shelf(out, number, KNOWN, 8642.0)
        async with playing(cut, partial(answers, number, seed, told)) as port:
            task = asyncio.create_task(make(port).run(shelf))
            done, _ = await asyncio.wait({task}, timeout=0.1)
            if not done:  # it is well, and waits for more
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return f"{name} stands"
            return str(task.result())

    await many(count, one, out, _AT_ONCE)


async def fuzz(count: int, seed: int = 1) -> Outcome:
    """A third of them each: 3.1.1, 5, Sparkplug."""
    out = Outcome()
    async with MqttBroker() as broker:
        async with MqttDevice(broker.port, "device") as device:
            plain = await _recorded(broker.port, _plain, partial(_say, device))
        async with MqttDevice(broker.port5, "device5", "5") as device:
            five = await _recorded(broker.port5, partial(_plain, version="5"), partial(_say, device))
        values = {
            "": {"Oil/Temp": Entry("Oil/Temp", 1, value=61.5), "State": Entry("State", 2, STRING, "RUN")},
            "press": {"Parts": Entry("Parts", 3, INT16, -7)},
        }
        edge = EdgeNode(broker.port, SystemClock().now, values, group="G", name="E")
        node = await _recorded(broker.port, _sparkplug, partial(_live, edge))
        await edge._mqtt.stop()
    rest = count - 2 * (count // 3)
    await _against(out, count // 3, seed, _plain, plain, "3.1.1")
    await _against(out, count // 3, seed + 1, partial(_plain, version="5"), five, "5")
    await _against(out, rest, seed + 2, _sparkplug, node, "Sparkplug")
    return out


async def _live(edge: EdgeNode, sink: Heard) -> None:
    await edge.start()
    await sink.said(3, -7)
    await edge.show(**{"Oil/Temp": 80.0})
    await edge.show(State="RUN")
    await edge.show("press", Parts=-8)
    await sink.said(3, -8)
    await edge.die()
    await sink.until(lambda: sink.last(3).status.is_bad)
