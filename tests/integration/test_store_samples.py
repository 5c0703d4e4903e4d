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
from hub.store.minutes import Minutes
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
    for second in range(2):
        assert await either.write([one(1, at(second), 1.0)]) == 1
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


async def test_what_comes_when_raw_has_gone_is_added_to_all_roll_ups_once(
    pool: Pool, samples: PgSampleStore
) -> None:
    await a_morning(samples, 2)
    await upkeep(pool, KEEP_HOURS).round(at(hours=30))
    late = [one(1, at(minutes=5, seconds=1), -1000.0), one(2, at(minutes=5), 4.0), one(1, at(minutes=5), NAN)]
    await samples.write(late, "7-1")
    await samples.write(late, "7-1")
    for _ in range(2):
        await upkeep(pool, KEEP_HOURS).round(at(hours=30, minutes=5))
    minutes = {(tag, bucket): rest for bucket, tag, *rest in await level(pool, "1m")}
    assert minutes[1, at(minutes=5)] == [7, -970.0, -1000.0, 5.0]
    assert minutes[2, at(minutes=5)] == [1, 4.0, 4.0, 4.0]
    assert minutes[1, at(minutes=6)] == [6, 36.0, 6.0, 6.0]
    assert [row[1:3] for row in await level(pool, "1h")] == [(1, 361), (1, 360), (2, 1)]
    assert [(row[1], row[2], row[4]) for row in await level(pool, "1d")] == [(1, 721, -1000.0), (2, 1, 4.0)]


async def test_what_comes_when_minutes_have_gone_is_added_to_hours_and_days(
    pool: Pool, samples: PgSampleStore
) -> None:
    await a_morning(samples, 2)
    await upkeep(pool, KEEP_HOURS).round(at(hours=30))
    await upkeep(pool, KEEP_HOURS).round(at(hours=80))
    assert await level(pool, "1m") == []
    await samples.write([one(1, at(minutes=5), -1000.0)])
    await upkeep(pool, KEEP_HOURS).round(at(hours=80, minutes=5))
    assert await level(pool, "1m") == []
    assert [row[2] for row in await level(pool, "1h")] == [361, 360]
    assert [(row[2], row[4]) for row in await level(pool, "1d")] == [(721, -1000.0)]


async def test_what_comes_late_between_the_roller_and_the_letting_go_is_not_let_go(
    pool: Pool, samples: PgSampleStore
) -> None:
    await a_morning(samples, 2)
    await upkeep(pool).round(at(hours=2))
    await samples.write([one(1, at(minutes=30), 500.0)])
    async with pool.connection() as connection:
        edition = await edition_of(connection)
        await retain(connection, edition, at(hours=30), KEEP_HOURS, HandClock())
    assert (await samples.since([1], DAWN)).values.tolist().count(500.0) == 1
    await upkeep(pool, KEEP_HOURS).round(at(hours=30))
    assert await raw_count(pool) == 0
    assert [row[2] for row in await level(pool, "1h")] == [361, 360]


async def test_a_class_that_lets_go_earlier_has_what_comes_later_in_its_roll_ups(
    pool: Pool, samples: PgSampleStore
) -> None:
    await TagTable(pool).number(["p1/a/fast", "p1/a/slow"])
    await a_week(samples)
    keep = Keep(raw=timedelta(days=6), classes=(TagClass(frozenset([1]), timedelta(days=2)),))
    await upkeep(pool, keep).round(at(hours=24 * 7))
    when = at(hours=24 * 3, seconds=1)
    before = {row[1]: row for row in await level(pool, "1d") if row[0] == at(hours=24 * 3)}
    await samples.write([one(1, when, 900.0), one(2, when, 900.0)])
    await upkeep(pool, keep).round(at(hours=24 * 7, minutes=5))
    after = {row[1]: row for row in await level(pool, "1d") if row[0] == at(hours=24 * 3)}
    assert [after[tag][2] - before[tag][2] for tag in (1, 2)] == [1, 1]
    assert [after[tag][5] for tag in (1, 2)] == [900.0, 900.0]


