"""Range partitions of `samples` on plain PostgreSQL: made ahead, strays moved in, old ones dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import tuple_row

from hub.store.late import WRITERS_LOCK

DAY = timedelta(days=1)
MOST = 400  # made for what comes back: whoever reads them all locks each, with its indexes
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Partition:
    """[start, end)"""

    name: str
    start: datetime
    end: datetime


def interval_for(rows_per_second: float) -> timedelta:
    """So wide that a partition or chunk holds some 10 to 25 million rows."""
    if rows_per_second <= 300:
        return DAY
    return timedelta(hours=6) if rows_per_second <= 2000 else timedelta(hours=1)


def ahead_of(existing: list[Partition], now: datetime, interval: timedelta) -> list[Partition]:
    """What is missing so that the present span and the next are there, joined to what exists; one that lies
    far ahead, made by a clock that did, stands in nobody's way."""
    floor = now - (now - _EPOCH) % interval
    covering = next((p.end for p in existing if p.start <= now < p.end), None)
    at = (covering or max([floor, *(p.end for p in existing if p.end <= now)])).astimezone(UTC)
    taken = {p.name for p in existing}
    missing = []
    while at <= now + interval:
        here = next((p for p in existing if p.start <= at < p.end), None)
        if here is not None:
            at = here.end.astimezone(UTC)
            continue
        next_one = min((p.start for p in existing if p.start > at), default=None)
        end = at + interval - (at - _EPOCH) % interval
        end = min(end, next_one.astimezone(UTC)) if next_one else end
        missing.append(Partition(_name(at, taken), at, end))
        taken.add(missing[-1].name)
        at = end
    return missing


def _name(start: datetime, taken: set[str]) -> str:
    """By its first hour in UTC, and never one that is there: releases before took it in the server's zone."""
    name = f"samples_p{start:%Y%m%d%H}"
    while name in taken:
        name += "_"
    return name


async def existing(connection: AsyncConnection[Any]) -> list[Partition]:
    cursor = connection.cursor(row_factory=tuple_row)  # whatever rows the caller likes
    rows = await (await cursor.execute(_EXISTING)).fetchall()
    return sorted((Partition(*row) for row in rows), key=lambda p: p.start)


async def make_ahead(
    connection: AsyncConnection[Any], interval: timedelta = DAY, now: datetime | None = None
) -> list[str]:
    """Make what is missing; `now` is the database's unless given. Takes an autocommit connection."""
    if now is None:
        row = await (await connection.cursor(row_factory=tuple_row).execute("select now()")).fetchone()
        now = row[0].astimezone(UTC) if row else _EPOCH
    todo = ahead_of(await existing(connection), now, interval)
    for partition in todo:
        await _make(connection, partition)
    return [p.name for p in todo]


async def make_behind(connection: AsyncConnection[Any], days: Iterable[datetime]) -> list[str]:
    """Make one for each of these days (their midnights, UTC) that lies before all that are there, the newest
    MOST of them. Takes an autocommit connection."""
    there = await existing(connection)
    first = min((p.start for p in there), default=_EPOCH)
    taken = {p.name for p in there}
    wanted = sorted({day for day in days if day + DAY <= first})[-MOST:]
    todo = [Partition(_name(day, taken), day, day + DAY) for day in wanted]
    for partition in todo:
        await _make(connection, partition)
    return [p.name for p in todo]


async def _make(connection: AsyncConnection[Any], partition: Partition) -> None:
    """Strays are moved in first: PostgreSQL refuses a partition whose rows lie in the default one.

    Writers have their turn before: one that has read the strays, to see what is on record already, and is
    about to store would wait for us, and we for it.
    """
    name = sql.Identifier(partition.name)
    bounds = {"a": sql.Literal(partition.start), "b": sql.Literal(partition.end), "name": name}
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", [WRITERS_LOCK])
        await connection.execute("lock table samples in share row exclusive mode")
        await connection.execute(sql.SQL("create table {} (like samples)").format(name))
        await connection.execute(sql.SQL(_MOVE).format(**bounds))
        await connection.execute(
            sql.SQL("alter table samples attach partition {name} for values from ({a}) to ({b})").format(
                **bounds
            )
        )


async def any_before(connection: AsyncConnection[Any], horizon: datetime) -> bool:
    """Whether `drop_before` has anything to do."""
    if any(p.end <= horizon for p in await existing(connection)):
        return True
    strays = await connection.execute("select from samples_strays where ts < %s limit 1", [horizon])
    return await strays.fetchone() is not None


async def drop_before(connection: AsyncConnection[Any], horizon: datetime) -> list[str]:
    """Drop partitions that lie wholly before the horizon, and the strays before it."""
    old = [p for p in await existing(connection) if p.end <= horizon]
    for partition in old:
        await connection.execute(sql.SQL("drop table {}").format(sql.Identifier(partition.name)))
    await connection.execute("delete from samples_strays where ts < %s", [horizon])
    return [p.name for p in old]


_EXISTING = r"""
select c.relname, (bounds.found)[1]::timestamptz, (bounds.found)[2]::timestamptz
from pg_inherits i join pg_class c on c.oid = i.inhrelid
cross join lateral (
    select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') as found
) bounds
where i.inhparent = 'samples'::regclass and bounds.found is not null
"""
_MOVE = """
with moved as (delete from samples_strays where ts >= {a} and ts < {b} returning *)
insert into {name} (ts, tag, value, status) select ts, tag, value, status from moved
"""
