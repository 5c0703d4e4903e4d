"""kill -9 between the disk and the acknowledgement: what the broker sends again is on the disk once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub.bus.spool import Spool
from hub.model.batch import SampleBatch
from tests.integration import mqtt_edge
from tests.integration.mqtt_edge import TAGS
from tests.leash import leashed
from tests.simulators.devices import RawServer
from tests.simulators.mqtt_broker import MqttBroker
from tests.simulators.mqtt_device import MqttDevice

pytestmark = pytest.mark.anyio

BEFORE = "mqtt.before_acknowledging:exit"
PATIENCE = 30.0


@pytest.fixture(scope="module")
async def broker() -> AsyncIterator[MqttBroker]:
    async with MqttBroker() as one:
        yield one


class Edge:
    """One process after the other, with the same disk."""

    def __init__(self, folder: Path, port: int, name: str, qos: int) -> None:
        self.folder, self.name = folder, name
        value = {"payload": "json", "time": "ts", "time_unit": "s", "qos": qos}
        self._config: dict[str, Any] = {
            "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "timeout": "10s", "session": "1h",
            "client_id": name, "topics": [
                {"topic": f"{name}/ready", "values": [{"tag": "ready"}]},
                {"topic": f"{name}/timed", "values": [{"tag": "timed", "value": "v"}], **value},
                {"topic": f"{name}/plain", "qos": qos, "values": [{"tag": "plain"}]},
            ],
        }  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, failpoint: str = "") -> None:
        command = [sys.executable, "-m", mqtt_edge.__name__, str(self.folder), json.dumps(self._config)]
        self._process = await asyncio.create_subprocess_exec(
            *leashed(command), stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "ANDON_FAILPOINTS": failpoint},
        )  # fmt: skip

    async def said(self, tag: str, value: float) -> None:
        assert self._process is not None and self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while [TAGS[tag].number, value] not in json.loads(await self._process.stdout.readline()):
                pass

    async def died(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(PATIENCE):
            assert await self._process.wait() == 137
        self._process = None

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    def kept(self) -> Counter[tuple[str, float]]:
        """How often the disk has each value."""
        spool, names = Spool(self.folder, 1 << 20), {t.number: name for name, t in TAGS.items()}
        batches = [SampleBatch.from_bytes(k.body) for k in spool.read(0, 1 << 30) if k.body]
        spool.close()
        return Counter(
            (names[int(t)], float(v))
            for b in batches
            for t, v in zip(b.tags, b.values, strict=True)
            if not np.isnan(v)
        )


@asynccontextmanager
async def edge_at(port: int, folder: Path, name: str, qos: int) -> AsyncIterator[Edge]:
    edge = Edge(folder / "spool", port, name, qos)
    try:
        yield edge
    finally:
        await edge.kill()


async def test_what_was_flushed_and_not_acknowledged_is_stored_once(
    broker: MqttBroker, tmp_path: Path
) -> None:
    name, qos = "killed", 2
    async with (
        MqttDevice(broker.port, "device") as device,
        edge_at(broker.port, tmp_path, name, qos) as edge,
    ):
        await device.say(f"{name}/ready", "1", retained=True)
        await edge.start()
        await edge.said("ready", 1)
        await edge.kill()
        await device.say(f"{name}/timed", '{"v": 7, "ts": 1790000000}', qos=qos)
        await edge.start(BEFORE)
        await edge.died()
        await edge.start()
        await device.say(f"{name}/plain", "6", qos=qos)
        await edge.said("plain", 6)
        await edge.kill()
        kept = edge.kept()
    assert (kept["timed", 7], kept["plain", 6]) == (1, 1)


class Resender:
    """The least of a broker: one session, whose messages it sends again (DUP) until they are acknowledged."""

    def __init__(self, qos: int) -> None:
        self._qos = qos
        self._told: set[int] = set()
        self.open: dict[int, bytes] = {}
        self.through = asyncio.Event()  # all are acknowledged

    def tell(self, number: int, topic: str, payload: str) -> None:
        name = topic.encode()
        self.open[number] = len(name).to_bytes(2, "big") + name + number.to_bytes(2, "big") + payload.encode()

    def answer(self, data: bytes) -> bytes | None:
        said = b""
        while data:
            kind, number, data = data[0], data[2:4], data[2 + data[1] :]
            match kind:
                case 0x10:
                    said += b"\x20\x02\x01\x00"
                case 0x82:
                    said += b"\x90\x05" + number + bytes((1, self._qos, self._qos)) + self._messages()
                case 0x40 | 0x50:
                    self.open.pop(int.from_bytes(number, "big"))
                    if not self.open:
                        self.through.set()
                    said += b"\x62\x02" + number if kind == 0x50 else b""
                case 0xC0:
                    said += b"\xd0\x00"
        return said or None

    def _messages(self) -> bytes:
        out = b""
        for number, whole in self.open.items():
            out += bytes((0x30 | self._qos << 1 | (number in self._told) << 3, len(whole))) + whole
            self._told.add(number)
        return out


@pytest.mark.parametrize("qos", [1, 2])
async def test_without_a_time_what_the_broker_says_it_sends_again_is_stored_once_and_what_is_new_is_stored(
    tmp_path: Path, qos: int
) -> None:
    broker = Resender(qos)
    async with RawServer(broker.answer) as server, edge_at(server.port, tmp_path, "edge", qos) as edge:
        broker.tell(1, "edge/plain", "5")
        await edge.start(BEFORE)
        await edge.died()
        assert list(broker.open) == [1]
        broker.tell(2, "edge/plain", "5")
        await edge.start()
        async with asyncio.timeout(PATIENCE):
            await broker.through.wait()
        await edge.kill()
        kept = edge.kept()
    assert kept == {("plain", 5): 2}
