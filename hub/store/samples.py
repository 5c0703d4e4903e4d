"""Raw samples in and out, and trends from whichever level fits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.errors import Transient
from hub.failpoint import failpoint
from hub.model.batch import SampleBatch, from_micros, join, micros, summable
from hub.ports import SAMPLES
from hub.store import late
from hub.store.binding import Binding
from hub.store.copying import from_copy, storable, to_copy
from hub.store.late import WRITERS_LOCK
from hub.store.marks import marks, per_hour, per_minute
from hub.store.minutes import Minutes
from hub.store.pool import Connection, Pool, borrowed
from hub.store.positions import after
from hub.store.rollup import floor
from hub.store.standing_rows import StandingRows

LEVELS = (
    ("1d", timedelta(days=1)),
    ("1h", timedelta(hours=1)),
    ("1m", timedelta(minutes=1)),
)


class PgSampleStore:
    """hub.ports.SampleStore. `copy=False` is for servers without COPY: the same rows by INSERT of arrays.

    `writing`: a pool of one connection that stores. A server process that has the table's pages and catalogue
    at hand does it for less than several that take turns, each of which has to find them again.
    """

    def __init__(self, pool: Pool, *, copy: bool = True, writing: Pool | None = None) -> None:
        self._pool = pool
        self._writing = writing or pool
        self._copy = copy
        self._binding: Binding | None = None
        self._minutes: Minutes | None = None
        self._only = ""
        self._named = False  # the database tells which one it is
        self._standing = StandingRows()

    def bind(self, binding: Binding) -> None:
        """From now on samples of process parameters are stored with the job of their time, too."""
        self._binding = binding if binding.machines else None

    def only_into(self, record: str) -> None:
        """From now on into the database of this name (`identity`), and into no other at the same address."""
        self._only = record

    def sum_up(self, minutes: Minutes) -> None:
        """From now on it is told of every row that is on record: for the roller of this process."""
        self._minutes = minutes if self._copy else None

    async def write(
        self,
        batches: Sequence[SampleBatch],
        position: str = "",
        taken: Mapping[str, int] | None = None,
        lost: Mapping[str, int] | None = None,
    ) -> int:
        rows = _by_tag(batches) if batches else SampleBatch.at([], from_micros(0), [])
        meant = storable(rows)
        if not meant.all():
            rows = rows.take(meant)
        rows = summable(rows)
        try:
            there, sealed = await self._store(rows, batches, position, taken or {}, lost or {})
        except BaseException:
            if self._minutes is not None:
                self._minutes.forget()
            raise
        if sealed is None:
            return 0
        stored = rows.take(~there) if there.any() else rows
        self._standing.stored(stored)
        if self._minutes is not None:
            self._minutes.add(stored, micros(sealed))
        return len(stored)

    async def _store(
        self,
        rows: SampleBatch,
        batches: Sequence[SampleBatch],
        position: str,
        taken: Mapping[str, int],
        lost: Mapping[str, int],
    ) -> tuple[NDArray[np.bool_], datetime | None]:
        """In one transaction. Which rows were on record, and from when on the others are counted; None: all
        of them were, by their position."""
        async with borrowed(self._writing) as connection, connection.transaction():
            recorded = await self._turn(connection)
            if position and not taken and not after(position, recorded):
                return np.ones(len(rows), np.bool_), None
            there = await self._standing.on_record(connection, rows)
            if there.any():
                rows = rows.take(~there)
            if len(rows):
                await self._insert(connection, rows)
            if self._binding is not None:
                await self._binding.bind(connection, rows, copy=self._copy)
            if past := [b for b in batches if b.historical and len(b)]:
                await connection.execute(BACKFILLED, per_hour(join(past)))
            sealed, gone = await self._remember(
                connection, marks(rows) | per_minute(rows) | {"position": position}, taken, lost
            )
            if gone is not None:
                await late.add(connection, rows, gone)
            failpoint("store.before_commit")
        return there, sealed

    async def _remember(
        self,
        connection: Connection,
        values: dict[str, Any],
        taken: Mapping[str, int],
        lost: Mapping[str, int],
    ) -> tuple[datetime, datetime | None]:
        """Up to where the stream is on record now, in the rows' transaction. Answers with what time is sealed
        and, where some came late, below what time raw samples were let go."""
        values |= {"stream": SAMPLES, "origins": list(taken), "numbers": list(taken.values())}
        row = await (await connection.execute(RECORD, values)).fetchone()
        if row is None or row["moved"] != len(taken):
            raise Transient("another writer has put these batches on record")
        if lost:
            await connection.execute(LOST, [list(lost), list(lost.values())])
        return row["sealed"], row["gone"]

    async def origins(self) -> Mapping[str, int]:
        """Where a writer begins. Those that were silent for more than a year have ended and are forgotten."""
        self._standing.begin()
        async with borrowed(self._pool) as connection:
            await connection.execute(FORGET, {"stream": SAMPLES})
            rows = await (await connection.execute(ORIGINS, [SAMPLES])).fetchall()
        return {row["origin"]: row["number"] for row in rows}

    async def reached(self, origin: str) -> int:
        """The last number of this origin that is on record; 0 when none is."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(REACHED, [SAMPLES, origin])).fetchone()
        return int(row["number"]) if row else 0

    async def identity(self) -> str:
        """Which database this is; "" for one of an earlier release."""
        async with borrowed(self._pool) as connection:
            return await _identity(connection)

    async def met(self, origin: str) -> tuple[str, int]:
        """`identity` and `reached`."""
        async with borrowed(self._pool) as connection:
            self._named = self._named or await _is_named(connection)
            query = MET if self._named else MET_UNNAMED  # in one breath: whoever sends asks every two seconds
            row = await (await connection.execute(query, [SAMPLES, origin])).fetchone()
        return (str(row["record"] or ""), int(row["number"] or 0)) if row else ("", 0)

    async def position(self) -> str:
        """Up to where the stream of samples is on record; "" when nothing is."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(POSITION, [SAMPLES])).fetchone()
        return row["position"] if row else ""

    async def _turn(self, connection: Connection) -> str:
        query = TURN_OF_ONE if self._only else TURN
        row = await (await connection.execute(query, {"lock": WRITERS_LOCK, "stream": SAMPLES})).fetchone()
        if self._only and row and row["record"] != self._only:
            raise Transient("hub.database: there is another database at its address; start the hub again")
        return row["position"] if row else ""

    async def _insert(self, connection: Connection, rows: SampleBatch) -> None:
        if not self._copy:
            columns = (rows.source_times, rows.tags, rows.values, rows.statuses)
            await connection.execute(INSERT, [c.tolist() for c in columns])
            return
        async with connection.cursor().copy(COPY_IN) as copy:
            await copy.write(to_copy(rows))

    async def newest(self, tags: Sequence[int]) -> SampleBatch:
        return await self._read(NEWEST, {"tags": list(tags)})

    async def since(self, tags: Sequence[int], start: datetime, end: datetime | None = None) -> SampleBatch:
        return await self._read(SINCE, {"tags": list(tags), "start": start, "end": end})

    async def _read(self, query: str, values: dict[str, Any]) -> SampleBatch:
        async with borrowed(self._pool) as connection:
            if not self._copy:
                found = await (await connection.execute(query.encode(), values)).fetchall()
                return _from_rows(found)
            statement = f"copy ({query}) to stdout (format binary)"
            async with connection.cursor().copy(statement.encode(), values) as copy:
                return from_copy(b"".join([bytes(part) async for part in copy]))

    async def trend(
        self, tag: int, start: datetime, end: datetime, points: int
    ) -> list[tuple[datetime, float, float, float]]:
        width = (end - start) / max(points, 1)
        async with borrowed(self._pool) as connection:
            level = fitting(width, await _gone(connection, tag, start))
            binned = bucket_width(width, level)
            if level != "raw" and binned > width and binned == dict(LEVELS)[level]:
                start = floor(
                    start, binned
                )  # nothing finer is left: the bucket that it lies in is told whole
            values = {"tag": tag, "start": start, "end": end, "width": binned}
            rows = await (await connection.execute(TREND[level], values)).fetchall()
        return [(r["bucket"].astimezone(UTC), r["mean"], r["min"], r["max"]) for r in rows]


def fitting(width: timedelta, gone: Collection[str] = ()) -> str:
    """The coarsest level that is still fine enough for buckets of this width, or the finest that is left:
    `gone` of `raw` and `1m` have been let go at the beginning."""
    for name, level in LEVELS:
        if level <= width and name not in gone:
            return name
    return next(name for name in ("raw", "1m", "1h") if name not in gone)


def bucket_width(width: timedelta, level: str) -> timedelta:
    """At least the width asked for, in whole buckets of the level."""
    whole = dict(LEVELS).get(level, timedelta(milliseconds=1))
    return max(whole, -(-width // whole) * whole)


def _by_tag(batches: Sequence[SampleBatch]) -> SampleBatch:
    """One batch of several. What one tag said in several rounds goes into one place of the index at once."""
    rows = join(batches)
    return rows.take(np.argsort(rows.tags, kind="stable")) if len(batches) > 1 else rows


def _from_rows(found: Sequence[dict[str, Any]]) -> SampleBatch:
    return SampleBatch(
        np.array([r["tag"] for r in found], np.int32),
        np.array([micros(r["ts"]) for r in found], np.int64),
        np.array([r["value"] for r in found], np.float64),
        np.array([r["status"] for r in found], np.uint32),
    )


async def _gone(connection: Connection, tag: int, start: datetime) -> set[str]:
    """What is not there any more of this time."""
    rows = await (await connection.execute(GONE, {"tag": tag, "start": start})).fetchall()
    return {row["source"] for row in rows}


async def _is_named(connection: Connection) -> bool:
    row = await (await connection.execute(NAMED)).fetchone()
    return bool(row and row["named"])


async def _identity(connection: Connection) -> str:
    if not await _is_named(connection):
        return ""
    row = await (await connection.execute(IDENTITY)).fetchone()
    return str(row["record"]) if row else ""


POSITION = "select position from stream_positions where stream = %s"
GONE = """
select source from horizons where since > %(start)s
union select 'raw' from tag_horizons where tag = %(tag)s and since > %(start)s
"""
TURN = """
select turn.*, coalesce(
    (select position from stream_positions where stream = %(stream)s for update), '') as position
