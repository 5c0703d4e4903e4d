"""An MQTT collector with a spool in a process of its own, to be killed. Says each value the disk has."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from collectors.bus_sink import BusSink
from collectors.mqtt import MqttCollector
from collectors.runner import CollectorRunner
from hub.bus.memory import MemoryBus
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus
from hub.clock import SystemClock
from hub.model.batch import SampleBatch
from hub.model.recent import Recent
from hub.model.sample import Tag
from hub.model.words import Words
from hub.ports import SAMPLES

TAGS = {
    name: Tag(number, name, Words("", name)) for number, name in enumerate(("ready", "timed", "plain"), 1)
}


class Telling:
    def __init__(self, sink: BusSink) -> None:
        self._sink = sink

    async def put(self, item: SampleBatch) -> None:
        await self._sink.put(item)
        sys.stdout.write(
            json.dumps([[int(t), float(v)] for t, v in zip(item.tags, item.values, strict=True)]) + "\n"
        )
        sys.stdout.flush()

    async def recall(self, source: str) -> Recent:
        return await self._sink.recall(source)


async def nobody(up: bool, error: str) -> None:
    """Nobody asks."""


async def not_on_record(origin: str) -> int:
    return 0


async def main(folder: Path, config: str) -> None:
    clock = SystemClock()
    bus = SpooledBus(MemoryBus({SAMPLES: ()}, clock=clock), Spool(folder, 1 << 20), not_on_record, clock)
    settings = MqttCollector.Config.model_validate_json(config)
    runner = CollectorRunner(
        "line", lambda: MqttCollector(settings, clock, TAGS, "line"), Telling(BusSink(bus)), clock, nobody
    )
    await runner.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
