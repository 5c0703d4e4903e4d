"""The whole record in one file, and back into an empty database: any edition, any server of ours.

A zip of one binary COPY for each table, read in one snapshot while the hub works on, and `manifest.json` with
the migrations, counts and digests. The schema is not in it: our migrations make it, up to where the backup
was; what is newer is applied after the rows are in. Sign-ins that were open are left out.

Roll-ups are in it in every edition under the names that their tables have on plain PostgreSQL, since they
outlive the raw samples they were made from. Where they are continuous aggregates, what is below the
watermark is read from the view and put back into what lies beneath it; the next round of upkeep shows it.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import psycopg
from psycopg import AsyncConnection, sql

from hub.errors import ConfigError, RecordAway
from hub.failpoint import failpoint
from hub.model.batch import from_micros
from hub.store import half_restored, partitions
from hub.store.copying import EPOCH_SHIFT, HEADER, ROW
from hub.store.edition import Edition
from hub.store.migrate import FOLDER, bring_up_to, migrate, read_migrations
from hub.store.rollup import LEVELS

FORMAT = 1
MANIFEST = "manifest.json"
LEFT_OUT = ("schema_migrations", "schema_edition", "record_identity", "sessions", half_restored.MARK)
CHUNK = 1_048_576
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[str, ...]  # without what the database computes itself
    needs: frozenset[str]  # tables its foreign keys name
    rows: sql.Composable  # where they are read from
    home: sql.Composable  # and put into


async def backup(dsn: str, target: Path, now: datetime) -> dict[str, int]:
    """Rows of each table, once the file is whole, read back and in its place, closed to all but its owner.

    Raises ConfigError when the file exists, its folder does not or cannot take it, or the database holds no
    record; RecordAway when the database is away.
    """
    _refuse_a_taken(target)
    part = target.with_name(target.name + ".part")
    try:
        with _told_plainly():
            manifest = await _write_whole(dsn, part, now)
        verify(part)
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        part.replace(target)
    except OSError as cause:
        raise ConfigError(f"{target}: {cause.strerror}; name another file, or make room") from None
    finally:
        part.unlink(missing_ok=True)
    return {name: int(t["rows"]) for name, t in manifest["tables"].items()}


def verify(archive: Path) -> dict[str, Any]:
    """The manifest, after every byte was read and its digest compared. Raises ConfigError."""
    try:
        with zipfile.ZipFile(archive) as opened:
            manifest: dict[str, Any] = json.loads(opened.read(MANIFEST))
            for name, told in manifest["tables"].items():
                digest = hashlib.sha256()
                with opened.open(f"{name}.copy") as rows:
                    while part := rows.read(CHUNK):
                        digest.update(part)
                if digest.hexdigest() != told["sha256"]:
                    raise ConfigError(f"{archive}: table {name} is not what was written; use another backup")
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError) as cause:
        raise ConfigError(
            f"{archive}: is no whole backup ({type(cause).__name__}); use another one"
        ) from None
    if manifest.get("format") != FORMAT:
        raise ConfigError(f"{archive}: format {manifest.get('format')}; this release reads {FORMAT}")
    return manifest


async def restore(dsn: str, archive: Path, folder: Path = FOLDER) -> dict[str, int]:
    """Rows of each table, counted in the database.

    Raises ConfigError, and leaves the database as it was, when the file is not whole, the database holds
    something already, or this release is older than the backup; RecordAway when the database is away. What a
    restore leaves that was killed is cleared away by the next one, and used by nobody.
    """
    manifest = verify(archive)
    known = {m.name.partition(".")[0]: m for m in read_migrations(folder)}
    if newer := [n for n in manifest["migrations"] if n not in known]:
        raise ConfigError(
            f"{archive}: was made by a newer release (it has {newer[0]}); install that one first"
        )
    with _told_plainly():
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as guard:
            await half_restored.begin(guard)
            counts: dict[str, int] | None = None
            try:
                await bring_up_to(dsn, set(manifest["migrations"]), folder)
                await _make_room(guard, archive, manifest)
                counts = await _put_in(dsn, archive, manifest)
            finally:
                if counts is None:
                    with suppress(psycopg.Error):  # then the next one does it
                        await half_restored.clear(guard)
        await migrate(dsn, folder)
    return counts


async def _make_room(connection: AsyncConnection[Any], archive: Path, manifest: Mapping[str, Any]) -> None:
    """Partitions for the days of the samples, so that retention drops them and need not delete row by row."""
    row = await (await connection.execute("select edition from schema_edition")).fetchone()
    if row is None or Edition(row[0]) is not Edition.PLAIN or "samples" not in manifest["tables"]:
        return
    with zipfile.ZipFile(archive) as opened, opened.open("samples.copy") as rows:
        await partitions.make_behind(connection, _days(rows))


def _days(rows: IO[bytes]) -> set[datetime]:
    """Of samples in a binary COPY, the midnights (UTC) before them."""
    rows.read(len(HEADER))
    found: set[int] = set()
    while len(part := rows.read(ROW.itemsize * 20_000)) >= ROW.itemsize:
        times = np.frombuffer(part, ROW, len(part) // ROW.itemsize)["ts"]
        found.update(np.unique(times // DAY).tolist())
    return {from_micros(EPOCH_SHIFT + n * DAY) for n in found}


async def _put_in(dsn: str, archive: Path, manifest: Mapping[str, Any]) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        with zipfile.ZipFile(archive) as opened:
            counts = await _read(connection, opened, manifest)
        failpoint("restore.before_commit")
        await half_restored.ended(connection)
        await connection.commit()
    return counts


@contextmanager
def _told_plainly() -> Iterator[None]:
    """What a database may answer, as what a person can do about it."""
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise ConfigError("hub.database: holds no record of ours; is it the right one?") from None
    except psycopg.OperationalError as cause:
        told = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise RecordAway(
            f"hub.database: {told}; is the server on, the database there, and are address and password right?"
        ) from None
    except psycopg.Error as cause:
        told = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise ConfigError(f"hub.database: refused with: {told}; the account must own the schema") from None


# ------------------------------------------------------------------ out
async def _write_whole(dsn: str, part: Path, now: datetime) -> dict[str, Any]:
    with (
        _private(part) as raw,
        zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive,
    ):
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await half_restored.refuse(connection)
            await connection.rollback()
            await connection.execute("set transaction isolation level repeatable read, read only")
            manifest = await _write(connection, archive, now)
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return manifest


async def _write(connection: AsyncConnection[Any], archive: zipfile.ZipFile, now: datetime) -> dict[str, Any]:
    rows = await (await connection.execute("select name from schema_migrations order by name")).fetchall()
    edition = await (await connection.execute("select edition from schema_edition")).fetchone()
    tables: dict[str, Any] = {}
    for table in await _tables(connection):
        tables[table.name] = await _write_table(connection, archive, table)
    sequences = await (await connection.execute(SEQUENCES)).fetchall()
    return {
        "format": FORMAT,
        "at": now.astimezone(UTC).isoformat(),
        "edition": edition[0] if edition else Edition.PLAIN.value,
        "migrations": sorted({str(r[0]).partition(".")[0] for r in rows}),
        "tables": tables,
        "sequences": {name: value for name, value in sequences if value is not None},
    }


async def _write_table(
    connection: AsyncConnection[Any], archive: zipfile.ZipFile, table: Table
) -> dict[str, Any]:
    digest = hashlib.sha256()
    cursor = connection.cursor()
    query = sql.SQL("copy (select {} from {}) to stdout (format binary)").format(
        _listed(table.columns), table.rows
    )
    with archive.open(f"{table.name}.copy", "w", force_zip64=True) as out:
        async with cursor.copy(query) as rows:
            async for part in _in_chunks(rows):
                digest.update(part)
                out.write(part)
    return {"columns": table.columns, "rows": cursor.rowcount, "sha256": digest.hexdigest()}


async def _in_chunks(rows: Any) -> AsyncIterator[bytes]:
    """A server gives row by row."""
    held = bytearray()
    async for part in rows:
        held += part
        if len(held) >= CHUNK:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _refuse_a_taken(target: Path) -> None:
    if target.exists():
        raise ConfigError(f"{target}: is there already; name another file")
    if not target.absolute().parent.is_dir():
        raise ConfigError(f"{target}: its folder is not there; make it, or name another")


def _private(path: Path) -> Any:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


# ------------------------------------------------------------------ in
async def _read(
    connection: AsyncConnection[Any], archive: zipfile.ZipFile, manifest: Mapping[str, Any]
) -> dict[str, int]:
    here = {t.name: t for t in await _tables(connection)}
    counts: dict[str, int] = {}
    for table in _in_order([here[n] for n in manifest["tables"] if n in here]):
        told = manifest["tables"][table.name]
        home = table.home
        await connection.execute(sql.SQL("delete from {}").format(home))  # what the migrations have put in
        into = sql.SQL("copy {} ({}) from stdin (format binary)").format(home, _listed(told["columns"]))
        with archive.open(f"{table.name}.copy") as rows:
            async with connection.cursor().copy(into) as copy:
                while part := rows.read(CHUNK):
                    await copy.write(part)
        row = await (await connection.execute(sql.SQL("select count(*) from {}").format(home))).fetchone()
        counts[table.name] = int(row[0]) if row else 0
        if counts[table.name] != told["rows"]:
            raise ConfigError(f"table {table.name}: {counts[table.name]} of {told['rows']} rows came in")
    for sequence, value in manifest["sequences"].items():
        await connection.execute("select setval(to_regclass(%s), %s)", [sequence, value])
    return counts


def _in_order(tables: Sequence[Table]) -> list[Table]:
    """Those that others name before those others."""
    out: list[Table] = []
    left = {t.name: t for t in tables}
    while left:
        ready = [t for t in left.values() if not (t.needs - {t.name}) & set(left)]
        for table in ready or list(left.values()):
            out.append(left.pop(table.name))
    return out


async def _tables(connection: AsyncConnection[Any]) -> list[Table]:
    rows = await (await connection.execute(TABLES, [list(LEFT_OUT)])).fetchall()
    tables = [
        Table(name, tuple(columns), frozenset(needs), sql.Identifier(name), sql.Identifier(name))
        for name, columns, needs in rows
    ]
    if not tables or any(t.name == f"samples_{LEVELS[0].name}_data" for t in tables):
        return tables
    return tables + await _aggregates(connection)


async def _aggregates(connection: AsyncConnection[Any]) -> list[Table]:
    """Continuous aggregates, as the tables that roll-ups are elsewhere."""
    beneath = {
        view: sql.Identifier(schema, table)
        for view, schema, table in await (await connection.execute(AGGREGATES)).fetchall()
    }
    views = {level: f"samples_{level.name}" for level in LEVELS}
    return [
        Table(f"{view}_data", ROLLED_COLUMNS, frozenset(), _closed(level.name, view), beneath[view])
        for level, view in views.items()
        if view in beneath
    ]


def _closed(level: str, view: str) -> sql.Composed:
    return sql.SQL(CLOSED).format(view=sql.Identifier(view), level=sql.Literal(level))


def _listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


TABLES = """
select c.relname::text,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attnum),
       array(select f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
             where k.conrelid = c.oid and k.contype = 'f')
from pg_class c
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
  and c.relname <> all (%s)
order by 1
"""
ROLLED_COLUMNS = ("bucket", "tag", "n", "sum", "min", "max")
CLOSED = """
(select * from {view} where bucket < (select rolled from rollup_state where level = {level})) closed
"""
AGGREGATES = """
select view_name, materialization_hypertable_schema, materialization_hypertable_name
from timescaledb_information.continuous_aggregates where view_schema = current_schema()
"""
SEQUENCES = """
select format('%I', sequencename), last_value from pg_sequences where schemaname = current_schema() order by 1
"""
