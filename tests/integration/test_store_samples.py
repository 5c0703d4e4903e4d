"""Samples on a real server: in by COPY, out as batches, rolled up, let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest

from hub.model.batch import SampleBatch, micros
from hub.model.sample import BAD_NO_COMMUNICATION, UNCERTAIN
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_classes import TagClass
from hub.store.tag_table import TagTable
from hub.store.upkeep import Keep, Upkeep, edition_of, retain
from hub.testing.clock import HandClock

pytestmark = pytest.mark.anyio

DAWN = datetime(2026, 1, 5, tzinfo=UTC)
NAN = float("nan")
Trend = list[tuple[datetime, float, float, float]]


def at(seconds: float = 0, minutes: float = 0, hours: float = 0) -> datetime:
    return DAWN + timedelta(seconds=seconds, minutes=minutes, hours=hours)


def one(tag: int, when: datetime, value: float, status: int = 0) -> SampleBatch:
    return SampleBatch.at([tag], when, [value], status=status)


def rows_of(batch: SampleBatch) -> list[tuple[int, int, float, int]]:
    columns = (batch.tags, batch.source_times, batch.values, batch.statuses)
    return list(zip(*(c.tolist() for c in columns), strict=True))


@pytest.fixture
async def pool(any_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(any_dsn)
    yield pool
    await pool.close()


@pytest.fixture
def samples(pool: Pool) -> PgSampleStore:
    return PgSampleStore(pool)


@pytest.fixture(params=["copy", "insert"])
def either(pool: Pool, request: pytest.FixtureRequest) -> PgSampleStore:
    """Both ways in and out: COPY, and arrays for servers that have none."""
    return PgSampleStore(pool, copy=request.param == "copy")


# ------------------------------------------------------------------ in and out
async def test_samples_come_back_exactly(either: PgSampleStore) -> None:
    batches = [
        one(1, at(1.000001), 80.5),
        one(2, at(2), NAN, BAD_NO_COMMUNICATION),
        one(1, at(3), -0.1, UNCERTAIN),
    ]
    assert await either.write(batches) == 3
    back = await either.since([1, 2], at(0))
    assert back.source_times.tolist() == [micros(at(1.000001)), micros(at(2)), micros(at(3))]
    assert back.tags.tolist() == [1, 2, 1]
    assert np.array_equal(back.values, [80.5, NAN, -0.1], equal_nan=True)
    assert back.statuses.tolist() == [0, BAD_NO_COMMUNICATION, UNCERTAIN]


async def test_the_newest_of_each_tag_that_has_one(either: PgSampleStore) -> None:
    await either.write([one(1, at(2), 2.0), one(1, at(1), 1.0), one(2, at(hours=-30), 9.0)])
    newest = await either.newest([2, 1, 3])
    assert sorted(rows_of(newest)) == [(1, micros(at(2)), 2.0, 0), (2, micros(at(hours=-30)), 9.0, 0)]
    assert len(await either.newest([])) == 0


async def test_a_window_begins_where_it_was_asked_to(either: PgSampleStore) -> None:
    await either.write([one(1, at(n), n) for n in range(5)])
    assert (await either.since([1], at(3))).values.tolist() == [3.0, 4.0]
    assert len(await either.since([2], at(0))) == 0


async def test_a_broken_clock_does_not_stop_the_others(either: PgSampleStore) -> None:
    broken = SampleBatch(
        np.array([1, 2], np.int32),
        np.array([-5, micros(at(1))], np.int64),
        np.ones(2),
        np.zeros(2, np.uint32),
    )
    assert await either.write([broken]) == 1
    assert (await either.newest([1, 2])).tags.tolist() == [2]


# ------------------------------------------------------------------ repeats
async def test_what_is_on_record_is_left_out_when_it_comes_again(either: PgSampleStore) -> None:
    assert await either.position() == ""
    assert await either.write([one(1, at(1), 1.0)], "1700-9") == 1
    assert await either.write([one(1, at(1), 1.0)], "1700-9") == 0
    assert await either.write([one(1, at(0), 0.0)], "999-0") == 0
    assert await either.position() == "1700-9"
    assert await either.write([one(1, at(2), 2.0)], "1700-10") == 1
    assert (await either.since([1], at(0))).values.tolist() == [1.0, 2.0]


async def test_samples_and_their_position_fall_together(either: PgSampleStore, any_dsn: str) -> None:
    with psycopg.connect(any_dsn, autocommit=True) as connection:
        connection.execute("alter table stream_positions add check (position <> '5-0')")
    with pytest.raises(psycopg.errors.CheckViolation):
        await either.write([one(1, at(1), 1.0)], "5-0")
    assert len(await either.newest([1])) == 0


async def test_without_positions_everything_is_written(either: PgSampleStore) -> None:
    for _ in range(2):
        assert await either.write([one(1, at(1), 1.0)]) == 1
    assert await either.write([]) == 0


# ------------------------------------------------------------------ tags
async def test_a_tag_keeps_its_number_and_no_number_is_lost(pool: Pool) -> None:
    tags = TagTable(pool)
    assert await tags.number(["b", "a"]) == {"b": 1, "a": 2}
    assert await tags.number(["a", "c", "b", "c"]) == {"a": 2, "c": 3, "b": 1}
    assert await tags.number([]) == {}


async def test_hubs_that_number_at_once_agree(pool: Pool) -> None:
    paths = [f"p1/t{n}" for n in range(2000)]
    first, second = await asyncio.gather(TagTable(pool).number(paths), TagTable(pool).number(paths[::-1]))
    assert first == second
    assert set(first.values()) == set(range(1, 2001)), "no number is used up by a race"


# ------------------------------------------------------------------ roll-ups
async def level(pool: Pool, name: str) -> list[tuple[datetime, int, int, float, float, float]]:
    query = f"select bucket, tag, n, sum, min, max from samples_{name} order by tag, bucket"
    async with pool.connection() as connection:
        return [tuple(row.values()) async for row in await connection.execute(query.encode())]


def upkeep(pool: Pool, keep: Keep | None = None) -> Upkeep:
    return Upkeep(pool, HandClock(), keep)


async def a_morning(samples: PgSampleStore, hours: float = 2, tag: int = 1) -> None:
    """A sample every ten seconds; its value is the minute's number."""
    count = int(hours * 360)
    when = micros(DAWN) + np.arange(count) * 10_000_000
    values = (np.arange(count) // 6).astype(float)
    tags, statuses = np.full(count, tag, np.int32), np.zeros(count, np.uint32)
    await samples.write([SampleBatch(tags, when, values, statuses)])


async def test_roll_ups_show_what_was_never_rolled(pool: Pool, samples: PgSampleStore) -> None:
    await samples.write([one(1, at(10), 4.0), one(1, at(20), 6.0), one(1, at(70), 1.0)])
    assert await level(pool, "1m") == [(at(0), 1, 2, 10.0, 4.0, 6.0), (at(60), 1, 1, 1.0, 1.0, 1.0)]
    assert await level(pool, "1h") == [(at(0), 1, 3, 11.0, 1.0, 6.0)]
    assert await level(pool, "1d") == [(at(0), 1, 3, 11.0, 1.0, 6.0)]


async def test_bad_and_missing_values_are_not_rolled_up(pool: Pool, samples: PgSampleStore) -> None:
    await samples.write([one(1, at(1), 4.0), one(1, at(2), 99.0, BAD_NO_COMMUNICATION), one(1, at(3), NAN)])
    await samples.write([one(1, at(4), 6.0, UNCERTAIN), one(2, at(1), NAN)])
    expected = [(at(0), 1, 2, 10.0, 4.0, 6.0)]
    assert await level(pool, "1m") == expected
    await upkeep(pool).round(at(hours=25))
    assert [await level(pool, name) for name in ("1m", "1h", "1d")] == [expected] * 3


async def test_rolling_changes_no_answer(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2.3)
    before = [await level(pool, name) for name in ("1m", "1h", "1d")]
    for hours in (0.5, 1.7, 2.3):
        await upkeep(pool).round(at(hours=hours))
        assert [await level(pool, name) for name in ("1m", "1h", "1d")] == before


async def test_the_open_bucket_goes_on_filling(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 1)
    await upkeep(pool).round(at(hours=1, minutes=5))
    await samples.write([one(1, at(hours=1, minutes=6), 500.0)])
    assert (await level(pool, "1h"))[-1] == (at(hours=1), 1, 1, 500.0, 500.0, 500.0)
    assert [row[2] for row in await level(pool, "1d")] == [361]


async def test_late_data_is_rolled_again(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 3)
    await upkeep(pool).round(at(hours=3))
    await samples.write([one(1, at(hours=1, seconds=5), 1000.0), one(1, at(hours=3, seconds=1), 7.0)])
    await upkeep(pool).round(at(hours=3, minutes=2))
    minutes = {row[0]: row for row in await level(pool, "1m")}
    assert minutes[at(hours=1)][2:] == (7, 1360.0, 60.0, 1000.0)
    hours = {row[0]: row for row in await level(pool, "1h")}
    assert hours[at(hours=1)][2] == 361
    assert hours[at(hours=1)][5] == 1000.0
    async with pool.connection() as connection:
        left = await (await connection.execute("select count(*) as n from rollup_dirty")).fetchone()
    assert left == {"n": 0}


async def test_what_is_not_late_is_not_marked(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 1)
    await upkeep(pool).round(at(hours=1, seconds=30))
    await samples.write([one(1, at(hours=1, seconds=1), 1.0)])
    async with pool.connection() as connection:
        rows = await (await connection.execute("select first, last from rollup_dirty")).fetchall()
    assert rows == []
    await samples.write([one(1, at(minutes=5), 1.0), one(1, at(minutes=7), 1.0), one(1, at(hours=2), 1.0)])
    async with pool.connection() as connection:
        rows = await (await connection.execute("select first, last from rollup_dirty")).fetchall()
    assert rows == [{"first": at(minutes=5), "last": at(minutes=7)}]


async def test_a_second_round_finds_nothing_to_do(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 1)
    first = await upkeep(pool).round(at(hours=1))
    second = await upkeep(pool).round(at(hours=1))
    assert first["rolled"] > 0
    assert second["rolled"] == 0


# ------------------------------------------------------------------ letting go
KEEP_HOURS = Keep(raw=timedelta(hours=3), minutes=timedelta(days=2))


async def raw_count(pool: Pool) -> int:
    async with pool.connection() as connection:
        row = await (await connection.execute("select count(*) as n from samples")).fetchone()
    return int(row["n"]) if row else -1


async def test_letting_raw_samples_go_keeps_their_roll_ups(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    await upkeep(pool).round(at(hours=2))
    minutes, hours = await level(pool, "1m"), await level(pool, "1h")
    await upkeep(pool, KEEP_HOURS).round(at(hours=30))
    assert await raw_count(pool) == 0
    assert await level(pool, "1m") == minutes
    assert await level(pool, "1h") == hours
    assert [row[2] for row in await level(pool, "1d")] == [720]


async def test_data_too_late_to_matter_does_not_erase_history(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    await upkeep(pool, KEEP_HOURS).round(at(hours=30))
    minutes = await level(pool, "1m")
    await samples.write([one(1, at(minutes=5), -1000.0)])
    await upkeep(pool, KEEP_HOURS).round(at(hours=30, minutes=5))
    assert await level(pool, "1m") == minutes
    assert [row[2] for row in await level(pool, "1h")] == [360, 360]


async def test_letting_minutes_go_keeps_hours_and_days(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    for hours in (2, 30, 24 * 5, 24 * 5 + 1):
        await upkeep(pool, KEEP_HOURS).round(at(hours=hours))
    assert await level(pool, "1m") == []
    assert [row[2] for row in await level(pool, "1h")] == [360, 360]
    assert [row[2] for row in await level(pool, "1d")] == [720]


async def test_raw_samples_that_were_never_rolled_are_not_let_go(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    await upkeep(pool, KEEP_HOURS).round(at(hours=24 * 9))
    assert [row[2] for row in await level(pool, "1h")] == [360, 360]


async def test_letting_go_waits_for_the_roller(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    async with pool.connection() as connection:
        edition = await edition_of(connection)
        assert await retain(connection, edition, at(hours=24 * 9), KEEP_HOURS) == 0
    assert await raw_count(pool) == 720


async def test_two_rounds_at_once_are_one(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 1)
    async with pool.connection() as other:
        await other.execute("select pg_advisory_lock(%s)", [0x616E646F6E03])
        assert await upkeep(pool).round(at(hours=1)) == {}
        await other.execute("select pg_advisory_unlock(%s)", [0x616E646F6E03])


async def test_rounds_come_once_a_minute_and_stop_when_asked(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 1)
    clock = HandClock(at(hours=1))
    keeper = Upkeep(pool, clock)
    running = asyncio.create_task(keeper.run())
    for expected in (at(minutes=59), at(hours=1)):
        async with asyncio.timeout(20):
            while await _rolled(pool) < expected or not clock._sleepers:
                await asyncio.sleep(0.01)
        clock.turn(80)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert keeper.detail()["rolled"] >= 0


async def _rolled(pool: Pool) -> datetime:
    async with pool.connection() as connection:
        query = "select rolled from rollup_state where level = '1m'"
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row["rolled"]  # type: ignore[no-any-return]


# ------------------------------------------------------------------ trends
async def test_a_trend_is_the_same_from_raw_and_from_minutes(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    fine = await samples.trend(1, at(0), at(minutes=10), 20)
    assert len(fine) == 20
    assert fine[2] == (at(60), 1.0, 1.0, 1.0)
    coarse = await samples.trend(1, at(0), at(hours=2), 60)
    assert len(coarse) == 60
    assert coarse[0] == (at(0), 0.5, 0.0, 1.0)
    await upkeep(pool).round(at(hours=2, minutes=1))
    assert await samples.trend(1, at(0), at(hours=2), 60) == coarse
    whole = await samples.trend(1, at(0), at(hours=2), 1)
    assert whole == [(at(0), 59.5, 0.0, 119.0)]


async def test_a_fine_trend_of_what_was_let_go_comes_from_minutes(pool: Pool, samples: PgSampleStore) -> None:
    await a_morning(samples, 2)
    await upkeep(pool, KEEP_HOURS).round(at(hours=30))
    trend: Trend = await samples.trend(1, at(0), at(minutes=10), 100)
    assert [t[0] for t in trend] == [at(minutes=n) for n in range(10)]


async def test_a_tag_without_samples_has_an_empty_trend(samples: PgSampleStore) -> None:
    for length in (timedelta(minutes=1), timedelta(days=1), timedelta(days=400)):
        assert await samples.trend(7, at(0), at(0) + length, 100) == []


# ------------------------------------------------------------------ classes of tags
async def a_week(samples: PgSampleStore) -> None:
    """Tags 1 and 2, a sample a minute for an hour of each of seven days."""
    for day in range(7):
        for minute in range(60):
            when = at(hours=24 * day, minutes=minute)
            await samples.write([SampleBatch.at([1, 2], when, [float(minute), 1.0])])


async def days_of(pool: Pool, tag: int) -> list[int]:
    query = "select distinct ts::date - %s::date as day from samples where tag = %s order by 1"
    async with pool.connection() as connection:
        rows = await (await connection.execute(query, [DAWN, tag])).fetchall()
    return [row["day"] for row in rows]


@pytest.mark.parametrize("kept_shorter", ["by its class", "than a class"])
async def test_a_class_of_tags_keeps_its_samples_for_its_own_time_and_all_roll_ups_stay(
    pool: Pool, samples: PgSampleStore, kept_shorter: str
) -> None:
    await TagTable(pool).number(["p1/a/fast", "p1/a/slow"])
    await a_week(samples)
    three, year = timedelta(days=3), timedelta(days=365)
    keep = (
        Keep(raw=year, classes=(TagClass(frozenset({1}), three),))
        if kept_shorter == "by its class"
        else Keep(raw=three, classes=(TagClass(frozenset({2}), year),))
    )
    await upkeep(pool, keep).round(at(hours=24 * 6 + 1))
    minutes, hours = await level(pool, "1m"), await level(pool, "1h")
    await upkeep(pool, keep).round(at(hours=24 * 6 + 2))
    assert (await days_of(pool, 1), await days_of(pool, 2)) == ([3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6])
    assert (await level(pool, "1m"), await level(pool, "1h")) == (minutes, hours)
    assert len(minutes) == 2 * 7 * 60
    # what comes late finds the class's own samples gone: its history stands, the other's is rolled again
    await samples.write([SampleBatch.at([1, 2], at(hours=24, seconds=30), [-1.0, -1.0])])
    await upkeep(pool, keep).round(at(hours=24 * 6 + 3))
    then = {(row[0], row[1]): row[4] for row in await level(pool, "1m")}
    assert (then[at(hours=24), 1], then[at(hours=24), 2]) == (0.0, -1.0)
    # and a fine curve of those days comes from minutes, where raw samples are not there
    curve = await samples.trend(1, at(hours=48), at(hours=48, minutes=10), 600)
    assert [row[1] for row in curve] == [float(n) for n in range(10)]
