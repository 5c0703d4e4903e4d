"""Classes of tags: raw samples of some are kept longer or shorter than those of the rest.

Chunks and partitions go when the longest time is over. What is to go earlier is deleted a day at a time; its
room is free for what comes into that chunk, and the disk has it when the chunk goes. Roll-ups stay: from then
on no window is rolled again for these tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from hub.store import late, partitions, standing_rows
from hub.store.edition import Edition
from hub.store.pool import Connection
from hub.store.rollup import FIRST, floor

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TagClass:
    tags: frozenset[int]
    raw: timedelta


def shorter(
    classes: Sequence[TagClass], rest: timedelta, longest: timedelta, known: Iterable[int]
) -> list[TagClass]:
    """Those that are kept for less than the longest time, with what is in no class. A tag that is in several
    classes belongs to the first."""
    left, out = set(known), []
    for one in [*classes, TagClass(frozenset(left), rest)]:
        mine = frozenset(left & one.tags)
        left -= mine
        if mine and one.raw < longest:
            out.append(TagClass(mine, one.raw))
    return out


async def let_go(
    connection: Connection, edition: Edition, upto: datetime, one: TagClass, rolled: datetime
) -> int:
    """Delete what the class no longer keeps at `upto`, whole days that are rolled up; the number of rows."""
    tags = sorted(one.tags)
    async with connection.transaction():
        horizon = await late.whole(connection, "raw", floor(min(upto - one.raw, rolled), DAY), DAY)
        await connection.execute(MARK, {"tags": tags, "since": horizon})
    row = await (await connection.execute(LOWEST, {"tags": tags, "since": horizon})).fetchone()
    rows = 0
    if row is not None and row["gone"] is not None:
        # only now: it goes through the whole record
        first = await (await connection.execute(FIRST)).fetchone()
        await standing_rows.remember(connection, horizon, tags)
        start = max(row["gone"], floor(first["ts"], DAY)) if first is not None else horizon
        for day in range((horizon - start) // DAY):
            span = {"tags": tags, "start": start + day * DAY, "end": start + (day + 1) * DAY}
            async with connection.transaction():
                await connection.execute(UNLIMITED)
                rows += (await connection.execute(DELETE, span)).rowcount
        if rows:
            await _close_up(connection, edition, start, horizon)
    await connection.execute(GONE, {"tags": tags, "since": horizon})
    return rows


async def _close_up(connection: Connection, edition: Edition, start: datetime, end: datetime) -> None:
    """The room of what was deleted is free within its chunk. To write the chunk anew would give it to the
    disk as well, at the price of a standstill: whoever asks for the newest sample of a tag needs every chunk.
    One that is locked is left to the server's own vacuuming."""
    if edition is Edition.PLAIN:
        old = await partitions.existing(connection)
        names = [sql.Identifier(p.name).as_string(None) for p in old if start < p.end and p.start < end]
    else:
        found = await connection.execute(CHUNKS, {"start": start, "end": end})
        names = [row["chunk"] async for row in found]
    for name in names:
        await connection.execute(f"vacuum (analyze, skip_locked) {name}".encode())


MARK = """
insert into tag_horizons as old (tag, since)
select tag, %(since)s from unnest(%(tags)s::integer[]) tag
on conflict (tag) do update set since = excluded.since where old.since < excluded.since
"""
LOWEST = """
select min(gone) as gone from tag_horizons where tag = any (%(tags)s::integer[]) and gone < %(since)s
"""
GONE = "update tag_horizons set gone = %(since)s where tag = any (%(tags)s::integer[]) and gone < %(since)s"
# A day of a class is more than TimescaleDB decompresses in one statement unless it is told to.
UNLIMITED = """
select set_config(name, '0', true) from pg_settings
where name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'
"""
DELETE = """
delete from samples where tag = any (%(tags)s::integer[]) and ts >= %(start)s and ts < %(end)s
"""
CHUNKS = """
select chunk::text from show_chunks('samples', newer_than => %(start)s::timestamptz,
                                    older_than => %(end)s::timestamptz) chunk
"""
