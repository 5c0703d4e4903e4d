"""What process parameters were while an order or a lot was worked on: figures, curves, samples."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.model.parameter import BoundSample, JobSpan, ParameterFigures, ParameterLimits
from hub.store.job_spans import BEGINNING, lots_of, span_of
from hub.store.pool import Pool, borrowed

PAGE = 5_000  # samples read at a time: nobody's slow download holds a connection
SHORT, LONG = timedelta(minutes=1), timedelta(days=30)

Point = tuple[datetime, float, float, float]


class PgParameterBook:
    """hub.api.deps.ParameterBook. All of it reads what was bound when it was stored."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def spans(self, order: str) -> list[JobSpan]:
        """When and where this order ran, in order of time."""
        return await self._spans(OF_ORDER, order)

    async def spans_with(self, lot: str) -> list[JobSpan]:
        """When and where this lot of material went in, or orders ran of which it came out."""
        return await self._spans(OF_LOT, lot)

    async def _spans(self, query: str, what: str) -> list[JobSpan]:
        async with borrowed(self._pool) as connection:
            return [span_of(row) async for row in await connection.execute(query.encode(), {"what": what})]

    async def figures(
        self, spans: Sequence[JobSpan], limits: Sequence[ParameterLimits]
    ) -> list[ParameterFigures]:
        """Of each operation, machine and tag that has samples in these spans; `limits` names the tags."""
        values = _ids(spans) | {
            "tags": [x.tag for x in limits],
            "lows": [-math.inf if x.low is None else float(x.low) for x in limits],
            "highs": [math.inf if x.high is None else float(x.high) for x in limits],
        }
        async with borrowed(self._pool) as connection:
            rows = await (await connection.execute(FIGURES, values)).fetchall()
        return [
            ParameterFigures(
                r["operation"], r["equipment"], r["tag"], r["samples"], r["bad"], r["outside"], r["low"],
                r["mean"], r["high"], r["deviation"], r["first_at"].astimezone(UTC),
                r["last_at"].astimezone(UTC),
            )
            for r in rows
        ]  # fmt: skip

    async def curve(self, spans: Sequence[JobSpan], tag: int, points: int) -> list[Point]:
        """(when, mean, least, greatest) of at most about `points` steps from the first sample to the last."""
        values = _ids(spans) | {"tag": tag}
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(REACH, values)).fetchone()
            if row is None or row["first"] is None:
                return []
            width = max((row["last"] - row["first"]) / max(points, 1), timedelta(milliseconds=1))
            values |= {"width": width, "origin": row["first"]}
            rows = await (await connection.execute(CURVE, values)).fetchall()
        return [(r["at"].astimezone(UTC), r["mean"], r["low"], r["high"]) for r in rows]

    async def samples(self, spans: Sequence[JobSpan], tags: Sequence[int]) -> AsyncIterator[BoundSample]:
        """Every stored sample with what it is bound to, in order of time.

        A page looks at a stretch of time alone, as long as the page before it was: else each page would look
        through all that lie behind it.
        """
        width = SHORT
        start = await self._next(spans, tags, BEGINNING)
        while start is not None:
            rows = await self._page(spans, tags, start, start + width)
            for r in rows:
                value = None if math.isnan(r["value"]) else r["value"]
                yield BoundSample(
                    r["ts"].astimezone(UTC), r["tag"], value, r["status"], r["equipment"], r["work_order"],
                    r["operation"], lots_of(r["items"], r["lots"]),
                )  # fmt: skip
            if len(rows) < PAGE:
                start = await self._next(spans, tags, start + width)
                width = min(2 * width, LONG)
            else:
                end = rows[-1]["ts"] + timedelta.resolution
                start, width = end, end - start

    async def _next(self, spans: Sequence[JobSpan], tags: Sequence[int], start: datetime) -> datetime | None:
        """When the first of these samples from `start` on is of."""
        values = _ids(spans) | {"tags": list(tags), "start": start}
        async with borrowed(self._pool) as connection:
            row = await (await connection.execute(NEXT, values)).fetchone()
        return row["ts"] if row else None

    async def _page(
        self, spans: Sequence[JobSpan], tags: Sequence[int], start: datetime, end: datetime
    ) -> list[dict[str, Any]]:
        values = _ids(spans) | {"tags": list(tags), "start": start, "end": end, "page": PAGE}
        async with borrowed(self._pool) as connection:
            # Planned for these bounds: a plan for any would look through more than they hold
            return await (await connection.execute(SAMPLES, values, prepare=False)).fetchall()


