"""A collector far from the hub begins while database and bus are away, and comes into its own later."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from hub.app import App
from hub.bus.redis_streams import RedisBus
from hub.bus.spooled import SpooledBus
from hub.clock import SystemClock
from hub.errors import Transient
from hub.house import GROUPS
from hub.plan import parts_of
from hub.postgres import EmbeddedPostgres
from hub.settings import load
from hub.store.migrate import migrate
from hub.store.pool import open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_table import TagTable
from hub.store.writer import Writer
from hub.supervisor import Supervisor
from tests.conftest import database
from tests.ports import free_port
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
async def edge(config: Path, told: list[str] | None = None) -> AsyncIterator[App]:
    told = told if told is not None else []
    app = App(
        load(config),
        parts_of(["collectors"]),
        say=lambda _, text: (told if told is not None else []).append(text),
    )
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
        await migrate(dsn)
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


async def test_tags_that_are_new_while_the_database_is_away_are_on_record_under_their_own_names() -> None:
    """Nobody there could give them numbers. Another tag has taken each number that the edges chose themselves
    by then, the two edges chose the same ones for different tags, and a third life knows others."""
    with tempfile.TemporaryDirectory(prefix="andon-edge-") as name, valkey() as redis:
        folder = Path(name)
        folder.chmod(0o711)
        server, config = EmbeddedPostgres(folder / "pg"), folder / "plant.yaml"
        dsn = await server.start()
        await migrate(dsn)

        @asynccontextmanager
        async def life(data: str, batches: int, *tags: str) -> AsyncIterator[SpooledBus]:
            """Its source is lost: that is one sample of each tag. `batches` have been taken by then."""
            words = {"data": folder / data, "database": dsn, "redis": redis.url}
            config.write_text(with_tags(*tags).format(**words), encoding="utf-8")
            async with edge(config) as app:
                spooled = app._spooled
                assert spooled is not None
                await until(lambda: spooled._spool.last >= batches)
                yield spooled

        try:
            async with life("one", 1, "t"):
                pass
            await server.stop()
            async with life("one", 2, "t", "u", "v"), life("two", 1, "v", "w"):
                pass
            await server.start()
            await number(dsn, "else/a", "else/b", "else/c", "else/d")
            await server.stop()
            async with life("one", 3, "w", "t", "x") as first, life("two", 2, "w") as second:
                redis.start()
                await server.start()
                async with hub(dsn, redis.url):
                    await until(lambda: first.detail()["spool_bytes"] == second.detail()["spool_bytes"] == 0)
            async with life("one", 1, "w", "t", "x") as third, hub(dsn, redis.url):  # all is well again
                await until(lambda: third.detail()["spool_bytes"] == 0)
            assert samples_of(dsn) == {"t": 4, "u": 1, "v": 2, "w": 4, "x": 2}
        finally:
            await server.stop()


def with_tags(*names: str) -> str:
    tags = ", ".join(f"{name}: {{{{name: T}}}}" for name in names)
    points = ", ".join(f"{{{{tag: p1/a/l/m/{name}, address: {i}}}}}" for i, name in enumerate(names))
    return PLANT.replace("t: {{name: T}}", tags).replace("{{tag: p1/a/l/m/t, address: 0}}", points)


async def number(dsn: str, *paths: str) -> None:
    pool = await open_pool(dsn, max_size=1)
    await TagTable(pool).number(paths)
    await pool.close()


def samples_of(dsn: str) -> dict[str, int]:
    query = "select path, count(*) from samples join tags on number = tag group by 1"
    with psycopg.connect(dsn) as connection:
        return {str(path).rpartition("/")[2]: int(n) for path, n in connection.execute(query)}


async def test_an_edge_that_has_never_met_the_database_begins_all_the_same(tmp_path: Path) -> None:
    config = tmp_path / "plant.yaml"
    words = {"data": tmp_path, "database": "postgresql://127.0.0.1:1/x", "redis": "redis://127.0.0.1:1"}
    config.write_text(PLANT.format(**words), encoding="utf-8")
    async with edge(config) as app:
        await until(lambda: app._spooled is not None and app._spooled.detail()["spool_bytes"] > 0)


async def test_a_hub_does_not_begin_without_its_database(tmp_path: Path) -> None:
    config = tmp_path / "plant.yaml"
    words = {"data": tmp_path, "database": "postgresql://127.0.0.1:1/x", "redis": "redis://127.0.0.1:1"}
    config.write_text(PLANT.format(**words), encoding="utf-8")
    with pytest.raises(Transient, match=r"hub\.database: .*is the server on"):
        await App(load(config), parts_of(["collectors", "writer"]), say=lambda part, text: None).run()


NEWER = "insert into schema_migrations (name, checksum) values ('9999_of_tomorrow', 'x')"
OLDER = "drop table sample_gaps; delete from schema_migrations where name >= '0024'"


@pytest.mark.parametrize(("schema", "said"), [(NEWER, "newer release"), (OLDER, "earlier release")])
async def test_an_edge_of_another_release_than_the_hub_works_and_leaves_the_schema_alone(
    tmp_path: Path, dsn: str, schema: str, said: str
) -> None:
    config, told = tmp_path / "plant.yaml", list[str]()
    with psycopg.connect(dsn, autocommit=True) as connection, valkey() as redis:
        redis.start()
        connection.execute(schema.encode())
        before = connection.execute("select name from schema_migrations order by 1").fetchall()
        words = {"data": tmp_path, "database": dsn, "redis": redis.url}
        config.write_text(PLANT.format(**words), encoding="utf-8")
        async with edge(config, told) as app, hub(dsn, redis.url):
            spooled = app._spooled
            assert spooled is not None
            await until(lambda: spooled._on_record > 0)
        assert connection.execute("select name from schema_migrations order by 1").fetchall() == before
    assert any(said in line for line in told)


async def test_an_edge_makes_no_tables_and_comes_into_its_own_when_the_hub_has_made_them(
    tmp_path: Path, embedded_server: str
) -> None:
    with database(embedded_server, "template0") as dsn, valkey() as redis:
        redis.start()
        config = tmp_path / "plant.yaml"
        words = {"data": tmp_path, "database": dsn, "redis": redis.url}
        config.write_text(PLANT.format(**words), encoding="utf-8")
        async with edge(config) as app:
            spooled = app._spooled
            assert spooled is not None
            await until(lambda: spooled.detail()["spool_bytes"] > 0)
            with psycopg.connect(dsn) as connection:
                assert connection.execute("select to_regclass('tags')").fetchone() == (None,)
            await migrate(dsn)
            async with hub(dsn, redis.url):
                await until(lambda: spooled._on_record > 0)


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


@pytest.mark.parametrize("parts", ["collectors", "all"])
async def test_a_start_without_redis_is_told_and_names_what_is_missing(
    tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch, parts: str
) -> None:
    monkeypatch.setattr("hub.app.OUTSIDE_PATIENCE", 1.0)
    config = tmp_path / "plant.yaml"
    words = {"data": tmp_path, "database": dsn, "redis": "redis://127.0.0.1:1"}
    text = PLANT.format(**words).replace("hub: {", f"hub: {{port: {free_port()}, ")
    config.write_text(text, encoding="utf-8")
    app = App(load(config), parts_of([parts]), say=lambda part, text: None)
    running = asyncio.create_task(app.run())
    try:
        await until(lambda: running.done() or app.ready.is_set())
        health = app.vitals.health()
        assert (health["status"], running.done()) == ("degraded", False)
        missing = {name for name, up in health["parts"].items() if not up}
        assert missing & {"spool", "writer", "roll", "feed", "bus"}
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
