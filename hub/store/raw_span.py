"""The newest raw samples of one tag, with how far back raw samples go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from hub.model.batch import SampleBatch, micros
from hub.store.pool import Pool, borrowed


@dataclass(frozen=True, slots=True)
class PgRawStates:
    """hub.ports.RawStates."""

    pool: Pool

    async def span(
        self, tag: int, start: datetime, end: datetime, most: int
    ) -> tuple[SampleBatch, datetime | None]:
        values = {"tag": tag, "start": start, "end": end, "most": most}
        async with borrowed(self.pool) as connection:
            rows = await (await connection.execute(NEWEST_OF_SPAN, values)).fetchall()
            gone = await (await connection.execute(RAW_GONE, {"tag": tag})).fetchone()
        found = SampleBatch(
            np.full(len(rows), tag, np.int32),
            np.array([micros(r["ts"]) for r in rows], np.int64),
            np.array([r["value"] for r in rows], np.float64),
            np.array([r["status"] for r in rows], np.uint32),
        )
        backwards = np.arange(len(rows) - 1, -1, -1)
        return found.take(backwards), gone["since"] if gone else None


NEWEST_OF_SPAN = """
select ts, value, status from samples
where tag = %(tag)s and ts >= %(start)s and ts < %(end)s order by ts desc limit %(most)s
"""
RAW_GONE = """
select max(since) as since from (
    select since from horizons where source = 'raw'
    union all select since from tag_horizons where tag = %(tag)s
) horizon
"""
