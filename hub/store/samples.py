"""Raw samples in and out, and trends from whichever level fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from hub.errors import Transient
from hub.failpoint import failpoint
from hub.model.batch import SampleBatch, from_micros, join, micros
from hub.ports import SAMPLES
from hub.store.binding import Binding
from hub.store.copying import from_copy, storable, to_copy
from hub.store.pool import Connection, Pool, borrowed
from hub.store.positions import after

WRITERS_LOCK = 0x616E646F6E02  # shared by writers; the roller takes it alone for an instant to seal
LEVELS = (
    ("1d", timedelta(days=1)),
    ("1h", timedelta(hours=1)),
    ("1m", timedelta(minutes=1)),
)
_HOUR = 3_600_000_000


class PgSampleStore:
    """hub.ports.SampleStore. `copy=False` is for servers without COPY: the same rows by INSERT of arrays."""

    def __init__(self, pool: Pool, *, copy: bool = True) -> None:
        self._pool = pool
        self._copy = copy
        self._binding: Binding | None = None

    def bind(self, binding: Binding) -> None:
        """From now on samples of process parameters are stored with the job of their time, too."""
        self._binding = binding if binding.machines else None

    async def write(
        self,
        batches: Sequence[SampleBatch],
        position: str = "",
        taken: Mapping[str, int] | None = None,
        lost: Mapping[str, int] | None = None,
    ) -> int:
        rows = join(batches) if batches else SampleBatch.at([], from_micros(0), [])
        meant = storable(rows)
        if not meant.all():
            rows = rows.take(meant)
        async with borrowed(self._pool) as connection, connection.transaction():
            recorded = await self._turn(connection)
            if position and not taken and not after(position, recorded):
                return 0
            if len(rows):
                await self._insert(connection, rows)
            if self._binding is not None:
                await self._binding.bind(connection, rows, copy=self._copy)
            if late := [b for b in batches if b.historical and len(b)]:
                await connection.execute(BACKFILLED, _spans(join(late)))
            await self._remember(connection, _marks(rows) | {"position": position}, taken or {}, lost or {})
            failpoint("store.before_commit")
        return len(rows)

    async def _remember(
        self,
        connection: Connection,
        values: dict[str, Any],
        taken: Mapping[str, int],
        lost: Mapping[str, int],
    ) -> None:
        """Up to where the stream is on record now, in the same transaction as the rows."""
        values |= {"stream": SAMPLES, "origins": list(taken), "numbers": list(taken.values())}
        row = await (await connection.execute(RECORD, values)).fetchone()
        if row is None or row["moved"] != len(taken):
            raise Transient("another writer has put these batches on record")
        if lost:
            await connection.execute(LOST, [list(lost), list(lost.values())])

    async def origins(self) -> Mapping[str, int]:
        """Those that were silent for a month have ended: they are forgotten."""
        async with borrowed(self._pool) as connection:
            await connection.execute(FORGET, [SAMPLES])
            rows = await (await connection.execute(ORIGINS, [SAMPLES])).fetchall()
        return {row["origin"]: row["number"] for row in rows}

    async def reached(self, origin: str) -> int:
        """The last number of this origin that is on record; 0 when none is."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(REACHED, [SAMPLES, origin])).fetchone()
        return int(row["number"]) if row else 0

    async def position(self) -> str:
        """Up to where the stream of samples is on record; "" when nothing is."""
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(POSITION, [SAMPLES])).fetchone()
        return row["position"] if row else ""

    async def _turn(self, connection: Connection) -> str:
        row = await (await connection.execute(TURN, {"lock": WRITERS_LOCK, "stream": SAMPLES})).fetchone()
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

    async def since(self, tags: Sequence[int], start: datetime) -> SampleBatch:
        return await self._read(SINCE, {"tags": list(tags), "start": start})

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
            level = fitting(width, raw_is_there=await _raw_is_there(connection, tag, start))
            values = {"tag": tag, "start": start, "end": end, "width": bucket_width(width, level)}
            rows = await (await connection.execute(TREND[level], values)).fetchall()
        return [(r["bucket"].astimezone(UTC), r["mean"], r["min"], r["max"]) for r in rows]


