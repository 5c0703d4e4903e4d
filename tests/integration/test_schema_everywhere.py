"""One schema for every edition: same names, same answers, forward only."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg import sql

import hub.store
from hub.errors import ConfigError
from hub.model.alarm import AlarmState, Priority
from hub.model.batch import SampleBatch, micros
from hub.model.equipment import EquipmentState
from hub.model.intent import IntentKind
from hub.model.production import JobState
from hub.model.ticket import TicketState
from hub.store.edition import Edition, probe
from hub.store.migrate import FOLDER, migrate
from hub.store.partitions import existing, make_ahead
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_classes import TagClass
from hub.store.tag_table import TagTable
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import HandClock
from tests.conftest import database

pytestmark = pytest.mark.anyio

DAWN = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)])
def any_empty_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    server = {"plain": "embedded_server", "timescale": "timescale_server"}[request.param]
    with database(request.getfixturevalue(server), "template0") as dsn:
        yield dsn


# ------------------------------------------------------------------ migrations
async def test_empty_to_current_and_again_is_nothing(any_empty_dsn: str) -> None:
    first = await migrate(any_empty_dsn)
    numbers = sorted({path.name[:4] for path in FOLDER.glob("*.sql")})
    assert [name[:4] for name in first] == numbers
    assert await migrate(any_empty_dsn) == []


async def test_two_hubs_that_start_at_once_migrate_once(any_empty_dsn: str) -> None:
    done = await asyncio.gather(migrate(any_empty_dsn), migrate(any_empty_dsn))
    assert sorted(map(len, done)) == [0, len({path.name[:4] for path in FOLDER.glob("*.sql")})]


def test_a_migration_killed_half_way_has_not_happened(empty_dsn: str) -> None:
    script = "import asyncio, sys; from hub.store.migrate import migrate; asyncio.run(migrate(sys.argv[1]))"
    killed = subprocess.run(
        [sys.executable, "-c", script, empty_dsn],
        env=os.environ | {"ANDON_FAILPOINTS": "migrate.before_record:exit@2"},
        check=False,
        timeout=60,
    )
    assert killed.returncode == 137
    with psycopg.connect(empty_dsn) as connection:
        done = connection.execute("select name from schema_migrations").fetchall()
        half = connection.execute("select to_regclass('samples') is null").fetchone()
    assert (done, half) == ([("0001_record",)], (True,))
    assert asyncio.run(migrate(empty_dsn))[0] == "0002_samples.plain"


async def test_a_changed_file_is_refused_and_nothing_is_done(empty_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("create table a ();")
    await migrate(empty_dsn, tmp_path)
    (tmp_path / "0001_a.sql").write_text("create table other ();")
    (tmp_path / "0002_b.sql").write_text("create table b ();")
    with pytest.raises(ConfigError, match="0001_a was changed"):
        await migrate(empty_dsn, tmp_path)
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("select to_regclass('b')").fetchone() == (None,)


async def test_a_database_newer_than_the_code_is_refused(dsn: str, tmp_path: Path) -> None:
    for path in sorted(FOLDER.glob("*.sql"))[:1]:
        (tmp_path / path.name).write_text(path.read_text())
    with pytest.raises(ConfigError, match="this release does not know"):
        await migrate(dsn, tmp_path)


async def test_a_server_that_lost_its_extension_is_refused(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("update schema_edition set edition = 'community'")
    with pytest.raises(ConfigError, match="made with the community edition"):
        await migrate(dsn)


async def test_a_database_begun_on_plain_postgresql_stays_plain(timescale_server: str) -> None:
    with database(timescale_server, "template0") as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "create table schema_edition (one boolean primary key default true, edition text)"
            )
            connection.execute("insert into schema_edition (edition) values ('plain')")
        assert "0002_samples.plain" in await migrate(dsn)


test_a_database_begun_on_plain_postgresql_stays_plain = pytest.mark.timescale(
    test_a_database_begun_on_plain_postgresql_stays_plain
)


async def test_the_edition_is_asked_for(any_dsn: str, request: pytest.FixtureRequest) -> None:
    expected = Edition.PLAIN if "plain" in request.node.name else Edition.APACHE
    async with await psycopg.AsyncConnection.connect(any_dsn) as connection:
        assert await probe(connection) is expected


# ------------------------------------------------------------------ words
@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("alarms", AlarmState),
        ("tickets", TicketState),
        ("equipment_states", EquipmentState),
        ("job_responses", JobState),
        ("outbox", IntentKind),
        ("schema_edition", Edition),
    ],
)
def test_the_database_knows_every_word_of_the_model_and_no_other(
    dsn: str, table: str, words: type[Enum]
) -> None:
    query = """
        select pg_get_constraintdef(oid) from pg_constraint
        where conrelid = %s::regclass and contype = 'c' and pg_get_constraintdef(oid) like '%%ANY%%'
    """
    with psycopg.connect(dsn) as connection:
        checks = [set(re.findall(r"'([^']*)'::text", row[0])) for row in connection.execute(query, [table])]
    assert {word.value for word in words} in checks


def test_the_database_knows_every_priority(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint "
            "where conrelid = 'alarms'::regclass and pg_get_constraintdef(oid) like '%priority%'"
        ).fetchone()
    assert row is not None
    bounds = [int(n) for n in re.findall(r"\d+", row[0])]
    assert (min(bounds), max(bounds)) == (min(Priority), max(Priority))


# ------------------------------------------------------------------ statements
def statements() -> list[tuple[str, str]]:
    """Every constant of hub.store that is one SQL statement, with our placeholders numbered."""
    found = []
    for info in pkgutil.iter_modules(hub.store.__path__):
        module = importlib.import_module(f"hub.store.{info.name}")
        for name, value in inspect.getmembers(module):
            texts = value if isinstance(value, dict) and name.isupper() else {name: value}
            for key, statement in texts.items():
                text = as_text(statement)
                if name.isupper() and _STATEMENT.match(text) and not _PATTERN.search(text):
                    found.append((f"{info.name}.{name}.{key}", numbered(text)))
    return found


def as_text(value: object) -> str:
    if isinstance(value, sql.Composed):
        return value.as_string(None)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


_PATTERN = re.compile(r"\{\w+\}")  # names are put in before it is a statement
_STATEMENT = re.compile(r"\s*(with|select|insert|update|delete)\b", re.I)
_TIMESCALE_ONLY = ("upkeep.CHUNK_INTERVAL", "upkeep.TO_COMPRESS", "backup.AGGREGATES",
                   "tag_classes.CHUNKS", "half_restored.AGGREGATES", "upkeep.OLD_CHUNKS",
                   "upkeep.OLD_MINUTES", "upkeep.ANY_CHUNKS")  # fmt: skip


def numbered(text: str) -> str:
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name = match[1] or f"#{len(names)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return re.sub(r"%%|%(?:\((\w+)\))?s", number, text)


def test_every_statement_of_the_store_is_one_the_server_accepts(
    any_dsn: str, request: pytest.FixtureRequest
) -> None:
    plain = "plain" in request.node.name
    tried, refused = [], {}
    with psycopg.connect(any_dsn, autocommit=True) as connection:
        for name, text in statements():
            if plain and name.startswith(_TIMESCALE_ONLY):
                continue
            tried.append(name)
            try:
                connection.execute(b"prepare tried as " + text.encode())
                connection.execute("deallocate tried")
            except psycopg.Error as error:
                refused[name] = str(error)
    assert refused == {}
    assert len(tried) > 50


# ------------------------------------------------------------------ answers
Answers = dict[str, list[tuple[object, ...]]]
LEVELS = ("1m", "1h", "1d")
RAW = "ts, tag, nullif(value, 'NaN') as value, status"  # NaN is not even itself


async def a_plants_morning(dsn: str, *, copy: bool = True) -> Answers:
    """The same samples through the same verbs; what the views say after each."""
    pool = await open_pool(dsn, max_size=1)
    samples, said = PgSampleStore(pool, copy=copy), {}
    keeper = Upkeep(pool, HandClock(), Keep(raw=timedelta(hours=3)))

    async def note(step: str) -> None:
        for level in LEVELS:
            query = f"select bucket, tag, n, sum, min, max from samples_{level} order by bucket, tag"
            async with pool.connection() as connection:
                rows = await (await connection.execute(query.encode())).fetchall()
            said[f"{step} {level}"] = [tuple(row.values()) for row in rows]

    await samples.write([_stretch(0, 7800)])
    await note("open")
    await keeper.round(DAWN + timedelta(seconds=7800))
    await note("rolled")
    await samples.write([_stretch(600, 45)])
    await keeper.round(DAWN + timedelta(seconds=7860))
    await note("late")
    await samples.write([_stretch(7800, 50)])
    await note("open again")
    await keeper.round(DAWN + timedelta(hours=30))
    await note("let go")
    await pool.close()
    return said


def _stretch(start: int, seconds: int, tags: int = 3) -> SampleBatch:
    n = np.arange(seconds * tags // 5)
    return SampleBatch(
        (n % tags + 1).astype(np.int32),
        micros(DAWN) + (start + n // tags * 5) * 1_000_000,
        np.where(n % 97 == 0, np.nan, (n * 7 % 256) / 4),
        np.where(n % 89 == 0, 0x80000000, 0).astype(np.uint32),
    )


@pytest.mark.timescale
async def test_every_edition_gives_the_same_answers(dsn: str, timescale_dsn: str) -> None:
    plain, apache = await a_plants_morning(dsn), await a_plants_morning(timescale_dsn)
    assert plain == apache
    assert all(plain.values())
    assert plain["late 1m"] != plain["rolled 1m"]
    assert plain["let go 1h"] == plain["open again 1h"]


@pytest.mark.timescale
async def test_continuous_aggregates_and_compression_change_no_answer(dsn: str, community_dsn: str) -> None:
    applied = await migrate(community_dsn)
    assert "0004_rollups.community" in applied
    assert await migrate(community_dsn) == []
    assert await a_plants_morning(dsn) == await a_plants_morning(community_dsn, copy=False)
    pool = await open_pool(community_dsn, max_size=1)
    samples, keeper = PgSampleStore(pool, copy=False), Upkeep(pool, HandClock(), Keep(raw=timedelta(days=90)))
    await samples.write([SampleBatch.at([7, 7], DAWN + timedelta(days=20), [1.5, 2.5])])
    done = await keeper.round(DAWN + timedelta(days=24))
    assert (done["edition"], done["compressed"]) == ("community", 1)
    assert (await samples.newest([7])).values.tolist() in ([1.5], [2.5])
    late = SampleBatch.at([7], DAWN + timedelta(days=20, seconds=1), [9.0])
    await samples.write([replace(late, historical=True)])
    assert (await keeper.round(DAWN + timedelta(days=24)))["compressed"] == 0  # more of it may be on its way
    async with pool.connection() as connection:
        await connection.execute("update backfills set last_at = now() - interval '1 hour'")
    assert await _uncompressed_rows(pool) == [1]
    assert (await keeper.round(DAWN + timedelta(days=24)))["compressed"] == 1
    assert await _uncompressed_rows(pool) == [0]
    assert (await keeper.round(DAWN + timedelta(days=24)))["compressed"] == 0
    day = await samples.trend(7, DAWN + timedelta(days=20), DAWN + timedelta(days=21), 1)
    assert [row[1:] for row in day] == [(13.0 / 3, 1.5, 9.0)]
    stored = await samples.since([7], DAWN)
    assert sorted(stored.values.tolist()) == [1.5, 2.5, 9.0]
    await pool.close()


async def a_plants_week(dsn: str, *, copy: bool = True) -> Answers:
    """With a class that lets go earlier, chunks that are compressed behind the week, late samples into them
    and before that; raw samples and all levels after each step."""
    pool = await open_pool(dsn, max_size=1)
    await TagTable(pool).number(["p1/a/slow", "p1/a/fast"])
    samples, said = PgSampleStore(pool, copy=copy), {}
    keep = Keep(raw=timedelta(days=90), classes=(TagClass(frozenset([2]), timedelta(days=2)),))
    keeper = Upkeep(pool, HandClock(), keep)

    async def kept(now: datetime, step: str) -> None:
        async with pool.connection() as connection:  # no backfill goes on any more
            await connection.execute("update backfills set last_at = now() - interval '1 hour'")
        await keeper.round(now)
        for name, columns in (
            ("samples", RAW),
            *((f"samples_{level}", "bucket, tag, *") for level in LEVELS),
        ):
            query = f"select {columns} from {name} order by 2, 1"
            async with pool.connection() as connection:
                rows = await (await connection.execute(query.encode())).fetchall()
            said[f"{step} {name}"] = [tuple(row.values()) for row in rows]

    for day in range(5):
        await samples.write([_stretch(day * 86_400 + 28_800, 1_800, tags=2)])
        await samples.write([_stretch(day * 86_400 + 36_000, 900, tags=1)])
        await kept(DAWN + timedelta(days=day, hours=23), f"day {day}")
    late = [_stretch(day * 86_400 + 36_002, 300, tags=1) for day in (0, 1, 4)]
    await samples.write([replace(one, historical=True) for one in late])
    await kept(DAWN + timedelta(days=4, hours=23, minutes=5), "late")
    await samples.write([replace(_stretch(4 * 86_400 + 28_802, 60, tags=2), historical=True)])
    await kept(DAWN + timedelta(days=8), "compressed again")
    await pool.close()
    return said


@pytest.mark.timescale
async def test_classes_late_samples_and_recompression_change_no_answer(dsn: str, community_dsn: str) -> None:
    await migrate(community_dsn)
    plain, community = await a_plants_week(dsn), await a_plants_week(community_dsn, copy=False)
    assert [step for step in plain if plain[step] != community[step]] == []
    assert {row[1] for row in plain["day 4 samples"] if row[0] < DAWN + timedelta(days=2)} == {1}
    for level in LEVELS:
        assert {row[1] for row in plain[f"day 4 samples_{level}"] if row[0] < DAWN + timedelta(days=1)} == {
            1,
            2,
        }
        assert plain[f"day 4 samples_{level}"] != plain[f"late samples_{level}"]
    pool = await open_pool(community_dsn, max_size=1)
    assert await _uncompressed_rows(pool) == [0] * 5
    await pool.close()


async def test_what_continuous_aggregates_cannot_take_any_more_is_counted_and_told_once(
    community_dsn: str,
) -> None:
    await migrate(community_dsn)
    pool = await open_pool(community_dsn, max_size=1)
    samples, keeper = PgSampleStore(pool, copy=False), Upkeep(pool, HandClock(), Keep(raw=timedelta(days=7)))
    await samples.write([SampleBatch.at([1], DAWN + timedelta(days=n), [1.0]) for n in range(2)])
    await keeper.round(DAWN + timedelta(days=20))
    await samples.write([SampleBatch.at([1], DAWN + timedelta(minutes=5), [5.0])])
    for _ in range(2):
        done = await keeper.round(DAWN + timedelta(days=20, minutes=5))
        assert done["too_late"] == 1
    async with pool.connection() as connection:
        told = await (await connection.execute("select who, what, detail from audit")).fetchall()
        days = await (await connection.execute("select n, sum from samples_1d order by bucket")).fetchall()
    assert [(row["what"], row["detail"]["samples"]) for row in told] == [("samples-too-late", 1)]
    assert [tuple(row.values()) for row in days] == [(1, 1.0), (1, 1.0)]
    await pool.close()


async def test_an_hour_that_lacks_nothing_is_rolled_again_and_one_that_does_is_told_of(
    community_dsn: str,
) -> None:
    await migrate(community_dsn)
    pool = await open_pool(community_dsn, max_size=1)
    await TagTable(pool).number(["p1/a/slow", "p1/a/fast"])
    samples = PgSampleStore(pool, copy=False)
    keep = Keep(raw=timedelta(days=7), classes=(TagClass(frozenset([2]), timedelta(days=2)),))
    keeper = Upkeep(pool, HandClock(), keep)
    await samples.write([SampleBatch.at([1, 2], DAWN, [1.0, 1.0])])
    for minutes in (5, 6):
        await keeper.round(DAWN + timedelta(days=4, minutes=minutes))
    late = [SampleBatch.at([1], DAWN + timedelta(hours=h, minutes=1), [5.0]) for h in (0, 2)]
    await samples.write(late)
    done = await keeper.round(DAWN + timedelta(days=4, minutes=7))
    assert done["too_late"] == 1
    async with pool.connection() as connection:
        hours = await (
            await connection.execute("select bucket, tag, n from samples_1h order by 1, 2")
        ).fetchall()
    expected = [(DAWN, 1, 1), (DAWN, 2, 1), (DAWN + timedelta(hours=2), 1, 1)]
    assert [tuple(row.values()) for row in hours] == expected
    await pool.close()


async def _uncompressed_rows(pool: Pool) -> list[int]:
    """Of each compressed chunk: what lies beside its columns."""
    chunks = """
        select format('%I.%I', chunk_schema, chunk_name) as name from timescaledb_information.chunks
        where hypertable_name = 'samples' and is_compressed order by range_start
    """
    async with pool.connection() as connection:
        names = [row["name"] async for row in await connection.execute(chunks)]
        await connection.execute("set timescaledb.enable_transparent_decompression = off")
        counts = [await _count(connection, f"only {name}") for name in names]
        await connection.execute("reset timescaledb.enable_transparent_decompression")
    return [int(str(count)) for count in counts]


# ------------------------------------------------------------------ partitions and chunks
async def test_strays_move_into_the_partition_that_is_made_for_them(dsn: str) -> None:
    pool = await open_pool(dsn)
    await PgSampleStore(pool).write([SampleBatch.at([1], DAWN + timedelta(days=3650), [7.0])])
    keeper = Upkeep(pool, HandClock())
    async with pool.connection() as connection:
        assert await _count(connection, "samples_strays") == 1
    done = await keeper.round(DAWN + timedelta(days=3650))
    assert len(done["ahead"]) == 2
    async with pool.connection() as connection:
        assert await _count(connection, "samples_strays") == 0
        assert await _count(connection, "samples") == 1
    await pool.close()


async def _count(connection: psycopg.AsyncConnection[dict[str, object]], table: str) -> object:
    row = await (await connection.execute(f"select count(*) as n from {table}".encode())).fetchone()
    return row["n"] if row else None


async def test_a_clock_that_leaps_ahead_lets_nothing_go_before_it_has_run_for_a_day(any_dsn: str) -> None:
    """Ten days of samples of which seven are kept; then the clock is a month ahead, and comes back."""
    pool, now, clock = await open_pool(any_dsn, max_size=2), DAWN + timedelta(days=10), HandClock()
    samples, keep = PgSampleStore(pool, copy=False), Keep(raw=timedelta(days=7))
    for hours in range(0, 240, 24):
        await samples.write([SampleBatch.at([1], DAWN + timedelta(hours=hours), [1.0])])
    upkeep = Upkeep(pool, clock, keep)

    async def days() -> int:
        async with pool.connection() as connection:
            row = await (await connection.execute("select count(*) as n from samples")).fetchone()
        assert row is not None
        return int(row["n"])

    await upkeep.round(now, doubting=True)
    kept = await days()
    assert 7 <= kept <= 8
    done = await upkeep.round(now + timedelta(days=30), doubting=True)
    assert done["clock_leapt"] == now.isoformat() and await days() == kept
    async with pool.connection() as connection:
        [line] = await (await connection.execute("select what, detail from audit")).fetchall()
    assert (line["what"], line["detail"]["from"]) == ("clock-doubted", now.isoformat())
    again = Upkeep(pool, clock, keep)  # a restart does not make it believed
    assert "clock_leapt" in await again.round(now + timedelta(days=30, minutes=1), doubting=True)
    back = await again.round(now + timedelta(minutes=2), doubting=True)
    assert "clock_leapt" not in back and await days() == kept
    await again.round(now + timedelta(days=30), doubting=True)
    clock.turn(24 * 3600)
    assert "clock_leapt" not in await again.round(now + timedelta(days=31), doubting=True)
    assert await days() == 0, "believed for want of a better one"
    for hours in (240, 252, 264):
        await samples.write([SampleBatch.at([1], DAWN + timedelta(hours=hours), [2.0])])
    await again.round(now + timedelta(days=1), doubting=True)
    assert await days() == 3, "what is stored after it has come back is kept ..."
    await again.round(now + timedelta(days=10))
    assert await days() == 0, "... as long as it is to be, and not until the time has come that was ahead"
    await pool.close()


async def test_a_house_that_is_switched_off_every_night_lets_go_all_the_same(any_dsn: str) -> None:
    """Each morning looks like a clock that has leapt, and no day of running is ever one piece."""
    pool, clock = await open_pool(any_dsn, max_size=2), HandClock()
    samples, keep = PgSampleStore(pool, copy=False), Keep(raw=timedelta(days=3))
    for day in range(12):
        upkeep = Upkeep(pool, clock, keep)
        for hour in (7, 12, 17):
            now = DAWN + timedelta(days=day, hours=hour)
            await samples.write([SampleBatch.at([1], now, [1.0])])
            await upkeep.round(now, doubting=True)
            clock.turn(5 * 3600)
    async with pool.connection() as connection:
        row = await (await connection.execute("select min(ts) as first from samples")).fetchone()
    assert row is not None and now - row["first"] < timedelta(days=8)
    await pool.close()


async def test_a_server_west_of_greenwich_starts_again_with_its_partitions(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("alter database {} set timezone = 'America/Mexico_City'").format(
                sql.Identifier(connection.info.dbname)
            )
        )
    pool = await open_pool(dsn)
    try:
        async with pool.connection() as connection:
            for partition in await existing(connection):
                await connection.execute(sql.SQL("drop table {}").format(sql.Identifier(partition.name)))
            await make_ahead(connection, timedelta(hours=6))
        await migrate(dsn)  # as each start does
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as as_the_server_is:
            assert await make_ahead(as_the_server_is, timedelta(hours=6)) == []
            there = await existing(as_the_server_is)
        assert [p.name for p in there] == [f"samples_p{p.start.astimezone(UTC):%Y%m%d%H}" for p in there]
    finally:
        await pool.close()


async def test_partitions_wholly_before_the_horizon_are_dropped(dsn: str) -> None:
    pool = await open_pool(dsn)
    keeper = Upkeep(pool, HandClock(), Keep(raw=timedelta(days=1)))
    async with pool.connection() as connection:
        made = (await existing(connection))[0]
    await keeper.round(made.end + timedelta(hours=23))
    async with pool.connection() as connection:
        assert made in await existing(connection)
    done = await keeper.round(made.end + timedelta(hours=26))
    assert done["dropped"] == 1
    async with pool.connection() as connection:
        assert made not in await existing(connection)
    await pool.close()


@pytest.mark.timescale
async def test_chunks_follow_the_rate(timescale_dsn: str) -> None:
    pool = await open_pool(timescale_dsn)
    samples, keeper, now = PgSampleStore(pool), Upkeep(pool, HandClock()), DAWN + timedelta(minutes=11)
    for minute in range(9):
        await samples.write([_flood(minute, 29_000)])
    done = await keeper.round(now)  # 290 a second over the quarter of an hour
    assert (done["edition"], done["ahead"]) == ("apache", [])
    await samples.write([_flood(9, 29_000)])
    assert (await keeper.round(now))["ahead"] == []  # it asks every ten minutes
    again = Upkeep(pool, HandClock())
    assert (await again.round(now))["ahead"] == ["chunks of 6:00:00 from now on"]
    assert (await again.round(now))["ahead"] == []
    await pool.close()


def _flood(minute: int, rows: int) -> SampleBatch:
    together = SampleBatch.at([1] * rows, DAWN + timedelta(minutes=minute), [1.0] * rows)
    return replace(together, source_times=together.source_times + np.arange(rows))
