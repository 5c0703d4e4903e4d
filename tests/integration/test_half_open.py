"""What stands between the hub and its database passes nothing on any more, and tells nobody (F06, F08)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hub.errors import RecordAway
from hub.model.batch import SampleBatch
from hub.store import half_open
from hub.store.pool import SILENT, WIRE, Pool, borrowed, open_pool
from hub.store.samples import PgSampleStore
from hub.testing.clock import NOON
from tests.simulators.devices import BACK, THERE, Proxy

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
BATCH = SampleBatch.at(range(1, 11), NOON, [1.0] * 10)


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    """In front of the database."""
    parts = conninfo_to_dict(dsn)
    async with Proxy(Path(str(parts["host"]), f".s.PGSQL.{parts.get('port', 5432)}")) as line:
        yield line


@pytest.fixture
async def pool(dsn: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    monkeypatch.setattr(half_open, "LOOK", 0.1)
    monkeypatch.setattr(half_open, "AGAIN", 0.3)
    made = await open_pool(make_conninfo(dsn, host="127.0.0.1", port=proxy.port), max_size=1)
    yield made
    proxy.cut()
    await made.close()


async def rows(dsn: str) -> tuple[int, int]:
    """On record, and how many of them are different."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute("select count(*), count(distinct (ts, tag)) from samples")
        found = await cursor.fetchone()
    assert found is not None
    return found[0], found[1]


def test_whoever_waits_on_half_a_line_is_told_within_ten_seconds() -> None:
    assert 2 * half_open.LOOK + half_open.AGAIN + half_open.ANSWER <= 11
    assert half_open.LOOK + half_open.AGAIN <= 5, "as a rule"
    assert SILENT <= 5, "for the first word of a connection"
    keepalives = WIRE["keepalives_idle"] + WIRE["keepalives_interval"] * WIRE["keepalives_count"]
    assert keepalives <= 11 and WIRE["tcp_user_timeout"] <= 10_000, "for a cable"


@pytest.mark.parametrize("ways", [(THERE,), (BACK,), (THERE, BACK)], ids="-".join)
async def test_half_a_line_is_ended_at_both_ends_and_nothing_is_stored_twice(
    dsn: str, proxy: Proxy, pool: Pool, ways: tuple[str, ...]
) -> None:
    """Lines made from then on are good again. The half that the server has kept holds its locks no longer."""
    store, taken = PgSampleStore(pool), {"edge": 1}
    async with asyncio.timeout(PATIENCE), pool.connection() as connection:
        old = connection.info.backend_pid
    proxy.lose(*ways)
    writing = asyncio.create_task(store.write([BATCH], "1", taken))
    with pytest.raises(RecordAway):
        async with asyncio.timeout(PATIENCE):
            await writing
    async with await psycopg.AsyncConnection.connect(dsn) as connection, asyncio.timeout(PATIENCE):
        while await (
            await connection.execute("select 1 from pg_stat_activity where pid = %s", [old])
        ).fetchone():
            await asyncio.sleep(0.02)
    known = (await rows(dsn))[0]
    async with asyncio.timeout(PATIENCE):
        if await store.reached("edge") < 1:  # as whoever has a spool does
            await store.write([BATCH], "1", taken)
    assert await rows(dsn) == (10, 10)
    assert known in (0, 10)


async def test_a_question_that_takes_long_is_left_in_peace(pool: Pool) -> None:
    async with asyncio.timeout(PATIENCE), borrowed(pool) as connection:
        asked = await connection.execute("select 7 as n from pg_sleep(0.7)")
        assert await asked.fetchone() == {"n": 7}


async def test_a_caller_that_is_slow_itself_is_left_in_peace(pool: Pool) -> None:
    async with asyncio.timeout(PATIENCE), borrowed(pool) as connection, connection.transaction():
        await connection.execute("select 1")
        await asyncio.sleep(0.7)
        assert await (await connection.execute("select 7 as n")).fetchone() == {"n": 7}


async def test_a_database_that_answers_nobody_is_waited_for(pool: Pool, proxy: Proxy) -> None:
    """As one whose disk hangs: what was begun is finished when it moves again."""
    async with asyncio.timeout(PATIENCE), borrowed(pool) as connection:
        proxy.hold()
        asked = asyncio.create_task(connection.execute("select 7 as n"))
        await asyncio.sleep(0.7)
        assert not asked.done()
        proxy.release()
        assert await (await asked).fetchone() == {"n": 7}


async def test_a_copy_that_trickles_is_left_in_peace(pool: Pool, dsn: str) -> None:
    statement = "copy samples (ts, tag, value, status) from stdin"
    async with (
        asyncio.timeout(PATIENCE),
        borrowed(pool) as connection,
        connection.cursor().copy(statement.encode()) as copy,
    ):
        for n in range(35):
            at = (NOON + timedelta(seconds=n)).isoformat()
            await copy.write("".join(f"{at}\t{tag}\t1\t0\n" for tag in range(1, 201)))
            await asyncio.sleep(0.02)
    assert (await rows(dsn))[0] == 7_000