async def test_a_sample_of_years_ago_does_not_hold_the_first_roll_up(
    pool: Pool, samples: PgSampleStore
) -> None:
    await samples.write([one(1, datetime(2001, 1, 1, tzinfo=UTC), 1.0), one(1, at(), 2.0)])
    done = await upkeep(pool).round(at(hours=1))
    assert done["rolled"] < 60
    assert [(row[0].year, row[3]) for row in await level(pool, "1d")] == [(2001, 1.0), (2026, 2.0)]


async def test_a_sample_of_the_future_does_not_hide_the_present(either: PgSampleStore) -> None:
    await either.write([one(1, DAWN, 1.0), one(1, datetime(2090, 1, 1, tzinfo=UTC), 999.0)])
    await either.write([one(2, datetime(2090, 1, 1, tzinfo=UTC), 5.0)])
    assert sorted((await either.newest([1, 2])).values.tolist()) == [1.0, 5.0]


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
        assert await retain(connection, edition, at(hours=24 * 9), KEEP_HOURS, HandClock()) == 0
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


async def test_a_fine_trend_of_minutes_that_were_let_go_comes_from_hours(
    pool: Pool, samples: PgSampleStore
) -> None:
    await a_morning(samples, 2)
    for hours in (2, 30, 24 * 5, 24 * 5 + 1):
        await upkeep(pool, KEEP_HOURS).round(at(hours=hours))
    morning: Trend = [(at(0), 29.5, 0.0, 59.0), (at(hours=1), 89.5, 60.0, 119.0)]
    assert await samples.trend(1, at(0), at(hours=2), 600) == morning
    assert await samples.trend(1, at(minutes=70), at(minutes=80), 600) == morning[1:]
    assert await samples.trend(1, at(0), at(hours=2), 1) == [(at(0), 59.5, 0.0, 119.0)]


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
    # what comes late finds the class's own samples gone: it is added to its history, the other's is rolled
    await samples.write([SampleBatch.at([1, 2], at(hours=24, seconds=30), [-1.0, -1.0])])
    await upkeep(pool, keep).round(at(hours=24 * 6 + 3))
    then = {(row[0], row[1]): row[2:5] for row in await level(pool, "1m")}
    assert [then[at(hours=24), tag] for tag in (1, 2)] == [(2, -1.0, -1.0), (2, 0.0, -1.0)]
    # and a fine curve of those days comes from minutes, where raw samples are not there
    curve = await samples.trend(1, at(hours=48), at(hours=48, minutes=10), 600)
    assert [row[1] for row in curve] == [float(n) for n in range(10)]


# ---------------------------------------------------------------- minutes that were added up in memory
async def raw_is_different(pool: Pool) -> None:
    """Behind everybody's back: whoever reads the rows once more finds 99."""
    async with pool.connection() as connection:
        await connection.execute("update samples set value = 99 where value <> 'NaN'")


async def test_a_minute_that_was_seen_whole_is_not_read_again(pool: Pool) -> None:
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(10), 4.0), one(2, at(11), NAN), one(1, at(20), 6.0)])
    await samples.write([one(1, at(50), 1.0), one(1, at(70), 8.0)])
    await raw_is_different(pool)
    await Upkeep(pool, HandClock(), minutes=minutes).round(at(minutes=2, seconds=30))
    assert await level(pool, "1m") == [(at(0), 1, 3, 11.0, 1.0, 6.0), (at(60), 1, 1, 8.0, 8.0, 8.0)]


async def test_what_another_process_stored_is_in_the_minute_too(pool: Pool) -> None:
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(10), 4.0)])
    await PgSampleStore(pool).write([one(1, at(20), 6.0)])
    keeper = Upkeep(pool, HandClock(), minutes=minutes)
    await keeper.round(at(minutes=2))
    assert await level(pool, "1m") == [(at(0), 1, 2, 10.0, 4.0, 6.0)]
    await samples.write([one(1, at(30), 7.0), one(1, at(130), 5.0)])  # late, and in time
    await keeper.round(at(minutes=4))
    assert await level(pool, "1m") == [(at(0), 1, 3, 17.0, 4.0, 7.0), (at(120), 1, 1, 5.0, 5.0, 5.0)]


