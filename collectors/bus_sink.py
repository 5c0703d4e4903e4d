"""One way onto the bus for all collectors of a process: what is put at the same moment travels together."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from uuid import uuid4

from hub.failpoint import failpoint
from hub.model.batch import SampleBatch, join, summable
from hub.model.recent import Recent
from hub.model.stamp import Stamp
from hub.ports import SAMPLES, Publisher, RememberingPublisher

LINGER = 0.005  # seconds; devices that were asked at once answer within a few milliseconds


class _Parcel(NamedTuple):
    """Batches that travel together. It keeps its stamp until the bus is known to have it."""

    items: list[SampleBatch]
    rows: int
    body: bytes
    stamp: Stamp
    recent: list[tuple[str, Recent]]


class BusSink:
    """One way onto the bus for all collectors of a process.

    `put` returns once the bus has the batch, so each collector has at most one on its way and a full bus
    slows all of them down. Batches that are put while another one is being published travel together: a
    hundred devices polled in one tick cost a message or two, not a hundred. Where the last one had company,
    the next waits `linger` seconds for its own; who is alone never waits.

    A publishing that fails tells the collector that tried it. The parcel may have arrived all the same, so it
    goes out again before anything else and under the same number: takers know a repeat by it, and a loss.
    """

    def __init__(self, bus: Publisher, linger: float = LINGER) -> None:
        self._bus, self._linger = bus, linger
        self._remembers = bus if isinstance(bus, RememberingPublisher) else None
        self._waiting: list[SampleBatch] = []
        self._here: set[int] = set()  # who has not gone out: a hundred devices ask for their batch at once
        self._parcel: _Parcel | None = None
        self._origin, self._sealed = uuid4().hex, 0
        self._under_way: asyncio.Event | None = None  # set when the present publishing has ended
        self._company = False  # others had something to say at the same moment, the last time
        self.batches = 0
        self.samples = 0

    async def put(self, item: SampleBatch) -> None:
        if not len(item):
            return
        self._waiting.append(item)
        self._here.add(id(item))
        while id(item) in self._here:  # until it went out, with somebody else's as a rule
            if self._under_way is None:
                await self._take_all(item)
            else:
                await self._under_way.wait()

    async def recall(self, source: str) -> Recent:
        """What this source took lately, in the life before this one too where the bus keeps it."""
        return await self._remembers.recall(source) if self._remembers is not None else Recent()

    async def _take_all(self, mine: SampleBatch) -> None:
        """Publish what is waiting. When that fails the others' batches wait on, for one of them to try."""
        self._under_way = ended = asyncio.Event()
        try:
            # of the loop, not of the clock: it gathers, it does not time
            await asyncio.sleep(self._linger if self._company else 0)
            await self._send()
            if self._waiting:
                self._seal()
                await self._send()
                self._company = self._company or bool(self._waiting)
        except BaseException:
            self._forget(mine)
            raise
        finally:
            self._under_way = None
            ended.set()

    def _forget(self, mine: SampleBatch) -> None:
        """Unless it is sealed already: then it goes with its parcel."""
        if any(w is mine for w in self._waiting):
            self._waiting = [w for w in self._waiting if w is not mine]
            self._here.discard(id(mine))

    def _seal(self) -> None:
        items, self._waiting = self._waiting, []
        self._company = len(items) > 1
        batch = summable(join(items))
        self._sealed += 1
        recent = [(i.source, i.recent) for i in items if i.recent is not None]
        stamp = Stamp(self._origin, self._sealed)
        self._parcel = _Parcel(items, len(batch), batch.to_bytes(), stamp, recent)

    async def _send(self) -> None:
        if self._parcel is None:
            return
        parcel = self._parcel
        failpoint("collector.before_publish")
        if parcel.recent and self._remembers is not None:
            await self._remembers.publish(SAMPLES, parcel.body, parcel.stamp, parcel.recent)
        else:
            await self._bus.publish(SAMPLES, parcel.body, parcel.stamp)
        self._parcel = None
        self._here.difference_update(map(id, parcel.items))
        failpoint("collector.after_publish")
        self.batches += 1
        self.samples += parcel.rows
        await self._bus.shout(SAMPLES, parcel.body)
