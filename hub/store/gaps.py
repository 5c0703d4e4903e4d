"""Gaps that collectors have told of: on record once each, in the audit trail, asked for beside a curve."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from hub.model.gap import SampleGap
from hub.store.pool import Pool, borrowed


class PgGaps:
    """What `hub.bus.spooled` tells, and what `hub.api.deps.Gaps` asks for."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def tell(self, gaps: Sequence[SampleGap]) -> None:
        """One that is known changes nothing, unless it has grown."""
        told = [
            {
                "id": gap.id, "source": gap.source, "first": gap.first.isoformat(),
                "last": gap.last.isoformat(), "samples": gap.samples, "tags": sorted(gap.tags),
            }
            for gap in gaps
        ]  # fmt: skip
        async with borrowed(self._pool) as connection:
            await connection.execute(TELL, [json.dumps(told)])

    async def of(self, tag: int, start: datetime, end: datetime) -> list[SampleGap]:
        """Those that touch this time, in order."""
        values = {"tag": tag, "start": start, "end": end}
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(OF, values)).fetchall()
        return [
            SampleGap(
                str(r["id"]), r["source"], r["first"].astimezone(UTC), r["last"].astimezone(UTC),
                r["samples"], frozenset(r["tags"]),
            )
            for r in rows
        ]  # fmt: skip


TELL = """
with told as (
    insert into sample_gaps as old (id, source, first, last, samples, tags)
    select said.id, said.source, said.first, said.last, said.samples,
        array(select number from tags where path = any (said.tags) order by number)
    from jsonb_to_recordset(%s::jsonb) said (
        id uuid, source text, first timestamptz, last timestamptz, samples bigint, tags text[])
    on conflict (id) do update set first = least(old.first, excluded.first),
        last = greatest(old.last, excluded.last), samples = excluded.samples, tags = excluded.tags
        where old.samples < excluded.samples
    returning id, source, first, last, samples, tags
)
insert into audit (at, who, what, about, detail)
select now(), 'spool', 'samples-dropped', source, jsonb_build_object(
    'id', id, 'from', first, 'to', last, 'samples', samples, 'tags', cardinality(tags))
from told
"""
OF = """
select id, source, first, last, samples,
    array(select path from tags where number = any (sample_gaps.tags)) as tags
from sample_gaps
where last >= %(start)s and first <= %(end)s and %(tag)s = any (tags) order by first
"""
