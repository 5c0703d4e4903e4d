"""The board, kept up to date and told to everybody who looks: snapshot, numbered patches, a heartbeat.

The record (the ledger) is what counts. Hints on the bus only say when to read it again, and a reading every
ten seconds heals the hints that were lost. Numbers of tags come straight off the bus.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import orjson
import structlog

from hub import metrics
from hub.errors import Transient
from hub.kpi.latency import Ring
from hub.model.batch import SampleBatch, micros
from hub.model.equipment import within
from hub.ports import EVENTS, SAMPLES, Bus, Clock, Ledger, Plant, SampleStore, Stops
from screens.board import Board, build
from screens.channel import Channel, Subscription
from screens.cut import cut, visible_machines
from screens.figures import as_time
from screens.live import Live
from screens.merge import Json, tidy
from screens.record import REST, URGENT, Record
from screens.sources import Sources

log = structlog.get_logger(__name__)

PACE = 0.25  # seconds between patches; what concerns alarms and tickets does not wait for it
URGENT_PACE = 0.05
BEAT = 1.0
RECKON = 5.0
HEAL = 10.0
HANGS = 5.0  # seconds after which a reading of the record counts as "away": a database may answer nothing
DEAF = 3.0  # seconds without a batch before the sample store is asked instead
CATCH_UP = 10.0  # seconds after which what was said before we listened is on record for certain
_AWAY = (Transient, OSError, TimeoutError)


class _Wish:
    """What one reader of the record has been asked to read."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self.kinds = kinds
        self.later: set[str] = set()
        self.began: float | None = None  # when the present reading was begun
        self._now: set[str] = set()
        self._there = asyncio.Event()

    def want(self, kinds: Iterable[str]) -> None:
        self._now.update(kinds)
        if self._now:
            self._there.set()

    async def next(self) -> frozenset[str]:
        await self._there.wait()
        self._there.clear()
        kinds = frozenset(self._now)
        self._now.clear()
        self.later -= kinds
        return kinds


