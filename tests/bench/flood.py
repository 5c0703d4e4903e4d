"""Batches of simulated samples as fast as they are taken: ready-made columns, only times and values move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import numpy as np

from hub.model.batch import SampleBatch
from hub.ports import Sink
from tests.bench.plant import LIMIT_HIGH

PERIOD = 64  # different sets of values, made beforehand
BACKLOG = 8_388_608  # bytes that may wait on the disk: more would be a lead that the record has to make up


class Flood:
    """`given`: rows handed over so far. Each batch has every tag once, a little later than the one before."""

    def __init__(self, tags: int) -> None:
        self._tags = np.arange(1, tags + 1, dtype=np.int32)
        self._status = np.zeros(tags, np.uint32)
        self._values = np.random.default_rng(1).random((PERIOD, tags)) * (LIMIT_HIGH * 0.8) + LIMIT_HIGH * 0.1
        self._last = 0
        self._round = 0
        self.given = 0

    def batch(self) -> SampleBatch:
        self._last = max(time.time_ns() // 1000, self._last + 1)
        self._round += 1
        values = self._values[self._round % PERIOD]
        times = np.full(len(values), self._last, np.int64)
        return SampleBatch(self._tags, times, values, self._status, "flood")

    async def run(self, sink: Sink[SampleBatch], waiting: Callable[[], int], seconds: float) -> None:
        """`waiting`: bytes on the way to the record."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if waiting() > BACKLOG:
                await asyncio.sleep(0.005)
                continue
            made = self.batch()
            await sink.put(made)
            self.given += len(made)