async def test_a_minute_that_was_rolled_without_a_word_is_rolled_again(pool: Pool) -> None:
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(10), 4.0)])
    async with pool.connection() as connection:
        await connection.execute("insert into samples_1m_data values (%s, 1, 9, 9, 9, 9)", [at(0)])
    await Upkeep(pool, HandClock(), minutes=minutes).round(at(minutes=2))
    assert await level(pool, "1m") == [(at(0), 1, 1, 4.0, 4.0, 4.0)]


async def test_after_an_upgrade_minutes_are_read_for_a_day(pool: Pool) -> None:
    async with pool.connection() as connection:  # as the migration leaves a record that has samples
        await connection.execute("update minute_rows_since set since = %s", [at(minutes=1)])
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(10), 4.0), one(1, at(70), 4.0)])
    await raw_is_different(pool)
    keeper = Upkeep(pool, HandClock(), minutes=minutes)
    for now in (at(minutes=1, seconds=30), at(minutes=3)):
        await keeper.round(now)
    assert await level(pool, "1m") == [(at(0), 1, 1, 99.0, 99.0, 99.0), (at(60), 1, 1, 4.0, 4.0, 4.0)]


async def raw_minutes(pool: Pool) -> list[tuple[datetime, int, int, float, float, float]]:
    query = """
        select date_trunc('minute', ts) as bucket, tag, count(*) as n, sum(value) as sum, min(value) as min,
               max(value) as max
        from samples where status < 2147483648 and value <> 'NaN' group by 1, 2 order by 2, 1
    """
    async with pool.connection() as connection:
        return [tuple(row.values()) async for row in await connection.execute(query.encode())]


async def test_a_late_sample_of_ours_does_not_stand_for_one_of_another_process(pool: Pool) -> None:
    """As many rows as were counted, and others: what came late was not counted."""
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(10), 4.0)])
    await PgSampleStore(pool).write([one(2, at(20), 6.0)])
    async with pool.connection() as connection:  # a roller has sealed, and ends before it has rolled
        await connection.execute("update rollup_state set sealed = %s where level = '1m'", [at(minutes=1)])
        await samples.write([one(3, at(30), 7.0)])
        await connection.execute("delete from rollup_dirty")  # it came after the roller had looked
    await Upkeep(pool, HandClock(), minutes=minutes).round(at(minutes=2))
    assert await level(pool, "1m") == await raw_minutes(pool)


async def test_the_minute_in_which_a_process_began_is_read(pool: Pool) -> None:
    """A writer of the release before, to which somebody had gone back for a while, did not count."""
    await PgSampleStore(pool).write([one(1, at(10), 4.0), one(1, at(70), 5.0)])
    async with pool.connection() as connection:
        await connection.execute("delete from minute_rows")
    minutes, samples = Minutes(micros(at(80))), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(minute * 60 + 50), 6.0) for minute in range(3)])
    await Upkeep(pool, HandClock(), minutes=minutes).round(at(minutes=4))
    assert await level(pool, "1m") == await raw_minutes(pool)


async def test_what_comes_while_the_clock_was_set_back_is_rolled(pool: Pool) -> None:
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    keeper = Upkeep(pool, HandClock(), minutes=minutes)
    await samples.write([one(1, at(hours=26, minutes=5), 1.0)])
    await keeper.round(at(hours=26, minutes=30))
    for n in range(3):  # two hours earlier, by this machine's clock and by its sources'
        await samples.write([one(1, at(hours=24, minutes=30 + n), 2.0), one(2, at(hours=26, minutes=n), 3.0)])
        await keeper.round(at(hours=24, minutes=31 + n))
        assert await level(pool, "1m") == await raw_minutes(pool)
        hours = {(row[0], row[1]): row[2] for row in await level(pool, "1h")}
        assert hours == {(at(hours=26), 1): 1, (at(hours=24), 1): n + 1, (at(hours=26), 2): n + 1}
    await keeper.round(at(hours=50))
    assert [row[2] for row in await level(pool, "1d")] == [4, 3]
    async with pool.connection() as connection:
        left = await (await connection.execute("select bucket from minute_rows")).fetchall()
    assert left == []


