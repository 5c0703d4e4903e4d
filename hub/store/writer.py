"""Takes sample batches off the bus and puts them on record, many to a commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from hub import metrics
from hub.failpoint import failpoint
from hub.model.batch import SampleBatch
from hub.ports import SAMPLES, Bus, Clock, Delivery, SampleStore
from hub.store.positions import after

log = logging.getLogger(__name__)

GROUP = "store"


class Writer:
    """Commits when `max_rows` are together or the oldest has waited `max_wait` seconds; acknowledges after.

    Raises what the bus or the store raises: what was not acknowledged comes again to the next run, and what
    is on record already is then left out by its position.
    """

    def __init__(
        self, bus: Bus, samples: SampleStore, clock: Clock, max_rows: int = 20_000, max_wait: float = 0.1
    ) -> None:
        self._bus = bus
        self._samples = samples
        self._clock = clock
        self._max_rows = max_rows
        self._max_wait = max_wait
        self._waiting = _Pile(max_rows)
        self.rows = self.commits = self.refused = self.repeats = 0

    def detail(self) -> dict[str, Any]:
        """For the status page: since this process began."""
        return {
            "rows": self.rows,
            "commits": self.commits,
            "refused": self.refused,
            "repeats": self.repeats,
            "waiting_rows": self._waiting.rows,
        }

    async def run(self) -> None:
        """Until cancelled."""
        self._waiting = _Pile(self._max_rows)
        recorded = await self._samples.position()
        halves = [asyncio.create_task(self._read(recorded)), asyncio.create_task(self._write())]
        try:
            done, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
            for half in done:
                half.result()
        finally:
            await _end(halves)

    async def _read(self, recorded: str) -> None:
        async for delivery in self._bus.consume(SAMPLES, GROUP):
            if delivery.position and not after(delivery.position, recorded):
                self.repeats += 1
                await delivery.ack()
                continue
            try:
                batch = SampleBatch.from_bytes(delivery.body)
            except ValueError as cause:
                self.refused += 1
                log.error("refused an entry of the sample stream at %r: %s", delivery.position, cause)
                await delivery.ack()
                continue
            await self._waiting.add(delivery, batch)

    async def _write(self) -> None:
        while True:
            await self._waiting.something()
            await self._full_or_late()
            deliveries, batches = await self._waiting.take()
            began = self._clock.monotonic()
            rows = await self._samples.write(batches, deliveries[-1].position)
            metrics.written(rows, self._clock.monotonic() - began)
            self.rows += rows
            self.commits += 1
            failpoint("writer.before_ack")
            for delivery in deliveries:
                await delivery.ack()

    async def _full_or_late(self) -> None:
        waits = [
            asyncio.ensure_future(self._clock.sleep(self._max_wait)),
            asyncio.ensure_future(self._waiting.full()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(waits)


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Pile:
    """What has been read and not yet written; the reader waits while it is full."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = asyncio.Condition()
        self._deliveries: list[Delivery] = []
        self._batches: list[SampleBatch] = []
        self.rows = 0

    async def add(self, delivery: Delivery, batch: SampleBatch) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.rows < self._limit)
            self._deliveries.append(delivery)
            self._batches.append(batch)
            self.rows += len(batch)
            self._changed.notify_all()

    async def something(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._deliveries))

    async def full(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.rows >= self._limit)

    async def take(self) -> tuple[list[Delivery], list[SampleBatch]]:
        async with self._changed:
            taken = self._deliveries, self._batches
            self._deliveries, self._batches, self.rows = [], [], 0
            self._changed.notify_all()
            return taken