class Feed:
    """`run` is the runner; `watch` and `snapshot` serve screens while it runs and while it is restarted.

    `health` gives {"sources": {name: {"up", "since"}}, "outbox_oldest": seconds, "parts_down": [name]}.
    """

    def __init__(
        self,
        plant: Plant,
        ledger: Ledger,
        samples: SampleStore,
        bus: Bus,
        clock: Clock,
        health: Callable[[], Mapping[str, Any]],
        stops: Stops | None = None,
        reads: Mapping[str, Iterable[int]] = MappingProxyType({}),
    ) -> None:
        """`reads`: which tags each source is configured to read."""
        self._plant, self._ledger, self._samples, self._bus = plant, ledger, samples, bus
        self.clock, self._health = clock, health
        self._record = Record(plant, ledger, clock, stops)
        self._live = Live(plant.tags.values())
        self._sources = Sources(plant, reads)
        self._ring = Ring()
        self._board = Board({}, {}, {}, plant.site.path)
        self._channels: dict[frozenset[str], Channel] = {}
        self._wishes = self._urgent, self._rest = _Wish(URGENT), _Wish(REST)
        self._dirty = asyncio.Event()
        self._heard_at = self._listens_since = clock.monotonic()
        self._told: Mapping[str, Any] = {}  # health, as last looked at
        self._away: set[str] = set()  # what could not be reached: "record", "bus"
        self._moved = True  # facts changed since the board was built
        self.ready = asyncio.Event()

    # ---------------------------------------------------------------- for screens
    @asynccontextmanager
    async def watch(self, scopes: Iterable[str]) -> AsyncIterator[Subscription]:
        """A reader's place; its first frame is the snapshot. Waits until the record has been read once."""
        await self.ready.wait()
        allowed = frozenset(scopes)
        if allowed not in self._channels:
            self._channels[allowed] = self._channel(allowed)
        channel = self._channels[allowed]
        reader = channel.join()
        metrics.viewer_came()
        try:
            yield reader
        finally:
            metrics.viewer_left()
            reader.close()
            if not channel.readers and self._channels.get(allowed) is channel:
                del self._channels[allowed]

    def snapshot(self, scopes: Iterable[str]) -> Json:
        """{"type", "seq", "at", "board"}; raises Transient before the record has been read once."""
        if not self.ready.is_set():
            raise Transient("the board has not been read from the record yet", timedelta(seconds=1))
        allowed = frozenset(scopes)
        return (self._channels.get(allowed) or self._channel(allowed)).frame()

    async def timeline(self, hours: float, scopes: Iterable[str]) -> Json:
        """What machines in these scopes have been doing; the present span has no `until`."""
        allowed, now = tuple(scopes), self.clock.now()
        spans = await self._ledger.states(now - timedelta(hours=hours), now)
        return {
            "spans": [
                tidy(
                    equipment=s.equipment,
                    state=s.state.value,
                    since=as_time(s.since),
                    until=as_time(s.until) if s.until and s.until < now else None,
                )
                for s in spans
                if any(within(s.equipment, scope) for scope in allowed)
            ]
        }

    def latency(self) -> Json:
        """Seconds from a value's source time to its patch: {"p50", "p99"}, {} while none was sent."""
        p50, p99 = self._ring.percentile(50), self._ring.percentile(99)
        return {} if p50 is None or p99 is None else {"p50": round(p50, 3), "p99": round(p99, 3)}

    @property
    def readers(self) -> int:
        return sum(len(c.readers) for c in self._channels.values())

    # ---------------------------------------------------------------- the runner
    async def run(self) -> None:
        """Until cancelled. Raises only when the record cannot be read at the start."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(SAMPLES, self._take_batch))
            group.create_task(self._listen(EVENTS, self._take_hint))
            await self._warm_start()
            group.create_task(self._follow(self._urgent))
            group.create_task(self._follow(self._rest))
            for task in (self._pump, self._beat, self._reckon, self._heal, self._poll):
                group.create_task(task())

    async def _warm_start(self) -> None:
        await self._record.read(URGENT | REST)
        await self._record.reckon()
        await self._ask_store(heard=False)
        self._moved = True
        self._look()
        self.flush()
        self.ready.set()

    def flush(self) -> None:
        """Build, cut, encode and hand out what has changed since the last time."""
        now = self.clock.now()
        moved, self._moved = self._moved, False
        if moved:
            heard = self._sources
            facts = replace(self._record.facts, health=self._told, feeds=heard.machines, tellers=heard.states)
            self._board = build(self._plant, facts, now)
        fragment, ages = self._live.changes(micros(now))
        for scopes, channel in self._channels.items():
            channel.show(cut(self._board, scopes) if moved else None, self._live.board, fragment)
        if len(ages):
            self._ring.add(ages)
            metrics.sensor_to_screen(min(ages))

    def _channel(self, scopes: frozenset[str]) -> Channel:
        channel = Channel(visible_machines(self._plant, scopes), self.clock)
        channel.show(cut(self._board, scopes), self._live.board, {})
        return channel

    # ---------------------------------------------------------------- what comes in
    async def _listen(self, topic: str, take: Callable[[bytes], None]) -> None:
        """For ever: a bus that is away is tried again, and the store is asked meanwhile."""
        while True:
            try:
                if topic == SAMPLES:
                    self._listens_since = self.clock.monotonic()
                async for body in self._bus.listen(topic):
                    self._away.discard("bus")
                    take(body)
            except _AWAY as cause:
                self._away.add("bus")
                log.warning("feed.bus_away", topic=topic, error=str(cause))
            await self.clock.sleep(BEAT)

    def _take_batch(self, body: bytes) -> None:
        try:
            batch = SampleBatch.from_bytes(body)
        except ValueError as cause:
            log.warning("feed.not_a_batch", error=str(cause))
            return
        self._heard_at = self.clock.monotonic()
        if self._sources.take(batch):
            self._moved = True
        if self._live.take(batch, micros(self.clock.now())):
            self._dirty.set()

    def _take_hint(self, body: bytes) -> None:
        try:
            hint = orjson.loads(body)
            kind = hint.get("kind") if isinstance(hint, dict) else None
        except ValueError:
            kind = None
        if kind == "source":
            self._look()
            self._dirty.set()
        elif kind == "count":
            self._rest.later.add("count")  # with the next beat
        elif kind == "past":
            self._record.past_retold()
            self._rest.want(REST)
        else:
            for wish in self._wishes:
                wish.want({kind} & wish.kinds if kind in URGENT | REST else wish.kinds)

    # ---------------------------------------------------------------- what goes out
    async def _follow(self, wish: _Wish) -> None:
        """Reads what hints name; hints that come during a reading are one reading together."""
        while True:
            kinds = await wish.next()
            wish.began = self.clock.monotonic()
            try:
                await self._record.read(kinds)
                if kinds >= REST:
                    await self._record.rake()
                self._away.discard("record")
            except _AWAY as cause:
                self._away.add("record")
                log.warning("feed.record_away", error=str(cause))
                wish.want(kinds)
                await self.clock.sleep(BEAT)
                continue
            finally:
                wish.began = None
            self._moved = True
            if wish is self._urgent:
                self.flush()
            else:
                self._dirty.set()
            await self.clock.sleep(URGENT_PACE)

    async def _pump(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            self.flush()
            await self.clock.sleep(PACE)

    async def _beat(self) -> None:
        while True:
            await self.clock.sleep(BEAT)
            self._rest.want(self._rest.later)
            self._look()
            self.flush()
            for channel in self._channels.values():
                channel.beat()
                for reader in [r for r in channel.readers if r.is_stuck()]:
                    log.warning("feed.reader_let_go", skipped=reader.skipped)
                    reader.close()

    async def _reckon(self) -> None:
        while True:
            await self.clock.sleep(RECKON)
            await self._record.reckon()
            self._moved = True
            self._dirty.set()

    async def _heal(self) -> None:
        while True:
            await self.clock.sleep(HEAL)
            self._urgent.want(URGENT)
            self._rest.want(REST)

    async def _poll(self) -> None:
        """A tag that changed while nobody here listened may not change again for hours."""
        while True:
            await self.clock.sleep(DEAF)
            now = self.clock.monotonic()
            if now - self._heard_at >= DEAF:
                await self._ask_store(heard=True)
            elif now - self._listens_since < CATCH_UP + DEAF:
                await self._ask_store(heard=False)

    def _look(self) -> None:
        """Health as it is now; a board with the same health is not built again."""
        health = dict(self._health())
        down = {*health.get("parts_down", ()), *self._away}
        if any(w.began is not None and self.clock.monotonic() - w.began >= HANGS for w in self._wishes):
            down.add("record")
        health |= {"latency": self.latency(), "parts_down": sorted(down)}
        if health != self._told:
            self._told, self._moved = health, True

    async def _ask_store(self, *, heard: bool) -> None:
        """The newest values on record: at the start and a while after, and while nothing can be heard on the
        bus."""
        try:
            batch = await self._samples.newest(self._live.numbers)
        except _AWAY as cause:
            log.warning("feed.samples_away", error=str(cause))
            return
        if self._live.take(batch, micros(self.clock.now()), heard=heard):
            self._dirty.set()