async def test_a_value_that_stands_for_none_does_not_stop_the_roll_ups(
    pool: Pool, samples: PgSampleStore
) -> None:
    """The greatest number there is, which some devices say when they know none: two of them have no sum."""
    greatest = float(np.finfo(float).max)
    await samples.write([one(1, at(10), greatest), one(1, at(20), greatest), one(2, at(10), 5.0)])
    await samples.write([one(1, at(70), -greatest), one(1, at(80), greatest), one(2, at(70), 5.0)])
    await samples.write([one(1, at(15), 7.0), one(1, at(75), np.inf)])
    assert len(await level(pool, "1m")) == 3
    await upkeep(pool).round(at(hours=25))
    assert [row[2:] for row in await level(pool, "1d") if row[1] == 1] == [(1, 7.0, 7.0, 7.0)]
    assert [row[2:] for row in await level(pool, "1d") if row[1] == 2] == [(2, 10.0, 5.0, 5.0)]
    assert [row[1] for row in await samples.trend(2, at(0), at(60), 60)] == [5.0]
    assert await samples.trend(1, at(0), at(60), 1) == [(at(0), 7.0, 7.0, 7.0)]


async def test_a_write_that_failed_makes_the_memory_of_its_minutes_worthless(pool: Pool) -> None:
    """The database may have gone back to a state without the rows it had said were on record."""
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    await samples.write([one(1, at(10), 4.0)])
    async with pool.connection() as connection:  # as a stand-by that lacks the last commit
        await connection.execute("truncate samples, minute_rows")
        await connection.execute("alter table samples rename to gone")
        with pytest.raises(psycopg.errors.UndefinedTable):
            await samples.write([one(1, at(20), 5.0)])
        await connection.execute("alter table gone rename to samples")
    await PgSampleStore(pool).write([one(1, at(30), 9.0)])
    await Upkeep(pool, HandClock(), minutes=minutes).round(at(minutes=2))
    assert await level(pool, "1m") == await raw_minutes(pool) == [(at(0), 1, 1, 9.0, 9.0, 9.0)]


async def test_a_writer_whose_neighbour_rolls_takes_over(pool: Pool) -> None:
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    other, keeper = upkeep(pool), Upkeep(pool, HandClock(), minutes=minutes)
    for minute in range(12):
        await samples.write([one(1, at(minute * 60 + 10), float(minute)), one(2, at(minute * 60 + 11), NAN)])
        await (other if minute < 6 else keeper).round(at(minute * 60 + 30))
        assert await level(pool, "1m") == await raw_minutes(pool)
    await samples.write([one(1, at(minutes=12, seconds=1), 5.0)])
    await raw_is_different(pool)
    await keeper.round(at(minutes=13, seconds=30))
    assert (await level(pool, "1m"))[-1][3:] == (5.0, 5.0, 5.0)  # from memory again


async def test_how_far_a_sender_is_comes_with_the_databases_name_where_it_has_one(dsn: str) -> None:
    pool = await open_pool(dsn, max_size=1)
    try:
        samples = PgSampleStore(pool)
        await samples.write([one(1, at(1), 5.0)], taken={"press": 7})
        name = await samples.identity()
        assert name and await samples.met("press") == (name, 7)
        assert await samples.met("oven") == (name, 0)
        async with pool.connection() as connection:
            await connection.execute("drop table record_identity")  # an earlier release's
        assert await PgSampleStore(pool).met("press") == ("", 7)
    finally:
        await pool.close()
