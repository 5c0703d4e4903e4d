"""The database is replaced at its address while an edge runs: no value is filed under another tag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from hub.bus.of_record import OfRecord
from hub.bus.redis_streams import RedisBus
from hub.bus.spooled import SpooledBus
from hub.clock import SystemClock
from hub.errors import Transient
from hub.house import GROUPS
from hub.model.batch import SampleBatch
from hub.ports import SAMPLES
from hub.store.pool import open_pool
from hub.store.samples import PgSampleStore
from hub.store.writer import Writer
from hub.supervisor import Supervisor
from hub.testing.clock import NOON
from tests.conftest import TEMPLATE, drop, named
from tests.integration.test_edge_start import PLANT, edge, number, rows, samples_of, until
from tests.valkey import valkey

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def hub(dsn: str, redis: str) -> AsyncIterator[OfRecord]:
    """Its writer, as the application puts it together."""
    pool = await open_pool(dsn, max_size=1)
    samples = PgSampleStore(pool)
    record = await samples.identity()
    samples.only_into(record)
    bus = OfRecord(RedisBus(redis, GROUPS), record)
    supervisor = Supervisor(SystemClock())
    supervisor.watch("writer", lambda: Writer(bus, samples, SystemClock()).run())
    running = asyncio.create_task(supervisor.run())
    try:
        yield bus
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
        await pool.close()


async def replaced(server: str, dsn: str) -> str:
    """Renamed away, and one with other tags at the same address. Answers with the old one's name."""
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name}_new template {TEMPLATE}".encode())
        await number(named(server, f"{name}_new"), "else/a", "else/b")
        connection.execute(f"alter database {name} allow_connections false".encode())
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = any (%s)",
            [[name, f"{name}_new"]],
        )
        connection.execute(f"alter database {name} rename to {name}_old".encode())
        connection.execute(f"alter database {name}_new rename to {name}".encode())
    return f"{name}_old"


async def say(way: SpooledBus, tag: int, *seconds: int) -> None:
    for second in seconds:
        batch = SampleBatch.at([tag], NOON + timedelta(seconds=second), [float(second)])
        await way.publish(SAMPLES, batch.to_bytes())


async def test_no_value_is_filed_under_another_tag(tmp_path: Path, embedded_server: str, dsn: str) -> None:
    with valkey() as redis:
        redis.start()
        config = tmp_path / "plant.yaml"
        words = {"data": tmp_path, "database": dsn, "redis": redis.url}
        config.write_text(PLANT.format(**words), encoding="utf-8")
        async with edge(config) as app:
            way, [tag] = app._spooled, app.plant.tags.values()
            assert way is not None
            async with hub(dsn, redis.url):
                await say(way, tag.number, 1, 2, 3)
                await until(lambda: way.detail()["spool_bytes"] == 0)
            before = rows(dsn)
            old = await replaced(embedded_server, dsn)
            try:
                await say(way, tag.number, 11, 12, 13)
                async with hub(dsn, redis.url):
                    await say(way, tag.number, 14, 15)
                    await until(lambda: way.detail()["spool_bytes"] == 0)
            finally:
                drop(embedded_server, old)
    assert before >= 4
    assert samples_of(dsn) == {"t": 5}
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select what from audit where what = 'samples-lost'").fetchall() == []


async def test_a_writer_puts_nothing_into_a_database_that_it_was_not_begun_for(
    embedded_server: str, dsn: str
) -> None:
    pool = await open_pool(dsn, max_size=1)
    samples = PgSampleStore(pool)
    samples.only_into(await samples.identity())
    batch = SampleBatch.at([1], NOON, [1.0])
    await samples.write([batch])
    old = await replaced(embedded_server, dsn)
    try:
        for _ in range(3):
            with pytest.raises(Transient):
                await samples.write([batch])
    finally:
        await pool.close()
        drop(embedded_server, old)
    assert rows(dsn) == 0
