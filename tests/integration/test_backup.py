"""The whole record out and in again: every row, every counter, in every edition that is here."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import psycopg
import pytest
from psycopg import sql

from hub.errors import ConfigError, RecordAway
from hub.model.batch import SampleBatch
from hub.store import backup as store
from hub.store import half_restored
from hub.store.migrate import FOLDER, migrate
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.tag_table import TagTable
from hub.store.upkeep import Keep, Upkeep
from hub.testing.clock import NOON, HandClock
from tests import community
from tests.conftest import database, named

pytestmark = pytest.mark.anyio
FILL = """
insert into marks (name, value) values ('mes:a', '17');
insert into equipment_states (equipment, since, state) values ('p1/a', '2026-01-05', 'executing');
insert into audit (at, who, what, about, detail) values (now(), 'me', 'tested', '压机', '{"a": 1}');
insert into sessions (token_hash, person_id, made_at, seen_at) values ('x', 'li', now(), now());
"""


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await open_pool(dsn)
    yield opened
    await opened.close()


async def fill(pool: Pool) -> None:
    await TagTable(pool).number(["p1/a/x", "p1/a/y"])
    batch = SampleBatch.at(range(1, 500), NOON, [0.1] * 499)
    await PgSampleStore(pool).write([batch], "7-0", {"edge": 7})
    async with pool.connection() as connection:
        await connection.execute(FILL)


async def everything(dsn: str) -> dict[str, Any]:
    """Each table's rows as text, and what each sequence gives out next."""
    out: dict[str, Any] = {}
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        for table in await store._tables(connection):
            query = sql.SQL("select t::text from {} t order by 1").format(table.home)
            out[table.name] = await (await connection.execute(query)).fetchall()
        out["sequences"] = await (await connection.execute(store.SEQUENCES)).fetchall()
    return out


async def test_what_went_in_is_there_again_to_the_row(
    dsn: str, empty_dsn: str, pool: Pool, tmp_path: Path
) -> None:
    await fill(pool)
    file = tmp_path / "record.zip"
    told = await store.backup(dsn, file, NOON)
    assert (told["samples"], told["tags"], told["audit"]) == (499, 2, 1)
    assert file.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [file]
    assert await store.restore(empty_dsn, file) == told
    assert await everything(empty_dsn) == await everything(dsn)
    assert await migrate(empty_dsn) == []
    then = await open_pool(empty_dsn)
    try:
        assert await TagTable(then).number(["p1/a/z"]) == {"p1/a/z": 3}
        assert await PgSampleStore(then).reached("edge") == 7
    finally:
        await then.close()


async def test_each_day_comes_back_into_a_partition_of_its_own_and_goes_with_it(
    dsn: str, empty_dsn: str, pool: Pool, tmp_path: Path
) -> None:
    """In the default partition retention deletes row by row, and every query looks through all of them."""
    days = [NOON - timedelta(days=n) for n in (0, 1, 5)]
    ahead = NOON + timedelta(days=20_000)  # a broken clock: nobody makes room for it
    await PgSampleStore(pool).write([SampleBatch.at([1, 2], at, [1.0, 2.0]) for at in [*days, ahead]])
    file = tmp_path / "record.zip"
    told = await store.backup(dsn, file, NOON)
    assert await store.restore(empty_dsn, file) == told
    assert await everything(empty_dsn) == await everything(dsn)
    assert await lie_in(empty_dsn) == {
        "samples_p2025123100": 2, "samples_p2026010400": 2, "samples_p2026010500": 2, "samples_strays": 2,
    }  # fmt: skip
    then = await open_pool(empty_dsn)
    done = await Upkeep(then, HandClock(), Keep(raw=timedelta(days=2))).round(NOON + timedelta(hours=1))
    await then.close()
    assert done["dropped"] == 1
    assert sorted(await lie_in(empty_dsn)) == [
        "samples_p2026010400", "samples_p2026010500", "samples_strays"
    ]  # fmt: skip


async def lie_in(dsn: str) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        rows = await connection.execute("select tableoid::regclass::text, count(*) from samples group by 1")
        return dict(await rows.fetchall())