from (select pg_advisory_xact_lock_shared(%(lock)s)) turn
"""
# A database that was made from another one as its template is another one.
IDENTITY = """
select left(md5(id::text || oid::text), 16) as record
from record_identity, pg_database where datname = current_database()
"""
TURN_OF_ONE = TURN.replace("select turn.*", f"select turn.*, ({IDENTITY}) as record")
NAMED = "select to_regclass('record_identity') is not null as named"
COPY_IN = "copy samples (ts, tag, value, status) from stdin (format binary)"
INSERT = """
insert into samples (ts, tag, value, status)
select timestamptz '1970-01-01 00:00:00+00' + ts * interval '1 microsecond', tag, value, status
from unnest(%s::bigint[], %s::integer[], %s::double precision[], %s::bigint[]) rows (ts, tag, value, status)
"""
# `sealed` is read by a statement of its own, after the lock: no roller can have passed in between.
RECORD = """
with late as (
    insert into rollup_dirty (first, last)
    select mark.first, mark.last
    from unnest(%(first)s::timestamptz[], %(last)s::timestamptz[]) mark (first, last)
    where mark.first < (select sealed from rollup_state where level = '1m')
    returning 1
),
counted as (
    insert into minute_rows as old (bucket, rows)
    select said.bucket, said.rows
    from unnest(%(minutes)s::timestamptz[], %(counts)s::bigint[]) said (bucket, rows)
    where said.bucket >= (select sealed from rollup_state where level = '1m')
    on conflict (bucket) do update set rows = old.rows + excluded.rows
),
reached as (
    insert into stream_positions (stream, position)
    select %(stream)s, %(position)s where %(position)s <> ''
    on conflict (stream) do update set position = excluded.position
),
moved as (
    insert into stream_origins as old (stream, origin, number, at)
    select %(stream)s, said.origin, said.number, now()
    from unnest(%(origins)s::text[], %(numbers)s::bigint[]) said (origin, number)
    on conflict (stream, origin) do update set number = excluded.number, at = excluded.at
        where old.number < excluded.number
    returning 1
)
select (select count(*) from moved) as moved,
       (select sealed from rollup_state where level = '1m') as sealed,
       case when exists (select from late) then (
           select max(since) from (
               select since from horizons where source = 'raw' union all select since from tag_horizons
           ) let_go
       ) end as gone
