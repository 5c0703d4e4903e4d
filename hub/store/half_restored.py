"""A restore that did not end leaves a mark: nobody begins there as in a new plant, and the next restore
clears away what that one has made. One restore at a time.
"""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, sql

from hub.errors import ConfigError

LOCK = 0x616E646F6E06
MARK = "restore_under_way"


async def begin(connection: AsyncConnection[Any]) -> None:
    """On a connection that commits by itself and stays open for as long as the restore takes. Raises
    ConfigError, and changes nothing, when the database holds something that no restore has left."""
    turn = await (await connection.execute("select pg_try_advisory_lock(%s)", [LOCK])).fetchone()
    if turn is None or not turn[0]:
        raise ConfigError("hub.database: another restore into it runs; wait until it has ended")
    if await left(connection):
        await clear(connection)
    row = await (await connection.execute(USED)).fetchone()
    if row is not None:
        raise ConfigError(
            f"hub.database: holds tables already ({row[0]}); restore into an empty database, "
            "or into a new folder under hub.data"
        )
    await connection.execute(f"create table {MARK} (at timestamptz not null default now())".encode())


async def left(connection: AsyncConnection[Any]) -> bool:
    row = await (await connection.execute("select to_regclass(%s) is not null", [MARK])).fetchone()
    return bool(row and row[0])


async def refuse(connection: AsyncConnection[Any]) -> None:
    """For everybody but the next restore."""
    if await left(connection):
        raise ConfigError(
            "hub.database: a restore into it did not end; run `andon restore` with the backup again"
        )


async def ended(connection: AsyncConnection[Any]) -> None:
    """In the transaction that puts the rows in."""
    await connection.execute(f"drop table {MARK}".encode())


async def clear(connection: AsyncConnection[Any]) -> None:
    """All that is in the schema but what belongs to extensions; the mark goes last."""
    for statement, kind in ((AGGREGATES, "materialized view"), (VIEWS, "view"), (TABLES, "table")):
        if kind == "materialized view" and not await _has_timescale(connection):
            continue
        for (name,) in await (await connection.execute(statement)).fetchall():
            drop = sql.SQL("drop {} if exists {} cascade").format(sql.SQL(kind), sql.Identifier(name))
            await connection.execute(drop)
    await connection.execute(f"drop table if exists {MARK}".encode())


async def _has_timescale(connection: AsyncConnection[Any]) -> bool:
    found = await connection.execute("select 1 from pg_extension where extname = 'timescaledb'")
    return await found.fetchone() is not None


USED = """
select relname from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') order by 1 limit 1
"""
AGGREGATES = b"""
select view_name from timescaledb_information.continuous_aggregates where view_schema = current_schema()
order by materialization_hypertable_name desc
"""
_OURS = """
select relname::text from pg_class c
where relnamespace = current_schema()::regnamespace and relkind in ({kinds}) and not relispartition
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by relname = '{mark}', 1
"""
VIEWS = _OURS.format(kinds="'v', 'm'", mark=MARK).encode()
TABLES = _OURS.format(kinds="'r', 'p'", mark=MARK).encode()
