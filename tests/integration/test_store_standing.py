"""What stood before a source was read anew is on record once, whoever tells it again."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from hub.model.batch import SampleBatch, join
from hub.model.sample import UNCERTAIN
from hub.store import standing_rows
from hub.store.minutes import Minutes
from hub.store.pool import Connection, Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_classes import TagClass
from hub.store.tag_table import TagTable
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import HandClock
from tests.integration.test_store_samples import NAN, at, level, one, rows_of

pytestmark = pytest.mark.anyio
SET, SPEED = 1, 2  # a set point that nobody has touched since the first second, and what moves


@pytest.fixture
async def pool(any_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(any_dsn)
    yield pool
    await pool.close()


@pytest.fixture(params=["copy", "insert"])
def either(pool: Pool, request: pytest.FixtureRequest) -> PgSampleStore:
    return PgSampleStore(pool, copy=request.param == "copy")


def read_anew(seconds: float) -> SampleBatch:
    """What a collector is told when it begins: what stands with its own time, and what is now."""
    return join([one(SET, at(1), 40.0), one(SPEED, at(seconds), seconds)])


async def test_the_same_writer_leaves_it_out(either: PgSampleStore) -> None:
    for seconds in (5, 60, 600):
        await either.write([read_anew(seconds)])
    assert rows_of(await either.since([SET], at(0))) == rows_of(one(SET, at(1), 40.0))
    assert len(await either.since([SPEED], at(0))) == 3


async def test_so_does_the_next_one_and_one_that_another_has_stood_in_for(
    either: PgSampleStore, pool: Pool
) -> None:
    await either.origins()
    assert await either.write([read_anew(5)]) == 2
    other = PgSampleStore(pool)
    assert await other.write([read_anew(60)]) == 1
    assert await other.write([one(SET, at(70), 41.0)]) == 1
    await either.origins()  # on duty again
    assert await either.write([one(SET, at(70), 41.0), one(SPEED, at(80), 80)]) == 1
    assert len(await either.since([SET, SPEED], at(0))) == 5


async def test_what_differs_at_all_is_told(either: PgSampleStore) -> None:
    known = one(SET, at(1), 40.0)
    others = [one(SET, at(1), 41.0), one(SET, at(1), 40.0, UNCERTAIN), one(SET, at(0.999999), 40.0)]
    assert await either.write([known]) == 1
    assert await either.write([known, *others, one(SET, at(2), NAN)]) == 4
    assert await either.write([one(SET, at(2), NAN), *others]) == 0
    assert len(await either.since([SET], at(0))) == 5


async def test_only_what_lies_no_later_than_the_newest_is_looked_for(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = standing_rows._found

    async def counted(
        connection: Connection, rows: SampleBatch, doubtful: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        looks.append(len(doubtful))
        return await look(connection, rows, doubtful)

    monkeypatch.setattr(standing_rows, "_found", counted)
    samples = PgSampleStore(pool)
    for second in (1, 2, 3600):
        assert await samples.write([one(SPEED, at(second), second)]) == 1
    assert looks == [], "what streams costs nothing"
    assert await samples.write([one(SPEED, at(second), second) for second in (100, 101)]) == 2
    await samples.origins()
    assert await samples.write([one(SPEED, at(second), second) for second in (50, 3601)]) == 2
    assert looks == [2, 1], "a clock that was set back, and so it is for the next writer"


async def test_a_look_needs_the_days_alone_that_are_asked_for_however_often_it_is_taken(pool: Pool) -> None:
    """Else it waits for whoever has a lock on a day of long ago."""
    for day in (0, 3):
        await Upkeep(pool, HandClock()).round(at(hours=24 * day))
        await PgSampleStore(pool).write([one(SPEED, at(hours=24 * day), 1.0)])
    asked = SampleBatch.at(np.full(2_000, SPEED), at(hours=24 * 3), np.arange(2_000.0))
    async with pool.connection() as connection:
        lie = await (await connection.execute(PARTS)).fetchall()
        for _ in range(12):
            async with connection.transaction():
                found = await standing_rows._found(connection, asked, np.arange(len(asked)))
                locked = {row["relation"] for row in await (await connection.execute(LOCKED)).fetchall()}
            assert found.tolist() == [1]
            assert [row["part"] in locked for row in lie] == [False, True]


PARTS = "select tableoid::integer as part from samples order by ts"
LOCKED = "select relation::integer from pg_locks where pid = pg_backend_pid() and relation is not null"


@pytest.mark.parametrize("how", ["shuffled", "all of it again", "one by one, late"])
async def test_a_source_may_tell_twice_and_in_any_order(pool: Pool, how: str) -> None:
    """Fault F15: a store that is flushed again, messages that overtake one another, and a writer that is
    another one half way."""
    chance, samples = random.Random(15), PgSampleStore(pool)
    once = [(tag, second) for second in range(400) for tag in (SET, SPEED, 3)]
    told = once + {"shuffled": chance.sample(once, 300), "all of it again": once}.get(how, [])
    if how == "shuffled":
        chance.shuffle(told)
    elif how == "one by one, late":
        told = [row for n, new in enumerate(once) for row in (new, once[chance.randrange(n + 1)])]
    for start in range(0, len(told), 50):
        if start == len(told) // 100 * 50:
            await samples.origins()
        tags, seconds = (np.array(column) for column in zip(*told[start : start + 50], strict=True))
        rows = SampleBatch.at(tags, at(0), seconds.astype(float))
        await samples.write([replace(rows, source_times=rows.source_times + seconds * 1_000_000)])
    stored = await samples.since([SET, SPEED, 3], at(0))
    assert len(stored) == len(once)
    assert {(t, round(v)) for t, v in zip(stored.tags.tolist(), stored.values, strict=True)} == set(once)


async def test_a_replay_is_stored_and_what_stood_in_it_is_not(either: PgSampleStore) -> None:
    await either.write([read_anew(3600)])
    for second in (3000, 3001):
        assert await either.write([replace(read_anew(second), historical=True)]) == 1
    several = [replace(read_anew(second), historical=True) for second in (3001, 3002, 3003)]
    assert await either.write(several) == 2, "several copies of what stands, and one moment known already"


async def test_it_may_come_behind_something_new_when_a_writer_begins(either: PgSampleStore) -> None:
    await either.write([read_anew(5)])
    await either.origins()
    assert await either.write([one(SET, at(8), NAN), read_anew(9)]) == 2, "lost, and then read anew"


async def test_it_may_be_told_again_after_something_of_before_it_came_late(either: PgSampleStore) -> None:
    await either.write([one(SET, at(100), 40.0)])
    assert await either.write([one(SET, at(50), 39.0)]) == 1
    assert await either.write([one(SET, at(100), 40.0)]) == 0
    assert await either.write([one(SET, at(100), 41.0), one(SET, at(101), 42.0)]) == 2


async def test_two_lives_of_a_collector_may_come_in_one_write(either: PgSampleStore) -> None:
    lives = [read_anew(5), one(SET, at(7), NAN), read_anew(9), one(SET, at(7), NAN)]
    assert await either.write(lives) == 4
    assert await either.write([one(SPEED, at(10), 10)]) == 1
    assert len(await either.since([SET], at(0))) == 2


@pytest.mark.parametrize("of", ["all", "a class"])
async def test_what_stands_for_longer_than_raw_samples_are_kept_is_counted_once(pool: Pool, of: str) -> None:
    """Each collector that begins tells the set point of a week ago; a late one of another time is news."""
    await TagTable(pool).number(["p1/a/set", "p1/a/speed"])
    short = TagClass(frozenset([SET]), timedelta(days=1))
    keep = {"all": Keep(raw=timedelta(days=1)), "a class": Keep(raw=timedelta(days=30), classes=(short,))}[of]
    samples, upkeep = PgSampleStore(pool), Upkeep(pool, HandClock(), keep)
    for day in (0, 4, 5, 6):
        await samples.origins()
        told = 2 if day == 0 else 1
        assert await samples.write([read_anew(day * 86_400 + 60)]) == told
        await upkeep.round(at(hours=24 * day, minutes=5))
        assert await samples.write([read_anew(day * 86_400 + 600)]) == 1
        for minutes in (61, 62):
            await upkeep.round(at(hours=24 * day, minutes=minutes))
    assert await samples.write([one(SET, at(2), 40.0)]) == 1
    assert [row[1:4] for row in await level(pool, "1m") if row[1] == SET] == [(SET, 2, 80.0)]


async def test_roll_ups_count_it_once(pool: Pool) -> None:
    minutes, samples = Minutes(), PgSampleStore(pool)
    samples.sum_up(minutes)
    for seconds in (5, 20, 30):
        await samples.write([read_anew(seconds)])
    await Upkeep(pool, HandClock(), minutes=minutes).round(at(minutes=2))
    assert [row[1:4] for row in await level(pool, "1m")] == [(SET, 1, 40.0), (SPEED, 3, 55.0)]