"""
LOST = """
insert into audit (at, who, what, about, detail)
select now(), 'writer', 'samples-lost', said.origin, jsonb_build_object('batches', said.batches)
from unnest(%s::text[], %s::bigint[]) said (origin, batches)
"""
# A machine that was put away for a year is known again; of very many the older ones go after a month.
FORGET = """
delete from stream_origins where stream = %(stream)s and at < greatest(
    now() - interval '400 days',
    least(now() - interval '30 days', coalesce((
        select at from stream_origins where stream = %(stream)s order by at desc offset 50000 limit 1
    ), '-infinity')))
"""
ORIGINS = "select origin, number from stream_origins where stream = %s"
BACKFILLED = """
insert into backfills as old (hour, rows, first_at, last_at)
select said.hour, said.rows, now(), now()
from unnest(%(hours)s::timestamptz[], %(rows)s::bigint[]) said (hour, rows)
on conflict (hour) do update set rows = old.rows + excluded.rows, last_at = excluded.last_at
"""
REACHED = "select number from stream_origins where stream = %s and origin = %s"
MET = f"select ({IDENTITY}) as record, ({REACHED}) as number"
MET_UNNAMED = f"select '' as record, ({REACHED}) as number"
# One step down the index per tag, in every edition, however much there is. What a clock said that was well
# ahead stands for a tag only where there is nothing else.
NEWEST = """
select newest.ts, newest.tag, newest.value, newest.status
from unnest(%(tags)s::integer[]) wanted (tag)
cross join lateral (
    (select ts, tag, value, status from samples
     where tag = wanted.tag and ts <= now() + interval '5 minutes' order by ts desc limit 1)
    union all
    (select ts, tag, value, status from samples
     where tag = wanted.tag and ts > now() + interval '5 minutes' order by ts limit 1)
    limit 1
) newest
"""
SINCE = """
select ts, tag, value, status from samples
where tag = any (%(tags)s::integer[]) and ts >= %(start)s
  and ts < coalesce(%(end)s::timestamptz, 'infinity') order by ts
"""
_RAW_TREND = """
select date_bin(%(width)s, ts, %(start)s) as bucket, avg(value) as mean, min(value) as min, max(value) as max
from samples
where tag = %(tag)s and ts >= %(start)s and ts < %(end)s and status < 2147483648 and value <> 'NaN'
group by 1 order by 1
"""
_LEVEL_TREND = """
select date_bin(%(width)s, bucket, timestamptz '2000-01-01 00:00:00+00') as bucket,
       sum(sum) / sum(n) as mean, min(min) as min, max(max) as max
from {level}
where tag = %(tag)s and bucket >= %(start)s and bucket < %(end)s
group by 1 order by 1
"""
TREND = {"raw": _RAW_TREND.encode()} | {
    name: _LEVEL_TREND.replace("{level}", f"samples_{name}").encode() for name, _ in LEVELS
}