def _ids(spans: Sequence[JobSpan]) -> dict[str, object]:
    return {"spans": [s.id for s in spans]}


_SPAN = """
select s.*,
    (select min(n.since) from job_spans n where n.equipment = s.equipment and n.since > s.since) as until
from job_spans s
"""
OF_ORDER = f"{_SPAN} where s.work_order = %(what)s and s.work_order <> '' order by s.since, s.equipment"
OF_LOT = f"""{_SPAN}
where s.work_order <> '' and (s.lots @> array[%(what)s::text] or s.work_order in (
    select work_order from postings where kind = 'receipt' and lot = %(what)s))
order by s.since, s.equipment
"""  # noqa: S608 our own text


def _bound(rest: str) -> str:
    """`rest` reads `bound`: the spans' samples. Their times lead to them by the index; what counts is the
    span that a sample is bound to."""
    return f"""
with wanted as ({_SPAN} where s.id = any (%(spans)s::bigint[])),
bound as (
    select p.ts, p.tag, p.value, p.status, w.equipment, w.work_order, w.operation, w.items, w.lots,
        p.status < 2147483648 and p.value <> 'NaN' as usable
    from wanted w
    join process_parameters m on m.equipment = w.equipment
    join parameter_samples p on p.tag = m.tag and p.span = w.id and p.ts >= w.since
        and p.ts < coalesce(w.until, 'infinity')
)
{rest}
"""  # noqa: S608 our own text


FIGURES = _bound("""
select b.operation, b.equipment, b.tag, count(*) as samples,
    count(*) filter (where not usable) as bad,
    count(*) filter (where usable and (b.value < l.low or b.value > l.high)) as outside,
    min(b.value) filter (where usable) as low, avg(b.value) filter (where usable) as mean,
    max(b.value) filter (where usable) as high, stddev_samp(b.value) filter (where usable) as deviation,
    min(b.ts) as first_at, max(b.ts) as last_at
from bound b
join unnest(%(tags)s::integer[], %(lows)s::double precision[], %(highs)s::double precision[])
    l (tag, low, high) on l.tag = b.tag
group by 1, 2, 3 order by 1, 2, 3
""")
REACH = _bound("select min(ts) as first, max(ts) as last from bound where tag = %(tag)s and usable")
CURVE = _bound("""
select date_bin(%(width)s, ts, %(origin)s) as at, avg(value) as mean, min(value) as low, max(value) as high
from bound where tag = %(tag)s and usable group by 1 order by 1
""")
SAMPLES = _bound("""
select ts, tag, value, status, equipment, work_order, operation, items, lots from bound
where tag = any (%(tags)s::integer[]) and ts >= %(start)s and ts < %(end)s
order by ts fetch first %(page)s rows with ties
""")
NEXT = f"""
select min(first.ts) as ts from ({_SPAN} where s.id = any (%(spans)s::bigint[])) w
join process_parameters m on m.equipment = w.equipment and m.tag = any (%(tags)s::integer[])
cross join lateral (
    select p.ts from parameter_samples p
    where p.tag = m.tag and p.span = w.id and p.ts >= greatest(w.since, %(start)s)
        and p.ts < coalesce(w.until, 'infinity')
    order by p.ts limit 1
) first
"""  # noqa: S608 our own text
