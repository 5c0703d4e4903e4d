"""Rolling samples up: 1 minute from raw, 1 hour from minutes, 1 day from hours, closed buckets only.

Three ways to lose data are kept shut. An open bucket is never rolled: a continuous aggregate refreshed past
it stops showing its new rows. A window whose source has been let go is never rolled again: its history would
be overwritten with nothing. Nor is it for tags whose own samples went before those of others
(hub.store.tag_classes); a continuous aggregate cannot leave out some tags, so there it is rolled for none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.store.edition import Edition
from hub.store.pool import Connection
from hub.store.samples import WRITERS_LOCK

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Level:
    name: str
    width: timedelta
    source: str  # what it is made from, as `horizons` names it
    step: timedelta  # at most so much in one transaction


LEVELS = (
    Level("1m", timedelta(minutes=1), "raw", timedelta(hours=1)),
    Level("1h", timedelta(hours=1), "1m", timedelta(days=2)),
    Level("1d", timedelta(days=1), "1h", timedelta(days=60)),
)


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end)"""

    start: datetime
    end: datetime


def floor(at: datetime, width: timedelta) -> datetime:
    return at - (at - ORIGIN) % width


def ceiling(at: datetime, width: timedelta) -> datetime:
    return at + (ORIGIN - at) % width


def windows_of(
    level: Level, fresh: Window | None, dirty: list[Window], horizon: datetime | None, edge: datetime
) -> list[Window]:
    """Whole closed buckets to be rolled, in order, apart, none longer than the level's step.

    `fresh` is what was never rolled; `dirty` was written since; nothing before `horizon` nor after `edge`.
    """
    lowest = ceiling(horizon, level.width) if horizon else None
    whole = []
    for window in [*dirty, *([fresh] if fresh else [])]:
        start, end = floor(window.start, level.width), min(ceiling(window.end, level.width), edge)
        start = max(start, lowest) if lowest else start
        if start < end:
            whole.append(Window(start, end))
    return [part for window in _merged(whole) for part in _steps(window, level.step)]


def _merged(windows: list[Window]) -> list[Window]:
    merged: list[Window] = []
    for window in sorted(windows, key=lambda w: w.start):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def _steps(window: Window, step: timedelta) -> list[Window]:
    starts = [window.start]
    while starts[-1] + step < window.end:
        starts.append(starts[-1] + step)
    return [Window(a, min(a + step, window.end)) for a in starts]


# ------------------------------------------------------------------ doing it
async def roll(connection: Connection, edition: Edition, upto: datetime) -> int:
    """Roll all levels up to `upto`; the number of windows done. One roller at a time, no transaction."""
    await _seal(connection, floor(upto, LEVELS[0].width))
    rows = await (await connection.execute(DIRTY)).fetchall()
    dirty = [Window(r["first"], r["last"] + timedelta(microseconds=1)) for r in rows]
    horizons = {r["source"]: r["since"] async for r in await connection.execute(HORIZONS)}
    spared = await _spared(connection)
    if edition is Edition.COMMUNITY and spared is not None:
        horizons["raw"] = max(spared, horizons.get("raw", spared))
    done = 0
    for level in LEVELS:
        edge = floor(upto, level.width)
        fresh = await _fresh(connection, level, edge)
        windows = windows_of(level, fresh, dirty, horizons.get(level.source), edge)
        for window in windows:
            await _roll_window(connection, edition, level, window, spared)
        await connection.execute(ROLLED, {"level": level.name, "upto": edge})
        done += len(windows)
    await connection.execute(CLEAN, [[r["id"] for r in rows]])
    return done