async def test_it_is_of_one_moment_while_the_hub_writes_on(dsn: str, pool: Pool, tmp_path: Path) -> None:
    """The second table is read after somebody has changed both: neither change is in the file."""
    await fill(pool)
    file = tmp_path / "record.zip"
    with pytest.MonkeyPatch.context() as patch:
        write = store._write_table
        changed: list[str] = []

        async def late(connection: Any, archive: Any, table: Any) -> Any:
            if not changed:
                changed.append(table.name)
                batch = SampleBatch.at([1], NOON + timedelta(seconds=1), [2.0])
                await PgSampleStore(pool).write([batch], "8-0", {"edge": 8})
            return await write(connection, archive, table)

        patch.setattr(store, "_write_table", late)
        told = await store.backup(dsn, file, NOON)
    assert changed and told["samples"] == 499


async def test_an_older_backup_is_brought_up_to_date(
    empty_dsn: str, dsn: str, pool: Pool, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    older.mkdir()
    for migration in sorted(FOLDER.glob("*.sql"))[:-1]:
        (older / migration.name).write_bytes(migration.read_bytes())
    await migrate(empty_dsn, older)
    file = tmp_path / "record.zip"
    await store.backup(empty_dsn, file, NOON)
    with database(dsn, "template1") as fresh:
        await store.restore(fresh, file)
        assert await migrate(fresh) == []


async def test_a_backup_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its folder is not there; make it"):
        await store.backup("host=nowhere.invalid", tmp_path / "missing" / "record.zip", NOON)


@pytest.mark.parametrize("harm", ["cut", "flipped", "no archive"])
async def test_a_file_that_is_not_whole_changes_nothing(
    dsn: str, empty_dsn: str, pool: Pool, tmp_path: Path, harm: str
) -> None:
    await fill(pool)
    file = tmp_path / "record.zip"
    await store.backup(dsn, file, NOON)
    whole = bytearray(file.read_bytes())
    if harm == "flipped":
        with zipfile.ZipFile(file) as archive:
            member = archive.getinfo("samples.copy")
        whole[member.header_offset + 100] ^= 0xFF
    harmed: dict[str, bytes | bytearray] = {
        "cut": whole[: len(whole) // 2],
        "flipped": whole,
        "no archive": b"text",
    }
    file.write_bytes(harmed[harm])
    with pytest.raises(ConfigError, match=r"record\.zip: "):
        await store.restore(empty_dsn, file)
    async with await psycopg.AsyncConnection.connect(empty_dsn) as connection:
        assert await store._tables(connection) == []


async def test_a_database_that_holds_something_is_left_alone(dsn: str, pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "record.zip"
    await store.backup(dsn, file, NOON)
    with pytest.raises(ConfigError, match="empty database"):
        await store.restore(dsn, file)


class Pulled(Exception):
    """Of the plug."""


@pytest.fixture(params=["plain", pytest.param("timescale", marks=pytest.mark.timescale)])
def new_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of this edition."""
    server = {"plain": "embedded_server", "timescale": "timescale_server"}[request.param]
    with database(request.getfixturevalue(server), "template0") as fresh:
        yield fresh


async def test_a_restore_that_was_killed_is_nobodys_plant_and_the_next_one_works(
    dsn: str, new_dsn: str, pool: Pool, tmp_path: Path
) -> None:
    await fill(pool)
    file = tmp_path / "record.zip"
    told = await store.backup(dsn, file, NOON)
    with pytest.MonkeyPatch.context() as patch:  # nothing is cleared away
        patch.setattr(half_restored, "clear", AsyncMock())
        patch.setattr(store, "failpoint", Mock(side_effect=Pulled))
        with pytest.raises(Pulled):
            await store.restore(new_dsn, file)
    with pytest.raises(ConfigError, match="did not end; run `andon restore`"):
        await migrate(new_dsn)
    with pytest.raises(ConfigError, match="did not end"):
        await store.backup(new_dsn, tmp_path / "other.zip", NOON)
    assert await store.restore(new_dsn, file) == told
    assert await migrate(new_dsn) == []


async def test_a_restore_that_fails_leaves_an_empty_database(
    dsn: str, empty_dsn: str, pool: Pool, tmp_path: Path
) -> None:
    await fill(pool)
    file = tmp_path / "record.zip"
    await store.backup(dsn, file, NOON)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "failpoint", Mock(side_effect=Pulled))
        with pytest.raises(Pulled):
            await store.restore(empty_dsn, file)
    async with await psycopg.AsyncConnection.connect(empty_dsn) as connection:
        assert await (await connection.execute(half_restored.USED)).fetchone() is None
        async with await psycopg.AsyncConnection.connect(empty_dsn, autocommit=True) as other:
            await half_restored.begin(other)
            with pytest.raises(ConfigError, match="another restore"):
                await store.restore(empty_dsn, file)


async def test_a_database_that_is_away_missing_or_not_ours_is_told_without_a_trace(
    dsn: str, empty_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "record.zip"
    with pytest.raises(ConfigError, match="holds no record of ours"):
        await store.backup(empty_dsn, file, NOON)
    await store.backup(dsn, file, NOON)
    for wrong in (named(dsn, "no_such_database"), "host=127.0.0.1 port=9 connect_timeout=2"):
        with pytest.raises(RecordAway, match=r"hub\.database: .*is the server on"):
            await store.backup(wrong, tmp_path / "other.zip", NOON)
        with pytest.raises(RecordAway, match=r"hub\.database: .*is the server on"):
            await store.restore(wrong, file)
    assert list(tmp_path.iterdir()) == [file]


async def test_a_backup_never_overwrites_another(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "record.zip"
    file.write_bytes(b"precious")
    with pytest.raises(ConfigError, match="already"):
        await store.backup(dsn, file, NOON)
    assert file.read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["a folder", "nothing", "another zip", "newer", "another format"])
async def test_what_is_no_backup_of_ours_is_named_and_changes_nothing(
    dsn: str, empty_dsn: str, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "record.zip"
    told = {"folder": r"record\.zip: ", "newer": "newer release", "another format": "format 99"}
    if kind == "a folder":
        file.mkdir()
    elif kind == "another zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("holiday.txt", "sun")
    elif kind != "nothing":
        whole = tmp_path / "whole.zip"
        await store.backup(dsn, whole, NOON)
        change = {"migrations": ["9999_later"]} if kind == "newer" else {"format": 99}
        _with_manifest(whole, file, change)
    with pytest.raises(ConfigError, match=told.get(kind, r"record\.zip: ")):
        await store.restore(empty_dsn, file)
    async with await psycopg.AsyncConnection.connect(empty_dsn) as connection:
        assert await store._tables(connection) == []


def _with_manifest(source: Path, target: Path, change: dict[str, Any]) -> None:
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as other:
        for name in whole.namelist():
            body = whole.read(name)
            if name == store.MANIFEST:
                body = json.dumps(json.loads(body) | change).encode()
            other.writestr(name, body)


@pytest.mark.timescale
async def test_timescaledb_comes_back_to_the_row_with_its_chunks_and_roll_ups(
    timescale_server: str, timescale_dsn: str, tmp_path: Path
) -> None:
    opened = await open_pool(timescale_dsn)
    await fill(opened)
    days = [SampleBatch.at([1, 2], NOON - timedelta(days=n), [float(n), 1.0]) for n in range(5)]
    await PgSampleStore(opened).write(days, "9-0", {"edge": 9})
    await Upkeep(opened, HandClock()).round(NOON + timedelta(days=1))
    await opened.close()
    file = tmp_path / "record.zip"
    told = await store.backup(timescale_dsn, file, NOON)
    with database(timescale_server, "template0") as fresh:
        assert await store.restore(fresh, file) == told
        assert await everything(fresh) == await everything(timescale_dsn)
        assert await chunks(fresh) == await chunks(timescale_dsn) == 5
        assert told["samples_1m_data"] > 500


async def chunks(dsn: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        row = await (await connection.execute("select count(*) from show_chunks('samples')")).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.timescale
async def test_roll_ups_that_outlived_their_samples_come_back_also_as_continuous_aggregates(
    dsn: str, community_dsn: str
) -> None:
    """That edition's stand-in has no COPY: what backup reads, and where restore puts it, are asked by SQL."""
    plain, other = await open_pool(dsn, max_size=1), await open_pool(community_dsn, max_size=1)
    await migrate(community_dsn)
    old = NOON - timedelta(days=30)
    batches = [SampleBatch.at([1, 2], old + timedelta(seconds=20 * n), [float(n), 1.0]) for n in range(20)]
    for pool, copy in ((plain, True), (other, False)):
        await PgSampleStore(pool, copy=copy).write(batches)
        await Upkeep(pool, HandClock(), Keep(raw=timedelta(days=7))).round(NOON)
    await plain.close()
    await other.close()
    rows = await rolled(dsn)
    assert len(rows) == 3 and all(rows.values())
    assert await rolled(community_dsn) == rows
    with community.server() as empty:  # another server: each has a single database
        await migrate(empty)
        async with await psycopg.AsyncConnection.connect(empty, autocommit=True) as connection:
            for table in await roll_up_tables(connection):
                insert = sql.SQL("insert into {} values (%s, %s, %s, %s, %s, %s)").format(table.home)
                for row in rows[table.name]:
                    await connection.execute(insert, row)
            await connection.execute("update rollup_state set sealed = %s, rolled = %s", [NOON, NOON])
            week = NOON - timedelta(days=7)
            await connection.execute("insert into horizons values ('raw', %s)", [week])
        again = await open_pool(empty, max_size=1)
        await Upkeep(again, HandClock(), Keep(raw=timedelta(days=7))).round(NOON + timedelta(days=2))
        await again.close()
        assert await rolled(empty) == rows


async def roll_up_tables(connection: psycopg.AsyncConnection[Any]) -> list[store.Table]:
    names = ("samples_1m_data", "samples_1h_data", "samples_1d_data")
    return [table for table in await store._tables(connection) if table.name in names]


async def rolled(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """What a backup reads of the roll-ups."""
    out = {}
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        for table in await roll_up_tables(connection):
            query = sql.SQL("select * from {} order by bucket, tag").format(table.rows)
            out[table.name] = await (await connection.execute(query)).fetchall()
    return out


@pytest.mark.timescale
async def test_it_goes_from_timescaledb_into_plain_and_back_to_the_row(
    timescale_dsn: str, empty_dsn: str, timescale_server: str, tmp_path: Path
) -> None:
    opened = await open_pool(timescale_dsn)
    await fill(opened)
    days = [SampleBatch.at([1, 2], NOON - timedelta(days=n), [float(n), 1.0]) for n in range(5)]
    await PgSampleStore(opened).write(days, "9-0", {"edge": 9})
    async with opened.connection() as connection:
        await connection.execute(BOUND, [NOON])
    await Upkeep(opened, HandClock()).round(NOON + timedelta(days=1))
    await opened.close()
    there, back = tmp_path / "there.zip", tmp_path / "back.zip"
    told = await store.backup(timescale_dsn, there, NOON)
    assert await store.restore(empty_dsn, there) == told
    rows = await everything(timescale_dsn)
    assert len(rows["samples"]) == 509 and len(rows["parameter_samples"]) == 3
    assert await everything(empty_dsn) == rows
    assert "samples_strays" not in await lie_in(empty_dsn)
    assert await store.backup(empty_dsn, back, NOON) == told
    with database(timescale_server, "template0") as again:
        assert await store.restore(again, back) == told
        assert await everything(again) == rows
        assert await chunks(again) == 5


BOUND = """
insert into parameter_samples (ts, tag, value, status, span)
select %s::timestamptz - n * interval '20 days', 1, n, 0, 0 from generate_series(1, 3) n
"""


async def test_it_goes_from_plain_into_timescaledb(
    dsn: str, pool: Pool, timescale_server: str, tmp_path: Path
) -> None:
    await fill(pool)
    file = tmp_path / "record.zip"
    told = await store.backup(dsn, file, NOON)
    with database(timescale_server, "template0") as other:
        assert (await store.restore(other, file))["samples"] == told["samples"]
        back = tmp_path / "back.zip"
        assert (await store.backup(other, back, NOON))["samples"] == told["samples"]
