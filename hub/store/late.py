"""Samples that come when the raw samples of their time have been let go: no window there is rolled again.

Number, sum, least and greatest can be added to, so they are added to the minutes (where those have gone, too,
to the hours) in the transaction that stores them: once, as they are. What is above is rolled from there as
after any late sample. Continuous aggregates cannot be added to: there they are counted, and told of.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from hub.model.batch import SampleBatch, from_micros, micros
from hub.model.sample import BAD
from hub.store.edition import Edition
from hub.store.pool import Connection

WRITERS_LOCK = 0x616E646F6E02  # shared by writers; the roller takes it alone for an instant to seal


async def add(connection: Connection, rows: SampleBatch, gone: datetime) -> None:
    """In the transaction that has stored them, under the writers' lock. `gone`: below it raw samples of some
    tags have been let go."""
    late = (rows.source_times < micros(gone)) & (rows.statuses < BAD) & ~np.isnan(rows.values)
    if not late.any():
        return
    found = rows.take(np.flatnonzero(late))
    values = {
        "times": [from_micros(us) for us in found.source_times.tolist()],
        "tags": found.tags.tolist(),
        "values": found.values.tolist(),
    }
    row = await (await connection.execute(EDITION)).fetchone()
    community = row is not None and row["edition"] == Edition.COMMUNITY
    await connection.execute(*((COUNT, {"times": values["times"]}) if community else (ADD, values)))


async def move_horizon(
    connection: Connection, source: str, horizon: datetime, step: timedelta
) -> datetime | None:
    """Say, before anything is let go, that nothing below is rolled again; up to where, if it has moved.

    It goes no further, in whole steps, than samples that wait to be rolled: they would go without a trace.
    """
    async with connection.transaction():
        values = {"source": source, "since": await whole(connection, source, horizon, step)}
        row = await (await connection.execute(HORIZON, values)).fetchone()
    return row["since"] if row else None


async def beyond(connection: Connection, source: str, horizon: datetime) -> datetime | None:
    """This horizon, where the one on record lies beyond it, as after a clock that was ahead: it does not move
    until that time has come, but what is older than it is kept goes all the same."""
    row = await (await connection.execute(BEYOND, [source, horizon])).fetchone()
    return horizon if row else None


async def whole(connection: Connection, source: str, horizon: datetime, step: timedelta) -> datetime:
    """So much of it as can be let go; holds writers up until the end of the transaction."""
    await connection.execute("select pg_advisory_xact_lock(%s)", [WRITERS_LOCK])
    row = await (await connection.execute(WAITING, {"source": source, "step": step})).fetchone()
    return min(horizon, row["first"]) if row and row["first"] else horizon


async def told_now(connection: Connection) -> int:
    """How many could not be rolled up, ever; what is new among them goes on the audit trail."""
    async with connection.transaction():
        await connection.execute(TELL)
        row = await (await connection.execute(UNROLLED)).fetchone()
    return int(row["rows"]) if row else 0


EDITION = "select edition from schema_edition"
_LATE = """
with known as (
    select coalesce(max(since) filter (where source = 'raw'), '-infinity') as raw,
           coalesce(max(since) filter (where source = '1m'), '-infinity') as minutes
    from horizons
),
late as (
    select said.ts, said.tag, said.value
    from unnest(%(times)s::timestamptz[], %(tags)s::integer[], %(values)s::double precision[])
        said (ts, tag, value)
    left join tag_horizons own on own.tag = said.tag
    where said.ts < greatest((select raw from known), own.since)
),
hours as ({hours})
{minutes}
"""
_ADD_LEVEL = """
insert into samples_{level}_data as old (bucket, tag, n, sum, min, max)
select date_bin('{width}', ts, timestamptz '2000-01-01 00:00:00+00'), tag, count(*), sum(value), min(value),
       max(value)
from late where {where} (select minutes from known) group by 1, 2 order by 2, 1
on conflict (tag, bucket) do update
set n = old.n + excluded.n, sum = old.sum + excluded.sum, min = least(old.min, excluded.min),
    max = greatest(old.max, excluded.max)
"""


def _add_to(level: str, width: str, where: str) -> str:
    return _ADD_LEVEL.replace("{level}", level).replace("{width}", width).replace("{where}", where)


ADD = (
    _LATE.replace("{hours}", _add_to("1h", "1 hour", "ts <"))
    .replace("{minutes}", _add_to("1m", "1 minute", "ts >="))
    .encode()
)
COUNT = """
insert into unrolled_samples as old (hour, rows)
select date_trunc('hour', said.ts, 'UTC'), count(*)
from unnest(%(times)s::timestamptz[]) said (ts) group by 1 order by 1
on conflict (hour) do update set rows = old.rows + excluded.rows
"""
HORIZON = """
insert into horizons as old (source, since) values (%(source)s, %(since)s)
on conflict (source) do update set since = excluded.since where old.since < excluded.since
returning since
"""
BEYOND = "select 1 from horizons where source = %s and since > %s"
# What is wholly below the horizon was dealt with as it came.
WAITING = """
select date_bin(%(step)s::interval, min(first), timestamptz '2000-01-01 00:00:00+00') as first
from rollup_dirty
where last >= coalesce((select since from horizons where source = %(source)s), '-infinity')
"""
TELL = """
with news as (select hour, rows - told as rows from unrolled_samples where told < rows for update),
marked as (
    update unrolled_samples old set told = old.rows from news where news.hour = old.hour
)
insert into audit (at, who, what, about, detail)
select now(), 'upkeep', 'samples-too-late', to_char(min(hour) at time zone 'UTC', 'YYYY-MM-DD'),
       jsonb_build_object('samples', sum(rows), 'first', min(hour), 'last', max(hour))
from news having sum(rows) > 0
"""
UNROLLED = "select coalesce(sum(rows), 0)::bigint as rows from unrolled_samples"