async def _seal(connection: Connection, edge: datetime) -> None:
    """From here on every writer marks what it writes below `edge`; those that did not look have ended."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", [WRITERS_LOCK])
        await connection.execute(SEAL, [edge])


async def _fresh(connection: Connection, level: Level, edge: datetime) -> Window | None:
    row = await (await connection.execute(STATE, [level.name])).fetchone()
    assert row is not None
    start: datetime = row["rolled"]
    if start == ORIGIN:  # never rolled: begin where the data does
        first = await (await connection.execute(FIRST)).fetchone()
        if first is None:
            return None
        start = max(first["ts"], ORIGIN)
    return Window(start, edge) if start < edge else None


async def _spared(connection: Connection) -> datetime | None:
    """Below this, samples of some tags have been let go before those of others."""
    row = await (await connection.execute(SPARED)).fetchone()
    return row["since"] if row else None


async def _roll_window(
    connection: Connection, edition: Edition, level: Level, window: Window, spared: datetime | None
) -> None:
    if edition is Edition.COMMUNITY:
        await connection.execute(REFRESH, [f"samples_{level.name}", window.start, window.end])
        return
    values = {"start": window.start, "end": window.end}
    if level.source != "raw":
        await connection.execute(ROLL[level.name], values)
        return
    one = window.end - window.start == level.width
    if spared is not None and window.start < spared:
        await connection.execute(ROLL_SPARING, values)
        return
    async with connection.transaction():
        await connection.execute(PLAINLY)
        await connection.execute(ROLL_ONE_MINUTE if one else ROLL[level.name], values)


# The last minute lies beyond all statistics: the planner takes it for few rows, reads the whole chunk, sorts
# on disk and calls helpers in. Measured with 600,000 rows: 0.7 s of CPU, against 0.4 s this way.
PLAINLY = """
select set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
       set_config('work_mem', '32MB', true), set_config('max_parallel_workers_per_gather', '0', true)
"""
SPARED = "select max(since) as since from tag_horizons"
SEAL = "update rollup_state set sealed = greatest(sealed, %s) where level = '1m'"
STATE = "select rolled from rollup_state where level = %s"
ROLLED = "update rollup_state set rolled = greatest(rolled, %(upto)s) where level = %(level)s"
DIRTY = "select id, first, last from rollup_dirty"
CLEAN = "delete from rollup_dirty where id = any (%s)"
HORIZONS = "select source, since from horizons"
FIRST = "select ts from samples order by ts limit 1"
REFRESH = "call refresh_continuous_aggregate(%s::regclass, %s::timestamptz, %s::timestamptz)"
_ON_CONFLICT = """
on conflict (tag, bucket) do update
set n = excluded.n, sum = excluded.sum, min = excluded.min, max = excluded.max
"""
_ROLL_RAW = """
insert into samples_1m_data (bucket, tag, n, sum, min, max)
select {bucket}, tag, count(*), sum(value), min(value), max(value)
from samples
where ts >= %(start)s and ts < %(end)s and status < 2147483648 and value <> 'NaN' {but}
group by {groups}
"""
_BUT = "and not exists (select from tag_horizons h where h.tag = samples.tag and h.since > samples.ts)"
_MINUTE = "date_bin('1 minute', ts, timestamptz '2000-01-01 00:00:00+00')"
_ROLL_LEVEL = """
insert into samples_{level}_data (bucket, tag, n, sum, min, max)
select date_bin('{width}', bucket, timestamptz '2000-01-01 00:00:00+00'), tag, sum(n), sum(sum), min(min),
       max(max)
from samples_{below}
where bucket >= %(start)s and bucket < %(end)s
group by 1, 2
"""


def _level_statement(level: str, below: str, width: str) -> bytes:
    text = _ROLL_LEVEL.replace("{level}", level).replace("{below}", below).replace("{width}", width)
    return (text + _ON_CONFLICT).encode()


def _minutes_statement(bucket: str, groups: str, but: str = "") -> bytes:
    text = _ROLL_RAW.replace("{bucket}", bucket).replace("{groups}", groups).replace("{but}", but)
    return (text + _ON_CONFLICT).encode()


ROLL_ONE_MINUTE = _minutes_statement("%(start)s::timestamptz", "tag")
ROLL_SPARING = _minutes_statement(_MINUTE, "1, tag", _BUT)
ROLL = {
    "1m": _minutes_statement(_MINUTE, "1, tag"),
    "1h": _level_statement("1h", "1m", "1 hour"),
    "1d": _level_statement("1d", "1h", "1 day"),
}
