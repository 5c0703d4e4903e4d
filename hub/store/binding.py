"""Samples of process parameters bound to the job of their own time, in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model.batch import SampleBatch, from_micros, micros
from hub.model.sample import Tag
from hub.store.copying import EPOCH_SHIFT, HEADER, TRAILER, blank_row
from hub.store.job_spans import BEGINNING, LOCK, follow
from hub.store.pool import Connection, Pool, borrowed

_BLANK = blank_row(ts=">i8", tag=">i4", value=">f8", status=">i8", span=">i8")


class Binding:
    """Which tags are process parameters, and of which machine. Thinking only, but for `bind`."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        marked = [t for t in tags if t.parameter is not None]
        self.machines = sorted({t.equipment for t in marked})
        at = {machine: n for n, machine in enumerate(self.machines)}
        self._machine = np.full(1 + max((t.number for t in marked), default=0), -1, np.int32)
        for tag in marked:
            self._machine[tag.number] = at[tag.equipment]

    def of(self, rows: SampleBatch) -> SampleBatch:
        """Those of process parameters."""
        known = np.flatnonzero(rows.tags < len(self._machine))
        return rows.take(known[self._machine[rows.tags[known]] >= 0])

    async def bind(self, connection: Connection, rows: SampleBatch, *, copy: bool) -> None:
        """Store those of these rows that are of process parameters; LOCK is held until the commit."""
        mine = self.of(rows)
        if not len(mine):
            return
        await connection.execute("select pg_advisory_xact_lock_shared(%s)", [LOCK])
        spans = await self._spans(connection, mine)
        if not copy:
            columns = (mine.source_times, mine.tags, mine.values, mine.statuses, spans)
            await connection.execute(INSERT, [c.tolist() for c in columns])
            return
        async with connection.cursor().copy(COPY_IN) as out:
            await out.write(_to_copy(mine, spans))

    async def _spans(self, connection: Connection, rows: SampleBatch) -> NDArray[np.int64]:
        of = self._machine[rows.tags]
        found: dict[str, tuple[list[int], list[int]]] = {}
        values = {
            "machines": [self.machines[n] for n in np.unique(of)],
            "first": from_micros(int(rows.source_times.min())),
            "last": from_micros(int(rows.source_times.max())),
        }
        async for row in await connection.execute(SPANS, values):
            since, ids = found.setdefault(row["equipment"], ([], []))
            since.append(micros(row["since"]))
            ids.append(row["id"])
        out = np.zeros(len(rows), np.int64)
        for n in np.unique(of):
            if self.machines[n] in found:
                mine = of == n
                out[mine] = as_of(*found[self.machines[n]], rows.source_times[mine])
        return out


def as_of(since: list[int], ids: list[int], times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each time the span that lasts then; 0 before the first one. `since` grows."""
    place = np.searchsorted(np.array(since), times, side="right")
    found: NDArray[np.int64] = np.array([0, *ids], np.int64)[place]
    return found


def _to_copy(batch: SampleBatch, spans: NDArray[np.int64]) -> bytes:
    rows = np.repeat(_BLANK, len(batch))
    rows["ts"], rows["tag"] = batch.source_times - EPOCH_SHIFT, batch.tags
    rows["value"], rows["status"], rows["span"] = batch.values, batch.statuses, spans
    return b"".join((HEADER, rows.tobytes(), TRAILER))


async def register(pool: Pool, tags: Mapping[str, Tag]) -> int:
    """Have the record know which tags are marked; a machine that had none is caught up with its reports.

    Answers with how many tags are marked.
    """
    marked = [t for t in tags.values() if t.parameter is not None]
    values: dict[str, Any] = {
        "tags": [t.number for t in marked],
        "equipment": [t.equipment for t in marked],
    }
    async with borrowed(pool) as connection, connection.transaction():
        known = {row["equipment"] async for row in await connection.execute(ACTIVE)}
        await connection.execute(UNMARK, values)
        if not marked:
            return 0
        await connection.execute(MARK, values)
        fresh = sorted({t.equipment for t in marked} - known)
        if fresh:
            await connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        for machine in fresh:
            await follow(connection, machine, await _first(connection, machine))
    return len(marked)


async def _first(connection: Connection, machine: str) -> datetime:
    """Where to begin with a machine that was not followed: with its last span, else at the very beginning."""
    row = await (await connection.execute(LAST, [machine])).fetchone()
    last: datetime | None = row["since"] if row else None
    return last or BEGINNING


ACTIVE = "select distinct equipment from process_parameters where active"
LAST = "select max(since) as since from job_spans where equipment = %s"
UNMARK = "update process_parameters set active = false where active and tag <> all (%(tags)s::integer[])"
MARK = """
insert into process_parameters as old (tag, equipment, active)
select said.tag, said.equipment, true
from unnest(%(tags)s::integer[], %(equipment)s::text[]) said (tag, equipment)
on conflict (tag) do update set equipment = excluded.equipment, active = true
    where not old.active or old.equipment <> excluded.equipment
"""
SPANS = """
select found.* from unnest(%(machines)s::text[]) wanted (equipment)
cross join lateral (
    (select equipment, since, id from job_spans
     where equipment = wanted.equipment and since <= %(first)s order by since desc limit 1)
    union all
    (select equipment, since, id from job_spans
     where equipment = wanted.equipment and since > %(first)s and since <= %(last)s)
) found
order by found.equipment, found.since
"""
COPY_IN = "copy parameter_samples (ts, tag, value, status, span) from stdin (format binary)"
INSERT = """
insert into parameter_samples (ts, tag, value, status, span)
select timestamptz '1970-01-01 00:00:00+00' + ts * interval '1 microsecond', tag, value, status, span
from unnest(%s::bigint[], %s::integer[], %s::double precision[], %s::bigint[], %s::bigint[])
    said (ts, tag, value, status, span)
"""
