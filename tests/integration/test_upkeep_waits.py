"""Upkeep waits for nobody's long transaction, and one thing that fails keeps nothing else from being done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from hub.model.batch import SampleBatch
from hub.store.migrate import migrate
from hub.store.partitions import make_ahead
from hub.store.pool import open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_classes import TagClass
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import NOON, HandClock

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


@pytest.mark.parametrize("later", [DAY, 5 * DAY], ids=["the next partition", "old samples"])
async def test_a_backup_that_reads_for_hours_holds_up_neither_upkeep_nor_writers(
    any_dsn: str, later: timedelta
) -> None:
    pool = await open_pool(any_dsn)
    samples, upkeep = PgSampleStore(pool), Upkeep(pool, HandClock(), Keep(raw=2 * DAY))
    await samples.write([SampleBatch.at([1], NOON - timedelta(hours=2), [1.0])])
    await upkeep.round(NOON)
    async with await psycopg.AsyncConnection.connect(any_dsn) as backup:
        await backup.execute("set transaction isolation level repeatable read, read only")
        await backup.execute("select count(*) from samples")
        async with asyncio.timeout(30):
            await upkeep.round(NOON + later)
            assert await samples.write([SampleBatch.at([1], NOON + later, [2.0])]) == 1
            assert [float(v) for v in (await samples.newest([1])).values] == [2.0]
    await upkeep.round(NOON + later + timedelta(minutes=1))  # the very next one has done what was left
    left = [float(v) for v in (await samples.since([1], NOON - DAY)).values]
    assert left == ([1.0, 2.0] if later == DAY else [2.0])
    await pool.close()


async def test_whoever_makes_a_partition_and_a_writer_that_is_half_way_wait_in_one_order(dsn: str) -> None:
    """The writer has read what is on record, strays too; then it stores. Neither is ended as a deadlock."""
    pool = await open_pool(dsn)
    samples, insert = PgSampleStore(pool), PgSampleStore._insert

    async def make() -> list[str]:
        async with pool.connection() as connection:
            return await make_ahead(connection, now=NOON)

    async def after_the_maker_has_begun(self: PgSampleStore, *args: Any) -> None:
        making.append(asyncio.create_task(make()))
        async with pool.connection() as connection:
            while not (await (await connection.execute(WAITING)).fetchone() or {})["n"]:
                await asyncio.sleep(0)
        await insert(self, *args)

    making: list[asyncio.Task[list[str]]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PgSampleStore, "_insert", after_the_maker_has_begun)
        async with asyncio.timeout(30):
            assert await samples.write([SampleBatch.at([1], NOON, [1.0])]) == 1
            assert len(await making[0]) == 2
    await pool.close()


WAITING = """
select count(*) as n from pg_locks
where not granted and database = (select oid from pg_database where datname = current_database())
"""


async def test_a_class_of_tags_goes_while_somebody_reads_and_keeps_nobody_from_the_days_it_leaves(
    any_dsn: str,
) -> None:
    """A day that is written anew is locked until that is done, and whoever asks for the newest sample of a
    tag waits for it: its dead rows are made free, and it stays the file it is."""
    pool = await open_pool(any_dsn)
    async with pool.connection() as connection:
        await connection.execute("insert into tags (path) values ('short'), ('long')")
    samples, day, keep = PgSampleStore(pool), NOON - 4 * DAY, Keep(raw=30 * DAY)
    await Upkeep(pool, HandClock(), keep).round(day)
    await samples.write([SampleBatch.at([1, 2], day + timedelta(minutes=n), [1.0, 1.0]) for n in range(60)])
    await Upkeep(pool, HandClock(), keep).round(NOON)
    async with pool.connection() as connection:
        before = await (await connection.execute(FILES)).fetchall()
    short = replace(keep, classes=(TagClass(frozenset([1]), 2 * DAY),))
    async with await psycopg.AsyncConnection.connect(any_dsn) as reader:
        await reader.execute("select count(*) from samples")
        async with asyncio.timeout(30):
            await Upkeep(pool, HandClock(), short).round(NOON)
    async with pool.connection() as connection:
        after = await (await connection.execute(FILES)).fetchall()
        gone = await (await connection.execute(GONE)).fetchall()
    assert [(row["name"], row["file"]) for row in after] == [(row["name"], row["file"]) for row in before]
    assert [row["rows"] for row in after] == [60], "it was looked through"
    assert [(row["tag"], row["done"]) for row in gone] == [(1, True)]
    await pool.close()


async def test_a_class_of_tags_goes_from_compressed_chunks_whatever_may_be_decompressed_at_once(
    community_dsn: str,
) -> None:
    await migrate(community_dsn)
    pool = await open_pool(community_dsn, max_size=1)
    async with pool.connection() as connection:
        await connection.execute("set timescaledb.max_tuples_decompressed_per_dml_transaction = 100")
        await connection.execute("insert into tags (path) select 't' || n from generate_series(1, 3) n")
        await connection.execute(WEEK, [NOON - 6 * DAY, NOON])
    await Upkeep(pool, HandClock(), Keep(raw=30 * DAY)).round(NOON)
    short = Keep(raw=30 * DAY, classes=(TagClass(frozenset([1, 2]), 3 * DAY),))
    done = await Upkeep(pool, HandClock(), short).round(NOON)
    assert done["edition"] == "community"
    async with pool.connection() as connection:
        found = await (await connection.execute(FIRST_DAYS)).fetchall()
    assert [(row["tag"], (NOON - row["first"]).days) for row in found] == [(1, 3), (2, 3), (3, 6)]
    await pool.close()


WEEK = """
insert into samples (ts, tag, value, status)
select ts, tag, 1, 0 from generate_series(%s::timestamptz, %s::timestamptz, interval '5 minutes') ts,
    generate_series(1, 3) tag
"""
FILES = """
select distinct c.relname as name, c.relfilenode as file, c.reltuples::integer as rows
from samples s join pg_class c on c.oid = s.tableoid
"""
GONE = "select tag, gone is not distinct from since as done from tag_horizons"
FIRST_DAYS = "select tag, min(ts) as first from samples group by tag order by tag"
