"""A line that is slow and narrow, and breaks again and again, by a clock that a test turns."""

from __future__ import annotations

import asyncio
import random

from hub.ports import Clock
from tests.simulators.devices import Proxy


class SlowLine(Proxy):
    """What is said arrives `delay` seconds later, at `rate` bytes a second at most; `tries` is when somebody
    came. `break_often` cuts it about every so many seconds."""

    def __init__(self, to: int, clock: Clock, delay: float = 0.5, rate: float = 64_000.0) -> None:
        super().__init__(to)
        self._clock, self._delay, self._rate = clock, delay, rate
        self.tries: list[float] = []
        self.cuts = 0

    async def break_often(self, about: float, chance: random.Random) -> None:
        while True:
            await self._clock.sleep(about * chance.uniform(0.5, 1.5))
            self.cut()
            self.cuts += 1

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tries.append(self._clock.monotonic())
        super()._accept(reader, writer)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        """A line holds as much as is under way on it: whoever says more has to wait."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        arriving = asyncio.create_task(self._arrive(under_way, target))
        free = 0.0
        try:
            while data := await source.read(4096):
                free = max(free, self._clock.monotonic()) + len(data) / self._rate
                await under_way.put((free + self._delay, data))
        except ConnectionError:
            pass
        finally:
            arriving.cancel()
            target.close()

    async def _arrive(
        self, under_way: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await under_way.get()
            await self._clock.sleep(due - self._clock.monotonic())
            if not target.is_closing():
                target.write(data)
