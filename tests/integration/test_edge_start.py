"""A collector far from the hub begins while database and bus are away, and comes into its own later."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from hub.app import App, parts_of
from hub.bus.redis_streams import RedisBus
from hub.clock import SystemClock
from hub.errors import Transient
from hub.house import GROUPS
from hub.postgres import EmbeddedPostgres
from hub.settings import load
from hub.store.pool import open_pool
from hub.store.samples import PgSampleStore
from hub.store.writer import Writer
from hub.supervisor import Supervisor
from tests.valkey import valkey

pytestmark = pytest.mark.anyio
PATIENCE = 45.0
# Nobody listens on port 1: that the source is lost is what there is to tell.
PLANT = """
plant: {{id: p1, name: 一厂, areas: [{{id: a, name: A, lines: [{{id: l, name: L, machines: [
  {{id: m, name: M, tags: {{t: {{name: T}}}}}}]}}]}}]}}
hub: {{data: {data}, database: "{database}", redis: "{redis}"}}
collectors:
- {{name: plc, kind: modbus, with: {{host: 127.0.0.1, port: 1, points: [{{tag: p1/a/l/m/t, address: 0}}]}}}}
"""


@asynccontextmanager
async def edge(config: Path) -> AsyncIterator[App]:
    app = App(load(config), parts_of(["collectors"]), say=lambda part, text: None)
    running = asyncio.create_task(app.run())
    try:
        await until(lambda: running.done() or app._spooled is not None)
        if running.done():
            running.result()
        yield app
        assert not running.done(), "the edge has ended"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def hub(dsn: str, redis: str) -> AsyncIterator[None]:
    """Its writer."""
    pool, bus = await open_pool(dsn, max_size=1), RedisBus(redis, GROUPS)
    supervisor = Supervisor(SystemClock())
    supervisor.watch("writer", lambda: Writer(bus, PgSampleStore(pool), SystemClock()).run())
    running = asyncio.create_task(supervisor.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
        await pool.close()


def rows(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from samples").fetchone()
    return int(row[0]) if row else 0


async def test_an_edge_begins_without_database_and_redis_and_loses_nothing_of_it() -> None:
    with tempfile.TemporaryDirectory(prefix="andon-edge-") as name, valkey() as redis:
        folder = Path(name)
        folder.chmod(0o711)
        server, config = EmbeddedPostgres(folder / "pg"), folder / "plant.yaml"
        dsn = await server.start()
        try:
            words = {"data": folder / "data", "database": dsn, "redis": redis.url}
            config.write_text(PLANT.format(**words), encoding="utf-8")
            async with edge(config) as first:  # Redis has never been there
                await until(lambda: first._spooled is not None and first._spooled.detail()["spool_bytes"] > 0)
            await server.stop()
            async with edge(config) as then:
                spooled = then._spooled
                assert spooled is not None
                await until(lambda: spooled._spool.last >= 2)  # one of each life at least
                assert (spooled.replayed, rows_or_none(dsn)) == (0, None)
                await server.start()
                redis.start()
                async with hub(dsn, redis.url):
                    await until(lambda: spooled.detail()["spool_bytes"] == 0)
                assert rows(dsn) >= 2
        finally:
            await server.stop()


def rows_or_none(dsn: str) -> int | None:
    try:
        return rows(dsn)
    except psycopg.OperationalError:
        return None


async def test_an_edge_that_has_never_met_the_database_says_that_it_must(tmp_path: Path) -> None:
    """Without it nobody knows what the tags are called there."""
    config = tmp_path / "plant.yaml"
    words = {"data": tmp_path, "database": "postgresql://127.0.0.1:1/x", "redis": "redis://127.0.0.1:1"}
    config.write_text(PLANT.format(**words), encoding="utf-8")
    with pytest.raises(Transient, match=r"hub\.database: .*is the server on"):
        async with edge(config):
            pass


async def test_an_edge_leaves_alone_what_the_hubs_file_has_marked(tmp_path: Path, dsn: str) -> None:
    """Its own file knows nothing of process parameters: that is no word against them."""
    with psycopg.connect(dsn, autocommit=True) as connection, valkey() as redis:
        redis.start()
        config = tmp_path / "plant.yaml"
        words = {"data": tmp_path, "database": dsn, "redis": redis.url}
        config.write_text(PLANT.format(**words), encoding="utf-8")
        async with edge(config):
            connection.execute(MARKED)
        async with edge(config):
            pass
        assert connection.execute("select active from process_parameters").fetchall() == [(True,)]


MARKED = """
insert into process_parameters (tag, equipment, active) select number, 'p1/a/l/m', true from tags
"""
