"""Rows that are on record already, under whatever number they come.

Whoever begins to read a source anew is told at first what stands there, with the time from which on it does;
its collector may have told that in a life before, or another one has. And a source may tell twice what it has
told: a store that is flushed again, a gateway that got no answer.

What stands for longer than raw samples are kept is remembered when they are let go (`remember`): it is in the
roll-ups, and would be counted there again each time that a source is read anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch, from_micros, micros
from hub.store.pool import Connection

_UNKNOWN, _NEVER = np.iinfo(np.int64).max, np.iinfo(np.int64).min


class StandingRows:
    """Looks for a row on record where it is no newer than the newest one of its tag. So what streams costs
    nothing; a look costs 0.02 ms, also while a clock that was set back catches up."""

    def __init__(self) -> None:
        self._newest = np.empty(0, np.int64)  # source time, by the number of the tag

    def begin(self) -> None:
        """A writer begins: another one may have stored meanwhile."""
        self._newest = np.empty(0, np.int64)

    async def on_record(self, connection: Connection, rows: SampleBatch) -> NDArray[np.bool_]:
        """Which of these rows are there, with the same time, value and status."""
        await self._know_of(connection, rows)
        there = _repeated(rows)
        doubtful = np.flatnonzero((rows.source_times <= self._newest[rows.tags]) & ~there)
        if len(doubtful):
            there[await _found(connection, rows, doubtful)] = True
        return there

    def stored(self, rows: SampleBatch) -> None:
        np.maximum.at(self._newest, rows.tags, rows.source_times)

    async def _know_of(self, connection: Connection, rows: SampleBatch) -> None:
        more = int(rows.tags.max(initial=0)) + 1 - len(self._newest)
        if more > 0:
            self._newest = np.concatenate([self._newest, np.full(more, _UNKNOWN)])
        if (self._newest[rows.tags] == _UNKNOWN).any():
            tags = np.unique(rows.tags[self._newest[rows.tags] == _UNKNOWN])
            found = await (await connection.execute(NEWEST, [tags.tolist()])).fetchall()
            self._newest[tags] = _NEVER
            self._newest[[row["tag"] for row in found]] = [micros(row["ts"]) for row in found]


async def remember(connection: Connection, upto: datetime, tags: Sequence[int] | None = None) -> None:
    """Before raw samples below `upto` are let go: the newest of each of these tags (None: of all) that has
    none from then on."""
    await connection.execute(REMEMBER, {"upto": upto, "tags": None if tags is None else list(tags)})


def _repeated(rows: SampleBatch) -> NDArray[np.bool_]:
    """Rows that this very write has before: two lives of a collector, while the record was away."""
    repeated = np.zeros(len(rows), np.bool_)
    order = np.argsort(rows.tags, kind="stable")
    tags, times = rows.tags[order], rows.source_times[order]
    back = (tags[1:] == tags[:-1]) & (times[1:] <= times[:-1])
    if back.any():
        some = np.flatnonzero(np.isin(rows.tags, tags[1:][back]))
        values = rows.values[some].view(np.int64)
        said = np.stack([rows.tags[some], rows.source_times[some], values, rows.statuses[some]], axis=1)
        _, first = np.unique(said, axis=0, return_index=True)
        repeated[np.delete(some, first)] = True
    return repeated


async def _found(connection: Connection, rows: SampleBatch, doubtful: NDArray[np.intp]) -> NDArray[np.intp]:
    asked = rows.take(doubtful)
    values = {
        "tags": asked.tags.tolist(),
        "times": [from_micros(us) for us in asked.source_times.tolist()],
        "values": asked.values.tolist(),
        "statuses": asked.statuses.tolist(),
        "first": from_micros(int(asked.source_times.min())),
        "last": from_micros(int(asked.source_times.max())),
    }
    # Planned each time, for these bounds: one plan for whatever may be asked locks every partition and chunk
    found = await (await connection.execute(THERE, values, prepare=False)).fetchall()
    return doubtful[np.array([row["n"] - 1 for row in found], np.intp)]


# `limit` keeps it one look into the index for each row, whatever is on record; `between` leaves chunks out
THERE = """
select asked.n from unnest(
    %(tags)s::integer[], %(times)s::timestamptz[], %(values)s::float8[], %(statuses)s::bigint[]
) with ordinality as asked (tag, ts, value, status, n)
cross join lateral (
    (select from samples s where s.tag = asked.tag and s.ts = asked.ts
    and s.ts between %(first)s::timestamptz and %(last)s::timestamptz
    and s.value = asked.value and s.status = asked.status limit 1)
    union all
    (select from standing_rows s where s.tag = asked.tag and s.ts = asked.ts
    and s.value = asked.value and s.status = asked.status)
    limit 1
) known
"""
NEWEST = """
select wanted.tag, newest.ts from unnest(%s::integer[]) wanted (tag)
cross join lateral (
    (select ts from samples where tag = wanted.tag order by ts desc limit 1)
    union all
    (select ts from standing_rows where tag = wanted.tag)
    order by ts desc limit 1
) newest
"""
# A tag that tells something is passed over at its first newer row.
REMEMBER = """
insert into standing_rows as old (tag, ts, value, status)
select tags.number, newest.ts, newest.value, newest.status from tags
left join lateral (
    select true as there from samples where tag = tags.number and ts >= %(upto)s limit 1
) newer on true
cross join lateral (
    select ts, value, status from samples where tag = tags.number and ts < %(upto)s order by ts desc limit 1
) newest
where newer.there is null and (%(tags)s::integer[] is null or tags.number = any (%(tags)s::integer[]))
on conflict (tag) do update set ts = excluded.ts, value = excluded.value, status = excluded.status
where old.ts < excluded.ts
"""