def fitting(width: timedelta, *, raw_is_there: bool) -> str:
    """The coarsest level that is still fine enough for buckets of this width."""
    for name, level in LEVELS:
        if level <= width:
            return name
    return "raw" if raw_is_there else "1m"


def bucket_width(width: timedelta, level: str) -> timedelta:
    """At least the width asked for, in whole buckets of the level."""
    whole = dict(LEVELS).get(level, timedelta(milliseconds=1))
    return max(whole, -(-width // whole) * whole)


def _marks(rows: SampleBatch) -> dict[str, list[datetime]]:
    """First and last source time in each hour: what must be rolled again if that was rolled already."""
    if not len(rows):
        return {"first": [], "last": []}
    low, high = int(rows.source_times.min()), int(rows.source_times.max())
    if low // _HOUR == high // _HOUR:  # nearly always
        return {"first": [from_micros(low)], "last": [from_micros(high)]}
    times = np.sort(rows.source_times)
    starts = np.flatnonzero(np.diff(times // _HOUR, prepend=-1))
    ends = np.append(starts[1:], len(times)) - 1
    return {
        "first": [from_micros(us) for us in times[starts]],
        "last": [from_micros(us) for us in times[ends]],
    }


def _spans(late: SampleBatch) -> dict[str, Any]:
    """What came late, by the hour it is about."""
    hours, counts = np.unique(late.source_times[storable(late)] // _HOUR, return_counts=True)
    return {"hours": [from_micros(h * _HOUR) for h in hours], "rows": counts.tolist()}


def _from_rows(found: Sequence[dict[str, Any]]) -> SampleBatch:
    return SampleBatch(
        np.array([r["tag"] for r in found], np.int32),
        np.array([micros(r["ts"]) for r in found], np.int64),
        np.array([r["value"] for r in found], np.float64),
        np.array([r["status"] for r in found], np.uint32),
    )


async def _raw_is_there(connection: Connection, tag: int, start: datetime) -> bool:
    row = await (await connection.execute(RAW_HORIZON, {"tag": tag, "start": start})).fetchone()
    return row is None


POSITION = "select position from stream_positions where stream = %s"
RAW_HORIZON = """
select 1 from horizons where source = 'raw' and since > %(start)s
union all select 1 from tag_horizons where tag = %(tag)s and since > %(start)s
"""
TURN = """
select turn.*, coalesce(
    (select position from stream_positions where stream = %(stream)s for update), '') as position
from (select pg_advisory_xact_lock_shared(%(lock)s)) turn
"""
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
select count(*) as moved from moved
"""
LOST = """
insert into audit (at, who, what, about, detail)
select now(), 'writer', 'samples-lost', said.origin, jsonb_build_object('batches', said.batches)
from unnest(%s::text[], %s::bigint[]) said (origin, batches)
"""
FORGET = "delete from stream_origins where stream = %s and at < now() - interval '30 days'"
ORIGINS = "select origin, number from stream_origins where stream = %s"
BACKFILLED = """
insert into backfills as old (hour, rows, first_at, last_at)
select said.hour, said.rows, now(), now()
from unnest(%(hours)s::timestamptz[], %(rows)s::bigint[]) said (hour, rows)
on conflict (hour) do update set rows = old.rows + excluded.rows, last_at = excluded.last_at
"""
REACHED = "select number from stream_origins where stream = %s and origin = %s"
# One step down the index per tag, in every edition, however much there is.
NEWEST = """
select newest.ts, newest.tag, newest.value, newest.status
from unnest(%(tags)s::integer[]) wanted (tag)
cross join lateral (
    select ts, tag, value, status from samples where tag = wanted.tag order by ts desc limit 1
) newest
"""
SINCE = """
select ts, tag, value, status from samples
where tag = any (%(tags)s::integer[]) and ts >= %(start)s order by ts
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
