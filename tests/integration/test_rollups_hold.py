"""Whatever happens to writers, rollers and clocks, roll-ups say what all samples ever stored come to."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from hub.model.batch import SampleBatch, micros
from hub.store.migrate import migrate
from hub.store.minutes import Minutes
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_classes import TagClass
from hub.store.tag_table import TagTable
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import HandClock

pytestmark = pytest.mark.anyio

DAWN = datetime(2026, 1, 5, tzinfo=UTC)
EVENING, MORNING = DAWN.replace(hour=20), DAWN.replace(day=6, hour=6)
HOUR = timedelta(hours=1)
LEVELS = {"1m": timedelta(minutes=1), "1h": HOUR, "1d": 24 * HOUR}
KEEP = Keep(raw=3 * HOUR, classes=(TagClass(frozenset([1]), HOUR),))
Said = dict[tuple[int, datetime], tuple[int, float, float, float]]


@pytest.fixture
async def pool(any_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(any_dsn)
    yield pool
    await pool.close()


class Hub:
    """A process that stores and rolls; several may be on one record. With `memory` it adds minutes up."""

    def __init__(self, pool: Pool, now: datetime, keep: Keep, *, memory: bool) -> None:
        minutes = Minutes(micros(now)) if memory else None
        self.samples = PgSampleStore(pool, copy=pool.max_size > 1)
        if minutes is not None:
            self.samples.sum_up(minutes)
        self.upkeep = Upkeep(pool, HandClock(), keep, minutes)


class Plant:
    """Time goes by in short steps, clocks jump, and all that was ever stored is known."""

    def __init__(self, pool: Pool, seed: int, keep: Keep = KEEP) -> None:
        self._pool, self._draw, self._keep = pool, random.Random(seed), keep
        self.now, self._off = EVENING, timedelta()
        self._hubs = [Hub(pool, self.now, keep, memory=memory) for memory in (True, False)]
        self._stored: list[tuple[int, datetime, float]] = []

    async def goes_on(self) -> str:
        self.now += timedelta(seconds=self._draw.choice((2, 7, 15, 30, 900)))
        happens = self._draw.choices(
            (self._in_time, self._late, self._ahead, self._jumps, self._begins_anew, self._rolls),
            (14, 4, 1, 1, 1, 5),
        )[0]
        await happens()
        return happens.__name__

    async def _in_time(self) -> None:
        await self._store(self.now + self._off)

    async def _late(self) -> None:
        await self._store(self.now - self._draw.random() * 6 * HOUR)

    async def _ahead(self) -> None:
        await self._store(self.now + self._draw.random() * HOUR)

    async def _jumps(self) -> None:
        self._off = self._draw.choice((-1, 0, 0, 1)) * HOUR

    async def _begins_anew(self) -> None:
        self._hubs[0] = Hub(self._pool, self.now + self._off, self._keep, memory=True)

    async def _rolls(self) -> None:
        await self._draw.choice(self._hubs).upkeep.round(self.now + self._off)
        for name, width in LEVELS.items():
            assert await _level(self._pool, name) == self._come_to(width), name

    async def _store(self, when: datetime) -> None:
        hub = self._draw.choices(self._hubs, (4, 1))[0]
        value = self._draw.randrange(-400, 400) / 4
        batch = SampleBatch.at([1, 2, 3], when, [value, value + 1, float("nan")])
        await hub.samples.write([batch])
        self._stored += [(1, when, value), (2, when, value + 1)]

    def _come_to(self, width: timedelta) -> Said:
        buckets: dict[tuple[int, datetime], list[float]] = defaultdict(list)
        for tag, when, value in self._stored:
            buckets[tag, when - (when - DAWN) % width].append(value)
        return {key: (len(v), sum(v), min(v), max(v)) for key, v in buckets.items()}


async def _level(pool: Pool, name: str) -> Said:
    query = f"select tag, bucket, n, sum, min, max from samples_{name}"
    async with pool.connection() as connection:
        rows = await (await connection.execute(query.encode())).fetchall()
    return {(r["tag"], r["bucket"]): (r["n"], r["sum"], r["min"], r["max"]) for r in rows}


@pytest.mark.parametrize("seed", [0, 1, 5])
async def test_roll_ups_hold(pool: Pool, seed: int) -> None:
    await TagTable(pool).number(["p1/a/short", "p1/a/long", "p1/a/silent"])
    plant, happened = Plant(pool, seed), list[str]()
    while plant.now < MORNING:
        happened.append(await plant.goes_on())
    assert len(set(happened)) == 6
    async with pool.connection() as connection:
        counted = await (await connection.execute("select count(*) as n from minute_rows")).fetchone()
    assert counted is not None
    assert counted["n"] <= 180  # of minutes that have not come yet, and the last ones


@pytest.mark.timescale
async def test_continuous_aggregates_hold_where_nothing_is_let_go(community_dsn: str) -> None:
    await migrate(community_dsn)
    pool = await open_pool(community_dsn, max_size=1)
    plant = Plant(pool, 1, Keep(raw=90 * 24 * HOUR))
    while plant.now < EVENING + 3 * HOUR:
        await plant.goes_on()
    await pool.close()
