"""Takes sample batches off the bus and puts them on record, many to a commit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hub import metrics
from hub.failpoint import failpoint
from hub.model.batch import SampleBatch, as_historical, from_micros
from hub.model.stamp import Tally
from hub.ports import SAMPLES, Bus, Clock, Delivery, SampleStore
from hub.store.positions import after

log = logging.getLogger(__name__)

GROUP = "store"
MANY = 1_000  # rows
LONGER = 19


class Writer:
    """Commits when `max_rows` are together or the oldest has waited `max_wait` seconds; acknowledges after.

    Where MANY have come together by then, it waits for the next round, `max_wait` times LONGER at most: a
    commit of several rounds costs the database less than one of each. Nobody waits for the record in earnest:
    rules and screens have the samples from the bus, and what is not on record is on the collector's disk.

    Raises what the bus or the store raises: what was not acknowledged comes again to the next run, and what
    is on record already is then left out by its stamp (without one, by its position). What the stamps say is
    missing is told and counted, and the writing goes on.
    """

    def __init__(
        self, bus: Bus, samples: SampleStore, clock: Clock, max_rows: int = 50_000, max_wait: float = 0.25
    ) -> None:
        self._bus = bus
        self._samples = samples
        self._clock = clock
        self._max_rows = max_rows
        self._max_wait = max_wait
        self._waiting = _Pile(max_rows)
        self.rows = self.commits = self.refused = self.repeats = self.lost = 0

    def detail(self) -> dict[str, Any]:
        """For the status page: since this process began."""
        return {
            "rows": self.rows,
            "commits": self.commits,
            "refused": self.refused,
            "repeats": self.repeats,
            "lost_batches": self.lost,
            "waiting_rows": self._waiting.rows,
        }

    async def run(self) -> None:
        """Until cancelled."""
        self._waiting = _Pile(self._max_rows)
        known = _Known(await self._samples.position(), Tally(await self._samples.origins()))
        halves = [asyncio.create_task(self._read(known)), asyncio.create_task(self._write())]
        try:
            done, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
            for half in done:
                half.result()
        finally:
            await _end(halves)

    async def _read(self, known: _Known) -> None:
        async for delivery in self._bus.consume(SAMPLES, GROUP):
            missing = known.missing_before(delivery)
            if missing is None:
                self.repeats += 1
                await delivery.ack()
                continue
            await self._waiting.add(delivery, self._batch(delivery), missing)

    def _batch(self, delivery: Delivery) -> SampleBatch:
        """What is no batch has no rows, and its number is taken all the same."""
        try:
            body = as_historical(delivery.body) if delivery.is_history else delivery.body
            return SampleBatch.from_bytes(body)
        except ValueError as cause:
            self.refused += 1
            log.error("refused an entry of the sample stream at %r: %s", delivery.position, cause)
            return SampleBatch.at([], from_micros(0), [])

    async def _write(self) -> None:
        while True:
            await self._waiting.something()
            await self._full_or_late()
            deliveries, batches, lost = await self._waiting.take()
            began = self._clock.monotonic()
            rows = await self._samples.write(batches, deliveries[-1].position, _taken(deliveries), lost)
            metrics.written(rows, self._clock.monotonic() - began)
            self.rows += rows
            self.commits += 1
            self._tell(lost)
            failpoint("writer.before_ack")
            for delivery in deliveries:
                await delivery.ack()

    def _tell(self, lost: Mapping[str, int]) -> None:
        for origin, batches in lost.items():
            self.lost += batches
            metrics.lost(GROUP, batches)
            log.error("the bus lost %d batches of samples from %s: they are not on record", batches, origin)

    async def _full_or_late(self) -> None:
        await self._full_or(self._max_wait)
        if MANY <= self._waiting.rows < self._max_rows:
            await self._full_or(self._max_wait * (LONGER - 1))

    async def _full_or(self, seconds: float) -> None:
        waits = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._waiting.full()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(waits)


class _Known:
    """What is on record or about to be."""

    def __init__(self, position: str, tally: Tally) -> None:
        self._position, self._tally = position, tally

    def missing_before(self, delivery: Delivery) -> int | None:
        """How many batches were lost just before this one; None: it is known already."""
        if delivery.stamp is not None:
            return self._tally.take(delivery.stamp)
        return 0 if not delivery.position or after(delivery.position, self._position) else None


def _taken(deliveries: Sequence[Delivery]) -> dict[str, int]:
    """The last number of each origin; they come in order."""
    return {d.stamp.origin: d.stamp.number for d in deliveries if d.stamp is not None}


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
        self._lost: dict[str, int] = {}
        self.rows = 0

    async def add(self, delivery: Delivery, batch: SampleBatch, missing: int = 0) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.rows < self._limit)
            self._deliveries.append(delivery)
            self._batches.append(batch)
            if missing and delivery.stamp is not None:
                self._lost[delivery.stamp.origin] = self._lost.get(delivery.stamp.origin, 0) + missing
            self.rows += len(batch)
            self._changed.notify_all()

    async def something(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._deliveries))

    async def full(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.rows >= self._limit)

    async def take(self) -> tuple[list[Delivery], list[SampleBatch], dict[str, int]]:
        async with self._changed:
            taken = self._deliveries, self._batches, self._lost
            self._deliveries, self._batches, self._lost, self.rows = [], [], {}, 0
            self._changed.notify_all()
            return taken
